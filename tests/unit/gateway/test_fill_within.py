from __future__ import annotations

import boa
import pytest

from .desk import WAD, Desk

PRICE = 2_000 * WAD


def test_fill_within__maker_buys_and_taker_gets_his_limit__trades(desk: Desk) -> None:
    desk.clearinghouse.set_mark(PRICE - 1)
    fill = desk.fill_within(desk.order(), limit=PRICE - 1)
    assert fill.price == PRICE - 1


def test_fill_within__maker_buys_one_wei_below_the_takers_limit__reverts(desk: Desk) -> None:
    desk.clearinghouse.set_mark(PRICE - 2)
    with boa.reverts("price limit"):
        desk.fill_within(desk.order(), limit=PRICE - 1)


def test_fill_within__maker_sells_and_taker_gets_his_limit__trades(desk: Desk) -> None:
    desk.clearinghouse.set_mark(PRICE + 1)
    fill = desk.fill_within(desk.order(size=-10 * WAD), limit=PRICE + 1)
    assert fill.price == PRICE + 1


def test_fill_within__maker_sells_one_wei_above_the_takers_limit__reverts(desk: Desk) -> None:
    desk.clearinghouse.set_mark(PRICE + 2)
    with boa.reverts("price limit"):
        desk.fill_within(desk.order(size=-10 * WAD), limit=PRICE + 1)


@pytest.mark.parametrize(("size", "limit"), [(10 * WAD, 0), (-10 * WAD, 2**256 - 1)])
def test_fill_within__beyond_the_makers_limit__reverts(desk: Desk, size: int, limit: int) -> None:
    # The clearinghouse would not do this; the gateway does not rely on it.
    desk.clearinghouse.set_mark(PRICE + (1 if size > 0 else -1))
    with boa.reverts("price limit"):
        desk.fill_within(desk.order(size=size), limit=limit)


def test_fill_within__fee_at_the_takers_cap__trades(desk: Desk) -> None:
    desk.clearinghouse.set_fees(0, 300)
    desk.fill_within(desk.order(), limit=PRICE, max_fee=300)


def test_fill_within__fee_one_ppm_above_the_takers_cap__reverts(desk: Desk) -> None:
    desk.clearinghouse.set_fees(0, 301)
    with boa.reverts("fee cap"):
        desk.fill_within(desk.order(), limit=PRICE, max_fee=300)


def test_fill_within__taker_account_of_another__reverts(desk: Desk) -> None:
    with boa.reverts("not authorised"):
        desk.fill_within(desk.order(), limit=PRICE, sender=desk.stranger.address)
