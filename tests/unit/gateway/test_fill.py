from __future__ import annotations

import boa
import pytest

from .desk import MARKET, NOON, PPM, WAD, Desk


@pytest.mark.parametrize("size", [10 * WAD, -10 * WAD])
def test_fill__whole_order__trades_at_its_price_for_the_maker(desk: Desk, size: int) -> None:
    order = desk.order(size=size)
    fill = desk.fill(order)
    assert desk.trades() == [(desk.maker_account, desk.taker_account, MARKET, size, 2_000 * WAD, 0)]
    assert desk.clearinghouse.trades(0)[0] == desk.gateway.address
    assert tuple(fill) == (2_000 * WAD, 0, 0)
    assert desk.filled(order) == 10 * WAD


def test_fill__whole_order__is_logged(desk: Desk) -> None:
    desk.clearinghouse.set_fees(100, 400)
    order = desk.order(size=-10 * WAD)
    desk.fill(order, 4 * WAD)
    (event,) = desk.gateway.get_logs()
    assert type(event).__name__ == "OrderFilled"
    assert event.account == desk.maker_account
    assert event.digest == desk.digest(order)
    assert event.counterparty == desk.taker_account
    assert event.size == -4 * WAD
    assert event.price == 2_000 * WAD
    assert event.fee == 8_000 * WAD * 100 // PPM


def test_fill__parts__count_up_to_the_size_and_no_further(desk: Desk) -> None:
    order = desk.order()
    desk.fill(order, 3 * WAD)
    desk.fill(order, 1)
    assert desk.filled(order) == 3 * WAD + 1
    with boa.reverts("overfilled"):
        desk.fill(order, 7 * WAD)
    desk.fill(order, 7 * WAD - 1)
    assert desk.filled(order) == 10 * WAD
    with boa.reverts("overfilled"):
        desk.fill(order, 1)
    assert sum(trade[3] for trade in desk.trades()) == 10 * WAD


def test_fill__one_wei_more_than_the_size__reverts(desk: Desk) -> None:
    with boa.reverts("overfilled"):
        desk.fill(desk.order(), 10 * WAD + 1)


def test_fill__nothing__reverts(desk: Desk) -> None:
    with boa.reverts("zero size"):
        desk.fill(desk.order(), 0)


def test_fill__order_of_size_zero__reverts(desk: Desk) -> None:
    with boa.reverts("overfilled"):
        desk.fill(desk.order(size=0), 1)


def test_fill__last_second__trades(desk: Desk) -> None:
    boa.env.timestamp = NOON + 600
    desk.fill(desk.order())


def test_fill__second_after_expiry__reverts(desk: Desk) -> None:
    boa.env.timestamp = NOON + 601
    with boa.reverts("expired"):
        desk.fill(desk.order())


def test_fill__order_for_this_taker__trades(desk: Desk) -> None:
    desk.fill(desk.order(taker=desk.taker_account))


@pytest.mark.parametrize("shift", [1, -1, 1 << 96])
def test_fill__order_for_another_account__reverts(desk: Desk, shift: int) -> None:
    with boa.reverts("wrong taker"):
        desk.fill(desk.order(taker=desk.taker_account + shift))


def test_fill__taker_account_of_another__reverts(desk: Desk) -> None:
    with boa.reverts("not authorised"):
        desk.fill(desk.order(), sender=desk.stranger.address)


def test_fill__another_subaccount_of_the_caller__trades(desk: Desk) -> None:
    desk.fill(desk.order(), taker_account=desk.taker_account + 5)
    assert desk.trades()[0][1] == desk.taker_account + 5


def test_fill__reduce_only_order__asks_that_the_maker_reduces(desk: Desk) -> None:
    desk.fill(desk.order(reduce_only=True))
    assert desk.trades()[0][5] == 1


@pytest.mark.parametrize("size", [10 * WAD, -10 * WAD])
@pytest.mark.parametrize("shift", [1, -1])
def test_fill__another_price_than_the_orders__reverts(desk: Desk, size: int, shift: int) -> None:
    # One wei to either side hurts one of the two: the taker of a plain fill agreed to one price.
    desk.clearinghouse.set_mark(2_000 * WAD + shift)
    with boa.reverts("price limit"):
        desk.fill(desk.order(size=size))


def test_fill__settling_at_the_orders_very_price__trades(desk: Desk) -> None:
    desk.clearinghouse.set_mark(2_000 * WAD)
    desk.fill(desk.order())


def test_fill__fee_at_the_makers_cap__trades(desk: Desk) -> None:
    # 3 wei at 1/3 of a dollar: notional and fee both round up, as in the clearinghouse.
    desk.clearinghouse.set_fees(500, 0)
    desk.fill(desk.order(max_fee=500))
    desk.fill(desk.order(max_fee=500, limit_price=WAD // 3), 3)


def test_fill__fee_one_ppm_above_the_makers_cap__reverts(desk: Desk) -> None:
    desk.clearinghouse.set_fees(501, 0)
    with boa.reverts("fee cap"):
        desk.fill(desk.order(max_fee=500))


def test_fill__fee_cap_beyond_all_rates__means_none(desk: Desk) -> None:
    desk.clearinghouse.set_fees(PPM, 0)
    desk.fill(desk.order(max_fee=2**256 - 1))


def test_fill__takers_fee__is_not_the_makers(desk: Desk) -> None:
    desk.clearinghouse.set_fees(0, PPM)
    desk.fill(desk.order(max_fee=0))


def test_fill__clearinghouse_refuses__keeps_the_order_open(desk: Desk) -> None:
    order = desk.order()
    desk.clearinghouse.set_failure("margin")
    with boa.reverts("margin"):
        desk.fill(order)
    assert desk.filled(order) == 0
    desk.clearinghouse.set_failure("")
    desk.fill(order)


def test_fill__orders_differing_in_salt_only__are_two(desk: Desk) -> None:
    desk.fill(desk.order(salt=7))
    desk.fill(desk.order(salt=8))
    assert len(desk.trades()) == 2


@pytest.mark.parametrize("size", [2**255 - 1, -(2**255) + 1])
def test_fill__largest_order__fills_in_parts(desk: Desk, size: int) -> None:
    order = desk.order(size=size, limit_price=2**256 - 1 if size > 0 else 0)
    desk.clearinghouse.set_mark(WAD)
    desk.fill_within(order, WAD, limit=WAD)
    assert desk.filled(order) == WAD


def test_fill__smallest_int256__reverts(desk: Desk) -> None:
    # No signer of ours makes such an order; its absolute value does not exist.
    order = (desk.maker_account, MARKET, -(2**255), 0, 0, NOON, 0, False, 0)
    signature = desk.sign(desk.order())
    with boa.reverts():
        desk.gateway.fill(order, signature, 1, desk.taker_account, sender=desk.taker.address)
