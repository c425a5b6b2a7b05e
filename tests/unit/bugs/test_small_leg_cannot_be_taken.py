# BUG (came with 85daebe): take_over now asks the taker's position for the market's minimum, but
# step 1 offers as much as restores the account, q*, also where that is less than the minimum. A
# leg of two to five minimums then has an auction nobody without a position in the market can take
# part in: `terms` names a size that `take` refuses with "below minimum". Cure: offer at least the
# minimum (then least = most = the minimum), or let a taker's first piece be smaller.
from __future__ import annotations

import pytest

from tests.support.world import BTC, LIQUIDATABLE, WAD, World

MINIMUM = 10**15


@pytest.mark.parametrize("minimums", [2, 3])
def test_take__small_leg__what_terms_offer_can_be_taken(world: World, minimums: int) -> None:
    trader, other = world.open("trader", 10), world.open("other", 1_000)
    world.trade(trader, other, minimums * MINIMUM)
    world.set_cash(trader, 2 * world.health(trader).requirement)
    world.drive(BTC, 19_790 * WAD)
    assert world.liquidator.state(trader) == LIQUIDATABLE
    liquidator = world.open("liquidator", 1_000)
    most = world.liquidator.terms(trader, BTC).most
    assert 0 < most < MINIMUM
    with world.as_owner_of(liquidator):
        world.liquidator.take(trader, BTC, most, liquidator, 2**200)
    assert world.surplus(trader) >= 0
