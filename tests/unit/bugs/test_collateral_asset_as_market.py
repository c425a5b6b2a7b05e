# BUG: the ledger takes any asset id of the engine for a market, also 32..39, the prices of
# collateral tokens. Their table is a table of haircuts (MM 0 is allowed, no minimum size, no
# caps, no aftermath): with a haircut of zero, positions of any size need no margin at all, and
# what their losers lack is socialised.
from __future__ import annotations

import boa
import pytest

from tests.support.world import PPM, TOKEN_ASSETS, UNIT, WAD, World, deploy_token

# A stable token: no haircut for MM in calm times; max_move and fee fit below the calm IM rate.
TABLE = [(1_000_000, 15_500, 100_000, 0, 100_000)]


@pytest.fixture
def token_asset(world: World) -> int:
    """A stable token at 1 USD, listed as collateral."""
    with world.as_owner():
        token = deploy_token("TokenMock", 18)
        world.custody.list_token(token.address, 10**30, 2**96 - 1, 86_400)
    world.system.list(TOKEN_ASSETS, table=TABLE, price=WAD)
    world.prices[TOKEN_ASSETS] = WAD
    return TOKEN_ASSETS


def test_trade__asset_of_a_collateral_token__is_no_market(world: World, token_asset: int) -> None:
    long, short = world.open("long", 1_000), world.open("short", 1_000)
    with boa.reverts():
        world.trade(long, short, WAD, market=token_asset)


def test_trade__asset_of_a_collateral_token__never_carries_a_leg_without_mm(
    world: World, token_asset: int
) -> None:
    long, short = world.open("long", 1_000), world.open("short", 1_000)
    try:
        world.trade(long, short, 60_000 * WAD, market=token_asset)
    except boa.BoaError:
        return
    world.tick(p32=WAD * 985_000 // PPM)
    margin = world.health(long)
    assert margin.requirement > 0, "60,000 USD of a position and not one wei of maintenance margin"


def test_world__stays_usable(world: World) -> None:
    """Guards the fixture, not the contract: an ordinary market trades."""
    long, short = world.open("long", 1_000), world.open("short", 1_000)
    world.trade(long, short, WAD // 100)
    world.withdraw(long, UNIT)
