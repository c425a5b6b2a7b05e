"""Year by year: search on the past, accept or keep, then score what follows.

A fold decides at one time. The search sees windows before the last `validate_days`; whether its
best is better than the setting in force is asked on those, which it has not seen; what is then in
force is scored on the year after. Later folds start from what was in force.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed  # type: ignore[import-untyped]

from oracle.optimise.accept import DAY, Improvement, improvement
from oracle.optimise.objective import Outcome, Prepared, Setting, mean_cost, run, violation
from oracle.optimise.search import Tried, best, search
from oracle.rule import Rule


@dataclass(frozen=True)
class Plan:
    """How the walk is made.

    Attributes:
        folds: decisions, a year apart, the last one at the end of the data.
        validate_days: held back from the search for acceptance.
        least_days: of data before the first search.
        evaluations: settings tried a fold.
        level: such as .99.
        seed: of the search and of the bootstrap.
    """

    folds: int = 3
    validate_days: int = 365
    least_days: int = 365
    evaluations: int = 41
    level: float = 0.99
    seed: int = 1


@dataclass(frozen=True)
class Fold:
    """One decision.

    Attributes:
        decided_at: Unix seconds.
        tried, allowed: settings evaluated, and those that kept every constraint.
        incumbent, candidate: in force before, and the best allowed.
        searched: J of both on the windows of the search.
        validated: improvement on the windows held back; None where the candidate is the incumbent.
        broken: by how much the candidate breaks hard constraints there (`objective.violation`).
        accepted: whether the candidate is in force from here.
        followed: J in the year after of what is in force and of the setting at the start of the
            walk; None for the last fold.
    """

    decided_at: int
    tried: int
    allowed: int
    incumbent: Setting
    candidate: Setting
    searched: tuple[float, float]
    validated: Improvement | None
    broken: float
    accepted: bool
    followed: tuple[float, float] | None

    @property
    def in_force(self) -> Setting:
        """From this decision on."""
        return self.candidate if self.accepted else self.incumbent

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def walk(
    markets: Sequence[Prepared],
    rule: Rule,
    plan: Plan,
    cores: int,
    done: Callable[[int], None] = lambda count: None,
) -> list[Fold]:
    """All folds, oldest first. Equal seeds give equal folds.

    Args:
        done: called with how many settings were evaluated since the last call.

    Raises:
        ValueError: the data are too short for one fold.
    """
    with Parallel(n_jobs=cores) as parallel:
        bench = _Bench(markets, rule, plan, parallel, done)
        return list(_folds(bench, Setting.of(rule)))


def decision_times(markets: Sequence[Prepared], plan: Plan) -> list[int]:
    """When each fold decides, oldest first.

    Raises:
        ValueError: the data are too short for one fold.
    """
    start = min(int(market.ts[0]) for market in markets)
    end = max(int(market.ts[-1]) + market.seconds for market in markets)
    least = (plan.least_days + plan.validate_days) * DAY
    times = [end - 365 * DAY * k for k in range(plan.folds)]
    found = sorted(time for time in times if time - start >= least)
    if not found:
        raise ValueError(
            f"{(end - start) / DAY:.0f} days of margins are fewer than the "
            f"{plan.least_days + plan.validate_days} that one search and its validation need."
        )
    return found


class _Bench:
    """Evaluates settings on all markets; remembers none."""

    def __init__(
        self,
        markets: Sequence[Prepared],
        rule: Rule,
        plan: Plan,
        parallel: Any,
        done: Callable[[int], None],
    ) -> None:
        self.markets, self.rule, self.plan = markets, rule, plan
        self.parallel, self.done = parallel, done

    def outcomes(self, settings: Sequence[Setting]) -> list[list[Outcome]]:
        """Every market under every setting."""
        level = self.plan.level
        flat = self.parallel(
            delayed(run)(market, setting.on(self.rule), level)
            for setting in settings
            for market in self.markets
        )
        self.done(len(settings))
        count = len(self.markets)
        return [flat[k * count : (k + 1) * count] for k in range(len(settings))]

    def tried(
        self, settings: Sequence[Setting], incumbent: Sequence[Outcome], span: range
    ) -> list[Tried]:
        """J and constraints on a span."""
        found = []
        for setting, outcomes in zip(settings, self.outcomes(settings), strict=True):
            cost = mean_cost(self.markets, outcomes, span)
            broken = violation(self.markets, outcomes, incumbent, span, self.plan.level)
            found.append(Tried(setting, cost, broken))
        return found


def _folds(bench: _Bench, start: Setting) -> Iterator[Fold]:
    plan, markets = bench.plan, bench.markets
    times = decision_times(markets, plan)
    incumbent = start
    for number, time in enumerate(times):
        held_back = time - plan.validate_days * DAY
        learning, validation = range(held_back), range(held_back, time)
        (before,) = bench.outcomes([incumbent])
        tried = search(
            incumbent,
            lambda s, before=before, span=learning: bench.tried(s, before, span),  # type: ignore[misc]
            plan.evaluations,
            plan.seed + number,
        )
        chosen = best(tried)
        validated, broken, is_better = None, 0.0, False
        if chosen.setting != incumbent:
            (ours,) = bench.outcomes([chosen.setting])
            rng = np.random.default_rng([plan.seed, number])
            validated = improvement(markets, ours, before, validation, rng)
            broken = violation(markets, ours, before, validation, plan.level)
            is_better = validated.accepted and broken == 0.0
        now = chosen.setting if is_better else incumbent
        yield Fold(
            decided_at=time,
            tried=len(tried),
            allowed=sum(each.violation == 0.0 for each in tried),
            incumbent=incumbent,
            candidate=chosen.setting,
            searched=(tried[0].cost, chosen.cost),
            validated=validated,
            broken=broken,
            accepted=is_better,
            followed=_followed(bench, now, start, time, times[number + 1 : number + 2]),
        )
        incumbent = now


def _followed(
    bench: _Bench, now: Setting, start: Setting, time: int, following: Sequence[int]
) -> tuple[float, float] | None:
    if not following:
        return None
    span = range(time, following[0])
    ours, theirs = bench.outcomes([now, start])
    return mean_cost(bench.markets, ours, span), mean_cost(bench.markets, theirs, span)
