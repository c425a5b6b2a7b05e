from collections.abc import Iterator

import boa
import pytest

from tests.support.fixtures import deployed_world, world
from tests.unit.liquidator.stage import Stage
from tests.unit.vault.rooms import Rooms

__all__ = ["deployed_world", "world"]


@pytest.fixture(scope="session")
def built() -> Stage:
    return Stage()


@pytest.fixture
def rooms(built: Stage) -> Iterator[Rooms]:
    with boa.env.anchor():
        yield Rooms(built)
