"""`liquidation_price`: at that price E >= MM, a wei further E < MM, by the engine's own answer."""

from __future__ import annotations

from dataclasses import replace

import boa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.world import WAD
from tests.unit.engine import harness

from .hall import Hall

MAX_PRICE = 10**27


def surplus(hall: Hall, account: int, market: int, price: int) -> int:
    with boa.env.anchor():
        hall.set_price(market, price)
        health = hall.health(account)
        return int(health.equity - health.requirement)


def check(hall: Hall, account: int, market: int) -> int:
    found, price = hall.lens.liquidation_price(account, market)
    assert found
    outward = -1 if hall.lens.position(account, market).size > 0 else 1
    assert surplus(hall, account, market, price) >= 0
    assert surplus(hall, account, market, price + outward) < 0
    return int(price)


@pytest.mark.parametrize("size", [WAD, -WAD, 37 * WAD // 10, -(10**15)])
def test_liquidation_price__one_leg__border(hall: Hall, size: int) -> None:
    account = hall.trader(8_000)
    hall.buy(account, size)
    price = check(hall, account, 0)
    assert (price < hall.mark(0)) == (size > 0)


def test_liquidation_price__second_and_third_bracket(hall: Hall) -> None:
    account = hall.trader(900_000)
    hall.buy(account, 60 * WAD)
    check(hall, account, 0)
    hall.buy(account, 150 * WAD)
    check(hall, account, 0)


def test_liquidation_price__other_legs_and_collateral_count(hall: Hall) -> None:
    alone, crossed = hall.trader(5_000), hall.trader(5_000)
    for account in (alone, crossed):
        hall.buy(account, WAD)
    hall.buy(crossed, -5 * WAD, market=1)
    hall.set_price(1, 1_900 * WAD)
    assert check(hall, crossed, 0) < check(hall, alone, 0), "the short's profit carries the long"
    check(hall, crossed, 1)


def test_liquidation_price__fully_funded_long__none(hall: Hall) -> None:
    account = hall.trader(30_000)
    hall.buy(account, WAD)
    assert hall.lens.liquidation_price(account, 0) == (False, 0)


def test_liquidation_price__no_position__none(hall: Hall) -> None:
    assert hall.lens.liquidation_price(hall.trader(1_000), 0) == (False, 0)


def test_liquidation_price__hopeless_at_any_price__none(hall: Hall) -> None:
    account = hall.trader(3_000)
    hall.buy(account, -(10**15), market=2)
    hall.buy(account, 5 * WAD)
    hall.set_price(0, 15_000 * WAD)
    assert hall.lens.liquidation_price(account, 2) == (False, 0)


def test_liquidation_price__already_liquidatable__where_it_would_be_safe_again(hall: Hall) -> None:
    account = hall.trader(1_000)
    hall.buy(account, 2 * WAD)
    hall.set_price(0, 19_000 * WAD)
    assert check(hall, account, 0) > hall.mark(0)


def test_liquidation_price__after_a_push__on_the_clock(hall: Hall) -> None:
    account = hall.trader(8_000)
    hall.buy(account, WAD)
    calm = check(hall, account, 0)
    hall.system.wait(3_600)
    hall.set_price(0, hall.mark(0))
    hall.system.push({0: (50_000, 750_000)})
    assert check(hall, account, 0) == calm, "no push moves MM in its own block"
    hall.system.wait(1_800)
    hall.set_price(0, hall.mark(0))
    assert check(hall, account, 0) > calm


def test_liquidation_price__while_a_table_ramps_in(hall: Hall) -> None:
    account = hall.trader(50_000)
    hall.buy(account, 12 * WAD)
    before = check(hall, account, 0)
    table = [(50_000, 40_000, 200_000, 20_000, 90_000), (10**7, 80_000, 300_000, 40_000, 150_000)]
    config = replace(harness.Config(), max_move=10_000)
    with hall.system.as_owner():
        hall.settings.set_config(0, config.tuple())
        hall.settings.set_schedule(0, table)
    assert check(hall, account, 0) == before
    prices = [before]
    for _ in range(3):
        hall.system.wait(20_000)
        hall.set_price(0, hall.mark(0))
        prices.append(check(hall, account, 0))
    assert prices == sorted(set(prices))
    hall.system.wait(90_000)
    hall.set_price(0, hall.mark(0))
    assert check(hall, account, 0) > prices[-1]


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),
)
@given(
    cash=st.integers(100, 3_000_000),
    shares=st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=4),
    moves=st.lists(st.integers(980_000, 1_020_000), min_size=4, max_size=4),
    is_cut=st.booleans(),
)
def test_liquidation_price__random_books__border(
    hall: Hall, cash: int, shares: list[int], moves: list[int], is_cut: bool
) -> None:
    with boa.env.anchor():
        account = hall.trader(cash)
        for market, share in enumerate(shares):
            most = hall.lens.max_trade(account, market, share > 0, hall.mark(market), False)
            size = most * share // 10**6
            if abs(size) >= 10**15:
                mark = hall.mark(market)
                assert hall.attempt(account, hall.flat(), market, size, mark, False) == ""
        if is_cut:
            hall.buy(hall.flat(), 50 * WAD)
            hall.cut(0, hall.lens.position(account, 0).size > 0)
        for market, move in enumerate(moves):
            hall.set_price(market, hall.mark(market) * move // 10**6)
        for market in range(len(shares)):
            size = hall.lens.position(account, market).size
            found, _ = hall.lens.liquidation_price(account, market)
            if found:
                check(hall, account, market)
            elif size:
                ends = [surplus(hall, account, market, p) >= 0 for p in (1, MAX_PRICE)]
                assert ends[0] == ends[1]
