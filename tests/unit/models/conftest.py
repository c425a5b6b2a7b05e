"""The same synthetic bars as the other oracle tests."""

from tests.unit.oracle.conftest import make_bars

__all__ = ["make_bars"]
