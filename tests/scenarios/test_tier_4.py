"""TIER-4 (POPCAT, November 2025): nineteen wallets fall in one block; each finds less room."""

from __future__ import annotations

from tests.support.world import BACKSTOP, BTC, USD, WAD, World, events_of
from tests.unit.fund.till import Till

WALLETS = 19


def test_nineteen_wallets_in_one_block__ring_then_opposite_side(world: World) -> None:
    """The ring takes what its own capital covers, not nineteen times the same; the rest is cut."""
    till = Till(world)
    ring = till.ring(BTC, 3_000)
    world.bank()
    wallets = [world.open(f"wallet {i}", 500) for i in range(WALLETS)]
    other = world.open("other", 10**6)
    for wallet in wallets:
        world.trade(wallet, other, WAD)
    people = [*wallets, other, ring]
    while world.liquidator.state(wallets[0]) < BACKSTOP:
        world.tick(p0=world.mark(BTC) * 998 // 1_000)
    dust = world.dust(people)
    taken = []
    for wallet in wallets:  # no time passes between them
        before = world.vault.ring_of(BTC)
        world.liquidator.resolve(wallet)
        (leg,) = events_of(world.liquidator, "LegResolved")
        taken.append(leg[4])
        (whole,) = events_of(world.liquidator, "AccountResolved")
        assert whole[5] == sum(whole[6:])
        after = world.vault.ring_of(BTC)
        if taken[-1]:
            assert after.equity >= after.requirement
            assert after.size == before.size + WAD
        assert world.dust(people) >= dust
    count = sum(taken)
    assert 0 < count < WALLETS
    assert taken == [True] * count + [False] * (WALLETS - count), "room only shrinks"
    assert world.size(ring) == count * WAD
    assert abs(-world.size(other) - count * WAD) <= WALLETS
    assert world.vault.totalAssets() * 10**12 <= world.health(ring).equity
    assert world.health(ring).equity >= 3_000 * USD
