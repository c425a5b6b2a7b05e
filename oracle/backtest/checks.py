"""Two comparisons that docs/backtest.md reports: ``python -m oracle.backtest.checks``.

What bars longer than an hour change, on hourly markets cut down to four hours; and what a keeper's
three years and one table change against the backtest, which remembers everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import click
import numpy as np

from oracle import threads
from oracle.backtest import figures, statistics
from oracle.backtest.cells import LEAST_WINDOWS
from oracle.backtest.data import coarser, load_jobs
from oracle.backtest.options import data_option, market_option, progress_bar
from oracle.backtest.pipeline import Held, hold, opens
from oracle.feeds.bars import HOUR, Bars, FeedError, FloatArray, IntArray
from oracle.line import DAY, Feedback, push_through
from oracle.models.fhs import adverse_moves
from oracle.policy import PPM
from oracle.rule import Rule, RuleModel, asked_series

LEVEL = 0.99
BLOCK_DAYS = 28
COARSE = 4 * HOUR


@dataclass(frozen=True)
class Count:
    """Windows of one market that do not overlap, under one line. Rates are fractions.

    Attributes:
        breaches, independent: by side, long first: how many, and whether Christoffersen passes.
        most: allowed a side; zones: Basel's.
        average, saving, rise: mean rate, how far it is below its static, largest 5-day rise.
    """

    windows: int
    breaches: tuple[int, int]
    independent: tuple[bool, bool]
    most: int
    zones: tuple[str, str]
    average: float
    saving: float
    rise: float


def count(bars: Bars, moves: FloatArray, horizon: int, margin: FloatArray, span: range) -> Count:
    """Score a margin (n + 1,) on the windows that open inside `span`, Unix seconds.

    Raises:
        FeedError: fewer than `LEAST_WINDOWS` of them have a loss and a margin.
    """
    inside = (bars.ts >= span.start) & (bars.ts < span.stop)
    known = ~np.isnan(moves[0]) & ~np.isnan(margin[:-1]) & inside
    seconds = horizon * bars.period
    at = np.flatnonzero(known & (bars.ts % seconds == 0))
    if at.size < LEAST_WINDOWS:
        raise FeedError(f"{at.size} windows of {seconds // HOUR} hours are too few to compare.")
    follows = np.append(False, np.diff(bars.ts[at]) == seconds)
    alpha = round(1.0 - LEVEL, 9)
    long, short = (statistics.coverage(side[at] > margin[at], alpha, follows) for side in moves)
    held = np.where(known, margin[:-1], np.nan)
    return Count(
        windows=int(at.size),
        breaches=(int(long.breaches), int(short.breaches)),
        independent=(long.independence.p_value >= 0.05, short.independence.p_value >= 0.05),
        most=statistics.kupiec_region(int(at.size), alpha)[1],
        zones=(long.zone, short.zone),
        average=float(np.mean(margin[at])),
        saving=figures.saving(moves[:, at], margin[at]),
        rise=figures.largest_rise(held, bars.ts, bars.period, 5),
    )


def by_length(bars: Bars, rule: Rule, until: int) -> dict[str, Count]:
    """Windows of four hours until a time: by hourly bars, and by the same cut down to four hours,
    scored an hour after the push and in its block."""
    span, found = range(until), {}
    hourly = adverse_moves(bars, COARSE // bars.period)
    held = hold(bars, hourly, COARSE // bars.period, LEVEL, rule)
    found["hourly pipeline"] = count(bars, hourly, COARSE // bars.period, held.margin, span)
    cut = coarser(bars, COARSE)
    moves = adverse_moves(cut, 1)
    held = hold(cut, moves, 1, LEVEL, rule)
    found["four-hour bars, an hour after the push"] = count(cut, moves, 1, held.margin, span)
    found["four-hour bars, in the block of the push"] = count(cut, moves, 1, held.at_open, span)
    return found


def by_window(bars: Bars, model: RuleModel, since: int) -> tuple[Count, Count, FloatArray]:
    """Windows of an hour since a time: the backtest's line, a keeper's, and what the keeper asks
    over what the backtest asks at each open."""
    moves = adverse_moves(bars, 1)
    held = hold(bars, moves, 1, model.level, model.rule)
    asked = keeper_asks(bars, model, held, since)
    # Restraint and feedback are in what was asked; half a ppm less, because rounding is upwards.
    chain = replace(model.rule.chain, rise=float("inf"), feedback=Feedback(most=1.0))
    need = np.where(asked < 0, np.nan, (asked - 0.5) / PPM)
    line = push_through(need, bars.ts, bars.period, held.pushed.votes, chain)
    both = (asked > 0) & (held.pushed.asked > 0)
    span = range(since, 2**40)
    backtest, keeper = (count(bars, moves, 1, m, span) for m in (held.margin, line.rates()))
    return backtest, keeper, asked[both] / held.pushed.asked[both]


def keeper_asks(bars: Bars, model: RuleModel, held: Held, since: int) -> IntArray:
    """(n + 1,) what a keeper asks from the window it has, ppm; -1 before `since`.

    In blocks of at most 28 days that end where a table comes into force: those of one block from
    one window, which begins `window_bars` before the block, under the table in force.
    """
    times, votes = opens(bars), held.pushed.votes
    asked = np.full(times.size, -1, dtype=np.int64)
    edges = {*range(since, int(times[-1]) + 1, BLOCK_DAYS * DAY), *(vote.time for vote in votes)}
    starts = np.searchsorted(times, [edge for edge in edges if edge >= since])
    for first, last in pairwise(np.unique([*starts, times.size]).tolist()):
        index = int(held.pushed.vote[first])
        if index < 0:
            continue
        begin = int(np.searchsorted(bars.ts, times[first] - model.window_bars * HOUR))
        window = bars.slice(begin, min(last, len(bars)))
        table = votes[index]
        series = asked_series(window, model, table.calm[0], table.storm[0])
        asked[first:last] = series[first - begin : last - begin]
    return asked


@click.command()
@data_option
@market_option
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), default="2024-06-01", show_default=True)
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), default="2023-01-01", show_default=True)
def checks(data: Path, wanted: tuple[str, ...], until: datetime, since: datetime) -> None:
    """Compare lengths of bars (windows until a day) and a keeper's window (windows since a day).

    On the hourly markets of a folder, at 99 %.
    """
    try:
        lengths, windows = _compare(data, wanted, _unix(until), _unix(since))
    except FeedError as error:
        raise click.ClickException(str(error)) from None
    _show_lengths(list(lengths.values()))
    for symbol, (backtest, keeper, ratio) in windows.items():
        click.echo(f"{symbol}, an hour, {backtest.windows:,} windows, {backtest.most} allowed:")
        for name, each in (("backtest", backtest), ("keeper", keeper)):
            click.echo(f"  {name}: {_told(each)}")
        low, high = float(ratio.min()) - 1.0, float(ratio.max()) - 1.0
        click.echo(f"  the keeper asks {low:+.1%} to {high:+.1%} of what the backtest asks")


def _compare(
    data: Path, wanted: Sequence[str], until: int, since: int
) -> tuple[dict[str, dict[str, Count]], dict[str, tuple[Count, Count, FloatArray]]]:
    jobs = [job for job in load_jobs(data, Rule()) if job.bars.period == HOUR]
    names = {name.upper() for name in wanted}
    markets = {job.symbol: job.bars for job in jobs if not names or job.symbol in names}
    if not markets:
        raise FeedError(f"{data.name}: no such hourly market is in the folder.")
    lengths, windows = {}, {}
    with progress_bar() as progress:
        task = progress.add_task("Comparing", total=2 * len(markets))
        for symbol, bars in markets.items():
            lengths[symbol] = by_length(bars, Rule(), until)
            progress.update(task, advance=1, description=f"Compared {symbol}")
            windows[symbol] = by_window(bars, RuleModel(), since)
            progress.update(task, advance=1)
    return lengths, windows


def _show_lengths(found: Sequence[dict[str, Count]]) -> None:
    for name in found[0]:
        rows = [each[name] for each in found]
        breaches = sum(sum(row.breaches) for row in rows)
        passed = sum(sum(row.independent) for row in rows)
        windows = 2 * sum(row.windows for row in rows)
        click.echo(
            f"{name}: {breaches} breaches of {windows:,}, {passed} of {2 * len(rows)} cells "
            "pass independence"
        )


def _told(row: Count) -> str:
    return (
        f"breaches {row.breaches[0]}, {row.breaches[1]}; mean rate {row.average:.2%}; "
        f"{row.saving:.1%} below its static; 5-day rise {row.rise:.2f}; zones "
        f"{' '.join(row.zones)}; {sum(row.independent)} of 2 pass independence"
    )


def _unix(day: datetime) -> int:
    return int(day.replace(tzinfo=UTC).timestamp())


if __name__ == "__main__":
    threads.use_one()
    checks(prog_name="python -m oracle.backtest.checks")
