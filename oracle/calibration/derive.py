"""From recordings to a table that can be voted on, with the reason of every number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from oracle.calibrate import (
    EXTRA_HOURS,
    LOOK_BACK_YEARS,
    REFERENCE_DAYS,
    VOLUME_QUANTILE,
    bracket_bounds,
    reference_liquidity,
    stressed_volume,
)
from oracle.calibration.history import History
from oracle.engine.tiers import encode_decimal
from oracle.feeds.bars import Bars, FloatArray
from oracle.feeds.scenario import DAY
from oracle.models.fhs import Side
from oracle.models.haircuts import PegRisk, wrong_way_addon
from oracle.models.tails import BOTH, CostModel, RiskError, TailModel, Tails, estimate_series
from oracle.policy import (
    PPM,
    YEAR,
    Calibration,
    CollateralCalibration,
    Reason,
    Schedule,
    derive_haircuts,
    derive_schedule,
)
from oracle.risk import MIXTURE, TAIL, RuleName
from oracle.rule import RuleModel, rule_costs, rule_tails


@dataclass(frozen=True)
class Terms:
    """What a calibration is made with.

    Attributes:
        until: Unix seconds; nothing later is read.
        years: look-back of calm and storm.
        extra_hours: hours beyond tau0 that closing each bracket's bound takes.
        buffer: b of the chain, ppm.
        rule: of the markets (`oracle.risk`); tokens have the tail rule whatever it is.
        model, costs: of the tail rule; rule_model, rule_costs: of the mixture.
    """

    until: int
    years: int = LOOK_BACK_YEARS
    extra_hours: Sequence[float] = EXTRA_HOURS
    model: TailModel = field(default_factory=TailModel)
    costs: CostModel = field(default_factory=CostModel)
    buffer: int = 250_000
    rule: RuleName = MIXTURE
    rule_model: RuleModel = field(default_factory=RuleModel)
    rule_costs: CostModel = field(default_factory=rule_costs)


@dataclass(frozen=True)
class Derived:
    """One asset's table and why.

    Attributes:
        kind: "market" or "token"; symbol: its name; source: whose prices it was made from.
        notes: what somebody who votes should know, one sentence each.
        rule: that its numbers follow from, and that a keeper must run with it.
    """

    kind: str
    symbol: str
    source: str
    calibration: Calibration
    reasons: tuple[Reason, ...]
    estimates: int
    gaps: int
    notes: tuple[str, ...]
    rule: RuleName = TAIL

    @property
    def brackets(self) -> list[list[int]]:
        """Rows as governance proposes them: bound, IM calm and storm, MM calm and storm."""
        table = self.calibration.schedule
        columns = (table.bounds, table.calm_imr, table.storm_imr, table.calm_mmr, table.storm_mmr)
        return [list(row) for row in zip(*columns, strict=True)]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "kind": self.kind,
            "symbol": self.symbol,
            "source": self.source,
            "rule": self.rule,
            "brackets": self.brackets,
            "calibration": self.calibration.as_dict(),
            "reasons": [reason.as_dict() for reason in self.reasons],
            "estimates": self.estimates,
            "gaps": self.gaps,
            "notes": list(self.notes),
        }


def derive_market(history: History, terms: Terms) -> Derived:
    """A market's tier schedule, from bars complete at `terms.until`.

    Raises:
        RiskError: too short a history, or a market too thin for its brackets.
    """
    mark, recent = _known(history, terms)
    is_mixture = terms.rule == MIXTURE
    series = rule_tails(mark, terms.rule_model) if is_mixture else _estimates(mark, terms, BOTH)
    tails, first = _look_back(series, mark, terms)
    costs = terms.rule_costs if is_mixture else terms.costs
    calm = terms.rule_model.rule.plan.calm if is_mixture else None
    volume = stressed_volume(recent)
    bounds = bracket_bounds(volume, costs, terms.extra_hours)
    years = (terms.until - first) / YEAR
    schedule, reasons = derive_schedule(tails, bounds, volume, costs, years, terms.buffer, calm)
    _refuse_faults(history.symbol, schedule, terms.buffer)
    calibration = Calibration(
        schedule=schedule,
        volume_per_hour=volume,
        liquidity=reference_liquidity(mark, recent),
        first=first,
        last=int(tails.ts[-1]),
    )
    notes = [_move_note(schedule), *_history_notes(history, mark, years)]
    return Derived(
        "market", history.symbol, history.symbol, calibration, reasons, len(tails),
        len(mark.gaps()), tuple(notes), terms.rule,
    )  # fmt: skip


def derive_token(
    token: str,
    history: History,
    terms: Terms,
    markets: Sequence[History] = (),
    peg: PegRisk | None = None,
) -> Derived:
    """A collateral token's haircut schedule.

    Args:
        history: recordings of what the token is worth.
        markets: wrong-way risk is measured against the worst of them, on daily moves.
        peg: risk of a promise behind the token.

    Raises:
        RiskError: as `derive_market`.
    """
    terms = replace(terms, costs=replace(terms.costs, funding_per_hour=0.0))
    mark, recent = _known(history, terms)
    tails, first = _look_back(_estimates(mark, terms, (Side.LONG,)), mark, terms)
    volume = stressed_volume(recent)
    bounds = bracket_bounds(volume, terms.costs, terms.extra_hours)
    years = (terms.until - first) / YEAR
    wrong, against = _wrong_way(mark, [(m.symbol, _known(m, terms)[0]) for m in markets], terms)
    longest = terms.costs.hours(bounds[-1], volume)
    addon = 0.0 if peg is None else peg.addon(longest)
    schedule, reasons = derive_haircuts(tails, bounds, volume, terms.costs, years, addon, wrong)
    _refuse_faults(token, schedule, 0)
    calibration = CollateralCalibration(
        schedule=schedule,
        volume_per_hour=volume,
        liquidity=reference_liquidity(mark, recent),
        first=first,
        last=int(tails.ts[-1]),
        peg=addon,
        wrong_way=wrong,
    )
    notes = [
        f"Wrong-way add-on {wrong:.3f}" + (f", against {against}." if against else ": none."),
        f"Peg add-on {addon:.4f}.",
        *_history_notes(history, mark, years),
    ]
    return Derived(
        "token", token, history.symbol, calibration, reasons, len(tails), len(mark.gaps()),
        tuple(notes),
    )  # fmt: skip


def daily_moves(bars: Bars) -> tuple[FloatArray, FloatArray]:
    """Unix days, and simple returns between the last closes of days that follow each other."""
    days = bars.ts // DAY
    last = np.flatnonzero(np.append(days[1:] != days[:-1], True))
    joined = np.diff(days[last]) == 1
    moves = bars.close[last][1:] / bars.close[last][:-1] - 1.0
    return days[last][1:][joined], moves[joined]


def _known(history: History, terms: Terms) -> tuple[Bars, Bars]:
    """Mark bars and the traded bars of the reference month, complete at `until`."""
    mark = history.mark.before(terms.until)
    recent = history.traded.before(terms.until)
    recent = recent.between(terms.until - REFERENCE_DAYS * DAY, terms.until)
    if not len(mark) or not len(recent):
        raise RiskError(
            f"{history.symbol}: nothing is recorded in the {REFERENCE_DAYS} days before the "
            "calibration."
        )
    return mark, recent


def _estimates(mark: Bars, terms: Terms, sides: Sequence[Side]) -> Tails:
    return estimate_series(mark, terms.model, sides)


def _look_back(series: Tails, mark: Bars, terms: Terms) -> tuple[Tails, int]:
    """Estimates inside the look-back, and Unix seconds of its first price."""
    first = max(int(mark.ts[0]), terms.until - terms.years * YEAR)
    tails = series.between(first, terms.until + 1)
    if not len(tails):
        raise RiskError("there is no estimate inside the look-back.")
    return tails, first


def _wrong_way(mark: Bars, markets: Sequence[tuple[str, Bars]], terms: Terms) -> tuple[float, str]:
    """Largest add-on over markets and sides, and which it was."""
    since = (terms.until - terms.years * YEAR) // DAY
    days, moves = daily_moves(mark)
    worst, against = 0.0, ""
    for symbol, bars in markets:
        other_days, other = daily_moves(bars)
        common, here, there = np.intersect1d(days, other_days, return_indices=True)
        recent = common >= since
        if int(recent.sum()) < 100:
            continue
        falls, position = -moves[here][recent], other[there][recent]
        for side, losses in (("long", -position), ("short", position)):
            addon = wrong_way_addon(falls, losses)
            if addon > worst:
                worst, against = addon, f"{side} {symbol}"
    return worst, against


def _refuse_faults(symbol: str, schedule: Schedule, buffer: int) -> None:
    faults = schedule.faults(buffer)
    faults += [
        f"the bound {bound} has more digits than the chain stores."
        for bound in schedule.bounds
        if encode_decimal(bound) is None
    ]
    if faults:
        raise RiskError(f"{symbol}: {faults[0]}")


def _move_note(schedule: Schedule) -> str:
    room = schedule.calm_imr[0]
    return (
        f"The chain wants max_move plus the larger fee at most calm IMR_0, {room} ppm "
        f"({room / PPM:.2%})."
    )


def _history_notes(history: History, mark: Bars, years: float) -> list[str]:
    notes = [
        f"Storm is doubled: the history is {years:.2f} years, shorter than two."
        if years < 2.0
        else f"The history is {years:.2f} years, nothing is doubled."
    ]
    if not history.has_mark:
        notes.append("No mark is recorded: prices are last trades, whose prints overstate storms.")
    missing = sum(gap.missing for gap in mark.gaps())
    if missing:
        notes.append(f"{missing} hours are missing; no return is formed across them.")
    return notes


def summary(terms: Terms) -> dict[str, Any]:
    """The terms as plain values, for a report."""
    return {
        "until": terms.until,
        "look_back_years": terms.years,
        "extra_hours": list(terms.extra_hours),
        "reference_days": REFERENCE_DAYS,
        "volume_quantile": VOLUME_QUANTILE,
        "buffer_ppm": terms.buffer,
        "rule": terms.rule,
        "rule_model": asdict(terms.rule_model),
        "rule_costs": asdict(terms.rule_costs),
        "model": dict(vars(terms.model)),
        "costs": dict(vars(terms.costs)),
    }
