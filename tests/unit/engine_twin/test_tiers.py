"""R(N; s, λ): exact, continuous, convex, monotone; blends and decimal floats (FORMULAS 6)."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.engine import tiers
from oracle.engine.tiers import Blend, Bracket, Table
from oracle.engine.units import PPM, Ppm

SEVERITY = st.integers(0, PPM)
DEPTH = st.integers(1, PPM)


@st.composite
def tables(draw: st.DrawFn, brackets: int = 10) -> Table:
    count = draw(st.integers(1, brackets))
    unit = draw(st.sampled_from([1, 10**3, 10**9]))
    bounds = sorted(draw(st.sets(st.integers(1, 10**6), min_size=count, max_size=count)))
    calms = sorted(draw(st.lists(st.integers(0, 500_000), min_size=count, max_size=count)))
    storms = sorted(draw(st.lists(st.integers(500_000, PPM), min_size=count, max_size=count)))
    rows = zip(bounds, calms, storms, strict=True)
    return tuple(Bracket(b * unit, Ppm(c), Ppm(s)) for b, c, s in rows)


@st.composite
def notionals(draw: st.DrawFn, table: Table, depth: int) -> int:
    """Anywhere, or within 2 wei of a bound."""
    top = 2 * table[-1].bound * 10**18
    if draw(st.booleans()):
        return draw(st.integers(0, top))
    bound = draw(st.sampled_from(table)).bound
    return max(0, depth * bound * 10**12 + draw(st.integers(-2, 2)))


def exact(table: Table, notional: Fraction, severity: Fraction, depth: Fraction) -> Fraction:
    """DESIGN 5 in rational numbers: N·r_k - λ·D_k with recursive deductions."""
    deduction, rate, low = Fraction(0), Fraction(0), Fraction(0)
    value = Fraction(0)
    for bracket in table:
        storm, calm = Fraction(bracket.storm, PPM), Fraction(bracket.calm, PPM)
        new = calm + severity * (storm - calm)
        deduction += low * (new - rate)
        rate = new
        if notional >= depth * low:
            value = notional * rate - depth * deduction
        low = Fraction(bracket.bound) * 10**18
    return value


@given(data=st.data(), table=tables(), severity=SEVERITY, depth=DEPTH)
def test_requirement__any_table__is_the_exact_sum_rounded_up(
    data: st.DataObject, table: Table, severity: int, depth: int
) -> None:
    notional = data.draw(notionals(table, depth))
    value = exact(table, Fraction(notional), Fraction(severity, PPM), Fraction(depth, PPM))
    assert tiers.requirement(table, notional, severity, depth) == math.ceil(value)
    assert tiers.sum_brackets(table, notional, severity, depth) == value * 10**12


@given(data=st.data(), table=tables(), severity=SEVERITY, depth=DEPTH)
def test_requirement__one_wei_more__is_continuous_and_convex(
    data: st.DataObject, table: Table, severity: int, depth: int
) -> None:
    notional = data.draw(notionals(table, depth))
    at = [tiers.sum_brackets(table, notional + i, severity, depth) for i in range(3)]
    rounded = [tiers.requirement(table, notional + i, severity, depth) for i in range(3)]
    assert 0 <= at[1] - at[0] <= at[2] - at[1] <= 10**12  # convex; marginal rate at most one
    assert 0 <= rounded[1] - rounded[0] <= 2
    assert at[1] - at[0] == tiers.marginal_rate(table, notional + 1, severity, depth)


@given(data=st.data(), table=tables(), severities=st.tuples(SEVERITY, SEVERITY), depth=DEPTH)
def test_requirement__more_severe__never_falls(
    data: st.DataObject, table: Table, severities: tuple[int, int], depth: int
) -> None:
    notional = data.draw(notionals(table, depth))
    low, high = (tiers.requirement(table, notional, s, depth) for s in sorted(severities))
    assert low <= high <= notional


@given(data=st.data(), table=tables(), severity=SEVERITY, depths=st.tuples(DEPTH, DEPTH))
def test_requirement__shallower__never_falls(
    data: st.DataObject, table: Table, severity: int, depths: tuple[int, int]
) -> None:
    notional = data.draw(notionals(table, depths[0]))
    shallow, deep = (tiers.requirement(table, notional, severity, d) for d in sorted(depths))
    assert shallow >= deep


@given(data=st.data(), table=tables(), severity=SEVERITY, depth=DEPTH)
def test_depth__any__is_homogeneous(
    data: st.DataObject, table: Table, severity: int, depth: int
) -> None:
    """R(N; s, λ) = λ·R(N/λ; s, 1), exactly."""
    notional = data.draw(notionals(table, depth))
    share, rate = Fraction(severity, PPM), Fraction(depth, PPM)
    scaled = rate * exact(table, notional / rate, share, Fraction(1))
    assert scaled == Fraction(tiers.sum_brackets(table, notional, severity, depth), 10**12)


@given(
    data=st.data(),
    old=tables(),
    new=tables(),
    severity=SEVERITY,
    depth=DEPTH,
    ramp=st.integers(1, 10**6),
)
def test_blend__during_a_ramp__moves_linearly_from_old_to_new(
    data: st.DataObject, old: Table, new: Table, severity: int, depth: int, ramp: int
) -> None:
    notional = data.draw(notionals(new, depth))
    elapsed = data.draw(st.integers(0, ramp))
    parts = [tiers.sum_brackets(table, notional, severity, depth) for table in (old, new)]
    blended = Blend(new=new, old=old, elapsed=elapsed, ramp=ramp)
    value = Fraction(parts[0] * (ramp - elapsed) + parts[1] * elapsed, ramp * 10**12)
    assert blended.requirement(notional, severity, depth) == math.ceil(value)
    start = Blend(new=new, old=old, elapsed=0, ramp=ramp)
    end = Blend(new=new, old=old, elapsed=ramp, ramp=ramp)
    assert start.requirement(notional, severity, depth) == tiers.requirement(
        old, notional, severity, depth
    )
    assert end.requirement(notional, severity, depth) == tiers.requirement(
        new, notional, severity, depth
    )


@given(data=st.data(), table=tables(), severity=SEVERITY, depth=DEPTH, accounts=st.integers(2, 50))
def test_splitting__over_accounts__saves_at_most_formulas_5(
    data: st.DataObject, table: Table, severity: int, depth: int, accounts: int
) -> None:
    notional = data.draw(notionals(table, depth))
    cuts = sorted(data.draw(st.integers(0, notional)) for _ in range(accounts - 1))
    pieces = [b - a for a, b in zip([0, *cuts], [*cuts, notional], strict=True)]
    whole = tiers.requirement(table, notional, severity, depth)
    split = sum(tiers.requirement(table, piece, severity, depth) for piece in pieces)
    first = table[0].rate(severity) * notional
    convexity = Fraction(tiers.sum_brackets(table, notional, severity, depth) - first, 10**12)
    assert whole - split <= math.ceil(convexity)


def test_last_bound__one_wei_beyond__is_above() -> None:
    table = (Bracket(1_000, Ppm(10_000), Ppm(20_000)),)
    assert not tiers.is_above_last_bound(table, 500 * 10**18, PPM // 2)
    assert tiers.is_above_last_bound(table, 500 * 10**18 + 1, PPM // 2)


@pytest.mark.parametrize(
    ("rows", "valid"),
    [
        ([(10, 1, 2), (20, 2, 3)], True),
        ([(10, 2, 3), (20, 1, 3)], False),  # a calm rate falls
        ([(10, 1, 3), (20, 1, 2)], False),  # a storm rate falls
        ([(20, 1, 2), (20, 2, 3)], False),  # a bound stands
        ([(10, 3, 2)], False),  # calm above storm
        ([(10, 1, PPM + 1)], False),
        ([], False),
    ],
)
def test_valid_table__each_rule__is_checked(rows: list[tuple[int, int, int]], valid: bool) -> None:
    table = tuple(Bracket(bound, Ppm(calm), Ppm(storm)) for bound, calm, storm in rows)
    assert tiers.is_valid_table(table) is valid


@pytest.mark.parametrize(("initial", "valid"), [(12_500, True), (12_499, False)])
def test_valid_pair__initial_below_one_and_a_quarter__is_refused(initial: int, valid: bool) -> None:
    mm = (Bracket(10, Ppm(10_000), Ppm(10_000)),)
    im = (Bracket(10, Ppm(initial), Ppm(20_000)),)
    assert tiers.is_valid_pair(im, mm, 250_000) is valid


@given(mantissa=st.integers(0, 2**20 - 1), exponent=st.integers(0, 15))
def test_decimal_float__representable__round_trips(mantissa: int, exponent: int) -> None:
    value = mantissa * 10**exponent
    word = tiers.encode_decimal(value)
    assert word is not None
    assert 0 <= word < 2**24
    assert tiers.decode_decimal(word) == value


@pytest.mark.parametrize("value", [2**20 + 1, 10**15 * 2**20, 1_234_567, 10_000_001])
def test_decimal_float__not_representable__is_none(value: int) -> None:
    assert tiers.encode_decimal(value) is None
