from __future__ import annotations

import boa
import pytest

from .desk import MARKET, NOON, WAD, Desk

PRICE = 2_000 * WAD


@pytest.mark.parametrize("size", [10 * WAD, -10 * WAD])
def test_match__crossing_pair__trades_at_the_makers_limit(desk: Desk, size: int) -> None:
    better = PRICE - 5 * WAD if size > 0 else PRICE + 5 * WAD
    maker, taker = desk.order(size=size), desk.taker_order(size=-size, limit_price=better)
    fill = desk.match(maker, taker)
    assert fill.price == PRICE
    assert desk.trades() == [(desk.maker_account, desk.taker_account, MARKET, size, PRICE, 0)]
    assert desk.filled(maker) == desk.filled(taker) == 10 * WAD


def test_match__crossing_pair__logs_both_orders(desk: Desk) -> None:
    desk.clearinghouse.set_fees(100, 400)
    maker, taker = desk.order(), desk.taker_order()
    desk.match(maker, taker, WAD)
    first, second = desk.gateway.get_logs()
    assert (first.account, first.counterparty) == (desk.maker_account, desk.taker_account)
    assert (second.account, second.counterparty) == (desk.taker_account, desk.maker_account)
    assert (first.digest, second.digest) == (desk.digest(maker), desk.digest(taker))
    assert (first.size, second.size) == (WAD, -WAD)
    assert (first.price, second.price) == (PRICE, PRICE)
    assert (first.fee, second.fee) == (PRICE * 100 // 10**6, PRICE * 400 // 10**6)


@pytest.mark.parametrize("size", [10 * WAD, -10 * WAD])
def test_match__limits_meet__trades(desk: Desk, size: int) -> None:
    desk.match(desk.order(size=size), desk.taker_order(size=-size, limit_price=PRICE))


@pytest.mark.parametrize("size", [10 * WAD, -10 * WAD])
def test_match__limits_one_wei_apart__reverts(desk: Desk, size: int) -> None:
    worse = PRICE + 1 if size > 0 else PRICE - 1
    with boa.reverts("price limit"):
        desk.match(desk.order(size=size), desk.taker_order(size=-size, limit_price=worse))


@pytest.mark.parametrize(("mark", "trades"), [(PRICE, 1), (PRICE - 10, 1), (PRICE - 11, 0)])
def test_match__settling__trades_at_a_mark_within_both_limits(
    desk: Desk, mark: int, trades: int
) -> None:
    desk.clearinghouse.set_mark(mark)
    maker, taker = desk.order(), desk.taker_order(limit_price=PRICE - 10)
    if trades:
        assert desk.match(maker, taker).price == mark
    else:
        with boa.reverts("price limit"):
            desk.match(maker, taker)
    assert len(desk.trades()) == trades


def test_match__settling_above_the_makers_limit__reverts(desk: Desk) -> None:
    desk.clearinghouse.set_mark(PRICE + 1)
    with boa.reverts("price limit"):
        desk.match(desk.order(), desk.taker_order())


@pytest.mark.parametrize("size", [10 * WAD, -10 * WAD])
def test_match__same_side__reverts(desk: Desk, size: int) -> None:
    with boa.reverts("not a pair"):
        desk.match(desk.order(size=size), desk.taker_order(size=size))


def test_match__other_market__reverts(desk: Desk) -> None:
    with boa.reverts("not a pair"):
        desk.match(desk.order(), desk.taker_order(market=MARKET + 1))


@pytest.mark.parametrize("side", [0, 1])
def test_match__order_of_size_zero__reverts(desk: Desk, side: int) -> None:
    orders = [desk.order(size=-10 * WAD), desk.taker_order(size=10 * WAD)]
    orders[side] = [desk.order(size=0), desk.taker_order(size=0)][side]
    with boa.reverts():
        desk.match(*orders, 1)
    assert desk.trades() == []


@pytest.mark.parametrize("side", [0, 1])
def test_match__an_order_too_small__reverts(desk: Desk, side: int) -> None:
    orders = [desk.order(), desk.taker_order()]
    orders[side] = [desk.order(size=WAD - 1), desk.taker_order(size=1 - WAD)][side]
    with boa.reverts("overfilled"):
        desk.match(*orders, WAD)
    desk.match(*orders, WAD - 1)


def test_match__parts_with_several_takers__each_is_counted(desk: Desk) -> None:
    maker = desk.order()
    for salt in range(3):
        desk.match(maker, desk.taker_order(size=-3 * WAD, salt=salt), 3 * WAD)
    last = desk.taker_order(size=-3 * WAD, salt=3)
    with boa.reverts("overfilled"):
        desk.match(maker, last, 3 * WAD)
    desk.match(maker, last, WAD)
    assert desk.filled(maker) == 10 * WAD
    assert desk.filled(last) == WAD


@pytest.mark.parametrize("side", [0, 1])
def test_match__an_order_past_its_last_second__reverts(desk: Desk, side: int) -> None:
    orders = [desk.order(), desk.taker_order()]
    orders[side] = [desk.order(expiry=NOON), desk.taker_order(expiry=NOON)][side]
    with boa.env.anchor():
        desk.match(*orders)
    boa.env.timestamp = NOON + 1
    with boa.reverts("expired"):
        desk.match(*orders)


@pytest.mark.parametrize("side", [0, 1])
def test_match__an_order_for_someone_else__reverts(desk: Desk, side: int) -> None:
    orders = [desk.order(taker=desk.taker_account), desk.taker_order(taker=desk.maker_account)]
    with boa.env.anchor():
        desk.match(*orders)
    orders[side] = [desk.order(taker=1), desk.taker_order(taker=1)][side]
    with boa.reverts("wrong taker"):
        desk.match(*orders)


@pytest.mark.parametrize("side", [0, 1])
def test_match__an_order_signed_by_the_other__reverts(desk: Desk, side: int) -> None:
    maker, taker = desk.order(), desk.taker_order()
    signers = [desk.maker, desk.taker]
    signers[side] = signers[1 - side]
    signatures = desk.sign(maker, signers[0]), desk.sign(taker, signers[1])
    with boa.reverts("signature"):
        desk.match(maker, taker, signatures=signatures)


@pytest.mark.parametrize(
    ("maker_fee", "taker_fee", "allowed"), [(500, 500, True), (501, 0, False), (0, 501, False)]
)
def test_match__fees__each_side_pays_at_most_its_cap(
    desk: Desk, maker_fee: int, taker_fee: int, allowed: bool
) -> None:
    desk.clearinghouse.set_fees(maker_fee, taker_fee)
    if allowed:
        desk.match(desk.order(), desk.taker_order())
    else:
        with boa.reverts("fee cap"):
            desk.match(desk.order(), desk.taker_order())


@pytest.mark.parametrize(
    ("maker", "taker", "reduce"),
    [(False, False, 0), (True, False, 1), (False, True, 2), (True, True, 3)],
)
def test_match__reduce_only__asks_it_of_that_side(
    desk: Desk, maker: bool, taker: bool, reduce: int
) -> None:
    desk.match(desk.order(reduce_only=maker), desk.taker_order(reduce_only=taker))
    assert desk.trades()[0][5] == reduce


def test_match__same_pair_again__reverts(desk: Desk) -> None:
    maker, taker = desk.order(), desk.taker_order()
    desk.match(maker, taker)
    with boa.reverts("overfilled"):
        desk.match(maker, taker)
