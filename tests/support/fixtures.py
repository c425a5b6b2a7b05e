"""Fixtures shared by the tests of the whole protocol."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.world import World

_deployed: list[World] = []


def deployed() -> World:
    """One deployment a process, whatever the directory of the test."""
    if not _deployed:
        _deployed.append(World())
    return _deployed[0]


@pytest.fixture(scope="session")
def deployed_world() -> World:
    return deployed()


@pytest.fixture
def world(deployed_world: World) -> Iterator[World]:
    """The protocol with two markets; whatever a test does to it is undone."""
    with deployed_world.fresh():
        yield deployed_world
