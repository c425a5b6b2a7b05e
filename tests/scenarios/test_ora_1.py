"""ORA-1 (Mango): two accounts of one attacker push a thin market and take the profit out."""

from __future__ import annotations

import boa

from tests.support.world import PPM, UNIT, USD, WAD, World
from tests.unit.engine.harness import Config

THIN = 4
TABLE = [(1_000_000, 500_000, 1_000_000, 300_000, 700_000)]
CONFIG = Config(max_move=290_000, soft_cap=100_000, hard_cap=200_000, maker_fee=0, taker_fee=0)


def push(world: World, bots: bool, *accounts: int) -> None:
    """Twelve reports of 29 % up, twenty times the price; bots resolve whoever may be resolved."""
    for _ in range(12):
        world.tick(p4=world.prices[THIN] * 1_289_000 // PPM)
        for account in accounts if bots else ():
            if world.liquidator.state(account) >= 3:
                world.liquidator.resolve(account)


def stage(world: World) -> tuple[int, int]:
    """Longs and shorts 100,000 USD of the thin market with themselves."""
    world.list_market(THIN, WAD // 25, CONFIG, TABLE)
    world.bank()
    short, long = world.open("short", 60_000), world.open("long", 60_000)
    world.trade(long, short, 2_500_000 * WAD, market=THIN)
    return short, long


def test_open_interest__beyond_the_cap__is_refused(world: World) -> None:
    short, long = stage(world)
    with boa.reverts("initial margin"):
        world.trade(long, short, 2_000_000 * WAD, market=THIN)
    whale, friend = world.open("whale", 500_000), world.open("friend", 500_000)
    with boa.reverts("open interest"):
        world.trade(whale, friend, 2_500_000 * WAD + 25, market=THIN)
    world.trade(whale, friend, 2_500_000 * WAD, market=THIN)


def test_unrealised_profit__however_large__does_not_leave(world: World) -> None:
    short, long = stage(world)
    push(world, False, short)
    assert world.health(long).equity > 1_500_000 * USD
    with boa.reverts("cash"):
        world.withdraw(long, 60_000 * UNIT + 1)
    with boa.reverts("cash"):
        world.transfer(long, world.bank(), 60_000 * USD + 1)


def test_with_bots_resolving__the_pair_takes_out_no_more_than_it_put_in(world: World) -> None:
    """The short is resolved at the first step it is in the backstop; the long is cut with it."""
    short, long = stage(world)
    start = 120_000 * USD
    push(world, True, short, long)
    assert world.size(short, THIN) == world.size(long, THIN) == 0
    world.ledger.collect(long, THIN)
    world.calm(THIN)
    owned = world.cash(short) + world.cash(long)
    assert owned <= start
    assert world.custody.totals().deficit == 0
    world.withdraw(long, world.cash(long) // 10**12)
    assert world.token.balanceOf(world.owner_of(long)) <= 120_000 * UNIT


def test_without_bots__the_hole_is_recorded_and_h_shares_it(world: World) -> None:
    """Nobody resolved for twelve reports: what is lost is D_h, no claim is without a token."""
    short, long = stage(world)
    push(world, False, short)
    world.liquidator.resolve(short)
    world.ledger.collect(long, THIN)
    totals = world.custody.totals()
    people = [short, long, world.bank()]
    assert world.dust(people, markets=(0, 1, THIN)) >= 0
    assert sum(world.cash(a) for a in people) <= totals.tokens + totals.deficit
    world.calm(THIN)
    claim = 1_000 * UNIT
    world.withdraw(world.bank(), claim)
    paid = world.token.balanceOf(world.owner_of(world.bank()))
    assert paid == claim * totals.tokens // (totals.tokens + totals.deficit)
