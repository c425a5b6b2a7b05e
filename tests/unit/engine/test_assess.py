"""The requirement and the equity of a book."""

from math import ceil

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .harness import (
    AFTERMATH,
    HAIRCUTS,
    INITIAL,
    LIVE,
    MAINTENANCE,
    OLD,
    PAUSED,
    PPM,
    START,
    TABLE,
    UNKNOWN,
    WAD,
    Config,
    System,
    deploy,
)
from .reference import tiered, wad_ceil, wad_floor

ONE = WAD  # a price of 1 USD: size = notional
M = 10**6
CAPS = Config(soft_cap=1_000_000, hard_cap=2_000_000)


@pytest.fixture(scope="module")
def unit() -> System:
    """Market 0 at 1 USD and a load line whose three views differ; token 0 likewise."""
    system = deploy()
    system.list(0, severity=100_000, depth=800_000)
    system.list(1, config=CAPS, severity=100_000, depth=800_000)
    system.list(32, table=HAIRCUTS, severity=100_000, depth=800_000)
    system.wait(3_000)
    system.push(dict.fromkeys((0, 1, 32), (150000, 600000)))
    system.wait(3_000)
    system.push(dict.fromkeys((0, 1, 32), (145000, 605000)))
    system.report({0: ONE, 1: ONE, 32: ONE})
    return system.settle()


@pytest.fixture(autouse=True)
def _home(request: pytest.FixtureRequest):
    for name in {"unit", "funded"} & set(request.fixturenames):
        request.getfixturevalue(name).at_home()


def loads(system: System, basis: int, asset: int = 0) -> tuple[int, int]:
    s_mm, s_im, d_mm, d_im = system.engine.severity_now(asset)
    line = system.settings.line_of(asset)
    views = [(s_im, d_im), (line.severity, line.depth), (s_mm, d_mm)]
    assert len(set(views)) == 3
    return views[basis]


def expected(table, basis: int, n: int, severity: int, depth: int) -> int:
    return ceil(tiered(table, int(basis == MAINTENANCE), n, severity, depth))


@pytest.mark.parametrize("basis", [INITIAL, LIVE, MAINTENANCE])
@pytest.mark.parametrize("bracket", [0, 1, 2])
@pytest.mark.parametrize("off", [-1, 0, 1])
def test_requirement__at_each_bound(unit: System, basis: int, bracket: int, off: int):
    severity, depth = loads(unit, basis)
    n = TABLE[bracket][0] * depth * 10**12 + off
    for size in (n, -n):
        margin = unit.assess(basis, legs=[(0, size, 0, n)])
        assert margin.requirement == expected(TABLE, basis, n, severity, depth)
        assert unit.engine.tier_requirement(0, size, basis) == margin.requirement
        above = bracket == 2 and off == 1
        assert margin.state >> 32 == int(above)


@given(n=st.integers(0, 2 * 10**7 * WAD), basis=st.integers(0, 2))
@settings(max_examples=60, deadline=None)
def test_requirement__any_size(unit: System, n: int, basis: int):
    severity, depth = loads(unit, basis)
    got = unit.assess(basis, legs=[(0, -n, 0, n)]).requirement
    assert got == expected(TABLE, basis, n, severity, depth)


