"""ACC-3: a dust supply, a huge gift, a victim; shares of the insurance fund and of the vault."""

from __future__ import annotations

import boa
import pytest

from tests.support.world import BTC, UNIT, USD, World, address_of
from tests.unit.fund.till import Till

VICTIM = 10_000 * UNIT


@pytest.mark.parametrize("which", ["fund", "vault"])
def test_gift_by_transfer__is_ignored(world: World, which: str) -> None:
    """One unit in, a million USD sent to every contract: the victim loses less than 10^-6."""
    till, target = Till(world), getattr(world, which)
    till.stake(target, "attacker", 1)
    for holder in (target, world.custody, world.fund, world.vault):
        world.token.mint(holder.address, 10**6 * UNIT)
    shares = till.stake(target, "victim", VICTIM)
    assert VICTIM - target.convertToAssets(shares) <= VICTIM // 10**6
    assert target.totalAssets() == VICTIM + 1


@pytest.mark.parametrize("million", [1, 10])
@pytest.mark.parametrize("way", ["fund", "vault", "ring"])
def test_gift_by_a_verb__costs_the_giver_half__and_the_victim_a_share_at_most(
    world: World, way: str, million: int
) -> None:
    """`give`, or a deposit into a ring's account: both raise the price of a share."""
    till = Till(world)
    target = world.fund if way == "fund" else world.vault
    if way == "ring":
        with world.as_owner():
            world.vault.open_ring(BTC, USD)
    mine = till.stake(target, "attacker", 1)
    gift = million * 10**6 * UNIT
    attacker = address_of("attacker")
    world.token.mint(attacker, gift)
    with boa.env.prank(attacker):
        if way == "ring":
            world.token.approve(world.ledger.address, gift)
            world.ledger.deposit(world.vault.ring_of(BTC).account, gift)
        else:
            target.give(*([BTC] if way == "fund" else []), gift)
    shares = till.stake(target, "victim", VICTIM)
    lost = VICTIM - target.convertToAssets(shares)
    assert lost <= (gift + VICTIM) // (2 * 10**6) + 2
    assert lost * 1_000 <= VICTIM, "half a share of those millions: a thousandth at most"
    assert target.convertToAssets(mine) - 1 - gift <= lost - gift // 2 + 1
