"""A fault: a ring that nets against a bankrupt's book leaves its side before the charge.

`resolve` moves the book first and charges the opposite side after. A ring that was on that side
is flat by then: it keeps what it won and the loss falls on the other holders, or where there are
none on everyone (d before c: the winner is not charged although he could pay).
"""

from __future__ import annotations

import pytest

from tests.support.world import BTC, LIQUIDATABLE, USD, WAD, World, events_of
from tests.unit.fund.till import Till

REASON = "the vault's ring escapes the charge by netting before it: c is zero and d is all"


def only_short_is_the_ring(world: World) -> tuple[int, int]:
    """A short falls to the ring; its counterparty, long, goes bankrupt as the mark falls back."""
    till = Till(world)
    ring = till.ring(BTC, 100_000)
    short, long = world.open("short", 500), world.open("long", 2_000)
    world.trade(long, short, WAD)
    while world.liquidator.state(short) <= LIQUIDATABLE:
        world.tick(p0=world.mark(BTC) * 1_003 // 1_000)
    world.liquidator.resolve(short)
    assert world.size(ring) == -WAD
    price = world.mark(BTC) * 85 // 100
    world.tick(p0=price)
    while world.mark(BTC) != price:
        world.tick(p0=price)
    assert world.health(long).equity < -200 * USD
    return ring, long


def test_resolve__opposite_side_is_the_ring__it_is_charged_before_anyone_else(
    world: World,
) -> None:
    ring, long = only_short_is_the_ring(world)
    before = world.health(ring).equity
    world.liquidator.resolve(long)
    (event,) = events_of(world.liquidator, "AccountResolved")
    deficit, insured, charged, socialised = event[-4:]
    assert deficit == insured + charged + socialised
    assert insured == 0
    assert charged > 0, f"{socialised} of {deficit} socialised, ring gained {before}"
