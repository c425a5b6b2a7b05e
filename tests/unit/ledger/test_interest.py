"""Interest on negative cash (FORMULAS 9): what it is, when it stops, and how touches round."""

from __future__ import annotations

from fractions import Fraction

import boa
import pytest

from oracle.engine import interest as twin
from tests.support.world import RAY, UNIT, USD, WAD, World, address_of, ceil_div, events

YEAR = 365 * 86_400
TEN_PERCENT = twin.ray_per_second(100_000)
MOST = RAY // YEAR


def set_rate(world: World, rate: int) -> None:
    with world.as_owner():
        world.ledger.set_interest_rate(rate)


def owed(world: World, debtor: int) -> int:
    return -world.ledger.book(debtor).cash


def touch(world: World, account: int) -> None:
    world.ledger.collect(account, 0)


def test_set_interest_rate__by_the_owner__starts_the_index_from_where_it_is(world: World) -> None:
    set_rate(world, TEN_PERCENT)
    assert events(world.ledger) == [("InterestRateSet", TEN_PERCENT)]
    assert tuple(world.ledger.interest()) == (TEN_PERCENT, 0, world.system.time)
    start = world.system.time
    world.system.wait(1_000)
    set_rate(world, 0)
    assert tuple(world.ledger.interest()) == (0, 1_000 * TEN_PERCENT, start + 1_000)
    world.system.wait(1_000)
    set_rate(world, 7)
    assert tuple(world.ledger.interest()) == (7, 1_000 * TEN_PERCENT, start + 2_000)


def test_set_interest_rate__above_all_of_it_a_year__reverts(world: World) -> None:
    set_rate(world, MOST)
    with boa.reverts("rate"):
        set_rate(world, MOST + 1)


def test_set_interest_rate__by_anyone_else__reverts(world: World) -> None:
    for caller in (address_of("stranger"), world.guardian, world.liquidator.address):
        with boa.env.prank(caller), boa.reverts("not owner"):
            world.ledger.set_interest_rate(1)


def test_interest__ten_percent_for_a_year__is_ten_percent(world: World) -> None:
    """ACC-1: in one step exactly the formula, and within 1e-9 of 10 %."""
    debtor = world.make_debtor("debtor", 1_000 * USD)
    set_rate(world, TEN_PERCENT)
    world.system.wait(YEAR)
    due = ceil_div(1_000 * USD * TEN_PERCENT * YEAR, RAY)
    assert owed(world, debtor) == 1_000 * USD + due
    assert 0 <= 100 * USD - due <= 100 * USD // 10**9
    touch(world, debtor)
    assert world.cash(debtor) == -(1_000 * USD + due)
    assert world.ledger.interest_collected() == due
    assert world.ledger.interest_index_of(debtor) == TEN_PERCENT * YEAR


def test_interest__view__is_what_the_touch_books(world: World) -> None:
    """LIQ-17: view health is health after settling."""
    debtor = world.make_debtor("debtor", 12_345 * USD + 678)
    set_rate(world, TEN_PERCENT)
    for seconds in (0, 1, 59, 3_600, 86_400 * 17 + 3):
        world.system.wait(seconds)
        seen = world.ledger.book(debtor).cash
        touch(world, debtor)
        assert world.cash(debtor) == seen == world.ledger.book(debtor).cash


@pytest.mark.parametrize("debt", [1, 999, 10**12, 10**23])
def test_interest__in_many_touches__is_the_formula_step_by_step(world: World, debt: int) -> None:
    """Each touch rounds up to the wei, in the protocol's favour, and books what it takes."""
    debtor = world.make_debtor("debtor", debt, tokens=5_000)
    set_rate(world, TEN_PERCENT)
    collected = world.ledger.interest_collected()
    expected = debt
    for seconds in (1, 1, 2, 60, 3_599, 0, 86_400):
        world.system.wait(seconds)
        expected += ceil_div(expected * TEN_PERCENT * seconds, RAY)
        touch(world, debtor)
        assert world.cash(debtor) == -expected
    assert world.ledger.interest_collected() - collected == expected - debt


def test_interest__in_n_touches__is_at_least_one_step_and_at_most_the_compound(
    world: World,
) -> None:
    debt, n, step = 10**21, 12, YEAR // 12
    debtor = world.make_debtor("debtor", debt)
    set_rate(world, TEN_PERCENT)
    once = ceil_div(debt * TEN_PERCENT * step * n, RAY)
    for _ in range(n):
        world.system.wait(step)
        touch(world, debtor)
    compound = Fraction(debt) * (1 + Fraction(TEN_PERCENT * step, RAY)) ** n - debt
    assert once <= owed(world, debtor) - debt <= compound + 2 * n


