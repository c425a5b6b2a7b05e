"""FUN-1: funding pushed to its cap from both sides of one owner nets to nothing, less fees."""

from __future__ import annotations

import pytest

from tests.support.world import BTC, WAD, World


@pytest.mark.parametrize("premium", [10**6, -(10**6), 9_999])
def test_own_longs_and_shorts__collect_what_they_pay(world: World, premium: int) -> None:
    long, short = world.open("attacker", 50_000), world.open("attacker", 50_000, sub=1)
    honest = [world.open(f"honest {i}", 50_000) for i in range(2)]
    world.trade(long, short, 5 * WAD)
    world.trade(honest[0], honest[1], WAD)
    start = world.health(long).equity + world.health(short).equity
    for _ in range(10):
        world.report(dict(world.prices), wait=300, premium=premium)
    assert abs(world.engine.price_of(BTC).rate) <= 10_000 * 125 // 36 + 1, "capped per 8 hours"
    assert world.engine.quote(BTC).funding != 0
    after = world.health(long).equity + world.health(short).equity
    assert start - 4 <= after <= start


def test_funding_rate__is_the_premium_capped(world: World) -> None:
    for premium, expected in ((3_600, 12_500), (10_000, 34_722), (50_000, 34_722), (-36, -125)):
        world.report(dict(world.prices), premium=premium)
        assert world.engine.price_of(BTC).rate == expected


def test_funding__of_a_dead_reporter__stops_with_the_age_of_his_price(world: World) -> None:
    """FUN-2 in part: missing epochs accrue nothing, for both sides alike."""
    long, short = world.open("long", 50_000), world.open("short", 50_000)
    world.trade(long, short, WAD)
    world.report(dict(world.prices), premium=10_000)
    observed = world.engine.price_of(BTC).observed
    world.system.at(observed + 600)
    at_the_age = world.engine.quote(BTC).funding
    world.system.wait(100_000)
    assert world.engine.quote(BTC).funding == at_the_age > 0
    total = world.health(long).equity + world.health(short).equity
    assert 0 <= world.cash(long) + world.cash(short) - total <= 2
