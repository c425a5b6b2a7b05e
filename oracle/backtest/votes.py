"""Calm and storm rates voted from the past alone (RISK-MODEL 2.7), again and again.

Votes come in turn, and out of turn where the line is saturated (`line.EarlyVotes`), both by the
same tables: over what was asked in the look-back before it, calm is a low quantile per bracket,
storm the maximum, doubled while the history is shorter than two years. The same rules as
`policy.calibrate_schedule`, on the history of one pipeline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from oracle.engine.units import PPM
from oracle.feeds.bars import FloatArray, IntArray
from oracle.line import Vote
from oracle.policy import STORM_YEARS, YEAR, ppm_up
from oracle.rule import VotePlan

BUFFER_PPM = 250_000
"""b: a maintenance rate leaves room for an initial one of (1 + b) times it below 100 %."""


@dataclass(frozen=True, eq=False)
class Ballots:
    """What the votes of one market are made from.

    Attributes:
        rates: (K, T) marginal rates asked, fractions, never falling from bracket to bracket.
        times: (T,) when each was known, Unix seconds.
        plan: of the votes.
    """

    rates: FloatArray
    times: IntArray
    plan: VotePlan

    @classmethod
    def of(cls, rates: FloatArray, ts: IntArray, plan: VotePlan) -> Self:
        """From (K, n) rates asked at (n,) times, NaN where unknown."""
        known = np.flatnonzero(~np.isnan(rates).any(axis=0))
        return cls(np.maximum.accumulate(rates[:, known], axis=0), ts[known], plan)

    def regular(self) -> list[Vote]:
        """All votes in turn, oldest first; none where the history is shorter than `first_days`."""
        if not self.times.size:
            return []
        planned = self.plan.times(int(self.times[0]), int(self.times[-1]))
        return [self.table(time, time) for time in planned if self._history(time).size]

    def table(self, decided: int, time: int) -> Vote:
        """The table in force from `time`, from what was asked strictly before `decided`."""
        history = self._history(decided)
        is_young = decided - int(self.times[0]) < STORM_YEARS * YEAR
        calm = _rising(np.quantile(history, self.plan.calm, axis=1))
        storm = _rising(history.max(axis=1) * (2.0 if is_young else 1.0))
        return Vote(time, calm, tuple(max(pair) for pair in zip(calm, storm, strict=True)))

    def _history(self, decided: int) -> FloatArray:
        oldest = max(int(self.times[0]), decided - round(self.plan.look_back_years * YEAR))
        first, last = np.searchsorted(self.times, [oldest, decided], side="left")
        return self.rates[:, first:last]


def _rising(rates: Sequence[float] | FloatArray) -> tuple[int, ...]:
    """In ppm, inside what the chain accepts, never falling: the quantiles may cross."""
    most = PPM * PPM // (PPM + BUFFER_PPM)
    capped = [max(1, min(most, ppm_up(float(rate)))) for rate in rates]
    return tuple(int(rate) for rate in np.maximum.accumulate(capped))
