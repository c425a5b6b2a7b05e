"""A batch on its way through the timelock, kept in a file from proposal to execution."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import ape

from scripts.support.deployed import Deployment, path_of
from scripts.support.errors import ScriptError
from scripts.support.events import events_of
from scripts.support.files import read_json, write_json
from scripts.support.plan import Call, Difference

FOLDER: Final = Path("build/governance")
NO_PREDECESSOR: Final = "0x" + "00" * 32
UNSET, WAITING, READY, DONE = 1, 2, 4, 8  # flags of snekmate's OperationState
STATES: Final = {UNSET: "not queued", WAITING: "waiting", READY: "ready", DONE: "executed"}


class ProposalError(ScriptError):
    """The operation cannot go on. One sentence."""


@dataclass(frozen=True)
class Proposal:
    """Calls with the id the timelock knows them by."""

    chain_id: int
    timelock: str
    description: str
    calls: list[Call]
    differences: list[Difference]
    listings: dict[str, int] = field(default_factory=dict)  # symbol -> asset id
    margins: bool = True
    salt: str = field(default_factory=lambda: "0x" + secrets.token_hex(32))
    predecessor: str = NO_PREDECESSOR
    id: str = ""

    @property
    def batch(self) -> tuple[Any, ...]:
        """Arguments of the timelock's batch functions."""
        return (
            [call.target for call in self.calls],
            [0] * len(self.calls),
            [call.payload for call in self.calls],
            self.predecessor,
            self.salt,
        )

    @property
    def name(self) -> str:
        return self.id[2:10]

    def identified(self, timelock: Any) -> Proposal:
        """With its id."""
        operation = "0x" + bytes(timelock.hash_operation_batch(*self.batch)).hex()
        return Proposal(**{**self.__dict__, "id": operation})

    def save(self, folder: Path = FOLDER) -> Path:
        path = folder / str(self.chain_id) / f"{self.name}.json"
        write_json(path, asdict(self))
        return path


def load(name: str, deployment: Deployment, folder: Path = FOLDER) -> Proposal:
    """By file, or by the start of its id; refuses what belongs to another deployment."""
    path = Path(name)
    if not path.is_file():
        path = find(name, deployment, folder)
    proposal = parse(path)
    if proposal.timelock != deployment.addresses["timelock"]:
        raise ProposalError(
            f"{path} belongs to the timelock {proposal.timelock} on chain {proposal.chain_id}, not"
            " to this deployment."
        )
    if proposal.identified(deployment.timelock).id != proposal.id:
        raise ProposalError(f"{path} was changed: its calls do not have the id {proposal.id}.")
    return proposal


def find(name: str, deployment: Deployment, folder: Path) -> Path:
    start = name.removeprefix("0x")[:8]
    found = list((folder / str(deployment.chain_id)).glob(f"{start}*.json")) if start else []
    if len(found) != 1:
        how_many = "no" if not found else "more than one"
        raise ProposalError(f"There is {how_many} proposal {name!r}: see `ape run govern status`.")
    return found[0]


def parse(path: Path) -> Proposal:
    values = read_json(path)
    try:
        values["calls"] = [Call(**call) for call in values["calls"]]
        values["differences"] = [Difference(**each) for each in values["differences"]]
        return Proposal(**values)
    except (TypeError, KeyError):
        raise ProposalError(f"{path} is not a proposal of this version.") from None


def known(deployment: Deployment, folder: Path = FOLDER) -> Iterator[Proposal]:
    """Those of this deployment that have a file."""
    for path in sorted((folder / str(deployment.chain_id)).glob("*.json")):
        proposal = parse(path)
        if proposal.timelock == deployment.addresses["timelock"]:
            yield proposal


# --- timelock --------------------------------------------------------------------------------


def state_of(deployment: Deployment, operation: str) -> int:
    return int(deployment.timelock.get_operation_state(operation))


def ready_at(deployment: Deployment, operation: str) -> int:
    """[Unix time]; 0 if not queued, 1 if executed."""
    return int(deployment.timelock.get_timestamp(operation))


def on_chain(deployment: Deployment) -> dict[str, list[dict[str, Any]]]:
    """Calls of every operation that was ever queued, by id."""
    operations: dict[str, list[dict[str, Any]]] = {}
    for event in events_of(deployment, "timelock", "CallScheduled"):
        operations.setdefault("0x" + bytes(event["id"]).hex(), []).append(event)
    return operations


def decode_call(deployment: Deployment, target: str, payload: bytes) -> str:
    """As text, if the target is one of ours."""
    for name, address in deployment.addresses.items():
        if address == target:
            instance = getattr(deployment, name)
            try:
                signature, values = instance.decode_input(payload)
            except (KeyError, ape.exceptions.ApeException):
                break
            return f"{name}.{signature.split('(')[0]}({', '.join(map(str, values.values()))})"
    return f"{target} 0x{payload.hex()}"


def record_listings(deployment: Deployment, proposal: Proposal) -> None:
    """Symbols of what was listed go into the deployment's file."""
    if not proposal.listings:
        return
    path = path_of(deployment.chain_id)
    values = read_json(path)
    for symbol, number in proposal.listings.items():
        kind = "markets" if number < 32 else "tokens"
        values[kind][symbol] = number
        if kind == "tokens":
            token = deployment.custody.token_at(number - 32)
            values["collateral_addresses"][symbol] = str(token)
    write_json(path, values)
