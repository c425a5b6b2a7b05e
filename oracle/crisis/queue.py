"""The reference: auto-deleveraging by rank, as production venues do it, in exact integers.

Bankrupt accounts (E < 0 at the mark) are served worst first. Each is closed against the winners of
the other side, highest score first, whole positions. With E_j the winner's equity at the mark:

    profit_j   = s_j·(mark - entry_j) / entry_j          profit over entry value
    leverage_j = q_j·mark / E_j                          effective leverage
    score_j    = profit_j · leverage_j  if profit_j > 0, else  profit_j / leverage_j

Equal scores keep the order of the accounts. This is BitMEX's ranking ("What is Auto-Deleveraging",
support.bitmex.com/hc/en-gb/articles/18589621443357: mark value less bankrupt value is the equity).
Hyperliquid's index, (mark / entry)·(notional / account value), is of the same kind ("Auto
deleveraging", hyperliquid.gitbook.io/hyperliquid-docs/trading/auto-deleveraging), as is Binance's
(announcement 360033525471).

At which price the positions are closed, and so who pays, is the `Settlement`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from fractions import Fraction

from oracle.crisis.accounts import Account, Half, favourable_move, halves, split
from oracle.crisis.figures import Outcome, Part, outcome
from oracle.engine.rounding import mul_div_ceil, mul_div_floor, wad_mul_floor
from oracle.engine.units import WAD


class Settlement(Enum):
    """What a winner is paid when the queue takes its whole position.

    MARK: the mark. It loses no money there, so nobody pays the deficit: `insolvency_left` is D.
        What it loses is the profit after the mark, if a later price is given. Hyperliquid closes
        at the previous mark, which is this rule where the hole opens within one step.
    BANKRUPTCY: the bankrupt account's bankruptcy price, the mark moved against the winner by
        D_i/q_i. Taking q_i pays D_i exactly; every unit of a whole position beyond q_i pays D_i/q_i
        (rounded up) that nobody needs. BitMEX and Binance.
    PROFIT: nothing of its unrealised profit: all of it goes to the deficit, position by position
        until that is met; what is left of the last profit is overshoot. No venue's
        rule book says so; it is the queue of Chitra, "Autodeleveraging: Impossibilities and
        Optimization" (arXiv 2512.01112), in which a haircut applies to a winner's profit.
    """

    MARK = "mark"
    BANKRUPTCY = "bankruptcy"
    PROFIT = "profit"


def score(account: Account, mark: int) -> Fraction:
    """Rank of an account with E >= 0 at the mark; the highest is taken first. Exact."""
    move = mark - account.entry if account.is_long else account.entry - mark
    profit = Fraction(move, account.entry)
    equity = account.equity_at(mark)
    notional = Fraction(account.size * mark, WAD)
    return profit * notional / equity if profit > 0 else profit * equity / notional


def ranked_queue(
    accounts: Sequence[Account],
    mark: int,
    settlement: Settlement = Settlement.MARK,
    later: int | None = None,
    *,
    carry: bool = True,
) -> Outcome:
    """The figures of the ranked queue for one market at the mark [USD wad].

    later: the price up to which profit forgone counts [USD wad]; the mark if None.
    carry: whether the part of a position that one bankrupt account did not need serves the next.
        True is kindest to the queue: at most one position a side is taken in part for nothing.
        False is a venue that handles each bankruptcy for itself. PROFIT has no such part.

    Raises:
        Refused: the accounts are of several markets, or the mark is not a price.
    """
    directions = [half for half in halves(accounts, mark) if half.bankrupt]
    return outcome(
        accounts,
        mark,
        [i for half in directions for i in half.bankrupt],
        [j for half in directions for j in half.winners],
        [_serve(accounts, half, mark, settlement, later, carry) for half in directions],
    )


def _serve(
    accounts: Sequence[Account],
    half: Half,
    mark: int,
    settlement: Settlement,
    later: int | None,
    carry: bool,
) -> Part:
    ranks = {j: score(accounts[j], mark) for j in half.winners}
    queue = sorted(half.winners, key=lambda j: -ranks[j])
    if settlement is Settlement.PROFIT:
        taken, paid, needless = _take_profits(accounts, half, queue, mark)
    else:
        taken, paid, needless = _take_positions(accounts, half, queue, mark, carry)
    if settlement is Settlement.MARK:
        taken, paid, needless = dict.fromkeys(taken, 0), 0, 0
    moved, extra = _forgone(accounts, half, list(taken), mark, later)
    closed = {j: accounts[j].size for j in taken}
    return Part(closed, taken, moved, paid, needless + extra)


def _take_profits(
    accounts: Sequence[Account], half: Half, queue: Sequence[int], mark: int
) -> tuple[dict[int, int], int, int]:
    """Whole profits until the deficit is met: what each lost, what was paid, what was too much."""
    deficit = -sum(accounts[i].equity_at(mark) for i in half.bankrupt)
    taken: dict[int, int] = {}
    total = 0
    for j in queue:
        profit = accounts[j].profit_at(mark)
        if total >= deficit or profit <= 0:
            break
        taken[j] = profit
        total += profit
    return taken, min(total, deficit), max(0, total - deficit)


def _take_positions(
    accounts: Sequence[Account], half: Half, queue: Sequence[int], mark: int, carry: bool
) -> tuple[dict[int, int], int, int]:
    """Whole positions at bankruptcy prices, as `_take_profits`."""
    taken: dict[int, int] = {}
    paid = needless = 0
    waiting = iter(queue)
    last, spare = -1, 0  # the winner taken last, and how much of its size is still unused
    for i in half.bankrupt:
        size, deficit = accounts[i].size, -accounts[i].equity_at(mark)
        fills, last, spare = _fill(accounts, waiting, size, last, spare)
        matched = sum(fills.values())
        if matched == 0:
            break
        met = mul_div_floor(deficit, matched, size)
        paid += met
        for j, amount in zip(fills, split(met, list(fills.values())), strict=True):
            taken[j] = taken.get(j, 0) + amount
        if spare and (not carry or i == half.bankrupt[-1]):
            beyond = mul_div_ceil(spare, deficit, size)
            taken[last] += beyond
            needless += beyond
            spare = 0
    return taken, paid, needless


def _fill(
    accounts: Sequence[Account], waiting: Iterator[int], size: int, last: int, spare: int
) -> tuple[dict[int, int], int, int]:
    """Size from each winner for one bankrupt account, and what is left of the last one."""
    fills: dict[int, int] = {}
    missing = size
    while missing:
        if not spare:
            last = next(waiting, -1)
            if last < 0:
                break
            spare = accounts[last].size
        fills[last] = min(spare, missing)
        spare -= fills[last]
        missing -= fills[last]
    return fills, last, spare


def _forgone(
    accounts: Sequence[Account], half: Half, taken: Sequence[int], mark: int, later: int | None
) -> tuple[dict[int, int], int]:
    """Profit after the mark of every position taken, and of the size beyond the bankrupt's."""
    if not taken:
        return {}, 0
    sizes = [accounts[j].size for j in taken]
    gone = sum(accounts[i].size for i in half.bankrupt)
    move = favourable_move(mark, later, is_long=accounts[taken[0]].is_long)
    total = wad_mul_floor(sum(sizes), move)
    needed = wad_mul_floor(min(sum(sizes), gone), move)
    return dict(zip(taken, split(total, sizes), strict=True)), total - needed
