"""GOV-4: the timelock shortens its own delay.

The floor is in the code, and a change of the delay waits for the old one."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.support.government import FLOOR, Government, hand_over
from tests.support.world import World, address_of


def delay_change(government: Government, delay: int) -> tuple[Any, bytes]:
    timelock = government.timelock
    return timelock, timelock.update_delay.prepare_calldata(delay)


@pytest.mark.parametrize("delay", [0, 1, FLOOR - 1])
def test_delay__below_the_floor__reverts_with_the_whole_batch(world: World, delay: int) -> None:
    """Zero first, then what was to pass at once."""
    government = hand_over(world)
    guardian = address_of("attacker")
    batch = government.schedule(
        delay_change(government, delay),
        (world.engine, world.engine.set_guardian.prepare_calldata(guardian)),
    )
    world.system.wait(FLOOR)
    with boa.reverts("delay out of range"):
        government.execute(batch)
    assert government.timelock.get_minimum_delay() == FLOOR
    assert world.engine.guardian() == world.guardian


def test_delay__shortened__waits_for_the_old_one(world: World) -> None:
    government = hand_over(world)
    government.decide(delay_change(government, 3 * FLOOR))
    batch = government.schedule(delay_change(government, FLOOR))
    world.system.wait(3 * FLOOR - 1)
    with boa.reverts("timelock_controller: operation is not ready"):
        government.execute(batch)
    world.system.wait(1)
    government.execute(batch)
    assert government.timelock.get_minimum_delay() == FLOOR


def test_delay__shortened__what_was_queued_before_keeps_its_time(world: World) -> None:
    government = hand_over(world)
    government.decide(delay_change(government, 3 * FLOOR))
    shorter = government.schedule(delay_change(government, FLOOR))
    world.system.wait(2 * FLOOR)
    change = world.engine.set_guardian.prepare_calldata(address_of("next"))
    queued = government.schedule((world.engine, change))
    world.system.wait(FLOOR)
    government.execute(shorter)
    world.system.wait(FLOOR)
    with boa.reverts("timelock_controller: operation is not ready"):
        government.execute(queued)
    world.system.wait(FLOOR)
    government.execute(queued)


def test_delay__longer__bounded(world: World) -> None:
    """Otherwise governance could be locked up for ever."""
    government = hand_over(world)
    most = government.timelock.MAX_DELAY()
    batch = government.schedule(delay_change(government, most + 1))
    world.system.wait(FLOOR)
    with boa.reverts("delay out of range"):
        government.execute(batch)
