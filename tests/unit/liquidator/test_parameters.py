"""Bounds of the auction's parameters, and who sets them."""

from __future__ import annotations

import boa
import pytest

from tests.support.compiled import load

from .stage import MIN_DEFICIT, PARAMETERS, USD, Stage, events_of

FIELDS = (
    "duration",
    "tail",
    "discount_min",
    "discount_max",
    "insurance_fee",
    "min_deficit",
    "reward",
)


def changed(**changes: int) -> tuple[int, ...]:
    return tuple((dict(zip(FIELDS, PARAMETERS, strict=True)) | changes).values())


GOOD = [
    {"duration": 60},
    {"duration": 14_400},
    {"tail": 0},
    {"tail": 86_400},
    {"discount_min": 0},
    {"discount_min": 400_000},
    {"discount_max": 566_665},
    {"insurance_fee": 266_665},
    {"insurance_fee": 0},
    {"min_deficit": USD},
    {"min_deficit": 10**6 * USD},
    {"reward": 1},
    {"reward": 10 * USD},
]
BAD = [
    {"duration": 0},
    {"duration": 59},
    {"duration": 14_401},
    {"duration": 2**256 - 1},
    {"tail": 86_401},
    {"tail": 2**256 - 1},
    {"discount_min": 400_001},
    {"discount_min": 2**256 - 1},
    {"discount_max": 49_999},
    {"discount_max": 566_666},
    {"discount_max": 2**256 - 1},
    {"insurance_fee": 266_666},
    {"insurance_fee": 2**256 - 1},
    {"min_deficit": USD - 1},
    {"min_deficit": 10**6 * USD + 1},
    {"min_deficit": 2**256 - 1},
    {"reward": 10 * USD + 1},
    {"reward": 2**256 - 1},
]


@pytest.mark.parametrize("changes", GOOD, ids=str)
def test_set_parameters__within_bounds__set_and_logged(
    stage: Stage, changes: dict[str, int]
) -> None:
    wanted = changed(**changes)
    stage.liquidator.set_parameters(wanted)
    assert tuple(getattr(events_of(stage.liquidator)[-1], f) for f in FIELDS) == wanted
    stored = stage.liquidator.parameters()
    assert tuple(getattr(stored, f) for f in FIELDS) == wanted


@pytest.mark.parametrize("changes", BAD, ids=str)
def test_set_parameters__out_of_bounds__reverts(stage: Stage, changes: dict[str, int]) -> None:
    with boa.reverts("out of range"):
        stage.liquidator.set_parameters(changed(**changes))


def test_constructor__out_of_bounds__reverts(stage: Stage) -> None:
    with boa.reverts("out of range"):
        load("contracts/Liquidator.vy").deploy(
            stage.ledger, stage.engine, stage.fund, stage.vault, changed(discount_max=666_666)
        )


def test_set_parameters__stranger__reverts(stage: Stage) -> None:
    with boa.reverts("not owner"):
        stage.liquidator.set_parameters(PARAMETERS, sender=stage.owners["stranger"])


def test_hand_over__to_a_contract__then_the_deployer_has_no_say(stage: Stage) -> None:
    stage.liquidator.hand_over(stage.gateway)
    assert stage.liquidator.owner() == stage.gateway.address
    with boa.reverts("not owner"):
        stage.liquidator.set_parameters(PARAMETERS)


def test_parameters__as_deployed(stage: Stage) -> None:
    stored = stage.liquidator.parameters()
    assert tuple(getattr(stored, f) for f in FIELDS) == PARAMETERS
    assert stored.min_deficit == MIN_DEFICIT
    assert stage.liquidator.LEDGER() == stage.ledger.address
    assert stage.liquidator.ENGINE() == stage.engine.address
    assert stage.liquidator.FUND() == stage.fund.address
    assert stage.liquidator.VAULT() == stage.vault.address
