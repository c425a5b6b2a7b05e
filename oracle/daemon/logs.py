"""Structured logs: one JSON object a line on standard error, and no key in any of them."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, MutableMapping
from typing import Any, Final, TextIO, cast

import structlog

from oracle.daemon.alarms import Log

HIDDEN: Final = "[hidden]"
SECRET_NAMES: Final = ("key", "passphrase", "password", "secret", "mnemonic")


class Redactor:
    """Replaces secrets, wherever in a line they are; also in texts of exceptions."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()

    def __repr__(self) -> str:
        return f"Redactor({len(self._secrets)} secrets)"

    def hide(self, *secrets: str) -> None:
        """From now on."""
        for secret in secrets:
            bare = secret.removeprefix("0x")
            self._secrets |= {bare, bare.lower(), bare.upper()} - {""}

    def text(self, text: str) -> str:
        """Without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text

    def __call__(
        self, _logger: Any, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """As a structlog processor."""
        return {
            name: HIDDEN if name.lower() in SECRET_NAMES else self._value(value)
            for name, value in event.items()
        }

    def _value(self, value: Any) -> Any:
        if isinstance(value, bool | int | float) or value is None:
            return value
        if isinstance(value, dict):
            return {str(k): self._value(v) for k, v in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value(each) for each in value]
        return self.text(value.hex() if isinstance(value, bytes) else str(value))


REDACTOR: Final = Redactor()


def make_log(stream: TextIO | None = None, level: str = "info", **bound: Any) -> Log:
    """A logger that writes JSON lines.

    Args:
        stream: standard error by default.
        bound: values that every line carries.
    """
    logger = structlog.wrap_logger(
        structlog.PrintLogger(stream or sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(),
            REDACTOR,
            structlog.processors.JSONRenderer(serializer=json.dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        cache_logger_on_first_use=False,
    )
    return cast("Log", logger.bind(**bound))


def hide(secrets: Iterable[str]) -> None:
    """From every log of this process."""
    REDACTOR.hide(*secrets)
