"""ACC-15: the largest and least values at every entry: a clean revert, nobody else locked up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boa
import pytest

from tests.support.world import UNIT, USD, WAD, World, address_of

MOST = 2**256 - 1
TOP, BOTTOM = 2**255 - 1, -(2**255)
SOMEBODY = address_of("somebody")

Call = Callable[[World, int], Any]
OWNERS: dict[str, Call] = {
    "open_account": lambda w, a: w.ledger.open_account(MOST, MOST, MOST),
    "configure account": lambda w, a: w.ledger.configure(MOST, 0, 0),
    "configure gateways": lambda w, a: w.ledger.configure(a, MOST, 0),
    "configure floor": lambda w, a: w.ledger.configure(a, 1, MOST),
    "deposit": lambda w, a: w.ledger.deposit(a, MOST),
    "deposit account": lambda w, a: w.ledger.deposit(MOST, 1),
    "withdraw": lambda w, a: w.ledger.withdraw(a, MOST, SOMEBODY),
    "withdraw half": lambda w, a: w.ledger.withdraw(a, 2**127 - 1, SOMEBODY),
    "transfer": lambda w, a: w.ledger.transfer(a, a ^ 1, MOST),
    "transfer half": lambda w, a: w.ledger.transfer(a, a ^ 1, 2**127 - 1),
    "collect account": lambda w, a: w.ledger.collect(MOST, 0),
    "collect market": lambda w, a: w.ledger.collect(a, MOST),
    "collateral token": lambda w, a: w.custody.deposit(a, MOST, 1),
    "collateral amount": lambda w, a: w.custody.deposit(a, 0, MOST),
    "collateral half": lambda w, a: w.custody.deposit(a, 0, 2**127 - 1),
    "collateral out": lambda w, a: w.custody.withdraw(a, 0, MOST, SOMEBODY),
    "collateral out half": lambda w, a: w.custody.withdraw(a, 0, 2**127 - 1, SOMEBODY),
    "collateral release": lambda w, a: w.custody.release(MOST, SOMEBODY),
}
TRADES = [
    (0, TOP, 20_000 * WAD),
    (0, BOTTOM, 20_000 * WAD),
    (0, 2**110, 20_000 * WAD),
    (0, 2**110 - 1, 20_000 * WAD),
    (0, -(2**110) + 1, 20_000 * WAD),
    (0, WAD, MOST),
    (0, WAD, TOP),
    (0, WAD, 0),
    (MOST, WAD, 20_000 * WAD),
    (32, WAD, 1_000 * WAD),
]
LIQUIDATORS: dict[str, Call] = {
    "take_over size": lambda w, a: w.ledger.take_over(a, a ^ 1, 0, TOP, 1, 0),
    "take_over least": lambda w, a: w.ledger.take_over(a, a ^ 1, 0, BOTTOM, 1, 0),
    "take_over price": lambda w, a: w.ledger.take_over(a, a ^ 1, 0, WAD // 10, MOST, 0),
    "take_over fee": lambda w, a: w.ledger.take_over(a, a ^ 1, 0, WAD // 10, 20_000 * WAD, MOST),
    "payment": lambda w, a: w.ledger.pay_for_collateral(a, a ^ 1, MOST),
    "write_off": lambda w, a: w.ledger.write_off(a, MOST, 0),
    "move": lambda w, a: w.custody.move(a, a ^ 1, 0, MOST),
}


@pytest.fixture
def trader(world: World) -> int:
    """With cash, collateral and a position; subaccounts 0 and 1 are open."""
    trader = world.open("trader", 10_000)
    world.open("trader", 100, sub=1)
    index, token = world.list_token()
    world.deposit_collateral(trader, index, token, WAD)
    world.trade(trader, world.open("other", 10_000), WAD // 5)
    return trader


def usable(world: World, trader: int) -> None:
    """Everyone can still do everything."""
    other = int(address_of("other"), 16) << 96
    world.trade(trader, other, WAD // 100)
    world.trade(other, trader, WAD // 100)
    world.withdraw(trader, UNIT)
    world.withdraw(other, UNIT)
    world.withdraw_collateral(trader, 0, 1)


@pytest.mark.parametrize("name", OWNERS)
def test_extreme_of_an_owner__reverts_and_changes_nothing(
    world: World, trader: int, name: str
) -> None:
    words = [world.ledger.account_word(trader), world.ledger.side_word(0)]
    with world.as_owner_of(trader), boa.reverts():
        OWNERS[name](world, trader)
    assert words == [world.ledger.account_word(trader), world.ledger.side_word(0)]
    usable(world, trader)


@pytest.mark.parametrize(("market", "size", "price"), TRADES)
def test_extreme_trade__reverts_and_locks_nobody(
    world: World, trader: int, market: int, size: int, price: int
) -> None:
    with boa.reverts():
        world.gateway.trade(trader, trader ^ 1, market, size, price, 0)
    usable(world, trader)


def test_extreme_reduce_bits__are_bits(world: World, trader: int) -> None:
    with boa.reverts("reduce only"):
        world.gateway.trade(trader, trader ^ 1, 0, WAD // 100, 20_000 * WAD, MOST)


@pytest.mark.parametrize("name", LIQUIDATORS)
def test_extreme_of_the_liquidator__reverts(world: World, trader: int, name: str) -> None:
    with world.as_liquidator(), boa.reverts():
        LIQUIDATORS[name](world, trader)
    usable(world, trader)


def test_largest_deposit__of_one__locks_no_one(world: World, trader: int) -> None:
    whale = world.open("whale")
    world.deposit(whale, (2**103 - 1) // 10**12)
    usable(world, trader)
    world.transfer(whale, trader, 10**30)
    with boa.reverts():
        world.transfer(whale, trader, 2**103 - 10**30)
    assert world.cash(whale) > USD
