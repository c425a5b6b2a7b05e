"""A drawn market: equal sides, the distributions asked for, and a seed that repeats it."""

import math

import numpy as np
import pytest
from hypothesis import given

from oracle.crisis.accounts import imbalance
from oracle.crisis.population import Crowd, Discrete, LogNormal, draw_accounts
from oracle.engine.units import PPM, WAD
from tests.unit.crisis.markets import crises

PRICE = 8_000 * WAD


def _draw(crowd=None, count=2_000, price=PRICE, seed=1):
    return draw_accounts(crowd or Crowd(), count, price, "BTC", np.random.default_rng(seed))


def test_draw__same_seed__same_market():
    assert _draw(seed=7) == _draw(seed=7)
    assert _draw(seed=7) != _draw(seed=8)


@pytest.mark.parametrize("count", [2, 3, 2_000, 20_000])
def test_draw__sides_hold_the_same_to_the_wei(count):
    accounts = _draw(count=count)
    assert len(accounts) == count
    assert imbalance(accounts) == 0


@given(crises())
def test_draw__any_crowd__sides_are_equal_and_every_account_is_real(crisis):
    accounts, _, _ = crisis
    assert imbalance(accounts) == 0
    for account in accounts:
        notional = account.size * account.entry
        assert account.equity * account.leverage * WAD >= notional * PPM  # never above its leverage


def test_draw__long_share__is_a_share_of_accounts():
    assert sum(a.is_long for a in _draw(Crowd(long_share=0.3), 1_000)) == 300
    assert sum(a.is_long for a in _draw(Crowd(long_share=0.001), 10)) == 1
    assert sum(a.is_long for a in _draw(Crowd(long_share=0.999), 10)) == 9


def test_draw__discrete_leverage__in_proportion_to_the_weights():
    accounts = _draw(Crowd(leverage=Discrete((5.0, 50.0, 7.0), (3.0, 1.0, 0.0))), 4_000)
    assert {a.leverage for a in accounts} == {5 * PPM, 50 * PPM}
    assert sum(a.leverage == 5 * PPM for a in accounts) == pytest.approx(3_000, abs=120)


def test_draw__lognormal_notional__has_the_median_and_spread_asked_for():
    # Of 4,000 the median is known to 1.25·sigma/sqrt(4000) = 2 %, the spread to 1.1 %.
    accounts = _draw(Crowd(notional=LogNormal(5_000.0, 1.0)), 4_000)
    for is_long in (True, False):
        sizes = [math.log(a.size * 8_000 / WAD) for a in accounts if a.is_long == is_long]
        assert np.median(sizes) == pytest.approx(math.log(5_000), abs=0.12)
        assert np.std(sizes) == pytest.approx(1.0, abs=0.06)


def test_draw__bounds__hold_for_every_draw():
    leverages = [a.leverage for a in _draw(Crowd(leverage=LogNormal(10.0, 2.0, 3.0, 20.0)), 500)]
    assert (min(leverages), max(leverages)) == (3 * PPM, 20 * PPM)


def test_draw__entry_sigma_zero__everyone_enters_at_the_price():
    assert {a.entry for a in _draw()} == {PRICE}
    assert len({a.entry for a in _draw(Crowd(entry_sigma=0.05), 100)}) == 100


REFUSED = {
    "share of all": (lambda: Crowd(long_share=1.0), "long_share is in (0, 1), got 1.0."),
    "share nan": (lambda: Crowd(long_share=math.nan), "long_share is in (0, 1), got nan."),
    "median zero": (lambda: LogNormal(0.0, 1.0), "a median is positive, got 0.0."),
    "median nan": (lambda: LogNormal(math.nan, 1.0), "a median is positive, got nan."),
    "sigma negative": (lambda: LogNormal(1.0, -1.0), "sigma is in [0, 5], got -1.0."),
    "bounds crossed": (lambda: LogNormal(1.0, 1.0, 3.0, 2.0), "bounds 3.0 to 2.0."),
    "weights missing": (lambda: Discrete((1.0, 2.0), (1.0,)), "2 values for 1 weights."),
    "weights zero": (lambda: Discrete((1.0,), (0.0,)), "not all 0, got (0.0,)."),
    "leverage negative": (lambda: Discrete((-1.0,), (1.0,)), "values are positive, got (-1.0,)."),
    "entry sigma": (lambda: Crowd(entry_sigma=9.0), "entry: sigma is in [0, 5], got 9.0."),
    "one account": (lambda: _draw(count=1), "a market has at least 2 accounts, got 1."),
    "price zero": (lambda: _draw(price=0), "a price is in (0, 1e9] USD, got 0 wad."),
    "price tiny": (lambda: _draw(price=1), "a side is 2^111 wei or more"),
    "no size": (
        lambda: _draw(Crowd(notional=LogNormal(1e-30, 0.0))),
        "an account is left with no size",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_draw__bad_input__is_named(case):
    build, message = REFUSED[case]
    with pytest.raises(ValueError) as refusal:  # noqa: PT011
        build()
    assert message in str(refusal.value)
