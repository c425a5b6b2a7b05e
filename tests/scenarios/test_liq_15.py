"""LIQ-15, LIQ-18: judged is equity after the trade at the mark of now, fees and loss counted."""

from __future__ import annotations

import boa

from tests.support.world import BTC, INITIAL, UNIT, USD, WAD, World, fees


def test_fill_after_the_price_moved__needs_margin_at_the_new_mark(world: World) -> None:
    """An order signed at 20,000 and filled when the mark is 19,700 loses 300 at once."""
    trader, other = world.open("trader", 10_000), world.open("other", 10_000)
    fee = fees(WAD, 20_000 * WAD)[0]
    world.set_cash(trader, 400 * USD + fee)
    world.drive(BTC, 19_700 * WAD)
    with boa.reverts("initial margin"):
        world.trade(trader, other, WAD, price=20_000 * WAD)
    world.set_cash(trader, 394 * USD + 300 * USD + fee)
    world.trade(trader, other, WAD, price=20_000 * WAD)
    assert world.surplus(trader, INITIAL) == 0
    assert world.liquidator.state(trader) == 0


def test_removing_margin__of_a_losing_position__counts_the_loss(world: World) -> None:
    long, short = world.open("long", 2_000), world.open("short", 10_000)
    world.trade(long, short, WAD)
    world.drive(BTC, 18_900 * WAD)
    free = world.cash(long) - 1_100 * USD - 378 * USD
    with boa.reverts("initial margin"):
        world.withdraw(long, free // 10**12 + 1)
    world.withdraw(long, free // 10**12)


def test_removing_margin__after_funding__counts_the_funding(world: World) -> None:
    """LIQ-17: accrued, not yet realised."""
    long, short = world.open("long", 1_000), world.open("short", 10_000)
    world.trade(long, short, WAD)
    for _ in range(24):
        world.report(dict(world.prices), wait=300, premium=10_000)
    world.report(dict(world.prices), wait=60)
    funding = world.engine.quote(BTC).funding
    assert funding > 40 * USD
    free = world.cash(long) - 400 * USD - funding
    with boa.reverts("initial margin"):
        world.withdraw(long, free // 10**12 + 1)
    world.withdraw(long, free // 10**12)
    assert world.cash(long) > UNIT
