"""revm in-process, some thirty times faster than titanoboa: used where `pyrevm` is installed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pyrevm
from eth_utils import to_checksum_address

from .driver import BLOCK_GAS, Log, Receipt, Reverted

OUTPUT = re.compile("output: 0x([0-9a-f]*)")
READER = "0x" + "11" * 20


class RevmDriver:
    """One pyrevm EVM."""

    name = "revm"

    def __init__(self, timestamp: int) -> None:
        self.evm = pyrevm.EVM(env=pyrevm.Env(cfg=pyrevm.CfgEnv()), gas_limit=BLOCK_GAS)
        self.set_time(timestamp)

    def chain_id(self) -> int:
        return 1

    def deploy(self, sender: str, code: bytes) -> str:
        return to_checksum_address(self.evm.deploy(sender, code))

    def send(self, sender: str, to: str, data: bytes) -> Receipt:
        self.evm.reset_transient_storage()
        return self._execute(sender, to, data)

    def call(self, to: str, data: bytes) -> bytes:
        self.evm.reset_transient_storage()
        before = self.evm.snapshot()
        receipt = self._execute(READER, to, data)
        self.evm.revert(before)
        if not receipt.ok:
            raise Reverted(receipt.reason)
        return receipt.output

    def words(self, address: str, slots: Sequence[int]) -> list[int]:
        return [self.evm.storage(address, slot) for slot in slots]

    def balance(self, address: str) -> int:
        return int(self.evm.get_balance(address))

    def time(self) -> int:
        return int(self.evm.env.block.timestamp)

    def set_time(self, timestamp: int) -> None:
        block = pyrevm.BlockEnv(timestamp=timestamp, number=1, gas_limit=BLOCK_GAS)
        self.evm.set_block_env(block)

    def snapshot(self) -> Any:
        return self.evm.snapshot(), self.time()

    def restore(self, snapshot: Any) -> None:
        state, timestamp = snapshot
        self.evm.revert(state)
        self.set_time(timestamp)

    def _execute(self, sender: str, to: str, data: bytes) -> Receipt:
        try:
            output = self.evm.message_call(sender, to, data, gas=BLOCK_GAS)
        except RuntimeError as error:
            output = OUTPUT.search(str(error))
            return Receipt(False, bytes.fromhex(output[1]) if output else b"", (), 0)
        result = self.evm.result
        return Receipt(
            True, bytes(output), tuple(_log(log) for log in result.logs), result.gas_used
        )


def _log(log: Any) -> Log:
    topics = tuple(bytes.fromhex(topic[2:]) for topic in log.topics)
    data = log.data if isinstance(log.data, bytes) else bytes(log.data[1])
    return Log(to_checksum_address(log.address), topics, data)
