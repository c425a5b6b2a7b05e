"""Which markets a folder holds, and the bars each is scored on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from oracle.backtest.cells import HOURS, LEVELS, Job
from oracle.feeds.bars import HOUR, Bars, FeedError
from oracle.feeds.folder import PRICES, Market, discover
from oracle.rule import Rule

FROZEN = 168
"""Equal bars in a row that are refused as a frozen feed. A recording of a quiet stablecoin may
stand still for a day, which a live feed may not."""


def load_jobs(
    folder: Path,
    rule: Rule,
    *,
    fast: bool = False,
    frozen: int = FROZEN,
    progress: Callable[[Path], None] = lambda path: None,
) -> list[Job]:
    """One job for each market and length of its bars, in order of name.

    Mark prices come before index, perpetual and spot prices (`feeds.folder.PRICES`). Bars shorter
    than an hour become hourly ones, where the folder has no hourly ones of that market.

    Raises:
        FeedError: the folder or a file of it cannot be read, with its row; no prices in it.
    """
    markets = discover(folder, frozen, progress)
    jobs = [job for market in markets.values() for job in _jobs(market, rule, fast)]
    if not jobs:
        raise FeedError(f"{folder.name}: no market in the folder has bars of a day or less.")
    return jobs


def hourly(bars: Bars) -> Bars:
    """Bars of part of an hour as hourly ones; an hour that is not whole is left out.

    Raises:
        FeedError: the period does not divide an hour, or no hour is whole.
    """
    if HOUR % bars.period:
        raise FeedError(f"bars of {bars.period} seconds do not make up an hour.")
    found = coarser(bars, HOUR)
    if not len(found):
        raise FeedError(f"bars of {bars.period} seconds fill no whole hour.")
    return found


def coarser(bars: Bars, period: int) -> Bars:
    """Bars joined to ones of `period` seconds, a multiple; what is not whole is left out."""
    times, first, count = np.unique(bars.ts // period, return_index=True, return_counts=True)
    whole = count == period // bars.period
    return Bars(
        times[whole] * period,
        bars.open[first][whole],
        np.maximum.reduceat(bars.high, first)[whole],
        np.minimum.reduceat(bars.low, first)[whole],
        bars.close[first + count - 1][whole],
        None if bars.volume is None else np.add.reduceat(bars.volume, first)[whole],
        period,
    )


def _jobs(market: Market, rule: Rule, fast: bool) -> list[Job]:
    longest = max(HOURS) * HOUR
    found = []
    for period in market.periods():
        if period < HOUR or period > longest:
            continue
        found.append(_job(market, period, rule, fast))
    shorter = [p for p in market.periods() if p < HOUR and HOUR % p == 0]
    if shorter and HOUR not in market.periods():
        kind, bars = _first(market, shorter[-1])
        found.append(Job(market.symbol, kind, hourly(bars), rule, LEVELS, fast))
    return found


def _job(market: Market, period: int, rule: Rule, fast: bool) -> Job:
    kind, bars = _first(market, period)
    return Job(market.symbol, kind, bars, rule, LEVELS, fast)


def _first(market: Market, period: int) -> tuple[str, Bars]:
    kind = next(kind for kind in PRICES if (kind, period) in market.bars)
    return kind, market.bars[kind, period]
