"""LIQ-10, ADL-5, ADL-2: a gap below zero is paid in one transaction, to the wei, and shared."""

from __future__ import annotations

import boa
import pytest

from tests.support.world import BTC, UNIT, USD, WAD, World, events_of

GAP = 17_000 * WAD


def gap(world: World, price: int = GAP) -> None:
    """A crash: reports 20 % down are held until one confirms; then the market settles."""
    world.tick(60, p0=price)
    while world.mark(BTC) != price:
        world.tick(60)


@pytest.fixture
def bankrupt(world: World) -> tuple[int, list[int], int]:
    """A long of 3 BTC on 1,500 USD, three shorts, and a saver; the mark falls by 3,000."""
    loser, saver = world.open("loser", 1_500), world.open("saver", 100_000)
    shorts = [world.open(f"short {i}", 20_000) for i in range(3)]
    for short in shorts:
        world.trade(loser, short, WAD)
    gap(world)
    assert world.health(loser).equity < 0
    return loser, shorts, saver


def test_resolve__pays_the_deficit_in_the_same_transaction(
    world: World, bankrupt: tuple[int, list[int], int]
) -> None:
    loser, shorts, _ = bankrupt
    deficit = -world.health(loser).equity
    before = sum(world.health(s).equity for s in shorts)
    world.liquidator.resolve(loser)
    (event,) = events_of(world.liquidator, "AccountResolved")
    _, _, _, cash, reward, d, insured, charged, socialised = event
    assert (cash, reward, d) == (-deficit, 0, deficit)
    assert d == insured + charged + socialised
    assert world.custody.totals().deficit == socialised
    after = sum(world.health(s).equity for s in shorts)
    assert 0 <= before - after - charged <= 10**12
    assert world.cash(loser) == 0
    assert world.ledger.book(loser).legs == []
    assert world.account(loser).markets == ()


def test_charge__is_what_the_other_side_won_and_each_bears_the_same(
    world: World, bankrupt: tuple[int, list[int], int]
) -> None:
    """Every short is better off than before the crash, none worse than another."""
    loser, shorts, _ = bankrupt
    world.liquidator.resolve(loser)
    values = []
    for short in shorts:
        world.ledger.collect(short, BTC)
        values.append(world.cash(short))
    assert max(values) - min(values) <= 10**11
    assert min(values) > 20_000 * USD


def test_first_and_last_withdrawer__get_the_same(
    world: World, bankrupt: tuple[int, list[int], int]
) -> None:
    loser, shorts, saver = bankrupt
    world.liquidator.resolve(loser)
    socialised = world.custody.totals().deficit
    if socialised == 0:
        with world.as_liquidator():  # of another market, for the sake of the test
            world.ledger.write_off(loser, 0, 5_000 * USD)
    for short in shorts:
        world.ledger.collect(short, BTC)
    world.calm()
    rates = []
    for account in (saver, *shorts):
        units = world.cash(account) // 10**12
        world.withdraw(account, units)
        rates.append(world.token.balanceOf(world.owner_of(account)) * 10**9 // units)
    assert max(rates) - min(rates) <= 1
    assert rates[0] < 10**9


def test_second_resolve__finds_nothing(world: World, bankrupt: tuple[int, list[int], int]) -> None:
    loser, _, _ = bankrupt
    world.liquidator.resolve(loser)
    with boa.reverts("healthy"):
        world.liquidator.resolve(loser)


def test_loser__afterwards__owes_nothing_and_may_come_back(
    world: World, bankrupt: tuple[int, list[int], int]
) -> None:
    loser, _, saver = bankrupt
    world.liquidator.resolve(loser)
    world.calm()
    world.deposit(loser, 1_000 * UNIT)
    world.trade(loser, saver, WAD)
    assert world.size(loser) == WAD


def test_solvency__before_and_after(world: World, bankrupt: tuple[int, list[int], int]) -> None:
    """Invariant 1: claims never exceed tokens and what is recorded as missing."""
    loser, shorts, saver = bankrupt
    people = [loser, *shorts, saver]
    assert world.dust(people) >= 0
    world.liquidator.resolve(loser)
    assert world.dust(people) >= 0
    for short in shorts:
        world.ledger.collect(short, BTC)
    assert world.dust(people) >= 0
