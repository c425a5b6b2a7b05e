"""Policy: the smallest severity that covers, steps at the steward's bounds, sound schedules."""

import struct
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.feeds.bars import HOUR, Bars
from oracle.models.tails import CostModel, RiskError, Tails, needs
from oracle.policy import (
    PPM,
    Limits,
    Push,
    Schedule,
    accepted,
    calibrate_schedule,
    depth_for,
    liquidity,
    marginal_rates,
    next_push,
    ppm_up,
    severity_for,
    window_bytes,
    window_hash,
)

LIMITS = Limits()
COSTS = CostModel()
RATES = st.integers(0, PPM)
BOUNDS = (100_000, 500_000, 2_000_000)
VOLUME = 2e7


# --- severity


@settings(deadline=None)
@given(st.integers(0, 2 * PPM), RATES, RATES)
def test_severity_is_the_smallest_that_covers(need: int, one: int, two: int) -> None:
    calm, storm = sorted((one, two))
    severity = severity_for(need, calm, storm)

    def covers(s: int) -> bool:
        return calm * PPM + s * (storm - calm) >= need * PPM

    assert 0 <= severity <= PPM
    if not covers(PPM):
        assert severity == PPM
    else:
        assert covers(severity)
        assert severity == 0 or not covers(severity - 1)


@pytest.mark.parametrize(
    ("need", "expected"),
    [(9_999, 0), (10_000, 0), (10_001, 10), (60_000, 500_000), (110_000, PPM), (110_001, PPM)],
)
def test_severity_by_hand(need: int, expected: int) -> None:
    assert severity_for(need, 10_000, 110_000) == expected


def test_severity_of_a_schedule_without_a_range() -> None:
    assert severity_for(10_000, 10_000, 10_000) == 0
    assert severity_for(10_001, 10_000, 10_000) == PPM


def test_severity_refuses_calm_above_storm() -> None:
    with pytest.raises(ValueError, match="above storm"):
        severity_for(1, 11, 10)


# --- pushes


@settings(deadline=None)
@given(RATES, st.integers(250_000, PPM), RATES, RATES, st.integers(0, 10_000))
def test_every_push_is_one_the_chain_accepts(
    severity: int, depth: int, asked: int, asked_depth: int, elapsed: int
) -> None:
    push = next_push(severity, depth, asked, asked_depth, LIMITS, elapsed=elapsed)
    if push is None:
        same = (asked, max(asked_depth, LIMITS.depth_min)) == (severity, depth)
        assert elapsed < LIMITS.min_delay or (same and elapsed < LIMITS.heartbeat)
    else:
        assert accepted(severity, depth, push, elapsed, LIMITS)
        assert min(severity, asked) <= push.severity <= max(severity, asked)


@settings(deadline=None)
@given(RATES, st.integers(250_000, PPM), RATES, RATES)
def test_every_push_goes_as_far_as_it_may(
    severity: int, depth: int, asked: int, asked_depth: int
) -> None:
    push = next_push(severity, depth, asked, asked_depth, LIMITS, elapsed=LIMITS.heartbeat)
    assert push is not None
    if push.severity != asked:
        further = replace(push, severity=push.severity + (1 if asked > severity else -1))
        assert not accepted(severity, depth, further, LIMITS.heartbeat, LIMITS)
    if push.depth != asked_depth:
        further = replace(push, depth=push.depth + (1 if asked_depth > depth else -1))
        assert not accepted(severity, depth, further, LIMITS.heartbeat, LIMITS)


@pytest.mark.parametrize(
    ("push", "ok"),
    [
        (Push(450_000, 600_000), True),
        (Push(450_001, 600_000), False),
        (Push(390_000, 600_000), True),
        (Push(389_999, 600_000), False),
        (Push(400_000, 350_000), True),
        (Push(400_000, 349_999), False),
        (Push(400_000, 610_000), True),
        (Push(400_000, 610_001), False),
    ],
)
def test_one_ppm_beyond_a_step_is_refused(push: Push, ok: bool) -> None:
    assert accepted(400_000, 600_000, push, 3_000, LIMITS) is ok


