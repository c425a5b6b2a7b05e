"""The rolling tail is its definition, sees nothing of tomorrow, and scales as losses do."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.feeds.bars import Bars
from oracle.models.fhs import (
    adverse_moves,
    dates_sample,
    portfolio_tail,
    rolling_tail,
    rolling_tail_reference,
    standardised,
    tail,
    tail_reference,
)
from oracle.models.volatility import volatility

LEVELS = (0.9, 0.99, 0.995)


def _agree(fast: np.ndarray, slow: np.ndarray, rel: float = 1e-12) -> None:
    assert np.array_equal(np.isnan(fast), np.isnan(slow))
    assert fast == pytest.approx(slow, rel=rel, abs=0.0, nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 260),
    st.integers(1, 30),
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(0, 9),
    st.sampled_from([None, 1, 0]),
    st.floats(0.02, 0.999),
    st.booleans(),
)
def test_rolling_tail_equals_its_definition(
    size: int,
    horizon: int,
    one: int,
    two: int,
    seed: int,
    decimals: int | None,
    level: float,
    unbiased: bool,
) -> None:
    rng = np.random.default_rng(seed)
    moves = np.abs(rng.standard_t(3, (2, size)))
    if decimals is not None:  # ties, zeros among them
        moves = np.round(moves, decimals)
    sigma = np.exp(rng.normal(0, 0.3, size + 1)) if decimals is None else np.ones(size + 1)
    moves[:, rng.random(size) < 0.05] = np.nan
    sigma[rng.random(size + 1) < 0.05] = np.nan
    sigma[rng.random(size + 1) < 0.02] = 0.0
    least, count = sorted((one, two))
    fast = rolling_tail(
        moves, sigma, horizon, (level, 0.99), count=count, least=least, unbiased=unbiased
    )
    slow = rolling_tail_reference(
        moves, sigma, horizon, (level, 0.99), count=count, least=least, unbiased=unbiased
    )
    assert np.array_equal(fast.value_at_risk, slow.value_at_risk, equal_nan=True)
    _agree(fast.expected_shortfall, slow.expected_shortfall)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.0, 10.0), min_size=1, max_size=200), st.floats(0.01, 0.999))
def test_the_unbiased_quantile_is_weibulls(losses: list[float], level: float) -> None:
    found = tail(np.array(losses), level, unbiased=True)
    assert found.value_at_risk == pytest.approx(
        np.quantile(losses, level, method="weibull"), rel=1e-9, abs=1e-12
    )
    slow = tail_reference(losses, level, unbiased=True)
    assert found.value_at_risk == slow.value_at_risk
    assert found.expected_shortfall == pytest.approx(slow.expected_shortfall, rel=1e-12)


@pytest.mark.parametrize("level", [0.99, 0.995])
def test_the_next_value_exceeds_the_unbiased_quantile_as_often_as_meant(level: float) -> None:
    """Independent losses: 1 - level of the time, where numpy's fails by a tenth or more."""
    moves = np.abs(np.random.default_rng(9).standard_t(3, (2, 150_000)))
    rates = {}
    for unbiased in (False, True):
        series = rolling_tail(moves, np.ones(150_001), 1, [level], count=500, unbiased=unbiased)
        known = slice(500, 150_000)
        rates[unbiased] = float(np.mean(moves[:, known] > series.value_at_risk[0][:, known]))
    error = 3.5 * np.sqrt(level * (1 - level) / 299_000)
    assert rates[True] == pytest.approx(1 - level, abs=error)
    assert rates[False] > 1 - level + 1.5 * error


@pytest.mark.parametrize("horizon", [1, 4, 24])
def test_each_entry_is_the_tail_of_what_had_ended(
    make_bars: Callable[..., Bars], horizon: int
) -> None:
    bars = make_bars(700)
    sigma = volatility(bars, 0.99, "close", 100)
    moves = adverse_moves(bars, horizon)
    series = rolling_tail(moves, sigma, horizon, LEVELS, count=300, least=200)
    for t in (400, 555, 700):
        known = bars.slice(0, t)
        sample = standardised(adverse_moves(known, horizon), sigma[: t + 1], 300)
        for k, level in enumerate(LEVELS):
            for side in (0, 1):
                found = tail(sample[side], level, float(sigma[t]))
                assert series.value_at_risk[k, side, t] == pytest.approx(found.value_at_risk)
                assert series.expected_shortfall[k, side, t] == pytest.approx(
                    found.expected_shortfall
                )


@settings(max_examples=25, deadline=None)
@given(st.integers(150, 399), st.sampled_from([1, 4, 24]), st.floats(0.5, 2.0))
def test_tomorrow_moves_no_column_of_today(
    make_bars: Callable[..., Bars], i: int, horizon: int, factor: float
) -> None:
    bars = make_bars()
    later = np.arange(400) >= i
    prices = (bars.open, bars.high, bars.low, bars.close)
    changed = Bars(bars.ts, *(np.where(later, c * factor, c) for c in prices))
    found = [
        rolling_tail(
            adverse_moves(b, horizon), volatility(b, 0.97, "close", 20), horizon, LEVELS,
            count=100, least=50,
        )
        for b in (bars, changed)
    ]  # fmt: skip
    for column in ("value_at_risk", "expected_shortfall"):
        before, after = (getattr(series, column)[:, :, : i + 1] for series in found)
        assert np.isfinite(before[:, :, i]).all()
        assert np.array_equal(before, after, equal_nan=True)


