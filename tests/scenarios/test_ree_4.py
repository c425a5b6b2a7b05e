"""REE-4: a hook in the middle of a transfer finds books that are right: no double credit."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.support.world import BTC, CROSS, WAD, World


@pytest.fixture
def hook(world: World) -> Any:
    """A collateral token with a hook at 1,000 USD, which owns an account of its own."""
    world.bank()
    _, token = world.list_token(kind="HookTokenMock")
    token.mint(token.address, 100 * WAD)
    with boa.env.prank(token.address):
        token.approve(world.custody.address, 2**256 - 1)
        world.ledger.open_account(0, CROSS, 1)
    return token


def account_of(token: Any) -> int:
    return int(token.address, 16) << 96


@pytest.mark.parametrize("before", [True, False])
def test_deposit_within_a_deposit__credits_once(world: World, hook: Any, before: bool) -> None:
    account = account_of(hook)
    payload = world.custody.deposit.prepare_calldata(account, 0, 5 * WAD)
    hook.arm(world.custody.address, payload, before, False)
    with boa.env.prank(hook.address):
        world.custody.deposit(account, 0, 5 * WAD)
    assert hook.called() == 1
    assert not hook.succeeded()
    assert world.custody.collateral_of(account, 0) == 5 * WAD
    assert hook.balanceOf(world.custody.address) == 5 * WAD


@pytest.mark.parametrize("before", [True, False])
def test_trade_within_a_withdrawal__sees_the_collateral_gone(
    world: World, hook: Any, before: bool
) -> None:
    account, other = account_of(hook), world.open("other", 100_000)
    with boa.env.prank(hook.address):
        world.custody.deposit(account, 0, 5 * WAD)
    args = (account, other, BTC, WAD, 20_000 * WAD, 0)
    with boa.env.anchor():
        world.gateway.trade(*args)
    payload = world.gateway.trade.prepare_calldata(*args)
    hook.arm(world.gateway.address, payload, before, False)
    with boa.env.prank(hook.address):
        world.custody.withdraw(account, 0, 5 * WAD, hook.address)
    assert hook.called() == 1
    assert not hook.succeeded()
    assert world.size(account) == 0


def test_trade_within_a_deposit__stands_only_if_the_tokens_come(world: World, hook: Any) -> None:
    """Credited before they moved; where they do not come everything is undone."""
    account, other = account_of(hook), world.open("other", 100_000)
    args = (account, other, BTC, WAD, 20_000 * WAD, 0)
    payload = world.gateway.trade.prepare_calldata(*args)
    hook.arm(world.gateway.address, payload, True, True)
    with boa.env.prank(hook.address):
        hook.approve(world.custody.address, 0)
        with boa.reverts():
            world.custody.deposit(account, 0, 5 * WAD)
    assert world.size(account) == 0
    assert world.custody.collateral_of(account, 0) == 0
