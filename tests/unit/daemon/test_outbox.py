"""Faults 6, 8 and 9, the arithmetic: fees, caps, levels of gas money."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.chain import Fees
from oracle.daemon.alarms import DaemonError
from oracle.daemon.fees import Patience, bumped, check_patience, fees_for, gas_level

GWEI = 10**9
fee = st.integers(0, 10**13)


@given(fee, fee, fee, fee)
def test_fault_06_replacement_is_at_least_an_eighth_more(base, tip, before, cap):
    old = Fees(before, min(before, tip))
    fees = fees_for(base, tip, cap, old)
    if fees is None:
        assert base + tip > cap or bumped(before) > cap or bumped(old.tip) > cap
        return
    assert 8 * fees.most >= 9 * old.most
    assert 8 * fees.tip >= 9 * old.tip
    assert fees.tip <= fees.most <= cap
    assert fees.most > old.most
    assert fees.tip > old.tip


@given(fee, fee, fee)
def test_fault_08_cap(base, tip, cap):
    fees = fees_for(base, tip, cap)
    assert (fees is None) == (base + tip > cap)
    if fees is not None:
        assert base + tip <= fees.most <= cap


def test_fault_06_room_for_the_base_fee_to_double():
    assert fees_for(50 * GWEI, 2 * GWEI, 500 * GWEI) == Fees(102 * GWEI, 2 * GWEI)


@pytest.mark.parametrize(
    ("balance", "level"),
    [(100, None), (50, None), (49, "warning"), (19, "error"), (4, "critical"), (0, "critical")],
)
def test_fault_09_three_levels(balance, level):
    assert gas_level(balance, (50, 20, 5)) == level


def test_patience_is_in_order():
    check_patience(Patience(), 60)
    with pytest.raises(DaemonError, match="bump_after is not between"):
        check_patience(Patience(bump_after=200.0), 60)
    with pytest.raises(DaemonError, match="older than ten report periods"):
        check_patience(Patience(), 10)
