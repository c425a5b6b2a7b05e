"""Hourly bars of one symbol: recorded ones, and live ones that are recorded as they come.

A folder has ``mark_1h/SYMBOL.csv`` and ``perp_1h/SYMBOL.csv`` as `oracle.feeds.folder` reads them.
What came live is beside them in ``SYMBOL.live.csv``, so that `oracle verify` finds in one folder
all that numbers were made from. A bar that was used once is never changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from oracle.daemon.files import replace_file
from oracle.feeds.bars import HOUR, PRICES, Bars, read_bars
from oracle.feeds.errors import FeedError
from oracle.feeds.folder import discover
from oracle.feeds.table import SUFFIXES, BoolArray, FloatArray

FOLDERS: Final = {"mark": "mark_1h", "perp": "perp_1h"}
AGAIN: Final = 24  # hours in which a hole may still be filled by a venue that was away
Fetch = Callable[[int, int], Bars]
"""Complete bars with start <= ts < end, as far as they are to be had."""


class LiveBars:
    """One kind of bars of one symbol; see `open_bars`."""

    def __init__(self, path: Path, known: Bars | None, recorded_until: int, fetch: Fetch) -> None:
        """
        Args:
            path: of what came live.
            known: of earlier, from files.
            recorded_until: time of the last bar that is not in `path`; -1 without one.
        """
        self._path = path
        self._known = known
        self._recorded_until = recorded_until
        self._fetch = fetch
        self._was_filled = False

    def until(self, hour: int, count: int) -> Bars:
        """What is known; asked for first where the last `count` hours before `hour` lack some.

        Raises:
            FeedError: there is nothing.
        """
        start = self._first_missing(hour, AGAIN if self._was_filled else count)
        if start is not None:
            self._add(self._fetch(start, hour))
            self._was_filled = True
        if self._known is None or not len(self._known):
            raise FeedError(f"{self._path.name}: there are no bars before {hour}.")
        return self._known

    def _first_missing(self, hour: int, count: int) -> int | None:
        first = max(hour - count * HOUR, self._recorded_until + 1)
        wanted = np.arange(-(-first // HOUR) * HOUR, hour, HOUR)
        missing = wanted if self._known is None else np.setdiff1d(wanted, self._known.ts)
        return int(missing[0]) if missing.size else None

    def _add(self, bars: Bars) -> None:
        """Hours that are not known; what was recorded first stands."""
        new = bars.ts > self._recorded_until
        if self._known is not None:
            new &= ~np.isin(bars.ts, self._known.ts)
        if new.any():
            self._known = joined(self._known, bars, new)
            self._record(self._known)

    def _record(self, bars: Bars) -> None:
        live = bars.between(self._recorded_until + 1, 2**62)
        names = (*PRICES, *(["volume"] if live.volume is not None else []))
        columns = [getattr(live, name).tolist() for name in names]
        rows = [
            ",".join([str(ts), *(repr(value) for value in row)])
            for ts, *row in zip(live.ts.tolist(), *columns, strict=True)
        ]
        replace_file(self._path, "\n".join([",".join(["ts", *names]), *rows, ""]))


def joined(known: Bars | None, bars: Bars, new: BoolArray) -> Bars:
    """`known` with the bars that are `new`, in order of time; with volume where `known` has it."""
    has_volume = bars.volume is not None if known is None else known.volume is not None
    parts = [(bars, new)]
    if known is not None:
        parts.insert(0, (known, np.ones(len(known), dtype=np.bool_)))
    order = np.argsort(np.concatenate([part.ts[chosen] for part, chosen in parts]))

    def column(name: str) -> FloatArray:
        values = [
            np.zeros(int(chosen.sum())) if found is None else found[chosen]
            for part, chosen in parts
            for found in [getattr(part, name)]
        ]
        return np.asarray(np.concatenate(values)[order])

    times = np.concatenate([part.ts[chosen] for part, chosen in parts])[order]
    volume = column("volume") if has_volume else None
    opens, high, low, close = (column(name) for name in PRICES)
    return Bars(times, opens, high, low, close, volume, bars.period)


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
            recorded = known
            if known is not None and path.exists():
                recorded = known.between(0, int(read_bars(path, HOUR).ts[0]))
            until = int(recorded.ts[-1]) if recorded is not None and len(recorded) else -1
            found[symbol, kind] = LiveBars(path, known, until, fetch(symbol, kind))
    return found
