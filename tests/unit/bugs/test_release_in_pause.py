# BUG: a pause does not stop `release` (of the ledger and of custody): what waits in the outflow
# queue leaves, and the bucket refills, while the guardian thinks nothing can. DESIGN 7 "a pause
# stops everything but collateral in", 13.11.
from __future__ import annotations

import boa

from tests.support.world import SETTLEMENT, UNIT, USD, WAD, World


def test_release__of_cash_while_paused__pays_nothing(world: World) -> None:
    saver = world.open("saver", 1_000)
    owner = world.owner_of(saver)
    with world.as_owner():
        world.custody.set_outflow(SETTLEMENT, 10 * USD, 3_600)
    world.withdraw(saver, UNIT)
    world.system.wait(3_600)
    world.withdraw(saver, 100 * UNIT)
    assert world.token.balanceOf(owner) == 11 * UNIT
    world.system.wait(3_600)
    with world.as_guardian():
        world.engine.pause()
    with boa.reverts("paused"):
        world.custody.release(SETTLEMENT, owner)
    assert world.token.balanceOf(owner) == 11 * UNIT


def test_release__of_collateral_while_paused__pays_nothing(world: World) -> None:
    saver = world.open("saver", 100_000)
    owner = world.owner_of(saver)
    index, token = world.list_token(outflow=WAD, window=3_600)
    world.deposit_collateral(saver, index, token, 5 * WAD)
    world.withdraw_collateral(saver, index, WAD // 10)
    world.system.wait(3_600)
    world.withdraw_collateral(saver, index, 4 * WAD)
    assert token.balanceOf(owner) == WAD // 10 + WAD
    world.system.wait(3_600)
    with world.as_guardian():
        world.engine.pause()
    with boa.reverts("paused"):
        world.custody.release(index, owner)
    assert token.balanceOf(owner) == WAD // 10 + WAD
