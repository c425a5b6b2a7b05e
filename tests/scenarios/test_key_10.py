"""KEY-10 (Perpetual Protocol's fork, July 2026): one function among siblings without its guard.

Every function of every contract's ABI is called by a stranger, with nothing but zeros: those that
the committed table (docs/roles.json) keeps from strangers revert, whatever the arguments. Which
role may call what is measured in tests/functional/test_roles.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boa
import pytest

from tests.support.compiled import load
from tests.support.government import FLOOR
from tests.support.world import World, address_of

TABLE = json.loads((Path(__file__).parents[2] / "docs/roles.json").read_text())
CONTRACTS = {
    "RiskEngine": "engine",
    "RiskSettings": "settings",
    "Custody": "custody",
    "Clearinghouse": "ledger",
    "InsuranceFund": "fund",
    "BackstopVault": "vault",
    "Liquidator": "liquidator",
}


def rows() -> Iterator[tuple[str, str]]:
    """Contract and function, each function once."""
    for contract, functions in TABLE.items():
        yield from sorted({(contract, label.split(" ")[0]) for label in functions})


def is_closed(contract: str, function: str) -> bool:
    """In every variant."""
    labels = [label for label in TABLE[contract] if label.split(" ")[0] == function]
    return all("anyone" not in TABLE[contract][label]["allowed"] for label in labels)


CLOSED = [row for row in rows() if is_closed(*row)]


def deployed(world: World, contract: str) -> Any:
    if contract in CONTRACTS:
        return getattr(world, CONTRACTS[contract])
    if contract == "OrderGateway":
        return load("contracts/OrderGateway.vy").deploy(world.ledger.address, world.engine.address)
    return load("contracts/Timelock.vy").deploy(FLOOR, [], [], world.engine.address)


def zero_of(entry: dict[str, Any]) -> Any:
    kind = entry["type"]
    if kind.endswith("]"):
        return []
    if kind == "tuple":
        return tuple(zero_of(each) for each in entry["components"])
    if kind == "address":
        return "0x" + "00" * 20
    if kind == "bool":
        return False
    return b"" if kind == "bytes" else bytes(32) if kind == "bytes32" else 0


def writers(contract: Any) -> dict[str, list[dict[str, Any]]]:
    """Functions of the ABI that can change state, with their inputs."""
    return {
        entry["name"]: entry["inputs"]
        for entry in contract.abi
        if entry["type"] == "function" and entry["stateMutability"] not in ("view", "pure")
    }


@pytest.mark.parametrize("contract", TABLE)
def test_table__names_every_function_of_the_abi(world: World, contract: str) -> None:
    named = {label.split(" ")[0] for label in TABLE[contract]}
    assert named == set(writers(deployed(world, contract)))


@pytest.mark.parametrize(("contract", "function"), CLOSED, ids=".".join)
def test_stranger__reverts_whatever_the_arguments(
    world: World, contract: str, function: str
) -> None:
    target = deployed(world, contract)
    arguments = [zero_of(entry) for entry in writers(target)[function]]
    with boa.reverts():
        getattr(target, function)(*arguments, sender=address_of("stranger"))
