"""What a rule did to a market, in the figures the crisis report compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from oracle.crisis.accounts import Account
from oracle.engine.rounding import mul_div_floor, positive
from oracle.engine.units import PPM, Ppm, Usd


@dataclass(frozen=True, slots=True)
class Outcome:
    """The figures of one rule on one market at one mark. Money is USD wad.

    With E_i an account's equity at the mark, q its size, s its sign (long +1, short -1), and the
    bankrupt those with E_i < 0:

    Attributes:
        deficit: D = sum of -E_i over the bankrupt, the loss beyond what they owned.
        bankrupt: how many they are.
        winners: accounts with E_j >= 0 on a side whose opposite side has a bankrupt.
        touched: winners of whose position something was closed, or who were charged.
        loss: sum over the winners of loss_j = owned_j untouched - owned_j after the rule, both
            valued at the later price (at the mark if none is given). A price that turns against
            the winners counts as the mark: being closed early is then no gain to them.
        necessary: the part of `loss` that no rule can spare them: the deficit they paid, and the
            profit after the mark on as much size as the bankrupt lose (min(closed, Q) times the
            move in their favour), because that size has no other side any more.
        overshoot: loss - necessary, at least 0.
        largest_loss: the largest loss_j.
        insolvency_left: deficit nobody paid + sum of max(0, taken_j - E_j), with taken_j the part
            of loss_j due at the mark: what the rule took from winners who do not own it.
        losses: loss_j of every account, in the order given; 0 for those untouched.
        closed: size closed of every winner [base wad], in the same order.
    """

    deficit: Usd
    bankrupt: int
    winners: int
    touched: int
    loss: Usd
    necessary: Usd
    overshoot: Usd
    largest_loss: Usd
    insolvency_left: Usd
    losses: tuple[int, ...]
    closed: tuple[int, ...]

    @property
    def touched_share(self) -> Ppm:
        """touched / winners, rounded down; 0 where there are none."""
        return Ppm(mul_div_floor(self.touched, PPM, self.winners) if self.winners else 0)

    @property
    def is_solvent(self) -> bool:
        """Whether every deficit was paid by somebody who owned the money."""
        return self.insolvency_left == 0


@dataclass(frozen=True, slots=True)
class Part:
    """What a rule did for one `Half`, by account index.

    Attributes:
        closed: size closed of each winner touched [base wad].
        taken: USD wad due from each winner at the mark.
        moved: USD wad of profit after the mark each winner does without.
        paid: the part of the deficit that `taken` met [USD wad].
        needless: the part of `taken` and `moved` that is overshoot [USD wad].
    """

    closed: Mapping[int, int]
    taken: Mapping[int, int]
    moved: Mapping[int, int]
    paid: int
    needless: int


NOTHING = Part({}, {}, {}, 0, 0)


def outcome(
    accounts: Sequence[Account],
    mark: int,
    bankrupt: Sequence[int],
    winners: Sequence[int],
    parts: Sequence[Part],
) -> Outcome:
    """Add up the parts of both directions; no account is a winner in two."""
    deficits = [positive(-accounts[i].equity_at(mark)) for i in bankrupt]
    deficit = sum(deficits)
    closed, taken, losses = ([0] * len(accounts) for _ in range(3))
    for part in parts:
        for j, size in part.closed.items():
            closed[j] = size
        for j, amount in part.taken.items():
            taken[j] = losses[j] = amount
        for j, amount in part.moved.items():
            losses[j] += amount
    overdrawn = sum(positive(taken[j] - accounts[j].equity_at(mark)) for j in winners)
    overshoot = sum(part.needless for part in parts)
    loss = sum(losses)
    return Outcome(
        deficit=Usd(deficit),
        bankrupt=sum(each > 0 for each in deficits),
        winners=len(winners),
        touched=sum(closed[j] > 0 or taken[j] > 0 for j in winners),
        loss=Usd(loss),
        necessary=Usd(loss - overshoot),
        overshoot=Usd(overshoot),
        largest_loss=Usd(max(losses, default=0)),
        insolvency_left=Usd(deficit - sum(part.paid for part in parts) + overdrawn),
        losses=tuple(losses),
        closed=tuple(closed),
    )
