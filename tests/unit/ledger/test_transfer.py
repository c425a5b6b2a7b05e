"""transfer: settled cash between accounts, to the wei, under the gates of a withdrawal."""

from __future__ import annotations

import boa
import pytest

from tests.support.world import (
    BTC,
    CALM_IM,
    ISOLATED,
    UNIT,
    USD,
    WAD,
    World,
    address_of,
    events,
    requirement,
)


def test_transfer__to_any_open_account__moves_wei(world: World) -> None:
    giver, taker = world.open("giver", 10), world.open("taker", 1, mode=ISOLATED)
    world.transfer(giver, taker, 3 * USD + 1)
    assert events(world.ledger) == [("Transferred", giver, taker, 3 * USD + 1)]
    assert world.cash(giver) == 7 * USD - 1
    assert world.cash(taker) == 4 * USD + 1
    assert world.custody.totals().tokens == 11 * USD


def test_transfer__between_subaccounts_of_one_owner__moves(world: World) -> None:
    cross, bucket = world.open("owner", 10), world.open("owner", mode=ISOLATED, sub=1)
    world.transfer(cross, bucket, 10 * USD)
    world.transfer(bucket, cross, 1)
    assert (world.cash(cross), world.cash(bucket)) == (1, 10 * USD - 1)


def test_transfer__more_than_there_is__reverts(world: World) -> None:
    giver, taker = world.open("giver", 10), world.open("taker")
    with boa.reverts("cash"):
        world.transfer(giver, taker, 10 * USD + 1)
    world.transfer(giver, taker, 10 * USD)


def test_transfer__to_itself__reverts(world: World) -> None:
    giver = world.open("giver", 10)
    with boa.reverts("same account"):
        world.transfer(giver, giver, 1)


@pytest.mark.parametrize("amount", [0, 2**127, 2**256 - 1])
def test_transfer__of_nothing_or_too_much__reverts(world: World, amount: int) -> None:
    giver, taker = world.open("giver", 10), world.open("taker")
    with boa.reverts("amount"):
        world.transfer(giver, taker, amount)


def test_transfer__to_or_from_an_unopened_account__reverts(world: World) -> None:
    giver = world.open("giver", 10)
    with boa.reverts("not opened"):
        world.transfer(giver, giver | 5, 1)
    with boa.reverts("not opened"):
        world.transfer(giver | 5, giver, 1)


def test_transfer__by_anyone_but_the_owner__reverts(world: World) -> None:
    giver, taker = world.open("giver", 10), world.open("taker")
    callers = (
        address_of("stranger"),
        world.owner_of(taker),
        world.owner,
        world.gateway.address,
        world.liquidator.address,
    )
    for caller in callers:
        with boa.env.prank(caller), boa.reverts("not your account"):
            world.ledger.transfer(giver, taker, 1)


@pytest.mark.parametrize("spare", [0, 1, -1])
def test_transfer__down_to_initial_margin__to_the_wei(world: World, spare: int) -> None:
    trader, other = world.open("trader", 10_000), world.open("other", 10_000)
    world.trade(trader, other, 7 * WAD)
    needed = requirement(7 * WAD, 20_000 * WAD, CALM_IM)
    amount = world.cash(trader) - needed - spare
    if spare < 0:
        with boa.reverts("initial margin"):
            world.transfer(trader, other, amount)
    else:
        world.transfer(trader, other, amount)
        assert world.cash(trader) == needed + spare


def test_transfer__out_of_an_account_that_settles__reverts_into_it_works(world: World) -> None:
    trader, other = world.open("trader", 10_000), world.open("other", 10_000)
    friend = world.open("friend", 100)
    world.trade(trader, other, WAD)
    world.report({BTC: 20_600 * WAD})
    assert world.state(BTC) & 1
    with boa.reverts("settling"):
        world.transfer(trader, friend, 1)
    world.transfer(friend, trader, 1)


def test_transfer__while_paused__reverts(world: World) -> None:
    giver, taker = world.open("giver", 10), world.open("taker")
    with world.as_guardian():
        world.engine.pause()
    with boa.reverts("paused"):
        world.transfer(giver, taker, 1)


def test_transfer__out_of_debt__reverts_into_debt_works(world: World) -> None:
    debtor, helper = world.make_debtor("debtor", 10 * USD), world.open("helper", 100)
    with boa.reverts("cash"):
        world.transfer(debtor, helper, 1)
    world.transfer(helper, debtor, 10 * USD - 1)
    assert world.cash(debtor) == -1
    world.transfer(helper, debtor, 2)
    assert world.cash(debtor) == 1


def test_transfer__into_a_bankrupt_account__rescues_it(world: World) -> None:
    """An account with E < 0 can receive collateral."""
    long, short = world.open("long", 500), world.open("short", 10_000)
    world.trade(long, short, WAD)
    world.drive(BTC, 19_400 * WAD)
    assert world.health(long).equity < 0
    helper = world.open("helper", 1_000)
    world.transfer(helper, long, 1_000 * USD)
    assert world.liquidator.state(long) == 0


def test_transfer__never_leaves_the_outflow_bucket_fuller(world: World) -> None:
    with world.as_owner():
        world.custody.set_outflow(255, 10 * USD, 3_600)
    giver, taker = world.open("giver", 100), world.open("taker")
    world.transfer(giver, taker, 50 * USD)
    world.withdraw(taker, 10 * UNIT)
    assert world.token.balanceOf(world.owner_of(taker)) == 10 * UNIT
