"""Anvil as the demo drives it: its clock is set, its blocks are mined on demand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from oracle.chain import ChainError, Client, Fees, Reverted, Sender, revert_reason
from scripts.demo_parts.contracts import Contract, Happened, read_events
from scripts.demo_parts.errors import DemoError

FREE: Final = Fees(most=0, tip=0)  # the local chain asks for no fee
GAS: Final = 4_000_000  # limit of a transaction
Listener = Callable[[Happened], None]


@dataclass
class Counts:
    """What was sent."""

    sent: Counter[str] = field(default_factory=Counter)  # by kind
    gas: Counter[str] = field(default_factory=Counter)  # by kind
    failed: Counter[str] = field(default_factory=Counter)  # by reason
    refused: Counter[str] = field(default_factory=Counter)  # asked beforehand, by reason

    def copy(self) -> Counts:
        """As it stands now."""
        parts = (self.sent, self.gas, self.failed, self.refused)
        return Counts(*(each.copy() for each in parts))


class Node:
    """Sends transactions and mines them; tells listeners what happened."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.counts = Counts()
        self.time = client.block_time()
        self._pending: dict[str, str] = {}  # hash -> kind
        self._contracts: dict[str, Contract] = {}
        self.listeners: list[Listener] = []

    def watch(self, contract: Contract) -> None:
        """Decode what this contract logs."""
        self._contracts[contract.address.lower()] = contract

    def listen(self, listener: Listener) -> None:
        """Call with every event of the watched contracts."""
        self.listeners.append(listener)

    def mine_on_demand(self) -> None:
        """From now on, transactions wait for `mine`."""
        self.client.request("evm_setAutomine", False)

    def set_clock(self, time: int) -> None:
        """Also back, as long as nothing depends on it."""
        self.client.request("anvil_setTime", time)
        self.client.request("evm_mine", {"timestamp": time})
        self.time = time

    def send(self, sender: Sender, to: str, data: bytes, kind: str) -> None:
        """Into the next block."""
        self.note(sender.send(to, data, GAS), kind)

    def note(self, transaction: str, kind: str) -> None:
        """Count a transaction that was sent by other means."""
        self._pending[transaction] = kind
        self.counts.sent[kind] += 1

    @property
    def has_work(self) -> bool:
        """Whether transactions wait for a block."""
        return bool(self._pending)

    def is_allowed(self, sender: Sender, contract: Contract, function: str, *args: Any) -> bool:
        """Ask beforehand; a refusal is counted by its reason."""
        try:
            call = contract.ask(function, *args)
            self.client.call(call.to, call.function, *args, sender=sender.address)
        except Reverted as error:
            self.counts.refused[error.reason] += 1
            return False
        return True

    def mine(self, time: int) -> list[Happened]:
        """One block with all that was sent, at that time or as soon after as the chain allows."""
        self.time = max(time, self.time + 1)
        self.client.request("evm_mine", {"timestamp": self.time})
        if not self._pending:
            return []
        receipts = self.client.request("eth_getBlockReceipts", "latest")
        for receipt in receipts:
            self._check(receipt)
        if self._pending:
            raise DemoError(f"{len(self._pending)} transactions did not fit into their block.")
        events = read_events(receipts, self._contracts, self.time)
        for event in events:
            for listener in self.listeners:
                listener(event)
        return events

    def _check(self, receipt: dict[str, Any]) -> None:
        kind = self._pending.pop(receipt["transactionHash"], "other")
        self.counts.gas[kind] += int(receipt["gasUsed"], 16)
        if int(receipt["status"], 16) != 1:
            self.counts.failed[f"{kind}: {self._reason(receipt['transactionHash'])}"] += 1

    def _reason(self, transaction: str) -> str:
        """Of a failure, from the node's own trace: other transactions of the block matter."""
        try:
            trace = self.client.request(
                "debug_traceTransaction", transaction, {"tracer": "callTracer"}
            )
        except ChainError as error:
            return str(error)
        return revert_reason(bytes.fromhex(trace.get("output", "0x")[2:]))
