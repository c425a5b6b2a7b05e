"""LIQ-9, GAS-3: every step of a liquidation at the configured maximum, in half a block at most."""

from __future__ import annotations

import pytest

from tests.support.world import TOKEN_ASSETS, USD, WAD, World

LIMIT = 15_000_000


@pytest.fixture
def full(world: World) -> tuple[int, int]:
    """Sixteen markets and, for one of the two, eight collateral tokens; all marks known."""
    debtor, winner = world.open("debtor", 60_000), world.open("winner", 900_000)
    taker = world.open("taker", 900_000)
    for market in range(2, 16):
        world.list_market(market, 100 * WAD)
    for market in range(16):
        size = 40_000 * WAD * WAD // world.prices[market]
        world.trade(debtor, winner, size, market=market)
    assert len(world.account(debtor).markets) == 16
    return debtor, taker


def crash(world: World, debtor: int, state: int) -> None:
    """All markets fall together until the account is there; batches, every minute one."""
    while world.liquidator.state(debtor) < state:
        for market in range(16):
            world.prices[market] = world.prices[market] * 998 // 1_000
        world.report({m: world.prices[m] for m in range(16)})


def gas(contract: object) -> int:
    return contract._computation.get_gas_used()  # type: ignore[attr-defined]


def test_take__from_sixteen_markets(world: World, full: tuple[int, int]) -> None:
    debtor, taker = full
    world.set_cash(debtor, world.health(debtor, 0).requirement)
    crash(world, debtor, 2)
    with world.as_owner_of(taker):
        world.liquidator.take(debtor, 3, 2**100, taker, 2**200)
    assert gas(world.liquidator) < LIMIT
    assert world.size(taker, 3) > 0


def test_resolve__sixteen_markets_in_deficit(world: World, full: tuple[int, int]) -> None:
    debtor, _ = full
    world.set_cash(debtor, world.health(debtor, 0).requirement)
    crash(world, debtor, 4)
    world.liquidator.resolve(debtor)
    assert gas(world.liquidator) < LIMIT // 2
    assert world.account(debtor).markets == ()
    assert world.cash(debtor) == 0


def test_collateral_sale__sixteen_markets_and_eight_tokens(
    world: World, full: tuple[int, int]
) -> None:
    debtor, taker = full
    for index in range(8):
        _, token = world.list_token(price=1_000 * WAD)
        world.deposit_collateral(debtor, index, token, 2 * WAD)
    taken = world.cash(debtor)
    world.transfer(debtor, world.bank(), taken - 1_000 * USD)
    for index in range(8):
        del world.prices[TOKEN_ASSETS + index]
    while world.liquidator.state(debtor) < 2:
        for market in range(16):
            world.prices[market] = world.prices[market] * 998 // 1_000
        tokens = {TOKEN_ASSETS + i: 1_000 * WAD for i in range(8)}
        world.report({m: world.prices[m] for m in range(16)} | tokens)
    with world.as_owner_of(taker):
        world.liquidator.take_collateral(debtor, 5, 2**100, taker, 2**200)
    assert gas(world.liquidator) < LIMIT
    assert world.account(debtor).tokens in (0b11011111, 0b11111111)
