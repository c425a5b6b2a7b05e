"""The one thing that goes wrong: for a while no price report reaches the chain.

With reports every five minutes and a liquidator awake, hardly an account of these replays falls
from its maintenance margin through zero: that is what the margin is for. So that the end of the
waterfall is seen too, the demo silences the keeper once, by the same rule in every scenario: **for
the shortest time that makes prices unknown, and in which some price falls below the lowest so far
by a third more than its margin covered at the beginning.** Whoever was weaker is gone by then. On
12 March 2020 twenty minutes are enough (and feeds did lag that day, when the chain they wrote to
was congested); in February 2026 it takes hours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

FACTOR: Final = 4 / 3


@dataclass(frozen=True)
class Silence:
    """Steps first < i < until have no report; the first one after is at `until`."""

    first: int
    until: int
    symbol: str
    fall: float  # below the lowest price so far, when accounts may be acted on again
    margin: float  # maintenance rate at the beginning

    def covers(self, step: int) -> bool:
        """Whether the keeper is silent."""
        return self.first < step < self.until


def worst_silence(
    prices: Mapping[str, Sequence[int]],
    rates: Mapping[str, Sequence[float]],
    *,
    least: int,
    grace: int,
    factor: float = FACTOR,
) -> Silence | None:
    """The shortest silence that the margin of some market does not cover `factor` times.

    Of several equally long ones that with the largest fall in terms of margin.

    Args:
        prices: by symbol, at each step.
        rates: by symbol, the maintenance rate at each step.
        least: steps after which a price counts as unknown.
        grace: steps after the first report in which nobody is liquidated.
    """
    count = len(next(iter(prices.values())))
    for length in range(least, count - grace):
        silence = max(
            (_worst(symbol, prices[symbol], rates[symbol], length, grace) for symbol in prices),
            key=lambda silence: silence.fall / silence.margin,
        )
        if silence.fall >= factor * silence.margin:
            return silence
    return None


def _worst(
    symbol: str, prices: Sequence[int], rates: Sequence[float], length: int, grace: int
) -> Silence:
    # Of two reports beyond the move guard, the engine takes the nearer.
    pairs = zip(prices[length + grace - 1 :], prices[length + grace :], strict=False)
    lowest = accumulate(prices, min)
    falls = [1.0 - max(pair) / before for before, pair in zip(lowest, pairs, strict=False)]
    first = max(range(len(falls)), key=lambda i: falls[i] / rates[i])
    return Silence(first, first + length, symbol, falls[first], rates[first])
