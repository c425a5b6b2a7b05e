"""What getting out costs: time by size, the square-root law, and what a real book says.

Time: ``tau(Q) = tau0 + Q / (pi * V)`` where V is traded under stress and pi <= 5 % of it may be
ours. Price: ``Y * sigma_day * sqrt(Q / V_day)`` (Toth et al., Physical Review X 1, 2011; Almgren et
al., "Direct estimation of equity market impact", Risk 18, 2005). A book answers exactly, for its
moment: `sell_through` walks its levels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from oracle.feeds.bars import FloatArray

PPM = 1_000_000
MAX_PARTICIPATION = 0.05
REFERENCE_BPS = 50.0


@dataclass(frozen=True)
class Fill:
    """One side of a book swept.

    Attributes:
        filled: base units done; less than asked where the book ends.
        value: USD paid or received.
        average: USD per base unit; NaN where nothing was done.
        worst: price of the last level touched.
        cost: fraction of the mid price lost, ``|average/mid - 1|``.
    """

    filled: float
    value: float
    average: float
    worst: float
    cost: float


@dataclass(frozen=True, eq=False)
class Book:
    """An order book: prices USD, quantities in base units, best first, all positive.

    Raises:
        ValueError: an empty side, a level that is not positive and finite, prices out of order, or
            a bid at or above the ask.
    """

    bid_prices: FloatArray
    bid_sizes: FloatArray
    ask_prices: FloatArray
    ask_sizes: FloatArray

    def __post_init__(self) -> None:
        for name, prices, sizes in (
            ("bid", self.bid_prices, self.bid_sizes),
            ("ask", self.ask_prices, self.ask_sizes),
        ):
            if not prices.size or prices.shape != sizes.shape:
                raise ValueError(f"the {name} side has {prices.size} prices, {sizes.size} sizes.")
            levels = np.concatenate([prices, sizes])
            if not (np.isfinite(levels) & (levels > 0.0)).all():
                raise ValueError(f"the {name} side has a level that is no positive number.")
            steps = np.diff(prices)
            if not ((steps < 0.0) if name == "bid" else (steps > 0.0)).all():
                raise ValueError(f"the {name} side is not ordered from its best price.")
        if self.bid_prices[0] >= self.ask_prices[0]:
            raise ValueError(
                f"the book is crossed: bid {self.bid_prices[0]}, ask {self.ask_prices[0]}."
            )

    @property
    def mid(self) -> float:
        """USD per base unit."""
        return 0.5 * float(self.bid_prices[0] + self.ask_prices[0])


def sell_through(book: Book, quantity: float) -> Fill:
    """Sell `quantity` base units into the bids."""
    return _sweep(book.bid_prices, book.bid_sizes, quantity, book.mid)


def buy_through(book: Book, quantity: float) -> Fill:
    """Buy `quantity` base units from the asks."""
    return _sweep(book.ask_prices, book.ask_sizes, quantity, book.mid)


def sell_through_reference(book: Book, quantity: float) -> tuple[float, float]:
    """(filled, value) of `sell_through`, level by level. For tests."""
    left, value = quantity, 0.0
    for price, size in zip(book.bid_prices.tolist(), book.bid_sizes.tolist(), strict=True):
        taken = min(left, size)
        value += taken * price
        left -= taken
    return quantity - left, value


def depth_within(book: Book, bps: float = REFERENCE_BPS) -> tuple[float, float]:
    """USD resting within `bps` of the mid: (bids, asks).

    A book of few levels may end before; what is not shown does not count.
    """
    reach = bps * 1e-4 * book.mid
    bids = book.bid_prices >= book.mid - reach
    asks = book.ask_prices <= book.mid + reach
    return (
        float(np.sum(book.bid_prices[bids] * book.bid_sizes[bids])),
        float(np.sum(book.ask_prices[asks] * book.ask_sizes[asks])),
    )


def depth_ppm(depths: FloatArray, reference: float) -> int:
    """Depth in ppm of a reference, from recent measurements, rounded down, at most 1e6.

    Args:
        depths: (k,) USD, the smaller side of each recent book; their median counts, so that one
            book that blinked does not.
        reference: USD at depth 1.

    Raises:
        ValueError: nothing measured, a negative or infinite depth, or no positive reference.
    """
    if not depths.size or not (np.isfinite(depths) & (depths >= 0.0)).all() or not reference > 0.0:
        raise ValueError("depth needs measurements that are no less than 0 and a reference above.")
    return math.floor(min(1.0, float(np.median(depths)) / reference) * PPM)


def hours_to_close(
    notional: float, volume_per_hour: float, tau0: float = 1.0, participation: float = 0.05
) -> float:
    """tau(Q) in hours: `tau0` to notice and liquidate, then `participation` of the volume.

    Raises:
        ValueError: a negative size, no volume, or a participation outside (0, 5 %].
    """
    sizes = notional >= 0.0 and volume_per_hour > 0.0 and tau0 >= 0.0
    if not sizes or not 0.0 < participation <= MAX_PARTICIPATION:
        raise ValueError(
            f"no horizon for {notional} USD at {participation:g} of {volume_per_hour} USD an hour."
        )
    return tau0 + notional / (participation * volume_per_hour)


def square_root_impact(
    notional: float, volume_per_day: float, sigma_day: float, prefactor: float = 1.0
) -> float:
    """Fraction of notional lost to moving the market.

    Raises:
        ValueError: a negative size or volatility, or no volume.
    """
    if not (notional >= 0.0 and volume_per_day > 0.0 and sigma_day >= 0.0):
        raise ValueError(f"no impact of {notional} USD in {volume_per_day} USD a day.")
    return prefactor * sigma_day * math.sqrt(notional / volume_per_day)


def implied_prefactor(fill: Fill, volume_per_day: float, sigma_day: float) -> float:
    """Y at which the square-root law costs what this sweep of a book did: a check on the law.

    Raises:
        ValueError: nothing was done, or no volume or volatility.
    """
    if not (fill.value > 0.0 and volume_per_day > 0.0 and sigma_day > 0.0):
        raise ValueError("a prefactor needs a fill, a volume and a volatility.")
    return fill.cost / (sigma_day * math.sqrt(fill.value / volume_per_day))


def adjusted_volume(volume_per_hour: float, depth: float) -> float:
    """V under stress: traded volume times the depth that is left, as a fraction of the reference.

    Volume triples in a crash while books empty; only their product is liquidity.

    Raises:
        ValueError: no volume, or a depth outside (0, 1].
    """
    if not volume_per_hour > 0.0 or not 0.0 < depth <= 1.0:
        raise ValueError(f"no volume left of {volume_per_hour} at depth {depth}.")
    return volume_per_hour * depth


def _sweep(prices: FloatArray, sizes: FloatArray, quantity: float, mid: float) -> Fill:
    if not (quantity >= 0.0 and math.isfinite(quantity)):
        raise ValueError(f"a quantity is at least 0, got {quantity}.")
    before = np.concatenate([[0.0], np.cumsum(sizes)[:-1]])
    taken = np.clip(quantity - before, 0.0, sizes)
    filled, value = float(np.sum(taken)), float(taken @ prices)
    if filled == 0.0:
        return Fill(0.0, 0.0, math.nan, float(prices[0]), 0.0)
    average = value / filled
    worst = float(prices[int(np.flatnonzero(taken)[-1])])
    return Fill(filled, value, average, worst, abs(average / mid - 1.0))
