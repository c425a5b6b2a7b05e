"""REE-5: nobody gives the protocol an address that it then calls, or trusts, with its tokens."""

from __future__ import annotations

import boa
import pytest

from tests.support.compiled import load
from tests.support.world import SETTLEMENT, UNIT, WAD, World, address_of


def test_allowances__after_every_flow__are_nil(world: World) -> None:
    """Nobody may pull; of the vault only the ledger, which pulls from its caller."""
    trader, other = world.open("trader", 10_000), world.open("other", 10_000)
    index, token = world.list_token()
    world.deposit_collateral(trader, index, token, WAD)
    world.trade(trader, other, WAD // 10)
    world.withdraw(trader, UNIT)
    world.withdraw_collateral(trader, index, WAD // 2)
    holders = (world.ledger, world.custody, world.fund)
    spenders = [*holders, world.engine, world.liquidator, world.gateway, world.settings]
    spenders += [world.fund, world.vault]
    for mint in (world.token, token):
        for holder in (*holders, world.vault):
            for spender in spenders:
                if (holder, spender, mint) != (world.vault, world.ledger, world.token):
                    assert mint.allowance(holder.address, spender.address) == 0


@pytest.mark.parametrize("path", ["cash", "collateral"])
def test_receiver_with_code__is_not_called(world: World, path: str) -> None:
    """Tokens are sent; the receiver runs nothing, so it can neither re-enter nor refuse."""
    attacker = load("contracts/mocks/AttackerMock.vy").deploy()
    release = world.custody.release.prepare_calldata(SETTLEMENT, address_of("accomplice"))
    attacker.set_plan([(world.custody.address, release)])
    trader = world.open("trader", 10_000)
    index, token = world.list_token()
    world.deposit_collateral(trader, index, token, WAD)
    if path == "cash":
        world.withdraw(trader, UNIT, attacker.address)
    else:
        world.withdraw_collateral(trader, index, WAD, attacker.address)
    with boa.reverts():
        attacker.successes(0)


def test_tokens_of_one__are_out_of_reach_of_all_others(world: World) -> None:
    """The ledger pulls from the caller, or through a gateway from the account's owner."""
    victim, thief = world.open("victim"), world.open("thief")
    owner = world.owner_of(victim)
    world.token.mint(owner, 100 * UNIT)
    with boa.env.prank(owner):
        world.token.approve(world.ledger.address, 2**256 - 1)
    with world.as_owner_of(thief):
        with boa.reverts():
            world.ledger.deposit(thief, UNIT)
        with boa.reverts("not a gateway"):
            world.ledger.deposit_from(victim, UNIT)
    assert world.token.balanceOf(owner) == 100 * UNIT
    assert world.cash(thief) == 0
