"""One market through everything: every horizon, level and model, scored on windows as they came.

Coverage is scored on windows that do not overlap, starting where the Unix time is a multiple of the
horizon (00:00 UTC for a day): the tests assume a fresh chance each time, and a fixed grid cannot be
chosen to please. The rate over windows from every bar is reported beside it with the number of
independent windows it is worth, n / h.
"""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from oracle.backtest import figures, statistics
from oracle.backtest.challengers import CHAMPION, YEARLY, Question, answer_all, volatilities
from oracle.backtest.pipeline import Held, hold, hold_brackets
from oracle.feeds.bars import HOUR, Bars, BoolArray, FloatArray, IntArray
from oracle.line import Outcomes
from oracle.models.evt import fit_tail
from oracle.models.fhs import Side, adverse_moves, standardised, tail
from oracle.models.garch import forecast
from oracle.models.target import SEED_HOURS, Asked, mixed_volatility
from oracle.models.volatility import log_returns
from oracle.rule import Rule

HOURS = (1, 4, 24)
LEVELS = (0.99, 0.995)
PUSHED, FREE = "pushed on-chain", "asked, free to set hourly"
PICTURED = (PUSHED, CHAMPION, YEARLY)
LEAST_WINDOWS = 30
"""Fewer scored windows than this are no cell."""
LEAST_FORECAST = 1e-6
"""A forecast is at least a ppm, the smallest rate there is: a market may stand still."""


@dataclass(frozen=True)
class Job:
    """One market to score.

    Attributes:
        kind: of its prices, such as mark.
        rule: of the pushed rates.
        levels: the first is pictured.
        fast: leave out what is slow to fit.
        since: Unix seconds; windows before it teach and are not scored.
    """

    symbol: str
    kind: str
    bars: Bars
    rule: Rule
    levels: tuple[float, ...] = LEVELS
    fast: bool = False
    since: int = 0

    @property
    def name(self) -> str:
        """Such as ``BTC 1h``."""
        return f"{self.symbol} {self.bars.period / HOUR:g}h"

    @property
    def hours(self) -> tuple[int, ...]:
        """Horizons that are whole bars."""
        period = self.bars.period
        return tuple(h for h in HOURS if h * HOUR % period == 0)


@dataclass(frozen=True)
class Row:
    """One model in one (market, side, horizon, level). Rates and losses are fractions.

    Attributes:
        rate_every_bar, effective: breaches over windows from every bar, and windows they are worth.
        too_many: refused by Kupiec at 5 % for too many breaches (more than `most`).
        z2, z2_critical: Acerbi-Szekely, None without an Expected Shortfall.
        fz, dm, dm_p: mean Fissler-Ziegel loss; Diebold-Mariano t ratio against the champion
            (negative is better) and its p.
        average: mean margin; equal_average: of the margin scaled to the shortfall of the static
            rate in hindsight at this level; static_average: that static rate.
        saving, saving_without_worst: by how much `average` is below the static rate of the same
            total shortfall of both sides; the second without the single worst window.
        peak_raw, peak_99: largest over smallest margin, raw and 99 % over 1 %.
        rise_1d, rise_5d, rise_30d: largest rise of the margin within so many days.
        worst, total: shortfall of the worst window and of all.
        strict_breaches: pushed only, of the rate in the block of the push at the open.
    """

    market: str
    symbol: str
    side: str
    hours: int
    level: float
    model: str
    first: int
    last: int
    windows: int
    breaches: int
    rate: float
    rate_every_bar: float
    effective: float
    most: int
    too_many: bool
    kupiec_p: float
    independence_p: float
    conditional_p: float
    zone: str
    z2: float | None
    z2_critical: float | None
    fz: float | None
    dm: float | None
    dm_p: float | None
    average: float
    equal_average: float
    static_average: float
    saving: float
    saving_without_worst: float
    peak_raw: float
    peak_99: float
    rise_1d: float
    rise_5d: float
    rise_30d: float
    worst: float
    total: float
    strict_breaches: int | None
    strict_independence_p: float | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON and csv."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Picture:
    """Scored windows of one market and horizon: (T,) each, losses (2, T)."""

    ts: IntArray
    losses: FloatArray
    margin: FloatArray
    hours: int


