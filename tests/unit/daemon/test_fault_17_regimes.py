"""Fault 17: crashes as they were. Severity rises fast, falls slowly, and does not swing."""

from __future__ import annotations

from itertools import pairwise

import pytest

from oracle.calibrate import load_calibration
from oracle.daemon.sources import MarketInfo, SourceError, replay_sources
from oracle.feeds.scenario import SPANS
from oracle.policy import Limits, next_push

HOUR = 3_600
LIMITS = Limits()
MOST_SWING = 100_000  # [ppm] a day; measured: 59,000 at most


def path_of(name, market):
    """Severity after each hour's push, and what was asked."""
    start, end = SPANS[name]
    schedule = load_calibration(name)[market].schedule
    info = MarketInfo(market, 0, schedule.calm_mmr[0], schedule.storm_mmr[0])
    numbers = replay_sources(name, {market: info}, start).numbers
    first = numbers.ask(market, start)
    severity, depth, path, asked = first.severity, first.depth, [], []
    for time in range(start, end, HOUR):
        ask = numbers.ask(market, time)
        step = next_push(severity, depth, ask.severity, ask.depth, LIMITS, elapsed=HOUR)
        severity, depth = (step.severity, step.depth) if step else (severity, depth)
        path.append(severity)
        asked.append(ask.severity)
    return path, asked


@pytest.mark.parametrize("market", ["BTC", "ETH"])
@pytest.mark.parametrize("name", sorted(SPANS))
def test_fault_17_crash(name, market):
    path, asked = path_of(name, market)
    steps = [after - before for before, after in pairwise(path)]
    assert max(path) - path[0] > 50_000  # it did rise
    # An ask that is a step or more away is answered by a whole step, up fast and down slowly.
    for before, want, step in zip(path[:-1], asked[1:], steps, strict=True):
        if want >= before + LIMITS.severity_up:
            assert step == LIMITS.severity_up
        elif want <= before - LIMITS.severity_down:
            assert step == -LIMITS.severity_down
        else:
            assert before + step == want
    swings = [swing(path[i : i + 25]) for i in range(0, len(path) - 1, 24)]
    assert max(swings) <= MOST_SWING, swings


def swing(path):
    """What went up and came down again, or the other way, in a day [ppm]."""
    steps = [after - before for before, after in pairwise(path)]
    rises, falls = sum(s for s in steps if s > 0), -sum(s for s in steps if s < 0)
    return min(rises, falls)


def test_fault_17_single_bar():
    """One hour's ask of the storm, then calm again: one step up, taken back at a fifth of that
    speed; margin never saw more than the one step."""
    severity, depth, path = 100_000, 10**6, []
    for hour in range(12):
        asked = 10**6 if hour == 3 else 100_000
        step = next_push(severity, depth, asked, 10**6, LIMITS, elapsed=HOUR)
        severity = step.severity if step else severity
        path.append(severity)
    assert max(path) == 150_000
    assert path[3:9] == [150_000, 140_000, 130_000, 120_000, 110_000, 100_000]


def test_recording_is_over():
    start, end = SPANS["2020-03-12"]
    info = MarketInfo("BTC", 0, 10_000, 200_000)
    sources = replay_sources("2020-03-12", {"BTC": info}, origin=5_000_000)
    length = end - start
    assert sources.prices.latest("BTC", 5_000_000 + length - 60) > 0
    with pytest.raises(SourceError, match="it is over"):
        sources.prices.latest("BTC", 5_000_000 + length)
    with pytest.raises(SourceError, match="no calibration of it"):
        sources.numbers.ask("ETH", 5_000_000)
