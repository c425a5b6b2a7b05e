"""h, tickets and restoration: no bank run (FORMULAS 8, invariant 12)."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from oracle.engine import solvency
from oracle.engine.solvency import Reserve
from oracle.engine.units import Ray, Usd

AMOUNT = st.integers(0, 10**30)


@st.composite
def reserves(draw: st.DrawFn) -> Reserve:
    return Reserve(
        tokens=Usd(draw(AMOUNT)),
        deficit=Usd(draw(AMOUNT)),
        tickets=Usd(draw(AMOUNT)),
        index=Ray(0),
    )


def total(reserve: Reserve) -> int:
    return reserve.tokens + reserve.deficit


@given(reserves(), st.fractions(0, 1))
def test_withdraw__any_claim__leaves_h_no_lower_and_pays_at_most_its_share(
    reserve: Reserve, share: Fraction
) -> None:
    claim = int(total(reserve) * share)
    after, paid = solvency.withdraw(reserve, claim)
    assert paid <= claim * solvency.ratio(reserve)
    assert total(reserve) - total(after) == claim
    assert after.tickets - reserve.tickets == claim - paid
    assert min(after.tokens, after.deficit) >= 0
    if total(after):
        assert solvency.ratio(after) >= solvency.ratio(reserve)


@given(reserves(), st.lists(st.fractions(0, Fraction(1, 2)), min_size=1, max_size=20))
def test_withdraw__many_in_a_row__h_never_falls(reserve: Reserve, shares: list[Fraction]) -> None:
    for share in shares:
        before = solvency.ratio(reserve)
        reserve, _ = solvency.withdraw(reserve, int(total(reserve) * share))
        if total(reserve):
            assert solvency.ratio(reserve) >= before


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
def test_restore__any_amount__leaver_and_stayer_recover_alike(
    reserve: Reserve, amount: int
) -> None:
    after, for_deficit, for_tickets = solvency.restore(reserve, amount)
    owed = reserve.deficit + reserve.tickets
    assert for_deficit + for_tickets == min(amount, owed)
    assert total(after) == total(reserve)
    assert (after.deficit, after.tickets) == (
        reserve.deficit - for_deficit,
        reserve.tickets - for_tickets,
    )
    if owed:
        exact = Fraction(min(amount, owed) * reserve.tickets, owed)
        assert 0 <= exact - for_tickets < 1
        # The index never pays out more than was set aside.
        assert Fraction(reserve.tickets * after.index, 10**27) <= for_tickets
    if total(reserve):
        assert solvency.ratio(after) >= solvency.ratio(reserve)


def test_restore__everything_owed__ends_the_deficit() -> None:
    reserve = Reserve(tokens=Usd(50), deficit=Usd(30), tickets=Usd(20), index=Ray(0))
    after, for_deficit, for_tickets = solvency.restore(reserve, 100)
    assert (for_deficit, for_tickets) == (30, 20)
    assert (after.tokens, after.deficit, after.tickets) == (80, 0, 0)
