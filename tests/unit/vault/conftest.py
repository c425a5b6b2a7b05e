from collections.abc import Iterator

import pytest

from tests.support.fixtures import deployed_world, world
from tests.support.world import World

from .desk import Desk
from .fixtures import built, rooms

__all__ = ["built", "deployed_world", "rooms", "world"]


@pytest.fixture(scope="session")
def deployed_desk(deployed_world: World) -> Desk:
    return Desk()


@pytest.fixture
def desk(deployed_desk: Desk) -> Iterator[Desk]:
    """A world whose manager trades through the real gateway."""
    with deployed_desk.fresh():
        yield deployed_desk
