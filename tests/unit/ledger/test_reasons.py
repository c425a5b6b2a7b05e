"""Revert reasons of the ledger: each constant is its comment, and no two are the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import boa
import pytest

SOURCE = Path("contracts/modules/reasons.vy").read_text()
LINE = re.compile(r"^([A-Z_]+): constant\(uint256\) = (\d+)  # (.+)$", re.MULTILINE)
REASONS = LINE.findall(SOURCE)
THROWER = """
# pragma version 0.4.3
from contracts.modules import reasons

@external
@pure
def check(_ok: bool, _reason: uint256) -> uint256:
    reasons._require(_ok, _reason)
    return 1
"""


@pytest.fixture(scope="module")
def thrower() -> Any:
    return boa.loads(THROWER)


def test_reasons__every_constant_has_its_comment() -> None:
    declared = re.findall(r"^([A-Z_]+): constant\(uint256\)", SOURCE, re.MULTILINE)
    assert [name for name, _, _ in REASONS] == [name for name in declared if name != "LONGEST"]
    assert len(REASONS) > 40


@pytest.mark.parametrize(("name", "value", "text"), REASONS, ids=[r[0] for r in REASONS])
def test_reason__is_its_comment(name: str, value: str, text: str) -> None:
    assert int(value).to_bytes(32, "big").lstrip(b"\0").decode("ascii") == text
    assert len(text) <= 20
    assert text == text.lower()


def test_reasons__no_two_are_the_same() -> None:
    assert len({value for _, value, _ in REASONS}) == len(REASONS)


@pytest.mark.parametrize("text", ["a", "cash", "collateral cap", "x" * 31, "y" * 32])
def test_require__false__reverts_as_error_string(thrower: Any, text: str) -> None:
    reason = int.from_bytes(text.encode(), "big")
    data = thrower.check.prepare_calldata(False, reason)
    computation = boa.env.execute_code(thrower.address, data=data)
    assert computation.is_error
    encoded = text.encode()
    expected = bytes.fromhex("08c379a0") + (32).to_bytes(32, "big")
    expected += len(encoded).to_bytes(32, "big") + encoded.ljust(32, b"\0")
    assert computation.output == expected


def test_require__true__goes_on(thrower: Any) -> None:
    assert thrower.check(True, 1) == 1
