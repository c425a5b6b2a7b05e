"""Order books, and how much of them lies within so many basis points of the middle.

Three recorded forms are read (csv, csv.gz or parquet):

- depth: ``ts_ms,mid,bid_usd_5bps,ask_usd_5bps,..``, for any set of basis points;
- levels: ``ts_ms,level,bid,bid_qty,ask,ask_qty``, many books, best level first;
- snapshot: ``side,price,qty`` with side ``bid`` or ``ask``, one book without a time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from oracle.feeds.errors import FeedError
from oracle.feeds.quotes import WAD, to_decimal, to_wad
from oracle.feeds.table import MAX_TIME, FloatArray, IntArray, Table, read_table

BPS = 10_000
MAX_USD = 1e13
Level = tuple[int, int]
"""Price (USD per base unit, wad) and size (base units, wad)."""


@dataclass(frozen=True)
class Depth:
    """What can be sold and bought within a distance of the middle.

    Attributes:
        bid, ask: USD, wad, rounded down.
        complete: whether the book reaches beyond that distance on both sides; if not, the true
            depth may be more.
    """

    bid: int
    ask: int
    complete: bool


@dataclass(frozen=True)
class Book:
    """One order book.

    Attributes:
        bids, asks: best price first, strictly away from the middle, at least one each.
        observed_at: Unix seconds, or None where the recording has no time.
    """

    source: str
    symbol: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    observed_at: int | None

    def __post_init__(self) -> None:
        for name, side, sign in (("bids", self.bids, -1), ("asks", self.asks, 1)):
            if not side:
                raise FeedError(f"{self.source}: {self.symbol} {name} are empty.")
            for i, (first, second) in enumerate(pairwise(side)):
                if (second[0] - first[0]) * sign <= 0:
                    raise FeedError(
                        f"{self.source}: {self.symbol} {name} level {i + 1} is not behind level"
                        f" {i}."
                    )
        if self.bids[0][0] >= self.asks[0][0]:
            raise FeedError(f"{self.source}: {self.symbol} bids reach the asks: a crossed book.")

    @property
    def mid(self) -> int:
        """Half way between the best prices, wad, rounded down."""
        return (self.bids[0][0] + self.asks[0][0]) // 2

    def depth(self, bps: int) -> Depth:
        """USD within `bps` basis points of the middle, the bounds included."""
        twice = self.bids[0][0] + self.asks[0][0]
        low, high = twice * (BPS - bps), twice * (BPS + bps)
        bids = [level for level in self.bids if 2 * BPS * level[0] >= low]
        asks = [level for level in self.asks if 2 * BPS * level[0] <= high]
        complete = len(bids) < len(self.bids) and len(asks) < len(self.asks)
        return Depth(_usd(bids), _usd(asks), complete)


@dataclass(frozen=True, eq=False)
class DepthSeries:
    """n recorded depths, oldest first.

    Attributes:
        ts_ms: Unix milliseconds, strictly increasing, shape (n,).
        mid: USD, shape (n,).
        bid, ask: USD within so many basis points, shape (n,) each.
    """

    ts_ms: IntArray
    mid: FloatArray
    bid: Mapping[int, FloatArray]
    ask: Mapping[int, FloatArray]


def make_book(
    source: str,
    symbol: str,
    bids: object,
    asks: object,
    observed_at: int | None,
    size: object = 1,
) -> Book:
    """A book from levels as a venue sends them, in any order.

    Args:
        bids, asks: sequences of [price, amount, ..].
        size: base units that one unit of an amount is.

    Raises:
        FeedError: a side that is no list, is empty or holds something else than pairs of positive
            numbers, twice the same price, a crossed book; names the level.
    """
    multiplier = to_decimal(size, source, f"{symbol} contract size")
    sides = []
    for name, levels in (("bids", bids), ("asks", asks)):
        if not isinstance(levels, Sequence) or isinstance(levels, str):
            raise FeedError(f"{source}: {symbol} {name} are not a list.")
        side = []
        for i, level in enumerate(levels):
            if not isinstance(level, Sequence) or isinstance(level, str) or len(level) < 2:
                raise FeedError(f"{source}: {symbol} {name} level {i} is no price and size.")
            price = to_wad(level[0], source, f"{symbol} {name} level {i} price")
            amount = to_decimal(level[1], source, f"{symbol} {name} level {i} size") * multiplier
            side.append((price, to_wad(amount, source, f"{symbol} {name} level {i} size")))
        sides.append(tuple(sorted(side, reverse=name == "bids")))
    return Book(source, symbol, sides[0], sides[1], observed_at)


def load_depths(path: Path) -> DepthSeries:
    """The recorded depths of one file of the form depth.

    Raises:
        FeedError: no depth column; a value that is no number, negative, NaN or infinite; a time
            that repeats or goes back.
    """
    table = read_table(path)
    found = {
        (match["side"], int(match["bps"])): name
        for name in table.cells
        if (match := re.fullmatch(r"(?P<side>bid|ask)_usd_(?P<bps>\d+)bps", name))
    }
    if not found:
        raise FeedError(f"{path.name}: row 1, the header, has no column such as bid_usd_5bps.")
    times = _milliseconds(table)
    table.rising(times)
    sides: dict[str, dict[int, FloatArray]] = {"bid": {}, "ask": {}}
    for (side, bps), name in sorted(found.items()):
        sides[side][bps] = table.between(name, 0.0, MAX_USD)
    mid = table.between("mid", 0.0, 1e9, open_low=True)
    return DepthSeries(times, mid, sides["bid"], sides["ask"])


def load_books(path: Path, symbol: str) -> list[Book]:
    """The recorded books of one file of the form levels or snapshot, oldest first.

    Raises:
        FeedError: as `make_book`, with the time of the book; a time that goes back.
    """
    table = read_table(path)
    if "side" in table:
        return [_snapshot(table, symbol)]
    times = _milliseconds(table)
    table.refuse(np.diff(times, prepend=times[0]) < 0, lambda i: f"ts_ms {times[i]} goes back")
    columns = {name: table.texts(name) for name in ("bid", "bid_qty", "ask", "ask_qty")}
    starts = [*np.flatnonzero(_levels(table) == 0).tolist(), len(table)]
    books = []
    for first, end in pairwise(starts):
        source = f"{table.source}: rows {table.rows[first]} to {table.rows[end - 1]}"
        rows = slice(first, end)
        bids = list(zip(columns["bid"][rows], columns["bid_qty"][rows], strict=True))
        asks = list(zip(columns["ask"][rows], columns["ask_qty"][rows], strict=True))
        books.append(make_book(source, symbol, bids, asks, int(times[first]) // 1000))
    return books


def _snapshot(table: Table, symbol: str) -> Book:
    sides: dict[str, list[tuple[str, str]]] = {"bid": [], "ask": []}
    rows = zip(
        table.rows, table.texts("side"), table.texts("price"), table.texts("qty"), strict=True
    )
    for row, side, price, size in rows:
        if side not in sides:
            raise FeedError(f"{table.source}: row {row}, side {side[:40]!r} is not bid or ask.")
        sides[side].append((price, size))
    return make_book(table.source, symbol, sides["bid"], sides["ask"], None)


def _levels(table: Table) -> IntArray:
    """(n,) 0 for the first level of a book, then counting; two books may have the same time."""
    levels = table.integers("level")
    before = np.concatenate([[-1], levels[:-1]])
    table.refuse(
        (levels != 0) & (levels != before + 1),
        lambda i: f"level {levels[i]} does not follow {before[i]}",
    )
    return levels


def _milliseconds(table: Table) -> IntArray:
    return table.integers("ts_ms", MAX_TIME * 1000, "a time in milliseconds")


def _usd(levels: Sequence[Level]) -> int:
    return sum(price * size for price, size in levels) // WAD
