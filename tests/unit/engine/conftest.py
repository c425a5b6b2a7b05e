from collections.abc import Iterator

import boa
import pytest

from . import harness


@pytest.fixture(scope="module")
def _deployed() -> harness.System:
    return harness.deploy()


@pytest.fixture(scope="module")
def _listed() -> harness.System:
    system = harness.deploy()
    system.list(0, price=2_000 * harness.WAD)
    system.list(32, table=harness.HAIRCUTS, price=harness.WAD)
    return system


@pytest.fixture
def system(_deployed: harness.System) -> Iterator[harness.System]:
    """Engine with nothing listed; every test starts from the same state."""
    with boa.env.anchor():
        _deployed.at(harness.START)
        yield _deployed


@pytest.fixture
def live(_listed: harness.System) -> Iterator[harness.System]:
    """Market 0 at 2,000 USD and token 0 (asset 32) at 1 USD, just reported."""
    with boa.env.anchor():
        _listed.at(harness.START)
        yield _listed
