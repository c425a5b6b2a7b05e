"""Cost, jumpiness and shortfall of a margin, against their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from oracle.backtest import figures

DAY = 86_400


@pytest.mark.parametrize("seed", range(5))
def test_static_margin__has_the_shortfall_asked_for(seed) -> None:
    losses = np.random.default_rng(seed).exponential(0.02, (2, 400))
    for shortfall in (1e-6, 0.01, 0.5, 3.0):
        margin = figures.static_margin(losses, shortfall)
        assert figures.total_shortfall(losses, np.full(400, margin)) == pytest.approx(shortfall)


def test_static_margin__no_shortfall__the_largest_loss() -> None:
    assert figures.static_margin(np.array([0.1, 0.3, 0.2]), 0.0) == 0.3
    assert figures.static_margin(np.array([0.1, 0.3]), 9.0) == 0.0


def test_saving__static_margin_saves_nothing_and_a_timely_one_does() -> None:
    losses = np.tile(np.array([0.01, 0.01, 0.2, 0.2]), (2, 50))
    assert figures.saving(losses, np.full(200, 0.15)) == pytest.approx(0.0, abs=1e-12)
    assert figures.saving(losses, losses[0] * 0.9) > 0.3


def test_scale_to_shortfall__meets_it() -> None:
    rng = np.random.default_rng(4)
    losses, margin = rng.exponential(0.02, (2, 300)), rng.uniform(0.05, 0.1, 300)
    scale = figures.scale_to_shortfall(losses, margin, 0.3)
    assert figures.total_shortfall(losses, scale * margin) == pytest.approx(0.3, rel=1e-6)


def test_largest_rise__counts_days_not_bars() -> None:
    ts = np.arange(10, dtype=np.int64) * DAY
    margin = np.array([1.0, 1.1, 1.2, 1.0, 2.0, 2.0, 3.0, 3.0, 1.0, 1.0])
    assert figures.largest_rise(margin, ts, DAY, 1) == 2.0
    assert figures.largest_rise(margin, ts, DAY, 3) == 3.0
    late = ts.copy()
    late[4:] += 100 * DAY  # a hole: the doubling took a hundred days
    assert figures.largest_rise(margin, late, DAY, 1) == 1.5


def test_without_worst__drops_one_window_of_both_sides() -> None:
    losses, margin = np.array([[1.0, 2.0, 9.0], [0.0, 3.0, 1.0]]), np.array([1.0, 2.0, 3.0])
    fewer, held = figures.without_worst(losses, margin)
    assert fewer.tolist() == [[1.0, 2.0], [0.0, 3.0]]
    assert held.tolist() == [1.0, 2.0]


def test_peak_to_trough__raw_and_trimmed() -> None:
    margin = np.concatenate([[100.0], np.full(998, 2.0), [1.0]])
    assert figures.peak_to_trough(margin) == (100.0, 1.0)
