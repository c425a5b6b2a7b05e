"""Contracts by their ABI: questions, calldata and events, without a library's overhead per call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from eth_abi.abi import decode
from eth_utils.abi import collapse_if_tuple
from eth_utils.crypto import keccak

from oracle.chain import Call, Function


@dataclass(frozen=True)
class Happened:
    """An event: where, what, and its values by name."""

    contract: str  # name
    name: str
    values: dict[str, Any]
    time: int  # [s] of the block
    transaction: str = ""  # hash


class Event:
    """One event of an ABI."""

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self.name: str = entry["name"]
        self._indexed = [(i["name"], collapse_if_tuple(i)) for i in entry["inputs"] if i["indexed"]]
        self._plain = [
            (i["name"], collapse_if_tuple(i)) for i in entry["inputs"] if not i["indexed"]
        ]
        types = ",".join(collapse_if_tuple(i) for i in entry["inputs"])
        self.topic = "0x" + keccak(text=f"{self.name}({types})").hex()

    def decode(self, log: Mapping[str, Any]) -> dict[str, Any]:
        """Values by name."""
        values = {
            name: decode([kind], bytes.fromhex(topic[2:]))[0]
            for (name, kind), topic in zip(self._indexed, log["topics"][1:], strict=True)
        }
        data = decode([kind for _, kind in self._plain], bytes.fromhex(log["data"][2:]))
        return values | dict(zip((name for name, _ in self._plain), data, strict=True))


@dataclass(frozen=True)
class Contract:
    """A deployed contract."""

    name: str
    address: str
    abi: list[dict[str, Any]]

    @cached_property
    def functions(self) -> dict[str, Function]:
        """By name; none of ours is overloaded."""
        entries = (entry for entry in self.abi if entry["type"] == "function")
        return {entry["name"]: Function.from_abi(entry) for entry in entries}

    @cached_property
    def events(self) -> dict[str, Event]:
        """By topic."""
        events = (Event(entry) for entry in self.abi if entry["type"] == "event")
        return {event.topic: event for event in events}

    def ask(self, function: str, *args: Any, sender: str | None = None) -> Call:
        """A question, for `Client.call_many`."""
        return Call(self.address, self.functions[function], args, sender)

    def data(self, function: str, *args: Any) -> bytes:
        """Calldata."""
        return self.functions[function].encode(*args)


def read_events(
    receipts: Iterable[Mapping[str, Any]], contracts: Mapping[str, Contract], time: int
) -> list[Happened]:
    """What the known contracts logged, in order.

    Args:
        contracts: by lower-case address.
    """
    found = []
    for receipt in receipts:
        for log in receipt["logs"]:
            contract = contracts.get(log["address"].lower())
            event = contract.events.get(log["topics"][0]) if contract else None
            if contract and event:
                values, sent = event.decode(log), receipt["transactionHash"]
                found.append(Happened(contract.name, event.name, values, time, sent))
    return found
