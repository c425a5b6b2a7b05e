from tests.support.fixtures import deployed_world, world

__all__ = ["deployed_world", "world"]
