"""Price bars: read a file once, refuse bad data at the edge, hand out immutables.

Files are csv, csv.gz or parquet. Columns: ``ts,open,high,low,close`` and optionally ``volume``, in
any order; ``ts`` is the bar's open time in whole Unix seconds UTC (``date``, a UTC day, serves as
well), prices are USD per base unit, volume is in base units. `read_bars` also takes files with
fewer columns and says what it puts in their place.

What is exact here, and why. In all 48,397 hourly mark bars of BTC and ETH from 2019-12-23 to
2025-06-30, their 1,152 bars of 2026 and all perpetual bars, ``low <= min(open, close)`` and
``max(open, close) <= high`` hold without exception, in the decimals as published, so the tolerance
is zero: a bar that leaves its own range is a broken bar. Nothing is asked of ``open`` against the
previous ``close``: mark bars jump there by up to 3.3 % (ETH, March 2020).

Missing bars are not an error, because exchanges do close for maintenance: :meth:`Bars.gaps` names
them and no model may form a return across one. A time that repeats, goes back or leaves the grid
is an error. So is a frozen feed: the same prices in `FROZEN` bars in a row. The longest such run
in all recordings the limit was chosen on is 7 (a minute recording; 5 at 15 minutes, 3 hourly).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from oracle.feeds.errors import FeedError as FeedError
from oracle.feeds.table import BoolArray as BoolArray
from oracle.feeds.table import FloatArray as FloatArray
from oracle.feeds.table import IntArray as IntArray
from oracle.feeds.table import Table, parse_table, read_table

HOUR = 3600
MAX_PRICE = 1e9
"""Largest price the contracts accept (USD per base unit)."""
MAX_VOLUME = 1e15
PRICES = ("open", "high", "low", "close")
FROZEN = 24
"""So many equal bars in a row are a frozen feed."""


@dataclass(frozen=True)
class Gap:
    """A hole: `missing` bars are absent between those opening at `after` and `before`."""

    after: int
    before: int
    missing: int


@dataclass(frozen=True, eq=False)
class Bars:
    """n bars of one market, oldest first. Arrays have shape (n,) and are read-only.

    Attributes:
        ts: open times, Unix seconds, strictly increasing, multiples of `period`.
        open, high, low, close: USD per base unit, finite, positive, low <= open, close <= high.
        volume: base units traded in the bar, or None where the source has none.
        period: seconds a bar.
    """

    ts: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray | None = None
    period: int = HOUR

    def __post_init__(self) -> None:
        for name in ("ts", *PRICES, "volume"):
            array = getattr(self, name)
            if array is not None:
                if array.shape != self.ts.shape:
                    raise FeedError(
                        f"bars: {name} has {array.size} values for {self.ts.size} times."
                    )
                view = array.view()
                view.flags.writeable = False
                object.__setattr__(self, name, view)

    def __len__(self) -> int:
        return int(self.ts.size)

    def slice(self, start: int, stop: int) -> Bars:
        """Bars start..stop-1 by position."""
        cut = slice(start, stop)
        volume = None if self.volume is None else self.volume[cut]
        columns = (self.open[cut], self.high[cut], self.low[cut], self.close[cut])
        return Bars(self.ts[cut], *columns, volume, self.period)

    def before(self, time: int) -> Bars:
        """Bars that were complete at `time`: those with ts + period <= time. No look-ahead."""
        return self.slice(0, int(np.searchsorted(self.ts, time - self.period, side="right")))

    def between(self, start: int, end: int) -> Bars:
        """Bars with start <= ts < end."""
        first, last = np.searchsorted(self.ts, [start, end], side="left")
        return self.slice(int(first), int(last))

    def last(self, count: int) -> Bars:
        """The newest `count` bars, or all of them when there are fewer."""
        return self.slice(max(0, len(self) - count), len(self))

    def joined(self) -> BoolArray:
        """(n,) True where bar i follows bar i-1 with no gap. The first entry is False."""
        follows = np.zeros(len(self), dtype=np.bool_)
        follows[1:] = np.diff(self.ts) == self.period
        return follows

    def gaps(self) -> tuple[Gap, ...]:
        """Every hole, oldest first."""
        steps = np.diff(self.ts)
        return tuple(
            Gap(int(self.ts[i]), int(self.ts[i + 1]), int(steps[i]) // self.period - 1)
            for i in np.flatnonzero(steps != self.period)
        )


def concat(first: Bars, second: Bars) -> Bars:
    """The bars of `first`, then those of `second`.

    Raises:
        FeedError: the periods differ or `second` does not start after `first` ends.
    """
    if first.period != second.period:
        raise FeedError(f"bars: periods {first.period} and {second.period} cannot be joined.")
    if len(first) and len(second) and second.ts[0] <= first.ts[-1]:
        raise FeedError(f"bars: time {second.ts[0]} is not after {first.ts[-1]}.")
    pairs = [np.concatenate([getattr(first, c), getattr(second, c)]) for c in ("ts", *PRICES)]
    volume = None
    if first.volume is not None and second.volume is not None:
        volume = np.concatenate([first.volume, second.volume])
    return Bars(pairs[0], pairs[1], pairs[2], pairs[3], pairs[4], volume, first.period)


def load_bars(path: Path, period: int = HOUR) -> Bars:
    """Read and validate one ``ts,open,high,low,close[,volume]`` file.

    Raises:
        FeedError: the file is absent, unreadable or not UTF-8, or `parse_bars` refuses a row.
    """
    return _whole(read_table(path), period)


def load_closes(path: Path, period: int = HOUR) -> Bars:
    """Read and validate one ``ts,close`` file as bars that run from the last close to this one.

    Raises:
        FeedError: as `load_bars`.
    """
    return _closes(read_table(path), period)


def read_bars(
    path: Path, period: int | None = None, frozen: int = FROZEN, now: int | None = None
) -> Bars:
    """Read and validate a file of bars that may have fewer columns than four prices.

    Args:
        period: seconds a bar; by default the step that occurs most often in the file.
        frozen: refuse so many equal bars in a row.
        now: Unix seconds; refuse bars that open later.

    Raises:
        FeedError: as `load_bars`; only one of high and low; no close; no step to tell the period
            from.
    """
    return bars_of(read_table(path), period, frozen, now)


def parse_bars(lines: Iterable[str], source: str, period: int = HOUR) -> Bars:
    """Bars from CSV text lines, the first being the header. `source` names them in errors.

    Raises:
        FeedError: missing or repeated column; wrong number of cells; a cell that is no plain
            decimal number, NaN, infinite, or out of range (prices in (0, 1e9], volume in
            [0, 1e15]); low above high; open or close outside them; a time that is off the grid,
            repeated or earlier than the one before; the same prices `FROZEN` times in a row; no
            rows.
    """
    return _whole(parse_table(lines, source), period)


def parse_closes(lines: Iterable[str], source: str, period: int = HOUR) -> Bars:
    """Bars from ``ts,close`` CSV text lines.

    The path inside such a bar is unknown, so its high and low are those of its two ends, and a
    model fitted on it understates path-wise losses (`oracle.calibrate` measures by how much). The
    first bar, and the first after a gap, is flat.

    Raises:
        FeedError: as `parse_bars`.
    """
    return _closes(parse_table(lines, source), period)


def bars_of(
    table: Table, period: int | None = None, frozen: int = FROZEN, now: int | None = None
) -> Bars:
    """Bars from a table with the columns ``close`` (or ``price``) and any of the others.

    A missing open is the close before it, brought into the bar's own range; in the first bar, and
    after a gap, it is the close. Without high and low they are those of open and close.

    Raises:
        FeedError: as `read_bars`.
    """
    last = "close" if "close" in table or "price" not in table else "price"
    table.need(last)
    times = table.times()
    period = period or _period(table, times)
    _check_times(table, times, period)
    table.past(times, now)
    close = _prices(table, last)
    given = {name: _prices(table, name) for name in PRICES[:3] if name in table}
    if ("high" in given) != ("low" in given):
        there, absent = ("high", "low") if "high" in given else ("low", "high")
        raise FeedError(f"{table.source}: row 1, the header, has column {there} but no {absent}.")
    if "high" in given:
        _check_range(table, given, close)
    _check_frozen(table, [*given.values(), close], frozen)
    opens = given.get("open", _opens(times, close, period))
    high = given.get("high", np.maximum(opens, close))
    low = given.get("low", np.minimum(opens, close))
    volume = table.between("volume", 0.0, MAX_VOLUME) if "volume" in table else None
    return Bars(times, np.clip(opens, low, high), high, low, close, volume, period)


def _whole(table: Table, period: int) -> Bars:
    table.need("ts", *PRICES)
    return bars_of(table, period)


def _closes(table: Table, period: int) -> Bars:
    table.need("ts", "close")
    only = {name: table.cells[name] for name in ("ts", "close")}
    return bars_of(Table(table.source, only, table.rows, table.repeated), period)


def _prices(table: Table, name: str) -> FloatArray:
    return table.between(name, 0.0, MAX_PRICE, open_low=True)


def _opens(times: IntArray, close: FloatArray, period: int) -> FloatArray:
    """(n,) the close before, or the bar's own where there is none."""
    opens = close.copy()
    opens[1:] = np.where(np.diff(times) == period, close[:-1], close[1:])
    return opens


