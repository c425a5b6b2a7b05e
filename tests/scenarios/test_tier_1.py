"""TIER-1 (Hyperliquid ETH, March 2025): margin is pulled to the limit, then the price turns."""

from __future__ import annotations

import boa

from tests.support.world import BTC, USD, WAD, World


def test_withdrawal_to_the_limit__leaves_initial_margin_not_maintenance(world: World) -> None:
    trader, other = world.open("trader", 60_000), world.open("other", 200_000)
    world.trade(trader, other, 50 * WAD)
    im, mm = world.health(trader, 0).requirement, world.health(trader).requirement
    most = (world.cash(trader) - im) // 10**12
    with boa.reverts("initial margin"):
        world.withdraw(trader, most + 1)
    world.withdraw(trader, most)
    assert world.health(trader).equity >= im > 19 * mm // 10
    world.tick(p0=19_900 * WAD)
    assert world.liquidator.state(trader) in (0, 1), "half a per cent liquidates nobody"


def test_pulling_margin_and_being_liquidated__pays_less_than_closing(world: World) -> None:
    """What the attacker forfeits exceeds what the protocol loses: nothing here."""
    trader, other = world.open("trader", 60_000), world.open("other", 400_000)
    taker = world.open("taker", 400_000)
    world.trade(trader, other, 50 * WAD)
    world.drive(BTC, 21_000 * WAD)

    def wealth() -> int:
        return world.token.balanceOf(world.owner_of(trader)) * 10**12 + world.cash(trader)

    with boa.env.anchor():
        world.trade(other, trader, 50 * WAD)
        honest = wealth()
    world.withdraw(trader, world.cash(trader) // 10**12)
    cash = world.cash(trader)
    assert cash < 10**12, "all margin is unrealised profit now"
    prices = [world.mark(BTC)]
    while world.size(trader) and world.mark(BTC) > 18_500 * WAD:
        world.tick(p0=world.mark(BTC) * 991 // 1_000)
        prices.append(world.mark(BTC))
        if world.liquidator.state(trader) == 2:
            with world.as_owner_of(taker):
                world.liquidator.take(trader, BTC, 2**100, taker, 2**200)
        elif world.liquidator.state(trader) > 2:
            world.liquidator.resolve(trader)
    assert world.custody.totals().deficit == 0
    assert wealth() < honest
    assert world.health(trader).equity >= 0
    assert world.dust([trader, other, taker]) >= 0
    assert honest > 60_000 * USD
