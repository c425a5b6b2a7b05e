"""Who pays a hole: D = b + Σc + d in integers, each within its bounds (FORMULAS 2)."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.engine import waterfall
from oracle.engine.waterfall import Loser

AMOUNT = st.integers(0, 10**30)


@st.composite
def losers(draw: st.DrawFn) -> list[Loser]:
    count = draw(st.integers(0, 16))
    return [
        Loser(market=m, loss=draw(AMOUNT), bucket=draw(AMOUNT), ceiling=draw(AMOUNT))
        for m in range(count)
    ]


@given(deficit=AMOUNT, legs=losers(), fund=AMOUNT, interest=AMOUNT)
def test_resolve_deficit__any_book__sums_exactly_and_keeps_every_bound(
    deficit: int, legs: list[Loser], fund: int, interest: int
) -> None:
    found = waterfall.resolve_deficit(deficit, legs, fund, interest)
    assert found.paid + found.charged + found.socialised == deficit
    assert found.paid <= fund
    assert found.socialised >= 0
    assert found.interest <= interest
    for leg, share in zip(legs, found.shares, strict=True):
        assert 0 <= share.paid <= min(leg.bucket, share.deficit)
        assert 0 <= share.charge <= min(leg.loss, leg.ceiling)
        assert share.paid + share.charge <= share.deficit


@given(deficit=AMOUNT, losses=st.lists(AMOUNT, min_size=1, max_size=16))
def test_split__any_losses__is_proportional_and_exact(deficit: int, losses: list[int]) -> None:
    parts = waterfall.split_deficit(deficit, losses)
    total = sum(losses)
    if total == 0:
        assert parts == [0] * len(losses)
        return
    assert sum(parts) == deficit
    last = max(i for i, loss in enumerate(losses) if loss)
    for i, (loss, part) in enumerate(zip(losses, parts, strict=True)):
        exact = Fraction(deficit * loss, total)
        assert 0 <= part - math.floor(exact) < (len(losses) if i == last else 1)
        assert part == 0 or loss > 0


@given(losses=st.lists(AMOUNT, min_size=1, max_size=16), share=st.fractions(0, 1))
def test_split__deficit_within_the_losses__never_exceeds_a_leg_s_loss(
    losses: list[int], share: Fraction
) -> None:
    """With cash >= 0 before, D <= W, so each implied price lies between mark and break-even."""
    deficit = math.floor(sum(losses) * share)
    parts = waterfall.split_deficit(deficit, losses)
    for part, loss in zip(parts, losses, strict=True):
        assert part <= loss + len(losses)


def test_resolve_deficit__flat_debtor__takes_the_interest_bucket_then_socialises() -> None:
    found = waterfall.resolve_deficit(100, [], fund_assets=70, interest_bucket=60)
    assert (found.interest, found.socialised) == (60, 40)
    found = waterfall.resolve_deficit(100, [], fund_assets=50, interest_bucket=60)
    assert (found.interest, found.socialised) == (50, 50)


def test_resolve_deficit__order__bucket_then_charge_then_socialised() -> None:
    legs = [Loser(0, loss=30, bucket=5, ceiling=10), Loser(1, loss=10, bucket=0, ceiling=100)]
    found = waterfall.resolve_deficit(40, legs, fund_assets=100)
    assert [(s.deficit, s.paid, s.charge) for s in found.shares] == [(30, 5, 10), (10, 0, 10)]
    assert found.socialised == 15


@given(
    opposite=st.integers(0, 10**30),
    rate=st.integers(1, 10**6),
    reference=st.integers(1, 10**27),
    favour=st.integers(0, 10**27),
    charged=AMOUNT,
)
def test_charge_ceiling__any_market__rounds_down(
    opposite: int, rate: int, reference: int, favour: int, charged: int
) -> None:
    per_unit = Fraction(rate * reference, 10**6) + favour
    exact = opposite * per_unit / 10**18 - charged
    found = waterfall.charge_ceiling(opposite, rate, reference, favour, charged)
    assert found == max(0, math.floor(exact))


@pytest.mark.parametrize(
    ("reference", "mark", "opposite_is_long", "favour"),
    [(100, 90, False, 10), (100, 90, True, 0), (100, 120, True, 20), (100, 120, False, 0)],
)
def test_favour__move_since_the_reference__counts_only_for_the_winner(
    reference: int, mark: int, opposite_is_long: bool, favour: int
) -> None:
    found = waterfall.favour_of(reference, mark, opposite_is_long=opposite_is_long)
    assert found == favour
