"""The manager: only reduces, near the mark, and loses no more in a day than he may."""

from __future__ import annotations

import boa
import pytest

from tests.support.world import BTC, USD, WAD, ceil_div

from .desk import DAY, Desk

MARK = 20_000 * WAD


def taker_fee(size: int, price: int) -> int:
    return ceil_div(ceil_div(size * price, WAD) * 500, 10**6)


def test_reduce__by_anyone_else__refused(desk: Desk) -> None:
    desk.ring(100_000, WAD)
    friend = desk.keyed("friend", 100_000)
    for sender in (desk.owner, desk.owner_of(friend[0])):
        with boa.reverts("not manager"):
            desk.reduce(friend, WAD, MARK, sender=sender)


@pytest.mark.parametrize(
    ("held", "order", "allowed"),
    [
        (WAD, WAD, True),
        (WAD, WAD + 1, False),
        (WAD, -WAD, False),
        (-WAD, -WAD, True),
        (-WAD, -WAD - 1, False),
        (-WAD, WAD, False),
        (WAD, WAD // 2, True),
    ],
)
def test_reduce__only_reduces(desk: Desk, held: int, order: int, allowed: bool) -> None:
    """A long ring takes a buyer's order; more than it has, or the wrong way: refused."""
    ring = desk.ring(100_000, held)
    friend = desk.keyed("friend", 100_000)
    if allowed:
        desk.reduce(friend, order, MARK)
        assert desk.size(ring) == held - order
        assert desk.vault.lost_today() == taker_fee(abs(order), MARK)
    else:
        with boa.reverts("reduce only"):
            desk.reduce(friend, order, MARK)


def test_reduce__flat_ring__refused(desk: Desk) -> None:
    ring = desk.ring(100_000, WAD)
    friend = desk.keyed("friend", 100_000)
    desk.reduce(friend, WAD, MARK)
    assert desk.size(ring) == 0
    with boa.reverts("size"):
        desk.reduce(friend, WAD, MARK, salt=2)


@pytest.mark.parametrize("held", [WAD // 10, -WAD // 10])
@pytest.mark.parametrize(("beyond", "allowed"), [(-1, True), (0, True), (1, False), (2, False)])
def test_reduce__price_around_the_distance(
    desk: Desk, held: int, beyond: int, allowed: bool
) -> None:
    """One per cent from the mark to the wei: a long sells no lower, a short buys no higher."""
    desk.ring(100_000, held)
    friend = desk.keyed("friend", 100_000)
    price = 19_800 * WAD - beyond if held > 0 else 20_200 * WAD + beyond
    if allowed:
        desk.reduce(friend, held, price)
    else:
        with boa.reverts("price limit"):
            desk.reduce(friend, held, price)


@pytest.mark.parametrize(("short", "allowed"), [(-1, True), (0, True), (1, False), (2, False)])
def test_reduce__loss_around_the_daily_cap(desk: Desk, short: int, allowed: bool) -> None:
    desk.ring(100_000, WAD)
    friend = desk.keyed("friend", 100_000)
    price, size = 19_900 * WAD, WAD // 2
    loss = size * 100 + taker_fee(size, price)
    with desk.as_owner():
        desk.vault.set_limits(10_000, loss - short)
    if allowed:
        desk.reduce(friend, size, price)
        assert desk.vault.lost_today() == loss
    else:
        with boa.reverts("loss cap"):
            desk.reduce(friend, size, price)


def test_reduce__losses_add_up_over_a_day_and_begin_anew_at_midnight(desk: Desk) -> None:
    desk.ring(100_000, WAD)
    friend = desk.keyed("friend", 100_000)
    size, price = WAD // 4, 19_900 * WAD
    loss = size * 100 + taker_fee(size, price)
    with desk.as_owner():
        desk.vault.set_limits(10_000, 2 * loss)
    desk.reduce(friend, size, price, salt=1)
    desk.reduce(friend, size, price, salt=2)
    assert desk.vault.lost_today() == 2 * loss
    with boa.reverts("loss cap"):
        desk.reduce(friend, size, price, salt=3)
    desk.system.at((desk.system.time // DAY + 1) * DAY - 1)
    assert desk.vault.lost_today() == 2 * loss
    desk.system.wait(1)
    assert desk.vault.lost_today() == 0
    desk.calm()
    desk.reduce(friend, size, price, salt=4)
    assert desk.vault.lost_today() == loss


def test_manager__with_his_own_orders__takes_no_more_than_the_cap(desk: Desk) -> None:
    """He sells himself the ring's position at the worst price allowed, again and again."""
    desk.ring(100_000, WAD)
    own = desk.keyed("manager's own", 100_000)
    cap = 100 * USD
    before, mine = desk.vault.totalAssets(), desk.health(own[0]).equity
    for salt in range(1, 40):
        try:
            desk.reduce(own, WAD // 40, 19_800 * WAD, salt=salt)
        except boa.BoaError:
            break
    else:
        raise AssertionError("never stopped")
    assert desk.vault.totalAssets() + cap // 10**12 + 1 >= before
    assert desk.health(own[0]).equity - mine < cap


def test_manager__cannot_reach_the_rings_money_otherwise(desk: Desk) -> None:
    ring = desk.ring(100_000, WAD)
    with boa.env.prank(desk.manager):
        with boa.reverts("not your account"):
            desk.ledger.withdraw(ring, 1, desk.manager)
        with boa.reverts():
            desk.vault.set_limits(100_000, 10**30)
        with boa.reverts():
            desk.vault.sell(0, 1, desk.manager)
        with boa.reverts():
            desk.vault.open_ring(1, 0)


def test_reduce__nobody_is_manager__refused(desk: Desk) -> None:
    desk.ring(100_000, WAD)
    friend = desk.keyed("friend", 100_000)
    with desk.as_owner():
        desk.vault.set_manager("0x" + "00" * 20)
    with boa.reverts("not manager"):
        desk.reduce(friend, WAD, MARK)


@pytest.mark.parametrize(("distance", "allowed"), [(100_000, True), (100_001, False)])
def test_set_limits__bounds(desk: Desk, distance: int, allowed: bool) -> None:
    with desk.as_owner():
        if allowed:
            desk.vault.set_limits(distance, 0)
            assert (desk.vault.distance(), desk.vault.daily_loss()) == (distance, 0)
        else:
            with boa.reverts("rate"):
                desk.vault.set_limits(distance, 0)


def test_reduce__the_bankrupt_ring__refused(desk: Desk) -> None:
    """A ring with E < 0 is resolved, not traded."""
    desk.ring(1_000, 2 * WAD)
    friend = desk.keyed("friend", 100_000)
    desk.drive(BTC, 19_000 * WAD)
    assert desk.health(desk.vault.ring_of(BTC).account).equity < 0
    with boa.reverts("margin"):
        desk.reduce(friend, 2 * WAD, 19_000 * WAD)