def _period(table: Table, times: IntArray) -> int:
    """The step that occurs most often, the smallest of several."""
    steps, counts = np.unique(np.diff(times), return_counts=True)
    counts = counts[steps > 0]
    if not counts.size:
        table.rising(times)
        raise FeedError(
            f"{table.source}: row {table.rows[0]} is the only one, there are no two times to tell "
            "the bars' length from."
        )
    return int(steps[steps > 0][np.argmax(counts)])


def _check_times(table: Table, times: IntArray, period: int) -> None:
    table.refuse(times % period != 0, lambda i: f"ts {times[i]} is not on the {period} second grid")
    table.rising(times)


def _check_range(table: Table, given: dict[str, FloatArray], close: FloatArray) -> None:
    high, low = given["high"], given["low"]
    table.refuse(low > high, lambda i: f"low {low[i]} is above high {high[i]}")
    for name, values in (("open", given.get("open", close)), ("close", close)):
        outside = (values < low) | (values > high)
        table.refuse(outside, _reason_outside(name, values, low, high))


def _reason_outside(
    name: str, values: FloatArray, low: FloatArray, high: FloatArray
) -> Callable[[int], str]:
    return lambda i: f"{name} {values[i]} is outside low {low[i]} to high {high[i]}"


def _check_frozen(table: Table, columns: Iterable[FloatArray], frozen: int) -> None:
    """Raise at the `frozen`-th row in a row whose prices are all those of the row before."""
    same = np.ones(len(table), dtype=np.bool_)
    for values in columns:
        same[1:] &= np.diff(values) == 0
    same[0] = False
    place = np.arange(len(table))
    run = place - np.maximum.accumulate(np.where(same, 0, place)) + 1
    table.refuse(
        run >= frozen, lambda i: f"the prices are the same {frozen} times in a row: a frozen feed"
    )
