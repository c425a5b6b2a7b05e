"""Custody.deposit: one's own collateral into a CROSS account, within caps, in every state."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.support.world import (
    CROSS,
    INITIAL,
    ISOLATED,
    MAINTENANCE,
    PPM,
    TOKEN_ASSETS,
    USD,
    WAD,
    World,
    address_of,
    ceil_div,
    events,
)

STRANGER = address_of("stranger")


@pytest.fixture
def token(world: World) -> Any:
    """Token 0 at 1,000 USD; the bank's cash bounds what may be deposited."""
    world.bank()
    return world.list_token()[1]


def give(world: World, account: int, token: Any, units: int, index: int = 0) -> None:
    owner = world.owner_of(account)
    token.mint(owner, units)
    with boa.env.prank(owner):
        token.approve(world.custody.address, units)
        world.custody.deposit(account, index, units)


def test_deposit__by_the_owner__credits_and_notes(world: World, token: Any) -> None:
    trader = world.open("trader")
    give(world, trader, token, 3 * WAD)
    custody, owner = world.custody.address, world.owner_of(trader)
    assert events(world.custody) == [
        ("CollateralDeposited", trader, 0, 3 * WAD),
        ("Approval", owner, custody, 0),
        ("Transfer", owner, custody, 3 * WAD),
    ]
    assert world.custody.collateral_of(trader, 0) == 3 * WAD
    assert world.account(trader).tokens == 1
    assert world.custody.listed(0).total == 3 * WAD == token.balanceOf(custody)
    assert [tuple(h) for h in world.ledger.book(trader).holdings] == [(0, 3 * WAD)]


def test_deposit__by_anyone_else__reverts(world: World, token: Any) -> None:
    """Collateral can be in the way of a step of liquidation: nobody hands it out."""
    trader = world.open("trader")
    token.mint(STRANGER, 1)
    for caller in (STRANGER, world.owner, world.liquidator.address, world.gateway.address):
        with boa.env.prank(caller), boa.reverts("not your account"):
            world.custody.deposit(trader, 0, 1)


def test_deposit__counts_with_its_haircuts(world: World, token: Any) -> None:
    """val(v) = v - ceil(R(v)): IM 5 %, MM 3 %."""
    trader = world.open("trader")
    give(world, trader, token, 3 * WAD + 1)
    v = (3 * WAD + 1) * 1_000
    assert world.health(trader, INITIAL).equity == v - ceil_div(v * 50_000, PPM)
    assert world.health(trader, MAINTENANCE).equity == v - ceil_div(v * 30_000, PPM)


def test_deposit__of_two_tokens__sets_two_bits(world: World, token: Any) -> None:
    index, second = world.list_token(price=WAD)
    trader = world.open("trader")
    give(world, trader, second, 5 * WAD, index)
    assert world.account(trader).tokens == 0b10
    give(world, trader, token, WAD)
    assert world.account(trader).tokens == 0b11
    assert [tuple(h) for h in world.ledger.book(trader).holdings] == [(0, WAD), (1, 5 * WAD)]


def test_deposit__eight_decimals__counts_in_wad(world: World, token: Any) -> None:
    index, wrapped = world.list_token(price=20_000 * WAD, decimals=8)
    trader = world.open("trader")
    give(world, trader, wrapped, 5, index)
    assert world.custody.collateral_of(trader, index) == 5 * 10**10
    assert wrapped.balanceOf(world.custody.address) == 5


def test_deposit__isolated_or_unopened__reverts(world: World, token: Any) -> None:
    bucket = world.open("bucket", mode=ISOLATED)
    with boa.reverts("mode"):
        give(world, bucket, token, 1)
    with boa.reverts("not opened"):
        give(world, bucket | 1, token, 1)


@pytest.mark.parametrize("index", [1, 7, 8, 255, 2**256 - 1])
def test_deposit__token_not_listed__reverts(world: World, token: Any, index: int) -> None:
    trader = world.open("trader")
    with boa.reverts("token"):
        give(world, trader, token, 1, index)


