"""GAS-3: a resolution at 1 and 16 markets, however many accounts are on the other side."""

from __future__ import annotations

import pytest

from tests.support.cash import move_cash
from tests.support.world import BACKSTOP, BANKRUPT, BTC, USD, WAD, World
from tests.unit.fund.till import Till

PRICE = 100 * WAD


# [gas] by number of markets: the aim for one, half a block for sixteen (the gas table has more).
TAKE_OVER = {1: 300_000, 16: 15_000_000}
BANKRUPTCY = {1: 220_000, 16: 15_000_000}


def gas(world: World) -> int:
    return int(world.liquidator._computation.get_gas_used())


def many(world: World, count: int, usd: int, *, ring: bool, others: int = 1) -> int:
    """An account long in so many markets against some others."""
    till = Till(world)
    for market in range(2, count):
        world.list_market(market, PRICE)
    debtor = world.open("debtor", usd)
    rivals = [world.open(f"rival {i}", 10**6) for i in range(others)]
    for market in range(count):
        if ring:
            till.ring(market, 10_000)
        size = 10_000 * WAD * WAD // world.prices[market]
        for rival in rivals:
            world.trade(debtor, rival, size // others, market)
    return debtor


def fall(world: World, account: int, count: int, state: int) -> None:
    while world.liquidator.state(account) < state:
        for market in range(count):
            world.prices[market] = world.prices[market] * 998 // 1_000
        world.report({m: world.prices[m] for m in world.prices})


@pytest.mark.parametrize("count", [1, 16])
def test_take_over__one_and_sixteen_positions(world: World, count: int) -> None:
    account = many(world, count, 10_000, ring=True)
    world.set_cash(account, world.health(account, 0).requirement)
    fall(world, account, count, BACKSTOP)
    world.liquidator.resolve(account)
    assert gas(world) < TAKE_OVER[count]
    assert all(world.size(int(world.vault.ring_of(m).account), m) > 0 for m in range(count))


@pytest.mark.parametrize("count", [1, 16])
def test_bankrupt__one_and_sixteen_markets(world: World, count: int) -> None:
    account = many(world, count, 10_000, ring=False)
    world.set_cash(account, world.health(account, 0).requirement)
    fall(world, account, count, BANKRUPT)
    world.liquidator.resolve(account)
    assert gas(world) < BANKRUPTCY[count]
    assert world.cash(account) == 0


def test_bankrupt__ten_accounts_on_the_other_side__cost_as_one(world: World) -> None:
    used = []
    for others in (1, 10):
        with world.fresh():
            account = many(world, 1, 10_000, ring=False, others=others)
            move_cash(world.ledger, account, world.bank(), world.health(account).equity + 10 * USD)
            world.tick(p0=world.mark(BTC) * 995 // 1_000)
            world.liquidator.resolve(account)
            used.append(gas(world))
    assert abs(used[0] - used[1]) <= 100
