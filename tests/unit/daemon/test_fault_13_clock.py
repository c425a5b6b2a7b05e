"""Fault 13: clocks that are wrong, or jump; what a keeper does then is in test_keeper_clocks."""

from __future__ import annotations

import pytest

from oracle.chain import Head
from oracle.daemon.alarms import DaemonError, Exit
from oracle.daemon.journal import Journal
from oracle.daemon.node import ClockGuard, steady

NOW = 1_900_000_000.0


class Clocks:
    """A host whose wall clock can be set."""

    def __init__(self) -> None:
        self.wall = NOW
        self.monotonic = 50.0
        self.guard = ClockGuard(60.0, 30.0, lambda: self.wall, lambda: self.monotonic)

    def pass_time(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds

    def check(self, chain: float) -> float:
        return self.guard.check(Head(1, "0x", int(chain), 0))


def test_fault_13_in_order():
    clocks = Clocks()
    assert clocks.check(NOW - 12) == 12.0
    clocks.pass_time(12)
    assert clocks.check(NOW) == 12.0


@pytest.mark.parametrize(("skew", "code"), [(300, Exit.NODE), (-300, Exit.CLOCK)])
def test_fault_13_host_five_minutes_off(skew, code):
    clocks = Clocks()
    clocks.wall += skew
    with pytest.raises(DaemonError) as caught:
        clocks.check(NOW)
    assert caught.value.code == code


@pytest.mark.parametrize("jump", [-50, 50])
def test_fault_13_jump_between_two_rounds__refused_once(jump):
    clocks = Clocks()
    clocks.check(NOW)
    clocks.pass_time(1)
    clocks.wall += jump
    chain = clocks.wall - 5  # as if the chain agreed with the new time
    with pytest.raises(DaemonError, match=rf"jumped by \{jump:+d} seconds") as caught:
        clocks.check(chain)
    assert caught.value.code == Exit.CLOCK
    clocks.pass_time(1)
    assert clocks.check(chain) == 6.0


def test_fault_13_leap_second_is_no_jump():
    clocks = Clocks()
    clocks.check(NOW)
    clocks.wall -= 1
    clocks.pass_time(2)
    assert clocks.check(NOW) == 1.0


def test_fault_13_steady_clock_begins_at_the_hosts_and_never_jumps():
    clocks = Clocks()
    now = steady(lambda: clocks.wall, lambda: clocks.monotonic)
    assert now() == NOW
    clocks.wall -= 300
    assert now() == NOW
    clocks.pass_time(7)
    assert now() == NOW + 7


@pytest.mark.parametrize("ahead", [-300, 0, 300])
def test_fault_13_age_of_an_entry_is_never_negative(ahead):
    journal = Journal(":memory:", "x", lambda: NOW)
    assert journal.since(NOW + ahead) == abs(ahead)
