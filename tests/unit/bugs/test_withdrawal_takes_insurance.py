# BUG: without a deficit `reserve._settle_claim` pays a claim whole, also where T is less than it:
# cash that a debtor's collateral stands for is paid out of what custody holds apart (insurance,
# restored tickets, payments that wait). T is negative then, `_held_for_accounts` underflows, and
# with it `totals`, deposits of collateral and, once there is a deficit, every withdrawal revert.
# The twin refuses such a claim ("vault"). Cure: no claim pays more than T.
from __future__ import annotations

import boa
import pytest

from tests.support.world import BTC, USD, WAD_PER_UNIT, World


@pytest.mark.xfail(strict=True, reason="a claim is paid whole although T is less")
def test_withdraw__of_more_than_t_while_there_is_insurance__reverts(world: World) -> None:
    debtor = world.make_debtor("debtor", 500 * USD)
    bank, giver = world.bank(), world.owner
    world.token.mint(giver, 1_000 * 10**6)
    with boa.env.prank(giver):
        world.token.approve(world.fund.address, 2**256 - 1)
        world.fund.give(BTC, 1_000 * 10**6)
    held = world.custody.totals().tokens
    assert held < world.cash(bank)
    with boa.reverts():
        world.withdraw(bank, held // WAD_PER_UNIT + 1)
    assert world.custody.totals().insurance == 1_000 * USD
    assert world.cash(debtor) == -500 * USD
