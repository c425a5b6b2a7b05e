"""Anvil through raw JSON-RPC over one connection; reads of many words go as one batch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import requests
from eth_utils import to_checksum_address

from .driver import BLOCK_GAS, Log, Receipt, Reverted

TIMEOUT = 60  # [s]
PURSE = hex(10**24)


class AnvilDriver:
    """Every send is a block of its own, at the time that was set."""

    name = "anvil"

    def __init__(self, url: str, timestamp: int) -> None:
        self.url = url
        self.session = requests.Session()
        self.rich: set[str] = set()
        self.request("anvil_autoImpersonateAccount", [True])
        self.request("evm_setNextBlockTimestamp", [timestamp])
        self.request("evm_mine", [])
        # From now on a block is at the time of the one before, until set_time.
        self.request("anvil_setBlockTimestampInterval", [0])

    def chain_id(self) -> int:
        return int(self.request("eth_chainId", []), 16)

    def deploy(self, sender: str, code: bytes) -> str:
        receipt = self._transact({"from": sender, "data": _hex(code)})
        assert int(receipt["status"], 16) == 1, "deployment reverted"
        return to_checksum_address(receipt["contractAddress"])

    def send(self, sender: str, to: str, data: bytes) -> Receipt:
        transaction = {"from": sender, "to": to, "data": _hex(data)}
        receipt = self._transact(transaction)
        gas = int(receipt["gasUsed"], 16)
        if int(receipt["status"], 16) == 0:
            return Receipt(False, self._revert_data(receipt), (), gas)
        logs = tuple(
            Log(
                to_checksum_address(log["address"]),
                tuple(_bytes(topic) for topic in log["topics"]),
                _bytes(log["data"]),
            )
            for log in receipt["logs"]
        )
        return Receipt(True, b"", logs, gas)

    def call(self, to: str, data: bytes) -> bytes:
        call = {"from": "0x" + "11" * 20, "to": to, "data": _hex(data), "gas": hex(BLOCK_GAS)}
        try:
            return _bytes(self.request("eth_call", [call, "latest"]))
        except RuntimeError as error:
            raise Reverted(_reason(str(error))) from error

    def words(self, address: str, slots: Sequence[int]) -> list[int]:
        calls = [("eth_getStorageAt", [address, hex(slot), "latest"]) for slot in slots]
        return [int(word, 16) for word in self.batch(calls)]

    def balance(self, address: str) -> int:
        return int(self.request("eth_getBalance", [address, "latest"]), 16)

    def time(self) -> int:
        return int(self.request("eth_getBlockByNumber", ["latest", False])["timestamp"], 16)

    def set_time(self, timestamp: int) -> None:
        self.request("evm_setNextBlockTimestamp", [timestamp])
        self.request("evm_mine", [])

    def snapshot(self) -> Any:
        return self.request("evm_snapshot", [])

    def restore(self, snapshot: Any) -> None:
        assert self.request("evm_revert", [snapshot])
        self.rich.clear()
        self.request("anvil_setBlockTimestampInterval", [0])

    def request(self, method: str, params: list[Any]) -> Any:
        return self.batch([(method, params)])[0]

    def batch(self, calls: Sequence[tuple[str, list[Any]]]) -> list[Any]:
        """Results in the order of the calls."""
        body = [
            {"jsonrpc": "2.0", "id": i, "method": method, "params": params}
            for i, (method, params) in enumerate(calls)
        ]
        answers = self.session.post(self.url, json=body, timeout=TIMEOUT).json()
        results: list[Any] = [None] * len(calls)
        for answer in answers:
            if "error" in answer:
                raise RuntimeError(answer["error"]["message"])
            results[answer["id"]] = answer["result"]
        return results

    def _transact(self, transaction: dict[str, Any]) -> dict[str, Any]:
        sender = transaction["from"]
        if sender not in self.rich:
            self.request("anvil_setBalance", [sender, PURSE])
            self.rich.add(sender)
        sent = self.request("eth_sendTransaction", [transaction | {"gas": hex(16_000_000)}])
        for _ in range(TIMEOUT * 500):
            receipt: dict[str, Any] | None = self.request("eth_getTransactionReceipt", [sent])
            if receipt:
                return receipt
            time.sleep(0.002)
        raise TimeoutError("anvil does not mine")

    def _revert_data(self, receipt: dict[str, Any]) -> bytes:
        trace = self.request("debug_traceTransaction", [receipt["transactionHash"], TRACE])
        return _bytes(trace.get("output") or trace.get("returnValue") or "0x")


TRACE = {"tracer": "callTracer", "tracerConfig": {"onlyTopCall": True}}


def _reason(message: str) -> str:
    return message.split("execution reverted: ")[-1].split("'")[0].split(",")[0].strip('"')


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _bytes(value: str) -> bytes:
    return bytes.fromhex(value[2:])
