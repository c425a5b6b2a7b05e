"""Once a fault: income and rewards leave T without asking whether it holds them.

Claims of others exceed T while somebody owes against collateral, and they may take all of T. What
is swept to the insurance fund, or set apart for a caller of `resolve`, then makes T negative: every
call that reads it reverts (totals, the vault's worth, deposits of collateral) until somebody
deposits as much.
"""

from __future__ import annotations

import boa

from tests.support.cash import move_cash
from tests.support.world import (
    BTC,
    LIQUIDATION,
    SETTLEMENT,
    USD,
    WAD_PER_UNIT,
    ZERO,
    World,
    address_of,
)
from tests.unit.fund.till import Till


def emptied(world: World) -> Till:
    """A debtor owes 9,000 against collateral; all tokens held for accounts were withdrawn."""
    till = Till(world)
    world.make_debtor("debtor", 9_000 * USD)
    till.fees(50 * USD)
    for name in ("a 0", "b 0", "c 0"):
        with world.as_liquidator():
            if world.ledger.book(till.account(name)).legs:
                world.ledger.close_at_mark(till.account(name), 0, ZERO, [])
    for account in (till.account(name) for name in ("a 0", "b 0", "c 0")):
        world.transfer(account, world.bank(), world.cash(account))
    world.withdraw(world.bank(), till.totals().tokens // WAD_PER_UNIT)
    assert till.totals().tokens < WAD_PER_UNIT
    assert world.market(BTC).fees == 50 * USD
    return till


def test_sweep__more_than_t__leaves_custody_readable(world: World) -> None:
    till = emptied(world)
    try:
        world.ledger.sweep(BTC)
    except boa.BoaError:
        return  # refused: the fees stay where they are
    assert till.totals().tokens >= 0
    assert till.held() >= till.totals().insurance


def test_resolve__more_reward_than_t__leaves_custody_readable(world: World) -> None:
    till = emptied(world)
    with world.as_owner():
        world.liquidator.set_parameters((*LIQUIDATION[:6], 10 * USD))
    flat = till.account("flat")
    move_cash(world.ledger, flat, world.bank(), 100 * USD)
    with boa.env.prank(address_of("caller")):
        world.liquidator.resolve(flat)
    assert till.totals().tokens >= 0
    waits = world.custody.waiting(SETTLEMENT, address_of("caller"))
    assert till.held() >= waits
