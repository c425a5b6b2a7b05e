from __future__ import annotations

from collections.abc import Iterator

import boa
import pytest

from tests.support.world import World


@pytest.fixture(scope="session")
def _deployed() -> World:
    return World()


@pytest.fixture
def world(_deployed: World) -> Iterator[World]:
    with boa.env.anchor():
        yield _deployed
