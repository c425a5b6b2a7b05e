"""FORMULAS 1 in Vyper is the integer twin to the wei, everywhere in its bounds."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from oracle.engine import sides
from oracle.engine.sides import GAP_RESERVE, Position, Side
from tests.support.compiled import load

RAY, WAD = 10**27, 10**18
A_MIN = 10**18
QUICK = settings(max_examples=120, deadline=None)

SIZES = st.one_of(st.integers(1, 10**6), st.integers(1, 2**110 - 1), st.just(2**110 - 1))
SCALED = st.one_of(st.integers(1, 10**6), st.integers(1, 2**111 - 1), st.just(2**111 - 1))
# price less F: prices from 1e-6 to 1e9 USD, F to 1e10 either way
G = st.one_of(
    st.integers(10**12, 10**27),
    st.integers(-(10**28), 10**28),
    st.sampled_from([-(10**28), -1, 0, 1, 10**12, 10**27, 10**28]),
)
SCALES = st.one_of(st.just(RAY), st.just(A_MIN), st.integers(A_MIN, RAY))
CREDITS = st.one_of(st.sampled_from([0, 1, -1]), st.integers(-(2**135), 2**135))
ZS = st.integers(-(2**119), 2**119)
SIGNS = st.booleans()


@pytest.fixture(scope="module")
def index() -> Any:
    return load("contracts/mocks/SideIndexHarness.vy").deploy()


def side_of(scale: int, credit: int, *, cut: bool, total: int = 0) -> Side:
    """An uncut side has A = 1 and no credit."""
    return Side(scale if cut else RAY, credit if cut else 0, total, 0, cut)


@QUICK
@given(SCALED, SIGNS, SCALES)
def test_size_of__any__is_the_floor_of_the_signed_product(
    index: Any, magnitude: int, is_long: bool, scale: int
) -> None:
    scaled = magnitude if is_long else -magnitude
    assert index.size_of(scaled, scale) == sides.size_of(scaled, scale) == scaled * scale // RAY


@QUICK
@given(SCALED, SIGNS, ZS, CREDITS)
def test_base_of__cut_side__is_credit_less_z_less_reserve(
    index: Any, magnitude: int, is_long: bool, z: int, credit: int
) -> None:
    scaled = magnitude if is_long else -magnitude
    expected = sides.base_of(Position(scaled, z, 0), side_of(RAY, credit, cut=True))
    assert index.base_of(scaled, z, credit) == expected
    assert expected == magnitude * credit // RAY - z - GAP_RESERVE


@QUICK
@given(SIZES, G, SIGNS, SCALES, CREDITS, st.booleans())
def test_open__any__is_the_twin(
    index: Any, size: int, g: int, is_long: bool, scale: int, credit: int, cut: bool
) -> None:
    side = side_of(scale, credit, cut=cut)
    after, opened = sides.open_leg(side, sides.FLAT, size, g, is_long=is_long)
    got = index.open(size, g, is_long, side.scale, side.credit, cut)
    assert (got.scaled, got.z) == (abs(opened.scaled), opened.z)
    assert got.scaled == after.total


@QUICK
@given(SCALED, SIGNS, ZS, G, SCALES, CREDITS, st.booleans(), st.integers(0, 10**6))
def test_close__any_part__is_the_twin(
    index: Any,
    magnitude: int,
    is_long: bool,
    z: int,
    g: int,
    scale: int,
    credit: int,
    cut: bool,
    part: int,
) -> None:
    scaled = magnitude if is_long else -magnitude
    side = side_of(scale, credit, cut=cut, total=magnitude)
    position = Position(scaled, z, 0)
    whole = abs(sides.size_of(scaled, side.scale))
    size = min(whole, max(1, whole * part // 10**6))
    assume(size > 0)
    after, left, realised = sides.close_leg(side, position, size, g)
    got = index.close(scaled, z, size, size == whole, g, side.scale, side.credit, cut)
    assert (got.scaled, got.z, got.realised) == (magnitude - after.total, left.z, realised)


@QUICK
@given(SCALED, ZS, CREDITS, SCALES)
def test_close__whole_position_without_effective_size__takes_all_of_it(
    index: Any, magnitude: int, z: int, credit: int, scale: int
) -> None:
    got = index.close(magnitude, z, 0, True, 0, scale, credit, True)
    assert (got.scaled, got.z) == (magnitude, 0)
    assert got.realised == magnitude * credit // RAY - GAP_RESERVE - z


@QUICK
@given(
    st.integers(1_000, 2**111 - 1),
    st.integers(0, 10**6),
    st.integers(0, 2**103),
    G,
    SIGNS,
    SCALES,
    CREDITS,
)
def test_cut__any_part_of_a_side__is_the_twin(
    index: Any,
    total: int,
    part: int,
    charge: int,
    g: int,
    is_long: bool,
    scale: int,
    credit: int,
) -> None:
    side = side_of(scale, credit, cut=True, total=total)
    size = total * scale // RAY * part // 10**6
    twin = sides.cut_longs if is_long else sides.cut_shorts
    after = twin(side, size, charge, g)
    got = index.cut(size, charge, g, is_long, total, scale, credit)
    assert (got.scale, got.credit) == (after.scale, after.credit)
    assert got.scale <= scale


@QUICK
@given(st.integers(1_000, 2**100), st.integers(1, 10**9), G, SCALES)
def test_cut__longs_by_a_short_larger_than_they__takes_all_they_hold(
    index: Any, total: int, excess: int, g: int, scale: int
) -> None:
    held = total * scale // RAY
    got = index.cut(held + excess, 0, g, True, total, scale, 0)
    assert tuple(got) == tuple(index.cut(held, 0, g, True, total, scale, 0))
    assert 0 <= got.scale <= scale - held * RAY // total


@QUICK
@given(st.integers(10**6, 2**110), st.integers(1, 10**6), st.integers(0, 2**100), G, SIGNS, SCALES)
def test_cut__marked_at_its_own_price__costs_the_side_the_charge_or_more(
    index: Any, total: int, part: int, charge: int, g: int, is_long: bool, scale: int
) -> None:
    """Conservation in rational numbers: whatever rounds, rounds against the side."""
    size = total * scale // RAY * part // 10**6
    got = index.cut(size, charge, g, is_long, total, scale, 0)
    sign = 1 if is_long else -1
    before = Fraction(total * sign * scale * g, RAY * WAD)
    after = Fraction(total * (got.credit * WAD + sign * got.scale * g), RAY * WAD)
    lost = before - after - charge
    assert 0 <= lost <= 2 * (total // RAY + 1) * GAP_RESERVE + 2


@QUICK
@given(SIGNS, G, SCALES, CREDITS)
def test_settled_credit__any__is_the_twin(
    index: Any, is_long: bool, g: int, scale: int, credit: int
) -> None:
    side = side_of(scale, credit, cut=True)
    expected = sides.settled_credit(side, g, is_long=is_long)
    assert index.settled_credit(is_long, g, scale, credit) == expected


@QUICK
@given(SCALED, SIGNS, ZS, st.integers(-(2**136), 2**136))
def test_ended_value__any__is_the_twin(
    index: Any, magnitude: int, is_long: bool, z: int, final: int
) -> None:
    scaled = magnitude if is_long else -magnitude
    expected = sides.ended_value(Position(scaled, z, 0), final)
    assert index.ended_value(scaled, z, final) == expected == magnitude * final // RAY - z


@QUICK
@given(SIZES, G, G, SIGNS, SCALES, CREDITS, st.booleans(), st.integers(1, 10**6))
def test_round_trip__open_and_close_in_two_parts__never_gains_a_wei(
    index: Any,
    size: int,
    g: int,
    at: int,
    is_long: bool,
    scale: int,
    credit: int,
    cut: bool,
    part: int,
) -> None:
    """Opened and closed at one price nothing is won, whichever way it is split (ACC-2)."""
    side = side_of(scale, credit, cut=cut)
    assume(not cut or size * RAY // side.scale < 2**111)
    opened = index.open(size, g, is_long, side.scale, side.credit, cut)
    assume(opened.scaled < 2**111 and abs(opened.z) < 2**119)  # asserted on opens
    scaled = opened.scaled if is_long else -opened.scaled
    whole = abs(sides.size_of(scaled, side.scale))
    first = min(whole - 1, size * part // 10**6)
    assume(first > 0)
    one = index.close(scaled, opened.z, first, False, g, side.scale, side.credit, cut)
    left = scaled - (one.scaled if is_long else -one.scaled)
    rest = abs(sides.size_of(left, side.scale))
    two = index.close(left, one.z, rest, True, g, side.scale, side.credit, cut)
    gap = (first + rest - size) * g if is_long else (size - first - rest) * g
    assert two.z == 0
    assert one.realised + two.realised <= math.ceil(Fraction(gap, WAD))


@QUICK
@given(SIZES, G, SIGNS)
def test_uncut_side__scale_of_one__cuts_nothing(
    index: Any, size: int, g: int, is_long: bool
) -> None:
    """On an uncut side the cut branch differs only by the reserve: A = RAY, credit = 0."""
    plain = index.open(size, g, is_long, RAY, 0, False)
    cut = index.open(size, g, is_long, RAY, 0, True)
    assert cut.scaled == plain.scaled == size
    assert cut.z == plain.z + GAP_RESERVE
    assert replace(sides.fresh_side(0), cut=True).scale == RAY
