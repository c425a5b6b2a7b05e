"""deposit and deposit_from: face value in, from anyone, in every state."""

from __future__ import annotations

import boa
import pytest

from tests.support.world import (
    ISOLATED,
    SETTLEMENT,
    UNIT,
    WAD_PER_UNIT,
    World,
    address_of,
    events,
)

STRANGER = address_of("stranger")


def give(world: World, account: int, units: int, payer: str = STRANGER) -> None:
    world.token.mint(payer, units)
    with boa.env.prank(payer):
        world.token.approve(world.ledger.address, units)
        world.ledger.deposit(account, units)


@pytest.mark.parametrize("units", [1, 2, 10**6, 10**16])
def test_deposit__by_anyone__credits_face(world: World, units: int) -> None:
    saver = world.open("saver", mode=ISOLATED)
    tokens = world.custody.totals().tokens
    give(world, saver, units)
    assert events(world.ledger) == [
        ("Deposited", saver, units * WAD_PER_UNIT),
        ("Approval", STRANGER, world.ledger.address, 0),
        ("Transfer", STRANGER, world.custody.address, units),
    ]
    assert world.cash(saver) == units * WAD_PER_UNIT
    assert world.custody.totals().tokens == tokens + units * WAD_PER_UNIT
    assert world.token.balanceOf(world.custody.address) == (tokens // WAD_PER_UNIT) + units
    assert world.token.balanceOf(STRANGER) == 0


def test_deposit__into_an_unopened_account__reverts(world: World) -> None:
    saver = world.open("saver")
    with boa.reverts("not opened"):
        give(world, saver | 1, UNIT)


@pytest.mark.parametrize("units", [0, 2**127, 2**256 - 1])
def test_deposit__of_nothing_or_more_than_any_token_has__reverts(world: World, units: int) -> None:
    saver = world.open("saver")
    with boa.env.prank(STRANGER), boa.reverts("amount"):
        world.ledger.deposit(saver, units)


def test_deposit__of_what_the_payer_has_not__reverts(world: World) -> None:
    saver = world.open("saver")
    with boa.env.prank(STRANGER), boa.reverts():
        world.ledger.deposit(saver, UNIT)


def test_deposit__beyond_the_cash_field__reverts_and_locks_nobody(world: World) -> None:
    """ACC-15: int104 holds 1e13 USD."""
    saver, other = world.open("saver"), world.open("other")
    most = (2**103 - 1) // WAD_PER_UNIT
    give(world, saver, most)
    with boa.reverts():
        give(world, saver, 1)
    give(world, other, UNIT)
    world.withdraw(saver, most)
    world.withdraw(other, UNIT)
    assert world.custody.totals().tokens == 0


def test_deposit__to_a_debtor__meets_interest_first_and_then_the_debt(world: World) -> None:
    debtor = world.make_debtor("debtor", 100 * 10**18)
    give(world, debtor, 60 * UNIT)
    assert world.cash(debtor) == -40 * 10**18
    give(world, debtor, 40 * UNIT)
    assert world.cash(debtor) == 0


def test_deposit__while_paused_and_after_every_price_went_stale__works(world: World) -> None:
    saver = world.open("saver")
    world.system.wait(10_000)
    give(world, saver, UNIT)
    with world.as_guardian():
        world.engine.pause()
        world.engine.set_settlement_doubt(True)
    give(world, saver, UNIT)
    assert world.cash(saver) == 2 * UNIT * WAD_PER_UNIT


# --- through a gateway ----------------------------------------------------------------------------


def test_deposit_from__gateway_opted_in_to__pulls_from_the_owner(world: World) -> None:
    saver = world.open("saver")
    owner = world.owner_of(saver)
    world.token.mint(owner, 5 * UNIT)
    with boa.env.prank(owner):
        world.token.approve(world.ledger.address, 5 * UNIT)
    with boa.env.prank(world.gateway.address):
        world.ledger.deposit_from(saver, 5 * UNIT)
    assert events(world.ledger)[0] == ("Deposited", saver, 5 * UNIT * WAD_PER_UNIT)
    assert world.cash(saver) == 5 * UNIT * WAD_PER_UNIT
    assert world.token.balanceOf(owner) == 0


def test_deposit_from__gateway_not_opted_in_to__reverts(world: World) -> None:
    saver = world.open("saver", gateways=0b10)
    with boa.env.prank(world.gateway.address), boa.reverts("not opted in"):
        world.ledger.deposit_from(saver, UNIT)


@pytest.mark.parametrize("role", ["stranger", "owner", "liquidator", "custody"])
def test_deposit_from__by_anyone_but_a_gateway__reverts(world: World, role: str) -> None:
    saver = world.open("saver")
    callers = {
        "stranger": STRANGER,
        "owner": world.owner,
        "liquidator": world.liquidator.address,
        "custody": world.custody.address,
    }
    with boa.env.prank(callers[role]), boa.reverts("not a gateway"):
        world.ledger.deposit_from(saver, UNIT)


def test_deposit_from__gateway_ended__reverts(world: World) -> None:
    saver = world.open("saver")
    with world.as_owner():
        world.ledger.set_gateway_at(0, "0x" + "00" * 20)
    with boa.env.prank(world.gateway.address), boa.reverts("not a gateway"):
        world.ledger.deposit_from(saver, UNIT)


def test_deposit_from__unopened_account__is_not_opted_in(world: World) -> None:
    with boa.env.prank(world.gateway.address), boa.reverts("not opted in"):
        world.ledger.deposit_from(int(STRANGER, 16) << 96, UNIT)


def test_deposit__never_touches_the_outflow_bucket(world: World) -> None:
    saver = world.open("saver")
    give(world, saver, UNIT)
    assert world.custody.waiting(SETTLEMENT, world.owner_of(saver)) == 0
