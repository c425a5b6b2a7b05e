"""Trading while something is unknown, settling, old, reduce-only, in doubt, paused."""

from __future__ import annotations

from collections.abc import Callable

import boa
import pytest

from tests.support.compiled import load
from tests.support.world import BTC, ETH, UNIT, USD, WAD, World, events_of, fees

PRICE = 20_000 * WAD
FAR = 20_900 * WAD


def hold_jump(world: World) -> None:
    world.report({BTC: 20_600 * WAD, ETH: world.mark(ETH)})
    world.prices[BTC] = PRICE
    assert world.state(BTC) == 1


def go_stale(world: World) -> None:
    del world.prices[BTC]
    world.pass_time(660)
    assert world.state(BTC) & 1


def unpause_into_grace(world: World) -> None:
    with world.as_guardian():
        world.engine.pause()
    world.system.wait(60)
    with world.as_guardian():
        world.engine.unpause()
    world.refresh()
    assert world.state(BTC) == 1


def aftermath(world: World) -> None:
    world.tick(p0=20_250 * WAD)
    world.tick(p0=PRICE)
    assert world.state(BTC) == 2


def set_reduce_only(world: World) -> None:
    with world.as_guardian():
        world.engine.set_reduce_only(BTC, True)
    assert world.state(BTC) == 4


def grow_old(world: World) -> None:
    observed = world.engine.price_of(BTC).observed
    world.system.at(observed + 121)
    assert world.state(BTC) == 8


def doubt(world: World) -> None:
    with world.as_guardian():
        world.engine.set_settlement_doubt(True)
    assert world.state(BTC) == 32


UNKNOWNS = [hold_jump, go_stale, unpause_into_grace]
SETTLINGS = [*UNKNOWNS, aftermath]
BARRING = [*SETTLINGS, set_reduce_only, grow_old, doubt]
State = Callable[[World], None]


@pytest.fixture
def pair(world: World) -> tuple[int, int]:
    """Long and short 2 BTC."""
    long, short = world.open("long", 50_000), world.open("short", 50_000)
    world.trade(long, short, 2 * WAD)
    return long, short


@pytest.mark.parametrize("state", BARRING)
def test_barred__nobody_opens_increases_or_flips(
    world: World, pair: tuple[int, int], state: State
) -> None:
    long, short = pair
    fresh, other = world.open("fresh", 50_000), world.open("other", 50_000)
    state(world)
    for buyer, seller, size in (
        (fresh, other, WAD),
        (long, short, WAD),
        (fresh, long, WAD),
        (short, fresh, WAD),
        (short, long, 3 * WAD),
    ):
        with boa.reverts("reduce only"):
            world.trade(buyer, seller, size, price=PRICE)


@pytest.mark.parametrize("state", BARRING)
def test_barred__reducing_works(world: World, pair: tuple[int, int], state: State) -> None:
    long, short = pair
    state(world)
    world.trade(short, long, WAD, price=PRICE)
    world.trade(short, long, WAD, price=PRICE)
    assert world.size(long) == world.size(short) == 0


@pytest.mark.parametrize("state", BARRING)
def test_barred__collateral_in_works(world: World, pair: tuple[int, int], state: State) -> None:
    state(world)
    cash = world.cash(pair[0])
    world.deposit(pair[0], UNIT)
    assert world.cash(pair[0]) == cash + USD


@pytest.mark.parametrize("state", SETTLINGS)
def test_settling__a_limit_on_the_right_side__trades_at_the_mark(
    world: World, pair: tuple[int, int], state: State
) -> None:
    long, short = pair
    state(world)
    fill = world.trade(short, long, WAD, price=FAR)
    assert tuple(fill) == (PRICE, *fees(WAD, PRICE))
    (traded,) = events_of(world.gateway, "Traded")
    assert traded[5] == PRICE
    fill = world.gateway.trade(long, short, BTC, -WAD, 0, 0)
    assert fill.price == PRICE


@pytest.mark.parametrize("state", SETTLINGS)
def test_settling__a_limit_the_mark_is_beyond__reverts(
    world: World, pair: tuple[int, int], state: State
) -> None:
    long, short = pair
    state(world)
    with boa.reverts("limit"):
        world.trade(short, long, WAD, price=PRICE - 1)
    with boa.reverts("limit"):
        world.gateway.trade(long, short, BTC, -WAD, PRICE + 1, 0)


@pytest.mark.parametrize("state", [set_reduce_only, grow_old, doubt])
def test_reduce_only__trades_at_its_own_price_within_the_band(
    world: World, pair: tuple[int, int], state: State
) -> None:
    long, short = pair
    state(world)
    with boa.reverts("price band"):
        world.trade(short, long, WAD, price=21_000 * WAD + 1)
    assert world.trade(short, long, WAD, price=21_000 * WAD).price == 21_000 * WAD


