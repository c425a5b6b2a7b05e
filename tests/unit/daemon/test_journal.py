"""The journal: what it remembers, what damage it notices."""

from __future__ import annotations

import sqlite3

import pytest

from oracle.daemon import journal as journals
from oracle.daemon.alarms import DaemonError, Exit
from oracle.daemon.journal import Journal, JournalBroken, open_journal


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "j.sqlite", "me", now=lambda: 5.0)


def signed(journal, nonce, tx, kind="report", epoch=60):
    journal.note(kind, epoch, "signed", nonce=nonce, tx=tx, most=9, tip=1)


def test_every_commit_is_synced(journal):
    assert journal._db.execute("pragma journal_mode").fetchone()[0] == "wal"
    assert journal._db.execute("pragma synchronous").fetchone()[0] == 2  # FULL


def test_flight_from_signed_to_confirmed(journal):
    signed(journal, 4, "0xa")
    (flight,) = journal.flights()
    assert (flight.nonce, flight.step, flight.last.hash, flight.block) == (4, "signed", "0xa", None)
    journal.note("report", 60, "sent", nonce=4, tx="0xa", latency_ms=7.5)
    signed(journal, 4, "0xb", epoch=120)
    (flight,) = journal.flights()
    assert [a.hash for a in flight.attempts] == ["0xa", "0xb"]
    journal.note("report", 60, "mined", nonce=4, tx="0xa", block=30)
    assert journal.unconfirmed() == 1
    journal.note("report", 60, "confirmed", nonce=4, tx="0xa", block=30)
    assert journal.flights(30) == []
    (flight,) = journal.flights(29)
    assert (flight.block, flight.tx) == (30, "0xa")
    journal.note("report", 60, "lost", nonce=4, tx="0xa")
    (flight,) = journal.flights(30)
    assert (flight.block, flight.step) == (None, "lost")
    journal.note("report", 60, "dropped", nonce=4, tx="0xa")
    assert journal.flights() == []
    assert journal.latencies() == [7.5]
    assert journal.last("report", ("signed",))[0] == 120


def test_survives_reopening(journal, tmp_path):
    signed(journal, 1, "0xa")
    journal.close()
    again = Journal(tmp_path / "j.sqlite", "me")
    assert [f.nonce for f in again.flights()] == [1]
    with pytest.raises(DaemonError, match="belongs to another engine or sender") as caught:
        Journal(tmp_path / "j.sqlite", "you")
    assert caught.value.code == Exit.JOURNAL


@pytest.mark.parametrize(
    "damage",
    [
        "update entries set nonce = 9 where id = 2",
        "update entries set body = '{}' where id = 1",
        "update entries set checksum = 'x' where id = 3",
        "delete from entries where id = 1",
        "update periods set high = '7'",
    ],
)
def test_damage_is_noticed(journal, tmp_path, damage):
    for nonce in range(3):
        signed(journal, nonce, hex(nonce))
    journal.observe([(0, 1, 100, 5_000)])
    journal.close()
    path = tmp_path / "j.sqlite"
    with sqlite3.connect(path) as db:
        db.execute(damage)
    with pytest.raises(JournalBroken, match="is damaged at"):
        Journal(path, "me")
    fresh, aside = open_journal(path, "me")
    assert fresh.flights() == []
    assert aside == tmp_path / "j.sqlite.damaged-1"
    assert aside.exists()


def test_last_row_lost_is_not_damage(journal, tmp_path):
    """As after a power cut in the middle of a commit: the chain knows the rest."""
    for nonce in range(3):
        signed(journal, nonce, hex(nonce))
    journal._db.execute("delete from entries where id = 3")
    journal.close()
    assert [f.nonce for f in Journal(tmp_path / "j.sqlite", "me").flights()] == [0, 1]


def test_oldest_are_forgotten(journal, tmp_path, monkeypatch):
    for nonce in range(50):
        signed(journal, nonce, hex(nonce))
    journal.close()
    monkeypatch.setattr(journals, "KEPT", 20)
    again = Journal(tmp_path / "j.sqlite", "me")
    assert len(again.entries()) == 20
    signed(again, 99, "0x99")
    again.close()
    assert len(Journal(tmp_path / "j.sqlite", "me").entries()) >= 20


def test_coverage(journal):
    """Rate 1 %: an hour that moves 1 % is covered, 1.01 % either way is not."""
    for period, prices in enumerate(
        [[10_000, 10_100], [10_000, 9_899, 10_000], [10_000, 10_101], [10_000], [20_000]]
    ):
        for price in prices:
            journal.observe([(0, period, price, 10_000)])
    assert journal.coverage(0) == (2, 4)  # the running hour does not count
    assert journal.coverage(0, periods=2) == (1, 2)
    assert journal.coverage(1) == (0, 0)


def test_asked_is_of_the_last_push_with_that_asset(journal):
    """A push names the lines that moved: another asset's ask is in an older one."""
    assert journal.asked(0) is None
    for nonce, asked in enumerate(({0: [5, 6], 1: [7, 8]}, {1: [9, 10]})):
        journal.note(
            "push", nonce, "signed", nonce=nonce, tx=hex(nonce), most=9, tip=1, asked=asked
        )
    journal.note("push", 2, "signed", nonce=2, tx="0x2", most=9, tip=1)
    assert (journal.asked(0), journal.asked(1), journal.asked(32)) == ((5, 6), (9, 10), None)


def test_read_only_beside_a_keeper(journal, tmp_path):
    signed(journal, 1, "0xa")
    beside = Journal(tmp_path / "j.sqlite", "me", read_only=True)
    assert len(beside.entries()) == 1
    with pytest.raises(DaemonError, match="cannot be written"):
        beside.note("report", 1, "sent")


def test_no_place_for_it(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(DaemonError, match="cannot be made") as caught:
        Journal(blocked / "j.sqlite", "me")
    assert caught.value.code == Exit.JOURNAL


def test_fault_23_does_not_grow_while_it_runs(journal, tmp_path, monkeypatch):
    """A keeper that nobody starts anew for a month: bounded, and whole afterwards."""
    monkeypatch.setattr(journals, "KEPT", 100)
    monkeypatch.setattr(journals, "PRUNED_EVERY", 30)
    for epoch in range(1_000):
        signed(journal, epoch, hex(epoch), epoch=epoch)
    assert len(journal.entries(10_000)) <= 100 + 30 + 10
    journal.close()
    again = Journal(tmp_path / "j.sqlite", "me")
    assert again.last("report", ("signed",))[0] == 999


def test_fault_22_what_a_relay_has_is_found_again(journal):
    journal.note("report", 60, "signed", nonce=4, tx="0xa", most=9, tip=1, raw="0x02ff")
    journal.note("report", 60, "sent", nonce=4, tx="0xa")
    (flight,) = journal.flights()
    assert flight.raw == "0x02ff"
    journal.note("report", 60, "published", nonce=4, tx="0xa")
    (flight,) = journal.flights()
    assert (flight.step, flight.raw) == ("published", "0x02ff")
    signed(journal, 4, "0xb", epoch=120)  # replaced, in the open
    (flight,) = journal.flights()
    assert flight.raw is None
