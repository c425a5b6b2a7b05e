"""Costs of getting out: a real book to the cent, and the square-root law's shape."""

import csv
import gzip
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.models.impact import (
    Book,
    adjusted_volume,
    buy_through,
    depth_ppm,
    depth_within,
    hours_to_close,
    implied_prefactor,
    sell_through,
    sell_through_reference,
    square_root_impact,
)
from oracle.models.tails import CostModel

VECTORS = Path(__file__).resolve().parents[2] / "data" / "vectors"


def _rows(name: str) -> list[dict[str, str]]:
    with gzip.open(VECTORS / name, "rt") as lines:
        return list(csv.DictReader(lines))


def _recorded() -> Book:
    """1,000 levels a side of the BTC perpetual, 2024-08-08."""
    rows = _rows("btc_book_2024-08-08.csv.gz")
    sides = {
        side: np.array([(float(r["price"]), float(r["qty"])) for r in rows if r["side"] == side])
        for side in ("bid", "ask")
    }
    return Book(sides["bid"][:, 0], sides["bid"][:, 1], sides["ask"][:, 0], sides["ask"][:, 1])


def test_a_real_book_by_its_first_levels() -> None:
    book = _recorded()
    assert (len(book.bid_prices), len(book.ask_prices)) == (1000, 1000)
    assert book.bid_prices[:2].tolist() == [61800.2, 61800.1]
    assert book.bid_sizes[:2].tolist() == [2.909, 0.696]
    fill = sell_through(book, 3.0)
    assert fill.filled == pytest.approx(3.0)
    assert fill.value == pytest.approx(2.909 * 61800.2 + 0.091 * 61800.1)
    assert fill.worst == 61800.1
    assert fill.cost == pytest.approx(1 - fill.average / book.mid)


def test_a_book_that_ends_fills_what_it_has() -> None:
    book = _recorded()
    fill = sell_through(book, 1e6)
    assert fill.filled == pytest.approx(float(book.bid_sizes.sum()))
    assert fill.worst == book.bid_prices[-1]
    assert buy_through(book, 0.0).filled == 0.0
    with pytest.raises(ValueError, match="quantity"):
        sell_through(book, -1.0)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.0, 3000.0))
def test_a_sweep_equals_its_definition(quantity: float) -> None:
    book = _recorded()
    fill = sell_through(book, quantity)
    filled, value = sell_through_reference(book, quantity)
    assert fill.filled == pytest.approx(filled, rel=1e-12, abs=1e-9)
    assert fill.value == pytest.approx(value, rel=1e-12, abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.001, 500.0), st.floats(1.0, 3.0), st.floats(1e-3, 1e3))
def test_more_costs_more_and_the_unit_of_price_does_not_matter(
    quantity: float, factor: float, unit: float
) -> None:
    book = _recorded()
    small, large = sell_through(book, quantity), sell_through(book, quantity * factor)
    assert large.cost >= small.cost - 1e-12
    scaled = Book(book.bid_prices * unit, book.bid_sizes, book.ask_prices * unit, book.ask_sizes)
    assert sell_through(scaled, quantity).cost == pytest.approx(small.cost, rel=1e-9, abs=1e-12)


def test_depth_is_what_the_recording_counts() -> None:
    """The recorder kept its own count of depth within 5 and 10 bps, in the same seconds."""
    book = _recorded()
    rows = _rows("btc_depth_2024-08-08.csv.gz")
    assert abs(book.mid / float(rows[0]["mid"]) - 1) < 1e-5
    for bps in (5, 10):
        bids, asks = depth_within(book, bps)
        low = min(float(r[f"bid_usd_{bps}bps"]) for r in rows)
        high = max(float(r[f"bid_usd_{bps}bps"]) for r in rows)
        assert 0.5 * low < bids < 1.5 * high
        assert asks > 0.0
    assert depth_within(book, 5)[0] <= depth_within(book, 50)[0]


