"""From bars to the rates the chain would have held: ask, vote, push."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from oracle.backtest.votes import Ballots
from oracle.feeds.bars import Bars, FloatArray, IntArray
from oracle.line import Outcomes, Pushed, Vote, push_through
from oracle.models.target import Asked, ask
from oracle.rule import Rule


@dataclass(frozen=True, eq=False)
class Held:
    """One pipeline of a market.

    Attributes:
        asked: by the keeper at each open, (n + 1,).
        pushed: the chain's line.
        margin, shortfall: (n + 1,) the rate held as scored, and the Expected Shortfall it stands
            for; NaN before the first vote.
        at_open: (n + 1,) the rate in the block of the push at the open.
    """

    asked: Asked
    pushed: Pushed
    margin: FloatArray
    shortfall: FloatArray
    at_open: FloatArray


def opens(bars: Bars) -> IntArray:
    """(n + 1,) open times, the last of the bar that has not happened."""
    return np.append(bars.ts, bars.ts[-1] + bars.period)


def hold(
    bars: Bars,
    moves: FloatArray,
    horizon: int,
    level: float,
    rule: Rule,
    votes: Sequence[Vote] | None = None,
) -> Held:
    """Run one market through ask, vote and push; nothing at t depends on bars from t on.

    Args:
        moves: (S, n) path-wise losses over `horizon` bars; the worst row drives the rate.
        votes: tables in force instead of those that the rule votes.
    """
    asked = ask(bars, moves, horizon, level, rule)
    return hold_asked(bars, asked, Outcomes(moves, horizon, 1.0 - level), rule, votes)


def hold_asked(
    bars: Bars,
    asked: Asked,
    outcomes: Outcomes,
    rule: Rule,
    votes: Sequence[Vote] | None = None,
) -> Held:
    """Vote and push for what was asked."""
    var = asked.value_at_risk
    draft = None
    if votes is None:
        ballots = Ballots.of(var[None, :], opens(bars), rule.plan)
        votes, draft = ballots.regular(), ballots.table
    pushed = push_through(var, bars.ts, bars.period, votes, rule.chain, outcomes, draft)
    margin = pushed.rates()
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(var > 0.0, asked.shortfall / var, 1.0)
    return Held(asked, pushed, margin, margin * ratio, pushed.rates(at_open=True))


def hold_brackets(
    bars: Bars,
    asked: Sequence[Asked],
    horizons: Sequence[int],
    outcomes: Outcomes,
    rule: Rule,
) -> list[FloatArray]:
    """(n + 1,) average rate of positions that take each horizon to close, under one severity.

    A position that takes h bars is h / horizons[0] times as large as the smallest; brackets end at
    those sizes, their rates are marginal, ``(L(U_k) - L(U_k-1)) / (U_k - U_k-1)`` with
    ``L(N) = N * need(tau(N))``, and the severity covers bracket 0 alone (RISK-MODEL 2.7).

    Args:
        asked, horizons: one each, shortest first, in bars.
        outcomes: of the shortest.
    """
    bounds = [h / horizons[0] for h in horizons]
    needed = np.stack([a.value_at_risk * u for a, u in zip(asked, bounds, strict=True)])
    steps = np.diff(needed, axis=0, prepend=0.0)
    widths = np.diff(np.array(bounds), prepend=0.0)
    rates = np.maximum.accumulate(steps / widths[:, None], axis=0)
    ballots = Ballots.of(rates, opens(bars), rule.plan)
    regular, draft = ballots.regular(), ballots.table
    pushed = push_through(rates[0], bars.ts, bars.period, regular, rule.chain, outcomes, draft)
    return [pushed.average_rate(bounds, k) for k in range(len(bounds))]
