"""KEY-11: nobody acts on another's account or allowance without that account's own leave."""

from __future__ import annotations

import boa

from tests.support.compiled import load
from tests.support.world import BTC, UNIT, WAD, World, address_of


def test_approval_to_the_ledger__is_of_use_to_the_owner_and_his_gateways_only(
    world: World,
) -> None:
    victim = world.open("victim", gateways=0)
    owner = world.owner_of(victim)
    world.token.mint(owner, 1_000 * UNIT)
    with boa.env.prank(owner):
        world.token.approve(world.ledger.address, 2**256 - 1)
        world.token.approve(world.custody.address, 2**256 - 1)
    thief = address_of("thief")
    with boa.env.prank(world.gateway.address), boa.reverts("not opted in"):
        world.ledger.deposit_from(victim, UNIT)
    with boa.env.prank(thief):
        for attempt in (
            lambda: world.ledger.deposit_from(victim, UNIT),
            lambda: world.ledger.withdraw(victim, UNIT, thief),
            lambda: world.ledger.transfer(victim, victim | 1, 1),
            lambda: world.ledger.configure(victim, 255, 0),
            lambda: world.custody.withdraw(victim, 0, 1, thief),
        ):
            with boa.reverts():
                attempt()
    assert world.token.balanceOf(owner) == 1_000 * UNIT


def test_gateway_registered_by_governance__has_no_power_over_who_did_not_choose_it(
    world: World,
) -> None:
    """GOV-1 in part: a new venue needs each account's own leave."""
    hostile = load("contracts/mocks/stubs/StubGateway.vy").deploy(world.ledger.address)
    with world.as_owner():
        world.ledger.set_gateway_at(1, hostile.address)
    victim, accomplice = world.open("victim", 10_000), world.open("thief", 10_000, gateways=2)
    with boa.reverts("not opted in"):
        hostile.trade(victim, accomplice, BTC, WAD, 20_900 * WAD, 0)
    with boa.reverts("not opted in"):
        hostile.trade(accomplice, victim, BTC, WAD, 19_100 * WAD, 0)


def test_account_number_of_another__with_the_own_address_in_it__is_not_reached(
    world: World,
) -> None:
    """account = owner << 96 | sub: no sub reaches into the owner's bits."""
    world.open("owner", 10)
    with boa.env.prank(address_of("owner")), boa.reverts("subaccount"):
        world.ledger.open_account(2**96 + 5, 1, 1)
