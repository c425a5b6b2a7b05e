"""Calibrate schedules from what was known at a time: of a replay, or of any folder of history.

``python -m oracle.calibrate scenarios`` prints the JSON kept as ``oracle/data/calibration.json``;
``python -m oracle.calibrate markets DIR`` (also ``ape run calibrate``, see `oracle.calibration`)
makes tables for governance, by the backtested rule (`oracle.rule`) unless told otherwise; those of
the replays are of the tail rule (`oracle.models.tails`) and stay as they are.

History of the replays. Storm is the maximum of a history, so its length decides it. Mark bars begin
2019-12-23, eleven weeks before the replay of March 2020; doubling the maximum of eleven quiet weeks
would be a guess. The history before the first mark estimate is therefore spot closes from 2018-01,
which hold the fall of BTC from 17,070 to 6,043 USD in five weeks. From 2018-01 to 2020-03 is more
than two years, so nothing is doubled. A close hides the path inside its hour: estimates from closes
are multiplied, per horizon, by how much worse the worst 5 % of moves are on mark bars than between
closes while both exist (`path_factor`: 1.35 to 1.37 at one hour, 1.21 to 1.26 at seven).

The look-back is four years, the stress look-back of the risk model. For February 2026 it begins
2022-02 and leaves March 2020 and May 2021 out: with them the storm rates are those of March 2020,
and the sell-off of 2026 moves the severity of BTC from .07 to .12 only.

Nothing after a replay's start is read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import numpy as np

from oracle.feeds.bars import Bars, FeedError, FloatArray, load_closes
from oracle.feeds.scenario import DATA, DAY, Scenario, load_scenario
from oracle.models.fhs import adverse_moves, tail
from oracle.models.tails import (
    HOURS_PER_DAY,
    CostModel,
    RiskError,
    TailModel,
    Tails,
    estimate,
    stack,
)
from oracle.policy import (
    BOUND_STEP,
    YEAR,
    Calibration,
    calibrate_schedule,
    liquidity,
)
from oracle.risk import with_volume

STRIDE = 6
LOOK_BACK_YEARS: int = 4
REFERENCE_DAYS: int = 30
VOLUME_QUANTILE: float = 0.1
EXTRA_HOURS: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0, 3.0, 6.0)
"""Hours beyond tau0 that closing each bracket's bound takes."""


def tail_history(bars: Bars, model: TailModel, stride: int = STRIDE) -> Tails:
    """Estimates at every `stride`-th bar, each from the window that ended there.

    Raises:
        RiskError: fewer bars than one window.
    """
    if len(bars) < model.window_bars:
        raise RiskError(f"{len(bars)} bars are fewer than a window of {model.window_bars}.")
    ends = range(len(bars), model.window_bars - 1, -stride)
    return stack([estimate(bars.slice(e - model.window_bars, e), model) for e in reversed(ends)])


def path_factor(mark: Bars, closes: Bars, horizon: int) -> float:
    """How much worse the worst 5 % of moves are on the path than between closes.

    The mean of the moves above their 95 % quantile, both sides pooled, from mark bars, over the
    same from closes, in the hours both have.

    Raises:
        RiskError: fewer than 1,000 common windows.
    """
    both = np.intersect1d(mark.ts, closes.ts)
    if both.size < 1000:
        raise RiskError(f"{both.size} hours of both mark and closes are too few to compare them.")
    worst = []
    for bars in (mark, closes):
        moves = adverse_moves(bars.between(int(both[0]), int(both[-1]) + 1), horizon)
        worst.append(tail(moves[~np.isnan(moves)], 0.95).expected_shortfall)
    return worst[0] / worst[1]


def lengthened(path: Tails, closes: Tails, factors: FloatArray, call_factor: float) -> Tails:
    """`path`, preceded by the close estimates made before it, scaled to the path per horizon."""
    older = closes.between(0, int(path.ts[0]))
    scaled = np.maximum.accumulate(older.shortfalls * factors, axis=1)
    return stack([Tails(older.ts, older.sigma, scaled, older.call * call_factor), path])


def stressed_volume(traded: Bars) -> float:
    """USD an hour: the 10 % quantile of the 24-hour mean.

    Raises:
        RiskError: no volume, or less than a day of it.
    """
    if traded.volume is None or len(traded) < HOURS_PER_DAY:
        raise RiskError("stressed volume needs a day of traded bars.")
    usd = traded.volume * traded.close
    means = np.convolve(usd, np.full(HOURS_PER_DAY, 1.0 / HOURS_PER_DAY), mode="valid")
    return float(np.quantile(means, VOLUME_QUANTILE))


