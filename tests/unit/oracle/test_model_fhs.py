"""Filtered historical simulation: path-wise losses, their tail, and nothing from tomorrow."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.feeds.bars import HOUR, Bars, load_closes
from oracle.models.fhs import (
    Side,
    adverse_moves,
    adverse_moves_reference,
    standardised,
    tail,
    tail_reference,
)
from oracle.models.volatility import volatility

VECTORS = Path(__file__).resolve().parents[2] / "data" / "vectors"
LOSSES = st.lists(st.floats(0.0, 100.0), min_size=1, max_size=200)
LEVELS = st.floats(0.01, 0.999)


def _without(bars: Bars, missing: set[int]) -> Bars:
    keep = np.array([i not in missing for i in range(len(bars))])
    return Bars(bars.ts[keep], bars.open[keep], bars.high[keep], bars.low[keep], bars.close[keep])


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 60),
    st.integers(1, 12),
    st.integers(0, 99),
    st.sets(st.integers(0, 59), max_size=4),
)
def test_adverse_moves_equal_their_definition(
    make_bars: Callable[..., Bars], count: int, horizon: int, seed: int, missing: set[int]
) -> None:
    bars = _without(make_bars(count, seed), missing)
    fast = adverse_moves(bars, horizon)
    slow = np.array(adverse_moves_reference(bars, horizon)).reshape(2, len(bars))
    assert np.array_equal(fast, slow, equal_nan=True)


def test_adverse_moves_by_hand() -> None:
    low, high = np.array([100.0, 95.0, 80.0]), np.array([100.0, 120.0, 90.0])
    close = np.array([100.0, 110.0, 85.0])
    bars = Bars(HOUR * np.arange(3), close, high, low, close)
    one, two = adverse_moves(bars, 1), adverse_moves(bars, 2)
    assert one[Side.LONG, 1:] == pytest.approx([0.05, 1 - 80 / 110])
    assert one[Side.SHORT, 1:] == pytest.approx([0.2, 0.0])
    assert two[Side.LONG, 1] == pytest.approx(0.2)
    assert two[Side.SHORT, 1] == pytest.approx(0.2)
    assert np.isnan(one[:, 0]).all()
    assert np.isnan(two[:, 2]).all()


def test_the_path_is_never_better_than_its_close(make_bars: Callable[..., Bars]) -> None:
    bars = make_bars()
    moves = adverse_moves(bars, 4)
    ends = bars.close[4:] / bars.close[:-4]
    assert (moves[Side.LONG, 1:-3] >= 1.0 - ends).all()
    assert (moves[Side.SHORT, 1:-3] >= ends - 1.0).all()


def test_a_longer_window_is_never_better(make_bars: Callable[..., Bars]) -> None:
    bars = make_bars()
    shorter, longer = adverse_moves(bars, 3), adverse_moves(bars, 4)
    assert (longer[:, 1:-3] >= shorter[:, 1:-3]).all()


def test_no_window_spans_a_gap(make_bars: Callable[..., Bars]) -> None:
    bars = _without(make_bars(30), {15})
    moves = adverse_moves(bars, 3)
    assert np.flatnonzero(np.isnan(moves[0])).tolist() == [0, 13, 14, 15, 27, 28]


def test_a_horizon_below_one_bar_is_refused(make_bars: Callable[..., Bars]) -> None:
    with pytest.raises(ValueError, match="at least one bar"):
        adverse_moves(make_bars(9), 0)


@settings(deadline=None)
@given(LOSSES, LEVELS, st.floats(0.01, 10.0))
def test_the_tail_equals_its_definition(losses: list[float], level: float, sigma: float) -> None:
    fast = tail(np.array(losses), level, sigma)
    slow = tail_reference(losses, level, sigma)
    assert fast.value_at_risk == slow.value_at_risk
    assert fast.expected_shortfall == pytest.approx(slow.expected_shortfall, rel=1e-12)


@settings(deadline=None)
@given(LOSSES, LEVELS)
def test_the_quantile_is_numpys_and_shortfall_is_not_below_it(
    losses: list[float], level: float
) -> None:
    found = tail(np.array(losses), level)
    assert found.value_at_risk == pytest.approx(np.quantile(losses, level), rel=1e-12, abs=1e-12)
    assert found.expected_shortfall >= found.value_at_risk * (1 - 1e-12)


def test_the_tail_matches_the_reference_values() -> None:
    closes = load_closes(VECTORS / "btc_daily_close.csv.gz", period=86_400)
    losses = -100.0 * np.diff(np.log(closes.close))
    expected = json.loads((VECTORS / "btc_risk_reference.json").read_text())["full_sample_hist"]
    for level in ("99", "97.5", "95"):
        found = tail(losses, float(level) / 100.0)
        assert found.value_at_risk == pytest.approx(expected[f"VaR{level}"], rel=1e-12)
    for level in ("99", "97.5"):
        found = tail(losses, float(level) / 100.0)
        assert found.expected_shortfall == pytest.approx(expected[f"ES{level}"], rel=1e-12)


def test_a_rolling_tail_breaches_as_often_as_the_reference() -> None:
    closes = load_closes(VECTORS / "btc_daily_close.csv.gz", period=86_400)
    losses = -100.0 * np.diff(np.log(closes.close))
    expected = json.loads((VECTORS / "btc_risk_reference.json").read_text())
    reference = expected["backtests_1d_99"]["hist_500d_VaR99"]
    tested = range(500, losses.size)
    breaches = sum(losses[t] > tail(losses[t - 500 : t], 0.99).value_at_risk for t in tested)
    assert (len(tested), breaches) == (reference["n"], reference["violations"])


@pytest.mark.parametrize(("sample", "level"), [([], 0.99), ([1.0], 0.0), ([1.0], 1.0)])
def test_no_tail_without_losses_or_level(sample: list[float], level: float) -> None:
    with pytest.raises(ValueError, match="no tail"):
        tail(np.array(sample), level)


def test_standardised_losses_divide_by_what_was_known(make_bars: Callable[..., Bars]) -> None:
    bars = make_bars(120)
    sigma = volatility(bars, 0.97, "close", 20)
    moves = adverse_moves(bars, 3)
    sample = standardised(moves, sigma, 50)
    assert sample.shape == (2, 50)
    for k, i in enumerate(range(68, 118)):
        assert sample[0, k] == moves[0, i] / sigma[i]
        assert sample[1, k] == moves[1, i] / sigma[i]


def test_unknown_volatility_and_standing_prices_are_left_out(
    make_bars: Callable[..., Bars],
) -> None:
    bars = make_bars(40)
    sigma = volatility(bars, 0.97, "close", 20)
    sigma[25] = 0.0
    sample = standardised(adverse_moves(bars, 1), sigma, 1000)
    assert sample.shape == (2, 19)
    assert np.isfinite(sample).all()


@settings(max_examples=20, deadline=None)
@given(st.floats(1e-3, 1e3))
def test_a_constant_factor_in_volatility_cancels(
    make_bars: Callable[..., Bars], factor: float
) -> None:
    bars = make_bars()
    sigma = volatility(bars, 0.97, "close", 20)
    moves = adverse_moves(bars, 2)
    found = [
        tail(standardised(moves, s, 300)[0], 0.99, float(s[-1])) for s in (sigma, sigma * factor)
    ]
    assert found[1].expected_shortfall == pytest.approx(found[0].expected_shortfall, rel=1e-9)
    assert not math.isnan(found[0].value_at_risk)
