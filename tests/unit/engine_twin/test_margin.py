"""What margin a book needs: against rational arithmetic, and each special rule (DESIGN 5, 6)."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import pytest

from oracle.engine import margin, prices, tiers
from oracle.engine.clocks import Line, Slopes
from oracle.engine.effective_time import UNKNOWN, Clock, PriceRules
from oracle.engine.margin import Basis, Context, Holding, Leg
from oracle.engine.prices import Asset, Config, Jump, Mark
from oracle.engine.tiers import Schedule
from oracle.engine.units import PPM, TOKEN_ASSETS, WAD, Ppm, Seconds

from .world import HAIRCUTS, LATER_ROWS, ROWS

NOW = 1_700_000_000
RAMP = 3_600
SLOPES = Slopes(50_000, 50_000, 50_000, 10_000, 9_000, Ppm(250_000))
TOKEN_ASSET = TOKEN_ASSETS


def random_asset(rng: random.Random, rows: tuple[tiers.TierRow, ...]) -> Asset:
    im, mm = tiers.split_rows(rows)
    old_im, old_mm = tiers.split_rows(LATER_ROWS if rows is ROWS else rows)
    severity, depth = rng.randint(0, PPM), rng.randint(250_000, PPM)
    line = Line(
        Ppm(severity),
        Ppm(rng.randint(0, severity)),
        Ppm(rng.randint(severity, PPM)),
        Ppm(depth),
        Ppm(rng.randint(depth, PPM)),
        Ppm(rng.randint(250_000, depth)),
        Seconds(NOW - rng.randint(0, 12_000)),
    )
    price = 10 ** rng.randint(10, 25) + rng.randint(0, 10**9)
    mark = Mark(
        price=price,
        funding=rng.randint(-price, price) // 3,
        rate=rng.randint(-(10**6), 10**6),
        observed=NOW - rng.randint(0, 60),
        lag=rng.randint(0, 20),
    )
    return Asset(
        config=Config(soft_cap=1_000_000, hard_cap=9_000_000),
        line=line,
        im=Schedule(im, old_im),
        mm=Schedule(mm, old_mm),
        ramp_start=NOW - rng.randint(0, 2 * RAMP),
        mark=mark,
    )


def context(basis: Basis, floor: int = 0, *, in_doubt: bool = False, base: int = 0) -> Context:
    clock = Clock(PriceRules(), in_doubt=in_doubt)
    return Context(basis, floor, clock, SLOPES, RAMP, NOW, base)


def random_book(seed: int) -> tuple[dict[int, Asset], list[Leg], list[Holding], int, int]:
    rng = random.Random(seed)
    assets = {market: random_asset(rng, ROWS) for market in range(rng.randint(1, 5))}
    assets[TOKEN_ASSET] = random_asset(rng, HAIRCUTS)
    legs = []
    for market in range(len(assets) - 1):
        notional = rng.randint(1, 10 ** rng.randint(1, 8)) * WAD
        size = notional * WAD // assets[market].mark.price * rng.choice([1, -1])
        base = rng.randint(-notional, notional)
        legs.append(Leg(market, size, base, rng.randint(abs(size), 3 * abs(size) + 1)))
    value = rng.randint(0, 10**7) * WAD
    holdings = [Holding(0, value * WAD // assets[TOKEN_ASSET].mark.price)]
    return assets, legs, holdings, rng.randint(-(10**24), 10**24), rng.randint(0, 300_000)


def exact_margin(
    assets: dict[int, Asset],
    legs: list[Leg],
    holdings: list[Holding],
    cash: int,
    ctx: Context,
) -> tuple[Fraction, Fraction]:
    """E and requirement without a single rounding but F's own."""
    equity, required = Fraction(cash), Fraction(0)
    for leg in legs:
        asset = assets[leg.market]
        funding = prices.funding_at(asset.mark, NOW, asset.config.price_max_age)
        equity += Fraction(leg.size * (asset.mark.price - funding), WAD) + leg.base
        notional = Fraction(abs(leg.size) * asset.mark.price, WAD)
        need = margin.load_of(asset, ctx).exact(notional)
        if ctx.basis is not Basis.MAINTENANCE:
            need = max(need, notional * ctx.floor / PPM)
        if ctx.basis is Basis.INITIAL:
            interest = Fraction(leg.open_interest * asset.mark.price, WAD)
            low, high = asset.config.soft_cap * WAD, asset.config.hard_cap * WAD
            run = min(max(interest - low, Fraction(0)), Fraction(high - low))
            need += (notional - need) * run / (high - low)
        required += need
    for held in holdings:
        asset = assets[TOKEN_ASSETS + held.token]
        value = Fraction(held.amount * asset.mark.price, WAD)
        equity += value - min(value, margin.load_of(asset, ctx).exact(value))
    return equity, required


