"""Bars of several venues as one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.feeds.bars import HOUR, Bars, FeedError
from oracle.feeds.merge import merge_bars


def bars(rows: Any, first: int = 0, period: int = HOUR) -> Bars:
    """From (open, high, low, close) rows."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    times = first + np.arange(len(table), dtype=np.int64) * period
    return Bars(times, *table.T, None, period)


price = st.floats(95.0, 105.0)


@st.composite
def honest(draw: st.DrawFn) -> list[float]:
    values = sorted(draw(st.lists(price, min_size=4, max_size=4)))
    return [values[1], values[3], values[0], values[2]]


@given(st.lists(honest(), min_size=3, max_size=6), st.sampled_from([1e-3, 1.5, 1e3]))
def test_one_liar_moves_no_bar_out_of_the_honest_range(
    rows: list[list[float]], factor: float
) -> None:
    liar = [factor * value for value in rows[0]]
    named = [(f"v{i}", bars(row)) for i, row in enumerate([*rows, liar])]
    found, _ = merge_bars(named, max_spread=200_000)
    for place, name in enumerate(("open", "high", "low", "close")):
        value = getattr(found, name)[0]
        column = [row[place] for row in rows]
        assert min(column) <= value <= max(column)
    assert found.low[0] <= min(found.open[0], found.close[0])
    assert max(found.open[0], found.close[0]) <= found.high[0]


def test_a_venue_times_1000_is_not_counted_and_named() -> None:
    good = [100.0, 110.0, 90.0, 105.0]
    named = [("a", bars([good] * 2)), ("b", bars([good] * 2)), ("c", bars([good] * 2))]
    wild = bars([good, [1000 * value for value in good]])
    found, refused = merge_bars([*named, ("d", wild)], max_spread=50_000)
    assert found.close.tolist() == [105.0, 105.0]
    assert [str(each) for each in refused] == ["d (1 bars are far from the median)"]


def test_an_hour_that_two_venues_have_is_a_gap() -> None:
    row = [100.0, 110.0, 90.0, 105.0]
    named = [("a", bars([row] * 3)), ("b", bars([row] * 3)), ("c", bars([row], first=2 * HOUR))]
    found, refused = merge_bars(named, max_spread=50_000)
    assert found.ts.tolist() == [2 * HOUR]
    assert refused == []
    # of three venues one lies: two do not make a bar
    named[2] = ("c", bars([[9 * value for value in row]] * 3))
    assert len(merge_bars(named, max_spread=50_000)[0]) == 0


def test_refusals() -> None:
    row = bars([[1.0, 1.0, 1.0, 1.0]])
    with pytest.raises(FeedError, match="2 of at least 3 sources"):
        merge_bars([("a", row), ("b", row)], max_spread=1)
    other = bars([[1.0, 1.0, 1.0, 1.0]], period=60)
    with pytest.raises(FeedError, match="periods 60, 3600"):
        merge_bars([("a", row), ("b", row), ("c", other)], max_spread=1)
    with pytest.raises(ValueError, match="below 3"):
        merge_bars([("a", row)] * 3, min_sources=2, max_spread=1)
