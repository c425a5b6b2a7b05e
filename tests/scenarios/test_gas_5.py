"""GAS-5: every contract fits EIP-170 and EIP-3860 as its source says it is compiled."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.compiled import load

DEPLOYABLES = sorted(str(path) for path in Path("contracts").glob("[A-Z]*.vy"))


@pytest.mark.parametrize("path", DEPLOYABLES)
def test_contract__fits(path: str) -> None:
    data = load(path).compiler_data
    assert len(data.bytecode_runtime) <= 24_576
    assert len(data.bytecode) <= 49_152


def test_contracts__are_found() -> None:
    names = {Path(path).stem for path in DEPLOYABLES}
    assert {"Clearinghouse", "Custody", "Liquidator", "OrderGateway", "RiskEngine"} <= names
