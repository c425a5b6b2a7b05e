from __future__ import annotations

from collections.abc import Iterator

import boa
import pytest

from .hall import Hall


@pytest.fixture(scope="session")
def built() -> Hall:
    return Hall()


@pytest.fixture
def hall(built: Hall) -> Iterator[Hall]:
    with boa.env.anchor():
        yield built
