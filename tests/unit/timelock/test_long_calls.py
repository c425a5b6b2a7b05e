"""The longest calls of governance fit into an operation: a table of eight brackets, a listing."""

from __future__ import annotations

import boa
import pytest

from tests.unit.engine import harness
from tests.unit.engine.harness import Config, System

from .office import FLOOR, NO_SALT

EIGHT = [(10_000 * 2**k, 20_000, 100_000, 10_000, 50_000) for k in range(8)]
Owned = tuple[System, object, str]


@pytest.fixture
def owned() -> Owned:
    """An engine whose owner is a timelock."""
    system = harness.deploy()
    proposer = boa.env.generate_address("proposer")
    timelock = boa.load("contracts/Timelock.vy", FLOOR, [proposer], [proposer], system.engine)
    with system.as_owner():
        system.engine.hand_over(timelock)
    return system, timelock, proposer


def test_schedule__listing_with_eight_brackets__executes(owned: Owned) -> None:
    system, timelock, proposer = owned
    listing = system.settings.list_asset.prepare_calldata(
        0, Config().tuple(), EIGHT, 0, harness.PPM
    )
    assert len(listing) > 1_024
    call = (system.settings, 0, listing, NO_SALT, NO_SALT)
    timelock.schedule(*call, FLOOR, sender=proposer)
    boa.env.time_travel(seconds=FLOOR)
    timelock.execute(*call, sender=proposer)
    assert [tuple(row) for row in system.settings.brackets(0)] == EIGHT


def test_execute_batch__thirty_two_tables__within_a_block(owned: Owned) -> None:
    system, timelock, proposer = owned
    calls = [
        system.settings.list_asset.prepare_calldata(m, Config().tuple(), EIGHT, 0, harness.PPM)
        for m in range(32)
    ]
    batch = ([system.settings.address] * 32, [0] * 32, calls, NO_SALT, NO_SALT)
    timelock.schedule_batch(*batch, FLOOR, sender=proposer)
    assert timelock._computation.get_gas_used() < 16_000_000
    boa.env.time_travel(seconds=FLOOR)
    timelock.execute_batch(*batch, sender=proposer)
    assert timelock._computation.get_gas_used() < 30_000_000
    assert [tuple(row) for row in system.settings.brackets(31)] == EIGHT


def test_schedule_batch__lengths_differ__reverts(owned: Owned) -> None:
    system, timelock, proposer = owned
    with boa.reverts("length mismatch"):
        timelock.schedule_batch(
            [system.settings], [0], [], NO_SALT, NO_SALT, FLOOR, sender=proposer
        )
