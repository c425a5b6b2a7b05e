"""Custody.withdraw: collateral out, down to initial margin, through the bucket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boa
import pytest

from tests.support.world import (
    BTC,
    INITIAL,
    PPM,
    TOKEN_ASSETS,
    UNIT,
    USD,
    WAD,
    ZERO,
    World,
    address_of,
    events,
)

RECEIVER = address_of("receiver")


@pytest.fixture
def token(world: World) -> Any:
    world.bank()
    return world.list_token()[1]


@pytest.fixture
def trader(world: World, token: Any) -> int:
    """Ten tokens at 1,000 USD, no cash, no position."""
    trader = world.open("trader")
    world.deposit_collateral(trader, 0, token, 10 * WAD)
    return trader


def test_withdraw__part__debits_and_sends(world: World, token: Any, trader: int) -> None:
    world.withdraw_collateral(trader, 0, 4 * WAD, RECEIVER)
    assert events(world.custody) == [
        ("CollateralWithdrawn", trader, 0, 4 * WAD, RECEIVER),
        ("Paid", RECEIVER, 0, 4 * WAD, 0),
        ("Transfer", world.custody.address, RECEIVER, 4 * WAD),
    ]
    assert token.balanceOf(RECEIVER) == 4 * WAD
    assert world.custody.collateral_of(trader, 0) == 6 * WAD == world.custody.listed(0).total
    assert world.account(trader).tokens == 1


def test_withdraw__all__clears_the_bit(world: World, token: Any, trader: int) -> None:
    world.withdraw_collateral(trader, 0, 10 * WAD)
    assert world.account(trader).tokens == 0
    assert world.ledger.book(trader).holdings == []
    with boa.reverts("balance"):
        world.withdraw_collateral(trader, 0, 1)


def test_withdraw__more_than_there_is__reverts(world: World, trader: int) -> None:
    with boa.reverts("balance"):
        world.withdraw_collateral(trader, 0, 10 * WAD + 1)


@pytest.mark.parametrize("units", [0, 2**127, 2**256 - 1])
def test_withdraw__of_nothing_or_too_much__reverts(world: World, trader: int, units: int) -> None:
    with boa.reverts("amount"):
        world.withdraw_collateral(trader, 0, units)


def test_withdraw__token_not_listed__reverts(world: World, trader: int) -> None:
    for index in (1, 8, 255):
        with boa.reverts("token"):
            world.withdraw_collateral(trader, index, 1)


def test_withdraw__to_nobody_or_custody__reverts(world: World, trader: int) -> None:
    for receiver in (ZERO, world.custody.address):
        with boa.reverts("receiver"):
            world.withdraw_collateral(trader, 0, 1, receiver)


@pytest.mark.parametrize("role", ["stranger", "owner", "liquidator", "gateway", "ledger"])
def test_withdraw__by_anyone_but_the_owner__reverts(world: World, trader: int, role: str) -> None:
    callers = {
        "stranger": RECEIVER,
        "owner": world.owner,
        "liquidator": world.liquidator.address,
        "gateway": world.gateway.address,
        "ledger": world.ledger.address,
    }
    with boa.env.prank(callers[role]), boa.reverts("not your account"):
        world.custody.withdraw(trader, 0, 1, RECEIVER)


@pytest.mark.parametrize("spare", [0, -1])
def test_withdraw__down_to_initial_margin__to_the_wei(
    world: World, trader: int, spare: int
) -> None:
    """What the tokens left are worth after the IM haircut must cover IM less cash."""
    world.trade(trader, world.open("other", 10_000), WAD)
    with world.as_owner_of(trader):
        world.ledger.configure(trader, 1, 300_000)
    left = 6 * WAD + 1
    value = left * 1_000
    value -= -(-value * 50_000 // PPM)
    world.set_cash(trader, 6_000 * USD - value + spare)
    if spare < 0:
        with boa.reverts("initial margin"):
            world.withdraw_collateral(trader, 0, 10 * WAD - left)
    else:
        world.withdraw_collateral(trader, 0, 10 * WAD - left)
        assert world.surplus(trader, INITIAL) == 0


def test_withdraw__in_debt__reverts(world: World, token: Any) -> None:
    debtor = world.make_debtor("debtor", 1, tokens=10)
    with boa.reverts("cash"):
        world.withdraw_collateral(debtor, 0, 1)
    world.deposit(debtor, 1)
    world.withdraw_collateral(debtor, 0, WAD)


def test_withdraw__while_a_market_of_the_account_settles__reverts(
    world: World, token: Any, trader: int
) -> None:
    world.trade(trader, world.open("other", 10_000), WAD // 100)
    world.deposit(trader, 100 * UNIT)
    world.report({BTC: 20_600 * WAD, TOKEN_ASSETS: 1_000 * WAD})
    with boa.reverts("settling"):
        world.withdraw_collateral(trader, 0, 1)


def test_withdraw__its_own_price_unknown__as_far_as_it_is_not_needed(
    world: World, trader: int
) -> None:
    """What stays counts nothing for IM while its price is unknown."""
    world.transfer(world.bank(), trader, 100 * USD)
    del world.prices[TOKEN_ASSETS]
    world.pass_time(660)
    with boa.env.anchor():
        world.withdraw_collateral(trader, 0, 4 * WAD)
    other = world.open("other", 10_000)
    world.trade(trader, other, WAD // 10)
    world.withdraw_collateral(trader, 0, WAD)
    world.set_cash(trader, 40 * USD)
    world.withdraw_collateral(trader, 0, WAD)
    world.tick(p0=19_999 * WAD)
    with boa.reverts("initial margin"):
        world.withdraw_collateral(trader, 0, WAD)


def test_withdraw__while_paused__reverts(world: World, trader: int) -> None:
    with world.as_guardian():
        world.engine.pause()
    with boa.reverts("paused"):
        world.withdraw_collateral(trader, 0, 1)


def test_withdraw__odd_decimals__pays_whole_units(world: World, token: Any) -> None:
    index, wrapped = world.list_token(price=20_000 * WAD, decimals=8)
    trader = world.open("holder")
    world.deposit_collateral(trader, index, wrapped, 7)
    world.withdraw_collateral(trader, index, 3)
    assert world.custody.collateral_of(trader, index) == 4 * 10**10
    assert wrapped.balanceOf(world.owner_of(trader)) == 3
    with boa.reverts("balance"):
        world.withdraw_collateral(trader, index, 5)


# --- move -----------------------------------------------------------------------------------------


def test_move__by_the_liquidator__changes_the_holder_only(
    world: World, token: Any, trader: int
) -> None:
    buyer = world.open("buyer")
    with world.as_liquidator():
        world.custody.move(trader, buyer, 0, 4 * WAD)
    assert events(world.custody) == [("CollateralMoved", trader, buyer, 0, 4 * WAD)]
    assert world.custody.collateral_of(trader, 0) == 6 * WAD
    assert world.custody.collateral_of(buyer, 0) == 4 * WAD
    assert world.custody.listed(0).total == 10 * WAD == token.balanceOf(world.custody.address)
    assert world.account(buyer).tokens == world.account(trader).tokens == 1
    with world.as_liquidator():
        world.custody.move(trader, buyer, 0, 6 * WAD)
        with boa.reverts("balance"):
            world.custody.move(trader, buyer, 0, 1)
    assert world.account(trader).tokens == 0


def test_move__into_an_account_that_may_not_hold_it__reverts(world: World, trader: int) -> None:
    bucket = world.open("bucket", mode=2)
    with world.as_liquidator():
        with boa.reverts("mode"):
            world.custody.move(trader, bucket, 0, 1)
        with boa.reverts("not opened"):
            world.custody.move(trader, bucket | 1, 0, 1)


@pytest.mark.parametrize("role", ["stranger", "owner", "gateway", "ledger", "trader"])
def test_move__by_anyone_but_the_liquidator__reverts(world: World, trader: int, role: str) -> None:
    callers = {
        "stranger": RECEIVER,
        "owner": world.owner,
        "gateway": world.gateway.address,
        "ledger": world.ledger.address,
        "trader": world.owner_of(trader),
    }
    buyer = world.open("buyer")
    with boa.env.prank(callers[role]), boa.reverts("not liquidator"):
        world.custody.move(trader, buyer, 0, 1)


LEDGER_VERBS: dict[str, Callable[[World, int], None]] = {
    "pay_claim": lambda w, a: w.custody.pay_claim(a, RECEIVER, USD),
    "credit": lambda w, _: w.custody.credit(RECEIVER, USD),
    "socialise": lambda w, _: w.custody.socialise(USD),
    "distribute": lambda w, _: w.custody.distribute(0, USD),
}
FUND_VERBS: dict[str, Callable[[World], None]] = {
    "add_insurance": lambda w: w.custody.add_insurance(USD),
    "use_insurance": lambda w: w.custody.use_insurance(USD),
    "pay_insurance": lambda w: w.custody.pay_insurance(RECEIVER, USD),
}


@pytest.mark.parametrize("verb", LEDGER_VERBS)
@pytest.mark.parametrize("role", ["stranger", "owner", "gateway", "liquidator", "fund", "vault"])
def test_ledger_verb__by_anyone_but_the_ledger__reverts(
    world: World, trader: int, role: str, verb: str
) -> None:
    callers = {
        "stranger": RECEIVER,
        "owner": world.owner,
        "gateway": world.gateway.address,
        "liquidator": world.liquidator.address,
        "fund": world.fund.address,
        "vault": world.vault.address,
    }
    with boa.env.prank(callers[role]), boa.reverts("not ledger"):
        LEDGER_VERBS[verb](world, trader)


@pytest.mark.parametrize("verb", FUND_VERBS)
@pytest.mark.parametrize("role", ["stranger", "owner", "gateway", "liquidator", "ledger", "vault"])
def test_fund_verb__by_anyone_but_the_fund__reverts(world: World, role: str, verb: str) -> None:
    callers = {
        "stranger": RECEIVER,
        "owner": world.owner,
        "gateway": world.gateway.address,
        "liquidator": world.liquidator.address,
        "ledger": world.ledger.address,
        "vault": world.vault.address,
    }
    with boa.env.prank(callers[role]), boa.reverts("not fund"):
        FUND_VERBS[verb](world)
