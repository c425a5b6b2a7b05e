"""Synthetic bars for the model tests: seeded, plain, with a path inside every hour."""

from collections.abc import Callable

import numpy as np
import pytest

from oracle.feeds.bars import HOUR, Bars

MakeBars = Callable[..., Bars]


def _make_bars(
    count: int = 400, seed: int = 1, scale: float = 1.0, start: int = 0, price: float = 100.0
) -> Bars:
    """`count` hourly bars of a random walk with changing volatility; log moves times `scale`."""
    rng = np.random.default_rng(seed)
    hourly = 0.005 * np.exp(0.5 * np.sin(np.arange(count) / 50.0))
    moves = rng.standard_t(4, (count, 6)) * hourly[:, None] / 3.0
    path = scale * np.cumsum(moves, axis=None).reshape(count, 6)
    first = np.concatenate([[0.0], path[:-1, -1]])
    whole = np.column_stack([first, path])
    return Bars(
        ts=(start + HOUR * np.arange(count)).astype(np.int64),
        open=price * np.exp(whole[:, 0]),
        high=price * np.exp(whole.max(axis=1)),
        low=price * np.exp(whole.min(axis=1)),
        close=price * np.exp(whole[:, -1]),
        volume=rng.uniform(10.0, 20.0, count),
    )


@pytest.fixture(scope="session")
def make_bars() -> MakeBars:
    return _make_bars
