"""CMA-ES inside a trust region of 20 % around the setting in force.

Hansen and Ostermeier, "Completely derandomized self-adaptation in evolution strategies",
Evolutionary Computation 9 (2001), in the implementation `cma`. A setting that breaks a hard
constraint is worse than any that does not, and the worse the more it breaks it, so the search finds
its way back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass

import cma  # type: ignore[import-untyped]
import numpy as np

from oracle.optimise.objective import TRUST, Setting

SCALES = (1.0, 0.25, 0.5, 0.1)
"""What 20 % is of, where a parameter is smaller: of a weight of zero there is no fifth."""
BOUNDS = ((0.5, 2.0), (0.0, 1.0), (0.0, 2.0), (0.01, 0.5))
GENERATION = 8
FORBIDDEN = 1e3
"""Added to J where a constraint is broken; J itself is of the order of 2."""


@dataclass(frozen=True)
class Tried:
    """One evaluation: J and by how much the hard constraints were broken."""

    setting: Setting
    cost: float
    violation: float


Evaluate = Callable[[Sequence[Setting]], list[Tried]]


def inside(incumbent: Setting, point: Sequence[float]) -> Setting:
    """The setting at a point of [-1, 1]^4 of the trust region."""
    values = []
    for value, u, scale, (low, high) in zip(astuple(incumbent), point, SCALES, BOUNDS, strict=True):
        moved = value + TRUST * max(abs(value), scale) * min(max(float(u), -1.0), 1.0)
        values.append(min(max(moved, low), high))
    return Setting(*values)


def search(incumbent: Setting, evaluate: Evaluate, evaluations: int, seed: int) -> list[Tried]:
    """Every setting tried, in order; the incumbent first. At most `evaluations` of them.

    Args:
        evaluate: answers a generation at once.
        seed: equal seeds give equal searches; 0 is taken as 1, which `cma` would draw by the clock.
    """
    tried = evaluate([incumbent])
    size = len(SCALES)
    strategy = cma.CMAEvolutionStrategy(
        np.zeros(size),
        0.5,
        {"bounds": [-1.0, 1.0], "seed": max(1, seed), "verbose": -9, "popsize": GENERATION},
    )
    while len(tried) + GENERATION <= evaluations and not strategy.stop():
        points = strategy.ask()
        found = evaluate([inside(incumbent, point) for point in points])
        tried += found
        strategy.tell(points, [penalised(each) for each in found])
    return tried


def penalised(tried: Tried) -> float:
    """J, beyond all others where a constraint is broken or J is unknown."""
    if tried.violation > 0.0 or not np.isfinite(tried.cost):
        return FORBIDDEN * (1.0 + tried.violation)
    return tried.cost


def best(tried: Sequence[Tried]) -> Tried:
    """The cheapest that keeps every constraint; the incumbent where none does."""
    allowed = [each for each in tried if each.violation == 0.0 and np.isfinite(each.cost)]
    return min(allowed, key=lambda each: each.cost) if allowed else tried[0]
