# BUG: collateral of unknown price is an immunity, and anyone may hand it out. Custody.deposit
# takes tokens for any CROSS account from anyone. When the price of a token is unknown (stale,
# pending, refused), one wei of it
#   - blocks `resolve` of a bankrupt account ("collateral first") while step 0 refuses to sell it
#     ("price unknown"),
#   - stops the auction clock of a liquidatable account (auctions._touch looks at the state of
#     holdings too),
#   - bars a healthy account that a stranger gave it to from opening and from withdrawing
#     ("settling") until it is taken out, and it can be given again in the next block (also while
#     the price is unknown already).
# DESIGN 6 "a frozen dust leg is no immunity", DESIGN 13.15 "every account with E < 2/3 MM, or
# whose auction is over, can be resolved by anyone without capital".
from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.support.world import BANKRUPT, BTC, LIQUIDATABLE, UNIT, USD, WAD, World, address_of


@pytest.fixture
def token(world: World) -> Any:
    return world.list_token()[1]


def freeze(world: World) -> None:
    """Reports of the token's price stop until it is unknown; markets go on."""
    del world.prices[32]
    world.pass_time(660)
    assert world.state(32) & 1
    assert not world.state(BTC)


def losing_account(world: World, token: Any) -> int:
    """Long 1 BTC at 20,000 on 500 USD, with one wei of the token."""
    loser, winner = world.open("loser", 500), world.open("winner", 10_000)
    world.trade(loser, winner, WAD)
    world.deposit_collateral(loser, 0, token, 1)
    return loser


def give_a_wei(world: World, account: int, token: Any) -> None:
    """By a stranger; a ledger that refuses that is as good."""
    stranger = address_of("stranger")
    token.mint(stranger, 1)
    with boa.env.prank(stranger):
        token.approve(world.custody.address, 1)
        try:
            world.custody.deposit(account, 0, 1)
        except boa.BoaError:
            return


def test_resolve__bankrupt_account_with_a_wei_of_a_frozen_token__still_resolves(
    world: World, token: Any
) -> None:
    loser = losing_account(world, token)
    freeze(world)
    world.drive(BTC, 19_400 * WAD)
    assert world.liquidator.state(loser) == BANKRUPT
    world.liquidator.resolve(loser)
    # The frozen wei counts at its last price, less its haircut.
    assert -1_000 <= world.cash(loser) <= 0


def test_auction__liquidatable_account_with_a_wei_of_a_frozen_token__still_runs_out(
    world: World, token: Any
) -> None:
    loser = losing_account(world, token)
    freeze(world)
    world.drive(BTC, 19_690 * WAD)
    assert world.liquidator.state(loser) == LIQUIDATABLE
    world.liquidator.poke(loser)
    world.pass_time(660)
    running, elapsed, _ = world.liquidator.auction(loser)
    assert running
    assert elapsed >= 600


def test_withdraw__healthy_account_given_a_wei_of_a_frozen_token__still_withdraws(
    world: World, token: Any
) -> None:
    saver = world.open("saver", 1_000)
    freeze(world)
    give_a_wei(world, saver, token)
    world.withdraw(saver, UNIT)
    assert world.cash(saver) == 999 * USD


def test_trade__healthy_account_given_a_wei_of_a_frozen_token__still_opens(
    world: World, token: Any
) -> None:
    saver, other = world.open("saver", 1_000), world.open("other", 1_000)
    freeze(world)
    give_a_wei(world, saver, token)
    world.trade(saver, other, WAD // 100)
    assert world.size(saver) == WAD // 100
