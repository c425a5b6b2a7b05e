"""Anti-procyclicality: a margin that is not too low when it is calm, nor too jumpy when it is not.

``target_t = max(k * ((1 - w) * m_t + w * S_t), phi * HS_t)``, then up fast and down slow. m is the
model's margin, S its stressed one, HS a long unfiltered historical quantile. These are the three
tools of Regulation (EU) 153/2013, article 28 (EMIR RTS): a buffer, a 25 % weight on stressed
observations, a ten-year floor; here the look-back is what the caller gives. On chain the steps and
clocks of the design are the limit on speed; `speed_limited` is for backtests.

Every series here is causal: entry t depends on entries up to t of its inputs, which are themselves
known at the open of bar t. NaN (not yet known) stays NaN.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter1d

from oracle.feeds.bars import FloatArray
from oracle.models.fhs import rolling_tail


@dataclass(frozen=True)
class Overlay:
    """Parameters of the target.

    Attributes:
        buffer: k, factor on the mixed margin.
        stress_weight: w in [0, 1].
        floor_weight: phi, factor on the historical floor.
        up: part of the way to a higher target taken in one bar; 1 is at once.
        down: part of the way to a lower target taken in one bar.
    """

    buffer: float = 1.0
    stress_weight: float = 0.0
    floor_weight: float = 0.0
    up: float = 1.0
    down: float = 1.0

    def __post_init__(self) -> None:
        inside = 0.0 <= self.stress_weight <= 1.0 and 0.0 < self.up <= 1.0 and 0 < self.down <= 1.0
        if not (inside and self.buffer > 0.0 and self.floor_weight >= 0.0):
            raise ValueError(
                f"an overlay needs k > 0, w in [0, 1], phi >= 0, up and down in (0, 1], got {self}."
            )


def apply_overlay(
    margin: FloatArray, stress: FloatArray, floor: FloatArray, overlay: Overlay
) -> FloatArray:
    """(T,) the margin asked: the target, approached up fast and down slow."""
    wanted = target(margin, stress, floor, overlay)
    return up_fast_down_slow(wanted, overlay.up, overlay.down)


def target(
    margin: FloatArray, stress: FloatArray, floor: FloatArray, overlay: Overlay
) -> FloatArray:
    """(T,) ``max(k * ((1-w)*m + w*S), phi*HS)``; a part of weight 0 may be NaN."""
    weight = overlay.stress_weight
    mixed = margin if weight == 0.0 else (1.0 - weight) * margin + weight * stress
    wanted: FloatArray = overlay.buffer * mixed
    if overlay.floor_weight > 0.0:
        wanted = np.maximum(wanted, overlay.floor_weight * floor)
    return wanted


def stressed(margin: FloatArray, window: int) -> FloatArray:
    """(T,) S: the largest of the last `window` entries, today's included; leading NaN are skipped.

    Raises:
        ValueError: a window below one.
    """
    if window < 1:
        raise ValueError(f"a stress look-back is at least one bar, got {window}.")
    if not margin.size:
        return margin.copy()
    filled = np.where(np.isnan(margin), -np.inf, margin)
    # The filter looks both ways around its centre; the shift makes it look back only.
    largest = maximum_filter1d(
        filled, window, mode="constant", cval=-np.inf, origin=(window - 1) // 2
    )
    return np.where(np.isneginf(largest), np.nan, largest)


def stressed_reference(margin: FloatArray, window: int) -> list[float]:
    """`stressed`, written as its definition. For tests."""
    found = []
    for t in range(margin.size):
        seen = [float(m) for m in margin[max(0, t - window + 1) : t + 1] if not math.isnan(m)]
        found.append(max(seen) if seen else math.nan)
    return found


def historical_floor(
    moves: FloatArray, horizon: int, level: float, window: int, least: int
) -> FloatArray:
    """(S, n + 1) HS: the unfiltered quantile of the losses of the last `window` ended windows.

    Args:
        moves: (S, n) from `fhs.adverse_moves`.
    """
    flat = np.ones(moves.shape[1] + 1)
    series = rolling_tail(moves, flat, horizon, [level], count=window, least=least)
    return series.value_at_risk[0]


def up_fast_down_slow(wanted: FloatArray, up: float, down: float) -> FloatArray:
    """(T,) ``y_t = y_{t-1} + rate * (x_t - y_{t-1})``, rate `up` above and `down` below; starts at
    the first target that is known and holds over NaN."""
    found, last = [], math.nan
    for value in wanted.tolist():
        if math.isnan(last):
            last = value
        elif not math.isnan(value):
            # At rate 1 the target itself, without the rounding of a difference.
            rate = up if value > last else down
            last = value if rate == 1.0 else last + rate * (value - last)
        found.append(last)
    return np.array(found, dtype=np.float64)


def speed_limited(wanted: FloatArray, rise: float, fall: float = math.inf) -> FloatArray:
    """(T,) no entry above `rise` times the one before, nor below it divided by `fall`.

    Raises:
        ValueError: a factor below 1.
    """
    if not (rise >= 1.0 and fall >= 1.0):
        raise ValueError(f"speed limits are factors of at least 1, got {rise} and {fall}.")
    found, last = [], math.nan
    for value in wanted.tolist():
        if math.isnan(last):
            last = value
        elif not math.isnan(value):
            last = min(max(value, last / fall), last * rise)
        found.append(last)
    return np.array(found, dtype=np.float64)


def largest_rise(margin: FloatArray, bars: int) -> float:
    """Largest ``m[t] / m[s]`` with t - bars <= s <= t: the n-day procyclicality of a margin."""
    known = margin[~np.isnan(margin)]
    if not known.size or bars < 0:
        raise ValueError("a rise needs a margin that is known.")
    lowest = -stressed(-known, bars + 1)
    return float(np.max(known / lowest))
