"""The rule: how margin is asked for, pushed and voted. The backtest scores it, the keeper runs it.

What a margin must be is `oracle.models.target`; how the keeper brings it to the chain, with its
restraint and feedback, is `oracle.line`; when tables are voted, and what calm is, is `VotePlan`.
The defaults are the published ones (docs/backtest.md): `oracle.backtest`, `oracle.calibration` and
`oracle.risk.RuleEstimator` all take them from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from oracle.feeds.bars import HOUR, Bars, IntArray
from oracle.line import ChainRules, EarlyVotes, Feedback, Outcomes, Vote, push_through
from oracle.models.fhs import adverse_moves
from oracle.models.overlay import Overlay
from oracle.models.tails import CostModel, RiskError, Tails
from oracle.models.target import DAY, Target, ask, mixed_volatility
from oracle.policy import CALM_QUANTILE_SLOW, Limits


@dataclass(frozen=True)
class VotePlan:
    """When governance votes in turn, and how far it looks back (`line.EarlyVotes`: out of turn).

    Attributes:
        first_days: of known asks before the market is listed.
        every_days: between votes; a young market is voted on each time its history has doubled
            until that is longer.
        look_back_years: longest history used.
        calm: quantile of it that calm is, at every size. RISK-MODEL 2.7 takes 25 % where closing
            takes five hours or more and 5 % below; measured, 25 % everywhere costs the same at
            equal shortfall and breaks up the clusters of breaches (docs/backtest.md).
    """

    first_days: int = 30
    every_days: int = 365
    look_back_years: float = 4.0
    calm: float = CALM_QUANTILE_SLOW

    def times(self, start: int, end: int) -> list[int]:
        """Of votes after a first ask at `start`: listing, its doublings, then regularly."""
        age, found = self.first_days, []
        while start + age * DAY <= end:
            found.append(start + age * DAY)
            age += min(age, self.every_days)
        return found


@dataclass(frozen=True)
class Rule(Target):
    """Every choice of the pipeline.

    Attributes:
        plan: when tier tables are voted.
        chain: steps, clocks and the keeper's own restraint.
    """

    plan: VotePlan = field(default_factory=VotePlan)
    chain: ChainRules = field(default_factory=lambda: ChainRules(rise=1.98))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The rule that `dataclasses.asdict` wrote."""
        chain = dict(data["chain"])
        chain["limits"] = Limits(**chain["limits"])
        chain["feedback"] = Feedback(**chain["feedback"])
        chain["early"] = EarlyVotes(**chain["early"])
        parts = {
            "multiples": tuple(data["multiples"]),
            "weights": tuple(data["weights"]),
            "overlay": Overlay(**data["overlay"]),
            "plan": VotePlan(**data["plan"]),
            "chain": ChainRules(**chain),
        }
        return cls(**{**data, **parts})


@dataclass(frozen=True)
class RuleModel:
    """The rule as a keeper runs it, on hourly bars.

    Three years: each ask of the last year has its two years of losses, and a year is what feedback
    needs to forget (from its most to nothing in about 9,000 quiet hours).

    Attributes:
        level: of the quantile.
        window_days: of bars an answer is made from; a younger market has fewer.
        horizon: longest horizon of a calibration, bars.
        call_horizon: bars a trader has to answer a margin call.
    """

    rule: Rule = field(default_factory=Rule)
    level: float = 0.99
    window_days: int = 1096
    horizon: int = 7
    call_horizon: int = 4

    @property
    def window_bars(self) -> int:
        """Bars an answer is made from, at most."""
        return self.window_days * DAY // HOUR

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The model that `dataclasses.asdict` wrote."""
        return cls(**{**data, "rule": Rule.from_dict(data["rule"])})


def rule_costs() -> CostModel:
    """Costs beside the price: none, as in the backtest. Bracket 0 closes in one hour, the horizon
    the ask is made at; what is larger takes longer by what it has to wait for volume."""
    return CostModel(fee=0.0, funding_per_hour=0.0, impact=0.0, horizon=0.75, least=1.0)


def asked_series(window: Bars, model: RuleModel, calm: int, storm: int) -> IntArray:
    """(n + 1,) what the keeper asks for at each open, ppm of notional; -1 where it cannot.

    The walk of the backtest (`line.push_through`) through the window, under one table of bracket 0
    that is in force from its beginning: feedback learns from the line the chain would have held,
    and restraint looks at it. A function of the window and the table alone.

    Args:
        calm, storm: maintenance rates of bracket 0, ppm.

    Raises:
        RiskError: bars that are not hourly.
    """
    _refuse_odd(window)
    moves = adverse_moves(window, 1)
    need = ask(window, moves, 1, model.level, model.rule).value_at_risk
    table = Vote(int(window.ts[0]), (calm,), (storm,))
    outcomes = Outcomes(moves, 1, 1.0 - model.level)
    chain = model.rule.chain
    return push_through(need, window.ts, window.period, [table], chain, outcomes).asked


def rule_tails(bars: Bars, model: RuleModel) -> Tails:
    """What is needed at horizons of 1 .. H bars at the end of every bar, before feedback and
    restraint: what votes are made from. `Tails.shortfalls` holds the quantiles at `model.level`,
    `Tails.call` the Expected Shortfall at the call horizon.

    Raises:
        RiskError: bars that are not hourly, or too few.
    """
    _refuse_odd(bars)
    asked = {
        h: ask(bars, adverse_moves(bars, h), h, model.level, model.rule)
        for h in sorted({*range(1, model.horizon + 1), model.call_horizon})
    }
    rows = np.stack([asked[h].value_at_risk for h in range(1, model.horizon + 1)], axis=1)
    call = asked[model.call_horizon].shortfall
    known = np.flatnonzero(np.isfinite(rows).all(axis=1) & np.isfinite(call))
    known = known[known > 0]
    if not known.size:
        days = model.rule.least_days
        raise RiskError(f"{len(bars)} bars leave no time with {days} days of losses.")
    sigma = mixed_volatility(bars, *model.rule.half_lives(1.0))
    return Tails(
        ts=bars.ts[known - 1] + bars.period,
        sigma=sigma[known],
        shortfalls=np.maximum.accumulate(rows[known], axis=1),
        call=call[known],
    )


def _refuse_odd(bars: Bars) -> None:
    if bars.period != HOUR or not len(bars):
        raise RiskError(f"the rule runs on hourly bars, got {len(bars)} of {bars.period} seconds.")
