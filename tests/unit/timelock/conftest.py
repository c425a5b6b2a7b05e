from __future__ import annotations

from collections.abc import Iterator

import boa
import pytest

from .office import Office


@pytest.fixture(scope="session")
def opened() -> Office:
    return Office()


@pytest.fixture
def office(opened: Office) -> Iterator[Office]:
    with boa.env.anchor():
        yield opened
