"""A price report and a trade in one transaction, and nothing else of the risk engine."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import boa
import pytest

from oracle.signing import pack_quote

from .desk import MARKET, NOON, UNLIMITED, WAD, Desk

PRICE = 2_100 * WAD


def report(desk: Desk, *, observed: int = NOON, price: int = PRICE) -> bytes:
    return desk.engine.report.prepare_calldata(
        observed, [MARKET], [pack_quote(price)], [(27, 1, 1)]
    )


def report_and_fill(desk: Desk, data: bytes, sender: str | None = None, **changes: Any) -> Any:
    order = desk.order(**changes)
    return desk.gateway.report_and_fill(
        data,
        astuple(order),
        desk.sign(order),
        WAD,
        desk.taker_account,
        (order.limit_price, UNLIMITED),
        sender=sender or desk.taker.address,
    )


def test_report_and_fill__report__is_in_force_at_the_trade(desk: Desk) -> None:
    # A session key without slippage may sell at the new mark, not yet counted at the old one.
    desk.set_key(slippage=0)
    order = desk.order(size=-WAD, limit_price=PRICE)
    desk.gateway.report_and_fill(
        report(desk),
        astuple(order),
        desk.sign(order, desk.keyholder),
        WAD,
        desk.taker_account,
        (PRICE, UNLIMITED),
        sender=desk.taker.address,
    )
    assert desk.engine.marks(MARKET) == PRICE
    assert desk.gateway.session_key(desk.maker_account, desk.keyholder.address).used == PRICE
    assert len(desk.trades()) == 1


def test_report_and_fill__push__is_forwarded(desk: Desk) -> None:
    push = desk.engine.push.prepare_calldata(bytes(32), NOON, [MARKET << 72], [(27, 1, 1)])
    report_and_fill(desk, push)
    assert desk.engine.pushes() == 1


def test_report_and_fill__largest_report__fits(desk: Desk) -> None:
    # A quorum of 6 of 9 signers over 40 assets, the engine's bounds.
    quote = pack_quote(PRICE)
    arguments = (NOON, [MARKET, *range(39)], [quote] * 160, [(27, 1, 1)] * 16)
    data = desk.engine.report.prepare_calldata(*arguments)
    largest = 4 + 4 * 32 + 3 * 32 + 40 * 32 + 240 * 32 + 6 * 96
    assert len(data) < largest
    report_and_fill(desk, data.ljust(largest, b"\x00"))
    assert desk.engine.marks(MARKET) == PRICE


def test_report_and_fill__report_refused__reverts_everything(desk: Desk) -> None:
    with boa.reverts("future"):
        report_and_fill(desk, report(desk, observed=NOON + 1))
    assert desk.engine.marks(MARKET) == 2_000 * WAD
    assert desk.trades() == []


def test_report_and_fill__trade_refused__reverts_the_report(desk: Desk) -> None:
    with boa.reverts("expired"):
        report_and_fill(desk, report(desk), expiry=NOON - 1)
    assert desk.engine.marks(MARKET) == 2_000 * WAD


def test_report_and_fill__any_other_function_of_the_engine__reverts(desk: Desk) -> None:
    for data in (
        desk.engine.begin_aftermath.prepare_calldata(MARKET),
        desk.engine.set_mark.prepare_calldata(MARKET, PRICE),
        bytes(4),
        b"\xff" * 100,
    ):
        with boa.reverts("not a report"):
            report_and_fill(desk, data)
    assert desk.engine.hits() == 0


@pytest.mark.parametrize("length", [0, 1, 3])
def test_report_and_fill__less_than_a_selector__reverts(desk: Desk, length: int) -> None:
    with boa.reverts():
        report_and_fill(desk, report(desk)[:length])


def test_report_and_fill__the_engines_whole_interface__but_two_is_refused(desk: Desk) -> None:
    functions = boa.load_vyi("contracts/interfaces/IRiskEngine.vyi").functions
    selectors = {function.name: function.method_id for function in functions}
    assert selectors.pop("report") == report(desk)[:4]
    assert selectors.pop("push") == desk.engine.push.prepare_calldata(bytes(32), 0, [], [])[:4]
    for selector in selectors.values():
        with boa.reverts("not a report"):
            report_and_fill(desk, selector)


def test_report_and_fill__by_a_stranger__reverts(desk: Desk) -> None:
    with boa.reverts("not authorised"):
        report_and_fill(desk, report(desk), sender=desk.stranger.address)


def test_report_and_fill__takers_terms__hold(desk: Desk) -> None:
    order = desk.order()
    arguments = (report(desk), astuple(order), desk.sign(order), WAD, desk.taker_account)
    desk.clearinghouse.set_fees(0, 10)
    with boa.reverts("fee cap"):
        desk.gateway.report_and_fill(*arguments, (2_000 * WAD, 9), sender=desk.taker.address)
    with boa.reverts("price limit"):
        desk.gateway.report_and_fill(*arguments, (2_000 * WAD + 1, 10), sender=desk.taker.address)
    desk.gateway.report_and_fill(*arguments, (2_000 * WAD, 10), sender=desk.taker.address)
