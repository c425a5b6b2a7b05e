"""What the gateway itself costs, without the ledger's work and the 21,000 of any transaction."""

from __future__ import annotations

from typing import Any

import boa

from .desk import Desk

# A new order's slot is 22,100 of each, the calldata 8,000; the whole fill may cost 150,000.
FILL = 45_000
REFILL = 28_000


def own_gas(desk: Desk) -> int:
    computation = desk.gateway._computation
    calls = [
        c for c in computation.children if c.msg.to == desk.clearinghouse.address.canonical_address
    ]
    (trade,) = calls
    zeros = computation.msg.data.count(0)
    calldata = 4 * zeros + 16 * (len(computation.msg.data) - zeros)
    return computation.get_gas_used() - trade.get_gas_used() + calldata


def test_fill__new_order__within_the_budget(desk: Desk) -> None:
    desk.fill(desk.order(), 1)
    assert own_gas(desk) <= FILL


def test_fill__order_filled_before__within_the_budget(desk: Desk) -> None:
    order = desk.order()
    desk.fill(order, 1)
    desk.fill(order, 1)
    assert own_gas(desk) <= REFILL


def test_runtime__fits_with_room(desk: Desk) -> None:
    code: Any = boa.env.get_code(desk.gateway.address)
    assert len(code) <= 10_000