@dataclass(frozen=True, eq=False)
class Scored:
    """Everything about one market.

    Attributes:
        rows: all cells; brackets: coverage by size; years: breaches by calendar year.
        either: the one-day cell in which a loss of either side is the loss.
        pictures: by horizon, at the first level.
        pushes, saturated, early: pushes, those that asked for more than storm, and votes out of
            turn, over all horizons and levels.
        seconds: it took; update_seconds: of one daily update of the ask at all horizons.
        process, megabytes: that did it, and its peak resident memory so far.
        note: why there are no rows, when there are none.
    """

    name: str
    bars: int
    rows: list[Row]
    brackets: list[dict[str, Any]]
    years: list[dict[str, Any]]
    either: dict[str, Any] | None
    pictures: dict[int, Picture]
    pushes: int
    saturated: int
    early: int
    seconds: float
    update_seconds: float
    process: str
    megabytes: float
    note: str = ""


def score_market(job: Job) -> Scored:
    """Every cell of one market; a pure function of the job."""
    started = time.perf_counter()
    sigmas = volatilities(job.bars, job.fast)
    rows: list[Row] = []
    years: list[dict[str, Any]] = []
    brackets: list[dict[str, Any]] = []
    pictures: dict[int, Picture] = {}
    pushes = saturated = early = 0
    for level in job.levels:
        held_by: dict[int, Held] = {}
        for hours in job.hours:
            horizon = hours * HOUR // job.bars.period
            moves = adverse_moves(job.bars, horizon)
            held = held_by[hours] = hold(job.bars, moves, horizon, level, job.rule)
            pushes += held.pushed.pushes
            saturated += held.pushed.saturated
            early += held.pushed.early
            question = Question(job.symbol, job.bars, moves, horizon, level, sigmas)
            window = Windows.of(question, held, job.since)
            if window is None:
                continue
            margins = _margins(held, answer_all(question, job.fast))
            rows += _rows(job, window, margins, held)
            years += _years(job, window, margins)
            if level == job.levels[0]:
                pictures[hours] = window.picture(held.margin, hours)
        brackets += _brackets(job, level, held_by)
    note = "" if rows else _why_none(job)
    return Scored(
        name=job.name,
        bars=len(job.bars),
        rows=rows,
        brackets=brackets,
        years=years,
        either=_either(job) if rows and 24 in job.hours else None,
        pictures=pictures,
        pushes=pushes,
        saturated=saturated,
        early=early,
        seconds=time.perf_counter() - started,
        update_seconds=_time_update(job) if rows else 0.0,
        process=process_name(),
        megabytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0,
        note=note,
    )


@dataclass(frozen=True, eq=False)
class Windows:
    """The windows a cell is scored on.

    Attributes:
        question: the cell.
        every: positions of all bars whose window has a loss and a pushed margin.
        at: of them, those on the grid of non-overlapping starts.
        follows: (T,) whether each begins where the one before ended.
    """

    question: Question
    every: IntArray
    at: IntArray
    follows: BoolArray

    @classmethod
    def of(cls, question: Question, held: Held, since: int) -> Windows | None:
        """None where fewer than `LEAST_WINDOWS` can be scored."""
        bars, span = question.bars, question.horizon * question.bars.period
        known = ~np.isnan(question.moves[0]) & ~np.isnan(held.margin[:-1]) & (bars.ts >= since)
        every = np.flatnonzero(known)
        at = every[bars.ts[every] % span == 0]
        if at.size < LEAST_WINDOWS:
            return None
        follows = np.append(False, np.diff(bars.ts[at]) == span)
        return cls(question, every, at, follows)

    @property
    def alpha(self) -> float:
        """Rate of breaches promised, without the dust of 1 - .99."""
        return round(1.0 - self.question.level, 9)

    def only(self, margin: FloatArray) -> Windows:
        """The windows at which this margin, too, is known."""
        keep = ~np.isnan(margin[self.at])
        every = self.every[~np.isnan(margin[self.every])]
        at, span = self.at[keep], self.question.horizon * self.question.bars.period
        follows = np.append(False, np.diff(self.question.bars.ts[at]) == span)
        return Windows(self.question, every, at, follows[: at.size])

    def picture(self, margin: FloatArray, hours: int) -> Picture:
        """For the page."""
        ts = self.question.bars.ts[self.at]
        return Picture(ts, self.question.moves[:, self.at], margin[self.at], hours)