def test_interest__many_tiny_steps__never_vanish(world: World) -> None:
    """ACC-9: at 1 second and the smallest rate a wei is due each time, not nothing."""
    debtor = world.make_debtor("debtor", 1_000 * USD)
    set_rate(world, 1)
    for _ in range(10):
        world.system.wait(1)
        touch(world, debtor)
    assert owed(world, debtor) == 1_000 * USD + 10


def test_interest__positive_cash__earns_and_pays_nothing(world: World) -> None:
    saver = world.open("saver", 1_000)
    set_rate(world, MOST)
    world.system.wait(YEAR)
    touch(world, saver)
    assert world.cash(saver) == 1_000 * USD
    assert world.ledger.interest_index_of(saver) == 0


def test_interest__paused_time__is_not_counted(world: World) -> None:
    debtor = world.make_debtor("debtor", 1_000 * USD)
    set_rate(world, TEN_PERCENT)
    world.system.wait(1_000)
    before = owed(world, debtor)
    assert before == 1_000 * USD + ceil_div(1_000 * USD * TEN_PERCENT * 1_000, RAY)
    with world.as_guardian():
        world.engine.pause()
    world.system.wait(50_000)
    assert owed(world, debtor) == before
    with world.as_guardian():
        world.engine.unpause()
    assert owed(world, debtor) == before
    world.system.wait(1_000)
    assert owed(world, debtor) == 1_000 * USD + ceil_div(1_000 * USD * TEN_PERCENT * 2_000, RAY)


def test_interest__rate_changed__counts_each_for_its_time(world: World) -> None:
    debtor = world.make_debtor("debtor", 1_000 * USD)
    set_rate(world, TEN_PERCENT)
    world.system.wait(1_000)
    set_rate(world, 3 * TEN_PERCENT)
    world.system.wait(500)
    grown = 1_000 * TEN_PERCENT + 500 * 3 * TEN_PERCENT
    assert owed(world, debtor) == 1_000 * USD + ceil_div(1_000 * USD * grown, RAY)


def test_interest__debt_made_later__starts_at_the_index_of_its_time(world: World) -> None:
    set_rate(world, TEN_PERCENT)
    world.pass_time(1_200)
    debtor = world.make_debtor("debtor", 1_000 * USD)
    assert owed(world, debtor) == 1_000 * USD
    world.system.wait(100)
    assert owed(world, debtor) == 1_000 * USD + ceil_div(1_000 * USD * TEN_PERCENT * 100, RAY)


def test_interest__debt_paid_and_made_again__has_no_memory(world: World) -> None:
    debtor, helper = world.make_debtor("debtor", 100 * USD), world.open("helper", 1_000)
    set_rate(world, TEN_PERCENT)
    world.system.wait(100)
    world.transfer(helper, debtor, owed(world, debtor))
    assert world.cash(debtor) == 0
    world.pass_time(900)
    assert owed(world, debtor) == 0
    world.make_debtor("debtor two", 1)
    assert owed(world, debtor) == 0


def test_interest__is_the_protocols_and_conserved(world: World) -> None:
    """What the debtor owes more is what the protocol may claim more: nothing from nowhere."""
    debtor = world.make_debtor("debtor", 1_000 * USD)
    people = [debtor, world.bank()]
    dust = world.dust(people)
    set_rate(world, TEN_PERCENT)
    world.pass_time(600)
    touch(world, debtor)
    assert world.ledger.interest_collected() > 0
    assert world.dust(people) == dust >= 0


def test_interest__deposit_of_a_unit_by_a_stranger__only_books_it(world: World) -> None:
    """The value of the debt does not change by a touch, but for a wei."""
    debtor = world.make_debtor("debtor", 1_000 * USD)
    set_rate(world, TEN_PERCENT)
    world.system.wait(86_400)
    seen = owed(world, debtor)
    stranger = address_of("stranger")
    world.token.mint(stranger, 1)
    with boa.env.prank(stranger):
        world.token.approve(world.ledger.address, 1)
        world.ledger.deposit(debtor, 1)
    assert owed(world, debtor) == seen - WAD // UNIT
