from tests.support.fixtures import deployed_world, world
from tests.unit.mutant_killers.conftest import funded, populated
from tests.unit.vault.fixtures import built, rooms

__all__ = ["built", "deployed_world", "funded", "populated", "rooms", "world"]
