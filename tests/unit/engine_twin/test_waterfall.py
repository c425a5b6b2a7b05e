"""Who pays a hole: D = b + Σc + d in integers, each within its bounds (FORMULAS 2)."""

from __future__ import annotations

import math
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from oracle.engine import sides, waterfall
from oracle.engine.sides import A_MIN, Side
from oracle.engine.units import PPM, RAY, WAD
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


SIDE = st.builds(
    Side,
    scale=st.integers(A_MIN, RAY),
    credit=st.integers(-(2**120), 2**120),
    total=st.integers(1, 2**111),
    epoch=st.just(0),
    cut=st.just(True),
)
PRICE = st.integers(1, 10**27)


def exact_sure(
    opened: Side, now: Side, fall: tuple[int, int], calm: int, *, is_long: bool
) -> Fraction:
    """Q^·(calm·A_ref·P_ref + X - X_ref), no rounding; fall is g at P_ref (no funding) and now."""
    sign = 1 if is_long else -1
    owned = Fraction(calm * opened.scale * fall[0], PPM * WAD)
    index = [
        s.credit + Fraction(sign * s.scale * g, WAD)
        for s, g in zip((opened, now), fall, strict=True)
    ]
    return Fraction(now.total, RAY) * (owned + index[1] - index[0])


@given(side=SIDE, calm=st.integers(1, 10**6), reference=PRICE, mark=PRICE, is_long=st.booleans())
def test_sure_now__any_side__is_margin_and_move_rounded_down(
    side: Side, calm: int, reference: int, mark: int, is_long: bool
) -> None:
    owned = waterfall.surety_at(side, reference, reference, calm, is_long=is_long)
    found = waterfall.sure_now(side, owned, mark, is_long=is_long)
    exact = exact_sure(side, side, (reference, mark), calm, is_long=is_long)
    assert 0 <= max(Fraction(0), exact) - found <= 4 * side.total // RAY + 1


@given(
    side=SIDE,
    calm=st.integers(1, 10**6),
    prices=st.tuples(PRICE, PRICE),
    shares=st.tuples(st.fractions(0, 1), st.fractions(0, 1)),
    is_long=st.booleans(),
)
def test_sure_now__after_a_cut_at_the_mark__is_less_by_the_charge_and_its_reserve(
    side: Side,
    calm: int,
    prices: tuple[int, int],
    shares: tuple[Fraction, Fraction],
    is_long: bool,
) -> None:
    """However much is cut: what was charged is counted once, and nothing else."""
    reference, mark = prices
    owned = waterfall.surety_at(side, reference, reference, calm, is_long=is_long)
    before = waterfall.sure_now(side, owned, mark, is_long=is_long)
    size = int(sides.effective_total(side, is_long=is_long) * shares[0])
    charge = int(before * shares[1])
    cut = (sides.cut_longs if is_long else sides.cut_shorts)(side, size, charge, mark)
    after = waterfall.sure_now(cut, owned, mark, is_long=is_long)
    reserve = (side.total // RAY + 1) * sides.GAP_RESERVE
    assert max(0, before - charge - 3 * reserve) <= after <= before - charge
