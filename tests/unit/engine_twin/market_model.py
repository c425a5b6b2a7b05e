"""One market of side indices driven at random: no margin, no fees, only FORMULAS 1.

Nobody deposits, so every claim must be covered by somebody's debt: what all accounts together could
claim at any price is at most zero, and minus it is the dust.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from fractions import Fraction

from oracle.engine import sides
from oracle.engine.sides import FLAT, Position, Side
from oracle.engine.units import RAY

UNIT = RAY * 10**18  # of `sides.side_value`


@dataclass
class Market:
    """Two sides, the accounts' positions, and what each realised."""

    long: Side = field(default_factory=lambda: sides.fresh_side(0))
    short: Side = field(default_factory=lambda: sides.fresh_side(0))
    positions: dict[int, Position] = field(default_factory=dict)
    cash: dict[int, int] = field(default_factory=dict)
    finals: dict[tuple[bool, int], int] = field(default_factory=dict)
    epoch: int = 0
    operations: int = 0
    gap_allowed: int = 0  # Σ (Q^/RAY + 1) over deleveragings
    deleveragings: int = 0

    def side(self, is_long: bool) -> Side:
        return self.long if is_long else self.short

    def put(self, side: Side, is_long: bool) -> None:
        if is_long:
            self.long = side
        else:
            self.short = side

    def position(self, account: int) -> Position:
        """The account's position, an ended one paid out first."""
        held = self.positions.get(account, FLAT)
        if held.scaled and held.epoch != self.epoch:
            value = sides.ended_value(held, self.finals[held.is_long, held.epoch])
            self.pay(account, value)
            held = FLAT
            self.positions[account] = held
        return held

    def size(self, account: int) -> int:
        held = self.position(account)
        return sides.size_of(held.scaled, self.side(held.is_long).scale)

    def pay(self, account: int, amount: int) -> None:
        self.cash[account] = self.cash.get(account, 0) + amount

    def change(self, account: int, delta: int, g: int) -> None:
        """Close against, open with, or flip."""
        held = self.position(account)
        size = self.size(account)
        if held.scaled and (not size or (size > 0) != (delta > 0)):
            closed = min(abs(size), abs(delta))
            is_long = held.is_long
            side, held, realised = sides.close_leg(self.side(is_long), held, closed, g)
            self.put(side, is_long)
            self.pay(account, realised)
            delta += closed if size > 0 else -closed
            self.operations += 1
        if delta:
            side, held = sides.open_leg(
                self.side(delta > 0), held, abs(delta), g, is_long=delta > 0
            )
            self.put(side, delta > 0)
            self.operations += 1
        self.positions[account] = held

    def trade(self, maker: int, taker: int, size: int, g: int) -> None:
        self.change(maker, size, g)
        self.change(taker, -size, g)
        if (self.long.cut or self.short.cut) and self.is_spent():
            self.settle(g)

    def resolve(self, account: int, g: int) -> None:
        """Close at g, charge the opposite side what is missing, cut it, and settle if spent."""
        size = self.size(account)
        if size:
            self._close_and_cut(account, size, g)

    def _close_and_cut(self, account: int, size: int, g: int) -> None:
        self.change(account, -size, g)
        debt = max(0, -self.cash[account])
        is_long = size < 0  # the side cut
        side = self.side(is_long)
        if side.total == 0:
            self.settle(g)
            return
        self.gap_allowed += side.total // RAY + 1
        self.deleveragings += 1
        cut = sides.cut_longs if is_long else sides.cut_shorts
        self.put(cut(side, abs(size), debt, g), is_long)
        self.pay(account, debt)  # forgiven, and charged
        if self.side(is_long).scale < sides.A_MIN or self.is_spent():
            self.settle(g)

    def is_spent(self) -> bool:
        totals = [
            sides.effective_total(self.side(is_long), is_long=is_long) for is_long in (True, False)
        ]
        return min(totals) < sides.MIN_SIDE

    def settle(self, g: int) -> None:
        for is_long in (True, False):
            final = sides.settled_credit(self.side(is_long), g, is_long=is_long)
            self.finals[is_long, self.epoch] = final
        self.epoch += 1
        self.long = sides.fresh_side(self.epoch)
        self.short = sides.fresh_side(self.epoch)

    def dust(self, g: int) -> Fraction:
        """Minus all claims at g, exact."""
        live = ended = 0
        for held in self.positions.values():
            if held.scaled and held.epoch != self.epoch:
                ended += sides.ended_value(held, self.finals[held.is_long, held.epoch])
            else:
                live -= held.z
        value = sides.side_value(self.long, g, is_long=True)
        value += sides.side_value(self.short, g, is_long=False)
        return -(Fraction(value, UNIT) + sum(self.cash.values()) + live + ended)

    def values(self, g: int) -> int:
        """Σ V of the live accounts at g, as the risk engine sees them."""
        return sum(
            sides.value_of(held, self.side(held.is_long), g)
            for held in self.positions.values()
            if held.scaled and held.epoch == self.epoch
        )

    def gap(self) -> Fraction:
        """S_eff - L_eff, exact."""
        longs = self.long.total * self.long.scale
        return Fraction(self.short.total * self.short.scale - longs, RAY)


def run(seed: int, steps: int, *, lowest_g: int = -(10**28)) -> tuple[Market, list[int]]:
    """A random history; returns the market and the prices worth checking."""
    rng = random.Random(seed)
    market = Market()
    price = 10 ** rng.randint(6, 26)
    funding = 0
    top = min(2 * 10**27, price * 10)
    scale = 10 ** rng.randint(4, 24)
    for _ in range(steps):
        step(market, rng, price - funding, scale)
        price = max(1, min(10**27, price * rng.randint(70, 140) // 100))
        funding += rng.randint(-price, price) // rng.choice([3, 100, 10**4])
        if rng.random() < 0.05:
            funding = min(price - lowest_g, funding + price * rng.randint(1, 10**4))
    return market, [lowest_g, -top, 0, 1, price - funding, top]


def step(market: Market, rng: random.Random, g: int, scale: int) -> None:
    """One random operation at about g."""
    accounts = range(6)
    kind = rng.random()
    if kind < 0.7:
        maker, taker = rng.sample(accounts, 2)
        size = rng.randint(1, scale) * rng.choice([1, -1])
        if rng.random() < 0.3:
            size = -market.size(maker) or size
        slip = abs(g) // rng.choice([20, 1000, 10**6])
        market.trade(maker, taker, size, g + rng.randint(-slip, slip))
    elif kind < 0.97:
        market.resolve(rng.choice(accounts), g)
    else:
        market.settle(g)
