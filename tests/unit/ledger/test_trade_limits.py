"""Limits of a trade, each at ± 1: price band, minimum, open-interest cap, last bound, ranges."""

from __future__ import annotations

from dataclasses import replace

import boa
import pytest

from tests.support.world import (
    BTC,
    CALM_IM,
    INITIAL,
    MILLION,
    USD,
    WAD,
    World,
    ceil_div,
    fees,
    requirement,
)
from tests.unit.engine.harness import Config

PRICE = 20_000 * WAD
BAND = 1_000 * WAD  # 5 %


@pytest.fixture
def pair(world: World) -> tuple[int, int]:
    return world.open("buyer", 5 * MILLION), world.open("seller", 5 * MILLION)


@pytest.mark.parametrize("sign", [1, -1])
def test_price_band__to_the_wei(world: World, pair: tuple[int, int], sign: int) -> None:
    with boa.reverts("price band"):
        world.trade(*pair, WAD, price=PRICE + sign * (BAND + 1))
    fill = world.trade(*pair, WAD, price=PRICE + sign * BAND)
    assert fill.price == PRICE + sign * BAND


def test_price_band__binds_reductions_too(world: World, pair: tuple[int, int]) -> None:
    """LIQ-22: no one's own close is filled far off the mark."""
    world.trade(*pair, WAD)
    with boa.reverts("price band"):
        world.trade(pair[1], pair[0], WAD, price=PRICE - BAND - 1)


def test_price_band__follows_the_mark(world: World, pair: tuple[int, int]) -> None:
    world.tick(p0=20_100 * WAD)
    with boa.reverts("price band"):
        world.trade(*pair, WAD, price=PRICE + 1_105 * WAD + 1)
    world.trade(*pair, WAD, price=PRICE + 1_105 * WAD)


@pytest.mark.parametrize("price", [0, 1, 2**255 - 1, 2**256 - 1])
def test_price_band__extremes__revert(world: World, pair: tuple[int, int], price: int) -> None:
    with boa.reverts():
        world.trade(*pair, WAD, price=price)


def test_minimum__position_of_it__opens_a_wei_less_does_not(
    world: World, pair: tuple[int, int]
) -> None:
    with boa.reverts("below minimum"):
        world.trade(*pair, 10**15 - 1)
    world.trade(*pair, 10**15)


def test_minimum__remainder__is_nothing_or_at_least_it(world: World, pair: tuple[int, int]) -> None:
    world.trade(*pair, 2 * 10**15)
    buyer, seller = pair
    for left in (1, 999, 1_000, 10**15 - 1):
        with boa.reverts("below minimum"):
            world.trade(seller, buyer, 2 * 10**15 - left)
    for left in (10**15, 0):
        with boa.env.anchor():
            world.trade(seller, buyer, 2 * 10**15 - left)
            assert world.size(buyer) == left


def test_minimum__remainder_of_a_flip__counts_too(world: World, pair: tuple[int, int]) -> None:
    world.trade(*pair, 2 * 10**15)
    buyer, seller = pair
    with boa.reverts("below minimum"):
        world.trade(seller, buyer, 3 * 10**15 - 1)
    world.trade(seller, buyer, 3 * 10**15)


def test_minimum__raised_later__lets_small_positions_close_whole(
    world: World, pair: tuple[int, int]
) -> None:
    world.trade(*pair, 2 * 10**15)
    world.set_config(BTC, min_size=10**16)
    buyer, seller = pair
    with boa.reverts("below minimum"):
        world.trade(seller, buyer, 10**15)
    with boa.reverts("below minimum"):
        world.trade(buyer, seller, 10**15)
    world.trade(seller, buyer, 2 * 10**15)


def test_open_interest__up_to_the_hard_cap__to_the_wei(world: World, pair: tuple[int, int]) -> None:
    world.set_config(BTC, soft_cap=50_000, hard_cap=100_000)
    with boa.reverts("open interest"):
        world.trade(*pair, 5 * WAD + 1)
    world.trade(*pair, 5 * WAD)
    with boa.reverts("open interest"):
        world.trade(*pair, 10**15)


def test_open_interest__at_the_hard_cap__margin_is_all_of_it(
    world: World, pair: tuple[int, int]
) -> None:
    world.set_config(BTC, soft_cap=50_000, hard_cap=100_000)
    buyer, seller = pair
    world.trade(buyer, seller, 5 * WAD)
    assert world.health(buyer, INITIAL).requirement == 100_000 * USD
    assert world.health(seller, INITIAL).requirement == 100_000 * USD


