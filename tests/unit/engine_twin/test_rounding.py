"""Every division goes the way its name says, for every sign."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.engine import rounding

SIGNED = st.integers(-(2**200), 2**200)
DENOMINATOR = st.integers(1, 2**120)


@given(x=SIGNED, y=SIGNED, d=DENOMINATOR)
def test_mul_div__any_sign__rounds_as_named(x: int, y: int, d: int) -> None:
    exact = Fraction(x * y, d)
    assert rounding.mul_div_floor(x, y, d) == math.floor(exact)
    assert rounding.mul_div_ceil(x, y, d) == math.ceil(exact)
    assert rounding.div_floor(x, d) == math.floor(Fraction(x, d))
    assert rounding.div_ceil(x, d) == math.ceil(Fraction(x, d))


@given(x=SIGNED, y=SIGNED)
def test_wad_mul__any_sign__rounds_as_named(x: int, y: int) -> None:
    exact = Fraction(x * y, 10**18)
    assert rounding.wad_mul_floor(x, y) == math.floor(exact)
    assert rounding.wad_mul_ceil(x, y) == math.ceil(exact)


@given(x=SIGNED, d=DENOMINATOR)
def test_tdiv__any_sign__truncates(x: int, d: int) -> None:
    assert rounding.tdiv(x, d) == math.trunc(Fraction(x, d))
    assert rounding.tdiv(x, -d) == math.trunc(Fraction(x, -d))


@pytest.mark.parametrize(
    ("numerator", "floor", "ceil", "truncated"), [(-7, -4, -3, -3), (7, 3, 4, 3), (-8, -4, -4, -4)]
)
def test_division__by_two__known_values(
    numerator: int, floor: int, ceil: int, truncated: int
) -> None:
    assert rounding.div_floor(numerator, 2) == floor
    assert rounding.div_ceil(numerator, 2) == ceil
    assert rounding.tdiv(numerator, 2) == truncated


def test_clamp__outside__is_held() -> None:
    assert [rounding.clamp(x, -1, 1) for x in (-5, 0, 5)] == [-1, 0, 1]
    assert [rounding.positive(x) for x in (-5, 0, 5)] == [0, 0, 5]
