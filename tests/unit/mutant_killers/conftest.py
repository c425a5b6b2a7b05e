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
from tests.stateful.stage import BUCKETS, RINGS, Stage


@pytest.fixture(scope="session")
def populated() -> Stage:
    stage = Stage(in_process(), artifact, is_compared=False)
    Actions(stage).calm()  # the capital took hours to come in
    stage.is_compared = True
    return stage


@pytest.fixture
def funded(populated: Stage) -> Iterator[Stage]:
    """With what is in the fund's buckets and in the vault's rings."""
    saved = populated.snapshot()
    yield populated
    populated.restore(saved)


@pytest.fixture
def stage(funded: Stage) -> Stage:
    """Neither fund nor vault has anything: step 3 alone."""
    funded.is_compared = False
    for market in BUCKETS:
        funded.fund.must(funded.owner, "set_bucket_cap", market, 0)
        funded.model.set_bucket_cap(market, 0)
    for market in RINGS:
        empty_ring(funded, market)
    funded.is_compared = True
    return funded


def empty_ring(stage: Stage, market: int) -> None:
    stage.vault.must(stage.owner, "set_target", market, 0)
    stage.model.vault.set_target(market, 0)
    assert stage.drain_ring(market).ok


@pytest.fixture
def do(stage: Stage) -> Actions:
    return Actions(stage)
