"""The world as it is run: the timelock owns every setter, the deployer nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.support.compiled import load
from tests.support.world import World, address_of

HOUR = 3_600
FLOOR = 48 * HOUR  # [s] as in production
EMPTY = bytes(32)


@dataclass
class Government:
    """A timelock and its people."""

    world: World
    timelock: Any
    proposer: str
    executor: str

    def schedule(self, *calls: tuple[Any, bytes], salt: bytes = EMPTY) -> Any:
        """Calls as (contract, calldata); the batch that is to be executed."""
        delay = self.timelock.get_minimum_delay()
        batch = batch_of(*calls, salt=salt)
        self.timelock.schedule_batch(*batch, delay, sender=self.proposer)
        return batch

    def execute(self, batch: Any) -> None:
        self.timelock.execute_batch(*batch, sender=self.executor)

    def decide(self, *calls: tuple[Any, bytes]) -> None:
        """Schedule, wait, execute."""
        batch = self.schedule(*calls)
        self.world.system.wait(self.timelock.get_minimum_delay())
        self.execute(batch)


def batch_of(*calls: tuple[Any, bytes], salt: bytes = EMPTY) -> Any:
    targets = [getattr(target, "address", target) for target, _ in calls]
    return targets, [0] * len(calls), [payload for _, payload in calls], EMPTY, salt


def hand_over(world: World, floor: int = FLOOR) -> Government:
    """As the last steps of a deployment."""
    proposer, executor = address_of("proposer"), address_of("executor")
    timelock = load("contracts/Timelock.vy").deploy(
        floor, [proposer], [executor], world.engine.address
    )
    with world.as_owner():
        for contract in (
            world.engine,
            world.custody,
            world.ledger,
            world.fund,
            world.vault,
            world.liquidator,
        ):
            contract.hand_over(timelock.address)
    return Government(world, timelock, proposer, executor)
