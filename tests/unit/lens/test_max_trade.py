"""`max_trade`: that size passes, one wei more does not."""

from __future__ import annotations

import boa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.world import WAD

from .hall import HARD, SOFT, Hall


def check(hall: Hall, account: int, market: int, is_buy: bool, price: int, is_maker: bool) -> int:
    size = int(hall.lens.max_trade(account, market, is_buy, price, is_maker))
    sign = 1 if is_buy else -1
    if size:
        assert hall.lens.preview_trade(account, market, sign * size, price, is_maker).allowed
    # A wei on a cut side may round to no position at all; the first that counts is the minimum.
    more = size + 1 if size else 10**15 + 2
    assert not hall.lens.preview_trade(account, market, sign * more, price, is_maker).allowed
    return size


@pytest.mark.parametrize("is_buy", [True, False])
def test_max_trade__flat__to_the_wei(hall: Hall, is_buy: bool) -> None:
    account, counterparty = hall.trader(10_000), hall.flat()
    size = check(hall, account, 0, is_buy, hall.mark(0), False)
    signed = size if is_buy else -size
    with boa.env.anchor():
        more = signed + (1 if is_buy else -1)
        assert hall.attempt(account, counterparty, 0, more, hall.mark(0), False) == "initial margin"
    assert hall.attempt(account, counterparty, 0, signed, hall.mark(0), False) == ""


def test_max_trade__flip__closes_and_opens(hall: Hall) -> None:
    account = hall.trader(10_000)
    hall.buy(account, 5 * WAD)
    assert check(hall, account, 0, False, hall.mark(0), False) > 5 * WAD


def test_max_trade__no_money__nothing(hall: Hall) -> None:
    assert hall.lens.max_trade(hall.trader(0), 0, True, hall.mark(0), False) == 0


def test_max_trade__liquidatable__may_close_or_flip_to_what_it_can_carry(hall: Hall) -> None:
    account = hall.trader(1_000)
    hall.buy(account, 2 * WAD)
    hall.set_price(0, 19_650 * WAD)
    assert 2 * WAD < check(hall, account, 0, False, hall.mark(0), False) < 3 * WAD
    assert hall.lens.max_trade(account, 0, True, hall.mark(0), False) == 0


def test_max_trade__bankrupt__nothing(hall: Hall) -> None:
    account = hall.trader(1_000)
    hall.buy(account, 2 * WAD)
    hall.set_price(0, 19_000 * WAD)
    for is_buy in (True, False):
        assert hall.lens.max_trade(account, 0, is_buy, hall.mark(0), False) == 0


def test_max_trade__open_interest_cap__binds(hall: Hall) -> None:
    hall.cap(1, 100_000, 200_000)
    assert check(hall, hall.trader(900_000), 1, True, hall.mark(1), False) == 100 * WAD


def test_max_trade__last_bound__binds(hall: Hall) -> None:
    assert check(hall, hall.trader(900_000_000), 0, True, hall.mark(0), False) == 500 * WAD


def test_max_trade__reduce_only__the_position(hall: Hall) -> None:
    account = hall.trader(100_000)
    hall.buy(account, WAD)
    with hall.system.as_guardian():
        hall.engine.set_reduce_only(0, True)
    assert hall.lens.max_trade(account, 0, False, hall.mark(0), False) == WAD
    assert hall.lens.max_trade(account, 0, True, hall.mark(0), False) == 0


def test_max_trade__sixteen_legs__within_a_call(hall: Hall) -> None:
    account = hall.trader(1_000_000)
    for market in range(4):
        hall.buy(account, 100 * WAD * WAD // hall.mark(market) * 100, market)
    check(hall, account, 0, True, hall.mark(0), False)
    assert hall.lens._computation.get_gas_used() < 15_000_000


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),
)
@given(data=st.data())
def test_max_trade__random_states__border(hall: Hall, data: st.DataObject) -> None:
    with boa.env.anchor():
        if data.draw(st.booleans()):
            hall.cap(1, SOFT, HARD)
        account = hall.trader(data.draw(st.integers(100, 2_000_000)))
        for market in data.draw(st.sets(st.integers(0, 3), max_size=3)):
            share = data.draw(st.integers(-(10**6), 10**6))
            most = hall.lens.max_trade(account, market, share > 0, hall.mark(market), False)
            if most:
                hall.attempt(
                    account, hall.maker, market, most * share // 10**6, hall.mark(market), False
                )
        market = data.draw(st.integers(0, 3))
        if data.draw(st.integers(0, 3)) == 0:
            hall.buy(hall.flat(), 50 * WAD, market)
            hall.cut(market, data.draw(st.booleans()))
        is_buy = data.draw(st.booleans())
        price = hall.mark(market) * data.draw(st.integers(995_000, 1_005_000)) // 10**6
        check(hall, account, market, is_buy, price, data.draw(st.booleans()))
