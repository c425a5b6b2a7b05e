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
        logs: list[dict[str, Any]] = client.request("eth_getLogs", query)
    except ChainError:
        return 0
    for log in logs:
        _note(journal, log)
    return len(logs)


def _note(journal: Journal, log: dict[str, Any]) -> None:
    data = bytes.fromhex(log["data"][2:])
    about = {"block": int(log["blockNumber"], 16), "rebuilt": True, "by": log["topics"][1][-40:]}
    if log["topics"][0] == REPORTED:
        observed, quotes = decode(["uint256", "uint256[]"], data)
        assets = [quote >> 128 for quote in quotes if quote]
        journal.note(
            "report", observed, "confirmed", tx=log["transactionHash"], assets=assets, **about
        )
        return
    inputs, packed = decode(["bytes32", "uint256[]"], data)
    lines = [unpack(word) for word in packed]
    epoch = max((line[3] for line in lines), default=0)
    journal.note(
        "push",
        epoch,
        "confirmed",
        tx=log["transactionHash"],
        lines=lines,
        inputs=inputs.hex(),
        **about,
    )


def unpack(word: int) -> list[int]:
    """Asset, severity, depth, nonce of a packed line."""
    return [word >> 72, word >> 52 & 0xFFFFF, word >> 32 & 0xFFFFF, word & 0xFFFFFFFF]
