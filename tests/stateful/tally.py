"""How often each rule was tried and did something: a rule that never succeeds tests nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

LEAST_SHARE = 0.05
ENOUGH_TRIES = 200  # for a share to be judged
LEAST_TRIES = 10  # for one success to be expected


@dataclass
class Tally:
    """Tries and successes of a run, over all its examples."""

    tried: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)

    def note(self, rule: str, succeeded: bool, reason: str) -> None:
        self.tried[rule] += 1
        self.done[rule] += succeeded
        if not succeeded:
            self.refused[rule, reason or "no change"] += 1

    def table(self) -> str:
        rows = [f"{'rule':<24}{'tries':>8}{'done':>8}{'share':>8}  refused most for"]
        for rule in sorted(self.tried):
            tried, done = self.tried[rule], self.done[rule]
            reasons = [(n, why) for (name, why), n in self.refused.items() if name == rule]
            why = ", ".join(f"{why} {n}" for n, why in sorted(reasons, reverse=True)[:3])
            rows.append(f"{rule:<24}{tried:>8}{done:>8}{100 * done // tried:>7}%  {why}")
        rows.append("events: " + ", ".join(f"{k} {v}" for k, v in sorted(self.events.items())))
        return "\n".join(rows)

    def vacuous(self) -> list[str]:
        """Rules that succeed in less than 5 % of their tries, where those are enough, or never."""
        return [rule for rule in self.tried if self._is_vacuous(rule)]

    def _is_vacuous(self, rule: str) -> bool:
        tried, done = self.tried[rule], self.done[rule]
        if tried >= ENOUGH_TRIES:
            return done < LEAST_SHARE * tried
        return tried >= LEAST_TRIES and done == 0
