"""A fault: `fill_ring` is open to everyone in every state: a ring can lose more than its target.

A ring that realised losses (someone took a part of it, or it netted against a book of the other
side) has cash below its target and is topped up from the stakers' free assets at a stranger's
call, also when it is about to be bankrupt: whoever is on the other side of it saves the charge.
TIER-2 wants a hard cap a market.
"""

from __future__ import annotations

import pytest

from tests.support.world import BTC, LIQUIDATABLE, UNIT, USD, WAD, World, address_of
from tests.unit.fund.till import Till

REASON = "anyone refills a losing ring from free assets: a market costs more than its target"


def test_fill_ring__a_ring_with_a_losing_position__costs_no_more_than_its_target(
    world: World,
) -> None:
    till = Till(world)
    target = 10_000
    ring = till.ring(BTC, target)
    owner = address_of("vault giver")
    world.token.mint(owner, 90_000 * UNIT)
    with world.as_owner_of(int(owner, 16) << 96):
        world.vault.give(90_000 * UNIT)
    before = world.vault.totalAssets()
    long = world.open("long", 5_000)
    short, taker = world.open("short", 200_000), world.open("taker", 200_000)
    world.trade(long, short, 5 * WAD)
    while world.liquidator.state(long) <= LIQUIDATABLE:
        world.tick(p0=world.mark(BTC) * 997 // 1_000)
    world.liquidator.resolve(long)
    assert world.size(ring) == 5 * WAD
    paid = world.cash(ring) - target * USD
    price = world.mark(BTC)
    # The mark sinks by a quarter; strangers take parts of the ring and refill it each time.
    while world.mark(BTC) > price * 3 // 4 and world.size(ring):
        world.tick(p0=world.mark(BTC) * 995 // 1_000)
        if world.liquidator.state(ring) == LIQUIDATABLE:
            with world.as_owner_of(taker):
                world.liquidator.take(ring, BTC, 2**100, taker, 2**200)
        if world.vault.ring_of(BTC).target > world.cash(ring) + USD:
            world.vault.fill_ring(BTC)
    lost = (before - world.vault.totalAssets()) * 10**12 + paid
    assert lost <= target * USD + paid