@given(a=st.integers(0, 10**25), b=st.integers(0, 10**25), basis=st.integers(0, 2))
@settings(max_examples=30, deadline=None)
def test_requirement__convex_and_rising(unit: System, a: int, b: int, basis: int):
    low, high = sorted((a, b))
    r = [unit.engine.tier_requirement(0, x, basis) for x in (low, (low + high) // 2, high)]
    assert r[0] <= r[1] <= r[2]
    assert 2 * r[1] <= r[0] + r[2] + 2


@given(n=st.integers(0, 2 * 10**25))
@settings(max_examples=20, deadline=None)
def test_requirement__mm_times_buffer_within_im(unit: System, n: int):
    im = unit.engine.tier_requirement(0, n, INITIAL)
    live = unit.engine.tier_requirement(0, n, LIVE)
    mm = unit.engine.tier_requirement(0, n, MAINTENANCE)
    assert im >= live >= mm
    assert 4 * live >= 5 * mm - 5


@pytest.mark.parametrize("floor", [0, 1, 24_999, 100_000, 333_333, PPM, PPM + 1, 2**255])
def test_floor__raises_im_only_and_at_most_to_n(unit: System, floor: int):
    n = 12_345 * WAD + 1
    for basis in (INITIAL, LIVE):
        tier = expected(TABLE, basis, n, *loads(unit, basis))
        own = min(n, ceil(n * min(floor, PPM) / 1)) if floor >= PPM else -(-n * floor // PPM)
        assert unit.assess(basis, floor=floor, legs=[(0, n, 0, n)]).requirement == max(tier, own)
    mm = expected(TABLE, MAINTENANCE, n, *loads(unit, MAINTENANCE))
    assert unit.assess(MAINTENANCE, floor=floor, legs=[(0, n, 0, n)]).requirement == mm


# --- open interest -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "interest",
    [
        0,
        M * WAD,
        M * WAD + 1,
        M * WAD * 3 // 2,
        2 * M * WAD - 1,
        2 * M * WAD,
        2 * M * WAD + 1,
        2**111,
    ],
)
def test_open_interest__scales_what_is_not_required(unit: System, interest: int):
    n = 3_333 * WAD + 7
    leg = (1, -n, 0, interest)
    tier = expected(TABLE, INITIAL, n, *loads(unit, INITIAL, 1))
    over = min(max(interest - 10**6 * WAD, 0), 10**6 * WAD)
    surcharge = -(-(n - tier) * over // (10**6 * WAD))
    assert unit.assess(INITIAL, legs=[leg]).requirement == tier + surcharge
    for basis in (LIVE, MAINTENANCE):
        plain = expected(TABLE, basis, n, *loads(unit, basis, 1))
        assert unit.assess(basis, legs=[leg]).requirement == plain


def test_open_interest__above_the_hard_cap__requires_all_of_n(unit: System):
    n = 10**10 + 1
    assert unit.assess(INITIAL, legs=[(1, n, 0, 10**30)]).requirement == n


def test_open_interest__own_floor_counts_first(unit: System):
    n = 1_000 * WAD
    leg = (1, n, 0, 15 * 10**5 * WAD)
    assert unit.assess(INITIAL, floor=500_000, legs=[leg]).requirement == n * 3 // 4


def test_open_interest__is_valued_at_the_mark_rounded_up(live: System):
    live.list(1, config=CAPS, price=2_000 * WAD)
    size = 10**6 * WAD // 2_000
    tier = live.assess(LIVE, legs=[(1, WAD, 0, 0)]).requirement
    assert live.assess(INITIAL, legs=[(1, WAD, 0, size)]).requirement == tier
    assert live.assess(INITIAL, legs=[(1, WAD, 0, size + 1)]).requirement > tier


# --- equity --------------------------------------------------------------------------------------


@given(
    cash=st.integers(-(10**30), 10**30),
    size=st.integers(-(2**100), 2**100),
    base=st.integers(-(2**119), 2**119),
    wait=st.integers(0, 500),
)
@settings(max_examples=40, deadline=None)
def test_equity__floor_of_size_times_g_plus_base(funded: System, cash, size, base, wait):
    with boa.env.anchor():
        at = funded.time
        funded.wait(wait)
        quote = funded.engine.quote(0)
        assert quote.funding != 0
        got = funded.assess(MAINTENANCE, cash=cash, legs=[(0, size, base, abs(size))])
        assert got.equity == cash + wad_floor(size, quote.mark - quote.funding) + base
        n = wad_ceil(abs(size), quote.mark)
        assert got.requirement == expected(TABLE, MAINTENANCE, n, 0, PPM)
        funded.at(at)


@pytest.fixture(scope="module")
def funded() -> System:
    system = deploy()
    system.list(0, price=1_999 * WAD + 12_345)
    system.wait(60)
    system.report({0: 2_001 * WAD + 54_321}, premium=-777)
    system.wait(60)
    system.report({0: 2_001 * WAD + 54_323}, premium=555)
    system.wait(1)
    return system.settle()


def test_assess__many_legs_and_holdings__sum(unit: System):
    legs = [(0, 10 * WAD, 5, 0), (1, -20 * WAD, -7, 0), (0, 0, 3, 0)]
    holdings = [(0, 100 * WAD)]
    both = unit.assess(MAINTENANCE, cash=11, legs=legs, holdings=holdings)
    parts = [unit.assess(MAINTENANCE, legs=[leg]) for leg in legs]
    haircut = expected(HAIRCUTS, MAINTENANCE, 100 * WAD, *loads(unit, MAINTENANCE, 32))
    assert both.equity == 11 + sum(p.equity for p in parts) + 100 * WAD - haircut
    assert both.requirement == sum(p.requirement for p in parts)


def test_assess__nothing__is_cash(unit: System):
    got = unit.assess(INITIAL, cash=-5)
    assert (got.equity, got.requirement, got.state, got.known_since) == (-5, 0, 0, 0)


def test_assess__sixteen_legs(unit: System):
    got = unit.assess(INITIAL, legs=[(0, WAD, 0, 0)] * 16, holdings=[(0, WAD)] * 8)
    assert got.requirement == 16 * unit.engine.tier_requirement(0, WAD, INITIAL)


@pytest.mark.parametrize("size", [-(2**255), 2**255 - 1, 2**120])
def test_assess__absurd_size__reverts(unit: System, size: int):
    with boa.reverts():
        unit.assess(INITIAL, legs=[(0, size, 0, 0)])


def test_assess__no_such_market__reverts(unit: System):
    for market in (40, 2**253):
        with boa.reverts():
            unit.assess(INITIAL, legs=[(market, WAD, 0, 0)])


# --- holdings ------------------------------------------------------------------------------------


@pytest.mark.parametrize("basis", [INITIAL, LIVE, MAINTENANCE])
@pytest.mark.parametrize("off", [-1, 0, 1])
def test_holding__haircut_by_own_value(unit: System, basis: int, off: int):
    severity, depth = loads(unit, basis, 32)
    for bracket in (0, 1):
        value = HAIRCUTS[bracket][0] * depth * 10**12 + off
        haircut = expected(HAIRCUTS, basis, value, severity, depth)
        assert unit.assess(basis, holdings=[(0, value)]).equity == value - haircut


@given(amount=st.integers(0, 10**26), more=st.integers(0, 10**24), basis=st.integers(0, 2))
@settings(max_examples=30, deadline=None)
def test_holding__adding_never_lowers_equity(unit: System, amount: int, more: int, basis: int):
    before = unit.assess(basis, holdings=[(0, amount)]).equity
    assert unit.assess(basis, holdings=[(0, amount + more)]).equity >= before


def test_holding__dust__is_worth_nothing(unit: System):
    assert unit.assess(INITIAL, holdings=[(0, 1)]).equity == 0


def test_holding__unknown_price__is_nothing_for_im_the_last_for_mm(live: System):
    held = [(0, 1_000 * WAD)]
    before = live.assess(MAINTENANCE, holdings=held).equity
    live.wait(601)
    for basis in (INITIAL, LIVE):
        got = live.assess(basis, holdings=held)
        assert (got.equity, got.state) == (0, 0)  # bars nothing else
    assert live.assess(MAINTENANCE, holdings=held).equity == before


def test_collateral_value__raw_and_rounded_down(live: System):
    live.list(33, table=HAIRCUTS, price=3 * WAD + 1)
    live.report({32: WAD}, observed=START)
    assert live.engine.collateral_value([(0, 7), (1, 5 * WAD)]) == (7 + 15 * WAD + 5, 0)
    live.wait(121)
    assert live.engine.collateral_value([(0, 7)]) == (7, OLD)
    assert live.engine.collateral_value([]) == (0, 0)


def test_collateral_terms__haircut_price_state(unit: System):
    severity, _ = loads(unit, MAINTENANCE, 32)
    haircut = (30_000 * PPM + severity * 120_000) // PPM
    assert unit.engine.collateral_terms(0) == (haircut, ONE, 0)


# --- unknown prices ------------------------------------------------------------------------------


@pytest.mark.parametrize("held", [2_200, 1_800])
@pytest.mark.parametrize("size", [WAD, -WAD])
def test_held_jump__mm_at_the_better_im_at_the_worse(live: System, held: int, size: int):
    live.wait(60)
    live.report({0: held * WAD})
    low, high = sorted((2_000, held))
    better, worse = (high, low) if size > 0 else (low, high)
    leg = (0, size, 0, WAD)
    mm = live.assess(MAINTENANCE, legs=[leg])
    assert (mm.equity, mm.requirement) == (better * size, 0)
    for basis in (INITIAL, LIVE):
        got = live.assess(basis, legs=[leg])
        assert got.equity == worse * size
        assert got.requirement == expected(TABLE, basis, worse * WAD, 0, PPM)
        assert got.state == UNKNOWN


def test_unknown_price__no_mm_im_stays(live: System):
    leg = (0, WAD, 0, WAD)
    live.wait(601)
    assert live.assess(MAINTENANCE, legs=[leg]).requirement == 0
    assert live.assess(INITIAL, legs=[leg]).requirement == 40 * WAD
    live.report({0: 2_000 * WAD})
    assert live.assess(MAINTENANCE, legs=[leg]).requirement == 0  # grace


def test_aftermath__mm_counts_in_full(live: System):
    live.wait(60)
    live.report({0: 2_025 * WAD})
    got = live.assess(MAINTENANCE, legs=[(0, WAD, 0, WAD)])
    assert got.state == AFTERMATH
    assert got.requirement == 20_250 * WAD // 1_000


def test_state__is_that_of_the_legs_and_common_bits_show_without_them(live: System):
    with live.as_guardian():
        live.engine.set_reduce_only(32, True)
        live.engine.pause()
    assert live.assess(0).state == PAUSED
    assert live.assess(0, legs=[(0, WAD, 0, 0)]).state == PAUSED
    assert live.assess(0, holdings=[(0, WAD)]).state == PAUSED
    assert live.engine.collateral_value([(0, WAD)])[1] == PAUSED | 4


def test_unlisted_market__is_unknown_and_above_its_schedule(system: System):
    got = system.assess(INITIAL, legs=[(3, WAD, 0, 0)])
    assert got.state & UNKNOWN
    assert system.engine.quote(3).state & UNKNOWN
