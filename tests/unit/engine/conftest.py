import boa
import pytest

from . import harness


@pytest.fixture(scope="module")
def _deployed() -> harness.System:
    return harness.deploy()


@pytest.fixture
def system(_deployed: harness.System):
    """Engine with nothing listed; every test starts from the same state."""
    with boa.env.anchor():
        _deployed.at(harness.START)
        yield _deployed


@pytest.fixture
def live(system: harness.System) -> harness.System:
    """Market 0 at 2,000 USD and token 0 (asset 32) at 1 USD, just reported."""
    system.list(0, price=2_000 * harness.WAD)
    system.list(32, table=harness.HAIRCUTS, price=harness.WAD)
    return system
