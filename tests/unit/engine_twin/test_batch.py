"""Many accounts at once equal the scalar twin with ==, and 100,000 take under a second."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import numpy as np
import pytest

from oracle.engine import margin
from oracle.engine.batch import Books, assess_many, books_of, integers, sample_of
from oracle.engine.effective_time import UNKNOWN, Clock, PriceRules
from oracle.engine.margin import Basis, Context, Holding, Leg
from oracle.engine.prices import Asset, Config, Jump
from oracle.engine.tiers import Schedule
from oracle.engine.units import PPM, TOKEN_ASSETS, WAD

from .test_margin import NOW, RAMP, SLOPES, random_asset
from .world import HAIRCUTS, ROWS

MARKETS, TOKENS = 6, 2


def _assets(rng: random.Random) -> dict[int, Asset]:
    """Known, held, unknown, ramping, capped, uncapped and tableless ones."""
    assets = {market: random_asset(rng, ROWS) for market in range(MARKETS)}
    held = assets[1]
    assets[1] = replace(
        held,
        mark=replace(held.mark, is_held=True),
        jump=Jump(held.mark.price * rng.choice([8, 13]) // 10, NOW, NOW),
    )
    assets[2] = replace(assets[2], mark=replace(assets[2].mark, is_refused=True))
    assets[3] = replace(assets[3], config=Config())
    assets[4] = replace(assets[4], im=Schedule(), mm=Schedule())
    for token in range(TOKENS):
        assets[TOKEN_ASSETS + token] = random_asset(rng, HAIRCUTS)
    stale = assets[TOKEN_ASSETS + 1]
    assets[TOKEN_ASSETS + 1] = replace(stale, mark=replace(stale.mark, observed=NOW - 10**5))
    return assets


def _account(
    rng: random.Random, assets: dict[int, Asset], interest: dict[int, int]
) -> tuple[int, int, list[Leg], list[Holding]]:
    legs = []
    for market in rng.sample(range(MARKETS), rng.randint(0, MARKETS)):
        notional = rng.randint(1, 10 ** rng.randint(1, 9)) * WAD
        size = rng.choice([1, -1]) * notional * WAD // assets[market].mark.price
        if size:
            base = rng.randint(-notional, notional)
            legs.append(Leg(market, size, base, interest[market]))
    holdings = [
        Holding(token, rng.randint(0, 10**6) * WAD * WAD // assets[TOKEN_ASSETS + token].mark.price)
        for token in rng.sample(range(TOKENS), rng.randint(0, TOKENS))
    ]
    return rng.randint(-(10**24), 10**25), rng.choice([0, rng.randint(0, 2 * PPM)]), legs, holdings


def _context(basis: Basis, *, in_doubt: bool = False, base: int = 0, grace: int = 0) -> Context:
    clock = Clock(PriceRules(), in_doubt=in_doubt, grace_until=grace)
    return Context(basis, 0, clock, SLOPES, RAMP, NOW, base)


@pytest.mark.parametrize("basis", list(Basis))
@pytest.mark.parametrize(("in_doubt", "base", "grace"), [(False, 0, 0), (True, UNKNOWN, NOW + 9)])
def test_every_account_is_the_scalar_twins(
    basis: Basis, in_doubt: bool, base: int, grace: int
) -> None:
    for seed in range(12):
        rng = random.Random(seed)
        assets = _assets(rng)
        interest = {m: rng.randint(0, 10**7) * WAD * WAD // assets[m].mark.price
                    for m in range(MARKETS)}  # fmt: skip
        accounts = [_account(rng, assets, interest) for _ in range(40)]
        context = _context(basis, in_doubt=in_doubt, base=base, grace=grace)
        found = assess_many(context, books_of(accounts), assets)
        for row, (cash, floor, legs, holdings) in enumerate(accounts):
            own = replace(context, floor=floor)
            assert found[row] == margin.assess(own, cash, legs, holdings, assets), (seed, row)


def test_bounds_belong_to_either_bracket() -> None:
    """At, one wei below and one wei above every bound, where the lines meet."""
    asset = random_asset(random.Random(1), ROWS)
    asset = replace(asset, mark=replace(asset.mark, price=WAD, funding=0, rate=0))
    context = _context(Basis.MAINTENANCE)
    depth = margin.load_of(asset, context).depth
    sizes = [
        sign * (depth * row.bound * 10**12 + wei)
        for row in ROWS for wei in (-1, 0, 1) for sign in (1, -1)
    ]  # fmt: skip
    accounts = [(0, 0, [Leg(0, size, 0, 0)], []) for size in sizes]
    found = assess_many(context, books_of(accounts), {0: asset})
    for row, (cash, _, legs, holdings) in enumerate(accounts):
        assert found[row] == margin.assess(context, cash, legs, holdings, {0: asset})


def test_no_accounts_no_legs_no_holdings() -> None:
    context = _context(Basis.INITIAL)
    empty = assess_many(context, books_of([]), {})
    assert empty.equity.size == 0
    bare = assess_many(context, books_of([(5, 0, [], []), (-7, 0, [], [])]), {})
    assert bare.equity.tolist() == [5, -7]
    assert bare.requirement.tolist() == [0, 0]
    assert bare.short.tolist() == [False, True]


def test_numbers_beyond_machine_words_stay_exact() -> None:
    asset = random_asset(random.Random(3), ROWS)
    asset = replace(asset, mark=replace(asset.mark, price=10**27 - 1))
    huge = 2**110 + 1
    accounts = [(2**120 - 1, 0, [Leg(0, sign * huge, -(2**118) + 3, 5)], []) for sign in (1, -1)]
    for basis in Basis:
        found = assess_many(_context(basis), books_of(accounts), {0: asset})
        for row, (cash, _, legs, holdings) in enumerate(accounts):
            own = margin.assess(_context(basis), cash, legs, holdings, {0: asset})
            assert found[row] == own
            assert type(found.equity[row]) is int


def _many(count: int, rng: np.random.Generator) -> tuple[Books, dict[int, Asset]]:
    """`count` accounts with two legs each in ten markets, every fifth with collateral."""
    plain = random.Random(11)
    assets = {market: random_asset(plain, ROWS) for market in range(10)}
    assets[TOKEN_ASSETS] = random_asset(plain, HAIRCUTS)
    markets = rng.integers(0, 10, 2 * count)
    usd = np.exp(rng.uniform(2, 16, 2 * count)).astype(np.int64).tolist()
    signs = rng.choice([-1, 1], 2 * count).tolist()
    price = [assets[m].mark.price for m in range(10)]
    sizes = [
        sign * value * WAD * WAD // price[market]
        for sign, value, market in zip(signs, usd, markets.tolist(), strict=True)
    ]
    bases = [-sign * value * WAD for sign, value in zip(signs, usd, strict=True)]
    holders = np.arange(0, count, 5)
    books = Books(
        cash=integers([value * WAD for value in usd[::2]]),
        floors=integers([0] * count),
        leg_account=np.repeat(np.arange(count), 2),
        leg_market=markets,
        sizes=integers(sizes),
        bases=integers(bases),
        holding_account=holders,
        holding_token=np.zeros(holders.size, dtype=np.int64),
        amounts=integers([value * WAD * WAD // assets[TOKEN_ASSETS].mark.price
                          for value in usd[: holders.size]]),
        open_interest=dict.fromkeys(range(10), 10**24),
    )  # fmt: skip
    return books, assets


def test_a_hundred_thousand_accounts_take_a_second_and_are_exact_in_a_sample() -> None:
    rng = np.random.default_rng(5)
    books, assets = _many(100_000, rng)
    context = _context(Basis.MAINTENANCE)
    assess_many(context, books, assets)  # warm
    taken = []
    for _ in range(3):
        started = time.process_time()  # so that a busy machine does not fail it
        found = assess_many(context, books, assets)
        taken.append(time.process_time() - started)
    for account in rng.integers(0, 100_000, 200).tolist():
        assert found[account] == sample_of(books, account, context, assets)
    assert 0 < int(found.short.sum()) < 100_000
    assert min(taken) < 1.0, taken
