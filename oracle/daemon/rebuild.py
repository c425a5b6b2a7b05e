"""A journal begun from the chain: what was reported and pushed lately, by whomever."""

from __future__ import annotations

from typing import Any, Final

from eth_abi.abi import decode
from eth_utils.crypto import keccak

from oracle.chain import ChainError, Client, to_hex
from oracle.daemon.journal import Journal
from oracle.daemon.view import Deployment

BLOCKS: Final = 2_000  # looked back at; public nodes give so many at once
REPORTED: Final = to_hex(keccak(text="Reported(address,uint256,uint256[])"))
PUSHED: Final = to_hex(keccak(text="Pushed(address,bytes32,uint256[])"))


def rebuild(journal: Journal, client: Client, deployment: Deployment) -> int:
    """Write down the reports and pushes of the last blocks; how many.

    A node that gives no logs is no obstacle: what must not be done twice, the chain's own nonces
    prevent.
    """
    try:
        head = client.head().number
        query = {
            "address": deployment.engine,
            "topics": [[REPORTED, PUSHED]],
            "fromBlock": hex(max(deployment.block, head - BLOCKS)),
            "toBlock": hex(head),
        }
        logs = client.request("eth_getLogs", query)
        with client.sense():
            notes = [_read(log) for log in logs]
    except ChainError:
        return 0
    for note in notes:
        journal.note(**note)
    return len(notes)


def _read(log: dict[str, Any]) -> dict[str, Any]:
    """Arguments of `Journal.note`."""
    data = bytes.fromhex(log["data"][2:])
    about = {"block": int(log["blockNumber"], 16), "rebuilt": True, "by": log["topics"][1][-40:]}
    if log["topics"][0] == REPORTED:
        observed, quotes = decode(["uint256", "uint256[]"], data)
        assets = [quote >> 128 for quote in quotes if quote]
        return {
            "kind": "report",
            "epoch": observed,
            "step": "confirmed",
            "tx": log["transactionHash"],
            "assets": assets,
            **about,
        }
    inputs, packed = decode(["bytes32", "uint256[]"], data)
    lines = [unpack(word) for word in packed]
    return {
        "kind": "push",
        "epoch": max((line[3] for line in lines), default=0),
        "step": "confirmed",
        "tx": log["transactionHash"],
        "lines": lines,
        "inputs": inputs.hex(),
        **about,
    }


def unpack(word: int) -> list[int]:
    """Asset, severity, depth, nonce of a packed line."""
    return [word >> 72, word >> 52 & 0xFFFFF, word >> 32 & 0xFFFFF, word & 0xFFFFFFFF]