def _margins(held: Held, challengers: Mapping[str, Asked]) -> dict[str, Asked]:
    return {PUSHED: Asked(held.margin, held.shortfall), FREE: held.asked, **challengers}


def _rows(job: Job, windows: Windows, margins: Mapping[str, Asked], held: Held) -> list[Row]:
    champion = margins.get(CHAMPION)
    rows = []
    for model, asked in margins.items():
        scored = windows.only(asked.value_at_risk)
        if scored.at.size < LEAST_WINDOWS:
            continue
        strict = held.at_open if model == PUSHED else None
        both = _both_sides(job, scored, asked)
        for side in Side:
            one = _one_side(scored, asked, champion, side, strict)
            rows.append(
                Row(
                    market=job.name,
                    symbol=job.symbol,
                    side=side.name.lower(),
                    hours=windows.question.horizon * job.bars.period // HOUR,
                    level=windows.question.level,
                    model=model,
                    **both,
                    **one,
                )
            )
    return rows


def _both_sides(job: Job, windows: Windows, asked: Asked) -> dict[str, Any]:
    """Figures of a margin that serves both sides."""
    bars, at = job.bars, windows.at
    losses, margin = windows.question.moves[:, at], asked.value_at_risk[at]
    static = figures.static_margin_at(losses, windows.question.level)
    reference = figures.total_shortfall(losses, np.full(at.size, static))
    scale = figures.scale_to_shortfall(losses, np.maximum(margin, LEAST_FORECAST), reference)
    fewer_losses, fewer_margins = figures.without_worst(losses, margin)
    held = np.where(np.isnan(asked.value_at_risk[:-1]), np.nan, asked.value_at_risk[:-1])
    held = np.where(np.isin(np.arange(held.size), windows.every), held, np.nan)
    raw, trimmed = figures.peak_to_trough(np.maximum(held, LEAST_FORECAST))
    rises = {
        f"rise_{days}d": figures.largest_rise(
            np.maximum(held, LEAST_FORECAST), bars.ts, bars.period, days
        )
        for days in (1, 5, 30)
    }
    return {
        "first": int(bars.ts[at[0]]),
        "last": int(bars.ts[at[-1]]),
        "windows": int(at.size),
        "effective": windows.every.size / windows.question.horizon,
        "average": float(np.mean(margin)),
        "equal_average": scale * float(np.mean(margin)),
        "static_average": static,
        "saving": figures.saving(losses, margin),
        "saving_without_worst": figures.saving(fewer_losses, fewer_margins),
        "peak_raw": raw,
        "peak_99": trimmed,
        **rises,
    }


