"""What a state machine needs of a chain, so that the same machine runs in-process and on a node.

A driver moves bytes; `Contract` turns method names and Python values into bytes and back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from eth_abi import decode, encode
from eth_utils import keccak, to_checksum_address

ERROR = bytes.fromhex("08c379a0")  # Error(string)
BLOCK_GAS = 30_000_000


class Log(NamedTuple):
    address: str
    topics: tuple[bytes, ...]
    data: bytes


# Variables with arrays in them: a letter a level, m HashMap, a array.
SHAPES = {
    "positions.position_words": "ma",
    "positions.side_words": "a",
    "positions.cut_words": "a",
    "positions.tallies": "a",
}


@dataclass(frozen=True)
class Receipt:
    """What became of a transaction; a revert is an answer, not an exception."""

    ok: bool
    output: bytes
    logs: tuple[Log, ...]
    gas: int

    @property
    def reason(self) -> str:
        """The revert reason; empty where there is none."""
        if self.ok or self.output[:4] != ERROR:
            return ""
        return str(decode(["string"], self.output[4:])[0])


class Driver(Protocol):
    """One chain. Time stands still until `set_time`."""

    name: str

    def chain_id(self) -> int: ...

    def deploy(self, sender: str, code: bytes) -> str: ...

    def send(self, sender: str, to: str, data: bytes) -> Receipt: ...

    def call(self, to: str, data: bytes) -> bytes: ...

    def words(self, address: str, slots: Sequence[int]) -> list[int]: ...

    def balance(self, address: str) -> int: ...

    def time(self) -> int: ...

    def set_time(self, timestamp: int) -> None: ...

    def snapshot(self) -> Any: ...

    def restore(self, snapshot: Any) -> None: ...


class Reverted(Exception):
    """A view reverted."""


@dataclass(frozen=True)
class Method:
    """One function of an ABI."""

    selector: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def encoded(self, args: Sequence[Any]) -> bytes:
        return self.selector + encode(self.inputs, args)

    def decoded(self, output: bytes) -> Any:
        values = decode(self.outputs, output)
        return values[0] if len(values) == 1 else values


@dataclass(frozen=True)
class Event:
    """One event of an ABI; indexed values are 32-byte words here."""

    name: str

    def chain_id(self) -> int: ...

    indexed: tuple[str, ...]
    plain: tuple[tuple[str, str], ...]

    def decoded(self, log: Log) -> dict[str, Any]:
        values = decode([kind for _, kind in self.plain], log.data)
        named = dict(zip((name for name, _ in self.plain), values, strict=True))
        topics = (int.from_bytes(topic) for topic in log.topics[1:])
        return named | dict(zip(self.indexed, topics, strict=True))


@dataclass(frozen=True)
class Artifact:
    """A compiled contract."""

    name: str

    def chain_id(self) -> int: ...

    abi: list[dict[str, Any]]
    bytecode: bytes
    layout: dict[str, int]  # dotted variable name -> slot


@dataclass
class Contract:
    """A deployed contract on a driver."""

    driver: Driver
    address: str
    artifact: Artifact
    methods: dict[str, Method] = field(default_factory=dict)
    events: dict[bytes, Event] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for entry in self.artifact.abi:
            if entry["type"] == "function":
                self.methods[entry["name"]] = Method(*_signature(entry))
            elif entry["type"] == "event":
                self.events[_selector(entry, 32)] = _event(entry)

    def send(self, sender: str, method: str, *args: Any) -> Receipt:
        return self.driver.send(sender, self.address, self.methods[method].encoded(args))

    def must(self, sender: str, method: str, *args: Any) -> Receipt:
        """Send what has to succeed."""
        receipt = self.send(sender, method, *args)
        assert receipt.ok, f"{self.artifact.name}.{method}: {receipt.reason!r}"
        return receipt

    def call(self, method: str, *args: Any) -> Any:
        target = self.methods[method]
        return target.decoded(self.driver.call(self.address, target.encoded(args)))

    def logs(self, receipt: Receipt, name: str) -> list[dict[str, Any]]:
        """Events of this contract by name, in order."""
        found = []
        for log in receipt.logs:
            event = self.events.get(log.topics[0]) if log.address == self.address else None
            if event and event.name == name:
                found.append(event.decoded(log))
        return found

    def slot(self, variable: str, *keys: int) -> int:
        """Where a variable is stored; a key a level of HashMap, or the place in an array last."""
        slot = self.artifact.layout[variable]
        shape = SHAPES.get(variable, "m" * len(keys))
        for key, kind in zip(keys, shape, strict=True):
            slot = map_slot(slot, key) if kind == "m" else slot + key
        return slot

    def word(self, slot: int) -> int:
        return self.driver.words(self.address, [slot])[0]


def deployed(driver: Driver, sender: str, artifact: Artifact, *args: Any) -> Contract:
    """Deploy a contract with its constructor's arguments."""
    constructors = [e for e in artifact.abi if e["type"] == "constructor"]
    kinds = [_kind(i) for i in constructors[0]["inputs"]] if constructors else []
    address = driver.deploy(sender, artifact.bytecode + encode(kinds, args))
    return Contract(driver, address, artifact)


def map_slot(slot: int, key: int) -> int:
    """Slot of a HashMap's entry."""
    return int.from_bytes(keccak(slot.to_bytes(32) + (key % 2**256).to_bytes(32)))


def address_of(label: str) -> str:
    """The address of a named actor."""
    return to_checksum_address(keccak(text=label)[-20:])


def _kind(entry: dict[str, Any]) -> str:
    kind: str = entry["type"]
    if not kind.startswith("tuple"):
        return kind
    return "(" + ",".join(_kind(c) for c in entry["components"]) + ")" + kind[5:]


def _selector(entry: dict[str, Any], size: int) -> bytes:
    kinds = ",".join(_kind(i) for i in entry["inputs"])
    return keccak(text=f"{entry['name']}({kinds})")[:size]


def _signature(entry: dict[str, Any]) -> tuple[bytes, tuple[str, ...], tuple[str, ...]]:
    inputs = tuple(_kind(i) for i in entry["inputs"])
    return _selector(entry, 4), inputs, tuple(_kind(o) for o in entry["outputs"])


def _event(entry: dict[str, Any]) -> Event:
    return Event(
        name=entry["name"],
        indexed=tuple(i["name"] for i in entry["inputs"] if i["indexed"]),
        plain=tuple((i["name"], _kind(i)) for i in entry["inputs"] if not i["indexed"]),
    )
