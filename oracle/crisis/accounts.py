"""One account of a crisis: a position in one market and the money behind it. All integers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from oracle.engine.rounding import mul_div_floor, positive, wad_mul_floor
from oracle.engine.units import MAX_PRICE, Price, Size, Usd, require

MAX_SIZE = 2**111
"""Sizes stay below (wei): the contracts refuse to open more."""


@dataclass(frozen=True, slots=True)
class Account:
    """A position as it was opened.

    Attributes:
        market: the market's name.
        is_long: the side.
        size: base units, wad, positive on both sides.
        entry: price at which all of it was opened, USD wad.
        equity: what the account owns at `entry`, USD wad, positive: its cash, as the position has
            no profit there.
        leverage: as chosen by the account, ppm (10x is 10,000,000). A record: every figure is
            computed from size and equity, so an account with spare cash may choose more leverage
            than it has.
    """

    market: str
    is_long: bool
    size: Size
    entry: Price
    equity: Usd
    leverage: int

    def __post_init__(self) -> None:
        require(self.size > 0, "size not positive")
        require(0 < self.entry <= MAX_PRICE, "entry out of range")
        require(self.equity > 0, "equity not positive")
        require(self.leverage > 0, "leverage not positive")

    def profit_at(self, mark: int) -> Usd:
        """Unrealised profit at the mark [USD wad], rounded down, so that a loss rounds up."""
        move = mark - self.entry
        return Usd(wad_mul_floor(self.size, move if self.is_long else -move))

    def equity_at(self, mark: int) -> Usd:
        """E [USD wad]: what the account owns at the mark, rounded down; negative is a deficit."""
        return Usd(self.equity + self.profit_at(mark))


@dataclass(frozen=True, slots=True)
class Half:
    """One direction of a crisis: the accounts of a side that are closed and those who could pay.

    Attributes:
        bankrupt: indices of the accounts of the side with E < 0 at the mark, and of those that are
            closed although they owe nothing; worst first.
        winners: indices of the accounts of the other side with E >= 0 that are not closed, in the
            order given. Most are in profit; those that are not are the last any rule takes from,
            but it may.
    """

    bankrupt: tuple[int, ...]
    winners: tuple[int, ...]


def halves(
    accounts: Sequence[Account], mark: int, closing: Collection[int] = frozenset()
) -> tuple[Half, Half]:
    """Bankrupt longs against solvent shorts, and bankrupt shorts against solvent longs.

    closing: indices of accounts that are closed as if bankrupt; with E >= 0 they owe nothing.

    Raises:
        Refused: the accounts are of several markets, or the mark is not a price.
    """
    require(0 < mark <= MAX_PRICE, "mark out of range")
    require(len({account.market for account in accounts}) <= 1, "several markets")
    equities = [account.equity_at(mark) for account in accounts]

    def half(is_long: bool) -> Half:
        bankrupt = [
            i
            for i, account in enumerate(accounts)
            if account.is_long == is_long and (equities[i] < 0 or i in closing)
        ]
        winners = [
            i
            for i, account in enumerate(accounts)
            if account.is_long != is_long and equities[i] >= 0 and i not in closing
        ]
        return Half(tuple(sorted(bankrupt, key=lambda i: equities[i])), tuple(winners))

    return half(True), half(False)


def imbalance(accounts: Sequence[Account]) -> int:
    """Long size less short size [base wad]; 0 in a market that can exist."""
    return sum(account.size if account.is_long else -account.size for account in accounts)


def split(amount: int, weights: Sequence[int]) -> list[int]:
    """Cut `amount` >= 0 in proportion to the weights (not all 0), to the last unit.

    Part i is the difference of two floors of running sums, so the parts add up to `amount` and
    none is above its exact share rounded up.
    """
    total = sum(weights)
    marks = [mul_div_floor(amount, upto, total) for upto in accumulate(weights, initial=0)]
    return [high - low for low, high in pairwise(marks)]


def favourable_move(mark: int, later: int | None, *, is_long: bool) -> int:
    """How far the price goes on in a side's favour after the mark [USD wad per base]; or 0."""
    if later is None:
        return 0
    require(0 < later <= MAX_PRICE, "later out of range")
    return positive(later - mark if is_long else mark - later)
