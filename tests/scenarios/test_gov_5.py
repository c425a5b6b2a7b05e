"""GOV-5: a batch of coupled parameters whose second call fails: all or nothing."""

from __future__ import annotations

from dataclasses import replace

import boa

from tests.support.government import FLOOR, hand_over
from tests.support.world import BTC, World
from tests.unit.engine.harness import TABLE, Config

STEEPER = [(bound, 2 * im, storm, 2 * mm, storm_mm) for bound, im, storm, mm, storm_mm in TABLE]


def test_batch__second_call_fails__nothing_is_changed(world: World) -> None:
    """A larger move with the wider margin it needs, in the wrong order: the table ramps in."""
    government = hand_over(world)
    config = replace(Config(), max_move=30_000)
    batch = government.schedule(
        (world.settings, world.settings.set_schedule.prepare_calldata(BTC, STEEPER)),
        (world.settings, world.settings.set_config.prepare_calldata(BTC, config.tuple())),
    )
    world.system.wait(FLOOR)
    world.refresh()
    with boa.reverts("bad parameters"):
        government.execute(batch)
    assert [tuple(row) for row in world.settings.brackets(BTC)] == TABLE
    assert world.settings.config_of(BTC).max_move == 15_000


def test_batch__failed__can_be_executed_when_its_reason_is_gone(world: World) -> None:
    """A table is refused while another ramps in, and with it the rest of its batch."""
    government = hand_over(world)
    table = world.settings.set_schedule.prepare_calldata(BTC, STEEPER)
    config = replace(Config(), taker_fee=700).tuple()
    change = world.settings.set_config.prepare_calldata(BTC, config)
    first = government.schedule((world.settings, table), salt=b"\x01" * 32)
    second = government.schedule((world.settings, change), (world.settings, table))
    world.system.wait(FLOOR)
    world.refresh()
    government.execute(first)
    with boa.reverts("ramping"):
        government.execute(second)
    assert world.settings.config_of(BTC).taker_fee == 500
    world.system.wait(world.engine.clocks().ramp)
    world.refresh()
    government.execute(second)
    assert world.settings.config_of(BTC).taker_fee == 700


def test_batch__all_calls_pass__in_one_block(world: World) -> None:
    government = hand_over(world)
    config = replace(Config(), max_move=14_000)
    government.decide(
        (world.settings, world.settings.set_config.prepare_calldata(BTC, config.tuple())),
        (world.settings, world.settings.set_schedule.prepare_calldata(BTC, STEEPER)),
    )
    assert world.settings.config_of(BTC).max_move == 14_000
    assert [tuple(row) for row in world.settings.brackets(BTC)] == STEEPER
