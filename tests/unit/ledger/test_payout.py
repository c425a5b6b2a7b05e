"""FORMULAS 8: with a socialised deficit D_h a claim pays h = T/(T + D_h); h never falls by it."""

from __future__ import annotations

import random
from fractions import Fraction

import boa
import pytest

from tests.support.world import SETTLEMENT, UNIT, USD, WAD_PER_UNIT, World, events_of


def socialise(world: World, amount: int) -> None:
    """A deficit nobody could be charged for."""
    account = world.open("lost")
    with world.as_liquidator():
        world.ledger.write_off(account, 0, amount)


def ratio(world: World) -> Fraction:
    totals = world.custody.totals()
    if totals.deficit == 0:
        return Fraction(1)
    return Fraction(totals.tokens, totals.tokens + totals.deficit)


def test_withdraw__with_a_deficit__pays_the_ratio_and_writes_a_ticket(world: World) -> None:
    first, second = world.open("first", 300), world.open("second", 700)
    socialise(world, 250 * USD)
    world.withdraw(first, 300 * UNIT)
    paid = 300 * 1_000 * USD // 1_250 // WAD_PER_UNIT * WAD_PER_UNIT
    assert paid == 240 * USD
    owner = world.owner_of(first)
    assert events_of(world.ledger, "Withdrawn") == [("Withdrawn", first, 300 * USD, owner)]
    assert events_of(world.ledger, "TicketIssued") == [("TicketIssued", first, 60 * USD)]
    assert events_of(world.ledger, "Paid") == [("Paid", owner, SETTLEMENT, paid, 0)]
    assert world.token.balanceOf(owner) == 240 * UNIT
    assert world.custody.ticket_of(first)[0] == 60 * USD
    assert tuple(world.custody.totals()) == (760 * USD, 190 * USD, 60 * USD, 0, 0, 0)
    assert world.cash(first) == 0
    assert world.custody.ticket_of(second)[0] == 0


def test_withdraw__first_and_last__get_the_same_share(world: World) -> None:
    savers = [world.open(f"saver {i}", 1_000) for i in range(4)]
    socialise(world, 777 * USD)
    for saver in savers:
        world.withdraw(saver, 1_000 * UNIT)
    paid = [world.token.balanceOf(world.owner_of(saver)) for saver in savers]
    assert max(paid) - min(paid) <= len(savers)
    assert sum(paid) <= 4_000 * UNIT
    totals = world.custody.totals()
    unpaid = 4_000 * USD - sum(paid) * WAD_PER_UNIT
    assert totals.tickets == unpaid == sum(world.custody.ticket_of(s)[0] for s in savers)
    assert totals.tokens == 4_000 * USD - sum(paid) * WAD_PER_UNIT


def test_withdraw__in_many_small_claims__pays_no_more_than_in_one(world: World) -> None:
    saver, other = world.open("saver", 100), world.open("other", 900)
    socialise(world, 333 * USD)
    with boa.env.anchor():
        world.withdraw(saver, 100 * UNIT)
        at_once = world.token.balanceOf(world.owner_of(saver))
    for units in (1, 2, 3, 7 * UNIT, 13 * UNIT + 1, 80 * UNIT - 7):
        world.withdraw(saver, units)
    in_parts = world.token.balanceOf(world.owner_of(saver))
    assert at_once - 6 <= in_parts <= at_once
    assert world.cash(other) == 900 * USD


def test_withdraw__random_amounts__h_never_falls_and_books_agree(world: World) -> None:
    rng = random.Random(8)
    savers = [world.open(f"saver {i}", 1_000) for i in range(3)]
    socialise(world, 123_456_789_012_345_678_901)
    h = ratio(world)
    for _ in range(25):
        saver = rng.choice(savers)
        most = world.cash(saver) // WAD_PER_UNIT
        if not most:
            continue
        before = world.custody.totals()
        units = rng.choice([1, 2, 3, rng.randint(1, most)])
        world.withdraw(saver, min(units, most))
        claim = min(units, most) * WAD_PER_UNIT
        after = world.custody.totals()
        insured = after.insurance - before.insurance
        paid = before.tokens - after.tokens - insured
        whole = before.tokens + before.deficit
        assert paid == claim * before.tokens // whole // WAD_PER_UNIT * WAD_PER_UNIT
        assert before.deficit - after.deficit == min(claim - paid, before.deficit)
        assert after.tickets - before.tickets == claim - paid
        assert insured == claim - paid - (before.deficit - after.deficit)
        assert ratio(world) >= h
        h = ratio(world)


def test_withdraw__one_unit_at_a_tiny_deficit__pays_nothing_and_clears_it(world: World) -> None:
    """A remainder of the unit that D_h no longer covers is the insurance fund's."""
    saver = world.open("saver", 1_000)
    socialise(world, 5)
    world.withdraw(saver, 1)
    assert world.token.balanceOf(world.owner_of(saver)) == 0
    totals = world.custody.totals()
    rest = WAD_PER_UNIT - 5
    assert tuple(totals) == (1_000 * USD - rest, 0, WAD_PER_UNIT, rest, 0, 0)
    assert totals.tokens == world.cash(saver) + 5, "the loss that nobody had"
    assert world.custody.ticket_of(saver)[0] == WAD_PER_UNIT
    world.withdraw(saver, 1_000 * UNIT - 1)
    assert world.token.balanceOf(world.owner_of(saver)) == 1_000 * UNIT - 1


def test_withdraw__no_tokens_left_but_a_deficit__is_all_ticket(world: World) -> None:
    saver, winner = world.open("saver", 100), world.open("winner")
    world.transfer(saver, winner, 50 * USD)
    socialise(world, 100 * USD)
    with world.as_liquidator():
        world.ledger.write_off(world.open("lost too"), 0, 10**30)
    world.withdraw(saver, 50 * UNIT)
    assert world.token.balanceOf(world.owner_of(saver)) == 0
    assert world.custody.ticket_of(saver)[0] == 50 * USD


def test_deposit__with_a_deficit__credits_face(world: World) -> None:
    saver = world.open("saver", 1_000)
    socialise(world, 1_000 * USD)
    late = world.open("late", 500)
    assert world.cash(late) == 500 * USD
    assert ratio(world) == Fraction(1_500, 2_500)
    assert world.cash(saver) == 1_000 * USD


def test_transfer__with_a_deficit__moves_face(world: World) -> None:
    giver, taker = world.open("giver", 1_000), world.open("taker")
    socialise(world, 1_000 * USD)
    world.transfer(giver, taker, 400 * USD)
    assert (world.cash(giver), world.cash(taker)) == (600 * USD, 400 * USD)


@pytest.mark.parametrize("excess", [0, 1])
def test_withdraw__of_more_than_the_tokens_held__reverts(world: World, excess: int) -> None:
    """Cash that a debtor's collateral stands for cannot be paid yet; what is there can."""
    debtor = world.make_debtor("debtor", 500 * USD)
    bank = world.bank()
    with boa.env.anchor():
        assert world.custody.totals().tokens < world.cash(bank)
        held = world.custody.totals().tokens // WAD_PER_UNIT
        if excess:
            with boa.reverts():
                world.withdraw(bank, held + excess)
        else:
            world.withdraw(bank, held)
            assert world.custody.totals().tokens < WAD_PER_UNIT
    assert world.cash(debtor) == -500 * USD
