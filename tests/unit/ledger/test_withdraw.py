"""withdraw: settled cash, down to initial margin, never below zero, not while something settles."""

from __future__ import annotations

import boa
import pytest

from tests.support.world import (
    BTC,
    CALM_IM,
    ETH,
    INITIAL,
    SETTLEMENT,
    UNIT,
    USD,
    WAD,
    WAD_PER_UNIT,
    ZERO,
    World,
    address_of,
    events,
    requirement,
)

RECEIVER = address_of("receiver")


def test_withdraw__settled_cash__pays_face_to_the_receiver(world: World) -> None:
    saver = world.open("saver", 100)
    world.withdraw(saver, 40 * UNIT, RECEIVER)
    custody = world.custody.address
    assert events(world.ledger) == [
        ("Withdrawn", saver, 40 * USD, RECEIVER),
        ("Paid", RECEIVER, SETTLEMENT, 40 * USD, 0),
        ("Transfer", custody, RECEIVER, 40 * UNIT),
    ]
    assert world.cash(saver) == 60 * USD
    assert world.token.balanceOf(RECEIVER) == 40 * UNIT
    assert tuple(world.custody.totals()) == (60 * USD, 0, 0, 0, 0, 0)
    assert world.custody.ticket_of(saver)[0] == 0


def test_withdraw__all_then_one_unit_more__reverts_on_cash(world: World) -> None:
    saver = world.open("saver", 1)
    world.withdraw(saver, UNIT)
    with boa.reverts("cash"):
        world.withdraw(saver, 1)


def test_withdraw__a_unit_with_a_wei_less_in_cash__reverts(world: World) -> None:
    saver = world.open("saver", 1)
    world.set_cash(saver, WAD_PER_UNIT - 1)
    with boa.reverts("cash"):
        world.withdraw(saver, 1)
    world.set_cash(saver, WAD_PER_UNIT)
    world.withdraw(saver, 1)
    assert world.cash(saver) == 0


@pytest.mark.parametrize("units", [0, 2**127, 2**256 - 1])
def test_withdraw__of_nothing_or_more_than_any_token_has__reverts(world: World, units: int) -> None:
    saver = world.open("saver", 100)
    with boa.reverts("amount"):
        world.withdraw(saver, units)


@pytest.mark.parametrize("role", ["stranger", "owner", "liquidator", "gateway", "custody"])
def test_withdraw__by_anyone_but_the_owner__reverts(world: World, role: str) -> None:
    saver = world.open("saver", 100)
    callers = {
        "stranger": RECEIVER,
        "owner": world.owner,
        "liquidator": world.liquidator.address,
        "gateway": world.gateway.address,
        "custody": world.custody.address,
    }
    with boa.env.prank(callers[role]), boa.reverts("not your account"):
        world.ledger.withdraw(saver, UNIT, RECEIVER)


def test_withdraw__from_an_unopened_number__reverts(world: World) -> None:
    saver = world.open("saver", 100)
    with world.as_owner_of(saver), boa.reverts("not opened"):
        world.ledger.withdraw(saver | 7, UNIT, RECEIVER)


def test_withdraw__to_nobody_or_custody__reverts(world: World) -> None:
    saver = world.open("saver", 100)
    for receiver in (ZERO, world.custody.address):
        with boa.reverts("receiver"):
            world.withdraw(saver, UNIT, receiver)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("spare", [0, 1, 2, -1, -2])
def test_withdraw__down_to_initial_margin__to_the_wei(world: World, sign: int, spare: int) -> None:
    trader, other = world.open("trader", 10_000), world.open("other", 10_000)
    buyer, seller = (trader, other) if sign > 0 else (other, trader)
    world.trade(buyer, seller, 7 * WAD)
    needed = requirement(7 * WAD, 20_000 * WAD, CALM_IM)
    assert needed == world.health(trader, INITIAL).requirement
    world.set_cash(trader, needed + 100 * USD + spare)
    if spare < 0:
        with boa.reverts("initial margin"):
            world.withdraw(trader, 100 * UNIT)
    else:
        world.withdraw(trader, 100 * UNIT)
        assert world.surplus(trader, INITIAL) == spare


