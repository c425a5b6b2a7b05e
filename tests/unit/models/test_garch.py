"""GJR-GARCH: published benchmarks to their printed digits, and a walk without look-ahead."""

import csv
import json
import math
from pathlib import Path
from types import SimpleNamespace

import arch.data.sp500
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.feeds.bars import load_closes
from oracle.models import garch
from oracle.models.garch import (
    GarchError,
    fit_garch,
    forecast,
    garch_volatility,
    standard_quantile,
    variance_reference,
)
from oracle.models.volatility import ewma_volatility

VECTORS = Path(__file__).resolve().parents[2] / "data" / "vectors"


def _dem2gbp() -> np.ndarray:
    with (VECTORS / "dem2gbp.csv").open() as lines:
        return np.array([float(row["ret_pct"]) for row in csv.DictReader(lines)])


def _sp500() -> np.ndarray:
    prices = arch.data.sp500.load()["Adj Close"].to_numpy()
    return 100.0 * (prices[1:] / prices[:-1] - 1.0)


def _btc() -> np.ndarray:
    closes = load_closes(VECTORS / "btc_daily_close.csv.gz", period=86_400)
    return 100.0 * np.diff(np.log(closes.close))


def _walk(seed: int = 4, size: int = 900) -> np.ndarray:
    """Returns of a known GARCH, per cent."""
    rng = np.random.default_rng(seed)
    values, variance = np.empty(size), 1.0
    for t in range(size):
        values[t] = math.sqrt(variance) * rng.standard_t(6) * math.sqrt(4 / 6)
        variance = 0.05 + 0.08 * values[t] ** 2 + 0.87 * variance
    return values


def test_the_published_benchmark_to_its_digits() -> None:
    expected = json.loads((VECTORS / "garch_fcp_benchmark.json").read_text())
    fit = fit_garch(_dem2gbp(), asymmetric=False, innovations="normal", sample_start=True)
    params = expected["params"]
    assert fit.mu == pytest.approx(params["mu"], abs=1e-8)
    assert fit.omega == pytest.approx(params["omega"], abs=1e-7)  # printed .0107613, is .01076139
    assert fit.alpha == pytest.approx(params["alpha"], abs=5e-7)
    assert fit.beta == pytest.approx(params["beta"], abs=5e-7)
    assert fit.loglik == pytest.approx(expected["verified_here"]["loglik"], abs=1e-6)


@pytest.mark.parametrize(("asymmetric", "loglik"), [(False, -6936.718), (True, -6822.883)])
def test_the_sp500_likelihoods(asymmetric: bool, loglik: float) -> None:
    fit = fit_garch(_sp500(), asymmetric=asymmetric, innovations="normal")
    assert round(fit.loglik, 3) == loglik


@pytest.mark.parametrize(
    ("name", "asymmetric", "innovations"),
    [("garch11_normal", False, "normal"), ("garch11_t", False, "t"), ("gjr11_t", True, "t")],
)
def test_btc_as_the_reference_has_it(name: str, asymmetric: bool, innovations: str) -> None:
    expected = json.loads((VECTORS / "btc_risk_reference.json").read_text())[name]
    fit = fit_garch(_btc(), asymmetric=asymmetric, innovations=innovations)  # type: ignore[arg-type]
    # A flat optimum: the reference's own optimiser stopped within 1e-6 of this likelihood.
    assert fit.loglik == pytest.approx(expected["loglik"], abs=2e-3)
    assert fit.loglik >= expected["loglik"] - 1e-4
    assert fit.beta == pytest.approx(expected["beta[1]"], abs=2e-3)
    assert math.sqrt(fit.variance[-1]) == pytest.approx(expected["last_cond_vol"], rel=5e-3)
    assert fit.next_variance == pytest.approx(expected["next_day_var_forecast"], rel=1e-2)
    if innovations == "t":
        assert fit.nu == pytest.approx(expected["nu"], rel=5e-3)


def test_the_variance_is_the_plain_recursion() -> None:
    returns = _walk()
    fit = fit_garch(returns)
    slow = variance_reference(fit, returns, float(fit.variance[0]))
    assert fit.variance == pytest.approx(slow[:-1], rel=1e-9)
    assert fit.next_variance == pytest.approx(slow[-1], rel=1e-9)


def test_a_known_process_is_found_again() -> None:
    fit = fit_garch(_walk(1, 8000), asymmetric=True, innovations="skewt")
    assert fit.alpha + fit.gamma / 2 == pytest.approx(0.08, abs=0.03)
    assert fit.beta == pytest.approx(0.87, abs=0.04)
    assert fit.nu == pytest.approx(6.0, rel=0.25)
    assert fit.skew == pytest.approx(0.0, abs=0.06)
    assert 0.9 < fit.persistence < 1.0
    assert fit.persistence == fit.alpha + 0.5 * fit.gamma + fit.beta
    leveraged = fit_garch(_sp500(), innovations="normal")
    assert leveraged.persistence == leveraged.alpha + leveraged.gamma / 2 + leveraged.beta


