"""h, tickets and restoration: no bank run (FORMULAS 8, invariant 12)."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from oracle.engine import solvency
from oracle.engine.solvency import Custody
from oracle.engine.units import Ray, Usd

AMOUNT = st.integers(0, 10**30)


@st.composite
def custodies(draw: st.DrawFn) -> Custody:
    return Custody(
        tokens=Usd(draw(AMOUNT)),
        deficit=Usd(draw(AMOUNT)),
        tickets=Usd(draw(AMOUNT)),
        index=Ray(0),
    )


def total(custody: Custody) -> int:
    return custody.tokens + custody.deficit


@given(custodies(), st.fractions(0, 1))
def test_withdraw__any_claim__leaves_h_no_lower_and_pays_at_most_its_share(
    custody: Custody, share: Fraction
) -> None:
    claim = int(total(custody) * share)
    after, paid = solvency.withdraw(custody, claim)
    assert paid <= claim * solvency.ratio(custody)
    assert total(custody) - total(after) == claim
    assert after.tickets - custody.tickets == claim - paid
    assert min(after.tokens, after.deficit) >= 0
    if total(after):
        assert solvency.ratio(after) >= solvency.ratio(custody)


@given(custodies(), st.lists(st.fractions(0, Fraction(1, 2)), min_size=1, max_size=20))
def test_withdraw__many_in_a_row__h_never_falls(custody: Custody, shares: list[Fraction]) -> None:
    for share in shares:
        before = solvency.ratio(custody)
        custody, _ = solvency.withdraw(custody, int(total(custody) * share))
        if total(custody):
            assert solvency.ratio(custody) >= before


@given(custodies(), AMOUNT)
def test_deposit__credits_face__and_never_lowers_h(custody: Custody, amount: int) -> None:
    after = solvency.deposit(custody, amount)
    assert after.tokens - custody.tokens == amount
    if total(custody):
        assert solvency.ratio(after) >= solvency.ratio(custody)


@given(custodies(), AMOUNT)
def test_socialise__any_deficit__keeps_claims_equal_to_tokens_and_d_h(
    custody: Custody, amount: int
) -> None:
    assert total(solvency.socialise(custody, amount)) == total(custody) + amount


@given(custodies(), AMOUNT)
def test_restore__any_amount__leaver_and_stayer_recover_alike(
    custody: Custody, amount: int
) -> None:
    after, for_deficit, for_tickets = solvency.restore(custody, amount)
    owed = custody.deficit + custody.tickets
    assert for_deficit + for_tickets == min(amount, owed)
    assert total(after) == total(custody)
    assert (after.deficit, after.tickets) == (
        custody.deficit - for_deficit,
        custody.tickets - for_tickets,
    )
    if owed:
        exact = Fraction(min(amount, owed) * custody.tickets, owed)
        assert 0 <= exact - for_tickets < 1
        # The index never pays out more than was set aside.
        assert Fraction(custody.tickets * after.index, 10**27) <= for_tickets
    if total(custody):
        assert solvency.ratio(after) >= solvency.ratio(custody)


def test_restore__everything_owed__ends_the_deficit() -> None:
    custody = Custody(tokens=Usd(50), deficit=Usd(30), tickets=Usd(20), index=Ray(0))
    after, for_deficit, for_tickets = solvency.restore(custody, 100)
    assert (for_deficit, for_tickets) == (30, 20)
    assert (after.tokens, after.deficit, after.tickets) == (80, 0, 0)
