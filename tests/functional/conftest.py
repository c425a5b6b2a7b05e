"""One deployment for the tests that only look, and fresh code before anything is deployed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ape
import pytest

from scripts.support.compilation import refresh
from scripts.support.config import Config, load_config
from scripts.support.deployed import CONTRACTS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session", autouse=True)
def _fresh_code() -> None:
    """Ape does not notice when a module changed."""
    refresh(CONTRACTS.values())


@pytest.fixture(scope="session")
def local_config() -> Config:
    return load_config(ROOT / "scripts/config/local.toml")


@pytest.fixture
def deployer() -> Any:
    return ape.accounts.test_accounts[0]
