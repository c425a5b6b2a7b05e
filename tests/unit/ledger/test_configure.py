"""configure: gateways and the floor of one's own account."""

from __future__ import annotations

import boa
import pytest

from tests.support.world import (
    INITIAL,
    LIVE,
    MAINTENANCE,
    UNIT,
    USD,
    WAD,
    World,
    address_of,
    ceil_div,
    events,
)


def configure(world: World, account: int, gateways: int, floor: int) -> None:
    with world.as_owner_of(account):
        world.ledger.configure(account, gateways, floor)


def test_configure__by_the_owner__writes_gateways_and_floor_only(world: World) -> None:
    trader = world.open("trader", 7)
    before = world.account(trader)
    configure(world, trader, 0b10000001, 123_400)
    assert events(world.ledger) == [("AccountConfigured", trader, 1, 0b10000001, 123_400)]
    after = world.account(trader)
    assert (after.gateways, after.floor) == (0b10000001, 123_400)
    assert (after.cash, after.mode, after.markets) == (before.cash, before.mode, before.markets)


def test_configure__by_anyone_else__reverts(world: World) -> None:
    trader = world.open("trader")
    with boa.env.prank(address_of("stranger")), boa.reverts("not your account"):
        world.ledger.configure(trader, 1, 0)
    with world.as_owner(), boa.reverts("not your account"):
        world.ledger.configure(trader, 1, 0)


def test_configure__unopened__reverts(world: World) -> None:
    trader = world.open("trader")
    with world.as_owner_of(trader), boa.reverts("not opened"):
        world.ledger.configure(trader | 1, 1, 0)


@pytest.mark.parametrize("floor", [0, 100, 999_900, 1_000_000])
def test_configure__floor_in_hundreds_up_to_one__is_kept(world: World, floor: int) -> None:
    trader = world.open("trader")
    configure(world, trader, 1, floor)
    assert world.account(trader).floor == floor


@pytest.mark.parametrize("floor", [1, 99, 101, 1_000_100, 2**256 - 1])
def test_configure__any_other_floor__reverts(world: World, floor: int) -> None:
    trader = world.open("trader")
    with boa.reverts("floor"):
        configure(world, trader, 1, floor)


@pytest.mark.parametrize("gateways", [256, 2**256 - 1])
def test_configure__gateways_beyond_eight__reverts(world: World, gateways: int) -> None:
    trader = world.open("trader")
    with boa.reverts("gateway"):
        configure(world, trader, gateways, 0)


def test_configure__floor__raises_initial_margin_and_leaves_maintenance(world: World) -> None:
    trader, seller = world.open("trader", 10_000), world.open("seller", 10_000)
    world.trade(trader, seller, WAD)
    plain = world.health(trader, MAINTENANCE).requirement
    configure(world, trader, 1, 100_000)
    n = 20_000 * USD
    assert world.health(trader, INITIAL).requirement == ceil_div(n * 100_000, 10**6)
    assert world.health(trader, LIVE).requirement == ceil_div(n * 100_000, 10**6)
    assert world.health(trader, MAINTENANCE).requirement == plain
    configure(world, trader, 1, 19_900)
    assert world.health(trader, INITIAL).requirement == 400 * USD, "never lower than the schedule"


def test_configure__floor_of_one__asks_the_whole_notional_of_an_open(world: World) -> None:
    trader, seller = world.open("trader", 1_000), world.open("seller", 10_000)
    configure(world, trader, 1, 1_000_000)
    with boa.reverts("initial margin"):
        world.trade(trader, seller, WAD // 20)
    world.trade(trader, seller, WAD // 20 - WAD // 1_000)


def test_configure__floor_above_equity__bars_withdrawal_not_reduction(world: World) -> None:
    trader, seller = world.open("trader", 1_000), world.open("seller", 10_000)
    world.trade(trader, seller, WAD)
    configure(world, trader, 1, 1_000_000)
    with boa.reverts("initial margin"):
        world.withdraw(trader, UNIT)
    world.trade(seller, trader, WAD // 2)
    assert world.size(trader) == WAD // 2


def test_configure__gateway_dropped__may_no_longer_trade(world: World) -> None:
    trader, seller = world.open("trader", 1_000), world.open("seller", 1_000)
    configure(world, trader, 0b11111110, 0)
    with boa.reverts("not opted in"):
        world.trade(trader, seller, WAD // 100)
    with boa.reverts("not opted in"):
        world.trade(seller, trader, WAD // 100)
    configure(world, trader, 1, 0)
    world.trade(trader, seller, WAD // 100)