@pytest.mark.parametrize("state", SETTLINGS)
def test_settling_elsewhere__who_holds_it_opens_nowhere(
    world: World, pair: tuple[int, int], state: State
) -> None:
    long, _ = pair
    free, other = world.open("free", 50_000), world.open("other", 50_000)
    world.trade(long, other, WAD, market=ETH)
    state(world)
    if state is unpause_into_grace:
        return  # a general grace settles every market
    world.report({ETH: 2_000 * WAD})
    assert world.state(BTC) & 3
    for buyer, seller in ((long, free), (free, long)):
        with boa.reverts("settling"):
            world.trade(buyer, seller, 2 * WAD, market=ETH)
    world.trade(free, other, WAD, market=ETH)
    assert world.size(free, ETH) == WAD
    world.trade(free, long, WAD, market=ETH)
    assert world.size(long, ETH) == 0, "reducing elsewhere works"


def test_old__opening_needs_a_price_younger_than_its_limit(world: World) -> None:
    a, b = world.open("a", 10_000), world.open("b", 10_000)
    observed = world.engine.price_of(BTC).observed
    world.system.at(observed + 120)
    with boa.env.anchor():
        world.trade(a, b, WAD)
    world.system.at(observed + 121)
    with boa.reverts("reduce only"):
        world.trade(a, b, WAD)


def test_stale__price_unknown_a_second_after_its_age(world: World, pair: tuple[int, int]) -> None:
    observed = world.engine.price_of(BTC).observed
    long, short = pair
    world.system.at(observed + 600)
    with boa.env.anchor():
        assert world.trade(short, long, WAD, price=20_500 * WAD).price == 20_500 * WAD
    world.system.at(observed + 601)
    assert world.trade(short, long, WAD, price=20_500 * WAD).price == PRICE


def test_aftermath__ends_with_its_window(world: World, pair: tuple[int, int]) -> None:
    aftermath(world)
    start = world.system.time
    fresh = world.open("fresh", 50_000)
    world.pass_time(540)
    world.system.at(start + 599)
    with boa.reverts("reduce only"):
        world.trade(fresh, pair[1], WAD)
    world.refresh(1)
    world.trade(fresh, pair[1], WAD)


def test_unknown__reduction_is_judged_at_the_better_price(
    world: World, pair: tuple[int, int]
) -> None:
    """MAINTENANCE counts a held leg at the better price with no MM; INITIAL at the worse."""
    long, short = pair
    world.transfer(long, short, 49_100 * USD)
    hold_jump(world)
    margin = world.health(long)
    assert margin.requirement == 0
    assert margin.equity == world.cash(long) + 1_200 * USD
    assert world.health(long, 0).equity == world.cash(long)
    world.trade(short, long, WAD, price=PRICE)


def test_doubt__reducing_needs_the_maintenance_rule_only(
    world: World, pair: tuple[int, int]
) -> None:
    """In doubt cash counts nothing for IM, so every reduction goes by E' and MM'."""
    doubt(world)
    long, short = pair
    assert world.health(long, 0).equity == 0 < world.health(long).equity
    world.trade(short, long, WAD)


def test_sequencer_down__no_new_risk_but_reductions(world: World, pair: tuple[int, int]) -> None:
    feed = load("contracts/mocks/SequencerMock.vy").deploy()
    feed.set_round(0, world.system.time - 10_000)
    with world.as_owner():
        world.settings.set_sequencer_feed(feed.address)
    long, short = pair
    world.trade(long, short, 10**15)
    feed.set_down(True)
    with boa.reverts("reduce only"):
        world.trade(long, short, 10**15)
    world.trade(short, long, WAD)
    feed.set_down(False)
    world.system.wait(1)
    with boa.reverts("reduce only"):
        world.trade(long, short, 10**15, price=PRICE)
    with boa.reverts("settling"):
        world.withdraw(long, UNIT)


def test_paused__nothing_trades(world: World, pair: tuple[int, int]) -> None:
    long, short = pair
    with world.as_guardian():
        world.engine.pause()
    for buyer, seller in (pair, (short, long)):
        with boa.reverts("paused"):
            world.trade(buyer, seller, WAD)


def test_keeper_dead__opening_asks_storm_margin_reducing_and_holding_do_not(
    world: World, pair: tuple[int, int]
) -> None:
    long, short = pair
    calm_mm = world.health(long).requirement
    world.pass_time(10_860, every=600)
    assert world.engine.severity_now(BTC)[:2] == (0, 10**6)
    assert world.health(long).requirement == calm_mm
    n = 40_000 * USD
    depth = 250_000  # lambda_min
    storm = n // 10 + (n - 25_000 * USD) * 50_000 // 10**6
    assert world.health(long, 0).requirement == storm
    assert depth == world.engine.severity_now(BTC)[3]
    world.trade(short, long, WAD)
