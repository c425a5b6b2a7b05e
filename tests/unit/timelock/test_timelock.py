"""Delay, roles, pause, batches (threats GOV-1, GOV-4, GOV-5, GOV-6)."""

from __future__ import annotations

import boa
import pytest
from eth.exceptions import Revert

from tests.support.compiled import load

from .office import DAY, FLOOR, NO_SALT, ZERO, Office


def test_execute__after_the_delay__changes_the_target(office: Office) -> None:
    office.schedule(office.target, office.change)
    boa.env.time_travel(seconds=FLOOR)
    office.execute(office.target, office.change)
    assert office.duration() == 601


def test_execute__a_second_early__reverts(office: Office) -> None:
    office.schedule(office.target, office.change)
    boa.env.time_travel(seconds=FLOOR - 1)
    with boa.reverts("timelock_controller: operation is not ready"):
        office.execute(office.target, office.change)


def test_execute__twice__reverts(office: Office) -> None:
    office.schedule(office.target, office.change)
    boa.env.time_travel(seconds=FLOOR)
    office.execute(office.target, office.change)
    with boa.reverts("timelock_controller: operation is not ready"):
        office.execute(office.target, office.change)


def test_execute__never_scheduled__reverts(office: Office) -> None:
    with boa.reverts("timelock_controller: operation is not ready"):
        office.execute(office.target, office.change)


def test_execute__while_paused__reverts_and_goes_on_after(office: Office) -> None:
    office.schedule(office.target, office.change)
    boa.env.time_travel(seconds=FLOOR)
    office.engine.set_clock(True, 0, 0)
    with boa.reverts("engine paused"):
        office.execute(office.target, office.change)
    office.engine.set_clock(False, 0, 0)
    office.execute(office.target, office.change)


def test_execute_batch__while_paused__reverts(office: Office) -> None:
    office.engine.set_clock(True, 0, 0)
    with boa.reverts("engine paused"):
        office.timelock.execute_batch([], [], [], NO_SALT, NO_SALT, sender=office.executor)


def test_execute__without_role__reverts(office: Office) -> None:
    office.schedule(office.target, office.change)
    boa.env.time_travel(seconds=FLOOR)
    for sender in (office.stranger, office.proposer, office.deployer):
        with boa.reverts("access_control: account is missing role"):
            office.execute(office.target, office.change, sender=sender)


def test_execute__open_executor_role__anyone(office: Office) -> None:
    timelock = office.deploy([ZERO])
    call = (timelock, 0, office.delay_change(FLOOR + 1), NO_SALT, NO_SALT)
    timelock.schedule(*call, FLOOR, sender=office.proposer)
    boa.env.time_travel(seconds=FLOOR)
    timelock.execute(*call, sender=office.stranger)
    assert timelock.get_minimum_delay() == FLOOR + 1


def test_execute__target_reverts__reason_passed_on(office: Office) -> None:
    bad = office.target.set_parameters.prepare_calldata((0, 0, 0, 0, 0, 0, 0))
    office.schedule(office.target, bad)
    boa.env.time_travel(seconds=FLOOR)
    with boa.reverts("out of range"):
        office.execute(office.target, bad)


def test_execute_batch__one_call_fails__nothing_happens(office: Office) -> None:
    """GOV-5."""
    bad = office.target.set_parameters.prepare_calldata((0, 0, 0, 0, 0, 0, 0))
    batch = ([office.target] * 2, [0, 0], [office.change, bad], NO_SALT, NO_SALT)
    office.timelock.schedule_batch(*batch, FLOOR, sender=office.proposer)
    boa.env.time_travel(seconds=FLOOR)
    with boa.reverts("out of range"):
        office.timelock.execute_batch(*batch, sender=office.executor)
    assert office.duration() == 600


def test_execute_batch__all_calls_pass(office: Office) -> None:
    batch = (
        [office.target, office.timelock],
        [0, 0],
        [office.change, office.delay_change(FLOOR + 5)],
        NO_SALT,
        NO_SALT,
    )
    office.timelock.schedule_batch(*batch, FLOOR, sender=office.proposer)
    boa.env.time_travel(seconds=FLOOR)
    office.timelock.execute_batch(*batch, sender=office.executor)
    assert office.duration() == 601
    assert office.timelock.get_minimum_delay() == FLOOR + 5


