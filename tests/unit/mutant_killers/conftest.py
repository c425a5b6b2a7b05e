"""The populated stage of the state machine, once a process and given back after every test.

While it is populated nothing is compared: a mutant is to be found by the test that names it, not by
the set-up.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stateful.actions import Actions
from tests.stateful.artifacts import artifact
from tests.stateful.running import in_process
from tests.stateful.stage import Stage


@pytest.fixture(scope="session")
def populated() -> Stage:
    stage = Stage(in_process(), artifact, is_compared=False)
    stage.is_compared = True
    return stage


@pytest.fixture
def stage(populated: Stage) -> Iterator[Stage]:
    saved = populated.snapshot()
    yield populated
    populated.restore(saved)


@pytest.fixture
def do(stage: Stage) -> Actions:
    return Actions(stage)
