"""The liquidator on the real engine and ledger: thresholds to the wei, clocks, order of steps."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.support.world import (
    BACKSTOP,
    BTC,
    CALLED,
    ETH,
    LIQUIDATABLE,
    USD,
    WAD,
    World,
    ceil_div,
)

DURATION = 600
TOP = 2**200
FALLEN = 19_600 * WAD  # a long of 2 opened at 20,000 with $1,000: E 180, MM 392


class Desk:
    """A fallen long of 2 BTC, its counterparty and a liquidator."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.other = world.open("other", 10_000_000)
        self.taker = world.open("taker", 1_000_000)
        self.trader = world.open("trader", 1_000)
        self.bank = world.bank()
        world.trade(self.other, self.trader, -2 * WAD)
        world.drive(BTC, FALLEN)

    def margin(self) -> tuple[int, int]:
        health = self.world.health(self.trader)
        return int(health.equity), int(health.requirement)

    def raise_to(self, equity: int) -> None:
        self.world.transfer(self.bank, self.trader, equity - self.margin()[0])

    def take(self, size: int = TOP) -> int:
        with self.world.as_owner_of(self.taker):
            return int(self.world.liquidator.take(self.trader, BTC, size, self.taker, TOP))

    def clock(self) -> tuple[bool, int]:
        running, elapsed, _ = self.world.liquidator.auction(self.trader)
        return bool(running), int(elapsed)

    def state(self) -> int:
        return int(self.world.liquidator.state(self.trader))


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world)


def resolved(world: World, account: int) -> Any:
    world.liquidator.resolve(account)
    logs = world.liquidator.get_logs()
    return next(e for e in logs if type(e).__name__ == "AccountResolved")


# --- thresholds ---


@pytest.mark.parametrize("off", [-2, -1, 0, 1, 2])
def test_mm__to_the_wei(desk: Desk, off: int) -> None:
    desk.raise_to(desk.margin()[1] + off)
    if off < 0:
        assert desk.state() == LIQUIDATABLE
        assert desk.take() > 0
    else:
        assert desk.state() == CALLED
        with boa.reverts("not liquidatable"):
            desk.take()
        with boa.reverts("called"):
            desk.world.liquidator.resolve(desk.trader)


@pytest.mark.parametrize("off", [-2, -1, 0, 1, 2])
def test_two_thirds_of_mm__to_the_wei(desk: Desk, off: int) -> None:
    desk.raise_to(ceil_div(2 * desk.margin()[1], 3) + off)
    if off < 0:
        assert desk.state() == BACKSTOP
        with boa.reverts("backstop"):
            desk.take()
        assert resolved(desk.world, desk.trader).deficit == 0
    else:
        assert desk.state() == LIQUIDATABLE
        with boa.reverts("auction running"):
            desk.world.liquidator.resolve(desk.trader)
        assert desk.take() > 0


@pytest.mark.parametrize("off", [-2, -1, 0, 1, 2])
def test_restored__to_the_wei(desk: Desk, off: int) -> None:
    mm = desk.margin()[1]
    desk.raise_to(mm - 1)
    desk.world.liquidator.poke(desk.trader)
    desk.raise_to(ceil_div(5 * mm, 4) + off)
    desk.world.liquidator.poke(desk.trader)
    assert desk.clock()[0] is (off < 0)


# --- step 1 ---


def test_take__largest_size__restores_and_hardly_more(desk: Desk) -> None:
    desk.raise_to(300 * USD)
    terms = desk.world.liquidator.terms(desk.trader, BTC)
    with boa.env.anchor():
        desk.take(terms.most)
        equity, mm = desk.margin()
        assert 4 * equity >= 5 * mm - 10**6, "to the roundings of cash"
        assert desk.world.size(desk.taker) == terms.most
    desk.take(terms.most - 10**12)
    equity, mm = desk.margin()
    assert 4 * equity < 5 * mm


