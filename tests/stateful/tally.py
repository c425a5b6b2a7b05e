"""How often each rule was tried and did something: a rule that never succeeds tests nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

LEAST_SHARE = 0.05
LEAST_TRIES = 10


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
        """Rules tried often enough to judge that succeed in less than 5 % of their tries."""
        return [
            rule
            for rule, tried in self.tried.items()
            if tried >= LEAST_TRIES and self.done[rule] < LEAST_SHARE * tried
        ]