def _one_side(
    windows: Windows, asked: Asked, champion: Asked | None, side: Side, strict: FloatArray | None
) -> dict[str, Any]:
    question, at, alpha = windows.question, windows.at, windows.alpha
    losses, margin = question.moves[side, at], asked.value_at_risk[at]
    breaches = losses > margin
    covered = statistics.coverage(breaches, alpha, windows.follows)
    everywhere = question.moves[side, windows.every] > asked.value_at_risk[windows.every]
    lacking = np.maximum(losses - margin, 0.0)
    found: dict[str, Any] = {
        "breaches": covered.breaches,
        "rate": covered.breaches / covered.windows,
        "rate_every_bar": float(np.mean(everywhere)),
        "most": covered.most,
        "too_many": covered.too_many,
        "kupiec_p": covered.kupiec.p_value,
        "independence_p": covered.independence.p_value,
        "conditional_p": covered.conditional.p_value,
        "zone": covered.zone,
        "worst": float(lacking.max()),
        "total": float(lacking.sum()),
        "strict_breaches": None,
        "strict_independence_p": None,
        **_scores(windows, asked, champion, losses),
    }
    if strict is not None:
        late = losses > strict[at]
        found["strict_breaches"] = int(np.count_nonzero(late))
        found["strict_independence_p"] = statistics.independence(late, windows.follows).p_value
    return found


def _scores(
    windows: Windows, asked: Asked, champion: Asked | None, losses: FloatArray
) -> dict[str, Any]:
    """Z2, Fissler-Ziegel and Diebold-Mariano, None where a model has no Expected Shortfall."""
    at, alpha = windows.at, windows.alpha
    margin, shortfall = _forecast(asked, at)
    if np.isnan(shortfall).any():
        return {"z2": None, "z2_critical": None, "fz": None, "dm": None, "dm_p": None}
    scores = statistics.fissler_ziegel(losses, margin, shortfall, alpha)
    found: dict[str, Any] = {
        "z2": statistics.acerbi_szekely(losses, margin, shortfall, alpha),
        "z2_critical": statistics.z2_critical(at.size, alpha),
        "fz": float(np.mean(scores)),
        "dm": None,
        "dm_p": None,
    }
    if champion is not None and asked is not champion:
        theirs, beyond = _forecast(champion, at)
        both = ~np.isnan(theirs)
        if np.count_nonzero(both) >= LEAST_WINDOWS:
            against = statistics.fissler_ziegel(losses[both], theirs[both], beyond[both], alpha)
            test = statistics.diebold_mariano(scores[both], against)
            found["dm"], found["dm_p"] = test.statistic, test.p_value
    return found


def _forecast(asked: Asked, at: IntArray) -> tuple[FloatArray, FloatArray]:
    margin = np.maximum(asked.value_at_risk[at], LEAST_FORECAST)
    return margin, np.maximum(asked.shortfall[at], margin)


def _years(job: Job, windows: Windows, margins: Mapping[str, Asked]) -> list[dict[str, Any]]:
    """Breaches of both sides by calendar year, for the models that are pictured."""
    found = []
    for model in PICTURED:
        if model not in margins:
            continue
        scored = windows.only(margins[model].value_at_risk)
        at = scored.at
        dates = job.bars.ts[at].astype("datetime64[s]").astype("datetime64[Y]")
        years = dates.astype(np.int64) + 1970
        breaches = scored.question.moves[:, at] > margins[model].value_at_risk[at]
        for year in np.unique(years):
            inside = years == year
            found.append(
                {
                    "market": job.name,
                    "hours": scored.question.horizon * job.bars.period // HOUR,
                    "level": scored.question.level,
                    "model": model,
                    "year": int(year),
                    "windows": 2 * int(np.count_nonzero(inside)),
                    "breaches": int(np.count_nonzero(breaches[:, inside])),
                }
            )
    return found