@pytest.mark.parametrize("spare", [0, -1])
def test_withdraw__in_a_crowded_market__down_to_the_scaled_margin(world: World, spare: int) -> None:
    """IM' = IM + ce((N - IM)·(OI - L)/(H - L)): of withdrawals too (TIER-1)."""
    world.set_config(BTC, soft_cap=100_000, hard_cap=200_000)
    trader, other = world.open("trader", 100_000), world.open("other", 100_000)
    world.trade(trader, other, 7 * WAD + WAD // 2)
    n = 150_000 * USD
    plain = requirement(7 * WAD + WAD // 2, 20_000 * WAD, CALM_IM)
    scaled = plain + -(-(n - plain) // 2)
    assert world.health(trader, INITIAL).requirement == scaled
    world.set_cash(trader, scaled + UNIT * WAD_PER_UNIT + spare)
    if spare:
        with boa.reverts("initial margin"):
            world.withdraw(trader, UNIT)
    else:
        world.withdraw(trader, UNIT)


def test_withdraw__of_unrealised_profit__reverts(world: World) -> None:
    """Profit is equity, not cash, until the position is reduced (ORA-1)."""
    long, short = world.open("long", 500), world.open("short", 10_000)
    world.trade(long, short, WAD)
    world.drive(BTC, 22_000 * WAD)
    assert world.health(long).equity > 2_400 * USD
    cash = world.cash(long)
    with boa.reverts("cash"):
        world.withdraw(long, cash // WAD_PER_UNIT + 1)
    world.withdraw(long, cash // WAD_PER_UNIT)


def test_withdraw__below_initial_but_above_maintenance__reverts(world: World) -> None:
    long, short = world.open("long", 500), world.open("short", 10_000)
    world.trade(long, short, WAD)
    world.drive(BTC, 19_850 * WAD)
    assert world.surplus(long) > 0 > world.surplus(long, INITIAL)
    with boa.reverts("initial margin"):
        world.withdraw(long, 1)


@pytest.mark.parametrize("held", [True, False])
def test_withdraw__while_a_jump_is_held__only_who_does_not_hold_the_market(
    world: World, held: bool
) -> None:
    trader, other = world.open("trader", 10_000), world.open("other", 10_000)
    if held:
        world.trade(trader, other, WAD // 100)
    world.report({BTC: 20_600 * WAD})
    assert world.state(BTC) == 1
    if held:
        with boa.reverts("settling"):
            world.withdraw(trader, UNIT)
    else:
        world.withdraw(trader, UNIT)


def test_withdraw__in_the_aftermath__reverts_until_the_window_ends(world: World) -> None:
    trader, other = world.open("trader", 10_000), world.open("other", 10_000)
    world.trade(trader, other, WAD // 100)
    world.tick(60, p0=20_240 * WAD)
    assert world.state(BTC) == 2
    start = world.system.time
    world.pass_time(540)
    world.system.at(start + 599)
    with boa.reverts("settling"):
        world.withdraw(trader, UNIT)
    world.system.at(start + 600)
    world.withdraw(trader, UNIT)


def test_withdraw__price_older_than_its_age__reverts_a_second_after(world: World) -> None:
    trader, other = world.open("trader", 10_000), world.open("other", 10_000)
    world.trade(trader, other, WAD // 100)
    observed = world.engine.price_of(BTC).observed
    world.system.at(observed + 600)
    world.withdraw(trader, UNIT)
    world.system.at(observed + 601)
    with boa.reverts("settling"):
        world.withdraw(trader, UNIT)


def test_withdraw__dust_leg_settling__bars_all_of_the_account(world: World) -> None:
    trader, other = world.open("trader", 10_000), world.open("other", 10_000)
    world.trade(trader, other, 10**15, market=ETH)
    world.tick(60, p1=2_060 * WAD)
    assert world.state(ETH) == 1
    with boa.reverts("settling"):
        world.withdraw(trader, UNIT)


def test_withdraw__while_paused__reverts(world: World) -> None:
    saver = world.open("saver", 100)
    with world.as_guardian():
        world.engine.pause()
    with boa.reverts("paused"):
        world.withdraw(saver, UNIT)


def test_withdraw__settlement_token_in_doubt__flat_accounts_only(world: World) -> None:
    """In doubt cash counts nothing for IM: who holds no position needs none."""
    saver, trader = world.open("saver", 100), world.open("trader", 10_000)
    world.trade(trader, world.open("other", 10_000), WAD // 100)
    with world.as_guardian():
        world.engine.set_settlement_doubt(True)
    world.withdraw(saver, 100 * UNIT)
    with boa.reverts("initial margin"):
        world.withdraw(trader, UNIT)


def test_withdraw__by_a_debtor__reverts_whatever_his_collateral(world: World) -> None:
    debtor = world.make_debtor("debtor", 1)
    assert world.surplus(debtor, INITIAL) > 50_000 * USD
    with boa.reverts("cash"):
        world.withdraw(debtor, 1)


def test_withdraw__of_an_ended_epoch_before_it_is_collected__reverts(world: World) -> None:
    long, short = world.open("long", 500), world.open("short", 500)
    world.trade(long, short, WAD)
    world.drive(BTC, 20_150 * WAD)
    with world.as_guardian():
        world.engine.set_reduce_only(BTC, True)
    with world.as_owner():
        world.ledger.settle_market(BTC)
    cash = world.cash(long)
    with boa.reverts("cash"):
        world.withdraw(long, cash // WAD_PER_UNIT + 1)
    world.ledger.collect(long, BTC)
    world.withdraw(long, cash // WAD_PER_UNIT + 150 * UNIT)


def test_withdraw__loser_of_an_ended_epoch__keeps_what_it_owes(world: World) -> None:
    long, short = world.open("long", 500), world.open("short", 500)
    world.trade(long, short, WAD)
    world.drive(BTC, 20_150 * WAD)
    with world.as_guardian():
        world.engine.set_reduce_only(BTC, True)
    with world.as_owner():
        world.ledger.settle_market(BTC)
    cash = world.cash(short)
    with boa.reverts("initial margin"):
        world.withdraw(short, cash // WAD_PER_UNIT - 149 * UNIT)
    world.withdraw(short, cash // WAD_PER_UNIT - 151 * UNIT)
