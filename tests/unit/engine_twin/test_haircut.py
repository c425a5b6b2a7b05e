"""Collateral values: monotone and concave in the account's own amount (FORMULAS 7)."""

from __future__ import annotations

import math
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from oracle.engine import haircut, tiers
from oracle.engine.units import PPM

from .test_tiers import DEPTH, SEVERITY, notionals, tables


@given(amount=st.integers(0, 10**30), price=st.integers(0, 10**27))
def test_raw_value__any_amount__rounds_down(amount: int, price: int) -> None:
    assert haircut.raw_value(amount, price) == math.floor(Fraction(amount * price, 10**18))


@given(data=st.data(), table=tables(), severity=SEVERITY, depth=DEPTH)
def test_value__formulas_7__is_the_running_sum_rounded_down(
    data: st.DataObject, table: tiers.Table, severity: int, depth: int
) -> None:
    """val(v) = fl(v·w_k + G_k) with G_k = G_{k-1} + v_{k-1}·(w_{k-1} - w_k), w = 1 - haircut."""
    value = data.draw(notionals(table, depth))
    weight, gain, low = Fraction(0), Fraction(0), Fraction(0)
    exact = Fraction(0)
    for k, bracket in enumerate(table):
        new = 1 - Fraction(bracket.rate(severity), 10**12)
        gain = Fraction(0) if k == 0 else gain + low * (weight - new)
        weight = new
        if value >= low:
            exact = value * weight + gain
        low = Fraction(bracket.bound * depth * 10**12)
    found = haircut.haircut_value(value, tiers.settled(table), severity, depth)
    assert found == max(0, math.floor(exact))


@given(data=st.data(), table=tables(), severity=SEVERITY, depth=DEPTH, more=st.integers(0, 10**24))
def test_value__more_of_it__never_falls_and_never_gains_faster(
    data: st.DataObject, table: tiers.Table, severity: int, depth: int, more: int
) -> None:
    value = data.draw(notionals(table, depth))
    blend = tiers.settled(table)
    at = [haircut.haircut_value(value + i * more, blend, severity, depth) for i in range(3)]
    assert 0 <= at[0] <= at[1] <= at[2] <= value + 2 * more
    assert at[1] - at[0] + 1 >= at[2] - at[1] - 1


def test_value__haircut_of_one__is_zero() -> None:
    table = (tiers.Bracket(1, tiers.Ppm(PPM), tiers.Ppm(PPM)),)
    assert haircut.haircut_value(10**20, tiers.settled(table), 0, PPM) == 0
