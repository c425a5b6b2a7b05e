"""The outflow bucket and its queue (FORMULAS 9): how fast tokens leave, and what waits."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle.engine import outflow as twin
from tests.support.world import (
    SETTLEMENT,
    UNIT,
    USD,
    WAD,
    WAD_PER_UNIT,
    World,
    address_of,
    events,
    events_of,
)

HOUR = 3_600


def limit(world: World, cap: int = 100 * USD) -> None:
    """A bucket whose level is what is held now."""
    with world.as_owner():
        world.custody.set_outflow(SETTLEMENT, cap, HOUR)
    world.custody.release(SETTLEMENT, address_of("nobody"))
    world.system.wait(HOUR)
    world.refresh(0)


@pytest.fixture
def saver(world: World) -> int:
    """A bucket of 100 USD an hour."""
    world.system.wait(60)
    saver = world.open("saver", 10_000)
    world.open("other", 1_000)
    limit(world)
    world.pass_time(600)
    return saver


def account_of(name: str) -> int:
    return int(address_of(name), 16) << 96


def paid(world: World, account: int) -> int:
    return world.token.balanceOf(world.owner_of(account))


def waiting(world: World, account: int) -> int:
    return world.custody.waiting(SETTLEMENT, world.owner_of(account))


def test_withdraw__within_the_cap__leaves_at_once(world: World, saver: int) -> None:
    world.withdraw(saver, 100 * UNIT)
    assert (paid(world, saver), waiting(world, saver)) == (100 * UNIT, 0)


def test_withdraw__above_the_cap__waits_and_has_left_the_ledger(world: World, saver: int) -> None:
    world.withdraw(saver, 150 * UNIT + 1)
    owner = world.owner_of(saver)
    assert events_of(world.ledger, "Paid") == [
        ("Paid", owner, SETTLEMENT, 100 * USD, 50 * USD + WAD_PER_UNIT)
    ]
    assert (paid(world, saver), waiting(world, saver)) == (100 * UNIT, 50 * USD + WAD_PER_UNIT)
    assert world.cash(saver) == 10_000 * USD - 150 * USD - WAD_PER_UNIT
    assert world.custody.totals().tokens == world.cash(saver) + 1_000 * USD
    tokens = world.token.balanceOf(world.custody.address) * WAD_PER_UNIT
    assert tokens == world.custody.totals().tokens + waiting(world, saver)


def test_release__as_the_bucket_refills__pays_by_anyone(world: World, saver: int) -> None:
    world.withdraw(saver, 150 * UNIT)
    owner = world.owner_of(saver)
    world.custody.release(SETTLEMENT, owner)
    assert paid(world, saver) == 100 * UNIT, "no room yet"
    world.system.wait(HOUR // 4)
    with boa.env.prank(address_of("stranger")):
        world.custody.release(SETTLEMENT, owner)
    assert events(world.custody) == [
        ("Paid", owner, SETTLEMENT, 25 * USD, 25 * USD),
        ("Transfer", world.custody.address, owner, 25 * UNIT),
    ]
    world.system.wait(HOUR)
    world.custody.release(SETTLEMENT, owner)
    assert (paid(world, saver), waiting(world, saver)) == (150 * UNIT, 0)
    world.custody.release(SETTLEMENT, owner)
    assert paid(world, saver) == 150 * UNIT


def test_withdraw__again_while_some_waits__pays_the_old_with_the_new(
    world: World, saver: int
) -> None:
    world.withdraw(saver, 150 * UNIT)
    world.system.wait(HOUR)
    world.withdraw(saver, 30 * UNIT)
    assert (paid(world, saver), waiting(world, saver)) == (180 * UNIT, 0)
    world.withdraw(saver, 30 * UNIT)
    assert (paid(world, saver), waiting(world, saver)) == (200 * UNIT, 10 * USD)


def test_bucket__is_shared_by_all_and_queues_are_apart(world: World, saver: int) -> None:
    other = account_of("other")
    world.withdraw(saver, 80 * UNIT)
    world.withdraw(other, 50 * UNIT)
    assert (paid(world, other), waiting(world, other)) == (20 * UNIT, 30 * USD)
    assert waiting(world, saver) == 0
    world.system.wait(HOUR)
    world.custody.release(SETTLEMENT, world.owner_of(saver))
    assert waiting(world, other) == 30 * USD


def test_bucket__refills_in_a_pause_but_nothing_is_withdrawn(world: World, saver: int) -> None:
    world.withdraw(saver, 100 * UNIT)
    with world.as_guardian():
        world.engine.pause()
    world.system.wait(HOUR)
    with world.as_guardian():
        world.engine.unpause()
    world.system.wait(600)
    world.withdraw(saver, 100 * UNIT)
    assert paid(world, saver) == 200 * UNIT


def test_bucket__at_a_window__passes_less_than_twice_its_cap(world: World, saver: int) -> None:
    world.withdraw(saver, 10_000 * UNIT)
    owner = world.owner_of(saver)
    for _ in range(60):
        world.system.wait(60)
        world.custody.release(SETTLEMENT, owner)
    assert 190 * UNIT <= paid(world, saver) <= 200 * UNIT


def test_set_outflow__keeps_what_left_counted(world: World, saver: int) -> None:
    world.withdraw(saver, 90 * UNIT)
    with world.as_owner():
        world.custody.set_outflow(SETTLEMENT, 50 * USD, HOUR)
        assert events(world.custody) == [("OutflowSet", SETTLEMENT, 50 * USD, HOUR)]
    world.withdraw(saver, 10 * UNIT)
    assert paid(world, saver) == 90 * UNIT, "90 of 50 are out"
    with world.as_owner():
        world.custody.set_outflow(SETTLEMENT, 95 * USD, HOUR)
    world.custody.release(SETTLEMENT, world.owner_of(saver))
    assert paid(world, saver) == 95 * UNIT


MOST = (2**64 - 1) * 10**12


@pytest.mark.parametrize(
    ("cap", "window", "fits"),
    [
        (0, 3_600, True),
        (MOST, 3_600, True),
        (1, 30 * 86_400, True),
        (MOST + 1, 3_600, False),
        (1, 3_599, False),
        (1, 30 * 86_400 + 1, False),
    ],
)
def test_set_outflow__bounds(world: World, cap: int, window: int, fits: bool) -> None:
    with world.as_owner():
        if fits:
            world.custody.set_outflow(SETTLEMENT, cap, window)
        else:
            with boa.reverts("outflow"):
                world.custody.set_outflow(SETTLEMENT, cap, window)


@pytest.mark.parametrize("token", [0, 1, 254, 256])
def test_set_outflow__token_not_listed__reverts(world: World, token: int) -> None:
    with world.as_owner(), boa.reverts("token"):
        world.custody.set_outflow(token, 1, HOUR)


def test_set_outflow__cap_of_zero__lets_nothing_out(world: World, saver: int) -> None:
    with world.as_owner():
        world.custody.set_outflow(SETTLEMENT, 0, HOUR)
    world.withdraw(saver, 5 * UNIT)
    assert (paid(world, saver), waiting(world, saver)) == (0, 5 * USD)
    world.system.wait(10 * HOUR)
    world.custody.release(SETTLEMENT, world.owner_of(saver))
    assert paid(world, saver) == 0


def test_deposit__may_leave_again_and_uses_nothing_up(world: World, saver: int) -> None:
    """Net outflow: whoever passes through leaves the room of others as it was."""
    passing = world.open("passing", 5_000)
    world.withdraw(passing, 5_000 * UNIT)
    assert paid(world, passing) == 5_000 * UNIT
    world.withdraw(saver, 100 * UNIT)
    assert paid(world, saver) == 100 * UNIT
    world.deposit(passing, 50 * UNIT)
    world.withdraw(saver, 50 * UNIT)
    assert paid(world, saver) == 150 * UNIT


def test_deposit__counts_as_held_a_window_after_it_was_noted(world: World, saver: int) -> None:
    late = world.open("late", 5_000)
    world.custody.release(SETTLEMENT, address_of("nobody"))
    world.system.wait(HOUR // 2)
    world.refresh(0)
    with boa.env.anchor():
        world.withdraw(late, 5_000 * UNIT)
        assert paid(world, late) == 2_600 * UNIT, "half of it is in the level"
    world.system.wait(HOUR // 2)
    world.refresh(0)
    world.withdraw(late, 5_000 * UNIT)
    assert paid(world, late) == 100 * UNIT


def test_donation__is_room_for_as_much_and_no_more(world: World, saver: int) -> None:
    world.token.mint(world.custody.address, 70 * UNIT)
    world.withdraw(saver, 500 * UNIT)
    assert paid(world, saver) == 170 * UNIT


def test_collateral__has_a_bucket_of_its_own(world: World, saver: int) -> None:
    """ACC-13: every path out is limited, each token by its own cap."""
    index, token = world.list_token(outflow=2 * WAD, window=HOUR)
    owner = world.owner_of(saver)
    world.deposit_collateral(saver, index, token, 5 * WAD)
    world.custody.release(index, owner)
    world.pass_time(HOUR)
    world.withdraw(saver, 100 * UNIT)
    world.withdraw_collateral(saver, index, 5 * WAD)
    assert token.balanceOf(owner) == 2 * WAD
    assert world.custody.waiting(index, owner) == 3 * WAD
    assert world.custody.listed(index).total == 0
    world.system.wait(HOUR // 2)
    world.custody.release(index, owner)
    assert token.balanceOf(owner) == 3 * WAD
    with boa.reverts("token"):
        world.custody.release(1, owner)
    with boa.reverts("token"):
        world.custody.release(SETTLEMENT - 1, owner)
    world.custody.release(SETTLEMENT, owner)
    assert (paid(world, saver), waiting(world, saver)) == (100 * UNIT, 0), "its own queue"


def test_collateral__odd_decimals__pays_whole_units_only(world: World, saver: int) -> None:
    index, token = world.list_token(decimals=8, outflow=5 * 10**12, window=HOUR)
    owner = world.owner_of(saver)
    world.deposit_collateral(saver, index, token, 9 * 10**4 + 1)
    world.custody.release(index, owner)
    world.pass_time(HOUR)
    world.withdraw_collateral(saver, index, 9 * 10**4 + 1)
    assert token.balanceOf(owner) == 501, "five grains of room and what no grain counts"
    assert world.custody.waiting(index, owner) == (9 * 10**4 - 500) * 10**10


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(st.integers(0, 5_000), st.integers(-(200 * UNIT), 200 * UNIT)),
        min_size=1,
        max_size=6,
    )
)
def test_bucket__any_history__is_the_twin(world: World, history: list[tuple[int, int]]) -> None:
    """Withdrawals where positive, deposits where negative, releases where nothing."""
    with boa.env.anchor():
        with world.as_owner():
            world.custody.set_outflow(SETTLEMENT, 100 * USD, HOUR)
        saver = world.open("careful saver", 10_000)
        bucket = twin.reset(twin.Bucket(0, HOUR), 100 * USD, HOUR)
        due = out = 0
        for wait, units in history:
            world.system.wait(wait)
            if units < 0:
                world.deposit(saver, -units)
                continue
            held = world.token.balanceOf(world.custody.address) * WAD_PER_UNIT
            if units:
                world.withdraw(saver, units)
            else:
                world.custody.release(SETTLEMENT, world.owner_of(saver))
            due += units * WAD_PER_UNIT
            bucket, now = twin.pay(bucket, held, due, WAD_PER_UNIT, world.system.time)
            due, out = due - now, out + now
            assert paid(world, saver) * WAD_PER_UNIT == out
            assert waiting(world, saver) == due


@pytest.mark.parametrize("path", ["cash", "collateral"])
def test_release__while_paused__reverts(world: World, saver: int, path: str) -> None:
    index, _ = world.list_token()
    with world.as_guardian():
        world.engine.pause()
    with boa.reverts("paused"):
        if path == "cash":
            world.custody.release(SETTLEMENT, world.owner_of(saver))
        else:
            world.custody.release(index, world.owner_of(saver))


def test_queue__receiver_without_anything_waiting__gets_nothing(world: World, saver: int) -> None:
    any_one: Any = address_of("anyone")
    world.custody.release(SETTLEMENT, any_one)
    assert events(world.custody) == [("Paid", any_one, SETTLEMENT, 0, 0)]
