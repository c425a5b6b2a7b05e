"""The state machine of tests/stateful on Ape and Anvil.

A short profile, with Ape's own artifacts.
"""

from __future__ import annotations

from typing import Any

from ape import chain, project
from eth_utils import to_bytes

from tests.stateful.anvil_driver import AnvilDriver
from tests.stateful.artifacts import artifact
from tests.stateful.driver import Artifact
from tests.stateful.running import run
from tests.stateful.stage import START

BEGIN = START + 10_000 * 86_400  # [s] whatever day it is, the same examples do the same


def test_machine__on_anvil__agrees_with_the_model() -> None:
    driver = AnvilDriver(chain.provider.uri, BEGIN)
    before = driver.snapshot()
    try:
        tally = run(driver, _built, examples=12, steps=40)
    finally:
        driver.restore(before)
        driver.request("anvil_autoImpersonateAccount", [False])
        driver.request("anvil_removeBlockTimestampInterval", [])
    assert sum(tally.done.values()) > 0
    assert not [rule for rule in tally.vacuous() if tally.tried[rule] >= 20]


def _built(name: str) -> Artifact:
    """Code as Ape compiled it; only the storage layout is the compiler's again."""
    own: Any = project.get_contract(name).contract_type
    code = to_bytes(hexstr=own.deployment_bytecode.bytecode)
    return Artifact(name, artifact(name).abi, code, artifact(name).layout)
