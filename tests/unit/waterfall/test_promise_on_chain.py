"""The main promise of DESIGN 6 on the contracts: a few random markets, every account resolved."""

from __future__ import annotations

import random

import boa
import pytest

from tests.support.cash import move_cash
from tests.support.world import BACKSTOP, BTC, CROSS, ISOLATED, USD, WAD, World, events_of

DUST = 10**12
START = 20_000 * WAD


def at_maintenance(world: World, rng: random.Random) -> list[int]:
    """Pairs of one market, each stripped to MM or somewhat above."""
    people: list[int] = []
    for i in range(rng.randint(1, 3)):
        mode = rng.choice([CROSS, ISOLATED])
        pair = [world.open(f"{side} {i}", 60_000, mode=mode) for side in ("long", "short")]
        world.trade(pair[0], pair[1], rng.randint(10**15, 4 * WAD))
        people += pair
    for account in people:
        margin = world.health(account)
        keep = margin.requirement * rng.choice([100, 100, 110, 200, 500]) // 100
        move_cash(world.ledger, account, world.bank(), margin.equity - keep - rng.randint(0, 2))
    return people


@pytest.mark.parametrize("seed", range(20))
def test_promise__random_market__holds(world: World, seed: int) -> None:
    rng = random.Random(seed)
    people = at_maintenance(world, rng)
    price = START * rng.choice([rng.randint(70, 99), rng.randint(101, 130)]) // 100
    world.bank()
    dust = world.dust([*people, world.bank()])
    world.tick(p0=price)
    for _ in range(20):
        if world.mark(BTC) == price:
            break
        world.tick()
    assert world.mark(BTC) == price
    moved = abs(price - START)
    bankrupt = {a for a in people if world.health(a).equity < 0}
    for account in rng.sample(people, len(people)):
        if world.liquidator.state(account) < BACKSTOP:
            continue
        size = abs(world.size(account))
        world.liquidator.resolve(account)
        (event,) = events_of(world.liquidator, "AccountResolved")
        deficit, insured, charged, socialised = event[-4:]
        assert deficit == insured + charged + socialised
        assert deficit == 0 or account in bankrupt
        assert charged == deficit, "the charges equal the deficits"
        assert charged * WAD <= size * moved, "better than the price before the move"
        assert world.dust([*people, world.bank()]) >= dust
    for account in people:
        assert world.health(account).equity >= -DUST
    assert world.custody.totals().deficit == 0
    with boa.reverts():
        world.liquidator.resolve(people[0])
    assert sum(world.health(a).equity for a in people) > -USD
