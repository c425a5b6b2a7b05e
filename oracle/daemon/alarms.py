"""What can be wrong, how loud it is said, and the exit code it ends with.

A fault that makes working impossible ends the process with its code. A fault that may pass is an
alarm: a log line at its level and a counter, and `run --once` ends with the gravest one's code.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final, Protocol


class Exit(IntEnum):
    """Exit codes; docs/operate.md says what to do about each."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2  # click's
    CONFIG = 10
    KEYS = 11
    SELF_CHECK = 12
    LEASE = 13
    NODE = 14
    CLOCK = 15
    SOURCE = 16
    QUORUM = 17
    GAS_MONEY = 18
    FEE_CAP = 19
    TRANSACTION = 20
    JOURNAL = 21
    STALLED = 22


LEVELS: Final = ("info", "warning", "error", "critical")
GRAVITY: Final = {level: place for place, level in enumerate(LEVELS)}


class DaemonError(Exception):
    """The keeper cannot do what it was asked. One sentence, and the code it ends with."""

    def __init__(self, message: str, code: Exit = Exit.UNEXPECTED) -> None:
        super().__init__(message)
        self.code = code


class Log(Protocol):
    """As structlog's loggers."""

    def info(self, event: str, **values: Any) -> Any:
        """What happened."""

    def warning(self, event: str, **values: Any) -> Any:
        """What somebody may have to look at."""

    def error(self, event: str, **values: Any) -> Any:
        """What somebody has to look at today."""

    def critical(self, event: str, **values: Any) -> Any:
        """What somebody has to look at now."""


class Alarms:
    """Says what is wrong, and remembers the gravest of a round."""

    def __init__(self, log: Log, count: Callable[[str, str], None] = lambda code, level: None):
        """
        Args:
            count: told code and level of each alarm, for a metric.
        """
        self.log = log
        self._count = count
        self._worst: tuple[int, Exit] = (-1, Exit.OK)

    def begin(self) -> None:
        """A new round."""
        self._worst = (-1, Exit.OK)

    @property
    def worst(self) -> Exit:
        """Code of the gravest alarm of the round; OK if there was none."""
        return self._worst[1]

    def sound(self, code: Exit, level: str, event: str, **values: Any) -> None:
        """An alarm at ``warning``, ``error`` or ``critical``."""
        getattr(self.log, level)(event, alarm=code.name, **values)
        self._count(code.name, level)
        if GRAVITY[level] > self._worst[0]:
            self._worst = (GRAVITY[level], code)
