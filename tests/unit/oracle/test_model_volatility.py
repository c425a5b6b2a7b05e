"""Volatility: the fast recursion is the slow one, and today never knows tomorrow."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.feeds.bars import HOUR, Bars, load_closes
from oracle.models.volatility import (
    bar_variance,
    close_variance,
    ewma_variance,
    ewma_variance_reference,
    garman_klass_variance,
    volatility,
)

VECTORS = Path(__file__).resolve().parents[2] / "data" / "vectors"
VARIANCES = st.lists(st.floats(0.0, 1.0), max_size=300)


def daily_returns() -> np.ndarray:
    """The input of btc_risk_reference.json: 100 ln(C_t / C_t-1)."""
    closes = load_closes(VECTORS / "btc_daily_close.csv.gz", period=86_400)
    return 100.0 * np.diff(np.log(closes.close))


@settings(deadline=None)
@given(VARIANCES, st.floats(0.01, 0.999), st.floats(0.0, 1.0))
def test_ewma_equals_its_definition(values: list[float], lam: float, initial: float) -> None:
    fast = ewma_variance(np.array(values), lam, initial)
    slow = ewma_variance_reference(values, lam, initial)
    assert fast == pytest.approx(slow, rel=1e-12, abs=1e-300)


def test_ewma_matches_the_reference_values() -> None:
    returns = daily_returns()
    expected = json.loads((VECTORS / "btc_risk_reference.json").read_text())
    assert returns.size == expected["n"]
    variance = ewma_variance(returns**2, 0.94, float(np.var(returns[:30])))
    assert variance[-2] == pytest.approx(expected["ewma_0.94"]["last_h"], rel=1e-12)
    assert variance[-1] == pytest.approx(expected["ewma_0.94"]["next_h"], rel=1e-12)


def test_ewma_with_normal_quantiles_breaches_as_often_as_the_reference() -> None:
    returns = daily_returns()
    expected = json.loads((VECTORS / "btc_risk_reference.json").read_text())
    known = ewma_variance(returns**2, 0.94, float(np.var(returns[:30])))[:-1]
    breaches = -returns[250:] > 2.3263478740408408 * np.sqrt(known[250:])
    reference = expected["backtests_1d_99"]["ewma94_normal_VaR99"]
    assert (breaches.size, int(breaches.sum())) == (reference["n"], reference["violations"])


@pytest.mark.parametrize("lam", [0.0, 1.0, -0.5, math.nan])
def test_a_decay_outside_zero_to_one_is_refused(lam: float) -> None:
    for smooth in (ewma_variance, ewma_variance_reference):
        with pytest.raises(ValueError, match="decay"):
            smooth(np.ones(3), lam, 1.0)


def test_garman_klass_by_hand() -> None:
    bars = Bars(
        np.array([0, HOUR]),
        np.array([100.0, 101.0]),
        np.array([104.0, 105.0]),
        np.array([98.0, 99.0]),
        np.array([102.0, 103.0]),
    )
    first, second = garman_klass_variance(bars)
    body = 2 * math.log(2) - 1
    assert first == pytest.approx(
        0.5 * math.log(104 / 98) ** 2 - body * math.log(102 / 100) ** 2, rel=1e-12
    )
    jump = math.log(101 / 102) ** 2
    assert second == pytest.approx(
        0.5 * math.log(105 / 99) ** 2 - body * math.log(103 / 101) ** 2 + jump, rel=1e-12
    )


def test_no_return_is_formed_across_a_gap() -> None:
    closes = np.array([100.0, 200.0])
    bars = Bars(np.array([0, 5 * HOUR]), closes, closes, closes, closes)
    assert close_variance(bars).tolist() == [0.0, 0.0]
    assert garman_klass_variance(bars).tolist() == [0.0, 0.0]
    joined = Bars(np.array([0, HOUR]), closes, closes, closes, closes)
    assert close_variance(joined)[1] == pytest.approx(math.log(2) ** 2)
    assert garman_klass_variance(joined)[1] == pytest.approx(math.log(2) ** 2)


@pytest.mark.parametrize(("kind", "within"), [("close", 0.05), ("garman_klass", 0.10)])
def test_both_variances_estimate_a_known_volatility(kind: str, within: float) -> None:
    rng = np.random.default_rng(5)
    path = np.cumsum(rng.normal(0.0, 0.01 / math.sqrt(400), (4000, 400))).reshape(4000, 400)
    first = np.concatenate([[0.0], path[:-1, -1]])
    whole = np.exp(np.column_stack([first, path]))
    prices = (whole[:, 0], whole.max(axis=1), whole.min(axis=1), whole[:, -1])
    found = np.mean(bar_variance(Bars(HOUR * np.arange(4000), *prices), kind))  # type: ignore[arg-type]
    assert found == pytest.approx(0.01**2, rel=within)


@settings(max_examples=30, deadline=None)
@given(st.integers(30, 399), st.sampled_from(["close", "garman_klass"]), st.floats(0.1, 10.0))
def test_a_bar_moves_no_volatility_up_to_its_own(
    make_bars: Callable[..., Bars], i: int, kind: str, factor: float
) -> None:
    bars = make_bars()
    columns = [np.where(np.arange(400) >= i, c * factor, c) for c in _prices(bars)]
    changed = Bars(bars.ts, *columns)
    before = volatility(bars, 0.97, kind, 20)  # type: ignore[arg-type]
    after = volatility(changed, 0.97, kind, 20)  # type: ignore[arg-type]
    assert np.array_equal(before[: i + 1], after[: i + 1], equal_nan=True)
    if not 0.99 < factor < 1.01:
        assert before[i + 1] != after[i + 1]


@pytest.mark.parametrize("kind", ["close", "garman_klass"])
def test_volatility_ignores_the_unit_of_price(make_bars: Callable[..., Bars], kind: str) -> None:
    bars = make_bars()
    scaled = Bars(bars.ts, *(column * 4096.0 for column in _prices(bars)))
    same = volatility(scaled, 0.97, kind, 20)  # type: ignore[arg-type]
    assert np.array_equal(volatility(bars, 0.97, kind, 20), same, equal_nan=True)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["close", "garman_klass"])
def test_moves_twice_as_large_are_twice_as_volatile(
    make_bars: Callable[..., Bars], kind: str
) -> None:
    calm, wild = (volatility(make_bars(scale=s), 0.97, kind, 20) for s in (1.0, 2.0))  # type: ignore[arg-type]
    assert wild[20:] == pytest.approx(2.0 * calm[20:], rel=1e-9)


def test_the_seed_is_not_known_before_it_is_over(make_bars: Callable[..., Bars]) -> None:
    sigma = volatility(make_bars(50), 0.97, "close", 20)
    assert sigma.size == 51
    assert np.isnan(sigma[:20]).all()
    assert np.isfinite(sigma[20:]).all()
    assert sigma[20] == pytest.approx(math.sqrt(np.mean(close_variance(make_bars(50))[:20])))


def test_too_few_bars_for_the_seed_are_refused(make_bars: Callable[..., Bars]) -> None:
    with pytest.raises(ValueError, match="at least 20 bars"):
        volatility(make_bars(19), 0.97, "close", 20)


def _prices(bars: Bars) -> tuple[np.ndarray, ...]:
    return bars.open, bars.high, bars.low, bars.close
