"""Everything the models say of one market today, in one call.

The keeper pushes from `oracle.risk` alone, which needs 75 days; this is the whole stack on years of
hourly bars, for a status page, a report, or a second opinion: where the models disagree somebody
should look.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from oracle.feeds.bars import Bars, FloatArray
from oracle.models.conformal import Feedback, adaptive_tail
from oracle.models.evt import fit_tail
from oracle.models.fhs import Side, adverse_moves, rolling_tail, standardised
from oracle.models.garch import forecast
from oracle.models.haircuts import haircut
from oracle.models.impact import Book, depth_within
from oracle.models.overlay import Overlay, apply_overlay, historical_floor, stressed
from oracle.models.probability import Outcome, bar_shapes, bootstrap_outcome
from oracle.models.surface import Surface, per_bar, raised
from oracle.models.volatility import log_returns, volatility

LAMBDAS = (0.94, 0.97, 0.99)
HORIZONS = (1, 4, 24)
LEVELS = (0.99, 0.995)
HOURS_PER_DAY = 24
YEARS_4 = 4 * 365 * 24
SEED = 168


@dataclass(frozen=True, eq=False)
class Update:
    """What is known at the end of the last bar. Fractions of notional, volatility an hour.

    Attributes:
        sigma: by estimator, "ewma .99" and so on; "garch" of the last 1500 hours, "implied" where a
            usable surface was given.
        garch_reason: why GARCH was replaced by an EWMA; empty where it was not.
        used: the volatility the tails are scaled by: EWMA .99, raised to the implied one.
        value_at_risk, expected_shortfall: (H, L, 2) by horizon, level and side.
        extreme: (H, 2) Expected Shortfall at 99.9 %, by the fitted tail.
        overlay: (2,) margin for one hour at 99.5 % after the anti-procyclical overlay.
        conformal: (2,) margin for one hour at the level its own breaches have steered to.
        conformal_alpha: (2,) that level's complement.
        haircut: of the coin as collateral, 24 hours to sell.
        outcome: of a long at the margin of one hour at 99.5 % with half of it as maintenance.
        depth: USD within 50 bps, the smaller side; NaN without a book.
    """

    sigma: dict[str, float]
    garch_reason: str
    used: float
    value_at_risk: FloatArray
    expected_shortfall: FloatArray
    extreme: FloatArray
    overlay: FloatArray
    conformal: FloatArray
    conformal_alpha: FloatArray
    haircut: float
    outcome: Outcome
    depth: float


def update_market(
    bars: Bars,
    rng: np.random.Generator,
    *,
    surface: Surface | None = None,
    kappa: float = 1.0,
    book: Book | None = None,
    overlay: Overlay | None = None,
) -> Update:
    """Run the whole stack on a history of hourly bars.

    Args:
        surface: of implied volatility, if a usable one is at hand (`surface.is_usable`).
        kappa: what implied volatility is worth, from `surface.fit_kappa`.
        overlay: by default a quarter stress, floor .8 of the four-year quantile, down 1 % an hour.

    Raises:
        ValueError: fewer than 2,000 bars.
    """
    if len(bars) < 2_000:
        raise ValueError(f"the whole stack needs 2,000 hours, got {len(bars)}.")
    sigma = volatility(bars, 0.99, "close", SEED)
    found, reason = _volatilities(bars, surface)
    implied = found.get("implied", math.nan)
    known = np.array([surface is not None])
    used = float(raised(sigma[-1:], np.array([implied]), kappa, known)[0])
    scale = used / sigma[-1] if sigma[-1] > 0.0 else 1.0
    moves = {h: adverse_moves(bars, h) for h in HORIZONS}
    tails = {h: rolling_tail(moves[h], sigma, h, LEVELS) for h in HORIZONS}
    margin = tails[1].value_at_risk[1]
    controlled = [adaptive_tail(moves[1][side], sigma, 1, Feedback()) for side in Side]
    shortfall = scale * np.stack([tails[h].expected_shortfall[..., -1] for h in HORIZONS])
    equity = float(shortfall[0, 1, Side.LONG])
    return Update(
        sigma=found,
        garch_reason=reason,
        used=used,
        value_at_risk=scale * np.stack([tails[h].value_at_risk[..., -1] for h in HORIZONS]),
        expected_shortfall=shortfall,
        extreme=np.stack([_extreme(moves[h], sigma, used) for h in HORIZONS]),
        overlay=_overlaid(moves[1], margin, overlay),
        conformal=scale * np.array([series[-1] for series, _ in controlled]),
        conformal_alpha=np.array([alphas[-1] for _, alphas in controlled]),
        haircut=float(haircut(shortfall[-1, 1, Side.LONG])),
        outcome=bootstrap_outcome(
            bar_shapes(bars, sigma, 1000), used, Side.LONG, equity, 0.5 * equity, rng, paths=5_000
        ),
        depth=math.nan if book is None else min(depth_within(book)),
    )


def _volatilities(bars: Bars, surface: Surface | None) -> tuple[dict[str, float], str]:
    found = {
        f"ewma {lam:g}".replace("0.", "."): float(volatility(bars, lam, "close", SEED)[-1])
        for lam in LAMBDAS
    }
    found["garman-klass .99"] = float(volatility(bars, 0.99, "garman_klass", SEED)[-1])
    found["garch"], _, reason = forecast(log_returns(bars))
    if surface is not None:
        found["implied"] = float(per_bar(surface.atm_vol(HOURS_PER_DAY)))
    return found, reason


def _extreme(moves: FloatArray, sigma: FloatArray, used: float) -> FloatArray:
    """(2,) Expected Shortfall at 99.9 % of both sides."""
    sample = standardised(moves, sigma, 1000)
    return np.array([fit_tail(side).tail(0.999, used).expected_shortfall for side in sample])


def _overlaid(moves: FloatArray, margin: FloatArray, overlay: Overlay | None) -> FloatArray:
    """(2,) today's margin after the overlay."""
    rules = overlay or Overlay(stress_weight=0.25, floor_weight=0.8, down=0.01)
    window = min(YEARS_4, moves.shape[1])
    floor = historical_floor(moves, 1, 0.995, window, 1_000)
    return np.array(
        [
            apply_overlay(margin[side], stressed(margin[side], window), floor[side], rules)[-1]
            for side in Side
        ]
    )
