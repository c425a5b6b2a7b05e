"""Correlations are correlations, and the credit given for them is small and past-looking."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.models.correlation import (
    ewma_correlation,
    nearest,
    offset_credit,
    offset_margin,
    pair_correlation,
    shrunk,
)


def _returns(seed: int = 1, rho: float = 0.6, size: int = 400) -> np.ndarray:
    rng = np.random.default_rng(seed)
    common = rng.normal(size=size)
    return np.stack([math.sqrt(rho) * common + math.sqrt(1 - rho) * rng.normal(size=size)
                     for _ in range(3)])  # fmt: skip


def test_the_recursion_is_its_definition() -> None:
    returns, lam, seed = _returns(size=60), 0.9, 20
    found = ewma_correlation(returns, lam, seed)
    covariance = [[float(np.mean(returns[i, :seed] * returns[j, :seed])) for j in range(3)]
                  for i in range(3)]  # fmt: skip
    for t in range(seed, 60):
        covariance = [
            [lam * covariance[i][j] + (1 - lam) * float(returns[i, t] * returns[j, t])
             for j in range(3)] for i in range(3)]  # fmt: skip
        for i in range(3):
            for j in range(3):
                spread = math.sqrt(covariance[i][i] * covariance[j][j])
                assert found[t + 1, i, j] == pytest.approx(covariance[i][j] / spread, rel=1e-12)


def test_it_is_found_again_and_is_positive_semi_definite() -> None:
    found = ewma_correlation(_returns(size=4000), 0.999, 1000)
    assert found[-1][0, 1] == pytest.approx(0.6, abs=0.05)
    assert (np.linalg.eigvalsh(found[1000:]) > -1e-12).all()
    assert np.isnan(found[:1000]).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(21, 99), st.floats(0.1, 10.0), st.floats(0.1, 10.0))
def test_tomorrow_and_the_unit_move_nothing(i: int, factor: float, unit: float) -> None:
    returns = _returns(size=100)
    before = ewma_correlation(returns, 0.95, 20)
    changed = returns.copy()
    changed[1, i:] *= -factor
    assert np.array_equal(before[: i + 1], ewma_correlation(changed, 0.95, 20)[: i + 1], True)
    scaled = returns * np.array([[unit], [1.0], [1.0]])
    assert ewma_correlation(scaled, 0.95, 20) == pytest.approx(before, rel=1e-9, nan_ok=True)


def test_the_pair_is_the_matrix() -> None:
    returns = _returns(size=100)
    pair = pair_correlation(returns[0], returns[2], 0.95, 20)
    assert pair == pytest.approx(ewma_correlation(returns, 0.95, 20)[:, 0, 2], nan_ok=True)


def test_a_matrix_that_is_no_correlation_is_repaired() -> None:
    broken = np.array([[1.0, 0.9, 0.9], [0.9, 1.0, -0.9], [0.9, -0.9, 1.0]])
    assert np.linalg.eigvalsh(broken)[0] < -0.5
    fixed = nearest(broken)
    assert np.linalg.eigvalsh(fixed)[0] > -1e-9
    assert np.diag(fixed) == pytest.approx(1.0)
    sound = ewma_correlation(_returns(), 0.97, 50)[-1]
    assert nearest(sound) == pytest.approx(sound)


def test_shrinkage_goes_to_the_mean() -> None:
    matrix = np.array([[1.0, 0.2, 0.8], [0.2, 1.0, 0.5], [0.8, 0.5, 1.0]])
    assert np.array_equal(shrunk(matrix, 0.0), matrix)
    full = shrunk(matrix, 1.0)
    assert full[0, 1] == full[1, 2] == pytest.approx(0.5)
    assert shrunk(np.ones((1, 1)), 0.5) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="shrinkage"):
        shrunk(matrix, 1.5)


@settings(deadline=None)
@given(st.lists(st.floats(-1.0, 1.0), min_size=1, max_size=80))
def test_the_credit_is_the_low_quantile_capped(history: list[float]) -> None:
    credit = offset_credit(np.array([math.nan, *history]))
    assert credit == pytest.approx(min(0.5, max(0.0, float(np.quantile(history, 0.05)))))


def test_no_history_no_credit() -> None:
    assert offset_credit(np.array([math.nan])) == 0.0
    assert offset_credit(np.full(10, 0.99)) == 0.5


@settings(deadline=None)
@given(st.floats(0.0, 1e6), st.floats(0.0, 1e6), st.floats(0.0, 0.5))
def test_an_offset_is_between_the_larger_leg_and_the_sum(a: float, b: float, c: float) -> None:
    margin = offset_margin(a, b, c)
    assert max(a, b) * (1 - 1e-12) <= margin <= a + b
    assert offset_margin(a, b, 0.0) == a + b


@pytest.mark.parametrize("args", [(-1.0, 1.0, 0.1), (1.0, 1.0, 0.6), (1.0, 1.0, -0.1)])
def test_more_than_half_is_never_credited(args: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="no offset"):
        offset_margin(*args)


def test_correlations_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="no correlation"):
        ewma_correlation(_returns(), 1.0, 20)
    with pytest.raises(ValueError, match="no correlation"):
        ewma_correlation(np.full((2, 30), math.nan), 0.9, 20)
    still = ewma_correlation(np.stack([np.zeros(30), np.ones(30)]), 0.9, 20)[-1]
    assert still.tolist() == [[1.0, 0.0], [0.0, 1.0]]
