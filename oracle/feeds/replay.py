"""Recorded bars as a live source: what was known at a moment, and nothing later."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from oracle.feeds.bars import Bars
from oracle.feeds.errors import FeedError
from oracle.feeds.quotes import Quote, to_wad


class Replay:
    """Prices and bars of recorded markets."""

    def __init__(self, name: str, bars: Mapping[str, Bars]) -> None:
        """
        Args:
            name: of the source.
            bars: per symbol.
        """
        self._name = name
        self._bars = bars

    def latest(self, symbol: str, now: int) -> Quote:
        """The close of the last bar that was complete at `now`, observed when it closed.

        Raises:
            FeedError: no such symbol, or no bar that early.
        """
        bars = self._of(symbol)
        i = int(np.searchsorted(bars.ts, now - bars.period, side="right")) - 1
        if i < 0:
            raise FeedError(f"{self._name}: {symbol} has no bar complete at {now}.")
        price = to_wad(float(bars.close[i]), self._name, f"{symbol} close")
        return Quote(self._name, symbol, price, int(bars.ts[i]) + bars.period)

    def bars(self, symbol: str, period: int, start: int, end: int) -> Bars:
        """Complete bars with start <= ts and ts + period <= end.

        Raises:
            FeedError: no such symbol, or another period.
        """
        bars = self._of(symbol)
        if bars.period != period:
            raise FeedError(
                f"{self._name}: {symbol} has bars of {bars.period} seconds, not {period}."
            )
        return bars.before(end).between(start, end)

    def _of(self, symbol: str) -> Bars:
        if symbol not in self._bars:
            raise FeedError(f"{self._name}: there is no market {symbol}.")
        return self._bars[symbol]
