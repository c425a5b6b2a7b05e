"""What a setting costs on recorded markets, and what it may not do.

``J = mean(m) + mean((X - m)+) / alpha + mean((m_t - m_{t-1})+)`` over windows that do not overlap,
for each market in units of its first margins, averaged over both sides. The weight 1/alpha is no
choice: it makes the best margin the quantile, ``d/dm = 1 - P(X > m)/alpha = 0``. The last term is
what held positions are called for when the rate rises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from oracle.backtest import figures
from oracle.backtest.cells import LEAST_WINDOWS
from oracle.backtest.pipeline import hold_asked
from oracle.backtest.statistics import basel_zone, kupiec_region
from oracle.feeds.bars import HOUR, Bars, BoolArray, FloatArray, IntArray
from oracle.line import Outcomes
from oracle.models.fhs import adverse_moves
from oracle.models.overlay import Overlay, historical_floor, stressed, target
from oracle.models.target import DAY, Asked, ask
from oracle.rule import Rule

MOST_RISE = 2.5
LEAST_COVERED = 0.95
TRUST = 0.20


@dataclass(frozen=True)
class Setting:
    """The few parameters that are tuned; all else of the rule stays.

    Attributes:
        buffer: k; stress_weight: w; floor_weight: phi (`oracle.models.overlay`).
        calm: quantile of history that the calm rate is.
    """

    buffer: float
    stress_weight: float
    floor_weight: float
    calm: float

    @classmethod
    def of(cls, rule: Rule) -> Setting:
        """The setting inside a rule."""
        over = rule.overlay
        return cls(over.buffer, over.stress_weight, over.floor_weight, rule.plan.calm)

    def on(self, rule: Rule) -> Rule:
        """The rule with this setting."""
        overlay = Overlay(self.buffer, self.stress_weight, self.floor_weight)
        return replace(rule, overlay=overlay, plan=replace(rule.plan, calm=self.calm))


@dataclass(frozen=True, eq=False)
class Prepared:
    """One market at one horizon, with everything that no setting changes.

    Attributes:
        name: of the market; moves: (2, n); var, ratio, stress, floor: (n + 1,) the untempered
            quantile, shortfall over it, and what the overlay mixes in.
        at: positions of non-overlapping windows with a loss; ts: (T,) when they open.
        unit: mean quantile of the first year, to make markets comparable.
    """

    name: str
    bars: Bars
    moves: FloatArray
    horizon: int
    var: FloatArray
    ratio: FloatArray
    stress: FloatArray
    floor: FloatArray
    at: IntArray
    ts: IntArray
    unit: float

    @property
    def seconds(self) -> int:
        """From a window's open to its end."""
        return self.horizon * self.bars.period


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one setting did in one market: (T,) margins of the prepared windows, NaN unknown."""

    margin: FloatArray
    cost: FloatArray
    breaches: FloatArray


def prepare(name: str, bars: Bars, hours: int, level: float, rule: Rule) -> Prepared | None:
    """None where the bars cannot tell the horizon or fewer than `LEAST_WINDOWS` are known."""
    if hours * HOUR % bars.period:
        return None
    horizon = hours * HOUR // bars.period
    moves = adverse_moves(bars, horizon)
    plain = replace(rule, overlay=Overlay())
    asked = ask(bars, moves, horizon, level, plain)
    var = asked.value_at_risk
    span = horizon * bars.period
    known = ~np.isnan(moves[0]) & ~np.isnan(var[:-1]) & (bars.ts % span == 0)
    at = np.flatnonzero(known)
    if at.size < LEAST_WINDOWS:
        return None
    least, window = (max(2, d * DAY // bars.period) for d in (rule.least_days, rule.floor_days))
    first_year = var[at[bars.ts[at] < bars.ts[at[0]] + 365 * DAY]]
    return Prepared(
        name=name,
        bars=bars,
        moves=moves,
        horizon=horizon,
        var=var,
        ratio=np.where(var > 0.0, asked.shortfall / np.where(var > 0.0, var, 1.0), 1.0),
        stress=stressed(var, max(1, rule.stress_days * DAY // bars.period)),
        floor=historical_floor(moves, horizon, level, window, least).max(axis=0),
        at=at,
        ts=bars.ts[at],
        unit=float(np.mean(first_year)),
    )


def run(prepared: Prepared, rule: Rule, level: float) -> Outcome:
    """The pushed margins of one market under a rule, and what each window cost."""
    alpha = 1.0 - level
    wanted = target(prepared.var, prepared.stress, prepared.floor, rule.overlay)
    asked = Asked(wanted, wanted * prepared.ratio)
    outcomes = Outcomes(prepared.moves, prepared.horizon, alpha)
    margin = hold_asked(prepared.bars, asked, outcomes, rule).margin[prepared.at]
    losses = prepared.moves[:, prepared.at]
    lacking = np.maximum(losses - margin, 0.0).mean(axis=0)
    called = np.maximum(np.diff(margin, prepend=margin[0]), 0.0)
    cost = (margin + lacking / alpha + np.nan_to_num(called)) / prepared.unit
    breaches = np.where(np.isnan(margin), np.nan, (losses > margin).astype(np.float64))
    return Outcome(margin, cost, breaches)


def mean_cost(markets: Sequence[Prepared], outcomes: Sequence[Outcome], span: range) -> float:
    """J over the windows inside `span` (Unix seconds), markets weighing the same."""
    found = []
    for market, outcome in zip(markets, outcomes, strict=True):
        inside = within(market, outcome, span)
        if inside.any():
            found.append(float(np.mean(outcome.cost[inside])))
    return float(np.mean(found)) if found else float("nan")


def violation(
    markets: Sequence[Prepared],
    outcomes: Sequence[Outcome],
    incumbent: Sequence[Outcome],
    span: range,
    level: float,
) -> float:
    """0 where every hard constraint holds, else by how much they fail together.

    Coverage: not too many breaches in 95 % of cells and no red zone. Rise: at most 2.5 in five
    days. Trust: no market's mean margin moves by more than 20 %. Rates that fall with size or calm
    above storm cannot arise: votes are made monotone.
    """
    alpha = round(1.0 - level, 9)
    failed, cells, red, excess = 0, 0, 0, 0.0
    for market, outcome, before in zip(markets, outcomes, incumbent, strict=True):
        inside = within(market, outcome, span)
        if np.count_nonzero(inside) < LEAST_WINDOWS:
            continue
        for side in outcome.breaches[:, inside]:
            count, size = int(side.sum()), side.size
            cells += 1
            failed += count > kupiec_region(size, alpha)[1]
            red += basel_zone(count, size, alpha) == "red"
        ts, margin = market.ts[inside], outcome.margin[inside]
        rise = figures.largest_rise(margin, ts, market.seconds, 5)
        excess += max(0.0, rise - MOST_RISE)
        moved = float(np.mean(margin) / np.mean(before.margin[inside])) - 1.0
        excess += max(0.0, abs(moved) - TRUST)
    uncovered = max(0.0, failed / cells - (1.0 - LEAST_COVERED)) if cells else 0.0
    return uncovered + red + excess


def within(market: Prepared, outcome: Outcome, span: range) -> BoolArray:
    """(T,) windows that open and end inside the span and whose margin is known."""
    ended = market.ts + market.seconds <= span.stop
    inside: BoolArray = (market.ts >= span.start) & ended & ~np.isnan(outcome.margin)
    return inside
