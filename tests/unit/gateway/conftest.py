from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boa
import pytest

from tests.support.fixtures import deployed_world

from .desk import MARKET, NOON, WAD, Desk, person

__all__ = ["deployed_world"]


def _sources_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path("contracts").rglob("*.vy*")):
        digest.update(f"{path}\n".encode() + path.read_bytes())
    return digest.hexdigest()


# titanoboa 0.2.8 keys its disk cache by a contract's text and that of its direct imports: after a
# change in a module imported by a module it tests yesterday's bytecode. (Without a cache it fails.)
boa.interpret.set_cache_dir(f".cache/titanoboa/{_sources_digest()}")


@pytest.fixture(scope="session")
def deployed_desk(gateway_deployer: Any) -> Desk:
    boa.env.timestamp = NOON
    engine = boa.load("contracts/mocks/RiskEngineMock.vy")
    clearinghouse = boa.load("contracts/mocks/ClearinghouseMock.vy")
    gateway = gateway_deployer.deploy(clearinghouse.address, engine.address)
    engine.set_mark(MARKET, 2_000 * WAD)
    return Desk(
        gateway=gateway,
        clearinghouse=clearinghouse,
        engine=engine,
        maker=person("maker"),
        taker=person("taker"),
        keyholder=person("keyholder"),
        stranger=person("stranger"),
    )


@pytest.fixture
def desk(deployed_desk: Desk) -> Iterator[Desk]:
    with boa.env.anchor():
        boa.env.timestamp = NOON
        yield deployed_desk


@pytest.fixture(scope="session")
def wallet_deployer() -> Any:
    return boa.load_partial("contracts/mocks/WalletMock.vy")


@pytest.fixture(scope="session")
def token_deployer() -> Any:
    return boa.load_partial("contracts/mocks/TokenMock.vy")


@pytest.fixture(scope="session")
def gateway_deployer() -> Any:
    return boa.load_partial("contracts/OrderGateway.vy")
