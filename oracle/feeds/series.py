"""Recorded series of one number each: funding rates, open interest, implied-volatility index.

Files are csv, csv.gz or parquet, with a time column (``ts``, ``ts_ms`` or ``date``) and one of

- ``rate`` or ``funding_rate``: fraction of the notional that longs paid shorts at ``ts``, for the
  time since the print before (8 h on most venues, 1 h on some);
- ``oi_usd``: open interest, USD;
- ``dvol``: a volatility index, in points (percent a year), handed out as a fraction.

A file may hold many series: then ``venue``, ``coin`` (or both) tell its rows apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from oracle.feeds.errors import FeedError
from oracle.feeds.table import FloatArray, IntArray, Table, read_table

MAX_FUNDING = 0.1
"""Largest funding rate of one print. Venues cap at .003 to .04."""
MAX_OPEN_INTEREST = 1e13
MAX_POINTS = 1000.0


@dataclass(frozen=True)
class Kind:
    """What a column holds: its bounds, and what one unit of it is handed out as."""

    name: str
    low: float
    high: float
    scale: float = 1.0
    positive: bool = False


KINDS: Mapping[str, Kind] = {
    "rate": Kind("funding", -MAX_FUNDING, MAX_FUNDING),
    "funding_rate": Kind("funding", -MAX_FUNDING, MAX_FUNDING),
    "oi_usd": Kind("open_interest", 0.0, MAX_OPEN_INTEREST, positive=True),
    "dvol": Kind("implied", 0.0, MAX_POINTS, scale=0.01, positive=True),
}
"""By column name."""


@dataclass(frozen=True, eq=False)
class Series:
    """n values, oldest first. Arrays have shape (n,) and are read-only.

    Attributes:
        ts: Unix seconds, strictly increasing.
        value: finite.
    """

    ts: IntArray
    value: FloatArray

    def __post_init__(self) -> None:
        for name in ("ts", "value"):
            view = getattr(self, name).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    def __len__(self) -> int:
        return int(self.ts.size)

    def before(self, time: int) -> Series:
        """What was known at `time`: values with ts <= time. No look-ahead."""
        stop = int(np.searchsorted(self.ts, time, side="right"))
        return Series(self.ts[:stop], self.value[:stop])

    def between(self, start: int, end: int) -> Series:
        """Values with start <= ts < end."""
        first, last = np.searchsorted(self.ts, [start, end], side="left")
        return Series(self.ts[first:last], self.value[first:last])


def load_series(path: Path, now: int | None = None) -> Series:
    """The one series of a file.

    Raises:
        FeedError: as `series_of`; the file holds several series.
    """
    found = series_of(read_table(path), now)
    if len(found) > 1:
        raise FeedError(f"{path.name}: the file holds {len(found)} series, not one.")
    return next(iter(found.values()))


def series_of(table: Table, now: int | None = None) -> dict[tuple[str, ...], Series]:
    """The series of a table, by (venue,), (coin,) or (venue, coin); a lone one has the key ().

    Raises:
        FeedError: no column of `KINDS`, or several; a value that is no number, NaN, infinite or
            out of range; a time that repeats or goes back within a series, or is after `now`.
    """
    column = column_of(table)
    keys = [name for name in ("venue", "coin") if name in table]
    if not keys:
        return {(): _series(table, column, now)}
    return {key: _series(part, column, now) for key, part in table.groups(*keys).items()}


def column_of(table: Table) -> str:
    """The one column of `KINDS` that the table has."""
    found = [name for name in KINDS if name in table]
    if len(found) != 1:
        has = " and ".join(found) or f"none of {', '.join(KINDS)}"
        raise FeedError(f"{table.source}: row 1, the header, has {has}.")
    return found[0]


def join(first: Series, second: Series) -> Series:
    """The values of `first`, then those of `second`, which must be later."""
    return Series(
        np.concatenate([first.ts, second.ts]), np.concatenate([first.value, second.value])
    )


def _series(table: Table, column: str, now: int | None) -> Series:
    kind = KINDS[column]
    times = table.times()
    table.rising(times)
    table.past(times, now)
    values = table.between(column, kind.low, kind.high, open_low=kind.positive)
    return Series(times, values * kind.scale)
