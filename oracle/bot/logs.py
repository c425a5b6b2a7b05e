"""Structured logs: one line an event, key=value, on top of stdlib logging."""

from __future__ import annotations

import logging
from typing import Any, Final

NAME: Final = "plimsoll.bot"


class Log:
    """Says each refusal once, until it changes."""

    def __init__(self) -> None:
        self._logger = logging.getLogger(NAME)
        self._said: dict[tuple[Any, ...], str] = {}

    def debug(self, event: str, **values: Any) -> None:
        """Only shown with `--verbose`."""
        self._logger.debug(line(event, values))

    def info(self, event: str, **values: Any) -> None:
        """What happened."""
        self._logger.info(line(event, values))

    def warning(self, event: str, **values: Any) -> None:
        """What somebody may have to look at."""
        self._logger.warning(line(event, values))

    def refused(self, account: str, step: str, item: int, reason: str) -> None:
        """An action that is not possible now. Repeated unchanged, it is for debugging only."""
        values: dict[str, Any] = {"account": account, "step": step}
        if item >= 0:
            values["item"] = item
        key = (account, step, item)
        is_new = self._said.get(key) != reason
        self._said[key] = reason
        (self.info if is_new else self.debug)("refused", **values, reason=reason)

    def forget(self, account: str, step: str, item: int) -> None:
        """After it went through: the next refusal is news."""
        self._said.pop((account, step, item), None)


def line(event: str, values: dict[str, Any]) -> str:
    """``event=sent account=0x.. reason="too soon"``."""
    return " ".join(f"{key}={_quoted(value)}" for key, value in {"event": event, **values}.items())


def usd(amount: int) -> str:
    """An amount in USD wad, to the cent."""
    cents = amount // 10**16
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def configure(verbose: bool) -> None:
    """To standard error, so that standard output is the dry run's."""
    form = "time=%(asctime)s level=%(levelname)s %(message)s"
    logging.basicConfig(format=form, datefmt="%Y-%m-%dT%H:%M:%S")
    logging.getLogger(NAME).setLevel(logging.DEBUG if verbose else logging.INFO)


def _quoted(value: Any) -> str:
    text = str(value)
    if text and not any(character in text for character in ' "=\n'):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
