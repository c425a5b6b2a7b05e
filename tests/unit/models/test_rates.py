"""Rates in force while a table blends in: as the chain and the backtest have them, by ``==``."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from oracle.line import ChainRules, Vote, _solve, _Walk
from oracle.policy import PPM, Rates, severity_for
from oracle.risk import InForce

RAMP = 86_400
pairs = st.tuples(st.integers(1, PPM), st.integers(1, PPM)).map(lambda pair: tuple(sorted(pair)))


@given(pairs, pairs, st.integers(0, 2 * RAMP), st.integers(1, PPM))
def test_severity_is_the_least_that_covers_the_blend(
    old: tuple[int, int], new: tuple[int, int], elapsed: int, need: int
) -> None:
    rates = Rates(old, new, 1_000, RAMP)
    share = min(Fraction(elapsed, RAMP), Fraction(1))
    calm, storm = (a * (1 - share) + b * share for a, b in zip(old, new, strict=True))
    found = rates.severity_for(need, 1_000 + elapsed)

    def rate(severity: int) -> Fraction:
        return calm + (storm - calm) * severity / PPM

    assert found == PPM if need > storm else rate(found) >= need
    assert not found or need > storm or rate(found - 1) < need
    assert rates.rate(found, 1_000 + elapsed) == int(rate(found))
    up = [-int(-each // 1) for each in (calm, storm)]
    assert list(rates.rounded(1_000 + elapsed)) == up


@given(pairs, pairs, st.integers(0, 2 * RAMP), st.integers(1, PPM))
def test_severity_is_that_of_the_backtest(
    old: tuple[int, int], new: tuple[int, int], elapsed: int, need: int
) -> None:
    votes = [Vote(0, *((rate,) for rate in old)), Vote(5, *((rate,) for rate in new))]
    walk = _Walk(votes, ChainRules(ramp=RAMP), draft=None)
    walk.index = 1
    calm, storm = walk._blend(5 + elapsed)
    rates = Rates(old, new, 5, RAMP)
    assert rates.severity_for(need, 5 + elapsed) == _solve(need * RAMP, calm, storm)


def test_before_the_vote_and_after_the_ramp_one_table_is_in_force() -> None:
    rates = Rates((10, 20), (30, 50), 1_000, RAMP)
    assert rates.rounded(900) == (10, 20)
    assert rates.in_force(1_000 + RAMP) == (30, 50, 1)
    assert rates.severity_for(40, 1_000 + RAMP) == severity_for(40, 30, 50)
    assert InForce(rates, 2 * RAMP + 3_599).hourly == (30, 50)
