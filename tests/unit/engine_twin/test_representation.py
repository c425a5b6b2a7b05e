"""Funding kept as an index F with `credit` equals FORMULAS 1 with K, in rational numbers.

Two models of one market run side by side through random opens, closes, funding, deleveragings with
charges, and settlements: `Direct` writes K at every funding, as FORMULAS 1 does, `Indexed` writes
nothing and looks at g = P - F. Every value, size and payment is equal, exactly. The integer model
is then compared with `Indexed`: it never lies more than the stated roundings away.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from fractions import Fraction

from oracle.engine import sides

from .market_model import Market

LONG, SHORT = 1, -1


@dataclass
class Direct:
    """FORMULAS 1 without rounding: cumulative K, moved by funding."""

    a: dict[int, Fraction] = field(default_factory=lambda: {LONG: Fraction(1), SHORT: Fraction(1)})
    k: dict[int, Fraction] = field(default_factory=lambda: {LONG: Fraction(0), SHORT: Fraction(0)})
    total: dict[int, Fraction] = field(
        default_factory=lambda: {LONG: Fraction(0), SHORT: Fraction(0)}
    )
    held: dict[tuple[int, int], tuple[Fraction, Fraction]] = field(default_factory=dict)

    def index(self, side: int, price: Fraction) -> Fraction:
        return self.k[side] + side * self.a[side] * price

    def value(self, account: int, side: int, price: Fraction) -> Fraction:
        scaled, z = self.held.get((account, side), (Fraction(0), Fraction(0)))
        return scaled * self.index(side, price) - z

    def size(self, account: int, side: int) -> Fraction:
        return self.held.get((account, side), (Fraction(0), Fraction(0)))[0] * self.a[side]

    def open(self, account: int, side: int, size: Fraction, price: Fraction) -> None:
        scaled, z = self.held.get((account, side), (Fraction(0), Fraction(0)))
        added = size / self.a[side]
        z += added * self.k[side] + side * size * price
        self.held[account, side] = (scaled + added, z)
        self.total[side] += added

    def close(self, account: int, side: int, size: Fraction, price: Fraction) -> Fraction:
        scaled, z = self.held[account, side]
        removed = size / self.a[side]
        left = z * (scaled - removed) / scaled
        self.held[account, side] = (scaled - removed, left)
        self.total[side] -= removed
        return removed * self.k[side] + side * size * price - (z - left)

    def fund(self, amount: Fraction) -> None:
        """Longs pay `amount` per base unit; the receivers get what the payers paid."""
        if not self.total[LONG] or not self.total[SHORT]:
            return
        payer = LONG if amount > 0 else SHORT
        paid = self.a[payer] * abs(amount)
        self.k[payer] -= paid
        self.k[-payer] += self.total[payer] * paid / self.total[-payer]

    def cut(self, side: int, size: Fraction, charge: Fraction, price: Fraction) -> None:
        """A leg of the other side was closed at `price`."""
        self.k[side] -= (-side * size * price + charge) / self.total[side]
        self.a[side] -= size / self.total[side]


class Indexed(Direct):
    """The same with K split into credit and -side·A·F: funding moves only F."""

    def __init__(self) -> None:
        super().__init__()
        self.funding = Fraction(0)

    def fund(self, amount: Fraction) -> None:
        if self.total[LONG] and self.total[SHORT]:
            self.funding += amount

    def value(self, account: int, side: int, price: Fraction) -> Fraction:
        return super().value(account, side, price - self.funding)

    def open(self, account: int, side: int, size: Fraction, price: Fraction) -> None:
        super().open(account, side, size, price - self.funding)

    def close(self, account: int, side: int, size: Fraction, price: Fraction) -> Fraction:
        return super().close(account, side, size, price - self.funding)

    def cut(self, side: int, size: Fraction, charge: Fraction, price: Fraction) -> None:
        super().cut(side, size, charge, price - self.funding)


def random_fraction(rng: random.Random) -> Fraction:
    return Fraction(rng.randint(1, 10**6), rng.randint(1, 10**3))


def test_indexed_funding__random_histories__equals_formulas_1_exactly() -> None:
    cuts = 0
    for seed in range(300):
        rng = random.Random(seed)
        direct, indexed = Direct(), Indexed()
        for _ in range(25):
            cuts += advance(rng, direct, indexed)
        price = random_fraction(rng)
        for account in range(5):
            for side in (LONG, SHORT):
                assert direct.size(account, side) == indexed.size(account, side)
                value = direct.value(account, side, price)
                assert value == indexed.value(account, side, price)
        for side in (LONG, SHORT):
            credit = direct.k[side] + side * direct.a[side] * indexed.funding
            assert indexed.k[side] == credit
    assert cuts > 500


def advance(rng: random.Random, direct: Direct, indexed: Indexed) -> int:
    """The same random operation on both; returns 1 for a deleveraging."""
    price, size = random_fraction(rng), random_fraction(rng)
    kind = rng.random()
    if kind < 0.45:
        for side in (LONG, SHORT):
            account = rng.randrange(5)
            direct.open(account, side, size, price)
            indexed.open(account, side, size, price)
        return 0
    if kind < 0.6:
        amount = random_fraction(rng) * rng.choice([1, -1])
        direct.fund(amount)
        indexed.fund(amount)
        return 0
    side = rng.choice([LONG, SHORT])
    holders = [a for a in range(5) if direct.size(a, side) > 0]
    if not holders:
        return 0
    account = rng.choice(holders)
    size = direct.size(account, side) * Fraction(rng.randint(1, 4), 5)
    assert direct.close(account, side, size, price) == indexed.close(account, side, size, price)
    charge = random_fraction(rng) if kind > 0.8 else Fraction(0)
    direct.cut(-side, size, charge, price)
    indexed.cut(-side, size, charge, price)
    return 1


def test_integer_model__random_histories__lies_within_its_roundings() -> None:
    """The integers follow the rational numbers: apart by dust per operation, not by drift."""
    for seed in range(150):
        rng = random.Random(seed)
        market, exact = Market(), Indexed()
        price = 100 * 10**18
        for account, other in ((0, 1), (2, 3), (0, 3), (2, 1)):
            size = rng.randint(10**18, 10**21)
            market.trade(account, other, size, price)
            exact.open(account, LONG, Fraction(size), Fraction(price))
            exact.open(other, SHORT, Fraction(size), Fraction(price))
        funding = 0
        for _ in range(6):
            funding += rng.randint(-(10**18), 10**18)
            exact.funding = Fraction(funding)
            g = price - funding
            side, victim, helper = rng.choice([(LONG, 0, 4), (SHORT, 1, 5)])
            size = abs(market.size(victim)) // rng.randint(2, 5)
            # The victim hands part of its leg to a helper, who is closed and the other side cut.
            market.trade(helper, victim, side * size, g)
            exact.close(victim, side, Fraction(size), Fraction(price))
            exact.open(helper, side, Fraction(size), Fraction(price))
            market.resolve(helper, g)
            exact.close(helper, side, exact.size(helper, side), Fraction(price))
            exact.cut(-side, Fraction(size), Fraction(0), Fraction(price))
        for account, side in ((0, LONG), (2, LONG), (1, SHORT), (3, SHORT)):
            held = market.positions[account]
            value = sides.value_of(held, market.side(side == LONG), price - funding)
            expected = exact.value(account, side, Fraction(price)) / 10**18
            # Each of ~15 operations on a cut side costs at most its reserve and the gap it opened.
            assert abs(value - expected) <= 40 * sides.GAP_RESERVE
            assert abs(market.size(account) - side * exact.size(account, side)) <= 40
