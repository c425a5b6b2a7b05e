"""T, D_h, tickets: what is held for whom, in lock-step with the twin, and who recovers what."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import boa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle.engine import solvency
from oracle.engine.solvency import NO_TICKET, Reserve
from tests.support.world import BTC, SETTLEMENT, UNIT, USD, WAD_PER_UNIT, ZERO, World, address_of
from tests.unit.fund.till import Till

PEOPLE = ("one", "two", "three")


class Pair:
    """Custody, and the twin's reserve beside it."""

    def __init__(self, world: World) -> None:
        self.world, self.till = world, Till(world)
        self.accounts = [self.till.account(name, 5_000 + i) for i, name in enumerate(PEOPLE)]
        self.winner = self.till.account("winner", 1)
        self.till.fees(USD)
        world.ledger.sweep(BTC)
        self.tickets = dict.fromkeys(self.accounts, NO_TICKET)
        self.twin = Reserve()
        self.observe()
        self.people = [
            *self.accounts,
            self.winner,
            *(self.till.account(name) for name in ("debtor", "a 0", "b 0", "c 0")),
        ]
        self.dust = world.dust(self.people)

    def observe(self) -> None:
        """Take over what the twin was not told: tokens that came in."""
        self.twin = replace(self.twin, tokens=self.till.totals().tokens)
        self.twin = replace(self.twin, insurance=self.till.totals().insurance)

    def hole(self, amount: int) -> None:
        self.till.hole(amount, self.winner)
        self.twin = solvency.socialise(self.twin, amount)

    def withdraw(self, who: int, units: int) -> None:
        account = self.accounts[who]
        units = min(units, self.world.cash(account) // WAD_PER_UNIT)
        if units <= 0:
            return
        owner = self.world.owner_of(account)
        had = self.world.token.balanceOf(owner)
        self.world.withdraw(account, units)
        self.twin, self.tickets[account], paid = solvency.withdraw(
            self.twin, self.tickets[account], units * WAD_PER_UNIT, WAD_PER_UNIT
        )
        assert (self.world.token.balanceOf(owner) - had) * WAD_PER_UNIT == paid

    def sweep(self, amount: int) -> None:
        self.till.fees(amount)
        self.twin = replace(self.twin, tokens=self.till.totals().tokens)
        after, rest = solvency.restore(self.twin, amount)
        self.world.ledger.sweep(BTC)
        self.twin = solvency.insure(after, rest)

    def collect(self, who: int) -> None:
        account = self.accounts[who]
        self.till.collect(account)
        self.twin, self.tickets[account], _ = solvency.collect(
            self.twin, self.tickets[account], WAD_PER_UNIT
        )

    def check(self) -> None:
        totals, twin = self.till.totals(), self.twin
        assert (totals.tokens, totals.deficit, totals.tickets) == (
            twin.tokens,
            twin.deficit,
            twin.tickets,
        )
        assert (totals.insurance, totals.restored) == (twin.insurance, twin.restored)
        for account in self.accounts:
            ticket = solvency.touched(twin, self.tickets[account])
            assert self.world.custody.ticket_of(account) == (ticket.left, ticket.owed)
        parts = totals.tokens + totals.insurance + totals.restored + totals.waiting
        assert parts == self.till.held()
        assert self.world.dust(self.people) == self.dust, "T + D_h is what is owed"


AMOUNT = st.integers(1, 4_000 * USD)
STORY = st.lists(
    st.one_of(
        st.tuples(st.just("hole"), AMOUNT),
        st.tuples(st.just("withdraw"), st.integers(0, 2), st.integers(1, 3_000 * UNIT)),
        st.tuples(st.just("sweep"), st.integers(1, 300 * USD)),
        st.tuples(st.just("collect"), st.integers(0, 2)),
    ),
    min_size=4,
    max_size=14,
)


@given(story=STORY)
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_story__custody_and_twin_agree_to_the_wei(
    world: World, story: list[tuple[Any, ...]]
) -> None:
    with boa.env.anchor():
        pair = Pair(world)
        pair.hole(1_000 * USD + 1)
        pair.check()
        for name, *values in story:
            getattr(pair, name)(*values)
            pair.check()


def for_tickets_of(totals: Any, claim: int) -> tuple[int, int]:
    """What income restores of tickets and of D_h: it is worth h like any claim (FORMULAS 8)."""
    lost = claim - claim * totals.tokens // (totals.tokens + totals.deficit)
    deficit = totals.deficit - lost
    used = min(claim - lost, deficit + totals.tickets)
    part = used * totals.tickets // (deficit + totals.tickets)
    return part, lost + used - part


# --- h -------------------------------------------------------------------------------------------


def test_withdraw__at_h__pays_the_floor_and_the_rest_is_a_ticket(world: World) -> None:
    """T 15,000 and D_h 5,000: h = 3/4. A claim of 1,001 units and a third of one."""
    till = Till(world)
    stayer, leaver = till.account("stayer", 10_000), till.account("leaver", 5_000)
    till.hole(5_000 * USD, till.account("winner"))
    assert till.ratio() == (15_000 * USD, 20_000 * USD)
    world.withdraw(leaver, 1_001)
    paid = 1_001 * 3 // 4
    assert world.token.balanceOf(address_of("leaver")) == paid
    unpaid = (1_001 - paid) * WAD_PER_UNIT
    assert world.custody.ticket_of(leaver) == (unpaid, 0)
    totals = till.totals()
    assert totals.tickets == unpaid
    assert totals.deficit == 5_000 * USD - unpaid
    tokens, claims = till.ratio()
    assert tokens * 4 >= claims * 3, "h is no lower"
    assert world.cash(stayer) == 10_000 * USD


@pytest.mark.parametrize("deficit", [1, 2, WAD_PER_UNIT - 1, WAD_PER_UNIT, WAD_PER_UNIT + 1])
def test_withdraw__a_hole_of_about_a_unit__conserves(world: World, deficit: int) -> None:
    """What D_h no longer covers of the rounding is the insurance fund's, never lost."""
    till = Till(world)
    leaver = till.account("leaver", 10)
    till.hole(deficit, till.account("winner"))
    world.withdraw(leaver, 10 * UNIT)
    totals = till.totals()
    paid = world.token.balanceOf(address_of("leaver"))
    unpaid = (10 * UNIT - paid) * WAD_PER_UNIT
    assert 0 < unpaid <= 2 * WAD_PER_UNIT
    assert totals.tickets == unpaid
    assert totals.deficit == max(0, deficit - unpaid)
    assert totals.insurance == max(0, unpaid - deficit)
    assert totals.tokens + totals.insurance == unpaid


@pytest.mark.parametrize("part", [0, 1, 10**6, 499 * USD, 1_000 * USD - 10**6, 1_000 * USD])
def test_leaver_and_stayer__recover_alike(world: World, part: int) -> None:
    """Half of 2,000 left at h = 1/2; what comes back is shared by what each misses."""
    till = Till(world)
    till.account("stayer", 500)
    leaver = till.account("leaver", 500)
    till.fees(1)
    world.ledger.sweep(BTC)
    for name in ("a 0", "b 0", "c 0"):
        account = till.account(name)
        with world.as_liquidator():
            if world.ledger.book(account).legs:
                world.ledger.close_at_mark(account, 0, ZERO, [])
    till.hole(1_000 * USD, till.account("winner"))
    before = till.totals()
    world.withdraw(leaver, 500 * UNIT)
    totals = till.totals()
    missing_of_leaver = world.custody.ticket_of(leaver)[0]
    assert totals.deficit + totals.tickets == before.deficit
    with boa.env.prank(world.ledger.address):
        world.custody.distribute(BTC, part)
    after = till.totals()
    for_tickets, for_deficit = for_tickets_of(totals, part)
    left, restored = world.custody.ticket_of(leaver)
    assert left + restored == missing_of_leaver
    assert for_tickets - 1 <= restored <= for_tickets
    assert after.restored == for_tickets
    assert totals.deficit - after.deficit == for_deficit
    assert after.insurance - totals.insurance == part - for_tickets - for_deficit
    assert after.tokens * (totals.tokens + totals.deficit) >= totals.tokens * (
        after.tokens + after.deficit
    ), "h does not fall"


def test_restoration__is_before_the_fund(world: World) -> None:
    """Fees of 10: D_h of 4 and a ticket come first, then the bucket."""
    till = Till(world)
    leaver = till.account("leaver", 100)
    till.account("stayer", 10_000)
    with world.as_owner():
        world.fund.set_bucket_cap(BTC, 10**30)
    till.hole(4 * USD, till.account("winner"))
    world.withdraw(leaver, 100 * UNIT)
    owed = till.totals().deficit + till.totals().tickets
    assert owed == 4 * USD
    before = till.totals().insurance
    till.fees(10 * USD)
    opened = till.totals().insurance - before  # fees of opening came first
    owed = till.totals().deficit + till.totals().tickets
    world.ledger.sweep(BTC)
    totals = till.totals()
    assert (totals.deficit, totals.tickets) == (0, 0)
    assert totals.insurance - before - opened == 10 * USD - owed
    assert world.fund.bucket_of(BTC) == totals.insurance - before
    left, restored = world.custody.ticket_of(leaver)
    assert left == 0
    assert restored == totals.restored
    till.collect(leaver)
    till.release(address_of("leaver"))
    waits = world.custody.waiting(SETTLEMENT, address_of("leaver"))
    assert world.token.balanceOf(address_of("leaver")) * WAD_PER_UNIT + waits == 100 * USD


def test_joiner__between_two_restorations__has_no_part_of_the_first(world: World) -> None:
    till = Till(world)
    first, second = till.account("first", 1_000), till.account("second", 1_000)
    till.account("stayer", 8_000)
    till.fees(1)
    world.ledger.sweep(BTC)
    till.hole(5_000 * USD, till.account("winner"))
    world.withdraw(first, 1_000 * UNIT)
    one = world.custody.ticket_of(first)[0]
    till.fees(500 * USD)
    world.ledger.sweep(BTC)
    assert world.custody.ticket_of(second) == (0, 0)
    world.withdraw(second, 1_000 * UNIT)
    two = world.custody.ticket_of(second)[0]
    left, owed = world.custody.ticket_of(first)
    assert left + owed == one
    till.fees(500 * USD)
    share, _ = for_tickets_of(till.totals(), 500 * USD)
    world.ledger.sweep(BTC)
    gained = [world.custody.ticket_of(a)[1] for a in (first, second)]
    gained[0] -= owed
    assert share - 4 <= sum(gained) <= share
    assert abs(gained[0] * two - gained[1] * left) <= 4 * max(left, two)


def test_epoch__all_restored__the_next_ticket_starts_anew(world: World) -> None:
    till = Till(world)
    first, second = till.account("first", 1_000), till.account("second", 1_000)
    till.account("stayer", 8_000)
    till.fees(1)
    world.ledger.sweep(BTC)
    till.hole(50 * USD, till.account("winner"))
    world.withdraw(first, 1_000 * UNIT)
    one = world.custody.ticket_of(first)[0]
    till.fees(60 * USD)
    world.ledger.sweep(BTC)
    assert world.custody.ticket_of(first) == (0, one)
    assert till.totals().restored == one
    till.hole(50 * USD, till.account("winner"))
    world.withdraw(second, 1_000 * UNIT)
    two = world.custody.ticket_of(second)
    assert two[1] == 0
    assert till.totals().tickets == two[0]
    assert world.custody.ticket_of(first) == (0, one)
    till.collect(first)
    assert till.totals().restored == 0
    till.collect(first)
    till.collect(second)
    assert world.custody.ticket_of(second) == two, "collecting nothing changes nothing"


def test_deposit__while_short__credits_face_and_raises_h(world: World) -> None:
    till = Till(world)
    saver = till.account("saver", 1_000)
    till.hole(1_000 * USD, till.account("winner"))
    world.deposit(saver, 1_000 * UNIT)
    assert world.cash(saver) == 2_000 * USD
    assert till.ratio() == (2_000 * USD, 3_000 * USD)


def test_transfer__while_short__is_at_face(world: World) -> None:
    till = Till(world)
    giver, taker = till.account("giver", 1_000), till.account("taker")
    till.hole(1_000 * USD, till.account("winner"))
    world.transfer(giver, taker, 700 * USD)
    assert (world.cash(giver), world.cash(taker)) == (300 * USD, 700 * USD)
    assert till.ratio() == (1_000 * USD, 2_000 * USD)


# --- who may -------------------------------------------------------------------------------------


def test_verbs_of_the_ledger__anyone_else__refused(world: World) -> None:
    account = world.open("somebody")
    for caller in (world.owner, world.liquidator.address, world.fund.address):
        with boa.env.prank(caller):
            for call in (
                lambda: world.custody.pay_claim(account, caller, 1),  # noqa: B023
                lambda: world.custody.credit(caller, 1),  # noqa: B023
                lambda: world.custody.socialise(1),
                lambda: world.custody.distribute(BTC, 1),
            ):
                with boa.reverts("not ledger"):
                    call()


def test_verbs_of_the_fund__anyone_else__refused(world: World) -> None:
    for caller in (world.owner, world.liquidator.address, world.ledger.address):
        with boa.env.prank(caller):
            for call in (
                lambda: world.custody.add_insurance(1),
                lambda: world.custody.use_insurance(1),
                lambda: world.custody.pay_insurance(caller, 1),  # noqa: B023
            ):
                with boa.reverts("not fund"):
                    call()


def test_collect_ticket__of_anothers_account__refused(world: World) -> None:
    till = Till(world)
    leaver = till.account("leaver", 1_000)
    till.hole(1_000 * USD, till.account("winner"))
    world.withdraw(leaver, 1_000 * UNIT)
    with boa.env.prank(address_of("thief")), boa.reverts("not your account"):
        world.custody.collect_ticket(leaver, address_of("thief"))


def test_set_insurance_fund__twice__refused(world: World) -> None:
    with world.as_owner(), boa.reverts("not fund"):
        world.custody.set_insurance_fund(world.fund.address)


# --- gifts ---------------------------------------------------------------------------------------


def test_tokens_sent_directly__are_the_accounts(world: World) -> None:
    """They raise T and h, no claim and no one's assets."""
    till = Till(world)
    till.account("saver", 1_000)
    till.hole(1_000 * USD, till.account("winner"))
    world.token.mint(world.custody.address, 500 * UNIT)
    totals = till.totals()
    assert (totals.tokens, totals.deficit) == (1_500 * USD, 1_000 * USD)
    assert (totals.insurance, totals.restored, totals.waiting) == (0, 0, 0)
