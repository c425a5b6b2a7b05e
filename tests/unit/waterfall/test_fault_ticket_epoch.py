"""A fault: when the tickets' index becomes too small to count with, an epoch ends and every ticket
of it shows as restored in full, though what was left of R (`_after`) was never set aside.

`apart` packs the insurance fund's assets above what was restored: the last to collect borrow from
the upper half, and `_apart()` becomes a number of 2^128: totals, withdrawals and collateral
deposits revert. The index need not fall by many restorations: two restorations whose sizes an
attacker chooses with his own fees suffice, the first to within 200 wei of all that is owed.
"""

from __future__ import annotations

import pytest

from tests.support.world import BTC, UNIT, USD, World
from tests.unit.fund.till import Till

REASON = "an epoch that ends by its index owes R that nobody restored"


def almost_restored(world: World) -> tuple[Till, int, int]:
    """A ticket of 100 USD restored but for some 200 wei, then a leaver of 1,000 joins.

    Index 2e9: the next restoration of 60 % ends the epoch.
    """
    till = Till(world)
    first, second = till.account("first", 200), till.account("second", 2_000)
    till.give(BTC, 5_000)
    till.fees(1)
    world.ledger.sweep(BTC)
    till.hole(2 * 10**6 * USD, till.account("nobody"))
    world.withdraw(first, 200 * UNIT)  # h is close to nothing
    # all that is still socialised is restored to the wei but for the ticket's last part
    owed = till.totals().deficit + till.totals().tickets
    ticket = till.totals().tickets
    short = owed * 2 * 10**9 // 10**27 or 1
    till.fees(owed - short)
    world.ledger.sweep(BTC)
    assert 0 < till.totals().tickets < ticket // 10**15
    return till, first, second


def test_tickets__of_an_epoch_ended_by_its_index__owe_no_more_than_is_restored(
    world: World,
) -> None:
    till, first, second = almost_restored(world)
    till.hole(2_000 * USD, till.account("nobody"))
    world.withdraw(second, 2_000 * UNIT)
    totals = till.totals()
    till.fees((totals.deficit + totals.tickets) * 6 // 10)
    world.ledger.sweep(BTC)
    owed = sum(world.custody.ticket_of(account)[1] for account in (first, second))
    assert owed <= till.totals().restored


def test_collect__of_an_epoch_ended_by_its_index__leaves_custody_readable(world: World) -> None:
    till, first, second = almost_restored(world)
    till.hole(2_000 * USD, till.account("nobody"))
    world.withdraw(second, 2_000 * UNIT)
    totals = till.totals()
    till.fees((totals.deficit + totals.tickets) * 6 // 10)
    world.ledger.sweep(BTC)
    insurance = till.totals().insurance
    for account in (first, second):
        till.collect(account)
    assert till.totals().insurance == insurance
