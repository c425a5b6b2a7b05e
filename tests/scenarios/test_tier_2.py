"""TIER-2 (Hyperliquid JELLY, March 2025): self-trade, margin pulled, the vault inherits, a pump."""

from __future__ import annotations

import boa
import pytest

from tests.support.world import BACKSTOP, BTC, UNIT, USD, WAD, World, address_of, events_of
from tests.unit.fund.till import Till

RING = 20_000


def pump(world: World, to: int) -> None:
    """The mark climbs by half a per cent a minute; everything that can be resolved is."""
    ring = int(world.vault.ring_of(BTC).account)
    while world.mark(BTC) < to:
        world.tick(p0=min(to, world.mark(BTC) * 1_005 // 1_000))
        if world.liquidator.state(ring) >= BACKSTOP:
            world.liquidator.resolve(ring)


@pytest.mark.parametrize("strangers_refill", [False, True])
def test_vault__loses_no_more_than_the_ring_it_gave(world: World, strangers_refill: bool) -> None:
    till = Till(world)
    till.stake(world.vault, "staker", 200_000 * UNIT)
    world.calm()
    with world.as_owner():
        world.vault.open_ring(BTC, RING * USD)
    world.vault.fill_ring(BTC)
    before = world.vault.totalAssets()
    short, long = world.open("A", 30_000), world.open("B", 200_000)
    world.trade(long, short, 8 * WAD)
    margin = world.health(short, 0)
    world.withdraw(short, (margin.equity - margin.requirement) // 10**12)
    margin_left = world.cash(short)
    while world.liquidator.state(short) < BACKSTOP:
        world.tick(p0=world.mark(BTC) * 1_002 // 1_000)
    world.liquidator.resolve(short)
    ring = int(world.vault.ring_of(BTC).account)
    assert world.size(ring) == -8 * WAD, "the vault took it"
    paid = world.cash(ring) - RING * USD
    if strangers_refill:
        for _ in range(3):
            with boa.env.prank(address_of("B")), boa.reverts("amount"):
                world.vault.fill_ring(BTC)
    price = world.mark(BTC)
    pump(world, price * 14 // 10)
    assert world.size(ring) == 0, "deleveraged when its own capital was spent"
    lost = (before - world.vault.totalAssets()) * 10**12
    assert lost <= RING * USD
    world.calm()
    world.ledger.collect(long, BTC) if world.position(long).scaled else None
    won = world.health(long).equity - 200_000 * USD
    fees = 8 * 20_000 * 700 * USD // 10**6
    assert won + fees <= margin_left + RING * USD, "A's margin and the ring, no more"
    assert world.vault.free() == 200_000 * UNIT - RING * UNIT, "the other stakers' assets are whole"
    assert paid >= 0


def test_second_book__after_the_ring_is_spent__goes_to_the_opposite_side(world: World) -> None:
    till = Till(world)
    ring = till.ring(BTC, 500)
    short, long = world.open("A", 2_000), world.open("B", 200_000)
    world.trade(long, short, 4 * WAD)
    while world.liquidator.state(short) < BACKSTOP:
        world.tick(p0=world.mark(BTC) * 1_002 // 1_000)
    world.liquidator.resolve(short)
    (leg,) = events_of(world.liquidator, "LegResolved")
    assert leg[4] is False, "taken"
    assert world.size(ring) == 0
    assert world.cash(ring) == 500 * USD
    assert world.size(long) == 0
