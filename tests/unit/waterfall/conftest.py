from tests.support.fixtures import deployed_world, world
from tests.unit.vault.fixtures import built, rooms

__all__ = ["built", "deployed_world", "rooms", "world"]
