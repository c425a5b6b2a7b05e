"""Calm and storm rates voted from the past alone (RISK-MODEL 2.7), again and again.

At each vote, over what was asked in the look-back before it: calm is a low quantile per bracket,
storm the maximum, doubled while the history is shorter than two years. The same rules as
`policy.calibrate_schedule`, on the history of one pipeline.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from oracle.engine.units import PPM
from oracle.feeds.bars import FloatArray, IntArray
from oracle.line import Vote
from oracle.policy import STORM_YEARS, YEAR, ppm_up
from oracle.rule import VotePlan

BUFFER_PPM = 250_000
"""b: a maintenance rate leaves room for an initial one of (1 + b) times it below 100 %."""


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
