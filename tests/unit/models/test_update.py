"""The whole stack in one call: its parts, its invariances, and how long five years take."""

import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from oracle.feeds.bars import Bars, load_bars
from oracle.feeds.scenario import DATA
from oracle.models.fhs import Side, adverse_moves, rolling_tail, standardised, tail
from oracle.models.impact import Book
from oracle.models.surface import Surface
from oracle.models.update import HORIZONS, LEVELS, Update, update_market
from oracle.models.volatility import volatility

FIVE_YEARS = 5 * 365 * 24


def _update(bars: Bars, **more: object) -> Update:
    return update_market(bars, np.random.default_rng(1), **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def bars(make_bars: Callable[..., Bars]) -> Bars:
    return make_bars(2500, 3)


@pytest.fixture(scope="module")
def update(bars: Bars) -> Update:
    return _update(bars)


def test_the_parts_are_the_models(bars: Bars, update: Update) -> None:
    sigma = volatility(bars, 0.99, "close", 168)
    assert update.used == update.sigma["ewma .99"] == sigma[-1]
    for h, horizon in enumerate(HORIZONS):
        sample = standardised(adverse_moves(bars, horizon), sigma, 1000)
        for k, level in enumerate(LEVELS):
            for side in Side:
                expected = tail(sample[side], level, float(sigma[-1]))
                assert update.value_at_risk[h, k, side] == pytest.approx(expected.value_at_risk)
                assert update.expected_shortfall[h, k, side] == pytest.approx(
                    expected.expected_shortfall
                )
    assert (update.extreme > update.value_at_risk[:, 1]).all()
    assert (update.overlay > 0.0).all()
    assert 0.0 < update.haircut < 1.0
    assert 0.0 <= update.outcome.bankrupt <= update.outcome.liquidated <= 1.0
    assert np.isnan(update.depth)
    assert update.garch_reason == ""
    assert set(update.sigma) == {"ewma .94", "ewma .97", "ewma .99", "garman-klass .99", "garch"}


def test_the_unit_of_price_does_not_matter(bars: Bars, update: Update) -> None:
    columns = (bars.open, bars.high, bars.low, bars.close)
    scaled = _update(Bars(bars.ts, *(column * 4096.0 for column in columns)))
    for field in fields(Update):
        one, two = getattr(update, field.name), getattr(scaled, field.name)
        if field.name == "sigma":
            assert two == pytest.approx(one, rel=1e-6)
        elif field.name != "outcome":
            assert np.array_equal(one, two, equal_nan=isinstance(one, float | np.ndarray)), field


def test_wilder_prices_ask_for_more(make_bars: Callable[..., Bars], update: Update) -> None:
    wild = _update(make_bars(2500, 3, scale=2.0))
    for name in ("used", "value_at_risk", "expected_shortfall", "extreme", "overlay", "haircut"):
        assert np.all(np.asarray(getattr(wild, name)) > np.asarray(getattr(update, name)) * 1.3)


def test_options_and_a_book_are_used_where_they_are_given(bars: Bars, update: Update) -> None:
    year = 365 * 24
    high = 2.0 * update.used * np.sqrt(year)
    surface = Surface(np.array([0.1]), np.array([0.1 * high**2]), 0.0, 1.0, 0.5, 0.0, 50)
    book = Book(np.array([99.9, 90.0]), np.ones(2), np.array([100.1]), np.ones(1))
    found = _update(bars, surface=surface, kappa=0.9, book=book)
    assert found.sigma["implied"] == pytest.approx(2.0 * update.used)
    assert found.used == pytest.approx(1.8 * update.used)
    assert found.value_at_risk == pytest.approx(1.8 * update.value_at_risk)
    assert found.depth == pytest.approx(99.9)
    low = Surface(np.array([0.1]), np.array([1e-6]), 0.0, 1.0, 0.5, 0.0, 50)
    assert _update(bars, surface=low).used == update.used
    with pytest.raises(ValueError, match="2,000 hours"):
        _update(bars.slice(0, 1999))


def test_five_years_of_one_market_take_under_two_seconds() -> None:
    """Processor time, so that a busy machine does not fail it."""
    bars = load_bars(Path(DATA) / "mark_1h" / "BTC.csv.gz").slice(0, FIVE_YEARS)
    assert len(bars) == FIVE_YEARS
    _update(bars)  # warm
    taken = []
    for _ in range(2):
        started = time.process_time()
        _update(bars)
        taken.append(time.process_time() - started)
    assert min(taken) < 2.0, taken


def test_whole_histories_walk_forward_in_seconds() -> None:
    bars = load_bars(Path(DATA) / "mark_1h" / "BTC.csv.gz")
    sigma = volatility(bars, 0.99, "close", 168)
    started = time.process_time()
    for horizon in HORIZONS:
        moves = adverse_moves(bars, horizon)
        series = rolling_tail(moves, sigma, horizon, LEVELS)
        assert np.isfinite(series.value_at_risk[:, :, -1]).all()
    assert time.process_time() - started < 2.0
