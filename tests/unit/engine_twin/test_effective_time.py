"""Effective time stands still in a pause; grace follows it (DESIGN 7)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.engine import effective_time as time
from oracle.engine.effective_time import Clock, PriceRules, Sequencer
from oracle.engine.units import Refused

NOW = 1_700_000_000


@given(st.lists(st.tuples(st.integers(172_800, 10**6), st.integers(1, 86_400)), max_size=10))
def test_pauses__any_number__effective_time_counts_running_time_only(
    pauses: list[tuple[int, int]],
) -> None:
    clock, now, running = Clock(PriceRules()), NOW, 0
    start = clock.now(now)
    for run, stop in pauses:
        now += run
        running += run
        clock = time.pause(clock, now)
        assert clock.now(now + stop // 2) == clock.now(now) == start + running
        now += stop
        clock = time.unpause(clock, now)
        assert clock.now(now) == start + running
        assert clock.grace_until == clock.now(now) + clock.rules.grace


def test_pause__during_the_cooldown__is_refused() -> None:
    clock = time.unpause(time.pause(Clock(PriceRules()), NOW), NOW + 10)
    with pytest.raises(Refused, match="too soon"):
        time.pause(clock, NOW + 10 + time.PAUSE_COOLDOWN - 1)
    time.pause(clock, NOW + 10 + time.PAUSE_COOLDOWN)


def test_pause__twice_or_unpause_without__is_refused() -> None:
    with pytest.raises(Refused, match="paused"):
        time.pause(time.pause(Clock(PriceRules()), NOW), NOW + 1)
    with pytest.raises(Refused):
        time.unpause(Clock(PriceRules()), NOW)


@pytest.mark.parametrize(
    ("feed", "bits"),
    [
        (None, 0),
        (Sequencer(0, NOW - 600), 0),
        (Sequencer(0, NOW - 599), time.UNKNOWN),
        (Sequencer(1, NOW - 10_000), time.NO_NEW_RISK),
        (Sequencer(0, 0), time.NO_NEW_RISK),
        (Sequencer(0, NOW + 1), time.NO_NEW_RISK),
    ],
)
def test_sequencer__down_or_just_back__bars_new_risk(feed: Sequencer | None, bits: int) -> None:
    clock = replace(Clock(PriceRules()), sequencer=feed)
    assert time.base_state(clock, NOW) == bits


def test_states__pause_grace_and_doubt__add_up() -> None:
    clock = time.pause(Clock(PriceRules(), in_doubt=True), NOW)
    assert time.base_state(clock, NOW + 5) == time.PAUSED | time.NO_NEW_RISK
    clock = time.unpause(clock, NOW + 10)
    assert time.base_state(clock, NOW + 10) == time.UNKNOWN | time.NO_NEW_RISK
    assert time.base_state(clock, NOW + 610) == time.NO_NEW_RISK
