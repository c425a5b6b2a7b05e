"""Interest on negative cash and the insurance fund's buckets (FORMULAS 9)."""

from __future__ import annotations

import math
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from oracle.engine import interest
from oracle.engine.units import RAY

CASH = st.integers(-(10**31), 10**31)


@given(cash=CASH, index=st.integers(0, RAY), grown=st.integers(0, 10 * RAY))
def test_owed__any_cash__only_debt_pays_and_rounds_up(cash: int, index: int, grown: int) -> None:
    exact = Fraction(max(0, -cash) * grown, RAY)
    assert interest.owed(cash, index + grown, index) == math.ceil(exact)


@given(debt=st.integers(1, 10**31), rate=st.integers(0, 3 * 10**19), parts=st.integers(1, 50))
def test_owed__in_many_touches__is_never_less_and_little_more(
    debt: int, rate: int, parts: int
) -> None:
    year = interest.YEAR // parts * parts
    once = interest.owed(-debt, interest.accrued_index(0, rate, year), 0)
    cash, index = -debt, 0
    for _ in range(parts):
        grown = interest.accrued_index(index, rate, year // parts)
        cash -= interest.owed(cash, grown, index)
        index = grown
    compounded = Fraction(debt) * (1 + Fraction(rate * (year // parts), RAY)) ** parts
    assert once <= -cash - debt <= compounded - debt + parts * 4


def test_rate__ten_percent_a_year__is_ten_percent() -> None:
    rate = interest.ray_per_second(100_000)
    owed = interest.owed(-(10**24), interest.accrued_index(0, rate, interest.YEAR), 0)
    assert abs(owed - 10**23) <= 10**23 // 10**9


def test_bucket__fees_above_the_cap__are_not_kept() -> None:
    assert interest.bucket_after_fees(90, 5, 100) == 95
    assert interest.bucket_after_fees(90, 50, 100) == 100