def test_depth_in_ppm_of_a_reference() -> None:
    rows = _rows("btc_depth_2024-08-08.csv.gz")
    smaller = np.array([min(float(r["bid_usd_10bps"]), float(r["ask_usd_10bps"])) for r in rows])
    median = float(np.median(smaller))
    assert depth_ppm(smaller, median) == 1_000_000
    assert depth_ppm(smaller, 2 * median) == 500_000
    assert depth_ppm(smaller, 3 * median) == 333_333
    assert depth_ppm(smaller, median / 2) == 1_000_000
    blinked = np.append(smaller, 0.0)
    assert depth_ppm(blinked, median) > 950_000
    for depths, reference in (([], 1.0), ([math.nan], 1.0), ([-1.0], 1.0), ([1.0], 0.0)):
        with pytest.raises(ValueError, match="depth needs"):
            depth_ppm(np.array(depths), reference)


def test_the_horizon_is_the_cost_models() -> None:
    for notional in (0.0, 1e5, 3e6):
        assert hours_to_close(notional, 2e7) == CostModel().hours(notional, 2e7)
    assert hours_to_close(1e6, 1e7, 0.5, 0.02) == 0.5 + 5.0
    for bad in ((1e6, 0.0, 1.0, 0.05), (-1.0, 1.0, 1.0, 0.05), (1.0, 1.0, 1.0, 0.06)):
        with pytest.raises(ValueError, match="no horizon"):
            hours_to_close(*bad)


@settings(deadline=None)
@given(st.floats(1.0, 1e9), st.floats(1e3, 1e12), st.floats(0.0, 0.5), st.floats(1.0, 9.0))
def test_impact_follows_its_law(
    notional: float, volume: float, sigma: float, factor: float
) -> None:
    base = square_root_impact(notional, volume, sigma)
    assert square_root_impact(factor**2 * notional, volume, sigma) == pytest.approx(factor * base)
    assert square_root_impact(notional, volume, factor * sigma) == pytest.approx(factor * base)
    assert square_root_impact(factor * notional, factor * volume, sigma) == pytest.approx(base)
    with pytest.raises(ValueError, match="no impact"):
        square_root_impact(notional, 0.0, sigma)


def test_the_laws_prefactor_is_of_order_one_on_a_real_book() -> None:
    """2 to 50 million USD through the recorded book, at BTC's 2024 volume and volatility."""
    book = _recorded()
    found = [implied_prefactor(sell_through(book, q), 1.5e10, 0.03) for q in (50.0, 200.0)]
    assert all(0.05 < y < 5.0 for y in found)
    fill = sell_through(book, 50.0)
    law = square_root_impact(fill.value, 1.5e10, 0.03, found[0])
    assert law == pytest.approx(fill.cost)
    with pytest.raises(ValueError, match="prefactor"):
        implied_prefactor(sell_through(book, 0.0), 1.5e10, 0.03)


def test_volume_counts_only_with_the_depth_that_is_left() -> None:
    assert adjusted_volume(3e7, 0.25) == 7.5e6
    for bad in ((0.0, 0.5), (1e6, 0.0), (1e6, 1.1)):
        with pytest.raises(ValueError, match="no volume"):
            adjusted_volume(*bad)


@pytest.mark.parametrize(
    ("bids", "sizes", "asks", "match"),
    [
        ([], [], [2.0], "0 prices"),
        ([1.0], [1.0, 2.0], [2.0], "1 prices, 2 sizes"),
        ([1.0, 1.0], [1.0, 1.0], [2.0], "not ordered"),
        ([1.0], [0.0], [2.0], "no positive"),
        ([math.nan], [1.0], [2.0], "no positive"),
        ([2.0], [1.0], [2.0], "crossed"),
    ],
)
def test_a_broken_book_is_refused(
    bids: list[float], sizes: list[float], asks: list[float], match: str
) -> None:
    with pytest.raises(ValueError, match=match):
        Book(np.array(bids), np.array(sizes), np.array(asks), np.ones(len(asks)))
