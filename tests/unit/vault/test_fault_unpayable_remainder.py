"""A fault: anybody with a ticket blocks the vault for good with less than one token unit.

`collect_ticket(account, receiver)` lets wei wait for any receiver. A remainder below one unit can
never be paid, and the vault insists that nothing waits for it: every drain, every redemption that
needs a ring's cash and its own `collect` revert from then on.
"""

from __future__ import annotations

import pytest

from tests.support.world import BTC, SETTLEMENT, UNIT, USD, World, address_of
from tests.unit.fund.till import DELAYS, Till

REASON = "a remainder of less than a unit waits for the vault for ever: 'outflow'"


def attacked(world: World) -> tuple[Till, int]:
    """A staker's 10,000 are in a ring; the attacker's ticket is collected for the vault."""
    till = Till(world)
    shares = till.stake(world.vault, "staker", 10_000 * UNIT)
    with world.as_owner():
        world.vault.open_ring(BTC, 10_000 * USD)
    world.vault.fill_ring(BTC)
    till.request_exit(world.vault, "staker", shares)
    till.wait(DELAYS[1])
    world.calm()
    attacker = till.account("attacker", 1)
    till.account("saver", 100_000)
    till.hole(3 * USD, till.account("winner"))
    world.withdraw(attacker, UNIT)
    till.fees(USD)
    world.ledger.sweep(BTC)
    till.collect(attacker, world.vault.address)
    waits = world.custody.waiting(SETTLEMENT, world.vault.address)
    assert waits % 10**12 > 0
    till.fees(100 * USD)
    world.ledger.sweep(BTC)  # all is restored: h is 1 again
    assert till.totals().deficit == 0
    return till, shares


def test_redeem__after_a_remainder_was_sent__still_pays(world: World) -> None:
    till, shares = attacked(world)
    paid = till.redeem(world.vault, "staker", shares)
    assert paid >= 10_000 * UNIT - 1
    assert world.token.balanceOf(address_of("staker")) == paid


def test_collect__of_the_vaults_own_ticket__pays_though_it_is_no_whole_unit(world: World) -> None:
    """Without any attacker: what is restored of a ring's ticket is hardly ever a whole unit."""
    till = Till(world)
    ring = till.ring(BTC, 10_000)
    till.account("saver", 100_000)
    till.hole(3_333 * USD, till.account("winner"))
    with world.as_owner():
        world.vault.set_target(BTC, 0)
    world.vault.drain_ring(BTC)
    till.fees(1_234 * USD + 567)
    world.ledger.sweep(BTC)
    assert world.custody.ticket_of(ring)[1] > 10 * USD
    before = world.vault.totalAssets()
    world.vault.collect(BTC)
    assert world.vault.totalAssets() > before
