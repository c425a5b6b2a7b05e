"""Calm and storm rates voted from the past alone (RISK-MODEL 2.7), again and again.

At each vote, over what was asked in the look-back before it: calm is a low quantile per bracket,
storm the maximum, doubled while the history is shorter than two years. The same rules as
`policy.calibrate_schedule`, on the history of one pipeline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from oracle.backtest.chain import DAY, Vote
from oracle.engine.units import PPM
from oracle.feeds.bars import FloatArray, IntArray
from oracle.policy import (
    CALM_QUANTILE_SLOW,
    STORM_YEARS,
    YEAR,
    ppm_up,
)

BUFFER_PPM = 250_000
"""b: a maintenance rate leaves room for an initial one of (1 + b) times it below 100 %."""


@dataclass(frozen=True)
class VotePlan:
    """When governance votes, and how far it looks back.

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


def vote(rates: FloatArray, ts: IntArray, plan: VotePlan) -> list[Vote]:
    """All votes of a market.

    Args:
        rates: (K, n) marginal rates asked at each time, fractions, NaN where unknown.
        ts: (n,) when each was known, Unix seconds.

    Returns:
        Oldest first; each from entries strictly before its time. Empty when the history is shorter
        than `plan.first_days`.
    """
    known = np.flatnonzero(~np.isnan(rates).any(axis=0))
    if not known.size:
        return []
    seen, times = np.maximum.accumulate(rates[:, known], axis=0), ts[known]
    start = int(times[0])
    found = []
    for time in plan.times(start, int(times[-1])):
        oldest = max(start, time - round(plan.look_back_years * YEAR))
        first, last = np.searchsorted(times, [oldest, time], side="left")
        history = seen[:, first:last]
        if not history.size:
            continue
        stretch = 1.0 if time - start >= STORM_YEARS * YEAR else 2.0
        calm = _rising(np.quantile(history, plan.calm, axis=1))
        storm = _rising(history.max(axis=1) * stretch)
        found.append(Vote(time, calm, tuple(max(pair) for pair in zip(calm, storm, strict=True))))
    return found


def _rising(rates: Sequence[float] | FloatArray) -> tuple[int, ...]:
    """In ppm, inside what the chain accepts, never falling: the quantiles may cross."""
    most = PPM * PPM // (PPM + BUFFER_PPM)
    capped = [max(1, min(most, ppm_up(float(rate)))) for rate in rates]
    return tuple(int(rate) for rate in np.maximum.accumulate(capped))
