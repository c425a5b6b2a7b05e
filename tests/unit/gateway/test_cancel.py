from __future__ import annotations

from dataclasses import astuple

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .desk import UNLIMITED, WAD, Desk


def test_cancel__unfilled__fills_no_more(desk: Desk) -> None:
    order = desk.order()
    desk.gateway.cancel(astuple(order), sender=desk.maker.address)
    (event,) = desk.gateway.get_logs()
    assert type(event).__name__ == "OrderCancelled"
    assert (event.account, event.digest) == (desk.maker_account, desk.digest(order))
    assert desk.filled(order) == UNLIMITED
    with boa.reverts("cancelled"):
        desk.fill(order, 1)
    with boa.reverts("cancelled"):
        desk.match(order, desk.taker_order(), 1)


@pytest.mark.parametrize("part", [1, 10 * WAD])
def test_cancel__filled_in_part_or_whole__fills_no_more(desk: Desk, part: int) -> None:
    order = desk.order()
    desk.fill(order, part)
    desk.gateway.cancel(astuple(order), sender=desk.maker.address)
    with boa.reverts("cancelled"):
        desk.fill(order, 1)


def test_cancel__twice__stays_cancelled(desk: Desk) -> None:
    order = desk.order()
    for _ in range(2):
        desk.gateway.cancel(astuple(order), sender=desk.maker.address)
    with boa.reverts("cancelled"):
        desk.fill(order, 1)


def test_cancel__one__leaves_the_others(desk: Desk) -> None:
    desk.gateway.cancel(astuple(desk.order(salt=8)), sender=desk.maker.address)
    desk.fill(desk.order())


def test_cancel__by_another__reverts(desk: Desk) -> None:
    order = desk.order()
    for sender in (desk.taker, desk.stranger, desk.keyholder):
        with boa.reverts("not authorised"):
            desk.gateway.cancel(astuple(order), sender=sender.address)
    desk.fill(order)


def test_raise_min_salt__below__cancels_and_at__does_not(desk: Desk) -> None:
    below, at, above = (desk.order(salt=salt) for salt in (99, 100, UNLIMITED))
    desk.fill(below, WAD)
    desk.gateway.raise_min_salt(desk.maker_account, 100, sender=desk.maker.address)
    (event,) = desk.gateway.get_logs()
    assert type(event).__name__ == "SaltRaised"
    assert (event.account, event.min_salt) == (desk.maker_account, 100)
    assert desk.gateway.min_salt(desk.maker_account) == 100
    with boa.reverts("salt cancelled"):
        desk.fill(below, WAD)
    with boa.reverts("salt cancelled"):
        desk.match(below, desk.taker_order())
    desk.fill(at)
    desk.fill(above)


@pytest.mark.parametrize("min_salt", [0, 99, 100])
def test_raise_min_salt__not_above_the_last__reverts(desk: Desk, min_salt: int) -> None:
    desk.gateway.raise_min_salt(desk.maker_account, 100, sender=desk.maker.address)
    with boa.reverts("salt too low"):
        desk.gateway.raise_min_salt(desk.maker_account, min_salt, sender=desk.maker.address)
    desk.gateway.raise_min_salt(desk.maker_account, 101, sender=desk.maker.address)


def test_raise_min_salt__one_subaccount__leaves_the_others(desk: Desk) -> None:
    desk.gateway.raise_min_salt(desk.maker_account, UNLIMITED, sender=desk.maker.address)
    desk.fill(desk.order(account=desk.maker_account + 1))


def test_raise_min_salt__by_another__reverts(desk: Desk) -> None:
    desk.set_key()
    for sender in (desk.taker, desk.stranger, desk.keyholder):
        with boa.reverts("not owner"):
            desk.gateway.raise_min_salt(desk.maker_account, 1, sender=sender.address)


STEPS = st.one_of(
    st.tuples(st.just("fill"), st.integers(0, 3), st.integers(1, 12)),
    st.tuples(st.just("match"), st.integers(0, 3), st.integers(1, 12)),
    st.tuples(st.just("cancel"), st.integers(0, 3), st.just(0)),
    st.tuples(st.just("salt"), st.integers(0, 3), st.just(0)),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(STEPS, max_size=12))
def test_filled__any_sequence__equals_what_was_traded(
    deployed_desk: Desk, steps: list[tuple[str, int, int]]
) -> None:
    """Property 34: filled at most the size, cancelled is final; counted against a plain model."""
    desk = deployed_desk
    orders = [desk.order(salt=salt, size=5, expiry=2**40) for salt in range(4)]
    left, done = [5] * 4, [0] * 4
    with boa.env.anchor():
        for number, (what, which, amount) in enumerate(steps):
            if what in ("fill", "match"):
                try:
                    if what == "fill":
                        desk.fill(orders[which], amount)
                    else:
                        taker = desk.taker_order(salt=number, expiry=2**40)
                        desk.match(orders[which], taker, amount)
                except boa.BoaError:
                    assert amount > left[which]
                else:
                    assert amount <= left[which]
                    left[which] -= amount
                    done[which] += amount
            elif what == "cancel":
                desk.gateway.cancel(astuple(orders[which]), sender=desk.maker.address)
                left[which] = 0
            elif desk.gateway.min_salt(desk.maker_account) < which:
                desk.gateway.raise_min_salt(desk.maker_account, which, sender=desk.maker.address)
                left[:which] = [0] * which
        assert sum(trade[3] for trade in desk.trades()) == sum(done)
        for order, amount in zip(orders, done, strict=True):
            assert desk.filled(order) in (amount, UNLIMITED)
