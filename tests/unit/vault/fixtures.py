"""Rooms for the tests of vault, waterfall and bugs: deployed once, given back after each."""

from __future__ import annotations

from collections.abc import Iterator

import boa
import pytest

from tests.unit.liquidator.stage import Stage
from tests.unit.vault.rooms import Rooms


@pytest.fixture(scope="session")
def built() -> Stage:
    return Stage()


@pytest.fixture
def rooms(built: Stage) -> Iterator[Rooms]:
    with boa.env.anchor():
        yield Rooms(built)
