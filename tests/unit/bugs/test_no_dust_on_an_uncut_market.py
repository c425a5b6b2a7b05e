# BUG (found in review of `trade`): a reduction could leave up to 999 wei of a position in any
# market, although rounding leaves dust on cut markets only: nothing, and a slot of the account.
"""What a reduction may leave: nothing, or the market's minimum."""

from __future__ import annotations

import boa
import pytest

from tests.support.world import BTC, WAD, World


@pytest.mark.parametrize("left", [1, 999, 1_000])
def test_reduction__to_dust__on_an_uncut_market_reverts(world: World, left: int) -> None:
    long, short = world.open("long", 100_000), world.open("short", 100_000)
    world.trade(long, short, WAD, BTC)
    with boa.reverts("below minimum"):
        world.trade(short, long, WAD - left, BTC)
    world.trade(short, long, WAD, BTC)
    assert world.ledger.position_word(long, BTC) == 0
