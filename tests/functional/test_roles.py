"""KEY-10: who may call what is what docs/roles.json says, function by function, role by role."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.support import roles
from scripts.support.config import Config

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def scene(local_config: Config) -> roles.Scene:
    return roles.set_scene(local_config)


@pytest.fixture(scope="module")
def committed() -> roles.Table:
    table: roles.Table = json.loads((DOCS / "roles.json").read_text())
    return table


def test_roles__as_measured__equal_the_committed_table(
    scene: roles.Scene, committed: roles.Table
) -> None:
    """After a change that is meant: `ape run roles`, and read the difference."""
    assert roles.measure(scene) == committed


def test_roles__page__is_the_table(committed: roles.Table) -> None:
    assert (DOCS / "roles.md").read_text(encoding="utf-8") == roles.render(committed)


def test_roles__function_without_an_entry__fails(
    scene: roles.Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = tuple(probe for probe in roles.PROBES if probe.function != "settle_market")
    monkeypatch.setattr(roles, "PROBES", without)
    with pytest.raises(roles.RolesError, match="settle_market has no entry"):
        roles.measure(scene)


def test_roles__deployer_and_stranger__may_do_the_same(committed: roles.Table) -> None:
    """GOV-6: the deployer keeps nothing."""
    for contract, functions in committed.items():
        for function, row in functions.items():
            allowed = row["allowed"]
            assert ("deployer" in allowed) == ("anyone" in allowed), f"{contract}.{function}"


def test_roles__guardian__only_reduces_risk(committed: roles.Table) -> None:
    """GOV-1: pause, lift it, reduce-only on, doubt on, freeze a signer; nothing else."""
    more_than_anyone = {
        f"{contract}.{function}"
        for contract, functions in committed.items()
        for function, row in functions.items()
        if "guardian" in row["allowed"] and "anyone" not in row["allowed"]
    }
    assert more_than_anyone == {
        "RiskEngine.pause",
        "RiskEngine.unpause (while paused)",
        "RiskEngine.set_reduce_only (on)",
        "RiskEngine.set_settlement_doubt (on)",
        "RiskEngine.freeze_signer",
    }


def test_roles__setters__belong_to_the_timelock_alone(committed: roles.Table) -> None:
    """Everything of governance, however many setters there will be."""
    for contract, functions in committed.items():
        for function, row in functions.items():
            if function.startswith(("set_", "list_", "hand_over")) and "(on)" not in function:
                own = {"set_session_key": ["owner"], "set_ledger": [], "set_insurance_fund": []}
                assert row["allowed"] == own.get(function, ["timelock"]), f"{contract}.{function}"
