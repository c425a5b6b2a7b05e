"""Auctions and liquidation sizes (FORMULAS 4), against rational arithmetic."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.engine import liquidation
from oracle.engine.liquidation import AuctionTerms, Load, Stake
from oracle.engine.tiers import Blend, Bracket, Table
from oracle.engine.units import PPM, Ppm

BUFFER = 250_000
TERMS = AuctionTerms(
    discount_min=50_000, discount_max=350_000, insurance_fee=150_000, duration=600, tail=600
)


def random_table(rng: random.Random, count: int) -> Table:
    low = rng.randint(2_000, 20_000)
    calms = sorted(rng.randint(low, 400_000) for _ in range(count - 1))
    storms = sorted(rng.randint(400_000, PPM) for _ in range(count))
    bounds = sorted(rng.sample(range(1, 10**5), count))
    unit = 10 ** rng.randint(0, 4)
    rows = zip(bounds, [low, *calms], storms, strict=True)
    return tuple(Bracket(bound * unit, Ppm(calm), Ppm(storm)) for bound, calm, storm in rows)


def random_stake(rng: random.Random) -> tuple[Stake, int]:
    """A liquidatable account with E >= ⅔·MM, and a fee below ⅔ of the calm MMR_0."""
    new, old = random_table(rng, rng.randint(1, 8)), random_table(rng, rng.randint(1, 8))
    ramp = rng.choice([1, 3_600])
    elapsed = rng.randint(0, ramp - 1) if ramp > 1 else 1
    blend = Blend(new=new, old=old, elapsed=elapsed, ramp=ramp)
    load = Load(blend, Ppm(rng.randint(0, PPM)), Ppm(rng.randint(250_000, PPM)))
    price = 10 ** rng.randint(9, 26) + rng.randint(0, 10**9)
    notional = rng.randint(1, 3 * new[-1].bound) * 10**18
    size = (notional * 10**18 // price + 1) * rng.choice([1, -1])
    own = load.requirement(liquidation.notional_of(size, price))
    requirement = own + rng.choice([0, rng.randint(0, 2 * own)])
    equity = rng.randint(-(-2 * requirement // 3), requirement)
    fee = min(new[0].calm, old[0].calm) * rng.randint(0, 666_000) // PPM
    return Stake(size, price, equity, requirement, load), fee


def test_liquidation_size__random_books__lands_on_the_target() -> None:
    """E' >= (1+b)·MM' after q*, by at most the wei stated; q* is the rational root rounded up."""
    partial = 0
    for seed in range(4_000):
        stake, fee = random_stake(random.Random(seed))
        size = liquidation.liquidation_size(stake, fee, BUFFER)
        exact = liquidation.q_star_reference(stake, fee, BUFFER)
        price_wei = Fraction(stake.price, 10**18)
        if size == abs(stake.size):
            # The whole leg: no root, or one within the rounding of its end.
            assert exact is None or abs(stake.size) - exact <= slack_in_size(stake, fee)
            continue
        partial += 1
        assert exact is not None
        assert 0 <= size - exact <= slack_in_size(stake, fee), seed
        surplus = -liquidation.shortfall_after(stake, size, fee, BUFFER)
        # Five roundings of a wei short at most; beyond them a wei of size and one of N.
        assert -5 * PPM <= surplus <= PPM * (5 + 2 * price_wei), seed
    assert partial > 1_500


def slack_in_size(stake: Stake, fee: int) -> Fraction:
    """Five wei of money over what a wei of size saves at least, and a wei of size."""
    load = stake.load
    rates = [load.blend.marginal(0, load.severity, load.depth)]
    slope = Fraction((PPM + BUFFER) * min(rates), PPM * load.blend.denominator)
    slope -= Fraction(fee, PPM)
    return 5 * Fraction(10**18, stake.price) / slope + 2


def test_liquidation_size__healthy_account__is_zero() -> None:
    stake, fee = random_stake(random.Random(1))
    healthy = Stake(stake.size, stake.price, 2 * stake.requirement, stake.requirement, stake.load)
    assert liquidation.liquidation_size(healthy, fee, BUFFER) == 0


def test_take__any_size_up_to_q_star__improves_equity_over_margin() -> None:
    """E/MM rises strictly for E >= ⅔·MM, in rational numbers, cross books included."""
    for seed in range(1_500):
        rng = random.Random(seed)
        stake, fee = random_stake(rng)
        size = Fraction(rng.randint(1, abs(stake.size)))
        left = (abs(stake.size) - size) * stake.price / 10**18
        rest = stake.requirement - stake.load.exact(Fraction(abs(stake.size) * stake.price, 10**18))
        margin = rest + stake.load.exact(left)
        equity = stake.equity - size * stake.price / 10**18 * fee / PPM
        assert equity >= 0
        if margin:
            assert equity / margin > Fraction(stake.equity, stake.requirement)


@given(st.integers(0, 10**4), st.integers(0, 400_000))
def test_discount__any_time__grows_from_min_to_max(elapsed: int, calm: int) -> None:
    found = liquidation.discount(TERMS, calm, elapsed)
    later = liquidation.discount(TERMS, calm, elapsed + 1)
    share = 50_000 + 300_000 * Fraction(min(elapsed, 600), 600)
    assert found <= later
    assert 0 <= calm * share / PPM - found < 2
    assert found + liquidation.insurance_fee(TERMS, calm) <= Fraction(2, 3) * calm


@pytest.mark.parametrize(
    ("maximum", "fee", "sound"), [(500_000, 166_665, True), (500_000, 166_667, False)]
)
def test_terms__two_thirds_of_calm_mmr__is_the_limit(maximum: int, fee: int, sound: bool) -> None:
    terms = AuctionTerms(0, maximum, fee, 600, 600)
    assert liquidation.is_sound(terms) is sound


@given(mark=st.integers(1, 10**27), rate=st.integers(0, PPM))
def test_take_price__either_side__favours_the_account_by_rounding(mark: int, rate: int) -> None:
    sold = liquidation.take_price(mark, rate, is_long=True)
    bought = liquidation.take_price(mark, rate, is_long=False)
    assert 0 <= sold - Fraction(mark * (PPM - rate), PPM) < 1
    assert 0 <= Fraction(mark * (PPM + rate), PPM) - bought < 1


@given(st.integers(0, 2_000), st.integers(0, PPM))
def test_collateral_discount__over_two_periods__reaches_the_haircut_then_all(
    elapsed: int, haircut: int
) -> None:
    found = liquidation.collateral_discount(elapsed, haircut, 600)
    if elapsed <= 600:
        assert found <= haircut
    assert found <= liquidation.collateral_discount(elapsed + 1, haircut, 600)
    assert liquidation.collateral_discount(600, haircut, 600) == haircut
    assert liquidation.collateral_discount(1_200, haircut, 600) == PPM


@pytest.mark.parametrize(
    ("q_star", "minimum", "least"), [(1_000, 1, 100), (1_001, 1, 101), (50, 200, 50), (5, 1, 1)]
)
def test_least_take__small_or_large__is_a_tenth_or_the_minimum(
    q_star: int, minimum: int, least: int
) -> None:
    assert liquidation.least_take(q_star, minimum) == least


@pytest.mark.parametrize(
    ("equity", "margin", "backstop"), [(66, 100, True), (67, 100, False), (-1, 0, True)]
)
def test_backstop__two_thirds_of_margin__is_the_border(
    equity: int, margin: int, backstop: bool
) -> None:
    assert liquidation.is_backstop(equity, margin) is backstop
