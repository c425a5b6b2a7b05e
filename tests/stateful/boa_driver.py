"""The in-process EVM of titanoboa."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import boa
from boa.environment import Env
from eth_utils import to_checksum_address

from .driver import BLOCK_GAS, Log, Receipt, Reverted


class BoaDriver:
    """An environment of its own, so that other tests of the process keep theirs."""

    name = "titanoboa"

    def __init__(self, timestamp: int) -> None:
        self.env = Env()
        self.env.enable_fast_mode()
        self.set_time(timestamp)

    def chain_id(self) -> int:
        return int(self.env.evm.patch.chain_id)

    def deploy(self, sender: str, code: bytes) -> str:
        address, runtime = self.env.deploy_code(sender=sender, bytecode=code)
        assert runtime, "deployment reverted"
        return to_checksum_address(str(address))

    def send(self, sender: str, to: str, data: bytes) -> Receipt:
        done = self._execute(sender, to, data, is_modifying=True)
        logs = () if done.is_error else _logs_of(done)
        return Receipt(not done.is_error, done.output, logs, done.get_gas_used())

    def call(self, to: str, data: bytes) -> bytes:
        done = self._execute(to, to, data, is_modifying=False)
        if done.is_error:
            raise Reverted(Receipt(False, done.output, (), 0).reason)
        return done.output

    def words(self, address: str, slots: Sequence[int]) -> list[int]:
        at = boa.util.abi.Address(address)
        return [self.env.evm.get_storage(at, slot) for slot in slots]

    def balance(self, address: str) -> int:
        return int(self.env.get_balance(address))

    def time(self) -> int:
        return int(self.env.evm.patch.timestamp)

    def set_time(self, timestamp: int) -> None:
        self.env.evm.patch.timestamp = timestamp

    def snapshot(self) -> Any:
        return self.env.evm.snapshot(), self.time()

    def restore(self, snapshot: Any) -> None:
        state, timestamp = snapshot
        self.env.evm.revert(state)
        self.set_time(timestamp)

    def _execute(self, sender: str, to: str, data: bytes, *, is_modifying: bool) -> Any:
        return self.env.execute_code(
            to_address=to, sender=sender, gas=BLOCK_GAS, data=data, is_modifying=is_modifying
        )


def _logs_of(done: Any) -> tuple[Log, ...]:
    return tuple(
        Log(
            to_checksum_address(address),
            tuple(topic.to_bytes(32) for topic in topics),
            data,
        )
        for _, address, topics, data in done.get_raw_log_entries()
    )
