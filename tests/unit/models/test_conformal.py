"""The conformal control: a clipped recursion that brings breaches to their target."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.models.conformal import Feedback, adaptive_levels, adaptive_tail
from oracle.models.fhs import rolling_tail


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=60), st.floats(0.0, 0.05))
def test_levels_are_the_clipped_recursion(breaches: list[bool], gamma: float) -> None:
    rule = Feedback(0.01, gamma, 0.002, 0.03)
    found = adaptive_levels(breaches, rule)
    alpha = 0.01
    for k, breach in enumerate(breaches):
        assert found[k] == alpha
        alpha = min(max(alpha + gamma * (0.01 - breach), 0.002), 0.03)
    assert found[-1] == alpha
    assert ((found >= 0.002) & (found <= 0.03)).all()


def _market(seed: int = 1, size: int = 2500) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return np.abs(rng.standard_t(4, size)), np.exp(rng.normal(0, 0.1, size + 1))


def test_without_a_step_it_is_the_rolling_tail() -> None:
    moves, sigma = _market()
    margin, alphas = adaptive_tail(moves, sigma, 4, Feedback(gamma=0.0), count=500, least=300)
    plain = rolling_tail(moves[None], sigma, 4, [0.99], count=500, least=300)
    assert (alphas == 0.01).all()
    assert margin == pytest.approx(plain.value_at_risk[0, 0], rel=1e-12, nan_ok=True)


def test_each_margin_is_its_own_level_of_what_had_ended() -> None:
    moves, sigma = _market()
    margin, alphas = adaptive_tail(moves, sigma, 3, Feedback(), count=500, least=300)
    z = moves / sigma[:-1]
    for t in (400, 1500, 2500):
        sample = z[max(0, t - 2 - 500) : t - 2]
        expected = sigma[t] * np.quantile(sample, 1.0 - alphas[t])
        assert margin[t] == pytest.approx(expected, rel=1e-9)


def test_a_market_that_grew_worse_is_brought_back_to_its_target() -> None:
    rng = np.random.default_rng(5)
    drift = np.exp(np.linspace(0.0, 1.2, 6000))  # volatility the model does not see
    moves, sigma = np.abs(rng.standard_normal(6000)) * drift, np.ones(6001)
    rates = []
    for gamma in (0.0, 0.02):
        rule = Feedback(0.02, gamma, 0.0005, 0.1)
        margin, _ = adaptive_tail(moves, sigma, 1, rule, count=2000, least=1000)
        rates.append(float(np.mean(moves[1000:] > margin[1000:-1])))
    assert rates[0] > 0.035
    # The volatility still grows, so the control trails it; two thirds of the excess are gone.
    assert abs(rates[1] - 0.02) < 0.35 * abs(rates[0] - 0.02)


@settings(max_examples=15, deadline=None)
@given(st.integers(350, 999), st.integers(1, 24))
def test_tomorrow_moves_no_column_of_today(i: int, horizon: int) -> None:
    moves, sigma = _market(size=1000)
    before = adaptive_tail(moves, sigma, horizon, Feedback(gamma=0.05), count=400, least=300)
    moves[i - horizon + 1 :] *= 7.0  # windows that reach bar i
    sigma[i + 1 :] *= 3.0
    after = adaptive_tail(moves, sigma, horizon, Feedback(gamma=0.05), count=400, least=300)
    for one, two in zip(before, after, strict=True):
        assert np.array_equal(one[: i + 1], two[: i + 1], equal_nan=True)


@settings(max_examples=10, deadline=None)
@given(st.floats(1e-3, 1e3))
def test_the_control_ignores_the_unit(factor: float) -> None:
    moves, sigma = _market(size=900)
    base, alphas = adaptive_tail(moves, sigma, 1, Feedback(), count=400, least=300)
    scaled, same = adaptive_tail(
        moves * factor, sigma * factor, 1, Feedback(), count=400, least=300
    )
    assert scaled == pytest.approx(base * factor, rel=1e-9, nan_ok=True)
    assert np.array_equal(alphas, same)


def test_missing_windows_steer_nothing() -> None:
    moves, sigma = _market(size=900)
    moves[500:520] = math.nan
    _, alphas = adaptive_tail(moves, sigma, 1, Feedback(gamma=0.1), count=400, least=300)
    assert (alphas[501:521] == alphas[501]).all()
    assert alphas[522] != alphas[521]


@pytest.mark.parametrize(
    "bad", [(0.01, 0.1, 0.02, 0.05), (0.01, -1.0, 0.001, 0.05), (0.1, 0.1, 0.01, 0.05)]
)
def test_a_control_that_cannot_work_is_refused(bad: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="feedback needs"):
        Feedback(*bad)
