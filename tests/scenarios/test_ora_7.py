"""ORA-7, ORA-9, ORA-10: times of reports only rise, and choosing among them buys nothing."""

from __future__ import annotations

import boa

from tests.support.world import BTC, LIQUIDATABLE, WAD, World


def test_older_report_after_a_newer_one__is_skipped(world: World) -> None:
    world.system.wait(120)
    grid = world.system.grid
    world.system.report({BTC: 20_050 * WAD}, observed=grid)
    world.system.wait(1)
    observed = world.engine.price_of(BTC).observed
    assert world.system.report({BTC: 19_950 * WAD}, observed=grid - 60) == [0]
    assert world.system.report({BTC: 19_950 * WAD}, observed=grid) == [0]
    assert (world.mark(BTC), world.engine.price_of(BTC).observed) == (20_050 * WAD, observed)


def test_liquidation__with_a_report_from_before_the_price_came_back__is_refused(
    world: World,
) -> None:
    """ORA-9: an old bad price does not liquidate, not even in the same minutes."""
    long, short = world.open("long", 405), world.open("short", 10_000)
    world.trade(long, short, WAD)
    world.system.wait(60)
    bad = world.system.sign_report({BTC: 19_790 * WAD})
    world.system.wait(60)
    world.system.report({BTC: 20_000 * WAD})
    world.system.wait(1)
    assert world.system.send(*bad) == [0]
    liquidator = world.open("liquidator", 10_000)
    with world.as_owner_of(liquidator), boa.reverts("not liquidatable"):
        world.liquidator.take(long, BTC, WAD, liquidator, 2**200)
    world.system.wait(60)
    with boa.reverts("expired"):
        world.system.send(*bad)


def test_report_of_the_future_or_off_the_grid__is_refused(world: World) -> None:
    world.system.wait(120)
    for observed in (world.system.grid + 60, world.system.grid - 1):
        with boa.reverts("period"):
            world.system.report({BTC: 20_000 * WAD}, observed=observed)


def test_choice_between_valid_reports__does_not_move_a_fill(world: World) -> None:
    """ORA-10: an order trades at its own limit whichever report comes first."""
    a, b = world.open("a", 10_000), world.open("b", 10_000)
    world.system.wait(120)
    grid = world.system.grid
    prices = []
    for observed, price in ((grid - 60, 19_950 * WAD), (grid, 20_050 * WAD)):
        with boa.env.anchor():
            world.system.report({BTC: price}, observed=observed)
            fill = world.trade(a, b, WAD, price=20_010 * WAD)
            prices.append((fill.price, world.position(a).z))
    assert prices[0] == prices[1] == (20_010 * WAD, 20_010 * WAD)


def test_choice_between_valid_reports__is_only_for_one_block(world: World) -> None:
    long, short = world.open("long", 405), world.open("short", 10_000)
    world.trade(long, short, WAD)
    world.system.wait(120)
    grid = world.system.grid
    world.system.report({BTC: 19_790 * WAD}, observed=grid - 60)
    assert world.liquidator.state(long) == LIQUIDATABLE
    world.system.wait(12)
    world.system.report({BTC: 20_000 * WAD}, observed=grid)
    assert world.liquidator.state(long) != LIQUIDATABLE
