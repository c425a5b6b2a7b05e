"""Recorded market days, to be replayed: bars up to each moment, and prices every five minutes.

The recordings are files of this package (`oracle/data`, its README tells where they come from).
Hourly mark bars have no order inside them; the walk visits open, low, high, close, so that both
extremes of every hour are prices somebody sees. It never uses a last trade price.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from oracle.feeds.bars import HOUR, Bars, FeedError, load_bars

WAD = 10**18
DAY = 86_400
DATA = Path(__file__).resolve().parent.parent / "data"
SYMBOLS = ("BTC", "ETH")


def _midnight(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())


SPANS: Mapping[str, tuple[int, int]] = {
    "2020-03-12": (_midnight("2020-03-10"), _midnight("2020-03-15")),
    "2021-05-19": (_midnight("2021-05-17"), _midnight("2021-05-22")),
    "2026-02-05": (_midnight("2026-02-03"), _midnight("2026-02-08")),
}
"""First and past-the-last second of each replay, by name."""


@dataclass(frozen=True, eq=False)
class Scenario:
    """One replay and the history a model may be fitted on.

    Attributes:
        name: as in `SPANS`.
        start, end: the replay is start <= t < end, Unix seconds, whole hours.
        mark: per symbol, hourly mark bars from the first recorded to the end of the replay. Windows
            A and B of the recording meet in them: 2025-07 to 2025-12 is a gap.
        traded: per symbol, hourly bars of the perpetual with volume, from 31 days before the
            replay. For depth only: a last trade price drives no margin.
    """

    name: str
    start: int
    end: int
    mark: Mapping[str, Bars]
    traded: Mapping[str, Bars]

    @property
    def symbols(self) -> tuple[str, ...]:
        """The markets, in a fixed order."""
        return tuple(self.mark)

    def steps(self, period: int = 300) -> Iterator[tuple[int, dict[str, int]]]:
        """Every `period` seconds of the replay: the time and each market's price (USD, wad).

        Raises:
            ValueError: `period` does not cut an hour into at least four equal steps.
        """
        if period < 1 or HOUR % period or HOUR // period < 4:
            raise ValueError(f"a period of {period} seconds does not cut an hour into 4 or more.")
        replay = {symbol: bars.between(self.start, self.end) for symbol, bars in self.mark.items()}
        for i in range((self.end - self.start) // HOUR):
            walks = {symbol: walk(bars, i, HOUR // period) for symbol, bars in replay.items()}
            for step in range(HOUR // period):
                time = self.start + i * HOUR + step * period
                yield time, {symbol: prices[step] for symbol, prices in walks.items()}


def load_scenario(name: str) -> Scenario:
    """A recorded scenario by name.

    Raises:
        FeedError: no such scenario, a file is absent or refused, or the replay has a gap.
    """
    if name not in SPANS:
        raise FeedError(f"there is no scenario {name!r}, only {', '.join(SPANS)}.")
    start, end = SPANS[name]
    mark, traded = {}, {}
    for symbol in SYMBOLS:
        mark[symbol] = load_bars(DATA / "mark_1h" / f"{symbol}.csv.gz").before(end)
        traded[symbol] = load_bars(DATA / "perp_1h" / f"{symbol}_{name}.csv.gz").before(end)
        if len(mark[symbol].between(start, end)) * HOUR != end - start:
            raise FeedError(f"{symbol}.csv.gz: a bar of the replay {name} is missing.")
    return Scenario(name, start, end, mark, traded)


def walk(bars: Bars, i: int, count: int) -> list[int]:
    """`count` prices (USD, wad) through bar i: open first, then low, high, and close last.

    Low and high are reached after a third and two thirds of the steps; between the four points the
    price is linear, in integers, truncated toward the earlier point.
    """
    points = [wad(bars.open[i]), wad(bars.low[i]), wad(bars.high[i]), wad(bars.close[i])]
    stops = [0, count // 3, 2 * count // 3, count - 1]
    prices = [points[0]]
    for (a, b), (left, right) in zip(pairwise(points), pairwise(stops), strict=True):
        prices += [_between(a, b, n, right - left) for n in range(1, right - left + 1)]
    return prices


def wad(price: float) -> int:
    """A price as a wad integer: exactly the decimal number the file holds.

    A double of up to 15 digits prints back the decimal it was read from.
    """
    return int(Decimal(repr(float(price))) * WAD)


def _between(a: int, b: int, n: int, of: int) -> int:
    moved = abs(b - a) * n // of
    return a + moved if b >= a else a - moved
