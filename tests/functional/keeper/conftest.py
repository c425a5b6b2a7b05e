"""One deployment a file, given back after every test; a proxy that spoils what passes."""

from __future__ import annotations

import pytest

from tests.support.fault_proxy import FaultProxy
from tests.support.keeper_stage import deployed_scene


@pytest.fixture(scope="module")
def deployed(tmp_path_factory):
    with deployed_scene(tmp_path_factory.mktemp("scene")) as scene:
        yield scene


@pytest.fixture
def scene(deployed):
    with deployed.fresh():
        yield deployed


@pytest.fixture
def proxy(scene):
    with FaultProxy(scene.client.url) as proxy:
        yield proxy
