"""FORMULAS 1: no claim without a token, whatever the opens, closes, cuts and settlements."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.engine import sides
from oracle.engine.sides import FLAT, Position, Side
from oracle.engine.units import RAY, Credit, Ray, Scaled, Usd

from .market_model import Market, run, step

SIZE = st.integers(1, 10**30)
PRICE = st.integers(1, 10**27)
G = st.integers(-(10**28), 10**27)
SCALE = st.integers(10**18, RAY)
CREDIT = st.integers(-(2**120), 2**120)


def cut_side(scale: int, credit: int, total: int) -> Side:
    return Side(scale=Ray(scale), credit=Credit(credit), total=Scaled(total), epoch=3, cut=True)


@pytest.mark.parametrize("block", range(10))
def test_claims__random_histories__never_exceed_tokens(block: int) -> None:
    for seed in range(block * 200, block * 200 + 200):
        market, prices = run(seed, steps=40)
        for g in prices:
            assert market.dust(g) >= 0, (seed, g)


@pytest.mark.parametrize("block", range(4))
def test_claims__after_every_step__never_exceed_tokens(block: int) -> None:
    for seed in range(block * 60, block * 60 + 60):
        rng = random.Random(10**6 + seed)
        market = Market()
        price, funding, scale = 10 ** rng.randint(8, 24), 0, 10 ** rng.randint(3, 22)
        prices = (-(10**28), 0, 10**27)
        for _ in range(40):
            step(market, rng, price - funding, scale)
            funding += rng.randint(-price, 3 * price) // 50
            assert all(market.dust(g) >= 0 for g in prices), seed


def test_gap__random_histories__stays_in_the_bound_of_invariant_3() -> None:
    deleveragings = 0
    for seed in range(500):
        market, _ = run(seed, steps=40)
        deleveragings += market.deleveragings
        assert 0 <= market.gap() <= market.operations + market.gap_allowed
    assert deleveragings > 2_000


def test_values__seen_by_the_engine__never_above_the_sides() -> None:
    for seed in range(300):
        market, prices = run(seed, steps=30)
        for g in prices:
            claims = market.values(g) + sum(market.cash.values())
            ended = sum(
                sides.ended_value(held, market.finals[held.is_long, held.epoch])
                for held in market.positions.values()
                if held.scaled and held.epoch != market.epoch
            )
            assert claims + ended <= 0, (seed, g)


def test_uncut_side__opens_and_closes__never_rounds_size() -> None:
    side, position = sides.open_leg(sides.fresh_side(0), FLAT, 12_345, 7 * 10**18, is_long=True)
    assert (side.total, position.scaled, position.z) == (12_345, 12_345, 12_345 * 7)
    side, position, realised = sides.close_leg(side, position, 12_345, 9 * 10**18)
    assert (side.total, position, realised) == (0, FLAT, 12_345 * 2)


@given(size=SIZE, g=G, scale=SCALE, credit=CREDIT, is_long=st.booleans())
def test_open__on_a_cut_side__rounds_against_the_account(
    size: int, g: int, scale: int, credit: int, is_long: bool
) -> None:
    side, position = sides.open_leg(cut_side(scale, credit, 0), FLAT, size, g, is_long=is_long)
    exact = Fraction(size * RAY, scale)
    scaled = math.floor(exact) if is_long else math.ceil(exact)
    assert abs(position.scaled) == side.total == scaled
    sign = 1 if is_long else -1
    cost = Fraction(scaled * credit, RAY) + sign * Fraction(size * g, 10**18)
    assert 0 <= position.z - cost - sides.GAP_RESERVE < 2
    # Opening and looking costs rounding only, and never pays.
    assert sides.value_of(position, side, g) <= 0


@given(
    scaled=st.integers(1, 2**111),
    part=st.integers(1, 10**6),
    z=st.integers(-(2**118), 2**118),
    g=G,
    scale=SCALE,
    credit=CREDIT,
    is_long=st.booleans(),
)
def test_close__on_a_cut_side__never_pays_more_than_it_is_worth(
    scaled: int, part: int, z: int, g: int, scale: int, credit: int, is_long: bool
) -> None:
    position = Position(scaled=Scaled(scaled if is_long else -scaled), z=Usd(z), epoch=3)
    size = abs(sides.size_of(position.scaled, scale)) * part // 10**6
    if size == 0:
        return
    side = cut_side(scale, credit, scaled)
    before = exact_value(side, position, g, is_long)
    after_side, left, realised = sides.close_leg(side, position, size, g)
    after = exact_value(after_side, left, g, is_long)
    assert realised + after <= before
    # At most the reserve, a wei of size at |g|, and three roundings.
    assert before - realised - after <= sides.GAP_RESERVE + Fraction(abs(g), 10**18) + 3
    assert abs(left.scaled) == after_side.total
    assert left.z == math.ceil(Fraction(z * abs(left.scaled), scaled))


def exact_value(side: Side, position: Position, g: int, is_long: bool) -> Fraction:
    """q^·X - z without rounding."""
    index = Fraction(side.credit, RAY)
    index += Fraction((side.scale if is_long else -side.scale) * g, RAY * 10**18)
    return abs(position.scaled) * index - position.z


@given(
    total=st.integers(10**6, 2**111),
    share=st.integers(0, 10**6),
    charge=st.integers(0, 2**100),
    g=G,
    scale=SCALE,
    credit=CREDIT,
)
def test_cut__either_side__takes_at_least_what_the_closed_leg_was_paid(
    total: int, share: int, charge: int, g: int, scale: int, credit: int
) -> None:
    side = cut_side(scale, credit, total)
    size = total * scale // RAY * share // 10**6
    for cut, is_long in ((sides.cut_shorts, False), (sides.cut_longs, True)):
        after = cut(side, size, charge, g)
        lost = Fraction(
            sides.side_value(side, g, is_long=is_long)
            - sides.side_value(after, g, is_long=is_long),
            RAY * 10**18,
        )
        # Of what the side is worth at g only the charge and roundings go: size·g left with the leg.
        assert lost >= charge
        assert lost - charge <= 2 * sides.GAP_RESERVE * (total // RAY + 1) + total // RAY + 3
        assert 0 <= after.scale <= side.scale


@given(total=st.integers(1, 2**111), g=G, scale=SCALE, credit=CREDIT, is_long=st.booleans())
def test_settled_credit__either_side__is_x_rounded_down(
    total: int, g: int, scale: int, credit: int, is_long: bool
) -> None:
    side = cut_side(scale, credit, total)
    final = sides.settled_credit(side, g, is_long=is_long)
    exact = Fraction(sides.side_value(side, g, is_long=is_long), total * 10**18)
    assert 0 <= exact - final < 1


def test_deleveraging__same_fraction_for_every_account() -> None:
    market = Market()
    for account, size in ((1, 10), (2, 30), (3, 60)):
        market.trade(0, account, size * 10**18, 100 * 10**18)
    market.trade(9, 0, 50 * 10**18, 100 * 10**18)  # 9 holds half of the longs
    market.resolve(9, 90 * 10**18)
    assert [market.size(account) for account in (1, 2, 3)] == [
        -5 * 10**18,
        -15 * 10**18,
        -30 * 10**18,
    ]


@pytest.mark.parametrize(("percent", "expected"), [(1, 2_062), (10, 197), (50, 30), (99, 5)])
def test_a_min__repeated_cuts__reached_after_known_number(percent: int, expected: int) -> None:
    side = cut_side(RAY, 0, 10**30)
    cuts = 0
    while side.scale >= sides.A_MIN:
        size = sides.effective_total(side, is_long=False) * percent // 100
        side = sides.cut_shorts(side, size, 0, 10**18)
        cuts += 1
    assert abs(cuts - expected) <= 1