@pytest.mark.parametrize(
    ("current", "push", "ok"),
    [
        ((990_000, PPM), Push(PPM, PPM), True),
        ((990_000, PPM), Push(PPM + 1, PPM), False),
        ((0, 300_000), Push(0, 250_000), True),
        ((0, 300_000), Push(0, 249_999), False),
        ((0, 995_000), Push(0, PPM + 1), False),
        ((5_000, PPM), Push(-1, PPM), False),
    ],
)
def test_one_ppm_outside_the_range_is_refused(
    current: tuple[int, int], push: Push, ok: bool
) -> None:
    assert accepted(*current, push, 3_000, LIMITS) is ok


def test_a_second_too_early_is_refused() -> None:
    assert accepted(0, PPM, Push(0, PPM), 3_000, LIMITS)
    assert not accepted(0, PPM, Push(0, PPM), 2_999, LIMITS)
    assert next_push(0, PPM, PPM, PPM, LIMITS, elapsed=2_999) is None
    assert next_push(0, PPM, PPM, PPM, LIMITS, elapsed=3_000) == Push(50_000, PPM)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ((449_999, 600_000), Push(449_999, 600_000)),
        ((450_001, 600_000), Push(450_000, 600_000)),
        ((390_001, 600_000), Push(390_001, 600_000)),
        ((389_999, 600_000), Push(390_000, 600_000)),
        ((400_000, 610_001), Push(400_000, 610_000)),
        ((400_000, 349_999), Push(400_000, 350_000)),
        ((0, 0), Push(390_000, 350_000)),
    ],
)
def test_steps_stop_at_the_bound(asked: tuple[int, int], expected: Push) -> None:
    assert next_push(400_000, 600_000, *asked, LIMITS, elapsed=3_600) == expected


def test_depth_is_held_at_its_minimum() -> None:
    assert next_push(0, 300_000, 0, 0, LIMITS, elapsed=3_600) == Push(0, 250_000)
    assert next_push(0, 250_000, 0, 0, LIMITS, elapsed=3_600) is None


def test_an_unchanged_line_is_pushed_again_before_the_chain_calls_the_keeper_dead() -> None:
    assert next_push(400_000, 600_000, 400_000, 600_000, LIMITS, elapsed=5_999) is None
    again = next_push(400_000, 600_000, 400_000, 600_000, LIMITS, elapsed=6_000)
    assert again == Push(400_000, 600_000)
    assert LIMITS.heartbeat + LIMITS.min_delay <= 3 * LIMITS.min_delay


@pytest.mark.parametrize("bad", [(-1, 0, 0, 0), (0, PPM + 1, 0, 0), (0, 0, PPM + 1, 0)])
def test_values_that_are_no_ppm_are_refused(bad: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="outside 0 to"):
        next_push(*bad, LIMITS, elapsed=3_600)


# --- depth


def _day(volume: float, spread: float) -> Bars:
    ones = np.ones(24)
    high = 100.0 * np.exp(spread) * ones
    flat = 100.0 * ones
    return Bars(HOUR * np.arange(24), flat, high, flat, flat, volume * ones)


def test_liquidity_is_volume_per_unit_of_range() -> None:
    assert liquidity(_day(5.0, 0.01)) == pytest.approx(500.0 / 0.01)


def test_depth_is_the_ratio_to_the_reference_within_its_limits() -> None:
    reference = liquidity(_day(5.0, 0.01))
    assert depth_for(_day(3.0, 0.01), reference, LIMITS) == pytest.approx(600_000, abs=1)
    assert depth_for(_day(9.0, 0.01), reference, LIMITS) == PPM
    assert depth_for(_day(0.0, 0.01), reference, LIMITS) == LIMITS.depth_min


def test_a_crash_on_high_volume_is_thin() -> None:
    """Three times the volume over nine times the range: a third of the depth."""
    reference = liquidity(_day(5.0, 0.01))
    assert depth_for(_day(15.0, 0.09), reference, LIMITS) == pytest.approx(333_333, abs=1)


