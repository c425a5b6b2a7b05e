"""A folder of recordings nobody has described: which markets are in it, with what data.

The folder holds files, or folders of files one level down. What a file is follows from its header;
what its prices are follows from the first word of its folder's name: ``perp``, ``mark``, ``spot``
or ``index`` (``mark_1h``, ``perp_4h_panel``), and is ``price`` without such a word. The symbol is
the file's name up to the first ``.``, ``_`` or ``-``, so that ``BTC.csv.gz`` and
``BTC.winB.csv.gz`` are two windows of one market and are joined in time.

Three forms of price files are known:

- bars: a time column and ``close`` (or ``price``), with or without open, high, low, volume;
- a panel: files named ``close``, ``high`` and ``low`` (or ``close`` alone), one column a coin; a
  blank cell is a bar that coin does not have, because it was not listed yet or the panel has a
  hole there;
- series: see `oracle.feeds.series`.

Other files are left alone (margin tables, option chains and order books have their own readers),
except that a folder of prices by its name, and the given folder itself, may hold no file with
times and without prices.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np

from oracle.feeds.bars import FROZEN, HOUR, Bars, bars_of, concat
from oracle.feeds.errors import FeedError
from oracle.feeds.series import KINDS, Series, column_of, join, series_of
from oracle.feeds.table import SUFFIXES, TIMES, Table, read_header, read_table

PRICES = ("mark", "index", "perp", "spot", "price")
"""Kinds of prices, the ones margins should follow first: last prices do not drive margin."""
PANEL = ("close", "high", "low")
Data = TypeVar("Data", Bars, Series)


@dataclass(frozen=True, eq=False)
class Market:
    """What a folder holds about one coin.

    Attributes:
        symbol: such as BTC.
        bars: by kind of price and seconds a bar, such as ("mark", 3600).
        funding: fraction of the notional a print, by where it comes from, such as "funding_8h"
            or "funding_multi/bybit".
        open_interest: USD, by where it comes from.
        implied: annual volatility as a fraction, by where it comes from.
    """

    symbol: str
    bars: Mapping[tuple[str, int], Bars]
    funding: Mapping[str, Series]
    open_interest: Mapping[str, Series]
    implied: Mapping[str, Series]

    def price(self, period: int = HOUR) -> Bars | None:
        """The bars that margins should follow: the first of `PRICES` there is."""
        return next((self.bars[k, period] for k in PRICES if (k, period) in self.bars), None)

    def traded(self, period: int = HOUR) -> Bars | None:
        """Bars with volume: of the perpetual, else of the spot market."""
        found = (self.bars.get((kind, period)) for kind in ("perp", "spot", "price"))
        return next((bars for bars in found if bars is not None and bars.volume is not None), None)

    def periods(self) -> tuple[int, ...]:
        """Seconds a bar, of all bars there are, shortest first."""
        return tuple(sorted({period for _, period in self.bars}))


class _Shelf:
    """What was found so far, windows of one market joined in time."""

    def __init__(self, frozen: int, now: int | None) -> None:
        self._frozen, self._now = frozen, now
        self.bars: dict[str, dict[tuple[str, int], list[tuple[str, Bars]]]] = defaultdict(dict)
        self.series: dict[str, dict[tuple[str, str], list[tuple[str, Series]]]] = defaultdict(dict)

    def add_bars(self, symbol: str, kind: str, table: Table) -> None:
        bars = bars_of(table, None, self._frozen, self._now)
        self.bars[symbol].setdefault((kind, bars.period), []).append((table.source, bars))

    def add_series(self, symbol: str, label: str, table: Table) -> None:
        name = KINDS[column_of(table)].name
        keys = [key for key in ("venue", "coin") if key in table]
        for key, series in series_of(table, self._now).items():
            said = dict(zip(keys, key, strict=True))
            of, place = said.get("coin", symbol).upper(), label
            if "venue" in said:
                place = f"{label}/{said['venue']}"
            self.series[of].setdefault((name, place), []).append((table.source, series))

    def markets(self) -> dict[str, Market]:
        return {symbol: self._market(symbol) for symbol in sorted({*self.bars, *self.series})}

    def _market(self, symbol: str) -> Market:
        bars = {key: _joined(symbol, parts, concat) for key, parts in self.bars[symbol].items()}
        named: dict[str, dict[str, Series]] = {kind.name: {} for kind in KINDS.values()}
        for (name, label), windows in self.series[symbol].items():
            named[name][label] = _joined(symbol, windows, join)
        return Market(symbol, bars, **named)


def discover(
    folder: Path,
    frozen: int = FROZEN,
    progress: Callable[[Path], None] = lambda path: None,
    now: int | None = None,
) -> dict[str, Market]:
    """All markets in a folder, in alphabetical order.

    Args:
        folder: of csv, csv.gz or parquet files, or of folders of such files.
        frozen: refuse so many equal bars in a row.
        progress: called with each file before it is read.
        now: Unix seconds; refuse rows of later times.

    Raises:
        FeedError: the first bad file, with its row; no such folder; no market in it; two files
            hold the same time of the same market.
    """
    if not folder.is_dir():
        raise FeedError(f"{folder.name}: there is no such folder.")
    shelf = _Shelf(frozen, now)
    for place in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
        try:
            _read(shelf, place, place == folder, progress)
        except FeedError as error:
            named = "" if place == folder else f"{place.name}/"
            raise FeedError(f"{named}{error}") from None
    markets = shelf.markets()
    if not markets:
        times, prices = " or ".join(TIMES), " or ".join(("close", "price"))
        raise FeedError(
            f"{folder.name}: there is no file of prices in the folder: one ends in"
            f" {', '.join(SUFFIXES)} and has a column {times} and a column {prices}."
        )
    return markets


def symbol_of(path: Path) -> str:
    """``BTC`` for ``BTC.winB.csv.gz`` and ``btc_2025-05.parquet``."""
    return re.split(r"[._-]", path.name, maxsplit=1)[0].upper()


def kind_of(folder: Path) -> str:
    """Of the prices in a folder, by its name."""
    word = re.split(r"[._-]", folder.resolve().name, maxsplit=1)[0]
    return word if word in PRICES else "price"


def is_panel(path: Path) -> bool:
    """Whether the file is one side of a panel: by its name and having no column of one market."""
    return path.name.split(".", 1)[0] in PANEL and not {"close", "price"} & set(read_header(path))


def _read(shelf: _Shelf, place: Path, is_root: bool, progress: Callable[[Path], None]) -> None:
    panels: dict[str, dict[str, Table]] = defaultdict(dict)
    for path in _files(place):
        progress(path)
        if is_panel(path):
            part, window = path.name.split(".", 1)
            panels[window][part] = read_table(path)
        elif _is_wanted(path, is_root):
            _add(shelf, place, path)
    for parts in panels.values():
        for symbol, table in _columns(parts):
            shelf.add_bars(symbol, kind_of(place), table)


def _files(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.iterdir() if path.is_file() and path.name.endswith(SUFFIXES)
    )


def _is_wanted(path: Path, is_root: bool) -> bool:
    header = set(read_header(path))
    if header & {"close", "price", *KINDS} and header & set(TIMES):
        return True
    return kind_of(path.parent) != "price" or (is_root and bool(header & set(TIMES)))


def _add(shelf: _Shelf, place: Path, path: Path) -> None:
    table = read_table(path)
    if any(name in table for name in KINDS):
        shelf.add_series(symbol_of(path), place.name, table)
    else:
        shelf.add_bars(symbol_of(path), kind_of(place), table)


def _columns(parts: Mapping[str, Table]) -> Iterator[tuple[str, Table]]:
    """Each coin of a panel as a table of its own, without the bars it does not have."""
    first = next(iter(parts.values()))
    if "close" not in parts:
        raise FeedError(f"{first.source}: the panel has no file close.")
    close = parts["close"]
    times = close.times()
    for name, table in parts.items():
        if not np.array_equal(table.times(), times):
            raise FeedError(f"{table.source}: the times in {name} are not those in close.")
    clock = next(name for name in TIMES if name in close)
    for coin in (name for name in close.cells if name not in TIMES):
        cells = {clock: close.texts(clock)}
        cells.update({name: table.texts(coin) for name, table in parts.items()})
        every = Table(f"{close.source} {coin}", cells, close.rows)
        listed = np.array([any(row) for row in zip(*(cells[name] for name in parts), strict=True)])
        if listed.any():
            yield coin.upper(), every.where(listed)


def _joined(symbol: str, parts: list[tuple[str, Data]], glue: Callable[[Data, Data], Data]) -> Data:
    """Windows in order of time.

    Raises:
        FeedError: two of them overlap.
    """
    ordered = sorted(parts, key=lambda part: int(part[1].ts[0]))
    for (name, first), (other, second) in pairwise(ordered):
        if second.ts[0] <= first.ts[-1]:
            raise FeedError(
                f"{other}: its times overlap those of {name}, both of {symbol}: a market is a"
                " file's name up to the first point, underscore or hyphen."
            )
    return reduce(glue, (data for _, data in ordered))
