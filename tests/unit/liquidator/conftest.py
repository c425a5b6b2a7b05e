from __future__ import annotations

from collections.abc import Iterator

import boa
import pytest

from tests.support.fixtures import deployed_world, world

from .stage import Stage

__all__ = ["deployed_world", "world"]


@pytest.fixture(scope="session")
def built() -> Stage:
    return Stage()


@pytest.fixture
def stage(built: Stage) -> Iterator[Stage]:
    with boa.env.anchor():
        yield built
