"""Whether an improvement is more than luck: block bootstrap over dates.

Costs of neighbouring days belong together and markets move together, so what is drawn with
replacement are blocks of whole days, all markets at once (Künsch, "The jackknife and the bootstrap
for general stationary observations", Annals of Statistics 17, 1989; blocks wrap around the end, as
in Politis and Romano, 1992).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from oracle.feeds.bars import FloatArray, IntArray
from oracle.optimise.objective import Outcome, Prepared, within

DAY = 86_400
BLOCK_DAYS = 10
DRAWS = 2000


@dataclass(frozen=True)
class Improvement:
    """Mean fall of J and its 95 % interval; `accepted` when the whole interval is a fall."""

    mean: float
    low: float
    high: float
    days: int

    @property
    def accepted(self) -> bool:
        """Whether the interval excludes zero on the good side."""
        return self.low > 0.0


def improvement(
    markets: Sequence[Prepared],
    ours: Sequence[Outcome],
    theirs: Sequence[Outcome],
    span: range,
    rng: np.random.Generator,
) -> Improvement:
    """How much cheaper `ours` is than `theirs` on the days of `span`.

    Raises:
        ValueError: no day with a window of both.
    """
    days, falls = daily_falls(markets, ours, theirs, span)
    if not days.size:
        raise ValueError("there is no day on which both settings have a margin.")
    means = block_means(falls, BLOCK_DAYS, DRAWS, rng)
    low, high = np.quantile(means, [0.025, 0.975])
    return Improvement(float(np.mean(falls)), float(low), float(high), int(days.size))


def daily_falls(
    markets: Sequence[Prepared],
    ours: Sequence[Outcome],
    theirs: Sequence[Outcome],
    span: range,
) -> tuple[IntArray, FloatArray]:
    """Days with a window, and the mean fall of J over the windows that open on each."""
    days, falls = [], []
    for market, one, other in zip(markets, ours, theirs, strict=True):
        inside = within(market, one, span) & within(market, other, span)
        days.append(market.ts[inside] // DAY)
        falls.append(other.cost[inside] - one.cost[inside])
    every, place = np.unique(np.concatenate(days), return_inverse=True)
    totals = np.bincount(place, weights=np.concatenate(falls))
    return every, totals / np.maximum(np.bincount(place), 1)


def block_means(values: FloatArray, block: int, draws: int, rng: np.random.Generator) -> FloatArray:
    """(draws,) means of series put together from circular blocks of `block` neighbours."""
    size = values.size
    block = min(block, size)
    blocks = -(-size // block)
    starts = rng.integers(size, size=(draws, blocks))
    places = (starts[:, :, None] + np.arange(block)) % size
    drawn = values[places.reshape(draws, -1)[:, :size]]
    means: FloatArray = drawn.mean(axis=1)
    return means
