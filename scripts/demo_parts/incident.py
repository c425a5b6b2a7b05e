"""The one thing that goes wrong: for a while no price report reaches the chain.

With reports every five minutes and a liquidator awake, no account of these replays falls from its
maintenance margin through zero: that is what the margin is for. So that the end of the waterfall is
seen too, the demo silences the keeper once, by the same rule in every scenario: **over the shortest
time in which some price falls by one and a half times what its margin then covered**. On 12 March
2020 that takes minutes (and feeds did lag that day, when the chain they wrote to was congested); in
February 2026 it takes hours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

FACTOR: Final = 1.5


@dataclass(frozen=True)
class Silence:
    """Steps first < i < until have no report: prices known at `first` are next known at `until`."""

    first: int
    until: int
    symbol: str
    fall: float  # share of the price
    margin: float  # maintenance rate at the beginning

    def covers(self, step: int) -> bool:
        """Whether the keeper is silent."""
        return self.first < step < self.until


def worst_silence(
    prices: Mapping[str, Sequence[int]],
    rates: Mapping[str, Sequence[float]],
    factor: float = FACTOR,
) -> Silence | None:
    """The shortest silence that the margin of some market does not cover `factor` times.

    Of several equally long ones that with the largest fall in terms of margin.

    Args:
        prices: by symbol, at each step.
        rates: by symbol, the maintenance rate at each step.
    """
    count = len(next(iter(prices.values())))
    for length in range(2, count):
        silence = max(
            (_worst(symbol, prices[symbol], rates[symbol], length) for symbol in prices),
            key=lambda silence: silence.fall / silence.margin,
        )
        if silence.fall >= factor * silence.margin:
            return silence
    return None


def _worst(symbol: str, prices: Sequence[int], rates: Sequence[float], length: int) -> Silence:
    falls = [1.0 - after / before for before, after in zip(prices, prices[length:], strict=False)]
    first = max(range(len(falls)), key=lambda i: falls[i] / rates[i])
    return Silence(first, first + length, symbol, falls[first], rates[first])
