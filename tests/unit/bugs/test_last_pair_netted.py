# BUG: a trade that leaves less than SIDE_MIN of a side of a cut market settles it, because shorts
# hold a few wei more and its last pair could not close. A book netted in a ring (or taken by the
# opposite side in step 1) left the same and did not settle it: the ring kept a short of a wei with
# nobody on the other side, and its capital could not leave. Cure: netting settles too. By attack.
from __future__ import annotations

import boa
import pytest

from tests.unit.liquidator.stage import MARK, USD, WAD
from tests.unit.vault.rooms import Rooms


@pytest.mark.parametrize("how", ["trade", "resolve"])
def test_last_pair_of_a_cut_market(rooms: Rooms, how: str) -> None:
    stage = rooms.stage
    ring = rooms.ring(0, 50_000 * USD)
    account, other = rooms.book({}, 1_000), rooms.book({}, 9_000)
    stage.trade(account, stage.taker, 10 * WAD)
    stage.trade(other, stage.taker, 5 * WAD + 3)
    with boa.env.prank(stage.liquidator.address):
        stage.ledger.take_over(stage.taker, ring, 0, -15 * WAD - 3, MARK, 0)
        _, closed = stage.ledger.close_at_mark(other, 0, "0x" + 40 * "0", [])
        stage.ledger.deleverage(0, False, closed[0].size, 0, closed[0].g)
    assert stage.size(ring) == -10 * WAD - 1
    stage.engine.set_mark(0, 925 * USD)
    if how == "trade":
        stage.trade(ring, account, 10 * WAD, 0, 925 * USD)
    else:
        legs, _ = rooms.resolve(account)
        assert legs[0].taken
    assert stage.size(ring) == 0
