"""A fault: a pause does not stop exits of the vault, as it does those of the insurance fund.

DESIGN 13, 11: paused, only collateral in.
"""

from __future__ import annotations

import boa
import pytest

from tests.support.world import DELAYS, UNIT, World
from tests.unit.fund.till import Till

REASON = "BackstopVault.redeem does not ask whether the protocol is paused"


@pytest.mark.parametrize(
    "name",
    ["fund", "vault"],
)
def test_redeem__paused__refused(world: World, name: str) -> None:
    till, target = Till(world), getattr(world, name)
    shares = till.stake(target, "staker", 1_000 * UNIT)
    till.request_exit(target, "staker", shares)
    till.wait(DELAYS[1])
    with world.as_guardian():
        world.engine.pause()
    with boa.reverts("paused"):
        till.redeem(target, "staker", shares)