@pytest.mark.parametrize("size", [2 * WAD + WAD // 2, 2 * WAD + WAD // 2 + 10**15, 4 * WAD])
def test_open_interest__between_the_caps__scales_on_what_it_is_after(
    world: World, pair: tuple[int, int], size: int
) -> None:
    world.set_config(BTC, soft_cap=50_000, hard_cap=100_000)
    world.trade(*pair, size)
    n = size * 20_000
    plain = requirement(size, PRICE, CALM_IM)
    surcharge = ceil_div((n - plain) * (n - 50_000 * USD), 50_000 * USD)
    assert world.health(pair[0], INITIAL).requirement == plain + surcharge


@pytest.mark.parametrize("spare", [0, -1])
def test_open_interest__scaled_margin__is_asked_at_the_open(world: World, spare: int) -> None:
    world.set_config(BTC, soft_cap=50_000, hard_cap=100_000)
    trader, other = world.open("trader", 100_000), world.open("other", 200_000)
    plain = requirement(4 * WAD, PRICE, CALM_IM)
    needed = plain + ceil_div((80_000 * USD - plain) * 3, 5) + fees(4 * WAD, PRICE)[0]
    world.set_cash(trader, needed + spare)
    if spare < 0:
        with boa.reverts("initial margin"):
            world.trade(trader, other, 4 * WAD)
    else:
        world.trade(trader, other, 4 * WAD)


def test_open_interest__above_the_cap_by_price__changes_hands_but_does_not_grow(
    world: World, pair: tuple[int, int]
) -> None:
    """OI' <= max(OI, H)."""
    world.set_config(BTC, soft_cap=50_000, hard_cap=100_000)
    buyer, seller = pair
    world.trade(buyer, seller, 5 * WAD)
    world.tick(p0=20_150 * WAD)
    newcomer = world.open("newcomer", 200_000)
    world.trade(newcomer, buyer, WAD)
    with boa.reverts("open interest"):
        world.trade(newcomer, seller, 10**15)
    world.trade(seller, newcomer, WAD)
    assert world.market().short.total == 4 * WAD


def test_open_interest__no_cap__is_bounded_by_the_last_bound_only(
    world: World, pair: tuple[int, int]
) -> None:
    world.trade(*pair, 500 * WAD)
    assert world.market().short.total == 500 * WAD


def test_last_bound__to_the_wei_of_notional(world: World, pair: tuple[int, int]) -> None:
    """10 M USD is the last bound; nothing may be increased above it."""
    with boa.reverts("above last bound"):
        world.trade(*pair, 500 * WAD + 1)
    world.trade(*pair, 500 * WAD)
    with boa.reverts("above last bound"):
        world.trade(*pair, 10**15)


def test_last_bound__crossed_by_the_price__only_reductions(
    world: World, pair: tuple[int, int]
) -> None:
    buyer, seller = pair
    world.trade(buyer, seller, 500 * WAD)
    world.tick(p0=20_150 * WAD)
    with boa.reverts("above last bound"):
        world.trade(buyer, seller, 10**15)
    world.trade(seller, buyer, 10**15)
    world.trade(buyer, seller, 10**15, market=1)


def test_last_bound__above_it_in_one_market__opens_in_another(
    world: World, pair: tuple[int, int]
) -> None:
    buyer, seller = pair
    world.trade(buyer, seller, 500 * WAD)
    world.tick(p0=20_150 * WAD)
    world.trade(buyer, seller, WAD, market=1)
    assert world.size(buyer, 1) == WAD


def test_range__scaled_size_and_z__are_refused_at_the_open(world: World) -> None:
    """FORMULAS 1: |q| < 2^111 and |z| < 2^119, asserted on opens."""
    table = [(MILLION * 10**12, 20_000, 100_000, 10_000, 50_000)]
    cheap = replace(Config(), maker_fee=0, taker_fee=0)
    world.list_market(9, 1, cheap, table)
    a, b = world.open("a", 10), world.open("b", 10)
    world.trade(a, b, 2**110 - 1, market=9)
    world.trade(a, b, 2**110 - 1, market=9)
    with boa.reverts("too large"):
        world.trade(a, b, 10**15, market=9)
    world.list_market(10, 10**27, cheap, table)
    with boa.reverts("too large"):
        world.trade(a, b, 2**119 // 10**9 + 1, market=10)
