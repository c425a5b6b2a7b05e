"""A number that is not known is refused, as a negative one is; it never becomes an answer."""

from __future__ import annotations

import math

import numpy as np
import pytest

from oracle.models.conformal import Feedback
from oracle.models.correlation import offset_margin
from oracle.models.fhs import Side
from oracle.models.garch import GarchError, fit_garch
from oracle.models.haircuts import haircut
from oracle.models.overlay import Overlay
from oracle.models.probability import BarShapes, barrier_probability, bootstrap_outcome

UNKNOWN = math.nan
SHAPES = BarShapes(np.zeros(5), np.zeros(5), np.zeros(5))


@pytest.mark.parametrize(
    "ask",
    [
        lambda: haircut(UNKNOWN),
        lambda: haircut(np.array([0.1, UNKNOWN])),
        lambda: haircut(0.1, UNKNOWN),
        lambda: haircut(0.1, peg=UNKNOWN),
        lambda: haircut(0.1, wrong_way=UNKNOWN),
        lambda: offset_margin(UNKNOWN, 1.0, 0.5),
        lambda: offset_margin(1.0, UNKNOWN, 0.5),
        lambda: barrier_probability(UNKNOWN, 1.0, 1.0),
        lambda: barrier_probability(1.0, UNKNOWN, 1.0),
        lambda: barrier_probability(1.0, 1.0, 1.0, UNKNOWN),
        lambda: Overlay(buffer=UNKNOWN),
        lambda: Overlay(floor_weight=UNKNOWN),
        lambda: Feedback(gamma=UNKNOWN),
        lambda: bootstrap_outcome(
            SHAPES, 0.01, Side.LONG, UNKNOWN, 0.05, np.random.default_rng(1), paths=10
        ),
    ],
)
def test_unknown_is_refused(ask):
    with pytest.raises(ValueError):  # noqa: PT011, each has its own sentence
        ask()


def test_a_constant_return_does_not_move():
    with pytest.raises(GarchError, match="do not move"):
        fit_garch(np.full(100, 0.01))
