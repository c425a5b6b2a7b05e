# BUG: a pause does not stop `Custody.release`: what waits in the outflow queue leaves, and the
# bucket refills, while the guardian thinks nothing can. DESIGN 7 "a pause stops everything but
# collateral in", 13.11.
from __future__ import annotations

import boa

from tests.support.world import SETTLEMENT, UNIT, USD, World


def test_release__while_paused__pays_nothing(world: World) -> None:
    saver = world.open("saver", 1_000)
    owner = world.owner_of(saver)
    with world.as_owner():
        world.custody.set_outflow(SETTLEMENT, 10 * USD, 3_600)
    world.withdraw(saver, 100 * UNIT)
    assert world.token.balanceOf(owner) == 10 * UNIT
    world.system.wait(3_600)
    with world.as_guardian():
        world.engine.pause()
    with boa.reverts("paused"):
        world.custody.release(SETTLEMENT, owner)
    assert world.token.balanceOf(owner) == 10 * UNIT
