"""Coverage tests against published values and independent implementations."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import vartests
from scipy.stats import norm, t
from statsmodels.api import OLS

from oracle.backtest import statistics

VECTORS = Path(__file__).parents[2] / "data" / "vectors"
REFERENCE = json.loads((VECTORS / "var_backtest_reference.json").read_text())
BTC = json.loads((VECTORS / "btc_risk_reference.json").read_text())


@pytest.mark.parametrize("case", REFERENCE["kupiec"], ids=lambda c: f"{c['x']}of{c['n']}")
def test_kupiec__published_counts__to_the_printed_digits(case) -> None:
    found = statistics.kupiec(case["x"], case["n"], case["p"])
    assert round(found.statistic, 6) == pytest.approx(case["LR_uc"], abs=1.5e-6)
    assert round(found.p_value, 6) == pytest.approx(case["p_value"], abs=1.5e-6)
    assert (found.p_value < 0.05) == case["reject_5pct"]


def test_kupiec__15_of_1000__reference() -> None:
    found = statistics.kupiec(15, 1000, 0.01)
    assert (round(found.statistic, 6), round(found.p_value, 6)) == (2.189248, 0.138977)


@pytest.mark.parametrize(
    ("windows", "alpha", "region"),
    [
        (250, 0.01, (1, 6)),
        (500, 0.01, (2, 9)),
        (1000, 0.01, (5, 16)),
        (3189, 0.01, (22, 43)),
        (510, 0.01, (2, 10)),
        (255, 0.05, (7, 20)),
        (1000, 0.05, (38, 64)),
    ],
)
def test_kupiec_region__published(windows, alpha, region) -> None:
    assert statistics.kupiec_region(windows, alpha) == region


def test_kupiec__impossible_count__one_sentence() -> None:
    with pytest.raises(ValueError, match="no coverage test of 3 breaches in 2"):
        statistics.kupiec(3, 2, 0.01)


def test_basel_zone__250_days__published_borders() -> None:
    zones = [statistics.basel_zone(x, 250, 0.01) for x in range(12)]
    assert zones == ["green"] * 5 + ["yellow"] * 5 + ["red"] * 2


def test_independence__btc_daily__reference_of_another_implementation() -> None:
    lines = gzip.decompress((VECTORS / "btc_daily_close.csv.gz").read_bytes()).decode().split()
    close = np.array([float(line.split(",")[1]) for line in lines[1:]])
    returns = 100.0 * np.diff(np.log(close))
    expected = BTC["backtests_1d_99"]["hist_500d_VaR99"]
    breaches = np.array(
        [returns[i] < np.quantile(returns[i - 500 : i], 0.01) for i in range(500, returns.size)]
    )
    found = statistics.coverage(breaches, 0.01)
    assert (found.windows, found.breaches) == (expected["n"], expected["violations"])
    assert found.kupiec.statistic == pytest.approx(expected["LR_uc"], abs=1e-9)
    assert found.independence.statistic == pytest.approx(expected["LR_ind"], abs=1e-9)
    assert found.independence.p_value == pytest.approx(expected["p_ind"], abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_coverage__random_breaches__equals_vartests(seed) -> None:
    breaches = np.random.default_rng(seed).random(700) < 0.02
    found = statistics.coverage(breaches, 0.01)
    theirs = vartests.kupiec_test(breaches.astype(int), 0.99)
    assert found.kupiec.statistic == pytest.approx(theirs["statistic"], abs=1e-9)
    assert found.kupiec.p_value == pytest.approx(theirs["p-value"], abs=1e-9)
    assert found.conditional.statistic == found.kupiec.statistic + found.independence.statistic


def test_independence__breaches_in_pairs__refused() -> None:
    breaches = np.zeros(1000, dtype=bool)
    breaches[[100, 101, 500, 501, 900, 901]] = True
    assert statistics.independence(breaches).p_value < 0.001
    follows = np.ones(1000, dtype=bool)
    follows[[101, 501, 901]] = False
    assert statistics.independence(breaches, follows).p_value > 0.5


def test_z2__its_critical_value_is_the_published_one() -> None:
    """Acerbi and Szekely: 5 % of Z2 is below -.70 for a normal, -.82 for a t with 3 degrees."""
    rng, alpha, windows = np.random.default_rng(1), 0.025, 250
    q = norm.ppf(1.0 - alpha)
    normal = (rng.standard_normal((4000, windows)), q, norm.pdf(q) / alpha)
    q3 = t.ppf(1.0 - alpha, 3)
    student = (rng.standard_t(3, (4000, windows)), q3, t.pdf(q3, 3) / alpha * (3 + q3**2) / 2)
    for (sample, var, shortfall), critical in ((normal, -0.70), (student, -0.82)):
        flat = np.ones(windows)
        found = [statistics.acerbi_szekely(x, var * flat, shortfall * flat, alpha) for x in sample]
        assert float(np.quantile(found, 0.05)) == pytest.approx(critical, abs=0.04)
        assert float(np.mean(found)) == pytest.approx(0.0, abs=0.03)
    assert statistics.z2_critical(windows, alpha) == pytest.approx(-0.70)


def test_fissler_ziegel__smallest_at_the_truth() -> None:
    losses = np.random.default_rng(2).standard_normal(200_000)
    q = norm.ppf(0.99)
    var, shortfall = q, norm.pdf(q) / 0.01
    flat = np.ones_like(losses)

    def mean(v: float, e: float) -> float:
        return float(np.mean(statistics.fissler_ziegel(losses, v * flat, e * flat, 0.01)))

    best = mean(var, shortfall)
    for v, e in ((0.9, 0.9), (1.1, 1.1), (0.9, 1.0), (1.1, 1.0), (1.0, 1.2), (1.0, 0.9)):
        assert mean(var * v, max(shortfall * e, var * v)) > best


def test_diebold_mariano__equals_statsmodels() -> None:
    rng = np.random.default_rng(3)
    ours, theirs = rng.standard_normal(500).cumsum() * 0.1, rng.standard_normal(500)
    found = statistics.diebold_mariano(ours, theirs, lags=7)
    fit = OLS(ours - theirs, np.ones(500)).fit(
        cov_type="HAC", cov_kwds={"maxlags": 7, "use_correction": False}
    )
    assert found.statistic == pytest.approx(float(fit.tvalues[0]), rel=1e-9)
    assert found.p_value == pytest.approx(float(fit.pvalues[0]), rel=1e-9)
    assert statistics.diebold_mariano(theirs, theirs).p_value == 1.0


def test_no_window__is_refused_in_a_sentence():
    nothing = np.array([])
    with pytest.raises(ValueError, match="at least one window"):
        statistics.acerbi_szekely(nothing, nothing, nothing, 0.01)
    with pytest.raises(ValueError, match="at least one window"):
        statistics.diebold_mariano(nothing, nothing)
