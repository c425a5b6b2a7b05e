"""Overlays are causal, monotone, scale with the margin, and equal their definitions."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.models.overlay import (
    Overlay,
    apply_overlay,
    historical_floor,
    largest_rise,
    speed_limited,
    stressed,
    stressed_reference,
    target,
    up_fast_down_slow,
)

MARGINS = st.lists(st.floats(0.01, 10.0) | st.just(math.nan), min_size=1, max_size=80).map(np.array)


def _margins(seed: int = 1, size: int = 300) -> np.ndarray:
    return np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.1, size)))


@settings(deadline=None)
@given(MARGINS, st.integers(1, 30))
def test_stress_equals_its_definition(margin: np.ndarray, window: int) -> None:
    assert np.array_equal(stressed(margin, window), stressed_reference(margin, window), True)


def test_the_target_by_hand() -> None:
    margin, stress, floor = np.array([0.1, 0.2]), np.array([0.3, 0.3]), np.array([0.2, 0.1])
    overlay = Overlay(buffer=1.1, stress_weight=0.25, floor_weight=0.8)
    assert target(margin, stress, floor, overlay) == pytest.approx(
        [max(1.1 * (0.75 * 0.1 + 0.25 * 0.3), 0.16), 1.1 * (0.75 * 0.2 + 0.25 * 0.3)]
    )
    nothing = np.full(2, math.nan)
    assert np.array_equal(target(margin, nothing, nothing, Overlay()), margin)


def test_up_at_once_and_down_by_a_part() -> None:
    found = up_fast_down_slow(np.array([math.nan, 1.0, 3.0, 1.0, math.nan, 1.0]), 1.0, 0.25)
    assert math.isnan(found[0])
    assert found[1:].tolist() == [1.0, 3.0, 2.5, 2.5, 2.125]


def test_the_speed_limit_by_hand() -> None:
    found = speed_limited(np.array([1.0, 4.0, 4.0, 4.0, 4.0, 0.1]), 1.5, 2.0)
    assert found.tolist() == [1.0, 1.5, 2.25, 3.375, 4.0, 2.0]
    assert speed_limited(np.array([math.nan, 2.0, 1.0]), 1.25)[1:].tolist() == [2.0, 1.0]


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 299),
    st.floats(0.1, 10.0),
    st.floats(0.0, 1.0),
    st.floats(0.0, 1.0),
    st.floats(0.05, 1.0),
)
def test_tomorrow_moves_nothing_of_today(
    i: int, factor: float, weight: float, phi: float, down: float
) -> None:
    overlay = Overlay(1.2, weight, phi, 1.0, down)
    margin, floor = _margins(), _margins(2)

    def asked(m: np.ndarray, f: np.ndarray) -> np.ndarray:
        return speed_limited(apply_overlay(m, stressed(m, 50), f, overlay), 1.25)

    before = asked(margin, floor)
    later = np.arange(300) >= i
    after = asked(np.where(later, margin * factor, margin), np.where(later, floor * factor, floor))
    assert np.array_equal(before[:i], after[:i])


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-3, 1e3), st.floats(0.0, 1.0), st.floats(0.05, 1.0))
def test_the_overlay_scales_with_the_margin(factor: float, weight: float, down: float) -> None:
    overlay = Overlay(1.2, weight, 0.9, 1.0, down)
    margin, floor = _margins(), _margins(2)
    base = apply_overlay(margin, stressed(margin, 50), floor, overlay)
    scaled = apply_overlay(margin * factor, stressed(margin * factor, 50), floor * factor, overlay)
    assert scaled == pytest.approx(base * factor, rel=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 299), st.floats(1.0, 5.0))
def test_more_margin_never_asks_less(i: int, factor: float) -> None:
    overlay = Overlay(1.1, 0.25, 0.9, 1.0, 0.1)
    margin, floor = _margins(), _margins(2)
    raised = margin.copy()
    raised[i] *= factor
    base = apply_overlay(margin, stressed(margin, 20), floor, overlay)
    more = apply_overlay(raised, stressed(raised, 20), floor, overlay)
    assert (more >= base * (1 - 1e-12)).all()


def test_the_overlay_is_never_below_its_floor_or_its_buffered_margin_on_the_way_up() -> None:
    margin, floor = _margins(), _margins(2)
    asked = apply_overlay(margin, margin, floor, Overlay(1.0, 0.0, 0.9, 1.0, 0.05))
    assert (asked >= np.maximum(margin, 0.9 * floor) * (1 - 1e-12)).all()


def test_the_floor_is_the_plain_quantile_of_ended_windows() -> None:
    moves = np.abs(np.random.default_rng(4).normal(size=(2, 400)))
    floor = historical_floor(moves, 3, 0.99, 200, 100)
    assert floor[1, 350] == pytest.approx(np.quantile(moves[1, 148:348], 0.99))
    assert np.isnan(floor[:, :102]).all()
    assert np.isfinite(floor[:, 102]).all()


def test_the_largest_rise_by_hand() -> None:
    margin = np.array([math.nan, 2.0, 1.0, 1.5, 4.0, 3.0])
    assert largest_rise(margin, 1) == pytest.approx(4.0 / 1.5)
    assert largest_rise(margin, 2) == pytest.approx(4.0)
    assert largest_rise(margin, 0) == 1.0
    with pytest.raises(ValueError, match="known"):
        largest_rise(np.array([math.nan]), 5)


@pytest.mark.parametrize(
    "bad", [{"buffer": 0.0}, {"stress_weight": 1.1}, {"floor_weight": -0.1}, {"up": 0.0},
            {"down": 1.5}],
)  # fmt: skip
def test_parameters_without_meaning_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="overlay needs"):
        Overlay(**bad)
    with pytest.raises(ValueError, match="at least 1"):
        speed_limited(np.ones(2), 0.9)
    with pytest.raises(ValueError, match="at least one"):
        stressed(np.ones(2), 0)
