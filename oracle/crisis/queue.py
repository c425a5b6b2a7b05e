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

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from oracle.crisis.accounts import Account, Half, favourable_move, halves, split
from oracle.crisis.figures import Outcome, Part, outcome
from oracle.engine.rounding import mul_div_floor, positive, wad_mul_floor
from oracle.engine.units import MAX_PRICE, WAD, require


class Settlement(Enum):
    """What a winner is paid when the queue takes its whole position.

    MARK: the mark. It loses no money there, so nobody pays the deficit: `insolvency_left` is D.
        What it loses is the profit after the mark, if a later price is given.
    PREVIOUS: the mark before the last move, at which the bankrupt account may still have owned
        something: the winner gives up the whole move, and what the deficit does not need of it goes
        to the bankrupt account. Hyperliquid.
    BANKRUPTCY: the bankrupt account's bankruptcy price, the mark moved against the winner by
        D_i/q_i. Taking q_i pays D_i exactly; every unit of a whole position beyond q_i pays D_i/q_i
        that nobody needs. BitMEX and Binance.
    PROFIT: nothing of its unrealised profit: all of it goes to the deficit, position by position
        until that is met; what is left of the last profit is overshoot. No venue's
        rule book says so; it is the queue of Chitra, "Autodeleveraging: Impossibilities and
        Optimization" (arXiv 2512.01112), in which a haircut applies to a winner's profit.
    """

    MARK = "mark"
    PREVIOUS = "previous"
    BANKRUPTCY = "bankruptcy"
    PROFIT = "profit"


@dataclass(frozen=True, slots=True)
class _Rules:
    """The arguments of `ranked_queue`, for one direction."""

    mark: int
    settlement: Settlement
    later: int | None
    previous: int | None
    carry: bool
    winners_long: bool

    def due(self, size: int, debtor: int, deficit: int) -> int:
        """What a winner gives up on `size` of its position against a bankrupt's `debtor` size."""
        if deficit == 0:
            return 0
        if self.settlement is Settlement.BANKRUPTCY:
            return mul_div_floor(deficit, size, debtor)
        if self.settlement is Settlement.PREVIOUS and self.previous is not None:
            last_move = self.mark - self.previous
            return wad_mul_floor(size, positive(last_move if self.winners_long else -last_move))
        return 0


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
    previous: int | None = None,
    carry: bool = True,
    closing: Collection[int] = frozenset(),
) -> Outcome:
    """The figures of the ranked queue for one market at the mark [USD wad].

    later: the price up to which profit forgone counts [USD wad]; the mark if None.
    previous: the mark before the last move [USD wad], which `Settlement.PREVIOUS` needs.
    carry: whether the part of a position that one bankrupt account did not need serves the next.
        True is kindest to the queue: at most one position a side is taken in part for nothing.
        False is a venue that handles each bankruptcy for itself. PROFIT has no such part.
    closing: accounts that are closed at the mark besides the bankrupt, owing nothing: PROFIT, which
        takes profits and no positions, closes them against nobody.

    Raises:
        Refused: the accounts are of several markets, the mark is not a price, or PREVIOUS has none.
    """
    if settlement is Settlement.PREVIOUS:
        require(previous is not None and 0 < previous <= MAX_PRICE, "previous out of range")
    longs, shorts = halves(accounts, mark, closing)
    parts = [
        _serve(accounts, half, _Rules(mark, settlement, later, previous, carry, winners_long))
        for half, winners_long in ((longs, False), (shorts, True))
        if half.bankrupt
    ]
    directions = [half for half in (longs, shorts) if half.bankrupt]
    return outcome(
        accounts,
        mark,
        [i for half in directions for i in half.bankrupt],
        [j for half in directions for j in half.winners],
        parts,
    )


def _serve(accounts: Sequence[Account], half: Half, rules: _Rules) -> Part:
    ranks = {j: score(accounts[j], rules.mark) for j in half.winners}
    queue = sorted(half.winners, key=lambda j: -ranks[j])
    take = _take_profits if rules.settlement is Settlement.PROFIT else _take_positions
    taken, paid, needless = take(accounts, half, queue, rules)
    moved, extra = _forgone(accounts, half, list(taken), rules)
    closed = {j: accounts[j].size for j in taken}
    return Part(closed, taken, moved, paid, needless + extra)


def _take_profits(
    accounts: Sequence[Account], half: Half, queue: Sequence[int], rules: _Rules
) -> tuple[dict[int, int], int, int]:
    """Whole profits until the deficit is met: what each lost, what was paid, what was too much."""
    deficit = sum(positive(-accounts[i].equity_at(rules.mark)) for i in half.bankrupt)
    taken: dict[int, int] = {}
    total = 0
    for j in queue:
        profit = accounts[j].profit_at(rules.mark)
        if total >= deficit or profit <= 0:
            break
        taken[j] = profit
        total += profit
    return taken, min(total, deficit), max(0, total - deficit)


def _take_positions(
    accounts: Sequence[Account], half: Half, queue: Sequence[int], rules: _Rules
) -> tuple[dict[int, int], int, int]:
    """Whole positions until the bankrupt size is met, as `_take_profits`."""
    taken: dict[int, int] = {}
    paid = needless = 0
    waiting = iter(queue)
    last, spare = -1, 0  # the winner taken last, and how much of its size is still unused
    for i in half.bankrupt:
        size, deficit = accounts[i].size, positive(-accounts[i].equity_at(rules.mark))
        fills, last, spare = _fill(accounts, waiting, size, last, spare)
        matched = sum(fills.values())
        if matched == 0:
            break
        due = rules.due(matched, size, deficit)
        met = min(due, mul_div_floor(deficit, matched, size))
        paid += met
        needless += due - met
        for j, amount in zip(fills, split(due, list(fills.values())), strict=True):
            taken[j] = taken.get(j, 0) + amount
        if spare and (not rules.carry or i == half.bankrupt[-1]):
            beyond = rules.due(spare, size, deficit)
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
    accounts: Sequence[Account], half: Half, taken: Sequence[int], rules: _Rules
) -> tuple[dict[int, int], int]:
    """Profit after the mark of every position taken, and of the size beyond the bankrupt's."""
    if not taken:
        return {}, 0
    sizes = [accounts[j].size for j in taken]
    gone = sum(accounts[i].size for i in half.bankrupt)
    move = favourable_move(rules.mark, rules.later, is_long=rules.winners_long)
    total = wad_mul_floor(sum(sizes), move)
    needed = wad_mul_floor(min(sum(sizes), gone), move)
    return dict(zip(taken, split(total, sizes), strict=True)), total - needed
