"""Need: tail plus costs, scale free, rising with volatility and size, blind to tomorrow."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.feeds.bars import HOUR, Bars
from oracle.models.fhs import adverse_moves_reference, tail_reference
from oracle.models.tails import CostModel, RiskError, TailModel, Tails, estimate, needs, stack
from oracle.models.volatility import ewma_variance_reference

MODEL = TailModel(
    lam=0.97, seed_bars=24, residuals=200, least_residuals=100, window_bars=400, horizon=5
)
COSTS = CostModel()


def _tails(shortfalls: list[float], sigma: float = 0.01) -> Tails:
    return Tails(np.array([0]), np.array([sigma]), np.array([shortfalls]), np.array([0.1]))


def _scaled(bars: Bars, factor: float) -> Bars:
    columns = (bars.open, bars.high, bars.low, bars.close)
    return Bars(bars.ts, *(column * factor for column in columns))


def _reference_shortfall(bars: Bars, horizon: int, level: float) -> float:
    """The whole estimate in plain Python, from prices to Expected Shortfall."""
    closes = [float(c) for c in bars.close]
    starts = [float(bars.open[0]), *closes[:-1]]
    squares = [math.log(c / s) ** 2 for c, s in zip(closes, starts, strict=True)]
    seed = sum(squares[:24]) / 24
    known = [math.nan] * 24
    known += [math.sqrt(h) for h in ewma_variance_reference(squares[24:], 0.97, seed)]
    worst = 0.0
    for moves in adverse_moves_reference(bars, horizon):
        ratios = [x / s for x, s in zip(moves, known, strict=False)]
        sample = [z for z in ratios if not math.isnan(z)][-200:]
        worst = max(worst, tail_reference(sample, level, known[-1]).expected_shortfall)
    return worst


def test_the_estimate_equals_a_plain_recursion(make_bars: Callable[..., Bars]) -> None:
    bars = make_bars()
    found = estimate(bars, MODEL)
    slow = [_reference_shortfall(bars, h, 0.995) for h in range(1, 6)]
    assert found.shortfalls[0] == pytest.approx(np.maximum.accumulate(slow), rel=1e-10)
    assert found.call[0] == pytest.approx(_reference_shortfall(bars, 4, 0.99), rel=1e-10)
    assert found.ts[0] == bars.ts[-1] + HOUR


def test_the_estimate_ignores_the_unit_of_price(make_bars: Callable[..., Bars]) -> None:
    bars = make_bars()
    found, same = estimate(bars, MODEL), estimate(_scaled(bars, 1024.0), MODEL)
    assert np.array_equal(found.shortfalls, same.shortfalls)
    assert np.array_equal(found.sigma, same.sigma)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 50), st.floats(1.05, 4.0))
def test_wilder_moves_need_more(make_bars: Callable[..., Bars], seed: int, factor: float) -> None:
    calm, wild = (estimate(make_bars(seed=seed, scale=s), MODEL) for s in (1.0, factor))
    assert (wild.shortfalls > calm.shortfalls).all()
    assert wild.call[0] > calm.call[0]
    assert needs(wild, 1e5, 1e7, COSTS)[0] > needs(calm, 1e5, 1e7, COSTS)[0]


def test_every_window_used_ended_before_now(make_bars: Callable[..., Bars]) -> None:
    """The last horizon's window starts early enough: tomorrow's crash is not in today's tail."""
    bars = make_bars(410)
    crash = np.where(np.arange(410) >= 400, 0.5, 1.0)
    columns = (bars.open, bars.high, bars.low, bars.close)
    crashed = Bars(bars.ts, *(column * crash for column in columns))
    now = int(bars.ts[400])
    today, same = (estimate(b.before(now), MODEL) for b in (bars, crashed))
    assert np.array_equal(today.shortfalls, same.shortfalls)
    tomorrow = estimate(crashed.before(now + HOUR), MODEL)
    assert tomorrow.shortfalls[0, 0] > today.shortfalls[0, 0]


def test_shortfalls_do_not_fall_with_the_horizon(make_bars: Callable[..., Bars]) -> None:
    """Seed 24 is one whose sample of four-hour windows has a better tail than that of three."""
    bars = make_bars(seed=24)
    three, four = (_reference_shortfall(bars, h, 0.995) for h in (3, 4))
    assert four < three
    assert (np.diff(estimate(bars, MODEL).shortfalls[0]) >= 0.0).all()


