"""What the bot has read and sent, in SQLite, so that a restart neither repeats nor forgets.

An action is written down before it goes out, with the hash it will have. Its key is (account, step,
item, auction): while one with that key is open no other is sent, and the bot waits with an account
until what it sent there shows. What a block told is kept with the
block's number, so a reorg takes back exactly that.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from oracle.bot.errors import BotError

BLOCKS_KEPT: Final = 128
SCHEMA: Final = """
create table if not exists meta (key text primary key, value text not null);
create table if not exists blocks (number integer primary key, hash text not null);
create table if not exists events (
    block integer, place integer, account text, kind text, primary key (block, place)
);
create index if not exists events_by_account on events (account, block, place);
create table if not exists actions (
    id integer primary key,
    account text, step text, item integer, auction integer,
    hash text unique, sent real, state text, block integer, reason text
);
create index if not exists actions_by_state on actions (state);
"""


@dataclass(frozen=True)
class Event:
    """Of one account.

    Attributes:
        place: of the log in its block.
        kind: ``configured``, ``started`` or ``ended``.
    """

    block: int
    place: int
    account: int
    kind: str


@dataclass(frozen=True)
class Key:
    """What an action is about.

    Attributes:
        step: ``poke``, ``take_collateral``, ``take_last``, ``take``, ``resolve``, ``release``, or
            ``cancel`` of what was to pay.
        item: market or token; -1 where there is none.
        auction: block of the account's last auction event; 0 if there was none.
    """

    account: int
    step: str
    item: int
    auction: int


@dataclass(frozen=True)
class Sent:
    """An action that is on its way."""

    id: int
    key: Key
    hash: str
    sent: float  # [s] Unix time


class Journal:
    """One bot's, of one deployment and one sender."""

    def __init__(self, path: Path | str, identity: str) -> None:
        """
        Args:
            path: of the file, or ``:memory:``.
            identity: what the journal is about; it refuses another.

        Raises:
            BotError: unusable, in use, or of another deployment.
        """
        try:
            if path != ":memory:":
                Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, timeout=0)
            self._db.execute("pragma locking_mode = exclusive")
            self._db.executescript(f"begin immediate; {SCHEMA} commit;")
        except OSError as error:
            raise BotError(f"{path} cannot be made: {error.strerror}.") from None
        except sqlite3.Error as error:
            if "locked" in str(error):
                raise BotError(f"Another bot is using the journal {path}.") from None
            raise BotError(f"The journal {path} cannot be used: {error}.") from None
        known = self._meta("identity")
        if known not in (None, identity):
            self.close()
            raise BotError(f"The journal {path} belongs to another deployment or sender.")
        self._set_meta("identity", identity)

    def close(self) -> None:
        """Let another process have it."""
        self._db.close()

    # --- what was read ---------------------------------------------------------------------------

    @property
    def cursor(self) -> int | None:
        """The last block read."""
        value = self._meta("cursor")
        return None if value is None else int(value)

    def blocks(self) -> list[tuple[int, str]]:
        """Number and hash of the last blocks read, latest first."""
        return list(self._db.execute("select number, hash from blocks order by number desc"))

    def advance(self, to: int, hashes: Sequence[tuple[int, str]], events: Sequence[Event]) -> None:
        """Keep what the blocks up to `to` told."""
        rows = [(e.block, e.place, str(e.account), e.kind) for e in events]
        with self._transaction():
            self._db.executemany("insert or replace into events values (?, ?, ?, ?)", rows)
            self._db.executemany("insert or replace into blocks values (?, ?)", hashes)
            self._db.execute("delete from blocks where number <= ?", (to - BLOCKS_KEPT,))
            self._set_meta("cursor", str(to))

    def rewind(self, to: int) -> None:
        """Take back what blocks above `to` told; what was mined there is open again."""
        with self._transaction():
            self._db.execute("delete from events where block > ?", (to,))
            self._db.execute("delete from blocks where number > ?", (to,))
            self._db.execute(
                "update actions set state = 'open', block = null, reason = null"
                " where block > ? and state in ('done', 'failed')",
                (to,),
            )
            self._set_meta("cursor", str(to))

    def accounts(self) -> list[int]:
        """Every account that was ever opened."""
        rows = self._db.execute("select distinct account from events where kind = 'configured'")
        return sorted(int(account) for (account,) in rows)

    def auction(self, account: int) -> tuple[bool, int]:
        """Whether its clock was started, and the block of its last start or end."""
        row = self._db.execute(
            "select kind, block from events where account = ? and kind != 'configured'"
            " order by block desc, place desc limit 1",
            (str(account),),
        ).fetchone()
        return (False, 0) if row is None else (row[0] == "started", int(row[1]))

    # --- what was sent ---------------------------------------------------------------------------

    def is_waiting(self, account: int, head: int) -> bool:
        """Whether something is about to change it: on its way, or mined where `head` does not show
        it."""
        row = self._db.execute(
            "select 1 from actions where account = ?"
            " and (state = 'open' or (state = 'done' and block > ?))",
            (str(account), head),
        ).fetchone()
        return row is not None

    def is_busy(self, head: int) -> bool:
        """Whether the bot's own account is about to change by something it took."""
        row = self._db.execute(
            "select 1 from actions where step in ('take', 'take_collateral')"
            " and (state = 'open' or (state = 'done' and block > ?))",
            (head,),
        ).fetchone()
        return row is not None

    def open(self, key: Key, transaction: str, now: float) -> None:
        """Before it is sent. A lost one that is signed alike again, to the same hash, is one.

        Raises:
            BotError: one with that key is on its way.
        """
        columns = _columns(key)
        written = self._db.execute(
            "insert or replace into actions (account, step, item, auction, hash, sent, state)"
            " select ?, ?, ?, ?, ?, ?, 'open' where not exists (select 1 from actions"
            " where account = ? and step = ? and item = ? and auction = ? and state = 'open')",
            (*columns, transaction, now, *columns),
        )
        if written.rowcount != 1:
            raise BotError(f"The journal already has a {key.step} of that account on its way.")

    def replace(self, key: Key, transaction: str, now: float) -> None:
        """Another with higher fees, before it goes out. Either may be mined: both are open."""
        self._db.execute(
            "insert or replace into actions (account, step, item, auction, hash, sent, state)"
            " values (?, ?, ?, ?, ?, ?, 'open')",
            (*_columns(key), transaction, now),
        )

    def settle(self, sent: Sent, state: str, block: int | None, reason: str | None = None) -> None:
        """What became of it: ``done``, ``failed`` or ``dropped``. If it was mined, no other of its
        key can be any more."""
        self._db.execute(
            "update actions set state = ?, block = ?, reason = ? where id = ?",
            (state, block, reason, sent.id),
        )
        if block is not None:
            self._db.execute(
                "update actions set state = 'dropped' where account = ? and step = ? and item = ?"
                " and auction = ? and state = 'open'",
                _columns(sent.key),
            )

    def pending(self) -> list[Sent]:
        """Oldest first."""
        rows = self._db.execute(
            "select id, account, step, item, auction, hash, sent from actions"
            " where state = 'open' order by id"
        )
        return [Sent(r[0], Key(int(r[1]), r[2], r[3], r[4]), r[5], r[6]) for r in rows]

    def count(self, state: str) -> int:
        """Of actions in this state."""
        query = "select count(*) from actions where state = ?"
        return int(self._db.execute(query, (state,)).fetchone()[0])

    # --- internals -------------------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

    def _meta(self, key: str) -> str | None:
        row = self._db.execute("select value from meta where key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def _set_meta(self, key: str, value: str) -> None:
        self._db.execute("insert or replace into meta values (?, ?)", (key, value))


def _columns(key: Key) -> tuple[str, str, int, int]:
    """An account has more bits than SQLite's integers."""
    return str(key.account), key.step, key.item, key.auction
