"""Haircuts: inside [0, 1), rising in every risk, and what moves with the position costs more."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.models.haircuts import PegRisk, haircut, marginal_haircuts, wrong_way_addon

PART = st.floats(0.0, 3.0)


@settings(deadline=None)
@given(PART, PART, PART, st.floats(0.0, 1.0))
def test_the_haircut_is_its_formula(es: float, impact: float, peg: float, wrong: float) -> None:
    expected = 1.0 - math.exp(-(es + impact + peg) * (1.0 + wrong))
    assert float(haircut(es, impact, peg, wrong)) == pytest.approx(expected, abs=1e-12)
    assert 0.0 <= float(haircut(es, impact, peg, wrong)) <= 1.0


@settings(deadline=None)
@given(PART, PART, PART, st.floats(0.0, 1.0), st.floats(0.0, 0.5), st.integers(0, 3))
def test_no_risk_lowers_it(
    es: float, impact: float, peg: float, wrong: float, more: float, which: int
) -> None:
    parts = [es, impact, peg, wrong]
    base = float(haircut(*parts))
    parts[which] += more
    assert float(haircut(*parts)) >= base


def test_a_small_loss_is_its_own_haircut() -> None:
    assert float(haircut(1e-9)) == pytest.approx(1e-9)
    assert haircut(np.array([0.0, 0.1]), 0.0).tolist() == [0.0, -math.expm1(-0.1)]
    for bad in ((-0.1, 0.0, 0.0, 0.0), (0.1, -0.05, 0.0, 0.0), (0.1, 0.0, -0.1, 0.0)):
        with pytest.raises(ValueError, match="negative"):
            haircut(*bad)


def test_wrong_way_risk_from_none_to_always() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.standard_t(4, (2, 20_000))
    assert wrong_way_addon(one, one) == pytest.approx(1.0)
    assert wrong_way_addon(one, other) < 0.05
    assert wrong_way_addon(one, -one) == 0.0
    half = wrong_way_addon(0.8 * one + 0.6 * other, one)
    assert 0.3 < half < 0.9
    with pytest.raises(ValueError, match="100 common"):
        wrong_way_addon(one[:50], other[:50])


@settings(max_examples=20, deadline=None)
@given(st.floats(1e-3, 1e3))
def test_wrong_way_risk_ignores_the_unit(factor: float) -> None:
    one, other = np.random.default_rng(2).standard_t(4, (2, 500))
    mixed = one + other
    assert wrong_way_addon(mixed * factor, one) == wrong_way_addon(mixed, one)


def test_a_peg_counts_until_it_can_be_redeemed() -> None:
    peg = PegRisk(worst_discount=0.12, redemption_hours=72.0)
    assert peg.addon(24.0) == pytest.approx(-math.log(0.88))
    assert peg.addon(72.0) == 0.0
    assert float(haircut(0.0, peg=peg.addon(1.0))) == pytest.approx(0.12)
    with pytest.raises(ValueError, match="discount"):
        PegRisk(1.0, 1.0).addon(1.0)


def test_marginal_rates_cut_what_the_totals_say() -> None:
    bounds = np.array([1e6, 2e6, 5e6])
    totals = np.array([0.1, 0.12, 0.2])
    rates = marginal_haircuts(totals, bounds)
    cut = np.cumsum(rates * np.diff(bounds, prepend=0.0))
    assert cut == pytest.approx(totals * bounds)
    falling = marginal_haircuts(np.array([0.3, 0.2, 0.5]), bounds)
    assert (np.diff(falling) >= 0.0).all()
    assert (marginal_haircuts(np.array([0.5, 0.9, 0.99]), bounds) <= 1.0).all()
