"""A fault: the manager trades while the price is unknown; his loss is counted at the old mark.

A jump beyond `max_move` is held for `confirm_delay`; until then the market trades at the old mark,
reduce-only. The manager's own losing position of the other side of what the ring will win is
reduced against the ring: the win moves to him, and the daily cap sees only the fee.
"""

from __future__ import annotations

from contextlib import suppress

import boa
import pytest

from tests.support.world import BTC, USD, WAD

from .desk import Desk

REASON = "reduce does not ask for a known price: a pending jump is not in the counted loss"


def test_reduce__during_a_pending_jump__costs_no_more_than_the_cap(desk: Desk) -> None:
    desk.ring(100_000, -WAD)
    own = desk.keyed("manager's own", 100_000)
    desk.trade(own[0], desk.open("friend", 100_000), WAD)
    jump = 17_000 * WAD
    desk.tick(p0=jump)  # held: the mark is still 20,000
    assert desk.mark(BTC) == 20_000 * WAD
    with boa.env.anchor():
        while desk.mark(BTC) != jump:
            desk.tick()
        honest = desk.vault.totalAssets()
    with suppress(boa.BoaError):
        desk.reduce(own, -WAD, 20_000 * WAD)
    while desk.mark(BTC) != jump:
        desk.tick()
    assert (honest - desk.vault.totalAssets()) * 10**12 <= 100 * USD + 10**12