@pytest.mark.parametrize("basis", list(Basis))
def test_assess__random_books__rounds_against_the_account_by_a_few_wei(basis: Basis) -> None:
    for seed in range(400):
        assets, legs, holdings, cash, floor = random_book(seed)
        ctx = context(basis, floor)
        found = margin.assess(ctx, cash, legs, holdings, assets)
        equity, required = exact_margin(assets, legs, holdings, cash, ctx)
        wei = len(legs) + 2
        assert 0 <= equity - found.equity <= wei, seed
        assert 0 <= found.requirement - required <= 4 * wei, seed


def test_assess__any_book__mm_below_im_and_live_between() -> None:
    for seed in range(300):
        assets, legs, holdings, cash, floor = random_book(seed)
        asks = [
            margin.assess(context(basis, floor), cash, legs, holdings, assets) for basis in Basis
        ]
        initial, live, maintenance = asks
        assert maintenance.requirement <= live.requirement <= initial.requirement
        assert maintenance.equity >= live.equity >= initial.equity
        notional = sum(abs(leg.size) * assets[leg.market].mark.price // WAD + 1 for leg in legs)
        assert initial.requirement <= notional


def test_assess__order_of_legs__changes_nothing() -> None:
    for seed in range(50):
        assets, legs, holdings, cash, floor = random_book(seed)
        ctx = context(Basis.INITIAL, floor)
        forward = margin.assess(ctx, cash, legs, holdings, assets)
        assert forward == margin.assess(ctx, cash, legs[::-1], holdings, assets)


@pytest.mark.parametrize(
    ("size", "basis", "price"),
    [
        (1, Basis.MAINTENANCE, 110),
        (-1, Basis.MAINTENANCE, 100),
        (1, Basis.INITIAL, 100),
        (-1, Basis.INITIAL, 110),
        (1, Basis.LIVE, 100),
    ],
)
def test_held_jump__better_for_maintenance_and_worse_for_initial(
    size: int, basis: Basis, price: int
) -> None:
    rng = random.Random(1)
    stored = replace(
        random_asset(rng, ROWS),
        mark=Mark(price=100 * WAD, observed=NOW, is_held=True),
        jump=Jump(110 * WAD, NOW, NOW),
    )
    leg = Leg(0, size * WAD, 0, WAD)
    found = margin.assess(context(basis), 0, [leg], [], {0: stored})
    assert found.equity == size * price * WAD
    assert found.state & UNKNOWN
    assert (found.requirement == 0) is (basis is Basis.MAINTENANCE)


def test_unknown_token__counts_nothing_for_initial_and_its_last_value_for_maintenance() -> None:
    rng = random.Random(2)
    token = random_asset(rng, HAIRCUTS)
    stale = replace(token, mark=replace(token.mark, observed=NOW - 121))
    found = {
        basis: margin.assess(context(basis), 0, [], [Holding(0, WAD)], {TOKEN_ASSET: stale})
        for basis in Basis
    }
    assert found[Basis.INITIAL].equity == found[Basis.LIVE].equity == 0
    assert found[Basis.MAINTENANCE].equity > 0
    assert {answer.state for answer in found.values()} == {0}  # it bars nothing else


@pytest.mark.parametrize(("cash", "initial"), [(100, 0), (-100, -100)])
def test_settlement_in_doubt__positive_cash__counts_nothing_for_initial(
    cash: int, initial: int
) -> None:
    found = {
        basis: margin.assess(context(basis, in_doubt=True), cash, [], [], {}).equity
        for basis in Basis
    }
    assert found == {Basis.INITIAL: initial, Basis.LIVE: initial, Basis.MAINTENANCE: cash}


def test_floor__own_leverage_cap__raises_initial_and_live_only() -> None:
    assets, legs, holdings, cash, _ = random_book(3)
    for basis in Basis:
        low = margin.assess(context(basis, 0), cash, legs, holdings, assets)
        high = margin.assess(context(basis, PPM), cash, legs, holdings, assets)
        assert (high.requirement > low.requirement) is (basis is not Basis.MAINTENANCE)


def test_above_the_last_bound__its_market_s_bit__is_set() -> None:
    rng = random.Random(4)
    asset = replace(random_asset(rng, ROWS), ramp_start=0)
    top = 250_000 * ROWS[-1].bound * 10**12  # at the least depth
    size = 2 * top * WAD * 4 // asset.mark.price
    found = margin.assess(context(Basis.INITIAL), 0, [Leg(7, size, 0, 0)], [], {7: asset})
    assert found.state >> (margin.ABOVE_BIT + 7) & 1 == 1
    small = margin.assess(context(Basis.INITIAL), 0, [Leg(7, 1, 0, 0)], [], {7: asset})
    assert small.state >> (margin.ABOVE_BIT + 7) & 1 == 0
