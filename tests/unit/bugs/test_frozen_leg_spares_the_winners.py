# BUG: a leg of unknown price moves an account's deficit from the charge to everyone (D_h).
# `resolve` closes the live legs with deficit 0 (`_split_of` is told the account is not flat), so
# the winners of the losing leg are neither charged nor barred from withdrawing (no aftermath);
# when the frozen leg is known again, the whole deficit is split over that leg alone, and what
# exceeds its own loss is socialised. A dust leg in a market that is pending (usual in a crash) is
# enough. DESIGN 8c, 13.16; LIQ-10, INS-1.
from __future__ import annotations

import boa

from tests.support.world import BANKRUPT, BTC, ETH, UNIT, USD, WAD, World


def bankrupt_account_with_a_frozen_dust_leg(world: World) -> tuple[int, int]:
    """Long 1 BTC on 600 USD, 804 USD short of its loss, and 20 USD of ETH whose jump is held."""
    loser, winner = world.open("loser", 600), world.open("winner", 10_000)
    world.trade(loser, winner, WAD)
    world.trade(loser, world.open("other", 10_000), WAD // 100, market=ETH)
    world.drive(BTC, 18_600 * WAD)
    world.report({ETH: 2_040 * WAD, BTC: 18_600 * WAD})
    assert world.state(ETH) == 1
    assert world.state(BTC) == 0
    assert world.liquidator.state(loser) == BANKRUPT
    return loser, winner


def test_resolve__while_a_dust_leg_is_frozen__charges_the_winners_all_the_same(
    world: World,
) -> None:
    loser, _ = bankrupt_account_with_a_frozen_dust_leg(world)
    with boa.env.anchor():
        world.report({ETH: 2_000 * WAD, BTC: 18_600 * WAD})
        world.liquidator.resolve(loser)
        charged = 804_004_000_000_000_000_000 - world.custody.totals().deficit
        assert charged == 186 * USD - 1, "1 % of 18,600, what every short was sure to own, down"
    world.liquidator.resolve(loser)
    world.report({ETH: 2_000 * WAD, BTC: 18_600 * WAD})
    world.calm(ETH)
    world.liquidator.resolve(loser)
    assert world.custody.totals().deficit == 804_004_000_000_000_000_000 - charged


def test_withdraw__winner_of_a_leg_closed_on_an_account_in_deficit__was_charged_before(
    world: World,
) -> None:
    """His market settled with the close, so nothing he holds settles: he may leave 186 USD less."""
    loser, winner = bankrupt_account_with_a_frozen_dust_leg(world)
    world.liquidator.resolve(loser)
    world.ledger.collect(winner, BTC)
    assert 11_203 * USD < world.cash(winner) < 11_204 * USD
    world.withdraw(winner, 11_200 * UNIT)