def test_schedule__without_role__reverts(office: Office) -> None:
    for sender in (office.stranger, office.executor, office.deployer):
        with boa.reverts("access_control: account is missing role"):
            office.schedule(office.target, office.change, sender=sender)


def test_schedule__shorter_than_the_delay__reverts(office: Office) -> None:
    with boa.reverts("timelock_controller: insufficient delay"):
        office.schedule(office.target, office.change, delay=FLOOR - 1)


def test_cancel__by_the_proposer__cannot_be_executed(office: Office) -> None:
    office.schedule(office.target, office.change)
    operation = office.timelock.hash_operation(office.target, 0, office.change, NO_SALT, NO_SALT)
    with boa.reverts("access_control: account is missing role"):
        office.timelock.cancel(operation, sender=office.executor)
    office.timelock.cancel(operation, sender=office.proposer)
    boa.env.time_travel(seconds=FLOOR)
    with boa.reverts("timelock_controller: operation is not ready"):
        office.execute(office.target, office.change)


@pytest.mark.parametrize("delay", [FLOOR, FLOOR + 1, 60 * DAY])
def test_update_delay__in_range__after_the_old_delay(office: Office, delay: int) -> None:
    payload = office.delay_change(delay)
    office.schedule(office.timelock, payload)
    boa.env.time_travel(seconds=FLOOR)
    office.execute(office.timelock, payload)
    assert office.timelock.get_minimum_delay() == delay


@pytest.mark.parametrize("delay", [0, 1, FLOOR - 1, 60 * DAY + 1, 2**256 - 1])
def test_update_delay__out_of_range__reverts(office: Office, delay: int) -> None:
    """GOV-4: the floor holds even for the timelock itself."""
    payload = office.delay_change(delay)
    office.schedule(office.timelock, payload)
    boa.env.time_travel(seconds=FLOOR)
    with boa.reverts("delay out of range"):
        office.execute(office.timelock, payload)


def test_update_delay__called_directly__reverts(office: Office) -> None:
    for sender in (office.proposer, office.executor, office.deployer, office.stranger):
        with boa.reverts("not the timelock"):
            office.timelock.update_delay(FLOOR, sender=sender)


def test_roles__after_deployment__deployer_has_none(office: Office) -> None:
    """GOV-6."""
    timelock = office.timelock
    roles = (
        timelock.DEFAULT_ADMIN_ROLE(),
        timelock.PROPOSER_ROLE(),
        timelock.EXECUTOR_ROLE(),
        timelock.CANCELLER_ROLE(),
    )
    assert not any(timelock.hasRole(role, office.deployer) for role in roles)
    assert timelock.hasRole(roles[0], timelock), "it administers itself"
    with boa.reverts("access_control: account is missing role"):
        timelock.grantRole(roles[1], office.deployer)


def test_grant_role__through_the_timelock(office: Office) -> None:
    role = office.timelock.PROPOSER_ROLE()
    payload = office.timelock.grantRole.prepare_calldata(role, office.stranger)
    office.schedule(office.timelock, payload)
    boa.env.time_travel(seconds=FLOOR)
    office.execute(office.timelock, payload)
    assert office.timelock.hasRole(role, office.stranger)


def test_deploy__engine_without_code__reverts(office: Office) -> None:
    with boa.reverts("no code"):
        load("contracts/Timelock.vy").deploy(FLOOR, [office.proposer], [], office.stranger)


def test_deploy__floor_above_the_ceiling__reverts(office: Office) -> None:
    with boa.reverts("delay out of range"):
        office.deploy([office.executor], floor=60 * DAY + 1)


def test_ether__not_accepted(office: Office) -> None:
    boa.env.set_balance(office.stranger, 1)
    with pytest.raises(Revert):
        boa.env.raw_call(office.timelock.address, sender=office.stranger, value=1)
