"""Brings transactions to the chain, one at a time: nonces, fees, replacement, cancelling.

A transaction is written down with its hash before it goes out. What became of it is looked up by
hash and nonce; nothing is sent again because an answer is missing. One that is not mined is
replaced by what is true now, for 12.5 % more; one that is late is cancelled, because its data are
stale. One that a reorg took back is forgotten, and the next round begins from what the chain says.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from oracle.chain import ChainError, Client, Fees, Head, Reverted, Unreachable, to_hex
from oracle.daemon.alarms import Alarms, Exit
from oracle.daemon.fees import Patience, fees_for, gas_level
from oracle.daemon.journal import Flight, Journal
from oracle.daemon.keys import Key
from oracle.daemon.metrics import Metrics
from oracle.daemon.relay import Relay, is_known_already, is_private, publish

WATCHED: Final = 64  # blocks a mined transaction is looked after
TRANSFER_GAS: Final = 21_000
GAS_ROOM: Final = (5, 4)
Arrow = Callable[[str], None]


@dataclass(frozen=True)
class Payload:
    """What is to be sent.

    Attributes:
        detail: for the journal, JSON.
        tick: monotonic time its data became known; None where nothing waits for it.
    """

    kind: str
    epoch: int
    to: str
    data: bytes
    detail: Mapping[str, Any]
    tick: float | None = None


@dataclass(frozen=True)
class Receipt:
    """Of a transaction that was mined."""

    tx: str
    block: int
    is_done: bool
    gas_used: int

    @classmethod
    def read(cls, client: Client, tx: str, answer: Mapping[str, Any]) -> Receipt | None:
        """From what the node says of it; None where it is in no block yet.

        Raises:
            Unreachable: nonsense, or of another transaction.
        """
        with client.sense():
            if str(answer["transactionHash"]).lower() != tx.lower():
                raise ValueError
            if answer["blockNumber"] is None:
                return None
            return cls(
                tx=tx,
                block=int(answer["blockNumber"], 16),
                is_done=int(answer["status"], 16) == 1,
                gas_used=int(answer["gasUsed"], 16),
            )


class Outbox(Protocol):
    """Takes payloads."""

    address: str

    def settle(self, client: Client, head: Head) -> Flight | None:
        """Find out what became of what was sent; what still waits to be mined."""

    def submit(
        self, client: Client, head: Head, payload: Payload, gas: int, replace: Flight | None = None
    ) -> bool:
        """Send, or say that it would be sent; whether it went out."""

    def cancel(self, client: Client, head: Head, flight: Flight) -> bool:
        """Take its nonce with a transfer of nothing to oneself."""


class DryOutbox:
    """Sends nothing; says what would be sent."""

    def __init__(self, address: str, say: Callable[[Payload], None]) -> None:
        self.address = address
        self._say = say

    def settle(self, client: Client, head: Head) -> Flight | None:
        """Nothing waits."""
        return None

    def submit(
        self, client: Client, head: Head, payload: Payload, gas: int, replace: Flight | None = None
    ) -> bool:
        """Say it."""
        self._say(payload)
        return True

    def cancel(self, client: Client, head: Head, flight: Flight) -> bool:
        """Nothing to cancel."""
        return False


class LiveOutbox:
    """Sends with one key."""

    def __init__(
        self,
        key: Key,
        chain_id: int,
        journal: Journal,
        alarms: Alarms,
        metrics: Metrics,
        patience: Patience,
        *,
        relay: Relay | None = None,
        arrow: Arrow = lambda name: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            relay: takes what replaces nothing before the node does.
            arrow: told the name of each step when it is done.
        """
        self.address = key.address
        self.patience = patience
        self._key = key
        self._chain_id = chain_id
        self._journal = journal
        self._alarms = alarms
        self._metrics = metrics
        self._relay = relay
        self._arrow = arrow
        self._monotonic = monotonic

    # --- what became of it -----------------------------------------------------------------------

    def settle(self, client: Client, head: Head) -> Flight | None:
        """Look at every nonce that is not settled, and at what was mined lately.

        Returns:
            The lowest that waits to be mined.

        Raises:
            ChainError: the node does not answer.
        """
        flights = self._journal.flights(head.number - WATCHED)
        if not flights:
            return None
        # In this order: a block between the two questions then has a receipt; the other way round
        # its nonce would be taken and nobody known to have taken it.
        latest, _ = client.nonces(self.address)
        receipts = self._receipts(client, flights)
        waiting = []
        for flight in flights:
            mined = (receipts[attempt.hash] for attempt in flight.attempts)
            found = [receipt for receipt in mined if receipt is not None]
            if found:
                self._settle_mined(client, head, flight, found[0])
            elif self._is_waiting(client, flight, latest):
                waiting.append(flight)
        return waiting[0] if waiting else None

    def _receipts(self, client: Client, flights: list[Flight]) -> dict[str, Receipt | None]:
        hashes = [attempt.hash for flight in flights for attempt in flight.attempts]
        answers = client.batch([("eth_getTransactionReceipt", (h,)) for h in hashes])
        for answer in answers:
            if isinstance(answer, ChainError):
                raise answer
        return {
            tx: None if answer is None else Receipt.read(client, tx, answer)
            for tx, answer in zip(hashes, answers, strict=True)
        }

    def _settle_mined(self, client: Client, head: Head, flight: Flight, receipt: Receipt) -> None:
        block, tx, is_done = receipt.block, receipt.tx, receipt.is_done
        attempt = next(a for a in flight.attempts if a.hash == tx)
        is_deep = head.number - block + 1 >= self.patience.confirmations
        step = "failed" if not is_done else "confirmed" if is_deep else "mined"
        if (flight.step, flight.block, flight.tx) == (step, block, tx):
            return
        reason = None if is_done else self._reason(client, tx)
        self._journal.note(
            attempt.kind,
            attempt.epoch,
            step,
            nonce=flight.nonce,
            tx=tx,
            block=block,
            gas_used=receipt.gas_used,
            **({"reason": reason} if reason else {}),
        )
        self._metrics.settled.labels(attempt.kind, step).inc()
        self._arrow("confirm" if step == "confirmed" else step)
        values = {"kind": attempt.kind, "epoch": attempt.epoch, "tx": tx, "block": block}
        if is_done:
            self._alarms.log.info(step, **values)
        else:
            values["reason"] = reason
            self._alarms.sound(Exit.TRANSACTION, "warning", "reverted", **values)

    def _is_waiting(self, client: Client, flight: Flight, latest: int) -> bool:
        """Of a nonce that has no receipt."""
        last = flight.last
        if flight.block is not None:
            self._note(flight, "lost")
            values = {"kind": last.kind, "tx": flight.tx, "block": flight.block}
            self._alarms.sound(Exit.TRANSACTION, "warning", "reorg", **values)
        if latest > flight.nonce:
            self._note(flight, "superseded")
            self._alarms.sound(
                Exit.TRANSACTION, "warning", "superseded", kind=last.kind, nonce=flight.nonce
            )
            return False
        if any(self._is_known(client, attempt.hash) for attempt in flight.attempts):
            return True
        if flight.block is None and is_private(flight):
            if self._journal.since(last.at) > (self._relay.wait if self._relay else 0):
                publish(client, flight, self._journal, self._alarms)
            return True
        if flight.block is None and self._journal.since(last.at) <= self.patience.missing_after:
            return True
        self._note(flight, "dropped")
        self._alarms.log.warning("dropped", kind=last.kind, nonce=flight.nonce, tx=last.hash)
        return False

    # --- sending ---------------------------------------------------------------------------------

    def submit(
        self, client: Client, head: Head, payload: Payload, gas: int, replace: Flight | None = None
    ) -> bool:
        """Write down, then send.

        Args:
            gas: as estimated.
            replace: what waits and gives up its nonce.

        Returns:
            Whether it may be mined: False where fees or money do not allow it, or the node refuses.

        Raises:
            ChainError: nonce and balance cannot be asked for; nothing went out.
        """
        (latest, pending), balance = self._account(client)
        nonce = latest if replace is None else replace.nonce
        before = _fees_of(replace) if replace else None
        if replace is None and pending > latest:
            before = self._stranger(client, latest, pending)
        fees = self._fees(head, before)
        if fees is None:
            return False
        more, than = GAS_ROOM
        limit = gas * more // than
        if not self._has_money(balance, limit * fees.most):
            return False
        fields = self._fields(nonce, payload.to, payload.data, limit, fees)
        return self._send(client, payload, fields, replace is not None)

    def cancel(self, client: Client, head: Head, flight: Flight) -> bool:
        """A transfer of nothing to oneself with its nonce, for 12.5 % more."""
        _, balance = self._account(client)
        fees = self._fees(head, _fees_of(flight))
        if fees is None or not self._has_money(balance, TRANSFER_GAS * fees.most):
            return False
        payload = Payload("cancel", flight.last.epoch, self.address, b"", {"of": flight.last.kind})
        fields = self._fields(flight.nonce, self.address, b"", TRANSFER_GAS, fees)
        return self._send(client, payload, fields, is_replacement=True)

    def _send(
        self, client: Client, payload: Payload, fields: dict[str, Any], is_replacement: bool
    ) -> bool:
        raw, tx = self._key.sign_transaction(fields)
        nonce: int = fields["nonce"]
        relay = self._relay_for(is_replacement)
        self._journal.note(
            payload.kind,
            payload.epoch,
            "signed",
            nonce=nonce,
            tx=tx,
            most=fields["maxFeePerGas"],
            tip=fields["maxPriorityFeePerGas"],
            **({} if relay is None else {"raw": raw}),
            **payload.detail,
        )
        self._arrow("sign")
        try:
            _hand_over(client, relay, raw, tx)
        except Unreachable as error:
            return self._unanswered(client, payload, nonce, tx, error)
        except ChainError as error:
            # What was to be replaced still waits with this nonce.
            settled = None if is_replacement else nonce
            self._journal.note(
                payload.kind, payload.epoch, "refused", nonce=settled, tx=tx, reason=str(error)
            )
            values = {"kind": payload.kind, "nonce": nonce, "reason": str(error)}
            self._alarms.sound(Exit.TRANSACTION, "warning", "not taken", **values)
            return False
        self._arrow("send")
        self._note_sent(payload, nonce, tx)
        return True

    def _relay_for(self, is_replacement: bool) -> Relay | None:
        """What replaces goes where the replaced one is by now: into the open."""
        if is_replacement or self._relay is None or self._relay.is_resting:
            return None
        return self._relay

    def _note_sent(self, payload: Payload, nonce: int, tx: str) -> None:
        body: dict[str, Any] = {}
        if payload.tick is not None:
            took = self._monotonic() - payload.tick
            body["latency_ms"] = round(took * 1_000, 1)
            self._metrics.latency.observe(took)
        self._journal.note(payload.kind, payload.epoch, "sent", nonce=nonce, tx=tx, **body)
        self._arrow("journal")
        self._metrics.sent.labels(payload.kind).inc()
        values = {"epoch": payload.epoch, "nonce": nonce, "tx": tx, **body}
        self._alarms.log.info("sent", kind=payload.kind, **values)

    def _unanswered(
        self, client: Client, payload: Payload, nonce: int, tx: str, error: ChainError
    ) -> bool:
        """The answer is missing: look it up, send nothing else."""
        known = self._is_known(client, tx)
        step = "sent" if known else "unanswered"
        self._journal.note(payload.kind, payload.epoch, step, nonce=nonce, tx=tx)
        values = {"kind": payload.kind, "tx": tx, "known": known, "reason": str(error)}
        self._alarms.sound(Exit.NODE, "warning", "send unanswered", **values)
        return True

    # --- fees and money --------------------------------------------------------------------------

    def _fees(self, head: Head, before: Fees | None) -> Fees | None:
        """None, and an alarm, where they would be above the cap."""
        fees = fees_for(head.base_fee, self.patience.tip, self.patience.most, before)
        if fees is None:
            self._alarms.sound(
                Exit.FEE_CAP, "error", "fee cap", base_fee=head.base_fee, cap=self.patience.most
            )
        return fees

    def _has_money(self, balance: int, cost: int) -> bool:
        level = gas_level(balance, self.patience.balance)
        if level is not None:
            self._alarms.sound(Exit.GAS_MONEY, level, "gas money", balance_wei=balance)
        if balance < cost:
            self._alarms.sound(
                Exit.GAS_MONEY, "critical", "out of gas money", balance_wei=balance, cost_wei=cost
            )
        return balance >= cost

    def _account(self, client: Client) -> tuple[tuple[int, int], int]:
        """Nonces and balance."""
        asked = [
            ("eth_getTransactionCount", (self.address, "latest")),
            ("eth_getTransactionCount", (self.address, "pending")),
            ("eth_getBalance", (self.address, "latest")),
        ]
        answers = client.batch(asked)
        for answer in answers:
            if isinstance(answer, ChainError):
                raise answer
        with client.sense():
            latest, pending, balance = (int(answer, 16) for answer in answers)
        self._metrics.balance.set(balance)
        return (latest, pending), balance

    def _stranger(self, client: Client, latest: int, pending: int) -> Fees | None:
        """Fees of a transaction of this key that the journal does not know, to outbid it."""
        values = {"waiting": pending - latest, "nonce": latest}
        self._alarms.sound(Exit.TRANSACTION, "warning", "unknown transaction waits", **values)
        block = client.request("eth_getBlockByNumber", "pending", True) or {}
        with client.sense():
            for found in block.get("transactions", ()):
                if not isinstance(found, dict) or int(found["nonce"], 16) != latest:
                    continue
                if str(found["from"]).lower() == self.address.lower():
                    price = found.get("gasPrice") or "0x0"
                    most = int(found.get("maxFeePerGas") or price, 16)
                    return Fees(most, int(found.get("maxPriorityFeePerGas") or price, 16))
        return None

    # --- internals -------------------------------------------------------------------------------

    def _fields(self, nonce: int, to: str, data: bytes, gas: int, fees: Fees) -> dict[str, Any]:
        return {
            "type": 2,
            "chainId": self._chain_id,
            "nonce": nonce,
            "to": to,
            "value": 0,
            "data": to_hex(data),
            "gas": gas,
            "maxFeePerGas": fees.most,
            "maxPriorityFeePerGas": fees.tip,
        }

    def _note(self, flight: Flight, step: str) -> None:
        last = flight.last
        self._journal.note(last.kind, last.epoch, step, nonce=flight.nonce, tx=last.hash)
        self._metrics.settled.labels(last.kind, step).inc()

    def _is_known(self, client: Client, tx: str) -> bool:
        try:
            return client.request("eth_getTransactionByHash", tx) is not None
        except ChainError:
            return True  # not known to be unknown: look again in the next round

    def _reason(self, client: Client, tx: str) -> str:
        try:
            return client.reason_of(tx)
        except ChainError as error:
            return error.reason if isinstance(error, Reverted) else "not known"


def simulate(client: Client, sender: str, to: str, data: bytes) -> int:
    """The gas it takes.

    Raises:
        Reverted: the contract would refuse, and why.
        ChainError: the node does not answer.
    """
    gas = client.request("eth_estimateGas", {"from": sender, "to": to, "data": to_hex(data)})
    with client.sense():
        return int(gas, 16)


def _hand_over(client: Client, relay: Relay | None, raw: str, tx: str) -> None:
    """To the relay if there is one, and where that fails to the node.

    Raises:
        Unreachable: whether anybody has it is not known.
        ChainError: nobody has it.
    """
    taken = relay.hand_over(raw, tx) if relay is not None else False
    if taken:
        return
    try:
        client.request("eth_sendRawTransaction", raw)
    except ChainError as error:
        if is_known_already(error):
            return
        if taken is None:
            raise Unreachable(str(error)) from None
        raise


def _fees_of(flight: Flight) -> Fees:
    """The highest ever offered with this nonce."""
    return Fees(max(a.most for a in flight.attempts), max(a.tip for a in flight.attempts))
