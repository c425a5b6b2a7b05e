"""What the keeper signed and what became of it, in SQLite: WAL, every commit synced to the disk.

Entries are only added. Each carries a checksum of itself and of the one before it, so a row that
was changed, or lost from the middle, shows. A journal that is damaged is set aside, and a new one
is begun from what the chain says: the chain's nonces alone make a second push of an epoch
impossible, the journal only saves asking.

Steps of a transaction, by the sender's nonce: ``signed`` (before it goes out), ``sent`` or
``unanswered``, ``published`` if a relay was too slow; then ``mined`` and ``confirmed``; or
``failed`` (mined and reverted), ``refused`` (by the node), ``dropped`` (no node knows it),
``superseded`` (another transaction took its nonce). ``lost`` is one that was mined until a reorg.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from oracle.daemon.alarms import DaemonError, Exit

SCHEMA: Final = """
create table if not exists meta (key text primary key, value text not null);
create table if not exists entries (
    id integer primary key, at real not null, kind text not null, epoch integer not null,
    step text not null, nonce integer, tx text, body text not null, checksum text not null
);
create index if not exists entries_by_nonce on entries (nonce, id);
create index if not exists entries_by_kind on entries (kind, id);
create table if not exists periods (
    asset integer, period integer, first text, low text, high text, rate integer, checksum text,
    primary key (asset, period)
);
"""
OPEN: Final = ("signed", "sent", "unanswered", "published", "lost")  # may still be mined
ON_CHAIN: Final = ("mined", "confirmed", "failed")
KEPT: Final = 100_000  # entries
PRUNED_EVERY: Final = 10_000  # entries
SEED: Final = "plimsoll.journal.v1"


class JournalBroken(Exception):
    """The file is no journal any more. One sentence."""


@dataclass(frozen=True)
class Attempt:
    """One signed transaction of a nonce."""

    hash: str
    kind: str
    epoch: int
    most: int  # [wei] maxFeePerGas
    tip: int  # [wei]
    at: float  # [s] Unix time it was signed


@dataclass(frozen=True)
class Flight:
    """All transactions of one nonce: at most one of them can be mined.

    Attributes:
        attempts: oldest first.
        step: the last.
        block: it was mined in, if it was.
        body: of the last attempt.
    """

    nonce: int
    attempts: tuple[Attempt, ...]
    step: str
    block: int | None = None
    tx: str | None = None
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def raw(self) -> str | None:
        """The last attempt as it was signed, if it goes by a relay."""
        return self.body.get("raw")

    @property
    def last(self) -> Attempt:
        """The attempt sent last."""
        return self.attempts[-1]

    @property
    def first_at(self) -> float:
        """[s] Unix time of the first attempt."""
        return self.attempts[0].at


class Journal:
    """Of one keeper, engine and sender."""

    def __init__(
        self,
        path: Path | str,
        identity: str,
        now: Callable[[], float] = time.time,
        *,
        read_only: bool = False,
    ) -> None:
        """
        Args:
            path: of the file, or ``:memory:``.
            identity: what the journal is about; it refuses another.
            read_only: beside a keeper that works with it; nothing is checked but who it belongs to.

        Raises:
            DaemonError: the file cannot be made, or is another keeper's.
            JournalBroken: it is damaged.
        """
        self.path = path
        self._now = now
        self._written = 0
        if read_only:
            self._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
            self._check_identity(identity)
            return
        try:
            if path != ":memory:":
                Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, timeout=5)
            self._db.execute("pragma journal_mode = wal")
            self._db.execute("pragma synchronous = full")
            self._db.executescript(f"begin immediate; {SCHEMA} commit;")
            self._check()
        except OSError as error:
            what = f"The journal {path} cannot be made: {error.strerror}."
            raise DaemonError(what, Exit.JOURNAL) from None
        except sqlite3.OperationalError as error:
            what = f"The journal {path} cannot be used: {error}."
            raise DaemonError(what, Exit.JOURNAL) from None
        except sqlite3.Error as error:
            raise JournalBroken(f"The journal {path} is damaged: {error}.") from None
        self._check_identity(identity)
        self._set_meta("identity", identity)
        self._prune()

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def now(self) -> float:
        """[s] Unix time, as entries have it."""
        return self._now()

    def since(self, at: float) -> float:
        """[s] from an entry until now.

        One that lies ahead was written before the host's clock was put back: how long ago is not
        known, at least so far.
        """
        return abs(self._now() - at)

    # --- writing ---------------------------------------------------------------------------------

    def note(
        self,
        kind: str,
        epoch: int,
        step: str,
        *,
        nonce: int | None = None,
        tx: str | None = None,
        **body: Any,
    ) -> None:
        """Add an entry; it is on the disk when this returns.

        Args:
            kind: ``report``, ``push``, ``release``, ``cancel`` or ``rebuilt``.
            epoch: [s] the time it is about.
            body: what else there is to know, JSON.
        """
        at, text = self._now(), json.dumps(body, sort_keys=True)
        row = (at, kind, epoch, step, nonce, tx, text)
        try:
            self._db.execute("begin immediate")
            checksum = _checksum(self._last_checksum(), row)
            self._db.execute(
                "insert into entries (at, kind, epoch, step, nonce, tx, body, checksum)"
                " values (?, ?, ?, ?, ?, ?, ?, ?)",
                (*row, checksum),
            )
            self._db.execute("commit")
            self._written += 1
            if self._written % PRUNED_EVERY == 0:
                self._prune()
        except sqlite3.Error as error:
            what = f"The journal {self.path} cannot be written: {error}."
            raise DaemonError(what, Exit.JOURNAL) from None

    def observe(self, seen: Iterable[tuple[int, int, int, int]]) -> None:
        """Keep the range of prices of each period, and the rate in force when it began.

        Args:
            seen: asset, period number, price [USD wad], rate [ppm].
        """
        try:
            self._db.execute("begin immediate")
            for asset, period, price, rate in seen:
                self._observe(asset, period, price, rate)
            self._db.execute("commit")
        except sqlite3.Error as error:
            what = f"The journal {self.path} cannot be written: {error}."
            raise DaemonError(what, Exit.JOURNAL) from None

    def _observe(self, asset: int, period: int, price: int, rate: int) -> None:
        found = self._db.execute(
            "select first, low, high, rate from periods where asset = ? and period = ?",
            (asset, period),
        ).fetchone()
        first, low, high, rate = found or (price, price, price, rate)
        values = (str(first), str(min(int(low), price)), str(max(int(high), price)), rate)
        row = (asset, period, *values)
        checksum = _checksum(SEED, row)
        self._db.execute("insert or replace into periods values (?,?,?,?,?,?,?)", (*row, checksum))

    # --- reading ---------------------------------------------------------------------------------

    def flights(self, since_block: int = 0) -> list[Flight]:
        """Nonces that are not settled, and those mined after a block; lowest first."""
        rows = self._db.execute(
            "select nonce, step, tx, body, kind, epoch, at from entries where nonce in ("
            " select nonce from entries where id in ("
            "  select max(id) from entries where nonce is not null group by nonce)"
            f" and (step in {OPEN} or (step in {ON_CHAIN}"
            "  and json_extract(body, '$.block') > ?))) order by nonce, id",
            (since_block,),
        )
        by_nonce: dict[int, list[tuple[Any, ...]]] = {}
        for nonce, *row in rows:
            by_nonce.setdefault(nonce, []).append(tuple(row))
        return [_flight(nonce, found) for nonce, found in by_nonce.items()]

    def unconfirmed(self) -> int:
        """Nonces that are mined, but not deep enough yet."""
        query = (
            "select count(*) from entries where step = 'mined' and id in"
            " (select max(id) from entries where nonce is not null group by nonce)"
        )
        return int(self._db.execute(query).fetchone()[0])

    def last(self, kind: str, steps: Iterable[str]) -> tuple[int, str, dict[str, Any]] | None:
        """Epoch, step and body of the last entry of a kind with one of these steps."""
        wanted = tuple(steps)
        marks = ",".join("?" * len(wanted))
        row = self._db.execute(
            f"select epoch, step, body from entries where kind = ? and step in ({marks})"
            " order by id desc limit 1",
            (kind, *wanted),
        ).fetchone()
        return None if row is None else (row[0], row[1], json.loads(row[2]))

    def asked(self, asset: int) -> tuple[int, int] | None:
        """Severity and depth asked for by the last push with a line of the asset [ppm]."""
        row = self._db.execute(
            "select json_extract(body, ?) from entries where kind = 'push' and step = 'signed'"
            " and json_extract(body, ?) is not null order by id desc limit 1",
            (f'$.asked."{asset}"', f'$.asked."{asset}"'),
        ).fetchone()
        if row is None:
            return None
        severity, depth = json.loads(row[0])
        return int(severity), int(depth)

    def count(self, kind: str, step: str) -> int:
        """Of entries."""
        query = "select count(*) from entries where kind = ? and step = ?"
        return int(self._db.execute(query, (kind, step)).fetchone()[0])

    def entries(self, limit: int = 1_000) -> list[dict[str, Any]]:
        """The last ones, oldest first."""
        rows = self._db.execute(
            "select at, kind, epoch, step, nonce, tx, body from entries order by id desc limit ?",
            (limit,),
        )
        names = ("at", "kind", "epoch", "step", "nonce", "tx", "body")
        found = [dict(zip(names, row, strict=True)) for row in rows]
        return [{**entry, "body": json.loads(entry["body"])} for entry in reversed(found)]

    def latencies(self, kind: str = "report", limit: int = 1_000) -> list[float]:
        """[ms] from price tick to submitted, of the last transactions of a kind."""
        rows = self._db.execute(
            "select json_extract(body, '$.latency_ms') from entries"
            " where kind = ? and step = 'sent' order by id desc limit ?",
            (kind, limit),
        )
        return [float(value) for (value,) in rows if value is not None]

    def coverage(self, asset: int, periods: int = 250) -> tuple[int, int]:
        """Of the last whole periods: those whose prices stayed within the rate in force at their
        beginning, both ways, and how many there are."""
        rows = self._db.execute(
            "select first, low, high, rate from periods where asset = ? and period <"
            " (select max(period) from periods where asset = ?) order by period desc limit ?",
            (asset, asset, periods),
        ).fetchall()
        covered = 0
        for first, low, high, rate in rows:
            begun = int(first)
            move = max(int(high) - begun, begun - int(low))
            covered += move * 1_000_000 <= begun * rate
        return covered, len(rows)

    # --- internals -------------------------------------------------------------------------------

    def _check_identity(self, identity: str) -> None:
        known = self._meta("identity")
        if known not in (None, identity):
            self.close()
            what = f"The journal {self.path} belongs to another engine or sender."
            raise DaemonError(what, Exit.JOURNAL)

    def _check(self) -> None:
        """
        Raises:
            JournalBroken: the file, or a row of it, is not as it was written.
        """
        problem = self._db.execute("pragma quick_check(1)").fetchone()[0]
        if problem != "ok":
            raise JournalBroken(f"The journal {self.path} is damaged: {problem}.")
        previous = self._meta("anchor") or SEED
        query = "select id, at, kind, epoch, step, nonce, tx, body, checksum from entries"
        for number, *row, checksum in self._db.execute(f"{query} order by id"):
            previous = _checksum(previous, tuple(row))
            if previous != checksum:
                raise JournalBroken(f"The journal {self.path} is damaged at entry {number}.")
        for *row, checksum in self._db.execute("select * from periods"):
            if _checksum(SEED, tuple(row)) != checksum:
                raise JournalBroken(f"The journal {self.path} is damaged at a period.")

    def _prune(self) -> None:
        """Forget the oldest; the chain of checksums then begins at the first that stays."""
        row = self._db.execute("select max(id) - ? from entries", (KEPT,)).fetchone()
        if row[0] is None or row[0] < KEPT // 10:
            return
        anchor = self._db.execute("select checksum from entries where id = ?", row).fetchone()
        if anchor is None:
            return
        self._db.execute("begin immediate")
        self._db.execute("delete from entries where id <= ?", row)
        self._set_meta("anchor", anchor[0])
        self._db.execute("commit")

    def _last_checksum(self) -> str:
        row = self._db.execute("select checksum from entries order by id desc limit 1").fetchone()
        return str(row[0]) if row else (self._meta("anchor") or SEED)

    def _meta(self, key: str) -> str | None:
        row = self._db.execute("select value from meta where key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def _set_meta(self, key: str, value: str) -> None:
        self._db.execute("insert or replace into meta values (?, ?)", (key, value))


def open_journal(
    path: Path | str, identity: str, now: Callable[[], float] = time.time
) -> tuple[Journal, Path | None]:
    """The journal; a damaged one is set aside, and where to is told.

    Raises:
        DaemonError: as `Journal`.
    """
    try:
        return Journal(path, identity, now), None
    except JournalBroken:
        aside = _set_aside(Path(path))
        return Journal(path, identity, now), aside


def _set_aside(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    try:
        path.rename(aside)
        for suffix in ("-wal", "-shm"):
            beside = path.with_name(path.name + suffix)
            if beside.exists():
                beside.rename(aside.with_name(aside.name + suffix))
    except OSError as error:
        what = f"The damaged journal {path} cannot be set aside: {error.strerror}."
        raise DaemonError(what, Exit.JOURNAL) from None
    return aside


def _flight(nonce: int, rows: list[tuple[Any, ...]]) -> Flight:
    attempts, block, tx, body = [], None, None, {}
    for step, row_tx, text, kind, epoch, at in rows:
        values = json.loads(text)
        if step == "signed":
            attempts.append(Attempt(row_tx, kind, epoch, values["most"], values["tip"], at))
            body = values
        if step in ON_CHAIN:
            block, tx = values["block"], row_tx
    step = rows[-1][0]
    if step not in ON_CHAIN:
        block = tx = None
    return Flight(nonce, tuple(attempts), step, block, tx, body)


def _checksum(previous: str, row: tuple[Any, ...]) -> str:
    text = json.dumps([previous, *row], separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
