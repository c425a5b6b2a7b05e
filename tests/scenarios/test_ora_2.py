"""ORA-2: setters look at the caller only; trades of one block see one reported price."""

from __future__ import annotations

import boa
import pytest

from tests.support.compiled import load
from tests.support.world import BTC, WAD, World, fees


@pytest.mark.parametrize("verb", ["set_gateway_at", "set_liquidator", "set_interest_rate", "trade"])
def test_forged_sender_behind_the_calldata__is_ignored(world: World, verb: str) -> None:
    """A forwarder that appends an address (ERC-2771) is nobody here."""
    forwarder = load("contracts/mocks/AttackerMock.vy").deploy()
    a, b = world.open("a", 1_000), world.open("b", 1_000)
    calls = {
        "set_gateway_at": world.ledger.set_gateway_at.prepare_calldata(3, forwarder.address),
        "set_liquidator": world.ledger.set_liquidator.prepare_calldata(forwarder.address),
        "set_interest_rate": world.ledger.set_interest_rate.prepare_calldata(1),
        "trade": world.ledger.trade.prepare_calldata(a, b, BTC, WAD // 100, 20_000 * WAD, 0),
    }
    forged = calls[verb] + bytes.fromhex(str(world.owner)[2:])
    with boa.reverts("not a gateway" if verb == "trade" else "not owner"):
        forwarder.execute(world.ledger.address, forged)


def test_two_reports_in_a_block__the_second_is_skipped(world: World) -> None:
    """Open and close in one block happen at one mark (decision 0003)."""
    long, short = world.open("long", 10_000), world.open("short", 10_000)
    world.system.wait(120)
    grid = world.system.grid
    assert world.system.report({BTC: 20_100 * WAD}, observed=grid - 60) != [0]
    world.trade(long, short, WAD)
    assert world.system.report({BTC: 20_250 * WAD}, observed=grid) == [0]
    assert world.mark(BTC) == 20_100 * WAD
    total = world.cash(long) + world.cash(short)
    world.trade(short, long, WAD)
    assert world.cash(long) + world.cash(short) == total - sum(fees(WAD, 20_100 * WAD))
