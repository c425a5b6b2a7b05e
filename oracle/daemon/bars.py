"""Hourly bars of one symbol: recorded ones, and live ones that are recorded as they come.

A folder has ``mark_1h/SYMBOL.csv`` and ``perp_1h/SYMBOL.csv`` as `oracle.feeds.folder` reads them.
What came live is beside them in ``SYMBOL.live.csv``, so that `oracle verify` finds in one folder
all that numbers were made from. A bar that was used once is never changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from oracle.daemon.files import replace_file
from oracle.feeds.bars import HOUR, PRICES, Bars, concat, read_bars
from oracle.feeds.errors import FeedError
from oracle.feeds.folder import discover
from oracle.feeds.table import SUFFIXES

FOLDERS: Final = {"mark": "mark_1h", "perp": "perp_1h"}
Fetch = Callable[[int, int], Bars]
"""Complete bars with start <= ts < end, as far as they are to be had."""


class LiveBars:
    """One kind of bars of one symbol; see `open_bars`."""

    def __init__(self, path: Path, recorded: Bars | None, live: Bars | None, fetch: Fetch) -> None:
        """
        Args:
            path: of what came live.
            recorded: of earlier, from other files.
        """
        self._path = path
        self._recorded = recorded
        self._live = live
        self._fetch = fetch

    def until(self, hour: int, count: int) -> Bars:
        """What is known; of the last `count` hours before `hour`, those after the last known bar
        are asked for first.

        Bars are only ever added at the end, so that what an earlier push was made from stays as it
        was. An hour that venues do not agree on when a later one is used remains a gap.

        Raises:
            FeedError: there is nothing.
        """
        known = _last(self._live) or _last(self._recorded)
        start = hour - count * HOUR if known is None else max(known, hour - count * HOUR)
        if start < hour:
            self._add(self._fetch(start, hour))
        parts = [bars for bars in (self._recorded, self._live) if bars is not None and len(bars)]
        if not parts:
            raise FeedError(f"{self._path.name}: there are no bars before {hour}.")
        return parts[0] if len(parts) == 1 else concat(*parts)

    def _add(self, bars: Bars) -> None:
        if len(bars):
            # One form in all files of a market, or their windows could not be joined.
            if self._recorded is not None and self._recorded.volume is not None:
                bars = bars if bars.volume is not None else replace(bars, volume=0.0 * bars.close)
            self._live = bars if self._live is None else concat(self._live, bars)
            self._record(self._live)

    def _record(self, live: Bars) -> None:
        names = (*PRICES, *(["volume"] if live.volume is not None else []))
        columns = [getattr(live, name).tolist() for name in names]
        rows = [
            ",".join([str(ts), *(repr(value) for value in row)])
            for ts, *row in zip(live.ts.tolist(), *columns, strict=True)
        ]
        replace_file(self._path, "\n".join([",".join(["ts", *names]), *rows, ""]))


def _last(bars: Bars | None) -> int | None:
    """[s] when the last bar ended."""
    return int(bars.ts[-1]) + bars.period if bars is not None and len(bars) else None


def open_bars(
    folder: Path, symbols: Sequence[str], fetch: Callable[[str, str], Fetch]
) -> dict[tuple[str, str], LiveBars]:
    """Of each symbol and kind, mark and perp, with what the folder has of it.

    Args:
        fetch: of a symbol and a kind.

    Raises:
        FeedError: a file that cannot be used, naming file and row.
    """
    places = [folder / name for name in FOLDERS.values()]
    files = [f for place in places if place.is_dir() for f in place.iterdir()]
    markets = discover(folder) if any(f.name.endswith(SUFFIXES) for f in files) else {}
    found = {}
    for symbol in symbols:
        for kind, name in FOLDERS.items():
            path = folder / name / f"{symbol}.live.csv"
            known = markets[symbol].bars.get((kind, HOUR)) if symbol in markets else None
            live = read_bars(path, HOUR) if path.exists() else None
            if known is not None and live is not None:
                known = known.between(0, int(live.ts[0]))
            found[symbol, kind] = LiveBars(path, known, live, fetch(symbol, kind))
    return found