def test_windows_across_a_gap_are_dropped_not_counted(make_bars: Callable[..., Bars]) -> None:
    before, after = make_bars(200, seed=1), make_bars(200, seed=2, start=HOUR * 9000, price=1e4)
    joined = Bars(
        np.concatenate([before.ts, after.ts]),
        *(
            np.concatenate([getattr(before, c), getattr(after, c)])
            for c in ("open", "high", "low", "close")
        ),
    )
    assert estimate(joined, MODEL).shortfalls[0, -1] < 0.3


def test_too_short_a_window_is_refused(make_bars: Callable[..., Bars]) -> None:
    with pytest.raises(RiskError, match="to start from"):
        estimate(make_bars(24), MODEL)
    with pytest.raises(RiskError, match="usable windows of 1 hours"):
        estimate(make_bars(120), MODEL)


def test_standing_prices_are_refused() -> None:
    flat = np.full(400, 100.0)
    with pytest.raises(RiskError, match="usable windows"):
        estimate(Bars(HOUR * np.arange(400), flat, flat, flat, flat), MODEL)


def test_shortfall_is_linear_between_horizons() -> None:
    tails = _tails([0.1, 0.2, 0.4])
    found = [float(tails.shortfall(hours)[0]) for hours in (1.0, 1.5, 2.0, 2.25, 3.0)]
    assert found == pytest.approx([0.1, 0.15, 0.2, 0.25, 0.4])
    assert float(_tails([0.1]).shortfall(1.0)[0]) == 0.1


@pytest.mark.parametrize("hours", [0.99, 3.01, math.nan])
def test_a_horizon_not_estimated_is_refused(hours: float) -> None:
    with pytest.raises(RiskError, match="outside 1 to 3"):
        _tails([0.1, 0.2, 0.4]).shortfall(hours)


def test_need_by_hand() -> None:
    """240,000 USD where 2.4 million an hour trade: 3 hours, one 240th of a day's volume."""
    costs = CostModel(fee=0.001, funding_per_hour=0.0002, impact=0.5, participation=0.05)
    found = needs(_tails([0.1, 0.2, 0.4], sigma=0.01), 240_000.0, 2_400_000.0, costs)
    impact = 0.5 * 0.01 * math.sqrt(24) * math.sqrt(1 / 240)
    assert costs.hours(240_000.0, 2_400_000.0) == pytest.approx(3.0)
    assert found[0] == pytest.approx(0.4 + impact + 0.001 + 3 * 0.0002)


@settings(deadline=None)
@given(st.floats(1.0, 5e5), st.floats(1.01, 2.0))
def test_larger_positions_need_more(notional: float, factor: float) -> None:
    tails = _tails([0.1, 0.2, 0.4])
    small, large = (needs(tails, n, 1e7, COSTS)[0] for n in (notional, notional * factor))
    assert large > small


@settings(deadline=None)
@given(st.floats(1.0, 1e5), st.floats(0.25, 1.0))
def test_thinner_markets_scale_the_size(notional: float, depth: float) -> None:
    """need(N; depth * V) = need(N / depth; V): why brackets shrink with depth."""
    tails = _tails([0.1, 0.2, 0.4])
    thin = needs(tails, notional, depth * 1e7, COSTS)[0]
    assert thin == pytest.approx(needs(tails, notional / depth, 1e7, COSTS)[0], rel=1e-12)


def test_stacked_estimates_keep_their_order(make_bars: Callable[..., Bars]) -> None:
    bars = make_bars(402)
    first, second = (estimate(bars.slice(i, 400 + i), MODEL) for i in (0, 2))
    both = stack([first, second])
    assert both.ts.tolist() == [400 * HOUR, 402 * HOUR]
    assert both.between(400 * HOUR, 402 * HOUR).sigma.tolist() == first.sigma.tolist()


def test_worse_of_the_two_sides(make_bars: Callable[..., Bars]) -> None:
    """Turning the market upside down changes which side loses, hardly what is needed."""
    bars = make_bars()
    mirrored = Bars(bars.ts, 1e4 / bars.open, 1e4 / bars.low, 1e4 / bars.high, 1e4 / bars.close)
    one, other = (estimate(b, replace(MODEL, horizon=1)) for b in (bars, mirrored))
    assert one.sigma[0] == pytest.approx(other.sigma[0], rel=1e-9)
    assert one.shortfalls[0, 0] == pytest.approx(other.shortfalls[0, 0], rel=0.1)
