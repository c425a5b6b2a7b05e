"""LIQ-21 (Symmio M-15): whoever resolves is paid, most needed where the account has nothing."""

from __future__ import annotations

import boa
import pytest

from tests.support.cash import move_cash
from tests.support.world import (
    BACKSTOP,
    BTC,
    ETH,
    LIQUIDATION,
    SETTLEMENT,
    USD,
    WAD,
    World,
    address_of,
)


@pytest.fixture(autouse=True)
def reward(world: World) -> None:
    with world.as_owner():
        world.liquidator.set_parameters((*LIQUIDATION[:6], USD))


@pytest.mark.parametrize("equity", [250, 0, -1, -5_000])
def test_caller__is_paid_whatever_is_left(world: World, equity: int) -> None:
    account, other = world.open("long", 1_000), world.open("short", 100_000)
    world.trade(account, other, WAD)
    move_cash(world.ledger, account, world.bank(), world.health(account).equity - equity * USD)
    while world.liquidator.state(account) < BACKSTOP:
        world.tick(p0=world.mark(BTC) * 998 // 1_000)
    with boa.env.prank(address_of("bot")):
        world.liquidator.resolve(account)
    assert 0 < world.custody.waiting(SETTLEMENT, address_of("bot")) <= USD


@pytest.mark.parametrize("seed", [1, 2])
def test_bot_of_rewards_alone__leaves_no_account_unresolved(world: World, seed: int) -> None:
    """After any price the bot resolves whoever is in the backstop, and each call paid it."""
    accounts = [world.open(f"{seed} {i}", 3_000) for i in range(6)]
    for i in range(0, 6, 2):
        world.trade(accounts[i], accounts[i + 1], WAD, BTC)
        world.trade(accounts[i + 1], accounts[i], 5 * WAD, ETH)
    bot = address_of("bot")
    prices = [17_000, 21_000, 14_000] if seed == 1 else [23_000, 19_000, 26_000]
    earned = resolved = 0
    for price in prices:
        world.tick(p0=price * WAD)
        for _ in range(20):
            if world.mark(BTC) == price * WAD:
                break
            world.tick()
        for account in accounts:
            if world.liquidator.state(account) >= BACKSTOP:
                with boa.env.prank(bot):
                    world.liquidator.resolve(account)
                resolved += 1
                assert world.custody.waiting(SETTLEMENT, bot) > earned
                earned = world.custody.waiting(SETTLEMENT, bot)
        assert all(world.liquidator.state(a) < BACKSTOP for a in accounts)
    assert resolved > 0