@pytest.mark.parametrize("units", [0, 2**127, 2**256 - 1])
def test_deposit__of_nothing_or_too_much__reverts(world: World, token: Any, units: int) -> None:
    trader = world.open("trader")
    with world.as_owner_of(trader), boa.reverts("amount"):
        world.custody.deposit(trader, 0, units)


def test_deposit__up_to_the_cap__to_the_wei(world: World, token: Any) -> None:
    one, two = world.open("one"), world.open("two")
    with world.as_owner():
        world.custody.set_token_cap(0, 10 * WAD)
    give(world, one, token, 6 * WAD)
    with boa.reverts("token cap"):
        give(world, two, token, 4 * WAD + 1)
    give(world, two, token, 4 * WAD)
    with boa.reverts("token cap"):
        give(world, one, token, 1)
    world.withdraw_collateral(two, 0, 1)
    give(world, one, token, 1)


def test_deposit__up_to_the_multiple_of_cash__to_the_wei(world: World, token: Any) -> None:
    """All collateral at last prices is at most the multiple of the settlement tokens held."""
    trader = world.open("trader")
    held = world.custody.totals().tokens
    with world.as_owner():
        world.custody.set_collateral_multiple(250_000)
    most = held // 4 // 1_000
    with boa.reverts("collateral cap"):
        give(world, trader, token, most + 1)
    give(world, trader, token, most)
    with boa.reverts("collateral cap"):
        give(world, trader, token, 1)


def test_deposit__two_tokens__share_the_multiple(world: World, token: Any) -> None:
    index, second = world.list_token(price=WAD)
    trader = world.open("trader")
    with world.as_owner():
        world.custody.set_collateral_multiple(100_000)
    held = world.custody.totals().tokens
    give(world, trader, token, held // 20 // 1_000)
    with boa.reverts("collateral cap"):
        give(world, trader, second, held // 20 + 10**6, index)
    give(world, trader, second, held // 20, index)


def test_deposit__multiple_of_zero__admits_none(world: World, token: Any) -> None:
    with world.as_owner():
        world.custody.set_collateral_multiple(0)
    trader = world.open("trader")
    with boa.reverts("collateral cap"):
        give(world, trader, token, 1)


def test_deposit__paused_stale_and_in_doubt__works(world: World, token: Any) -> None:
    trader = world.open("trader")
    world.system.wait(10_000)
    give(world, trader, token, WAD)
    with world.as_guardian():
        world.engine.set_settlement_doubt(True)
        world.engine.set_reduce_only(TOKEN_ASSETS, True)
        world.engine.pause()
    give(world, trader, token, WAD)
    assert world.custody.collateral_of(trader, 0) == 2 * WAD


def test_deposit__of_an_unknown_price__counts_nothing_for_im_the_last_for_mm(
    world: World, token: Any
) -> None:
    trader = world.open("trader")
    give(world, trader, token, WAD)
    world.system.wait(601)
    assert world.health(trader, INITIAL).equity == 0
    assert world.health(trader, MAINTENANCE).equity == 970 * USD


def test_deposit__of_more__never_lowers_equity(world: World, token: Any) -> None:
    """Haircuts are concave and monotone (property 14), across the bounds of the table."""
    trader = world.open("trader")
    last = {INITIAL: 0, MAINTENANCE: 0}
    for units in (1, 10**18 - 1, 999 * WAD, 1, 1, 3_000 * WAD, 2_000 * WAD, 1):
        give(world, trader, token, units)
        for basis in last:
            equity = world.health(trader, basis).equity
            assert equity >= last[basis]
            last[basis] = equity
        assert last[INITIAL] <= last[MAINTENANCE]


def test_deposit__without_allowance__reverts(world: World, token: Any) -> None:
    trader = world.open("trader")
    token.mint(world.owner_of(trader), 5)
    with world.as_owner_of(trader), boa.reverts():
        world.custody.deposit(trader, 0, 5)
    assert world.account(trader).mode == CROSS
