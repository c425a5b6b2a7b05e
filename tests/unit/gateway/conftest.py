from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boa
import pytest

from tests.support.fixtures import deployed_world

from .desk import MARKET, NOON, WAD, Desk, person

__all__ = ["deployed_world"]


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
