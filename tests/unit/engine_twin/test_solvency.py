"""h, tickets and restoration: no bank run (FORMULAS 8, invariant 12)."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.engine import solvency
from oracle.engine.solvency import LEAST_INDEX, NO_TICKET, Reserve, Ticket
from oracle.engine.units import RAY, Refused

AMOUNT = st.integers(0, 10**30)
UNITS = st.sampled_from([1, 10**12])
INDEX = st.one_of(st.just(RAY), st.integers(LEAST_INDEX, RAY))
HOLDERS = 3


@st.composite
def reserves(draw: st.DrawFn) -> Reserve:
    return Reserve(
        tokens=draw(AMOUNT),
        deficit=draw(AMOUNT),
        tickets=draw(AMOUNT),
        insurance=draw(AMOUNT),
        restored=draw(AMOUNT),
        index=draw(INDEX),
        finals=tuple(draw(st.lists(st.integers(0, LEAST_INDEX - 1), max_size=3))),
    )


def total(reserve: Reserve) -> int:
    """What accounts are owed [USD wad]."""
    return reserve.tokens + reserve.deficit


def held(reserve: Reserve) -> int:
    """All tokens but those that wait [USD wad]."""
    return reserve.tokens + reserve.insurance + reserve.restored


# --- claims --------------------------------------------------------------------------------------


@given(reserves(), st.fractions(0, 1), UNITS)
def test_withdraw__any_claim__leaves_h_no_lower_and_pays_at_most_its_share(
    reserve: Reserve, share: Fraction, unit: int
) -> None:
    claim = int(total(reserve) * share) // unit * unit
    after, ticket, paid = solvency.withdraw(reserve, NO_TICKET, claim, unit)
    exact = claim * solvency.ratio(reserve)
    assert 0 <= exact - paid < unit
    assert paid % unit == 0
    # The claim is gone; what D_h did not cover of its unpaid part is the insurance fund's.
    assert total(reserve) - total(after) == claim
    assert held(reserve) - held(after) == paid
    assert after.tickets - reserve.tickets == claim - paid == ticket.left
    assert reserve.deficit - after.deficit == min(claim - paid, reserve.deficit)
    assert after.insurance - reserve.insurance == claim - paid - (reserve.deficit - after.deficit)
    assert min(after.tokens, after.deficit) >= 0
    assert (after.restored, after.index, after.epoch) == (
        reserve.restored,
        reserve.index,
        reserve.epoch,
    )
    if total(after):
        assert solvency.ratio(after) >= solvency.ratio(reserve)


@given(reserves(), st.lists(st.fractions(0, Fraction(1, 2)), min_size=1, max_size=20), UNITS)
def test_withdraw__many_in_a_row__h_never_falls(
    reserve: Reserve, shares: list[Fraction], unit: int
) -> None:
    for share in shares:
        before = solvency.ratio(reserve)
        claim = int(total(reserve) * share) // unit * unit
        reserve, _, _ = solvency.withdraw(reserve, NO_TICKET, claim, unit)
        if total(reserve):
            assert solvency.ratio(reserve) >= before


@given(reserves(), AMOUNT)
def test_withdraw__without_a_deficit__pays_face_and_issues_no_ticket(
    reserve: Reserve, claim: int
) -> None:
    whole = replace(reserve, deficit=0)
    claim = min(claim, whole.tokens)
    ticket = Ticket(left=7, owed=3, index=RAY, epoch=0)
    after, kept, paid = solvency.withdraw(whole, ticket, claim)
    assert (paid, kept) == (claim, ticket)
    assert after == replace(whole, tokens=whole.tokens - claim)


@given(reserves(), st.integers(1, 10**30))
def test_withdraw__of_more_than_there_is__waits_for_who_owes(reserve: Reserve, more: int) -> None:
    with pytest.raises(Refused, match="reserve"):
        solvency.withdraw(reserve, NO_TICKET, total(reserve) + more)


def test_withdraw__one_unit_at_a_tiny_deficit__the_remainder_is_insurance() -> None:
    reserve = Reserve(tokens=1_000 * 10**12, deficit=5)
    after, ticket, paid = solvency.withdraw(reserve, NO_TICKET, 10**12, 10**12)
    assert (paid, ticket) == (0, Ticket(left=10**12, owed=0, index=RAY, epoch=0))
    assert after == Reserve(
        tokens=999 * 10**12 + 5, deficit=0, tickets=10**12, insurance=10**12 - 5
    )


@given(reserves(), AMOUNT)
def test_deposit__credits_face__and_never_lowers_h(reserve: Reserve, amount: int) -> None:
    after = solvency.deposit(reserve, amount)
    assert after.tokens - reserve.tokens == amount
    if total(reserve):
        assert solvency.ratio(after) >= solvency.ratio(reserve)


@given(reserves(), AMOUNT)
def test_socialise__any_deficit__keeps_claims_equal_to_tokens_and_d_h(
    reserve: Reserve, amount: int
) -> None:
    assert total(solvency.socialise(reserve, amount)) == total(reserve) + amount


@given(reserves(), AMOUNT)
def test_insure__there_and_back__moves_tokens_only(reserve: Reserve, amount: int) -> None:
    after = solvency.insure(reserve, amount)
    assert after.insurance - reserve.insurance == amount
    assert held(after) == held(reserve)
    assert solvency.insure(after, -amount) == reserve


# --- restoration ---------------------------------------------------------------------------------


@given(reserves(), st.fractions(0, 1))
def test_restore__any_income__is_paid_h_and_shared(reserve: Reserve, share: Fraction) -> None:
    claim = int(total(reserve) * share)
    after, rest = solvency.restore(reserve, claim)
    income = solvency.payout(reserve, claim)
    deficit = reserve.deficit - (claim - income)
    owed = deficit + reserve.tickets
    used = min(income, owed)
    assert rest == income - used
    for_tickets = after.restored - reserve.restored
    assert after.deficit == deficit - (used - for_tickets) >= 0
    assert after.tickets == reserve.tickets - for_tickets >= 0
    assert after.insurance == reserve.insurance
    assert held(after) == held(reserve)
    assert total(after) == total(reserve) - claim + rest
    if owed:
        exact = Fraction(used * reserve.tickets, owed)
        assert 0 <= exact - for_tickets < 1


@given(reserves(), st.integers(1, 10**30))
def test_restore__of_more_than_there_is__waits_for_who_owes(reserve: Reserve, more: int) -> None:
    with pytest.raises(Refused, match="reserve"):
        solvency.restore(reserve, total(reserve) + more)


@given(reserves(), st.lists(st.fractions(0, Fraction(1, 2)), min_size=1, max_size=10))
def test_restore__many_in_a_row__h_never_falls(reserve: Reserve, shares: list[Fraction]) -> None:
    """Not even where leavers hold most of what is owed, and with the rest handed to the fund."""
    for share in shares:
        before = solvency.ratio(reserve)
        reserve, rest = solvency.restore(reserve, int(total(reserve) * share))
        reserve = solvency.insure(reserve, rest)
        assert reserve.tokens >= 0
        if total(reserve):
            assert solvency.ratio(reserve) >= before


@given(reserves(), st.fractions(0, 1), st.integers(0, 10**30))
def test_restore__any_part__leaver_and_stayer_recover_alike(
    reserve: Reserve, share: Fraction, left: int
) -> None:
    """A ticket's part is the stayers' but for rounding: two wei and a step of the index."""
    left = min(left, reserve.tickets)
    claim = int(total(reserve) * share)
    after, rest = solvency.restore(reserve, claim)
    ticket = solvency.touched(after, Ticket(left, 0, reserve.index, reserve.epoch))
    assert ticket.left + ticket.owed == left
    assert (ticket.index, ticket.epoch) == (after.index, after.epoch)
    income = solvency.payout(reserve, claim)
    owed = reserve.deficit - (claim - income) + reserve.tickets
    if not owed:
        return
    exact = Fraction(left * (income - rest), owed)
    assert ticket.owed <= exact < ticket.owed + 3 + Fraction(left, reserve.index)
    for_tickets = after.restored - reserve.restored
    if reserve.tickets:
        assert ticket.owed * reserve.tickets <= for_tickets * left


def test_restore__everything_owed__ends_the_deficit_and_the_epoch() -> None:
    reserve = Reserve(tokens=160, deficit=40, tickets=20)
    after, rest = solvency.restore(reserve, 100)  # worth 80: 20 of D_h were the claim's own
    assert rest == 40
    ended = Reserve(tokens=140, deficit=0, tickets=0, restored=20, index=RAY, finals=(0,))
    assert after == ended
    ticket = solvency.touched(after, Ticket(left=20, owed=4, index=RAY, epoch=0))
    assert ticket == Ticket(left=0, owed=24, index=RAY, epoch=1)


def test_restore__half__is_half_for_both() -> None:
    reserve = Reserve(tokens=160, deficit=40, tickets=20)
    after, rest = solvency.restore(reserve, 30)  # worth 24; 34 + 20 are owed then
    assert rest == 0
    assert (after.deficit, after.tickets, after.restored) == (34 - 16, 20 - 8, 8)
    assert (after.tokens, after.index) == (152, -(-RAY * 12 // 20))
    ticket = solvency.touched(after, Ticket(left=10, owed=0, index=RAY, epoch=0))
    assert ticket == Ticket(left=6, owed=4, index=after.index, epoch=0)


def test_restore__nothing_owed_or_nothing_there__changes_nothing() -> None:
    assert solvency.restore(Reserve(tokens=9), 5) == (Reserve(tokens=9), 5)
    reserve = Reserve(tokens=9, deficit=2, tickets=3)
    assert solvency.restore(reserve, 0) == (reserve, 0)


# --- tickets -------------------------------------------------------------------------------------


class Till:
    """A reserve, tickets of a few leavers, and what they collected."""

    def __init__(self, index: int) -> None:
        self.reserve = Reserve(tokens=10**24, index=index)
        self.tickets = [NO_TICKET] * HOLDERS
        self.collected = 0

    def leave(self, holder: int, claim: int, unit: int) -> None:
        claim = min(claim, total(self.reserve)) // unit * unit
        self.reserve, self.tickets[holder], _ = solvency.withdraw(
            self.reserve, self.tickets[holder], claim, unit
        )

    def socialise(self, amount: int) -> None:
        self.reserve = solvency.socialise(self.reserve, amount)

    def restore(self, claim: int) -> None:
        self.reserve, _ = solvency.restore(self.reserve, min(claim, total(self.reserve)))

    def restore_all_but(self, rest: int) -> None:
        """What the claim is not worth is of D_h: it restores all but that."""
        owed = self.reserve.deficit + self.reserve.tickets
        self.reserve = solvency.deposit(self.reserve, owed)  # that the claim is on
        self.restore(max(0, owed - rest))

    def collect(self, holder: int, unit: int = 1) -> None:
        self.reserve, self.tickets[holder], paid = solvency.collect(
            self.reserve, self.tickets[holder], unit
        )
        self.collected += paid

    def check(self) -> None:
        """What tickets may collect is there; what they are still unpaid is at least R."""
        now = [solvency.touched(self.reserve, ticket) for ticket in self.tickets]
        assert sum(ticket.owed for ticket in now) <= self.reserve.restored
        assert sum(ticket.left for ticket in now) >= self.reserve.tickets
        assert min(self.reserve.tokens, self.reserve.deficit, self.reserve.restored) >= 0


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("leave"), st.integers(0, HOLDERS - 1), st.integers(0, 10**23), UNITS),
        st.tuples(st.just("socialise"), st.integers(0, 10**23)),
        st.tuples(st.just("restore"), st.integers(0, 10**24)),
        st.tuples(st.just("restore_all_but"), st.integers(0, 10**7)),
        st.tuples(st.just("collect"), st.integers(0, HOLDERS - 1)),
    ),
    min_size=5,
    max_size=40,
)


@given(STEPS, INDEX)
def test_tickets__any_story__collect_no_more_than_was_restored(
    steps: list[tuple[Any, ...]], index: int
) -> None:
    """Also where epochs end by their index, which begins near its end in some stories."""
    till = Till(index)
    till.socialise(10**22)
    for name, *values in steps:
        getattr(till, name)(*values)
        till.check()


def test_tickets__index_too_small_to_count_with__keep_what_is_left() -> None:
    """All but a wei restored: the epoch ends by its index; the ticket goes on in the next."""
    till = Till(RAY)
    till.socialise(10**22)
    till.leave(0, 10**24, 1)
    unpaid = till.tickets[0].left
    till.restore_all_but(1)
    till.check()
    assert (till.reserve.epoch, till.reserve.tickets, till.reserve.index) == (1, 1, RAY)
    ticket = solvency.touched(till.reserve, till.tickets[0])
    assert ticket.left + ticket.owed == unpaid
    assert ticket.left in (1, 2), "rounded up twice"
    till.leave(1, 10**20, 1)
    till.socialise(10**22)
    till.leave(1, 10**20, 1)
    till.restore_all_but(0)
    till.check()
    assert (till.reserve.tickets, till.reserve.epoch) == (0, 2)
    assert unpaid - solvency.touched(till.reserve, till.tickets[0]).owed in (0, 1)


def test_tickets__untouched_through_two_ended_epochs__are_owed_no_more_than_is_there() -> None:
    """A ticket of the end of an epoch is hardly smaller in the next."""
    till = Till(2 * LEAST_INDEX)
    till.socialise(10**24)
    till.leave(0, 10**24, 1)
    till.restore_all_but((till.reserve.deficit + till.reserve.tickets) * 2 // 5)
    assert till.reserve.epoch == 1
    till.check()
    till.restore_all_but((till.reserve.deficit + till.reserve.tickets) // (2 * 10**18))
    assert till.reserve.epoch == 2
    till.check()
    assert till.reserve.tickets > 1
    till.restore_all_but(0)
    till.check()


def test_tickets__after_an_epoch__a_new_ticket_does_not_share_what_was_restored() -> None:
    till = Till(RAY)
    till.socialise(10**24)
    till.leave(0, 10**20, 1)
    till.reserve = solvency.deposit(till.reserve, 10**24)
    till.restore(2 * 10**24)
    assert (till.reserve.deficit, till.reserve.tickets, till.reserve.epoch) == (0, 0, 1)
    till.socialise(10**24)
    till.leave(1, 10**20, 1)
    till.check()
    first, second = (solvency.touched(till.reserve, ticket) for ticket in till.tickets[:2])
    assert (first.left, first.owed) == (0, 10**20 // 2)
    assert second.owed == 0 < second.left == till.reserve.tickets
    till.collect(0)
    till.collect(0)
    till.collect(1)
    assert (till.collected, till.reserve.restored) == (10**20 // 2, 0)


@pytest.mark.parametrize("holder", [0, 1])
def test_tickets__touched_or_not_in_between__are_paid_alike(holder: int) -> None:
    """Two leavers of the same claim; one collects after every restoration."""
    till = Till(RAY)
    till.socialise(10**24)
    till.leave(0, 10**20, 1)
    till.leave(1, 10**20, 1)
    gap = till.tickets[0].left - till.tickets[1].left
    assert 0 <= gap <= 1
    gained = [0, 0]
    for share in (3, 7, 11, 2):
        till.restore((till.reserve.deficit + till.reserve.tickets) // share)
        gained[holder] += solvency.touched(till.reserve, till.tickets[holder]).owed
        till.collect(holder)
    for each in (0, 1):
        gained[each] += solvency.touched(till.reserve, till.tickets[each]).owed
    till.check()
    assert abs(gained[0] - gained[1]) <= 4 + 1