def test_take__every_size_allowed__improves(desk: Desk) -> None:
    desk.raise_to(ceil_div(2 * desk.margin()[1], 3))
    terms = desk.world.liquidator.terms(desk.trader, BTC)
    equity, mm = desk.margin()
    for part in range(5):
        with boa.env.anchor():
            desk.take(terms.least + (terms.most - terms.least) * part // 4)
            after, mm_after = desk.margin()
            assert after >= 0
            assert after * mm > equity * mm_after


def test_take__of_a_market_the_account_is_not_in__reverts(desk: Desk) -> None:
    desk.raise_to(300 * USD)
    with desk.world.as_owner_of(desk.taker), boa.reverts("no position"):
        desk.world.liquidator.take(desk.trader, ETH, WAD, desk.taker, TOP)


# --- clock ---


def test_clock__price_grows_old__stands_still_until_the_grace_is_over(desk: Desk) -> None:
    world = desk.world
    desk.raise_to(300 * USD)
    world.liquidator.poke(desk.trader)
    world.pass_time(120, every=60)
    assert desk.clock() == (True, 120)
    world.liquidator.poke(desk.trader)
    world.system.wait(1_200)
    assert world.engine.price_of(BTC).state & 1
    world.liquidator.poke(desk.trader)
    assert desk.clock() == (True, 120)
    world.calm(BTC)
    assert desk.clock()[1] <= 120 + 60
    world.pass_time(300, every=60)
    assert desk.clock()[1] <= 120 + 60 + 300
    assert desk.state() == LIQUIDATABLE


def test_clock__pause__stands_still(desk: Desk) -> None:
    world = desk.world
    desk.raise_to(300 * USD)
    world.liquidator.poke(desk.trader)
    with world.as_guardian():
        world.engine.pause()
    world.system.wait(7_200)
    for call in (
        lambda: world.liquidator.poke(desk.trader),
        desk.take,
        lambda: world.liquidator.resolve(desk.trader),
    ):
        with boa.reverts("paused"):
            call()
    with world.as_guardian():
        world.engine.unpause()
    assert desk.clock()[1] == 0
    with boa.reverts():
        desk.take()  # grace: MEV-3


def test_clock__runs_out__anyone_resolves_and_the_rest_is_the_traders(desk: Desk) -> None:
    world = desk.world
    desk.raise_to(300 * USD)
    world.liquidator.poke(desk.trader)
    world.pass_time(DURATION - 60, every=60)
    assert desk.state() == LIQUIDATABLE
    world.pass_time(60, every=60)
    assert desk.state() == BACKSTOP
    equity = desk.margin()[0]
    result = resolved(world, desk.trader)
    assert (result.cash, result.deficit) == (equity, 0)
    assert world.cash(desk.trader) == equity
    assert world.account(desk.trader).markets == ()


# --- order of steps, and who pays ---


def test_collateral__sold_before_the_rest_is_resolved(world: World) -> None:
    index, token = world.list_token()
    other, taker = world.open("other", 10_000_000), world.open("taker", 1_000_000)
    trader = world.open("trader", 100)
    world.deposit_collateral(trader, index, token, WAD)
    world.trade(other, trader, -WAD)
    world.drive(BTC, 18_900 * WAD)
    assert world.liquidator.state(trader) == 4
    with boa.reverts("collateral first"):
        world.liquidator.resolve(trader)
    terms = world.liquidator.collateral_terms(trader, index)
    with world.as_owner_of(taker):
        amount, payment = world.liquidator.take_collateral(trader, index, TOP, taker, TOP)
    assert (amount, payment) == (terms.most, ceil_div(terms.most * terms.price, WAD))
    assert world.custody.collateral_of(taker, index) == amount == WAD
    left = -int(world.health(trader).equity)
    result = resolved(world, trader)
    assert result.deficit == left == result.charged + result.socialised
    assert world.cash(trader) == 0
    assert world.dust([other, taker, trader]) >= 0


def test_bankrupt_accounts__winners_pay_no_more_than_they_won(world: World) -> None:
    """One move, then only resolutions: charges equal deficits, and nobody else is bankrupted."""
    other = world.open("other", 10_000_000)
    losers = [world.open(f"loser {i}", 450 + 25 * i) for i in range(6)]
    winners = [world.open(f"winner {i}", 2_000) for i in range(3)]
    for loser in losers:
        world.trade(other, loser, -WAD)
    for winner in winners:
        world.trade(winner, other, -2 * WAD)
    world.tick(p0=19_300 * WAD)  # held pending: more than max_move
    world.tick(120)
    assert world.mark(BTC) == 19_300 * WAD
    before = {a: int(world.health(a).equity) for a in [*winners, other]}
    deficits = charges = 0
    for loser in losers:
        if world.liquidator.state(loser) >= BACKSTOP:
            expected = max(0, -int(world.health(loser).equity))
            result = resolved(world, loser)
            assert result.deficit == expected == result.charged + result.socialised
            deficits += result.deficit
            charges += result.charged
            assert world.account(loser).markets == ()
    assert deficits > 0
    assert charges == deficits, "the winners' gain covers it"
    assert world.custody.totals().deficit == 0
    paid = sum(before[a] - int(world.health(a).equity) for a in before)
    assert deficits <= paid <= deficits + 10**13
    assert all(world.health(a).equity >= 0 for a in before)
    assert world.dust([*losers, *winners, other]) >= 0
