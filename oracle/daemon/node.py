"""Nodes that may fail and may lie: bounded retries, and several that must agree.

A question is asked again a few times, ever later and never at the same instant as others (jitter).
A transaction is handed over once: what became of it is looked up, not tried again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from oracle.chain import ChainError, Client, Head, Unreachable
from oracle.daemon.alarms import DaemonError, Exit

T = TypeVar("T")
ONCE: Final = frozenset({"eth_sendRawTransaction"})
DEEP: Final = 2  # blocks below the lowest head: there honest nodes agree


class PatientClient(Client):
    """A client that asks again; each failure is counted."""

    def __init__(
        self,
        url: str,
        timeout: float = 5.0,
        tries: int = 4,
        longest_wait: float = 2.0,
        on_failure: Callable[[str], None] = lambda reason: None,
    ) -> None:
        """
        Args:
            tries: of each question, the first included.
            longest_wait: [s] between two.
            on_failure: told each failed try.
        """
        super().__init__(url, timeout)
        self._on_failure = on_failure
        self._retrying = Retrying(
            stop=stop_after_attempt(tries),
            wait=wait_random_exponential(multiplier=0.05, max=longest_wait),
            retry=retry_if_exception_type(Unreachable),
            after=lambda state: self._note(state.outcome),
            reraise=True,
        )

    def request(self, method: str, *params: Any) -> Any:
        """As `Client.request`, several times unless it is a transaction."""
        if method in ONCE:
            return super().request(method, *params)
        return self._patiently(lambda: super(PatientClient, self).request(method, *params))

    def batch(self, requests_: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """As `Client.batch`, several times."""
        return self._patiently(lambda: super(PatientClient, self).batch(requests_))

    def _patiently(self, ask: Callable[[], T]) -> T:
        return self._retrying.copy()(ask)

    def _note(self, outcome: Any) -> None:
        self._on_failure(str(outcome.exception()))


@dataclass(frozen=True)
class Session:
    """One round's view of the nodes.

    Attributes:
        client: that is to be used.
        head: its latest block.
        troubles: sentences about the other nodes.
    """

    client: Client
    head: Head
    troubles: tuple[str, ...] = ()


class Nodes:
    """One or several; the first healthy one of an agreeing majority is used."""

    def __init__(self, clients: Sequence[Client], chain_id: int) -> None:
        self._clients = list(clients)
        self._chain_id = chain_id

    @property
    def first(self) -> Client:
        """Whatever its health."""
        return self._clients[0]

    def session(self) -> Session:
        """Ask every node who it is and where it is; refuse where they do not agree.

        Of n nodes more than half must answer, be on the chain, and have the same block a little
        below the lowest head among them.

        Raises:
            DaemonError: too few do.
        """
        troubles: list[str] = []
        heads: list[tuple[Client, Head]] = []
        for client in self._clients:
            try:
                heads.append((client, self._look(client)))
            except (ChainError, DaemonError) as error:
                troubles.append(str(error))
        agreeing = self._agreeing(heads, troubles)
        if 2 * len(agreeing) <= len(self._clients):
            what = " ".join(troubles) or "The nodes do not agree on the chain."
            raise DaemonError(what, Exit.NODE)
        client, head = max(agreeing, key=lambda pair: pair[1].number)
        return Session(client, head, tuple(troubles))

    def _look(self, client: Client) -> Head:
        chain, block = client.batch(
            [("eth_chainId", ()), ("eth_getBlockByNumber", ("latest", False))]
        )
        for answer in (chain, block):
            if isinstance(answer, ChainError):
                raise answer
        try:
            if int(chain, 16) != self._chain_id:
                what = f"The node at {client.name} is on chain {int(chain, 16)}, not on"
                raise DaemonError(f"{what} {self._chain_id}.", Exit.NODE)
            return Head.from_block(block)
        except (TypeError, ValueError, KeyError):
            what = f"The node at {client.name} has no latest block."
            raise DaemonError(what, Exit.NODE) from None

    def _agreeing(
        self, heads: list[tuple[Client, Head]], troubles: list[str]
    ) -> list[tuple[Client, Head]]:
        if len(heads) < 2:
            return heads
        common = max(0, min(head.number for _, head in heads) - DEEP)
        found: list[tuple[Client, Head, str]] = []
        for client, head in heads:
            try:
                block = client.request("eth_getBlockByNumber", hex(common), False)
                found.append((client, head, str(block["hash"])))
            except (ChainError, TypeError, KeyError):
                troubles.append(f"The node at {client.name} does not have block {common}.")
        if not found:
            return []
        (most, _), *_ = Counter(h for _, _, h in found).most_common(1)
        for client, _, block_hash in found:
            if block_hash != most:
                troubles.append(f"The node at {client.name} has another block {common}.")
        return [(client, head) for client, head, h in found if h == most]


def steady(
    wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
) -> Callable[[], float]:
    """A clock that shows the host's time of this call and from then on never jumps [s Unix]."""
    offset = wall() - monotonic()
    return lambda: offset + monotonic()


class ClockGuard:
    """Host clock against chain clock, and against the clock that never jumps."""

    def __init__(
        self,
        max_head_age: float,
        max_skew: float,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            max_head_age: [s] a latest block may be old.
            max_skew: [s] a latest block may be in the host's future, and the host's clock may jump
                between two rounds.
        """
        self._max_head_age = max_head_age
        self._max_skew = max_skew
        self._wall = wall
        self._monotonic = monotonic
        self._offset: float | None = None

    def check(self, head: Head) -> float:
        """Age of the head by the host's clock [s].

        Raises:
            DaemonError: too old, in the future, or the host's clock jumped since the last check.
        """
        now = self._wall()
        offset, before = now - self._monotonic(), self._offset
        self._offset = offset
        age = now - head.time
        if age < -self._max_skew:
            what = f"The host's clock is {-age:.0f} seconds behind the chain's."
            raise DaemonError(what, Exit.CLOCK)
        if before is not None and abs(offset - before) > self._max_skew:
            what = f"The host's clock jumped by {offset - before:+.0f} seconds."
            raise DaemonError(what, Exit.CLOCK)
        if age > self._max_head_age:
            what = f"The latest block is {age:.0f} seconds old: the node is behind, or the host's"
            raise DaemonError(f"{what} clock ahead.", Exit.NODE)
        return age
