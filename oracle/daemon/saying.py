"""What is wrong is said once, until it changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from oracle.daemon.alarms import Alarms, Exit


@dataclass
class Saying:
    """Remembers what was said."""

    alarms: Alarms
    _said: dict[str, str] = field(default_factory=dict)

    def is_news(self, key: str, text: str) -> bool:
        """Whether `key` had another text until now."""
        is_new = self._said.get(key, "") != text
        self._said[key] = text
        return is_new

    def say(self, key: str, text: str) -> None:
        """Into the log, if it is news; nothing is said of an empty text."""
        if self.is_news(key, text) and text:
            self.alarms.log.warning(text)

    def troubles(self, what: str, troubles: Mapping[str, str]) -> None:
        """Who was left out of what, and why; who is not named any more is forgotten."""
        prefix = f"{what}:"
        gone = [k for k in self._said if k.startswith(prefix) and k[len(prefix) :] not in troubles]
        for key in gone:
            del self._said[key]
        for where, why in troubles.items():
            if self.is_news(prefix + where, why):
                values = {"what": what, "who": where, "reason": why}
                self.alarms.sound(Exit.SOURCE, "warning", "left out", **values)

    def no_quorum(self, kind: str, troubles: Mapping[str, str], count: int, quorum: int) -> None:
        """Too few signed. Troubles of an asset are a source's, others a signer's."""
        sources = any("/" in where for where in troubles)
        code = Exit.SOURCE if sources else Exit.QUORUM
        why = sorted(set(troubles.values()))[:5]
        self.alarms.sound(code, "error", "no quorum", kind=kind, have=count, need=quorum, why=why)
