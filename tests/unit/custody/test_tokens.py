"""Odd tokens on every path: no return value, false, a fee, hooks, a blacklist, rebasing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boa
import pytest

from tests.support.world import SETTLEMENT, UNIT, USD, WAD, World, address_of

RECEIVER = address_of("receiver")


@pytest.fixture(params=["NoReturnTokenMock", "FalseReturnTokenMock", "BlacklistTokenMock"])
def odd_world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Settled in a token of that kind."""
    with boa.env.anchor():
        yield World(markets={}, settlement=request.param)


@pytest.mark.parametrize("kind", ["TokenMock", "NoReturnTokenMock", "FalseReturnTokenMock"])
def test_collateral__plain_kinds__go_in_and_out(world: World, kind: str) -> None:
    world.bank()
    index, token = world.list_token(kind=kind)
    trader = world.open("trader")
    world.deposit_collateral(trader, index, token, 5 * WAD)
    assert token.balanceOf(world.custody.address) == 5 * WAD
    world.withdraw_collateral(trader, index, 5 * WAD, RECEIVER)
    assert token.balanceOf(RECEIVER) == 5 * WAD


def test_settlement__odd_kinds__go_in_and_out(odd_world: World) -> None:
    saver = odd_world.open("saver", 100)
    assert odd_world.cash(saver) == 100 * USD
    odd_world.withdraw(saver, 40 * UNIT, RECEIVER)
    assert odd_world.token.balanceOf(RECEIVER) == 40 * UNIT


def test_settlement__token_answers_false__reverts_both_ways() -> None:
    with boa.env.anchor():
        world = World(markets={}, settlement="FalseReturnTokenMock")
        saver = world.open("saver", 100)
        world.token.refuse(True)
        with boa.reverts("transfer"):
            world.deposit(saver, UNIT)
        with boa.reverts("transfer"):
            world.withdraw(saver, UNIT)
        assert world.cash(saver) == 100 * USD


def test_collateral__token_answers_false__reverts_both_ways(world: World) -> None:
    world.bank()
    index, token = world.list_token(kind="FalseReturnTokenMock")
    trader = world.open("trader")
    world.deposit_collateral(trader, index, token, WAD)
    token.refuse(True)
    with boa.reverts("transfer"):
        world.deposit_collateral(trader, index, token, WAD)
    with boa.reverts("transfer"):
        world.withdraw_collateral(trader, index, WAD)
    assert world.custody.collateral_of(trader, index) == WAD


@pytest.mark.parametrize("fee", [1, 10_000, 999_999])
def test_collateral__fee_switched_on__bars_deposits_not_the_way_out(world: World, fee: int) -> None:
    """ACC-5: a deposit that moves less than asked reverts; books stay covered on the way out."""
    world.bank()
    index, token = world.list_token(kind="FeeTokenMock")
    first, last = world.open("first"), world.open("last")
    for trader in (first, last):
        world.deposit_collateral(trader, index, token, 5 * WAD)
    token.set_fee(fee)
    with boa.reverts("transfer"):
        world.deposit_collateral(first, index, token, WAD)
    for trader in (first, last):
        world.withdraw_collateral(trader, index, 5 * WAD)
        assert token.balanceOf(world.owner_of(trader)) >= 5 * WAD - 5 * WAD * fee // 10**6
    assert world.custody.listed(index).total == 0


def test_settlement__fee_switched_on__bars_deposits_not_the_way_out() -> None:
    with boa.env.anchor():
        world = World(markets={}, settlement="FeeTokenMock")
        first, last = world.open("first", 100), world.open("last", 100)
        world.token.set_fee(10_000)
        with boa.reverts("transfer"):
            world.deposit(first, UNIT)
        for saver in (first, last):
            before = world.token.balanceOf(world.owner_of(saver))
            world.withdraw(saver, 100 * UNIT)
            assert world.token.balanceOf(world.owner_of(saver)) == before + 99 * UNIT
        assert world.token.balanceOf(world.custody.address) == 0


def test_settlement__receiver_on_the_blacklist__only_his_own_payment_fails() -> None:
    with boa.env.anchor():
        world = World(markets={}, settlement="BlacklistTokenMock")
        marked, other = world.open("marked", 100), world.open("other", 100)
        world.token.set_blacklisted(world.owner_of(marked), True)
        with boa.reverts("blacklisted"):
            world.withdraw(marked, UNIT)
        world.withdraw(other, UNIT)
        world.withdraw(marked, UNIT, RECEIVER)
        assert world.token.balanceOf(RECEIVER) == UNIT


