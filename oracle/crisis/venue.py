"""A venue that deleverages by rank, living through a price path.

The same accounts meet the same marks under the same margin rule as on the chain; only who closes
the accounts that fail differs: the ranked queue (`oracle.crisis.queue`) instead of the whole other
side. So it has its own consequences: whoever the queue closed is not there for the next fall.

An account is closed when E < 2/3·MM, or when E < MM and its auction, which began when that was
first seen and is forgotten at E >= 5/4·MM, ran out (FORMULAS 4). MM is one rate of the notional.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from oracle.crisis.accounts import Account
from oracle.crisis.queue import Settlement, ranked_queue
from oracle.engine.rounding import mul_div_ceil, positive
from oracle.engine.units import PPM, WAD, Price, Size, Usd

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
NEAR: Final = 1e-9
"""Of the notional: what floats may be wrong by; what is nearer to a border is asked in integers."""


@dataclass(frozen=True)
class Rules:
    """When an account is closed."""

    mm_rate: int  # [ppm of notional]
    duration: int  # [s] of an auction
    tail: int  # [s] after which an auction of an account with E >= MM is forgotten


@dataclass
class Auctions:
    """When each account was first seen below MM [s]; 0 where no auction runs."""

    rules: Rules
    began: npt.NDArray[np.int64]

    def over(self, time: int, equity: FloatArray, mm: FloatArray) -> npt.NDArray[np.bool_]:
        """Move every clock on to `time`; which accounts are in the backstop or worse."""
        short = equity < mm
        elapsed = time - self.began
        spent = (self.began > 0) & ~short & (elapsed >= self.rules.duration + self.rules.tail)
        self.began[(equity >= 1.25 * mm) | spent] = 0
        self.began[short & (self.began == 0)] = time
        ran_out = short & (time - self.began >= self.rules.duration)
        return (3 * equity < 2 * mm) | ran_out


@dataclass
class Tally:
    """What the queue did along the path. Money is USD wad; accounts by index."""

    deficit: int = 0
    insured: int = 0  # of the deficit
    overshoot: int = 0
    insolvency: int = 0  # deficits nobody paid, and what winners did not own
    closed: set[int] = field(default_factory=set)  # because they failed
    bankrupt: set[int] = field(default_factory=set)  # those of them with E < 0
    winners: set[int] = field(default_factory=set)  # E >= 0, opposite to one that left a deficit
    touched: set[int] = field(default_factory=set)
    losses: dict[int, int] = field(default_factory=dict)

    @property
    def largest_loss(self) -> int:
        """Of a single winner."""
        return max(self.losses.values(), default=0)


class RankedVenue:
    """One market under one variant of the queue."""

    def __init__(
        self,
        accounts: Sequence[Account],
        rules: Rules,
        settlement: Settlement,
        *,
        carry: bool,
        insurance: int = 0,
    ) -> None:
        """insurance: pays deficits, worst first, before anybody of the queue does [USD wad]."""
        self.tally = Tally()
        self._rules = rules
        self._settlement = settlement
        self._carry = carry
        self._insurance = insurance
        self._accounts: list[Account | None] = list(accounts)
        self._cash = [0] * len(accounts)  # of those without a position
        self._sign = np.array([1.0 if account.is_long else -1.0 for account in accounts])
        self._size = np.array([account.size / WAD for account in accounts])
        self._entry = np.array([account.entry / WAD for account in accounts])
        self._equity = np.array([account.equity / WAD for account in accounts])
        self._auctions = Auctions(rules, np.zeros(len(accounts), dtype=np.int64))

    def step(self, time: int, mark: int, previous: int) -> None:
        """The mark [USD wad] at a time, and the one before it."""
        price = mark / WAD
        notional = self._size * price
        equity = self._equity + self._sign * self._size * (price - self._entry)
        mm = notional * (self._rules.mm_rate / PPM)
        due = self._auctions.over(time, equity, mm)
        near = np.abs(3 * equity - 2 * mm) <= NEAR * notional
        failing = [
            int(i)
            for i in np.flatnonzero((due | near) & (self._size > 0))
            if not near[i] or self._is_below_backstop(int(i), mark)
        ]
        if failing:
            self._close(failing, mark, previous, equity)

    def reduce(self, i: int, size: int, mark: int, cost: int) -> None:
        """A liquidator takes part of a position at the mark; the account pays `cost` [USD wad]."""
        account = self._accounts[i]
        if account is None:
            return
        taken = min(size, account.size)
        owned = account.equity_at(mark) - mul_div_ceil(cost, taken, size)
        if taken == account.size or owned <= 0:
            self._remove(i, positive(owned))
        else:  # what is left is worth the same if it is entered anew
            left = replace(
                account, size=Size(account.size - taken), entry=Price(mark), equity=Usd(owned)
            )
            self._put(i, left)

    def hand_over(self, i: int, mark: int, payment: int) -> None:
        """A vault takes a whole position at the mark for `payment` [USD wad], if that is there."""
        account = self._accounts[i]
        if account is not None and account.equity_at(mark) >= payment:
            self._remove(i, account.equity_at(mark) - payment)

    def equity_at(self, mark: int) -> list[int]:
        """E of every account, 0 for the bankrupt [USD wad]."""
        return [
            cash if account is None else account.equity_at(mark)
            for account, cash in zip(self._accounts, self._cash, strict=True)
        ]

    # --- internals -------------------------------------------------------------------------------

    def _is_below_backstop(self, i: int, mark: int) -> bool:
        account = self._live(i)
        notional = mul_div_ceil(account.size, mark, WAD)
        mm = mul_div_ceil(notional, self._rules.mm_rate, PPM)
        return 3 * account.equity_at(mark) < 2 * mm

    def _close(self, failing: Sequence[int], mark: int, previous: int, equity: FloatArray) -> None:
        owned = {i: self._live(i).equity_at(mark) for i in failing}
        insured = self._insure(owned)
        chosen = list(failing)
        for is_long in (True, False):
            closed = [i for i in failing if self._live(i).is_long == is_long]
            deficit = sum(positive(-owned[i]) for i in closed)
            if not closed:
                continue
            others = self._others(failing, equity, is_long=not is_long)
            if deficit:
                self.tally.winners.update(others.tolist())
                deficit -= sum(insured.get(i, 0) for i in closed)
            chosen += self._front(others, closed, deficit / WAD, mark / WAD, equity)
        chosen.sort()
        result = ranked_queue(
            [self._with(i, insured.get(i, 0)) for i in chosen],
            mark,
            self._settlement,
            previous=previous,
            carry=self._carry,
            closing=frozenset(k for k, i in enumerate(chosen) if i in owned),
        )
        self.tally.deficit += result.deficit + sum(insured.values())
        self.tally.insured += sum(insured.values())
        self.tally.overshoot += result.overshoot
        self.tally.insolvency += result.insolvency_left
        for k, i in enumerate(chosen):
            if i in owned:
                self._fail(i, owned[i])
            else:
                self._take(i, mark, result.closed[k], result.losses[k])

    def _insure(self, owned: Mapping[int, int]) -> dict[int, int]:
        """What the insurance pays for each account that left a deficit [USD wad]."""
        paid = {}
        for i in sorted(owned, key=lambda i: owned[i]):
            amount = min(positive(-owned[i]), self._insurance)
            if amount:
                paid[i] = amount
                self._insurance -= amount
        return paid

    def _with(self, i: int, amount: int) -> Account:
        """An account and so much more money."""
        account = self._live(i)
        return replace(account, equity=Usd(account.equity + amount))

    def _others(self, failing: Sequence[int], equity: FloatArray, *, is_long: bool) -> IntArray:
        """Who could pay: the accounts of a side with E >= 0 that are not closed."""
        able = (self._sign > 0) == is_long
        able &= (self._size > 0) & (equity >= 0)
        able[list(failing)] = False
        return np.flatnonzero(able)

    def _front(
        self,
        others: IntArray,
        closed: Sequence[int],
        deficit: float,
        price: float,
        equity: FloatArray,
    ) -> list[int]:
        """So many of the others, from the front of the queue, as the queue can possibly need.

        Ranking is exact, and dear: `ranked_queue` ranks these alone. By `score` in floats, with
        whoever is as good as the last one.
        """
        size, entry = self._size[others], self._entry[others]
        profit = self._sign[others] * (price - entry) / entry
        leverage = size * price / np.maximum(equity[others], 1e-18)
        scores = np.where(profit > 0, profit * leverage, profit / leverage)
        order = np.argsort(-scores, kind="stable")
        if self._settlement is Settlement.PROFIT:
            gains = np.maximum(profit * entry * size, 0.0)[order]
            count = _prefix(gains, deficit, 0) if deficit else 0
        else:
            # Of the last position for each account closed, the rest may be of no use.
            count = _prefix(size[order], float(self._size[list(closed)].sum()), len(closed))
        if not count:
            return []
        last = scores[order[count - 1]]
        return [int(i) for i in others[scores >= last - NEAR * abs(last)]]

    def _live(self, i: int) -> Account:
        account = self._accounts[i]
        if account is None:
            raise ValueError(f"account {i} has no position.")
        return account

    def _fail(self, i: int, owned: int) -> None:
        self._remove(i, positive(owned))
        self.tally.closed.add(i)
        if owned < 0:
            self.tally.bankrupt.add(i)

    def _take(self, i: int, mark: int, closed: int, loss: int) -> None:
        if not closed and not loss:
            return
        account = self._live(i)
        self.tally.touched.add(i)
        self.tally.losses[i] = self.tally.losses.get(i, 0) + loss
        if closed:
            self._remove(i, positive(account.equity_at(mark) - loss))
        else:
            self._put(i, replace(account, equity=Usd(max(1, account.equity - loss))))

    def _put(self, i: int, account: Account) -> None:
        self._accounts[i] = account
        self._size[i] = account.size / WAD
        self._entry[i] = account.entry / WAD
        self._equity[i] = account.equity / WAD

    def _remove(self, i: int, cash: int) -> None:
        self._accounts[i] = None
        self._cash[i] = cash
        self._size[i] = 0.0
        self._equity[i] = 0.0


def _prefix(amounts: FloatArray, needed: float, spare: int) -> int:
    """How many of the first amounts are above `needed` whichever `spare` of them do not count."""
    if not amounts.size:
        return 0
    least = needed * (1.0 + NEAR)
    count = int(np.searchsorted(np.cumsum(amounts), least)) + 1 + spare
    while count < amounts.size:
        first = amounts[:count]
        if first.sum() - np.sort(first)[count - spare :].sum() > least:
            break
        count *= 2
    return min(count, int(amounts.size))
