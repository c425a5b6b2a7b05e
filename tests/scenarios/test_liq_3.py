"""LIQ-3: a loop of partial liquidations improves the account at every step, or is refused."""

from __future__ import annotations

import boa
import pytest

from tests.support.world import BTC, ETH, LIQUIDATABLE, WAD, World


@pytest.mark.parametrize("share", [681_000, 800_000, 999_000])
def test_takes_in_a_loop__raise_equity_over_margin_until_restored(world: World, share: int) -> None:
    """From just above the frontier of 2/3 to just below MM, at the steepest discount."""
    trader, other = world.open("trader", 50_000), world.open("other", 900_000)
    taker = world.open("taker", 900_000)
    world.trade(trader, other, 20 * WAD)
    world.trade(other, trader, 50 * WAD, market=ETH)
    world.set_cash(trader, world.health(trader, 0).requirement)
    while world.health(trader).equity * 10**6 >= world.health(trader).requirement * 10**6:
        world.tick(p0=world.mark(BTC) * 9_995 // 10_000)
    world.liquidator.poke(trader)
    world.pass_time(590, every=59)
    margin = world.health(trader)
    gap = margin.requirement * share // 10**6 - margin.equity
    if gap > 0:
        world.transfer(world.bank(), trader, gap)
    last = world.health(trader)
    takes = 0
    while world.liquidator.state(trader) == LIQUIDATABLE and takes < 12:
        market = BTC if takes % 2 == 0 else ETH
        size = world.liquidator.terms(trader, market).least
        with world.as_owner_of(taker):
            world.liquidator.take(trader, market, size, taker, 2**200 if market == BTC else 0)
        takes += 1
        now = world.health(trader)
        assert now.equity * last.requirement >= last.equity * now.requirement
        assert now.equity >= 0
        last = now
    assert takes
    if takes < 12:
        assert last.equity >= last.requirement


def test_below_the_frontier__partial_is_refused_and_resolve_acts(world: World) -> None:
    trader, other = world.open("trader", 500), world.open("other", 50_000)
    taker = world.open("taker", 50_000)
    world.trade(trader, other, WAD)
    world.drive(BTC, 19_600 * WAD)
    margin = world.health(trader)
    assert 3 * margin.equity < 2 * margin.requirement
    with world.as_owner_of(taker), boa.reverts("backstop"):
        world.liquidator.take(trader, BTC, WAD, taker, 2**200)
    world.liquidator.resolve(trader)
    assert world.cash(trader) == margin.equity, "what is left stays with the trader, no fee"
