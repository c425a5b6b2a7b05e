"""LIQ-6, LIQ-7: a blacklisted owner or a paused token stops no liquidation: all is credited."""

from __future__ import annotations

from collections.abc import Iterator

import boa
import pytest

from tests.support.compiled import load
from tests.support.world import BTC, LIQUIDATABLE, TOKEN_ASSETS, UNIT, USD, WAD, World


@pytest.fixture
def marked() -> Iterator[tuple[World, int, int, int]]:
    """Settled in a token with a blacklist on which the loser, the winner and the taker are."""
    with boa.env.anchor():
        world = World(settlement="BlacklistTokenMock")
        people = [world.open(name, 50_000) for name in ("loser", "winner", "taker")]
        world.trade(people[0], people[1], 2 * WAD)
        world.set_cash(people[0], 800 * USD)
        for account in people:
            world.token.set_blacklisted(world.owner_of(account), True)
        yield world, *people


def test_partial__of_blacklisted_people__credits_everyone(
    marked: tuple[World, int, int, int],
) -> None:
    world, loser, _, taker = marked
    world.drive(BTC, 19_790 * WAD)
    assert world.liquidator.state(loser) == LIQUIDATABLE
    with world.as_owner_of(taker):
        world.liquidator.take(loser, BTC, 2 * WAD, taker, 2**200)
    assert world.size(taker) > 0


def test_resolve__of_blacklisted_people__credits_everyone(
    marked: tuple[World, int, int, int],
) -> None:
    world, loser, winner, _ = marked
    world.drive(BTC, 19_650 * WAD)
    left = world.health(loser).equity
    assert left > 0
    world.liquidator.resolve(loser)
    assert world.cash(loser) == left
    world.ledger.collect(winner, BTC)
    assert world.cash(winner) > 50_600 * USD
    assert world.token.balanceOf(world.owner_of(loser)) == 0


def test_resolve__while_the_settlement_token_is_paused__works(
    marked: tuple[World, int, int, int],
) -> None:
    world, loser, *_ = marked
    world.token.set_paused(True)
    world.drive(BTC, 19_500 * WAD)
    world.liquidator.resolve(loser)
    assert world.size(loser) == 0


def test_collateral__of_a_paused_token__is_sold_inside_and_cash_may_be_added(
    world: World,
) -> None:
    """LIQ-7: the sale moves nothing of the token; the owner can always bring cash."""
    debtor = world.make_debtor("debtor", 8_500 * USD, tokens=10)
    token = load("contracts/mocks/TokenMock.vy").at(world.custody.token_at(0))
    assert token.balanceOf(world.custody.address) == 10 * WAD
    taker = world.open("taker", 200_000)
    world.trade(debtor, taker, WAD)
    world.drive(TOKEN_ASSETS, 885 * WAD, step=14_000)
    assert world.liquidator.state(debtor) >= LIQUIDATABLE
    with boa.env.anchor():
        world.deposit(debtor, 1_000 * UNIT)
        assert world.liquidator.state(debtor) < LIQUIDATABLE
    equity = world.health(debtor).equity
    with world.as_owner_of(taker):
        amount, payment = world.liquidator.take_collateral(debtor, 0, 2**100, taker, 2**200)
    assert payment <= amount * 885 + 1
    assert world.custody.collateral_of(taker, 0) == amount
    assert world.health(debtor).equity >= equity
