"""ORA-20: no token is a dollar by decree: collateral follows its price, cash its doubt."""

from __future__ import annotations

import boa
import pytest

from tests.support.world import INITIAL, TOKEN_ASSETS, UNIT, USD, WAD, World


@pytest.fixture
def stable(world: World) -> int:
    """An account with 10,000 of a token that was a dollar and is 60 cents."""
    world.bank()
    index, token = world.list_token(price=WAD)
    trader = world.open("trader")
    world.deposit_collateral(trader, index, token, 10_000 * WAD)
    world.drive(TOKEN_ASSETS, 6 * 10**17, step=14_000)
    return trader


def test_depegged_collateral__counts_at_its_price_less_the_haircut(
    world: World, stable: int
) -> None:
    assert world.health(stable, INITIAL).equity == 6_000 * USD - 300 * USD
    other = world.open("other", 100_000)
    with boa.reverts("initial margin"):
        world.trade(stable, other, 15 * WAD)
    world.trade(stable, other, 5 * WAD)


def test_depegged_collateral__buys_no_sound_token_at_its_old_price(
    world: World, stable: int
) -> None:
    """There is no exchange of one for the other; cash is only what was paid in or won."""
    with boa.reverts("cash"):
        world.withdraw(stable, 1)


def test_settlement_token_in_doubt__opens_nothing_and_liquidates_nobody(world: World) -> None:
    long, short = world.open("long", 450), world.open("short", 10_000)
    world.trade(long, short, WAD)
    before = world.health(long)
    with world.as_guardian():
        world.engine.set_settlement_doubt(True)
    assert tuple(world.health(long))[:2] == tuple(before)[:2]
    assert world.health(long, INITIAL).equity == 0
    with boa.reverts("reduce only"):
        world.trade(long, short, WAD)
    with boa.reverts("initial margin"):
        world.withdraw(long, UNIT)
    world.trade(short, long, WAD)
    with world.as_guardian(), boa.reverts("not owner"):
        world.engine.set_settlement_doubt(False)
