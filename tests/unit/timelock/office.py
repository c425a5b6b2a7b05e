"""A timelock over a liquidator (something with a setter), and an engine that can be paused."""

from __future__ import annotations

from typing import Any

import boa
from eth.constants import ZERO_ADDRESS
from eth_utils import to_checksum_address

from tests.support.compiled import load

DAY = 86_400
FLOOR = 2 * DAY
NO_SALT = b"\x00" * 32
ZERO = to_checksum_address(ZERO_ADDRESS)
PARAMETERS = (600, 600, 0, 1, 2, 10**18, 0)
CHANGED = (601, 600, 0, 1, 2, 10**18, 10**19)


class Office:
    """Proposer, executor and deployer are three different accounts."""

    def __init__(self) -> None:
        self.deployer = boa.env.eoa
        self.proposer = boa.env.generate_address("proposer")
        self.executor = boa.env.generate_address("executor")
        self.stranger = boa.env.generate_address("stranger")
        self.engine = load("contracts/mocks/stubs/StubEngine.vy").deploy()
        self.timelock = self.deploy([self.executor])
        usdc = load("contracts/mocks/TokenMock.vy").deploy("USD Coin", "USDC", 6)
        custody = load("contracts/Custody.vy").deploy(self.engine, usdc)
        ledger = load("contracts/Clearinghouse.vy").deploy(self.engine, usdc, custody)
        gateway = load("contracts/mocks/stubs/StubGateway.vy").deploy(ledger)
        delays = (86_400, 86_400)
        fund = load("contracts/InsuranceFund.vy").deploy(custody, ledger, self.engine, *delays)
        custody.set_ledger(ledger)
        vault = load("contracts/BackstopVault.vy").deploy(ledger, self.engine, gateway, *delays)
        self.target = load("contracts/Liquidator.vy").deploy(
            ledger, self.engine, fund, vault, PARAMETERS
        )
        self.target.hand_over(self.timelock)

    def deploy(self, executors: list[str], floor: int = FLOOR) -> Any:
        return load("contracts/Timelock.vy").deploy(floor, [self.proposer], executors, self.engine)

    @property
    def change(self) -> bytes:
        """Calldata of a parameter change."""
        return self.target.set_parameters.prepare_calldata(CHANGED)

    def delay_change(self, delay: int) -> bytes:
        return self.timelock.update_delay.prepare_calldata(delay)

    def schedule(
        self, target: Any, payload: bytes, delay: int = FLOOR, sender: str | None = None
    ) -> None:
        self.timelock.schedule(
            target, 0, payload, NO_SALT, NO_SALT, delay, sender=sender or self.proposer
        )

    def execute(self, target: Any, payload: bytes, sender: str | None = None) -> None:
        self.timelock.execute(target, 0, payload, NO_SALT, NO_SALT, sender=sender or self.executor)

    def duration(self) -> int:
        return int(self.target.parameters().duration)
