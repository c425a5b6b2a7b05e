"""Feedback: adaptive conformal control of the level a quantile is taken at.

``alpha <- clip(alpha + gamma * (alpha* - breach))``: a breach makes the next margin dearer, each
quiet bar a little cheaper, so that breaches come at the rate alpha* in the long run whatever the
model (Gibbs and Candès, "Adaptive conformal inference under distribution shift", NeurIPS 2021,
equation 2). A control, not a proof: clipping bounds what it can repair.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from oracle.feeds.bars import FloatArray
from oracle.models.fhs import sliding_largest

GAMMA = 0.002


@dataclass(frozen=True)
class Feedback:
    """Parameters of the control.

    Attributes:
        target: alpha*, the breach rate wanted.
        gamma: step.
        low, high: alpha stays inside [low, high].
    """

    target: float = 0.01
    gamma: float = GAMMA
    low: float = 0.001
    high: float = 0.05

    def __post_init__(self) -> None:
        if not (0.0 < self.low <= self.target <= self.high < 1.0 and self.gamma >= 0.0):
            raise ValueError(
                f"feedback needs 0 < low <= target <= high < 1 and gamma >= 0, got {self}."
            )

    def after(self, alpha: float, breach: float) -> float:
        """The next alpha, from this one and whether (1 or 0) its margin was breached."""
        return min(max(alpha + self.gamma * (self.target - breach), self.low), self.high)


def adaptive_levels(breaches: Sequence[float], feedback: Feedback) -> FloatArray:
    """(n + 1,) alpha before each of n outcomes and after the last, starting at the target."""
    alphas = [feedback.target]
    for breach in breaches:
        alphas.append(feedback.after(alphas[-1], float(breach)))
    return np.array(alphas)


def adaptive_tail(
    moves: FloatArray,
    sigma: FloatArray,
    horizon: int,
    feedback: Feedback,
    *,
    count: int = 1000,
    least: int = 500,
) -> tuple[FloatArray, FloatArray]:
    """`fhs.rolling_tail`'s Value at Risk at a level 1 - alpha_t steered by its own breaches.

    Whether the margin of bar t was breached is known `horizon` bars later, and steers from there.

    Args:
        moves: (n,) losses of one side; sigma: (n + 1,).

    Returns:
        (n + 1,) margin and (n + 1,) alpha, both known at the open of each bar.
    """
    size = moves.size
    known = sigma[:-1]
    usable = np.flatnonzero(~np.isnan(moves) & (known > 0.0))
    ended = np.searchsorted(usable, np.arange(size + 1) - horizon, side="right")
    sample = moves[usable] / known[usable]
    largest = sliding_largest(sample, count, min(count, math.ceil(feedback.high * count) + 2))
    losses, scales, ends = moves.tolist(), sigma.tolist(), ended.tolist()
    margin, alphas = [math.nan] * (size + 1), [feedback.target] * (size + 1)
    alpha = feedback.target
    for t in range(size + 1):
        past = t - horizon
        if past >= 0 and not (math.isnan(margin[past]) or math.isnan(losses[past])):
            alpha = feedback.after(alpha, float(losses[past] > margin[past]))
        alphas[t] = alpha
        if ends[t] >= least:
            margin[t] = scales[t] * _quantile(largest, ends[t], min(ends[t], count), alpha)
    return np.array(margin), np.array(alphas)


def _quantile(largest: FloatArray, end: int, held: int, alpha: float) -> float:
    """Type-7 quantile at 1 - alpha of the sample of `held` before `end`, from its largest."""
    position = (1.0 - alpha) * (held - 1)
    below = int(position)
    low = largest.item(end, held - 1 - below)
    high = largest.item(end, max(held - 2 - below, 0))
    return min(high, low + (position - below) * (high - low))
