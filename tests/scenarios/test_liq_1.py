"""LIQ-1, LIQ-4, LIQ-13: opening and liquidating oneself in one transaction, twice, again later."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.support.compiled import load
from tests.support.world import BTC, CROSS, LIQUIDATABLE, UNIT, USD, WAD, World


@pytest.fixture
def attacker(world: World) -> tuple[Any, int, int]:
    """A contract that owns an account at the edge and one that takes."""
    contract = load("contracts/mocks/AttackerMock.vy").deploy()
    with boa.env.prank(contract.address):
        world.ledger.open_account(0, CROSS, 1)
        world.ledger.open_account(1, CROSS, 1)
    victim = int(contract.address, 16) << 96
    world.deposit(victim, 500 * UNIT)
    world.deposit(victim | 1, 50_000 * UNIT)
    return contract, victim, victim | 1


def test_open_report_and_liquidate_oneself__in_one_transaction__only_costs(
    world: World, attacker: tuple[Any, int, int]
) -> None:
    contract, edge, taker = attacker
    other = world.open("other", 50_000)
    world.system.wait(60)
    report = world.system.sign_report({BTC: 19_780 * WAD})
    world.set_cash(edge, 410 * USD)
    before = world.health(edge).equity + world.health(taker).equity
    short_before = world.health(other).equity
    calls = [
        (world.gateway, "trade", (edge, other, BTC, WAD, 20_000 * WAD, 0)),
        (world.engine, "report", report),
        (world.liquidator, "take", (edge, BTC, WAD, taker, 2**200)),
    ]
    contract.execute_all(
        [(c.address, getattr(c, f).prepare_calldata(*args)) for c, f, args in calls]
    )
    assert world.size(taker) > 0
    after = world.health(edge).equity + world.health(taker).equity
    assert after < before - 220 * USD, "the loss of the move and the fees"
    gained = world.health(other).equity - short_before
    assert before - after >= gained + world.market().fees
    assert world.custody.totals().deficit == 0


def test_partial_liquidation__twice_in_one_transaction__the_second_fails(
    world: World, attacker: tuple[Any, int, int]
) -> None:
    """LIQ-4: the first restores; halving twice is not possible."""
    contract, edge, taker = attacker
    world.deposit(edge, 500 * UNIT)
    world.trade(edge, world.open("other", 50_000), 2 * WAD)
    world.set_cash(edge, 800 * USD)
    world.drive(BTC, 19_790 * WAD)
    assert world.liquidator.state(edge) == LIQUIDATABLE
    most = world.liquidator.terms(edge, BTC).most
    assert most < 2 * WAD
    take = world.liquidator.take.prepare_calldata(edge, BTC, 2 * WAD, taker, 2**200)
    with boa.reverts("not liquidatable"):
        contract.execute_all([(world.liquidator.address, take)] * 2)
    contract.execute_all([(world.liquidator.address, take)])
    assert world.size(taker) == most
    margin = world.health(edge)
    assert 4 * margin.equity >= 5 * margin.requirement
    assert 4 * margin.equity <= 5 * margin.requirement + 10**6, "no more than needed"


def test_liquidated_account__reopened__is_not_touched_by_the_old_case(world: World) -> None:
    """LIQ-13: resolving is judged on the state now; there is nothing to replay."""
    long, short = world.open("long", 500), world.open("short", 50_000)
    world.trade(long, short, WAD)
    world.drive(BTC, 19_400 * WAD)
    world.liquidator.poke(long)
    world.liquidator.resolve(long)
    with boa.reverts("healthy"):
        world.liquidator.resolve(long)
    assert world.liquidator.auction(long)[:2] == (False, 0)
    world.calm()
    world.deposit(long, 10_000 * UNIT)
    world.trade(long, short, WAD)
    with boa.reverts("healthy"):
        world.liquidator.resolve(long)
    world.pass_time(1_800)
    assert world.liquidator.state(long) == 0
