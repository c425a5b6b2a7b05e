"""ORA-11, ORA-12, ORA-14: reference feeds each with an age, limits, and a say of their own."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.support.compiled import load
from tests.support.world import BTC, ETH, LIQUIDATABLE, UNIT, WAD, World

HOUR = 3_600
MOST = 2**127


def feed_of(world: World, market: int, max_age: int, least: int = 0, most: int = MOST) -> Any:
    feed = load("contracts/mocks/AggregatorMock.vy").deploy(8)
    with world.as_owner():
        world.settings.set_feed(market, (feed.address, max_age, least, most))
    return feed


@pytest.fixture
def pair(world: World) -> tuple[int, int]:
    long, short = world.open("long", 20_000), world.open("short", 20_000)
    for market in (BTC, ETH):
        world.trade(long, short, WAD, market=market)
    return long, short


def test_feeds_of_an_hour_and_a_day__two_hours_old__only_the_first_is_stale(
    world: World, pair: tuple[int, int]
) -> None:
    hourly, daily = feed_of(world, BTC, HOUR), feed_of(world, ETH, 24 * HOUR)
    hourly.set_answer(20_000 * 10**8)
    daily.set_answer(2_000 * 10**8)
    world.tick()
    assert (world.state(BTC), world.state(ETH)) == (0, 0)
    world.pass_time(2 * HOUR, every=600)
    assert (world.state(BTC), world.state(ETH)) == (4, 0)
    long, short = pair
    with boa.reverts("reduce only"):
        world.trade(long, short, WAD)
    world.trade(long, short, WAD, market=ETH)
    world.trade(short, long, WAD)


@pytest.mark.parametrize("answer", [1, 100, 10**12, 10**12 + 5, 0, -1])
def test_answer_at_a_limit_or_none__is_no_reference(
    world: World, pair: tuple[int, int], answer: int
) -> None:
    """ORA-12: at its minimum or maximum a feed may be clamped."""
    feed = feed_of(world, BTC, HOUR, least=100, most=10**12)
    feed.set_answer(answer)
    world.tick()
    assert world.state(BTC) == 4
    long, short = pair
    with boa.reverts("reduce only"):
        world.trade(long, short, WAD)
    world.trade(short, long, WAD // 2)
    world.withdraw(long, UNIT)


def test_report_beside_its_reference__is_unknown_not_believed(
    world: World, pair: tuple[int, int]
) -> None:
    """ORA-14: nobody is liquidated by it, nobody leaves, everybody may reduce."""
    feed = feed_of(world, BTC, 24 * HOUR)
    feed.set_answer(20_000 * 10**8)
    long, short = pair
    poor = world.open("poor", 411)
    world.trade(poor, short, WAD)
    world.tick()
    world.tick(p0=19_590 * WAD)
    assert world.state(BTC) & 1
    assert world.mark(BTC) == 20_000 * WAD
    assert world.liquidator.state(poor) != LIQUIDATABLE
    with boa.reverts("settling"):
        world.withdraw(long, UNIT)
    with boa.reverts("reduce only"):
        world.trade(long, short, WAD, price=20_000 * WAD)
    world.trade(short, long, WAD // 2, price=20_000 * WAD)
    dust = world.dust([long, short, poor])
    feed.set_answer(19_600 * 10**8)
    world.tick(p0=19_790 * WAD)
    assert world.mark(BTC) == 19_790 * WAD
    assert world.liquidator.state(poor) == LIQUIDATABLE
    assert world.dust([long, short, poor]) >= dust