def _brackets(job: Job, level: float, held_by: Mapping[int, Held]) -> list[dict[str, Any]]:
    """Coverage of larger positions under the severity solved for the smallest."""
    if len(held_by) < 2:
        return []
    hours = list(held_by)
    horizons = [h * HOUR // job.bars.period for h in hours]
    asked = [held.asked for held in held_by.values()]
    found = []
    outcomes = Outcomes(adverse_moves(job.bars, horizons[0]), horizons[0], 1.0 - level)
    for k, margin in enumerate(hold_brackets(job.bars, asked, horizons, outcomes, job.rule)):
        moves = adverse_moves(job.bars, horizons[k])
        span = horizons[k] * job.bars.period
        known = ~np.isnan(moves[0]) & ~np.isnan(margin[:-1]) & (job.bars.ts % span == 0)
        at = np.flatnonzero(known & (job.bars.ts >= job.since))
        if at.size < LEAST_WINDOWS:
            continue
        for side in Side:
            breaches = moves[side, at] > margin[at]
            covered = statistics.coverage(breaches, round(1.0 - level, 9))
            found.append(
                {
                    "market": job.name,
                    "level": level,
                    "size": horizons[k] / horizons[0],
                    "hours": hours[k],
                    "side": side.name.lower(),
                    "windows": covered.windows,
                    "breaches": covered.breaches,
                    "most": covered.most,
                    "too_many": covered.too_many,
                    "zone": covered.zone,
                    "average": float(np.mean(margin[at])),
                }
            )
    return found


def _either(job: Job) -> dict[str, Any] | None:
    """The daily cell of RISK-MODEL 1: the worse side's loss against one margin at 99 %."""
    horizon = 24 * HOUR // job.bars.period
    moves = adverse_moves(job.bars, horizon).max(axis=0, keepdims=True)
    held = hold(job.bars, moves, horizon, 0.99, job.rule)
    question = Question(job.symbol, job.bars, moves, horizon, 0.99, {})
    windows = Windows.of(question, held, job.since)
    if windows is None:
        return None
    at = windows.at
    losses, margin = moves[0, at], held.margin[at]
    covered = statistics.coverage(losses > margin, 0.01, windows.follows)
    return {
        "market": job.name,
        "windows": covered.windows,
        "breaches": covered.breaches,
        "most": covered.most,
        "independence_p": covered.independence.p_value,
        "conditional_p": covered.conditional.p_value,
        "average": float(np.mean(margin)),
        "static_equal": figures.static_margin(losses, figures.total_shortfall(losses, margin)),
        "saving": figures.saving(losses[None, :], margin),
        "rise_5d": figures.largest_rise(
            held.margin[windows.every], job.bars.ts[windows.every], job.bars.period, 5
        ),
    }


def _time_update(job: Job) -> float:
    """Seconds of one day's work on one market, warm: every model's answer for the next bar."""
    started = time.perf_counter()
    bars, rule = job.bars, job.rule
    forecast(log_returns(bars))
    for hours in job.hours:
        horizon = hours * HOUR // bars.period
        moves = adverse_moves(bars, horizon)
        sigma = mixed_volatility(bars, *rule.half_lives(hours))
        sample = standardised(moves, sigma, rule.memory_days * figures.DAY // bars.period)
        for row in sample:
            for level in job.levels:
                tail(row, level, float(sigma[-1]))
            # A young market has too few excesses for a Pareto tail.
            with suppress(ValueError):
                fit_tail(row)
    return time.perf_counter() - started


def process_name() -> str:
    """This process among those of a cluster, whose hosts may use the same numbers."""
    return f"{platform.node()}:{os.getpid()}"


def _why_none(job: Job) -> str:
    if not job.hours:
        return f"{job.name}: bars of {job.bars.period} seconds fit into none of 1, 4 and 24 hours."
    if job.since and np.count_nonzero(job.bars.ts >= job.since) < LEAST_WINDOWS:
        day = np.datetime64(job.since, "s").astype("datetime64[D]")
        return f"{job.name}: fewer than {LEAST_WINDOWS} bars open from {day} on."
    days = len(job.bars) * job.bars.period / figures.DAY
    least = job.rule.least_days + job.rule.plan.first_days + SEED_HOURS // 24
    what = (
        "are too few" if days < least + LEAST_WINDOWS else "have too few in which the price moved"
    )
    return (
        f"{job.name}: {days:.0f} days of bars {what}; a market is listed after about {least} and "
        f"scored on {LEAST_WINDOWS} windows at least."
    )
