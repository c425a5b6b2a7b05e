"""Draw a synthetic market: N accounts from stated distributions, both sides equal to the wei.

Every draw comes from the generator passed in, so a seed is a market. Real numbers end here: what
leaves is in integers.

Notional is lognormal: position sizes have a heavy right tail, and the median and the spread of the
logarithm say all of it. Leverage is either a table of values and weights, as venues offer whole
multiples, or lognormal inside bounds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from oracle.crisis.accounts import MAX_SIZE, Account, split
from oracle.engine.rounding import mul_div_ceil, mul_div_floor, wad_mul_ceil
from oracle.engine.units import MAX_PRICE, PPM, WAD, Price, Size, Usd
from oracle.feeds.bars import FloatArray

MAX_SIGMA = 5.0
"""Largest spread of a logarithm: one sigma is then a factor of 148."""


def _check(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _check_lognormal(name: str, median: float, sigma: float) -> None:
    _check(0 < median < math.inf, f"{name}: a median is positive, got {median}.")
    _check(0 <= sigma <= MAX_SIGMA, f"{name}: sigma is in [0, {MAX_SIGMA:g}], got {sigma}.")


@dataclass(frozen=True)
class LogNormal:
    """exp(normal): `median`, and `sigma`, the standard deviation of the logarithm.

    Draws outside [low, high] are moved to the bound.
    """

    median: float
    sigma: float
    low: float = 0.0
    high: float = math.inf

    def __post_init__(self) -> None:
        _check_lognormal("lognormal", self.median, self.sigma)
        _check(0 <= self.low <= self.high, f"lognormal: bounds {self.low} to {self.high}.")

    def draw(self, count: int, rng: np.random.Generator) -> FloatArray:
        """(count,) values."""
        draws = self.median * np.exp(self.sigma * rng.standard_normal(count))
        return np.clip(draws, self.low, self.high)


@dataclass(frozen=True)
class Discrete:
    """`values` with probabilities in proportion to `weights`."""

    values: tuple[float, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        _check(
            len(self.values) == len(self.weights) > 0,
            f"discrete: {len(self.values)} values for {len(self.weights)} weights.",
        )
        _check(
            all(0 < value < math.inf for value in self.values),
            f"discrete: values are positive, got {self.values}.",
        )
        _check(
            all(0 <= weight < math.inf for weight in self.weights) and sum(self.weights) > 0,
            f"discrete: weights are at least 0 and not all 0, got {self.weights}.",
        )

    def draw(self, count: int, rng: np.random.Generator) -> FloatArray:
        """(count,) values."""
        chances = np.array(self.weights) / sum(self.weights)
        return rng.choice(np.array(self.values, dtype=np.float64), size=count, p=chances)


@dataclass(frozen=True)
class Crowd:
    """Who is in the market.

    Attributes:
        notional: USD at entry, before the sides are made equal.
        leverage: notional over equity at entry, 1 is no leverage.
        long_share: share of the accounts that are long, strictly between 0 and 1. The sides hold
            the same size all the same: with few longs, each is large.
        entry_sigma: spread of the logarithm of entry prices around the price given. 0 opens every
            position at that price, as a replay on chain in one step must.
    """

    notional: LogNormal = field(default_factory=lambda: LogNormal(5_000.0, 1.5, low=10.0))
    leverage: LogNormal | Discrete = field(
        default_factory=lambda: Discrete(
            (2.0, 3.0, 5.0, 10.0, 15.0, 20.0), (20.0, 20.0, 25.0, 20.0, 10.0, 5.0)
        )
    )
    long_share: float = 0.5
    entry_sigma: float = 0.0

    def __post_init__(self) -> None:
        _check(0 < self.long_share < 1, f"long_share is in (0, 1), got {self.long_share}.")
        _check_lognormal("entry", 1.0, self.entry_sigma)


def draw_accounts(
    crowd: Crowd, count: int, price: int, market: str, rng: np.random.Generator
) -> list[Account]:
    """`count` accounts of one market around a price [USD wad], in random order of sides.

    round(long_share·count) are long, at least one on each side. Sizes keep their proportions inside
    a side, and each side is scaled to half of what both drew, so long size = short size in wei.
    Equity is rounded up: nobody has more leverage than drawn.

    Raises:
        ValueError: fewer than two accounts, a price out of range or so low that sizes are too
            large, or distributions so extreme that an account is left with no size.
    """
    _check(count >= 2, f"a market has at least 2 accounts, got {count}.")
    _check(0 < price <= MAX_PRICE, f"a price is in (0, 1e9] USD, got {price} wad.")
    sides = _draw_sides(crowd, count, rng)
    entries = [_wad(x, price) for x in LogNormal(1.0, crowd.entry_sigma).draw(count, rng)]
    _check(max(entries) <= MAX_PRICE, "entry prices: a draw is above 1e9 USD; lower entry_sigma.")
    notionals = [_wad(x, WAD) for x in crowd.notional.draw(count, rng)]
    leverages = [round(float(x) * PPM) for x in crowd.leverage.draw(count, rng)]
    _check(min(*entries, *leverages) > 0, "a draw of entry price or leverage is 0.")
    drawn = [mul_div_floor(n, WAD, entry) for n, entry in zip(notionals, entries, strict=True)]
    sizes = _balance(drawn, sides)
    _check(min(sizes) > 0, "an account is left with no size; lower the spread of notional.")
    _check(sum(drawn) // 2 < MAX_SIZE, "at that price a side is 2^111 wei or more of its asset.")
    return [
        Account(
            market=market,
            is_long=sides[i],
            size=Size(sizes[i]),
            entry=Price(entries[i]),
            equity=Usd(mul_div_ceil(wad_mul_ceil(sizes[i], entries[i]), PPM, leverages[i])),
            leverage=leverages[i],
        )
        for i in range(count)
    ]


def _draw_sides(crowd: Crowd, count: int, rng: np.random.Generator) -> list[bool]:
    longs = min(max(round(crowd.long_share * count), 1), count - 1)
    sides = np.arange(count) < longs
    return [bool(side) for side in rng.permutation(sides)]


def _wad(x: float, unit: int) -> int:
    """x units, exact from the float on: a float is a fraction."""
    numerator, denominator = float(x).as_integer_ratio()
    return mul_div_floor(numerator, unit, denominator)


def _balance(sizes: Sequence[int], sides: Sequence[bool]) -> list[int]:
    """Both sides scaled to the same total, proportions inside a side kept."""
    each = sum(sizes) // 2
    balanced = [0] * len(sizes)
    for is_long in (True, False):
        members = [i for i, side in enumerate(sides) if side == is_long]
        if sum(sizes[i] for i in members) == 0:
            continue
        for i, size in zip(members, split(each, [sizes[i] for i in members]), strict=True):
            balanced[i] = size
    return balanced