def test_settlement__blacklisted_while_waiting__blocks_nobody_else() -> None:
    """GAS-2: the queue is one entry a receiver, no head of line."""
    with boa.env.anchor():
        world = World(markets={}, settlement="BlacklistTokenMock")
        marked, other = world.open("marked", 100), world.open("other", 100)
        with world.as_owner():
            world.custody.set_outflow(SETTLEMENT, 10 * USD, 3_600)
        world.custody.release(SETTLEMENT, RECEIVER)
        world.system.wait(3_600)
        world.withdraw(marked, 20 * UNIT)
        world.withdraw(other, 20 * UNIT)
        world.token.set_blacklisted(world.owner_of(marked), True)
        world.system.wait(3_600)
        with boa.reverts("blacklisted"):
            world.custody.release(SETTLEMENT, world.owner_of(marked))
        world.custody.release(SETTLEMENT, world.owner_of(other))
        assert world.token.balanceOf(world.owner_of(other)) == 10 * UNIT


def test_settlement__refuses_transfers_of_nothing__a_claim_that_pays_nothing_passes() -> None:
    """ACC-7: zero transfers are skipped."""
    with boa.env.anchor():
        world = World(markets={}, settlement="BlacklistTokenMock")
        saver, lost = world.open("saver", 100), world.open("lost")
        world.token.set_refuses_zero(True)
        with world.as_liquidator():
            world.ledger.write_off(lost, 0, 1)
        world.withdraw(saver, 1)
        assert world.custody.ticket_of(saver)[0] == 10**12
        world.custody.release(SETTLEMENT, world.owner_of(saver))


def test_collateral__paused_token__leaves_the_rest_of_the_protocol_alone(world: World) -> None:
    """LIQ-7 in part: cash still goes in and out."""
    world.bank()
    index, token = world.list_token(kind="BlacklistTokenMock")
    trader = world.open("trader", 1_000)
    world.deposit_collateral(trader, index, token, WAD)
    token.set_paused(True)
    with boa.reverts("token paused"):
        world.withdraw_collateral(trader, index, 1)
    world.withdraw(trader, UNIT)
    world.deposit(trader, UNIT)


def test_collateral__shrunk_by_a_rebase__fails_the_last_only(world: World) -> None:
    """ACC-6: governance lists no such token; if it does, its holders bear it."""
    world.bank()
    index, token = world.list_token(kind="FeeTokenMock")
    first, last = world.open("first", 10), world.open("last", 10)
    for trader in (first, last):
        world.deposit_collateral(trader, index, token, 5 * WAD)
    token.burn_of(world.custody.address, WAD)
    world.withdraw_collateral(first, index, 5 * WAD)
    with boa.reverts():
        world.withdraw_collateral(last, index, 5 * WAD)
    world.withdraw_collateral(last, index, 4 * WAD)
    world.withdraw(last, 10 * UNIT)


def test_donation__of_collateral_or_to_the_ledger__is_nobodys(world: World) -> None:
    """ACC-4: no view changes, and no deposit counts it."""
    world.bank()
    index, token = world.list_token()
    trader = world.open("trader", 1_000)
    world.deposit_collateral(trader, index, token, WAD)

    def seen() -> tuple[Any, ...]:
        return (
            tuple(world.custody.totals()),
            world.ledger.book(trader),
            tuple(world.custody.listed(index)),
            world.custody.collateral_of(trader, index),
            tuple(world.health(trader)),
        )

    before = seen()
    world.token.mint(world.ledger.address, 10**6 * UNIT)
    token.mint(world.custody.address, 10**6 * WAD)
    token.mint(world.ledger.address, 10**6 * WAD)
    assert seen() == before
    world.deposit(trader, UNIT)
    assert world.cash(trader) == 1_001 * USD
    with world.as_liquidator():
        world.ledger.write_off(world.open("lost"), 0, 10**18)
    h = world.custody.totals()
    world.token.mint(world.ledger.address, 10**6 * UNIT)
    assert world.custody.totals() == h


def test_donation__of_settlement_tokens_to_custody__is_everybodys(world: World) -> None:
    """ACC-4: T rises by it and h does not fall; nobody's cash, margin or insurance changes."""
    world.bank()
    trader = world.open("trader", 1_000)

    def seen() -> tuple[Any, ...]:
        return (
            tuple(world.custody.totals())[1:],
            world.ledger.book(trader),
            tuple(world.health(trader)),
            world.fund.totalAssets(),
            world.vault.totalAssets(),
        )

    before, held = seen(), world.custody.totals().tokens
    world.token.mint(world.custody.address, 70 * UNIT)
    assert seen() == before
    assert world.custody.totals().tokens == held + 70 * USD
    with world.as_liquidator():
        world.ledger.write_off(world.open("lost"), 0, 10**6 * USD)
    before, held = seen(), world.custody.totals().tokens
    world.token.mint(world.custody.address, 10**6 * UNIT)
    assert seen() == before
    assert world.custody.totals().tokens == held + 10**6 * USD
    world.withdraw(trader, 1_000 * UNIT)
    whole = held + 2 * 10**6 * USD
    paid = 1_000 * (held + 10**6 * USD) * UNIT // whole
    assert world.token.balanceOf(world.owner_of(trader)) == paid
    assert paid > 1_000 * held * UNIT // (held + 10**6 * USD)