@settings(max_examples=20, deadline=None)
@given(st.floats(1e-3, 1e3))
def test_losses_scale_the_tail_and_volatility_cancels(factor: float) -> None:
    rng = np.random.default_rng(3)
    moves, sigma = np.abs(rng.standard_t(4, (2, 300))), np.exp(rng.normal(0, 0.2, 301))
    base = rolling_tail(moves, sigma, 2, LEVELS, count=100, least=60)
    larger = rolling_tail(moves * factor, sigma, 2, LEVELS, count=100, least=60)
    same = rolling_tail(moves, sigma * factor, 2, LEVELS, count=100, least=60)
    _agree(larger.value_at_risk, base.value_at_risk * factor, 1e-9)
    _agree(larger.expected_shortfall, base.expected_shortfall * factor, 1e-9)
    _agree(same.expected_shortfall, base.expected_shortfall, 1e-9)


def test_a_higher_volatility_today_asks_more_today() -> None:
    rng = np.random.default_rng(3)
    moves, sigma = np.abs(rng.standard_t(4, (2, 300))), np.ones(301)
    base = rolling_tail(moves, sigma, 1, LEVELS, count=100, least=60)
    sigma[-1] = 1.5
    risen = rolling_tail(moves, sigma, 1, LEVELS, count=100, least=60)
    assert risen.value_at_risk[..., -1] == pytest.approx(1.5 * base.value_at_risk[..., -1])
    assert np.array_equal(
        risen.value_at_risk[..., :-1], base.value_at_risk[..., :-1], equal_nan=True
    )


def test_shortfall_is_not_below_the_quantile_and_both_rise_with_the_level() -> None:
    rng = np.random.default_rng(7)
    series = rolling_tail(np.abs(rng.standard_t(3, (2, 900))), np.ones(901), 1, LEVELS)
    var, es = series.value_at_risk[..., 501:], series.expected_shortfall[..., 501:]
    assert (es >= var * (1 - 1e-12)).all()
    assert (np.diff(var, axis=0) >= 0).all()
    assert (np.diff(es, axis=0) >= -1e-12).all()


@pytest.mark.parametrize(
    ("sigma", "horizon", "levels", "count", "least"),
    [(10, 1, (0.9,), 5, 5), (11, 0, (0.9,), 5, 5), (11, 1, (), 5, 5), (11, 1, (1.0,), 5, 5),
     (11, 1, (0.9,), 5, 6), (11, 1, (0.9,), 5, 0)],
)  # fmt: skip
def test_what_makes_no_walk_is_refused(
    sigma: int, horizon: int, levels: tuple[float, ...], count: int, least: int
) -> None:
    with pytest.raises(ValueError, match=r"losses need|levels lie"):
        rolling_tail(np.ones((1, 10)), np.ones(sigma), horizon, levels, count=count, least=least)


def test_dates_are_drawn_whole() -> None:
    z = np.stack([np.arange(50.0), 10.0 * np.arange(50.0)])
    drawn, dates = dates_sample(z, np.random.default_rng(1), 400)
    assert np.array_equal(drawn[1], 10.0 * drawn[0])
    assert np.array_equal(drawn[0], dates)
    again, _ = dates_sample(z, np.random.default_rng(1), 400)
    assert np.array_equal(drawn, again)


def test_a_hedged_book_of_one_asset_twice_has_no_tail() -> None:
    rng = np.random.default_rng(2)
    returns = np.tile(rng.normal(0, 0.01, 500), (2, 1))
    sigma = np.full((2, 501), 0.01)
    flat = portfolio_tail(returns, sigma, np.array([1e6, -1e6]), 0.99)
    alone = portfolio_tail(returns, sigma, np.array([1e6, 0.0]), 0.99)
    both = portfolio_tail(returns, sigma, np.array([1e6, 1e6]), 0.99)
    assert flat.expected_shortfall == pytest.approx(0.0, abs=1e-6)
    assert both.expected_shortfall == pytest.approx(2 * alone.expected_shortfall)
    assert alone.value_at_risk == pytest.approx(1e6 * np.quantile(-returns[0], 0.99))
    sigma[:, -1] = 0.03  # today is three times as wild
    wilder = portfolio_tail(returns, sigma, np.array([1e6, 0.0]), 0.99)
    assert wilder.value_at_risk == pytest.approx(3 * alone.value_at_risk)


def test_dates_that_an_asset_lacks_are_left_out() -> None:
    rng = np.random.default_rng(2)
    returns = rng.normal(0, 0.01, (2, 500))
    returns[1, 100:200] = np.nan
    sigma = np.full((2, 501), 0.01)
    kept = ~np.isnan(returns[1])
    expected = tail(-(returns[0] + 2 * returns[1])[kept], 0.95)
    found = portfolio_tail(returns, sigma, np.array([1.0, 2.0]), 0.95)
    assert found.value_at_risk == pytest.approx(expected.value_at_risk)
    with pytest.raises(ValueError, match="exposures"):
        portfolio_tail(returns, sigma, np.ones(3), 0.95)
