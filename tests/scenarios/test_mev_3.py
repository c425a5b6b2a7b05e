"""MEV-3, MEV-4: after a pause or a gap there is a grace; one dead market stops no other."""

from __future__ import annotations

import boa

from tests.support.world import BTC, ETH, UNIT, USD, WAD, World


def paused_over_a_fall(world: World) -> tuple[int, int]:
    """An hour of pause in which the price falls by 1.4 %; the account is then below MM."""
    long, short = world.open("long", 450), world.open("short", 10_000)
    world.trade(long, short, WAD)
    with world.as_guardian():
        world.engine.pause()
    world.system.wait(3_600)
    with world.as_guardian():
        world.engine.unpause()
    world.system.wait(1)
    world.report({BTC: 19_720 * WAD, ETH: 2_000 * WAD}, wait=60)
    return long, short


def test_unpause__no_liquidation_before_the_grace_but_deposits_and_reductions(
    world: World,
) -> None:
    long, short = paused_over_a_fall(world)
    taker = world.open("taker", 10_000)
    for verb in (
        lambda: world.liquidator.resolve(long),
        lambda: world.liquidator.take(long, BTC, WAD, taker, 2**200),
    ):
        with world.as_owner_of(taker), boa.reverts():
            verb()
    with boa.env.anchor():
        world.deposit(long, 100 * UNIT)
        world.trade(short, long, WAD // 2, price=20_500 * WAD)
    world.pass_time(600, every=60)
    assert world.liquidator.state(long) == 2
    with world.as_owner_of(taker):
        world.liquidator.take(long, BTC, WAD, taker, 2**200)


def test_unpause__who_added_margin_in_the_grace__is_not_liquidated(world: World) -> None:
    long, _ = paused_over_a_fall(world)
    world.deposit(long, 200 * UNIT)
    world.pass_time(600, every=60)
    assert world.liquidator.state(long) < 2


def test_price_gap__after_it_the_market_has_its_own_grace(world: World) -> None:
    long, short = world.open("long", 450), world.open("short", 10_000)
    world.trade(long, short, WAD)
    world.system.wait(1_200)
    world.report({BTC: 19_720 * WAD, ETH: 2_000 * WAD})
    assert world.state(BTC) & 1
    assert world.liquidator.state(long) in (0, 1)
    world.pass_time(600, every=60)
    assert world.liquidator.state(long) == 2


def test_auction_clock__does_not_run_in_pause_or_grace(world: World) -> None:
    long, short = world.open("long", 450), world.open("short", 10_000)
    world.trade(long, short, WAD)
    world.drive(BTC, 19_740 * WAD)
    world.liquidator.poke(long)
    assert world.liquidator.state(long) == 2
    world.pass_time(120, every=60)
    world.liquidator.poke(long)
    elapsed = world.liquidator.auction(long)[1]
    with world.as_guardian():
        world.engine.pause()
    world.system.wait(7_200)
    with world.as_guardian():
        world.engine.unpause()
    world.system.wait(1)
    world.tick(59)
    world.pass_time(480, every=60)
    assert world.liquidator.auction(long)[1] == elapsed
    world.pass_time(120, every=60)
    assert elapsed < world.liquidator.auction(long)[1] <= elapsed + 120


def test_batch__with_a_refused_a_late_and_an_unlisted_asset__takes_the_rest(world: World) -> None:
    """MEV-4: what concerns one asset never stops the batch."""
    quotes = world.report({BTC: 21_000 * WAD, ETH: 2_010 * WAD, 17: WAD})
    del world.prices[17]
    assert quotes[0] == 0
    assert quotes[1] >> 32 == 2_010 * WAD
    assert quotes[2] == 0
    assert (world.state(BTC), world.state(ETH)) == (1, 0)
    a, b = world.open("a", 1_000), world.open("b", 1_000)
    world.trade(a, b, WAD, market=ETH)
    with world.as_guardian():
        world.engine.set_reduce_only(BTC, True)
    assert world.report({BTC: 20_000 * WAD, ETH: 2_015 * WAD})[1] >> 32 == 2_015 * WAD
    assert world.cash(a) < 1_000 * USD
