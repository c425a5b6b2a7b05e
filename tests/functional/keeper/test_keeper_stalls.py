"""Fault 23: rounds, disks and machines that stall; what is late is not sent, and nothing twice."""

from __future__ import annotations

import pytest

from oracle.daemon.alarms import DaemonError, Exit
from oracle.daemon.running import next_wait
from tests.support.fault_proxy import FaultProxy
from tests.support.keeper_chain import SENDER, fields_of, pushes
from tests.support.keeper_stage import BTC, HOUR, START, Said


def test_fault_23_missed_times_are_skipped(scene, tmp_path):
    stand = scene.keeper(tmp_path)
    stand.at(START)
    assert stand.at(START + 600) == 1  # nine missed, one sent
    skipped = [e["count"] for e in stand.events() if e["event"] == "epochs skipped"]
    assert skipped == [9]
    assert scene.price(BTC)[1] == START + 600
    assert stand.steps("report").count("signed") == 2


class Stalls(Said):
    """A source that takes ten minutes for its answer, once."""

    def __init__(self, scene):
        super().__init__()
        self.scene, self.ticks = scene, 0.0

    def latest(self, market, time):
        if not self.ticks:
            self.ticks = 600.0
            self.scene.at(time + 600)
        return super().latest(market, time)


def test_fault_23_stalled_within_a_round__what_is_late_is_not_sent(scene, tmp_path):
    """The report it was at is refused before it is sent, its push is old; the nine times between
    are skipped."""
    said = Stalls(scene)
    stand = scene.keeper(tmp_path, said=said)
    stand.keeper.monotonic = lambda: said.ticks
    scene.at(START)
    stand.keeper.round()
    assert scene.sent_by(SENDER) == 0
    assert [e["reason"] for e in stand.events() if e["event"] == "refused"] == ["expired"]
    assert stand.rounds() == 3
    assert scene.price(BTC)[1] == START + 600
    signed = [e["epoch"] for e in stand.journal.entries() if e["step"] == "signed"]
    assert signed[0] == START + 600
    assert [e["count"] for e in stand.events() if e["event"] == "epochs skipped"] == [9]
    registry = stand.parts.metrics.registry
    assert registry.get_sample_value("plimsoll_skipped_epochs_total") == 9


def test_fault_23_machine_so_slow_that_data_are_old__not_signed(scene, proxied, tmp_path):
    """The chain stands still as well, so it would take what is a period old."""
    ticks = [0.0]

    def slow(name):
        ticks[0] += 61.0 * (name == "simulate")

    stand = scene.keeper(tmp_path, proxied.url, arrow=slow)
    stand.keeper.monotonic = lambda: ticks[0]
    scene.at(START)
    for _ in range(3):
        assert not stand.keeper.round()
        assert stand.keeper.alarms.worst == Exit.STALLED
    assert proxied.raw == []
    assert stand.journal.entries() == []
    stand.keeper.arrow = lambda name: None
    assert stand.rounds() == 3
    assert stand.keeper.alarms.worst == Exit.OK


@pytest.fixture
def proxied(scene):
    with FaultProxy(scene.client.url) as proxy:
        yield proxy


def test_fault_23_stalled_between_journal_and_node__no_second_push(scene, proxied, tmp_path):
    """Ten minutes for one write to the disk: the push goes out all the same, or comes to nothing;
    either way it is one, and the next one is of then."""
    stalls = {"push": 600, "report": 600}

    def slow(name):
        kind = stand.journal.entries(1)[-1]["kind"] if name == "sign" else ""
        if seconds := stalls.pop(kind, 0):
            scene.at(scene.client.block_time() + seconds)

    stand = scene.keeper(tmp_path, proxied.url, arrow=slow)
    scene.at(START)
    stand.rounds()
    assert stalls == {}
    assert stand.steps("report")[:3] == ["signed", "sent", "failed"]
    failed = next(e for e in stand.journal.entries() if e["step"] == "failed")
    assert failed["body"]["reason"] == "expired"
    assert len(pushes(scene)) == len(set(pushes(scene))) == 3
    epochs = [e["epoch"] for e in stand.journal.entries() if (e["kind"], e["step"]) == SIGNED]
    assert epochs == sorted(set(epochs))
    assert len({fields_of(raw)["nonce"] for raw in proxied.raw}) == len(proxied.raw)


SIGNED = ("report", "signed")


def test_fault_23_slow_disk__one_push_an_epoch(scene, proxied, tmp_path):
    """Every write to the journal takes longer than the rounds are apart, and than a transaction may
    wait; the node mines in between."""
    stand = scene.keeper(tmp_path, proxied.url, sending={"bump_after": 20})
    note = stand.journal.note

    def slow_note(*args, **values):
        stand.later(25)
        scene.mined()
        note(*args, **values)

    stand.journal.note = slow_note
    for hour in range(3):
        assert stand.at(START + hour * HOUR) == (3 if hour == 0 else 2)
        assert scene.line(BTC)[0] == min(100_000, (hour + 1) * 50_000)
    assert len(pushes(scene)) == len(set(pushes(scene)))
    assert scene.sent_by(SENDER) == len(proxied.raw) == len(set(proxied.raw))
    epochs = [e["epoch"] for e in stand.journal.entries() if (e["kind"], e["step"]) == SIGNED]
    assert epochs == [START, START + HOUR, START + 2 * HOUR]


def test_fault_23_disk_is_full__nothing_goes_out_unwritten(scene, proxied, tmp_path):
    stand = scene.keeper(tmp_path, proxied.url)
    pages = stand.journal._db.execute("pragma page_count").fetchone()[0]
    stand.journal._db.execute(f"pragma max_page_count = {pages}")
    for number in range(1_000):
        try:
            stand.journal.note("filler", number, "x", text="x" * 200)
        except DaemonError:
            break
    scene.at(START)
    with pytest.raises(DaemonError, match=r"cannot be written: .* full\.") as caught:
        stand.rounds()
    assert caught.value.code == Exit.JOURNAL
    assert proxied.raw == []
    stand.journal._db.execute(f"pragma max_page_count = {10 * pages}")
    assert stand.rounds() == 3


@pytest.mark.parametrize("trouble", ["none", "node", "sources", "money", "signers"])
def test_fault_23_log_of_a_day_in_trouble_is_bounded(scene, proxied, tmp_path, trouble):
    """By the lines of a minute of rounds as close as they come, a day is less than 50 MB at the
    level that is the default."""
    said = Said()
    stand = scene.keeper(tmp_path, proxied.url, said=said, log_level="info")
    stand.at(START)
    if trouble == "node":
        proxied.fail("500")
    elif trouble == "sources":
        said.prices = {"BTC": None, "ETH": None}
        said.severity = {"BTC": None, "ETH": None}
    elif trouble == "money":
        scene.client.request("anvil_setBalance", SENDER, "0x0")
    elif trouble == "signers":
        stand.keeper.panel.signers = stand.keeper.panel.signers[:1]
    scene.at(START + HOUR)
    before = len(stand.stream.getvalue())
    ticks, rounds = [0.0], 0
    stand.keeper.monotonic = lambda: ticks[0]
    wait = 1.0
    while ticks[0] < 60:
        stand.keeper.round()
        rounds += 1
        wait = next_wait(stand.keeper.alarms.worst, wait, 1.0)
        ticks[0] += wait
    grown = len(stand.stream.getvalue()) - before
    print(f"{trouble}: {grown} bytes in {rounds} rounds, {grown * 1_440 / 1e6:.1f} MB a day")
    assert 0 < grown * 1_440 < 50e6
