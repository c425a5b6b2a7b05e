"""Fault 13: hosts whose clocks are wrong, jump or keep summer time; keepers and processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from oracle.daemon import service
from oracle.daemon.alarms import Exit
from oracle.daemon.node import ClockGuard, steady
from tests.support.keeper_chain import SENDER, pushes
from tests.support.keeper_stage import BTC, HOUR, START

ROOT = Path(__file__).parents[3]
DAY = 24 * HOUR


class Host:
    """A host with a clock that people set, and one that nobody can."""

    def __init__(self, wall):
        self.wall, self.ticks = float(wall), 1_000.0

    def pass_time(self, seconds):
        self.wall += seconds
        self.ticks += seconds

    def guard(self):
        return ClockGuard(60.0, 30.0, lambda: self.wall, lambda: self.ticks)

    def keeper(self, scene, folder, **sections):
        """One that was just started on this host."""
        stand = scene.keeper(folder, clock=self.guard(), **sections)
        stand.journal._now = steady(lambda: self.wall, lambda: self.ticks)
        stand.keeper.monotonic = lambda: self.ticks
        return stand


@pytest.mark.parametrize(("skew", "code"), [(300, Exit.NODE), (-300, Exit.CLOCK)])
def test_fault_13_five_minutes_between_host_and_chain__nothing_is_signed(
    scene, tmp_path, skew, code
):
    host = Host(START + skew)
    stand = host.keeper(scene, tmp_path)
    for _ in range(3):
        assert stand.at(START) == 0
        assert stand.keeper.alarms.worst == code
    assert stand.journal.entries() == []
    host.wall = START + 2.0  # repaired: a jump, refused for the one round in which it is seen
    stand.keeper.round()
    assert "The host's clock jumped by" in stand.stream.getvalue()
    assert stand.rounds() == 3
    assert stand.keeper.alarms.worst == Exit.OK


@pytest.mark.parametrize("repaired", [True, False])
def test_fault_13_host_jumps_back__no_epoch_twice(scene, tmp_path, repaired):
    """After a push the host's clock goes back by five minutes; it is repaired, or the chain comes
    to where it is and the keeper is started anew: epochs are the chain's, nothing goes out twice.
    """
    host = Host(START + 2)
    stand = host.keeper(scene, tmp_path)
    assert stand.at(START) == 3
    host.wall -= 300
    for _ in range(3):
        assert stand.rounds() == 0
        assert stand.keeper.alarms.worst == Exit.CLOCK
    if repaired:
        host.wall += 300
        stand.keeper.round()
        assert "jumped by +300 seconds" in stand.stream.getvalue()
    else:  # no guard could tell: the whole machine, and what it was told, lies in the past
        stand.journal.close()
        stand = scene.keeper(tmp_path)
        stand.journal._now = lambda: host.wall
        stand.keeper.monotonic = lambda: host.ticks
    assert stand.rounds() == 0
    assert stand.keeper.alarms.worst == Exit.OK
    host.pass_time(60)
    assert stand.at(START + 60) == 1
    reports = [e["epoch"] for e in stand.journal.entries() if e["step"] == "signed"][::3]
    assert reports == [START, START + 60]
    assert len(pushes(scene)) == len(set(pushes(scene))) == 3
    assert scene.sent_by(SENDER) == 4


def test_fault_13_a_journal_is_timed_by_the_steady_clock(scene, tmp_path, monkeypatch):
    monkeypatch.setattr(service, "steady", lambda: lambda: 7.0)
    assert scene.keeper(tmp_path).journal.now() == 7.0


def test_fault_13_timers_do_not_follow_the_hosts_clock(scene, tmp_path):
    """A transaction that waits is replaced, and cancelled, by time that passed: not by a clock that
    was set, however the two may differ."""
    host = Host(START)
    sending = {"bump_after": 20, "deadline": 100}
    stand = host.keeper(scene, tmp_path, sending=sending)
    stand.keeper.clock = None  # jumps too small, or too slow, for the guard
    scene.at(START)
    scene.hold()
    stand.keeper.round()
    host.wall += 3_600
    assert not stand.keeper.round()  # an hour by the clock, nothing by the hand
    host.wall -= 7_200
    host.pass_time(19)
    assert not stand.keeper.round()
    host.pass_time(2)
    assert stand.keeper.round()
    assert stand.steps("report").count("signed") == 2
    host.wall += 3_600
    host.pass_time(60)
    assert stand.keeper.round()
    assert stand.steps("report").count("signed") == 3
    host.wall -= 7_200
    host.pass_time(20)
    assert stand.keeper.round()
    assert stand.steps("cancel") == ["signed", "sent"]


def test_fault_13_written_in_the_future__cancelled_not_waited_for(scene, tmp_path):
    """The machine comes back with its clock an hour behind the journal: how long the transaction
    waits is not known, so it is too long."""
    host = Host(START)
    stand = host.keeper(scene, tmp_path, sending={"deadline": 100})
    scene.at(START)
    scene.hold()
    stand.keeper.round()
    stand.journal.close()
    host.wall -= HOUR
    later = host.keeper(scene, tmp_path, sending={"deadline": 100})
    later.keeper.clock = None
    later.keeper.round()
    assert later.steps("cancel") == ["signed", "sent"]
    scene.client.request("evm_setAutomine", True)
    scene.at(START + 60)
    assert later.rounds() == 3
    assert later.steps("cancel")[-1] == "confirmed"
    assert scene.price(BTC)[1] == START + 60


def in_a_process(scene, folder, *options, zone="UTC"):
    """Entries and alarms of a keeper that ran there, until it had nothing to do."""
    command = [sys.executable, "-m", "tests.support.keeper_process"]
    arguments = [scene.client.url, str(scene.file), str(folder), *map(str, options)]
    done = subprocess.run(
        [*command, *arguments],
        cwd=ROOT,
        timeout=600,
        capture_output=True,
        text=True,
        env={**os.environ, "TZ": zone},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_fault_13_a_process_whose_host_is_five_minutes_off(scene, tmp_path):
    scene.at(START)
    for ahead, alarm in ((-300, "CLOCK"), (300, "NODE")):
        entries, alarms = in_a_process(scene, tmp_path, "--host-ahead", ahead)
        assert entries == []
        assert set(alarms) == {alarm}
    entries, alarms = in_a_process(scene, tmp_path, "--host-ahead", 4)
    assert [e[0] for e in entries if e[2] == "confirmed"] == ["report", "push", "release"]
    assert alarms == []


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(1_919_916_000, id="back: 2030-11-03 06:00 UTC, 02:00 EDT is 01:00 EST"),
        pytest.param(1_930_806_000, id="ahead: 2031-03-09 07:00 UTC, 02:00 EST is 03:00 EDT"),
    ],
)
def test_fault_13_daylight_saving_is_no_event(scene, tmp_path, change):
    """A process in New York and one in UTC, through the three hours around the change and the next
    midnight: the same epochs and the same transactions, byte for byte; none skipped, none twice."""
    hours = [change + offset * HOUR for offset in (-2, -1, 0, 1, 2)]
    midnight = change // DAY * DAY + DAY
    times = [change - 60, change + 60, *hours, midnight - 60, midnight]
    times = ",".join(str(moment) for moment in sorted(times))
    found = {}
    for zone in ("America/New_York", "UTC"):
        with scene.fresh():
            first = scene.client.head().number
            entries, _ = in_a_process(scene, tmp_path / zone, "--times", times, zone=zone)
            # How often it looked in between depends on how fast the node mines.
            steps = [entry for entry in entries if entry[2] in ("signed", "confirmed")]
            found[zone] = steps, sent_since(scene, first)
    assert found["UTC"] == found["America/New_York"]
    entries, sent = found["UTC"]
    done = [(kind, epoch) for kind, epoch, step in entries if step == "confirmed"]
    assert len(set(done)) == len(done) == len(sent)
    assert [e for kind, e in done if kind == "report"] == [int(t) for t in times.split(",")]
    days = [epoch for kind, epoch in done if kind == "release"]
    assert days == [midnight - DAY, midnight]


def sent_since(scene, number):
    """Calldata of all transactions of the sender, in order."""
    found = []
    for block in range(number + 1, scene.client.head().number + 1):
        full = scene.client.request("eth_getBlockByNumber", hex(block), True)
        found += [t["input"] for t in full["transactions"] if t["from"] == SENDER.lower()]
    return found
