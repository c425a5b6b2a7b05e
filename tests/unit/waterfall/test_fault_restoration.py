"""Once a fault: fees are restored at face although accounts are owed only h of theirs.

The fees of a market are a claim on T like cash. At h < 1 a unit of fees is backed by h tokens, but
`_restore` sets F·R/(D_h + R) whole tokens apart for the tickets. So h falls by a sweep, and where
leavers hold most of what is owed, T falls below zero: then `totals` and every withdrawal revert.
"""

from __future__ import annotations

from tests.support.world import BTC, UNIT, USD, ZERO, World
from tests.unit.fund.till import Till


def left_by_most(world: World, stayer_usd: int) -> Till:
    """Fees of 100, a hole of 1,000; a leaver and a winner withdraw all they have at h near 1/2."""
    till = Till(world)
    leaver, winner = till.account("leaver", 1_000), till.account("winner")
    till.account("stayer", stayer_usd)
    world.deposit(till.account("filler"), 1)
    till.fees(100 * USD)
    for name in ("a 0", "b 0", "c 0"):  # the traders leave before: only their fees stay
        account = till.account(name)
        if world.ledger.book(account).legs:
            with world.as_liquidator():
                world.ledger.close_at_mark(account, 0, ZERO, [])
        world.withdraw(account, world.cash(account) // 10**12)
    till.hole(1_000 * USD, winner)
    for account in (leaver, winner):
        world.withdraw(account, 1_000 * UNIT)
    return till


def test_sweep__most_left__t_stays_positive_and_withdrawals_work(world: World) -> None:
    till = left_by_most(world, 0)
    world.ledger.sweep(BTC)
    totals = till.totals()  # reverts: T is negative
    assert totals.tokens >= 0


def test_sweep__a_stayer_is_left__h_does_not_fall(world: World) -> None:
    till = left_by_most(world, 200)
    tokens, claims = till.ratio()
    world.ledger.sweep(BTC)
    after, after_claims = till.ratio()
    assert after * claims >= tokens * after_claims