def reference_liquidity(mark: Bars, traded: Bars) -> float:
    """Median over whole days of `liquidity`: what depth 1 means.

    Raises:
        RiskError: no whole day.
    """
    bars = with_volume(mark, traded)
    starts = range(len(bars) - HOURS_PER_DAY, -1, -HOURS_PER_DAY)
    days = [liquidity(bars.slice(s, s + HOURS_PER_DAY)) for s in starts]
    if not days:
        raise RiskError("a depth reference needs a day of traded bars.")
    return float(np.median(days))


def bracket_bounds(
    volume_per_hour: float, costs: CostModel, extra_hours: Sequence[float] = EXTRA_HOURS
) -> tuple[int, ...]:
    """Notional bounds in USD that take tau0 plus `extra_hours` to close: two digits, down to 1,000.

    Raises:
        RiskError: the market is so thin that two bounds fall together.
    """
    exact = [hours * costs.participation * volume_per_hour for hours in extra_hours]
    bounds = tuple(_two_digits(bound) for bound in exact)
    if bounds[0] < BOUND_STEP or len(set(bounds)) < len(bounds):
        raise RiskError(
            f"{volume_per_hour:.0f} USD an hour is too thin for {len(bounds)} brackets."
        )
    return bounds


def calibrate_market(
    mark: Bars,
    traded: Bars,
    closes: Bars | None,
    start: int,
    model: TailModel,
    costs: CostModel,
) -> Calibration:
    """One market's schedule and references, from bars complete at `start`.

    Args:
        mark: hourly mark bars; later ones are ignored.
        traded: hourly bars with volume; the 30 days before `start` are used.
        closes: hourly close-only bars from before the mark began, or None.

    Raises:
        RiskError: any of the histories is too short.
    """
    known = mark.before(start)
    history, first = tail_history(known, model), int(mark.ts[0])
    if closes is not None:
        older = closes.before(start)
        factors = [path_factor(known, older, h) for h in range(1, model.horizon + 1)]
        call = factors[model.call_horizon - 1]
        history = lengthened(history, tail_history(older, model), np.array(factors), call)
        first = int(closes.ts[0])
    first = max(first, start - LOOK_BACK_YEARS * YEAR)
    history = history.between(first, start + 1)
    recent = traded.between(start - REFERENCE_DAYS * DAY, start)
    volume = stressed_volume(recent)
    bounds = bracket_bounds(volume, costs)
    return Calibration(
        schedule=calibrate_schedule(history, bounds, volume, costs, (start - first) / YEAR),
        volume_per_hour=volume,
        liquidity=reference_liquidity(mark.before(start), recent),
        first=first,
        last=int(history.ts[-1]),
    )


def calibrate_scenario(
    scenario: Scenario, model: TailModel | None = None, costs: CostModel | None = None
) -> dict[str, Calibration]:
    """Every market of a scenario, by symbol, from what was known at its start."""
    return {
        symbol: calibrate_market(
            scenario.mark[symbol],
            scenario.traded[symbol],
            spot_closes(symbol, scenario.start),
            scenario.start,
            model or TailModel(),
            costs or CostModel(),
        )
        for symbol in scenario.symbols
    }


def spot_closes(symbol: str, start: int) -> Bars | None:
    """Spot closes from 2018 where the look-back from `start` reaches behind the mark bars."""
    closes = load_closes(DATA / "spot_1h" / f"{symbol}.csv.gz")
    return closes if start - LOOK_BACK_YEARS * YEAR < closes.ts[-1] else None


def load_calibration(name: str) -> dict[str, Calibration]:
    """The kept calibration of a scenario, by symbol.

    Raises:
        FeedError: no such scenario.
    """
    kept = json.loads((DATA / "calibration.json").read_text())
    if name not in kept:
        raise FeedError(f"calibration.json: there is no scenario {name!r}.")
    return {symbol: Calibration.from_dict(data) for symbol, data in kept[name].items()}


def as_json(names: Sequence[str]) -> str:
    """The calibration of each scenario as JSON text, recomputed."""
    found = {
        name: {s: c.as_dict() for s, c in calibrate_scenario(load_scenario(name)).items()}
        for name in names
    }
    return json.dumps(found, indent=1) + "\n"


def _two_digits(bound: float) -> int:
    """The bound cut down to two significant digits and to a multiple of 1,000."""
    step = max(BOUND_STEP, 10 ** (math.floor(math.log10(max(bound, 1.0))) - 1))
    return int(bound // step) * int(step)


if __name__ == "__main__":
    # The command line builds on this module, so it is only read when it is asked for.
    from oracle.calibration.command import cli

    cli(prog_name="python -m oracle.calibrate")
