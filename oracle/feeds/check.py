"""Whether a recorded file can be used, told from its header what it should hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from oracle.feeds.bars import FROZEN, MAX_PRICE, bars_of
from oracle.feeds.depth import load_books, load_depths
from oracle.feeds.folder import is_panel, symbol_of
from oracle.feeds.options import load_chains
from oracle.feeds.series import KINDS, column_of, series_of
from oracle.feeds.table import TIMES, Table, read_header, read_table


def check_file(path: Path, frozen: int = FROZEN, now: int | None = None) -> str:
    """Read one file of any form this package knows; what it holds, in words.

    Args:
        frozen: refuse so many equal bars in a row.
        now: Unix seconds; refuse bars and series of later times.

    Raises:
        FeedError: the first bad row or field.
    """
    header = set(read_header(path))
    if {"strike", "cp"} <= header:
        chains = [chain for of_one in load_chains(path).values() for chain in of_one]
        return f"{len(chains)} option chains, {sum(map(len, chains))} quotes"
    if any(name.startswith("bid_usd_") for name in header):
        return f"{len(load_depths(path).mid)} depths"
    if {"bid", "ask", "level"} <= header or {"side", "price", "qty"} <= header:
        return f"{len(load_books(path, symbol_of(path)))} order books"
    return _check_prices(path, frozen, now)


def _check_prices(path: Path, frozen: int, now: int | None) -> str:
    is_side = is_panel(path)
    table = read_table(path)
    if is_side:
        listed = [_one_side(table, name) for name in table.cells if name not in TIMES]
        return f"{len(table)} times of a panel, {sum(listed)} coins"
    if any(name in table for name in KINDS):
        return f"{len(table)} values of {column_of(table)}, {len(series_of(table, now))} series"
    bars = bars_of(table, None, frozen, now)
    return f"{len(bars)} bars of {bars.period} s, {len(bars.gaps())} gaps"


def _one_side(table: Table, coin: str) -> bool:
    """Whether a coin of one side of a panel was ever listed; its cells and the times checked."""
    table.rising(table.times())
    prices = table.between(coin, 0.0, MAX_PRICE, open_low=True, blank=True)
    return bool(np.isfinite(prices).any())