def test_depth_refuses_what_it_cannot_judge(make_bars: Callable[..., Bars]) -> None:
    without = Bars(*(getattr(make_bars(24), c) for c in ("ts", "open", "high", "low", "close")))
    for bars, reference in [(without, 1.0), (_day(1.0, 0.0), 1.0), (make_bars(24), 0.0)]:
        with pytest.raises(RiskError):
            depth_for(bars, reference, LIMITS)


# --- schedules


def _history(count: int = 200, seed: int = 7) -> Tails:
    rng = np.random.default_rng(seed)
    level = 0.01 * np.exp(rng.normal(0.0, 0.4, count))
    shape = np.sqrt(np.arange(1, 8)) * np.exp(rng.normal(0.0, 0.05, (count, 7)))
    shortfalls = np.maximum.accumulate(level[:, None] * shape, axis=1)
    return Tails(HOUR * np.arange(count), level / 5.0, shortfalls, shortfalls[:, 3] * 0.8)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.floats(0.5, 30.0), st.sampled_from([1.0, 3.0]))
def test_calibrated_schedules_keep_every_rule(seed: int, wild: float, years: float) -> None:
    quiet = _history(50, seed)
    history = Tails(quiet.ts, quiet.sigma * wild, quiet.shortfalls * wild, quiet.call * wild)
    schedule = calibrate_schedule(history, BOUNDS, VOLUME, COSTS, years)
    assert schedule.faults() == []
    assert schedule.bounds == BOUNDS


def test_the_storm_schedule_covers_every_bound_at_every_time_of_its_history() -> None:
    """What marginal rates are for: the progressive sum at U_k is at least L(U_k)."""
    history = _history()
    schedule = calibrate_schedule(history, BOUNDS, VOLUME, COSTS, years=3.0)
    asked, below = 0.0, 0
    for bound, rate in zip(BOUNDS, schedule.storm_mmr, strict=True):
        asked += (bound - below) * rate / PPM
        below = bound
        assert asked >= bound * needs(history, bound, VOLUME, COSTS).max() - 1e-6


def test_marginal_rates_add_up_to_the_loss() -> None:
    history = _history(1)
    rates = marginal_rates(history, BOUNDS, VOLUME, COSTS)[0]
    whole = float(np.dot(rates, np.diff(BOUNDS, prepend=0)))
    assert whole == pytest.approx(BOUNDS[-1] * needs(history, BOUNDS[-1], VOLUME, COSTS)[0])


def test_rates_are_the_quantile_and_the_maximum_of_history() -> None:
    history = _history()
    schedule = calibrate_schedule(history, BOUNDS, VOLUME, COSTS, years=3.0)
    rates = marginal_rates(history, BOUNDS, VOLUME, COSTS)
    for k in range(3):
        assert schedule.calm_mmr[k] == ppm_up(np.quantile(rates[:, k], 0.05))
        assert schedule.storm_mmr[k] == ppm_up(rates[:, k].max())
    call = ppm_up(float(np.quantile(history.call, 0.05)))
    assert schedule.calm_imr[0] == max(2 * schedule.calm_mmr[0], schedule.calm_mmr[0] + call)


def test_brackets_slow_to_close_take_a_higher_quantile() -> None:
    """5,000,000 USD at 5 % of 20 million an hour is five hours after the first."""
    history, bounds = _history(), (100_000, 5_000_000)
    assert COSTS.hours(4_000_000, VOLUME) == 5.0
    schedule = calibrate_schedule(history, bounds, VOLUME, COSTS, years=3.0)
    rates = marginal_rates(history, bounds, VOLUME, COSTS)
    assert schedule.calm_mmr[0] == ppm_up(np.quantile(rates[:, 0], 0.05))
    assert schedule.calm_mmr[1] == ppm_up(np.quantile(rates[:, 1], 0.25))


def test_a_history_of_less_than_two_years_doubles_its_storm() -> None:
    history = _history()
    long, short = (calibrate_schedule(history, BOUNDS, VOLUME, COSTS, y) for y in (2.0, 1.99))
    assert short.calm_mmr == long.calm_mmr
    assert [s - 2 * m for s, m in zip(short.storm_mmr, long.storm_mmr, strict=True)] == (
        pytest.approx([0, 0, 0], abs=1)
    )


