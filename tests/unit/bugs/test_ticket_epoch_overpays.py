# BUG: when the index of tickets falls below LEAST_INDEX an epoch ends and R forgets `_after`, but
# nothing is held apart for it, while `_ticket_of` shows all that was left as restored. The last to
# collect takes more than was set apart: `apart -= owed` borrows from the insurance fund's half of
# the word, `_apart()` is then near 2**128, and T underflows for good: `totals` and, with a deficit,
# all withdrawals revert. Without insurance the last ticket cannot be collected. A of 1e-18 takes
# one restoration of all but a wei of 10 USD, or many smaller ones with new tickets in between, and
# then it is a great part of R that nobody restored. Cure: carry what is left into the next epoch
# (keep A at the end of an epoch that ended so, and let its tickets go on from there).
from __future__ import annotations

import boa
import pytest

from tests.support.world import BTC, UNIT, USD, World


@pytest.mark.xfail(strict=True, reason="an epoch that ends by its index owes more than is there")
def test_collect_ticket__after_an_epoch_ended_by_its_index__takes_what_was_restored(
    world: World,
) -> None:
    saver = world.open("saver", 1_000)
    world.open("other", 1_000)
    world.token.mint(world.owner, 100 * UNIT)
    with boa.env.prank(world.owner):
        world.token.approve(world.fund.address, 2**256 - 1)
        world.fund.give(BTC, 100 * UNIT)
    with world.as_liquidator():
        world.ledger.write_off(world.open("lost"), 0, 200 * USD)
    world.withdraw(saver, 1_000 * UNIT)
    totals = world.custody.totals()
    owed = totals.deficit + totals.tickets
    # as if fees of all but a wei of it had been swept
    with boa.env.prank(world.ledger.address):
        world.custody.distribute(BTC, owed - 1)
    assert world.custody.totals().restored == totals.tickets - 1
    with world.as_owner_of(saver):
        world.custody.collect_ticket(saver, world.owner_of(saver))
    after = world.custody.totals()
    assert (after.insurance, after.restored) == (100 * USD, 0)
