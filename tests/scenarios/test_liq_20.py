"""LIQ-20, LIQ-22: wash trades off the mark make no bad debt; no close is filled far off."""

from __future__ import annotations

import boa
import pytest

from tests.support.world import BTC, PPM, USD, WAD, World


@pytest.mark.parametrize("cash", [500, 1_500, 5_000])
def test_wash_trade_at_the_edge_of_the_band__leaves_the_loser_with_its_margin(
    world: World, cash: int
) -> None:
    gainer, loser = world.open("gainer", 50_000), world.open("loser", cash)
    start = world.cash(gainer) + world.cash(loser)
    mark = world.mark(BTC)
    top = mark * 1_050_000 // PPM
    size = WAD
    try:
        world.trade(loser, gainer, size, price=top)
    except boa.BoaError:
        assert cash < 1_420
        return
    for _ in range(5):
        try:
            world.trade(loser, gainer, size, price=top)
        except boa.BoaError:
            break
    assert world.surplus(loser, 0) >= 0
    world.drive(BTC, mark * 990_500 // PPM)
    if world.liquidator.state(loser) >= 3:
        world.liquidator.resolve(loser)
    total = world.health(gainer).equity + world.health(loser).equity
    assert total <= start
    assert world.custody.totals().deficit == 0


def test_draining_an_account_by_closing_off_the_mark__gives_its_own_money_only(
    world: World,
) -> None:
    """Down to E' = 0, not below: the friend gets what the account owned, nobody pays."""
    friend, account = world.open("friend", 50_000), world.open("account", 1_000)
    world.trade(account, friend, WAD)
    start = world.health(account).equity + world.health(friend).equity
    with boa.reverts("margin"):
        world.trade(friend, account, WAD, price=19_000 * WAD)
    world.trade(friend, account, WAD, price=19_015 * WAD)
    assert 0 <= world.cash(account) < 2 * USD
    assert world.cash(account) + world.cash(friend) <= start


def test_liquidator__pays_the_price_of_the_terms_or_does_not_take(world: World) -> None:
    """LIQ-22: his limit binds the protocol's price."""
    trader, other = world.open("trader", 420), world.open("other", 50_000)
    taker = world.open("taker", 50_000)
    world.trade(trader, other, WAD)
    world.drive(BTC, 19_780 * WAD)
    terms = world.liquidator.terms(trader, BTC)
    with world.as_owner_of(taker):
        with boa.reverts("price limit"):
            world.liquidator.take(trader, BTC, WAD, taker, terms.price - 1)
        world.liquidator.take(trader, BTC, WAD, taker, terms.price)
    assert world.position(taker).z == -(-world.size(taker) * terms.price // WAD)