@pytest.mark.parametrize(
    "bounds", [(), (1_500,), (2_000, 2_000), (2_000, 1_000), (0,), tuple(range(1000, 10_000, 1000))]
)
def test_bad_bounds_are_refused(bounds: tuple[int, ...]) -> None:
    with pytest.raises(RiskError):
        calibrate_schedule(_history(), bounds, VOLUME, COSTS, years=3.0)


def test_no_history_is_refused() -> None:
    with pytest.raises(RiskError, match="at least one estimate"):
        calibrate_schedule(_history().between(0, 0), BOUNDS, VOLUME, COSTS, years=3.0)


SOUND = Schedule(
    bounds=(1_000, 2_000),
    calm_mmr=(10_000, 20_000),
    storm_mmr=(40_000, 50_000),
    calm_imr=(12_500, 40_000),
    storm_imr=(80_000, 100_000),
)


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        ({"bounds": (1_000, 2_500)}, "multiple"),
        ({"bounds": (2_000, 1_000)}, "increase"),
        ({"calm_mmr": (10_000, 9_999)}, "falls"),
        ({"storm_imr": (80_000, 79_999)}, "falls"),
        ({"storm_imr": (80_000, PPM + 1)}, "100 %"),
        ({"calm_mmr": (0, 20_000)}, "100 %"),
        ({"calm_imr": (12_499, 40_000)}, "(1 + b)"),
        ({"calm_mmr": (40_001, 40_001), "calm_imr": (60_000, 60_000)}, "above its storm"),
        ({"calm_imr": (80_001, 100_000)}, "above its storm"),
        ({"calm_mmr": (10_000,)}, "1 rates for 2"),
    ],
)
def test_each_broken_rule_is_named(broken: dict[str, tuple[int, ...]], fault: str) -> None:
    assert SOUND.faults() == []
    assert any(fault in text for text in replace(SOUND, **broken).faults())


def test_schedules_survive_json() -> None:
    assert Schedule.from_dict(SOUND.as_dict()) == SOUND


# --- provenance


def test_window_bytes_are_as_documented(make_bars: Callable[..., Bars]) -> None:
    prices, traded = make_bars(3), make_bars(2)
    bare = Bars(prices.ts, prices.open, prices.high, prices.low, prices.close)
    expected = b"plimsoll.window.v1" + b"\x03BTC" + struct.pack(">II", 3600, 3)
    for i in range(3):
        row = (prices.open[i], prices.high[i], prices.low[i], prices.close[i])
        expected += struct.pack(">Q4d", prices.ts[i], *row) + bytes.fromhex("7ff8000000000000")
    assert window_bytes("BTC", bare) == expected + struct.pack(">II", 0, 0)
    expected += struct.pack(">II", 3600, 2)
    for i in range(2):
        row = (traded.open[i], traded.high[i], traded.low[i], traded.close[i])
        assert traded.volume is not None
        expected += struct.pack(">Q5d", traded.ts[i], *row, traded.volume[i])
    assert window_bytes("BTC", bare, traded) == expected
    assert window_hash("BTC", bare, traded) == keccak(expected)


def test_the_hash_is_keccak_and_not_sha3() -> None:
    assert keccak(b"").hex().startswith("c5d2460186f7233c")


def test_any_change_changes_the_hash(make_bars: Callable[..., Bars]) -> None:
    bars = make_bars(5)
    hashes = {window_hash("BTC", bars), window_hash("ETH", bars), window_hash("BTC", bars, bars)}
    hashes.add(window_hash("BTC", bars.last(4)))
    for name in ("ts", "open", "high", "low", "close", "volume"):
        changed = getattr(bars, name).copy()
        changed[2] = np.nextafter(changed[2], np.inf) if name != "ts" else changed[2] + 1
        hashes.add(window_hash("BTC", replace(bars, **{name: changed})))
    assert len(hashes) == 10


def test_a_symbol_too_long_is_refused(make_bars: Callable[..., Bars]) -> None:
    with pytest.raises(ValueError, match="at most 255"):
        window_bytes("x" * 256, make_bars(1))
