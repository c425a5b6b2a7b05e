"""open_account: who, which number, which mode, and only while empty."""

from __future__ import annotations

import boa
import pytest

from tests.support.world import (
    BTC,
    CROSS,
    ISOLATED,
    UNIT,
    WAD,
    AccountState,
    World,
    address_of,
    events,
)

OWNER = address_of("trader")
ACCOUNT = int(OWNER, 16) << 96


def open_as(world: World, sub: int = 0, mode: int = CROSS, gateways: int = 1) -> None:
    with boa.env.prank(OWNER):
        world.ledger.open_account(sub, mode, gateways)


@pytest.mark.parametrize("mode", [CROSS, ISOLATED])
@pytest.mark.parametrize("sub", [0, 1, 2**96 - 1])
def test_open_account__by_anyone__is_his_under_his_number(
    world: World, mode: int, sub: int
) -> None:
    assert world.ledger.account_word(ACCOUNT | sub) == 0
    open_as(world, sub, mode, gateways=0b101)
    assert events(world.ledger) == [("AccountConfigured", ACCOUNT | sub, mode, 0b101, 0)]
    state = AccountState(cash=0, tokens=0, mode=mode, floor=0, gateways=0b101, markets=())
    assert world.account(ACCOUNT | sub) == state


def test_open_account__number_of_97_bits__reverts(world: World) -> None:
    with boa.reverts("subaccount"):
        open_as(world, sub=2**96)


@pytest.mark.parametrize("mode", [0, 3, 4, 2**256 - 1])
def test_open_account__mode_not_cross_nor_isolated__reverts(world: World, mode: int) -> None:
    with boa.reverts("mode"):
        open_as(world, mode=mode)


def test_open_account__gateways_beyond_eight_bits__reverts(world: World) -> None:
    open_as(world, gateways=255)
    assert world.account(ACCOUNT).gateways == 255
    with boa.reverts("gateway"):
        open_as(world, gateways=256)


def test_open_account__while_empty__changes_mode_and_drops_the_floor(world: World) -> None:
    open_as(world, mode=CROSS)
    with boa.env.prank(OWNER):
        world.ledger.configure(ACCOUNT, 1, 50_000)
    open_as(world, mode=ISOLATED, gateways=2)
    state = AccountState(cash=0, tokens=0, mode=ISOLATED, floor=0, gateways=2, markets=())
    assert world.account(ACCOUNT) == state


def test_open_account__holding_one_unit_of_cash__reverts(world: World) -> None:
    open_as(world)
    world.deposit(ACCOUNT, 1)
    with boa.reverts("not empty"):
        open_as(world, mode=ISOLATED)
    world.withdraw(ACCOUNT, 1)
    open_as(world, mode=ISOLATED)


def test_open_account__holding_collateral__reverts(world: World) -> None:
    index, token = world.list_token()
    world.bank()  # tokens held bound the collateral
    open_as(world)
    world.deposit_collateral(ACCOUNT, index, token, 1)
    with boa.reverts("not empty"):
        open_as(world, mode=ISOLATED)


def test_open_account__holding_a_position_and_no_cash__reverts(world: World) -> None:
    index, token = world.list_token()
    world.bank()  # tokens held bound the collateral
    open_as(world)
    world.deposit_collateral(ACCOUNT, index, token, 10 * WAD)
    seller = world.open("seller", 10_000)
    world.deposit(ACCOUNT, 100 * UNIT)
    world.trade(ACCOUNT, seller, WAD // 10)
    world.set_cash(ACCOUNT, 0)
    world.withdraw_collateral(ACCOUNT, index, WAD)
    with boa.reverts("not empty"):
        open_as(world, mode=CROSS)
    assert world.account(ACCOUNT).markets == (BTC,)


def test_open_account__in_debt__reverts(world: World) -> None:
    debtor = world.make_debtor("debtor", WAD)
    with world.as_owner_of(debtor), boa.reverts("not empty"):
        world.ledger.open_account(0, CROSS, 1)


def test_open_account__while_paused__still_opens(world: World) -> None:
    """Opening moves nothing; collateral in needs it."""
    with world.as_guardian():
        world.engine.pause()
    open_as(world)
    world.deposit(ACCOUNT, UNIT)
    assert world.cash(ACCOUNT) == WAD