@settings(max_examples=8, deadline=None)
@given(st.sampled_from([1e-4, 0.01, 7.0, 1e3]))
def test_the_fit_ignores_the_unit(factor: float) -> None:
    returns = _walk()
    one, other = fit_garch(returns), fit_garch(returns * factor)
    assert other.alpha == pytest.approx(one.alpha, rel=1e-3, abs=1e-5)
    assert other.beta == pytest.approx(one.beta, rel=1e-3)
    assert other.omega == pytest.approx(one.omega * factor**2, rel=1e-2)
    assert math.sqrt(other.next_variance) == pytest.approx(
        factor * math.sqrt(one.next_variance), rel=1e-3
    )


def test_tomorrow_moves_no_volatility_of_today() -> None:
    returns = _walk(size=460)
    base = garch_volatility(returns, window=300, refit=40)
    for i in (300, 339, 340, 341, 459):
        changed = returns.copy()
        changed[i:] *= -3.0
        after = garch_volatility(changed, window=300, refit=40)
        assert np.array_equal(base.sigma[: i + 1], after.sigma[: i + 1], equal_nan=True)
        assert np.array_equal(base.fell_back[: i + 1], after.fell_back[: i + 1])
        assert base.sigma[i + 1] != after.sigma[i + 1]


def test_the_walk_is_a_refit_and_the_recursion() -> None:
    returns = _walk(size=360)
    series = garch_volatility(returns, window=300, refit=40)
    assert np.isnan(series.sigma[:300]).all()
    assert series.fits == 2
    assert not series.reasons
    first = fit_garch(returns[:300])
    slow = variance_reference(first, returns[300:340], first.next_variance)[:-1]
    assert series.sigma[300:340] == pytest.approx(np.sqrt(slow), rel=1e-12)
    second = fit_garch(returns[40:340], start=first)
    assert series.sigma[340] == math.sqrt(second.next_variance)


def test_a_warm_start_ends_where_a_cold_one_does() -> None:
    returns = _walk()
    cold = fit_garch(returns[20:])
    warm = fit_garch(returns[20:], start=fit_garch(returns[:-20]))
    assert warm.loglik == pytest.approx(cold.loglik, abs=1e-3)


def test_without_a_fit_it_is_the_ewma_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    returns = _walk(size=360)

    def refuse(*_: object, **__: object) -> None:
        raise GarchError("the optimiser stopped with flag 8.")

    monkeypatch.setattr(garch, "fit_garch", refuse)
    series = garch_volatility(returns, window=300, refit=40)
    assert series.fell_back[300:].all()
    assert not series.fell_back[:300].any()
    assert series.fits == 0
    assert sorted(series.reasons) == [300, 340]
    assert "flag 8" in series.reasons[300]
    assert np.array_equal(series.sigma[300:], ewma_volatility(returns**2, 0.94, 300)[300:])
    sigma, fit, reason = forecast(returns)
    assert fit is None
    assert reason == "GARCH was not used: the optimiser stopped with flag 8."
    assert sigma == float(ewma_volatility(returns**2, 0.94, 100)[-1])


def test_an_optimiser_that_does_not_converge_is_no_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = SimpleNamespace(params={"mu": 0.0}, convergence_flag=9)
    monkeypatch.setattr(garch.ConstantMean, "fit", lambda *_, **__: stopped)
    with pytest.raises(GarchError, match="flag 9"):
        fit_garch(_walk(size=100))


def test_a_market_that_stands_still_falls_back() -> None:
    series = garch_volatility(np.zeros(400), window=300, refit=50)
    assert series.fell_back[300:].all()
    assert (series.sigma[300:] == 0.0).all()
    assert "do not move" in series.reasons[300]


@pytest.mark.parametrize("bad", [np.ones(10), np.array([1.0] * 60 + [math.nan])])
def test_too_few_or_broken_returns_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(GarchError, match="too few"):
        fit_garch(bad)


def test_short_histories_know_nothing_yet() -> None:
    series = garch_volatility(_walk(size=100), window=300)
    assert np.isnan(series.sigma).all()
    assert series.fits == 0
    with pytest.raises(ValueError, match="no walk-forward"):
        garch_volatility(_walk(), window=10)
    with pytest.raises(ValueError, match="at least one"):
        forecast(np.array([]))


def test_the_skewed_quantile_has_the_right_weight() -> None:
    fit = fit_garch(_walk())
    assert standard_quantile(fit, 0.99) > 2.3
    assert standard_quantile(fit, 0.5) == pytest.approx(0.0, abs=0.1)
    with pytest.raises(GarchError, match="skewed"):
        standard_quantile(fit_garch(_walk(), innovations="normal"), 0.99)


def test_a_larger_last_move_makes_tomorrow_wilder_and_a_fall_more_than_a_rise() -> None:
    fit = fit_garch(_sp500(), innovations="normal")
    up, more = (fit.after(fit.mu + x, 1.0) for x in (1.0, 3.0))
    down = fit.after(fit.mu - 1.0, 1.0)
    assert up < more
    assert down > up  # gamma > 0: the S&P's leverage effect
    assert fit.after(0.0, 2.0) > fit.after(0.0, 1.0)
