"""A fault: without D_h a withdrawal pays face, also where T is smaller than the claim.

Cash may be negative against collateral, so claims of others exceed T in ordinary times. The twin
refuses ("vault"); custody pays with tokens it holds apart for the insurance fund (or for payments
that wait), T is negative, and `totals`, deposits of collateral and withdrawals at h < 1 revert.
"""

from __future__ import annotations

from contextlib import suppress

import boa
import pytest

from tests.support.compiled import load
from tests.support.world import BTC, UNIT, USD, WAD_PER_UNIT, World, address_of
from tests.unit.fund.till import Till

REASON = "pay_claim does not look at T while D_h is 0: it pays with the insurance fund's tokens"


def debtor_and_winner(world: World) -> tuple[Till, int, int]:
    """A debtor owes 9,000 against 100,000 of collateral; the winner has 109,000 of T = 100,000."""
    till = Till(world)
    debtor = world.make_debtor("debtor", 9_000 * USD)
    bank = world.bank()
    winner = till.account("winner")
    world.withdraw(bank, world.cash(bank) // WAD_PER_UNIT - 100_000 * UNIT - 9_000 * UNIT)
    world.transfer(bank, winner, world.cash(bank) // WAD_PER_UNIT * WAD_PER_UNIT)
    till.give(BTC, 50_000)
    return till, debtor, winner


def test_withdraw__more_than_t__never_pays_with_the_insurance_funds_tokens(world: World) -> None:
    till, _, winner = debtor_and_winner(world)
    claim = world.cash(winner) // WAD_PER_UNIT
    insurance = world.custody.insurance()
    with suppress(boa.BoaError):
        world.withdraw(winner, claim)
    assert till.held() >= insurance


def test_withdraw__more_than_t__leaves_the_debtor_able_to_add_collateral(world: World) -> None:
    _, debtor, winner = debtor_and_winner(world)
    with suppress(boa.BoaError):
        world.withdraw(winner, world.cash(winner) // WAD_PER_UNIT)
    token = load("contracts/mocks/TokenMock.vy").at(world.custody.token_at(0))
    world.deposit_collateral(debtor, 0, token, 1)


def test_withdraw__more_than_t__payments_that_wait_stay_payable(world: World) -> None:
    """What is set apart for a caller of `resolve` cannot be released any more."""
    till, _, winner = debtor_and_winner(world)
    other = till.account("other", 5_000)
    with world.as_liquidator():
        world.ledger.reward(other, address_of("other"), 5_000 * USD)
    with suppress(boa.BoaError):
        world.withdraw(winner, world.cash(winner) // WAD_PER_UNIT)
    till.release(address_of("other"))
    assert world.token.balanceOf(address_of("other")) == 5_000 * UNIT
    assert till.held() >= world.custody.insurance()
