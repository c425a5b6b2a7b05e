"""Liquidation probability: the bootstrap agrees with the closed form where that holds."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.feeds.bars import Bars
from oracle.models.fhs import Side
from oracle.models.probability import (
    CONTINUITY,
    BarShapes,
    bar_shapes,
    barrier_probability,
    bootstrap_outcome,
)
from oracle.models.volatility import volatility


def _brownian(steps: int = 1, size: int = 40_000, seed: int = 1) -> BarShapes:
    """Bars of Brownian motion seen at `steps` points inside each."""
    rng = np.random.default_rng(seed)
    path = np.cumsum(rng.normal(0, 1 / math.sqrt(steps), (size, steps)), axis=1)
    return BarShapes(
        path[:, -1], np.minimum(path.min(axis=1), 0.0), np.maximum(path.max(axis=1), 0.0)
    )


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("equity", [0.05, 0.1])
def test_the_bootstrap_agrees_with_the_barrier_formula(side: Side, equity: float) -> None:
    steps, sigma, horizon = 16, 0.01, 24
    found = bootstrap_outcome(
        _brownian(steps), sigma, side, equity, 0.0, np.random.default_rng(2),
        horizon=horizon, close_out=0, lam=1.0, paths=40_000,
    )  # fmt: skip
    distance = abs(math.log1p(-equity if side is Side.LONG else equity))
    seen = distance + CONTINUITY * sigma / math.sqrt(steps)
    exact = barrier_probability(seen, sigma, horizon)
    assert found.liquidated == pytest.approx(exact, abs=4 * found.error + 0.004)


def test_the_barrier_formula_against_simulation_with_drift() -> None:
    rng = np.random.default_rng(3)
    steps, drift, sigma, distance = 4000, -0.4, 0.5, 0.6
    walk = np.cumsum(
        rng.normal(drift / steps, sigma / math.sqrt(steps), (3000, steps)), axis=1
    ).min(axis=1)
    seen = distance + CONTINUITY * sigma / math.sqrt(steps)
    assert np.mean(walk <= -distance) == pytest.approx(
        barrier_probability(seen, sigma, 1.0, drift), abs=0.035
    )


@settings(deadline=None)
@given(st.floats(0.0, 1.0), st.floats(0.001, 1.0), st.floats(0.01, 10.0), st.floats(1.0, 3.0))
def test_the_barrier_formula_is_monotone_and_a_probability(
    distance: float, sigma: float, time: float, factor: float
) -> None:
    base = barrier_probability(distance, sigma, time)
    assert 0.0 <= base <= 1.0
    assert barrier_probability(distance * factor, sigma, time) <= base + 1e-15
    assert barrier_probability(distance, sigma * factor, time) >= base - 1e-15
    assert barrier_probability(distance, sigma, time * factor**2) == pytest.approx(
        barrier_probability(distance, sigma * factor, time), abs=1e-12
    )


def test_the_barrier_formula_at_its_edges() -> None:
    assert barrier_probability(0.0, 0.1, 1.0) == 1.0
    assert barrier_probability(0.1, 0.0, 1.0) == 0.0
    assert barrier_probability(0.1, 0.0, 1.0, -0.2) == 1.0
    # Without drift: twice the probability of ending beyond.
    assert barrier_probability(1.0, 1.0, 1.0) == pytest.approx(2 * 0.15865525393145707)
    with pytest.raises(ValueError, match="barrier"):
        barrier_probability(-0.1, 1.0, 1.0)


def _outcome(equity: float = 0.05, sigma: float = 0.01, rate: float = 0.02, **more: object):  # type: ignore[no-untyped-def]
    return bootstrap_outcome(
        _brownian(4, 2000), sigma, Side.LONG, equity, rate, np.random.default_rng(7),
        **{"paths": 4000, **more},
    )  # fmt: skip


def test_more_equity_is_safer_and_more_volatility_is_not() -> None:
    safe, base, wild = _outcome(equity=0.1), _outcome(), _outcome(sigma=0.02)
    assert safe.liquidated < base.liquidated < wild.liquidated
    assert safe.shortfall < base.shortfall < wild.shortfall
    assert base.bankrupt < base.liquidated


def test_a_slow_close_out_costs_more() -> None:
    assert _outcome(close_out=1).shortfall < _outcome(close_out=12).shortfall


def test_a_liquidator_gets_the_close_after_his_bars() -> None:
    """Every bar falls by 1 %: liquidated in the third, sold one or two closes later."""
    fall = np.array([math.log(0.99)])
    shapes = BarShapes(fall, fall, np.zeros(1))
    for close_out in (0, 1, 2):
        found = bootstrap_outcome(
            shapes, 1.0, Side.LONG, 0.025, 0.0, np.random.default_rng(1),
            horizon=5, close_out=close_out, lam=1.0, paths=10,
        )  # fmt: skip
        sold = 1.0 - 0.99 ** (2 + max(close_out, 1))
        assert found.liquidated == 1.0
        assert found.shortfall == pytest.approx(sold - 0.025)


def test_the_same_generator_gives_the_same_answer() -> None:
    assert _outcome() == _outcome()


def test_a_position_under_water_is_liquidated_at_once_and_a_calm_one_never() -> None:
    assert _outcome(equity=0.01).liquidated == 1.0
    calm = _outcome(sigma=0.0)
    assert (calm.liquidated, calm.bankrupt, calm.shortfall) == (0.0, 0.0, 0.0)


def test_shapes_are_bars_in_units_of_what_was_known(make_bars: Callable[..., Bars]) -> None:
    bars = make_bars(200)
    sigma = volatility(bars, 0.97, "close", 20)
    shapes = bar_shapes(bars, sigma, 50)
    assert shapes.close.size == 50
    assert shapes.low[-1] == pytest.approx(
        math.log(bars.low[-1] / bars.close[-2]) / sigma[199], rel=1e-12
    )
    assert (shapes.low <= shapes.close + 1e-12).all()
    assert (shapes.close <= shapes.high + 1e-12).all()


def test_what_cannot_be_drawn_is_refused() -> None:
    empty = BarShapes(np.array([]), np.array([]), np.array([]))
    rng = np.random.default_rng(1)
    with pytest.raises(ValueError, match="bootstrap needs"):
        bootstrap_outcome(empty, 0.01, Side.LONG, 0.1, 0.0, rng)
    with pytest.raises(ValueError, match="no meaning"):
        bootstrap_outcome(_brownian(1, 10), 0.01, Side.LONG, 0.1, 1.0, rng)
