"""Past events of a deployment's contracts."""

from __future__ import annotations

from typing import Any, Final

import ape
from eth_utils.crypto import keccak

from scripts.support.deployed import Deployment

CHUNK: Final = 10_000  # blocks a request: public nodes refuse more


def events_of(
    deployment: Deployment, contract: str, event: str, chunk: int = CHUNK
) -> list[dict[str, Any]]:
    """Their arguments, oldest first."""
    instance = getattr(deployment, contract)
    abi = next(each for each in instance.contract_type.events if each.name == event)
    head = ape.chain.blocks.height
    decode = ape.chain.provider.network.ecosystem.decode_logs
    found: list[dict[str, Any]] = []
    for start in range(deployment.block, head + 1, chunk):
        query = {
            "address": str(instance.address),
            "topics": ["0x" + keccak(text=abi.selector).hex()],
            "fromBlock": hex(start),
            "toBlock": hex(min(start + chunk - 1, head)),
        }
        logs = ape.chain.provider.make_request("eth_getLogs", [query])
        for log in logs:
            log["blockNumber"] = int(log["blockNumber"], 16)
            log["logIndex"] = int(log["logIndex"], 16)
        found += [each.event_arguments for each in decode(logs, abi)]
    return found


def last_event(
    deployment: Deployment, contract: str, event: str, **arguments: Any
) -> dict[str, Any]:
    """The latest with these arguments; empty if there is none."""
    matching = [
        each
        for each in events_of(deployment, contract, event)
        if all(each[name] == value for name, value in arguments.items())
    ]
    return matching[-1] if matching else {}


def live_accounts(deployment: Deployment) -> list[int]:
    """Every account that was ever opened."""
    configured = events_of(deployment, "clearinghouse", "AccountConfigured")
    return sorted({int(each["account"]) for each in configured})
