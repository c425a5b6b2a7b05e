"""Plimsoll's rule in closed form (DESIGN 8c and 9): the opposite side, all by one fraction.

The bankrupt accounts of a side hold Q together and leave the deficit D. Of every winner j of the
other side, who hold T together:

    closed_j = min(Q, T)·q_j/T      at the mark, so it costs nothing there
    charge_j = D·q_j/T              the sum is D exactly: the overshoot is 0

Integers, cut by running sums, so that both add up to the unit; the contracts' indices round every
account for itself, which is up to a few wei an account away. Two things of the chain are left out
and belong to whoever compares: the insurance bucket that pays before the charge, and the ceiling
on the charge (what accounts above MM were sure to own; above it the deficit is socialised). And
where both sides have bankrupt accounts, the chain also cuts those of the other side.
"""

from __future__ import annotations

from collections.abc import Sequence

from oracle.crisis.accounts import Account, Half, favourable_move, halves, split
from oracle.crisis.figures import NOTHING, Outcome, Part, outcome
from oracle.engine.rounding import wad_mul_floor


def pro_rata(accounts: Sequence[Account], mark: int, later: int | None = None) -> Outcome:
    """The figures of the pro-rata rule for one market at the mark [USD wad].

    later: the price up to which profit forgone counts [USD wad]; the mark if None.

    Raises:
        Refused: the accounts are of several markets, or the mark is not a price.
    """
    both = halves(accounts, mark)
    directions = [half for half in both if half.bankrupt]
    return outcome(
        accounts,
        mark,
        [i for half in directions for i in half.bankrupt],
        [j for half in directions for j in half.winners],
        [_cut_side(accounts, half, mark, later) for half in directions],
    )


def _cut_side(accounts: Sequence[Account], half: Half, mark: int, later: int | None) -> Part:
    if not half.winners:
        return NOTHING
    sizes = [accounts[j].size for j in half.winners]
    gone = min(sum(accounts[i].size for i in half.bankrupt), sum(sizes))
    deficit = -sum(accounts[i].equity_at(mark) for i in half.bankrupt)
    closed = split(gone, sizes)
    move = favourable_move(mark, later, is_long=accounts[half.winners[0]].is_long)
    moved = split(wad_mul_floor(gone, move), closed)
    return Part(
        closed=dict(zip(half.winners, closed, strict=True)),
        taken=dict(zip(half.winners, split(deficit, sizes), strict=True)),
        moved=dict(zip(half.winners, moved, strict=True)),
        paid=deficit,
        needless=0,
    )
