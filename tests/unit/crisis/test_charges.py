"""Charges measured from the index of a side: against sums over its positions, in exact integers."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from oracle.crisis.charges import after_cut, taken_by
from oracle.engine import sides
from oracle.engine.units import RAY, WAD

MARKS = st.integers(10**12, 10**24)
SIZES = st.lists(st.integers(10**6, 10**24), min_size=1, max_size=6)


def _side(sizes, g, *, is_long):
    side, held = sides.fresh_side(0), []
    for size in sizes:
        side, position = sides.open_leg(side, sides.FLAT, size, g, is_long=is_long)
        held.append(position)
    return side, held


def _value(position, side, g):
    """V without rounding."""
    sign = 1 if position.is_long else -1
    index = side.credit + Fraction(sign * side.scale * g, WAD)
    return Fraction(abs(position.scaled)) * index / RAY - position.z


@given(SIZES, MARKS, st.booleans(), st.data())
def test_taken__is_what_the_positions_lost(sizes, g, is_long, data):
    side, held = _side(sizes, g, is_long=is_long)
    cut = sides.cut_longs if is_long else sides.cut_shorts
    for _ in range(data.draw(st.integers(1, 4))):
        total = sides.effective_total(side, is_long=is_long)
        size = data.draw(st.integers(0, total // 2))
        charge = data.draw(st.integers(0, total * g // WAD))
        after = cut(side, size, charge, g)
        taken = taken_by(side, after, g, is_long=is_long)
        lost = sum(_value(p, side, g) - _value(p, after, g) for p in held)
        assert lost == sum(Fraction(abs(p.scaled) * taken.per_unit, RAY * WAD) for p in held)
        assert lost <= taken.loss < lost + 1
        assert 0 <= taken.loss - charge <= taken.bound  # nothing but the charge and dust
        side = after


def test_taken__a_cut_that_takes_more_than_its_charge__is_beyond_the_bound():
    side, _ = _side([10 * WAD], 100 * WAD, is_long=True)
    fair = sides.cut_longs(side, 2 * WAD, 30 * WAD, 100 * WAD)
    greedy = after_cut(side, fair.scale, fair.credit - RAY // 1_000)  # a thousandth USD a unit
    taken = taken_by(side, greedy, 100 * WAD, is_long=True)
    assert taken.loss - 30 * WAD > 10**16 - 10**12 > taken.bound


def test_taken__the_mark_alone__takes_nothing():
    # A cut at 100 without a charge; what the same A and K are worth at 50 is another question.
    side, _ = _side([10 * WAD], 100 * WAD, is_long=False)
    after = sides.cut_shorts(side, 4 * WAD, 0, 100 * WAD)
    taken = taken_by(side, after, 100 * WAD, is_long=False)
    assert 0 <= taken.loss <= taken.bound < 10**12


def test_dust_bound__is_small_money():
    # A side of 100,000 units at 100,000 USD: less than a millionth of a dollar.
    side, _ = _side([10**23], 10**23, is_long=True)
    after = sides.cut_longs(side, 10**21, 0, 10**23)
    assert taken_by(side, after, 10**23, is_long=True).bound < 10**12
