"""A private way to the chain, tried first, and the public one with the same bytes where it fails.

Who watches the pool sees nothing of a transaction that goes by a relay. A relay that does not
answer, refuses, or answers with another hash is left alone for a minute, and the transaction goes
to the node at once; one that the relay took and did not bring in time is published. In both cases
it is the transaction that was signed, byte for byte: whoever is first, it is mined once, and there
never is another payload for its nonce but a replacement (12.5 % dearer) of what is public already.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from oracle.chain import ChainError, Client, Unreachable
from oracle.daemon.alarms import Alarms, Exit
from oracle.daemon.journal import Flight, Journal
from oracle.daemon.metrics import Metrics

REST: Final = 60.0  # [s] a relay that failed is left alone
KNOWN_ALREADY: Final = ("already known", "already imported", "known transaction")


class Relay:
    """One relay: an address that takes `eth_sendRawTransaction`."""

    def __init__(
        self,
        client: Client,
        wait: float,
        alarms: Alarms,
        metrics: Metrics,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            wait: [s] it has to get a transaction mined before that is published.
        """
        self.wait = wait
        self._client = client
        self._alarms = alarms
        self._metrics = metrics
        self._monotonic = monotonic
        self._rest_until = float("-inf")

    @property
    def is_resting(self) -> bool:
        """Whether it failed lately."""
        return self._monotonic() < self._rest_until

    def hand_over(self, raw: str, tx: str) -> bool | None:
        """Whether it took the transaction; None where that is not known."""
        taken = None
        try:
            answer = self._client.request("eth_sendRawTransaction", raw)
            if str(answer).lower() == tx.lower():
                self._metrics.relayed.labels("taken").inc()
                return True
            reason = f"The relay at {self._client.name} answered with another hash."
        except Unreachable as error:
            reason = str(error)
        except ChainError as error:
            taken, reason = False, str(error)
        self._rest_until = self._monotonic() + REST
        self._metrics.relayed.labels("failed").inc()
        self._alarms.sound(Exit.NODE, "warning", "relay failed", tx=tx, reason=reason)
        return taken


def is_private(flight: Flight) -> bool:
    """Whether it may be at a relay only."""
    return flight.raw is not None and flight.step in ("signed", "sent", "unanswered")


def publish(client: Client, flight: Flight, journal: Journal, alarms: Alarms) -> None:
    """To the node, what a relay did not bring: the same bytes.

    Where the node does not take it, the next round looks again: it may be mined by now, or is
    replaced when its time has come.
    """
    last = flight.last
    values = {"kind": last.kind, "nonce": flight.nonce, "tx": last.hash}
    try:
        client.request("eth_sendRawTransaction", flight.raw)
    except ChainError as error:
        if not is_known_already(error):
            alarms.sound(Exit.NODE, "warning", "not published", reason=str(error), **values)
            return
    journal.note(last.kind, last.epoch, "published", nonce=flight.nonce, tx=last.hash)
    alarms.sound(Exit.NODE, "warning", "published", reason="the relay was too slow", **values)


def is_known_already(error: ChainError) -> bool:
    """Whether a node refuses a transaction because it has it."""
    return any(words in str(error).lower() for words in KNOWN_ALREADY)
