"""FORMULAS 3: MM creeps up, IM jumps, loosening is slow, a dead keeper stops new risk only."""

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .harness import CLOCKS, PPM, System, deploy
from .reference import moved

UP, FALL, DOWN, RISE, _ = CLOCKS


def now_of(system: System) -> tuple[int, int, int, int]:
    return tuple(system.engine.severity_now(0))


def test_tightening__mm_on_its_clock_im_at_once(system: System):
    system.list(0)
    system.wait(3_000)
    before = now_of(system)
    system.push({0: (50_000, 750_000)})
    assert now_of(system) == (before[0], 50_000, before[2], 750_000)
    t0 = system.time
    for wait in (1, 59, 1_740, 1_800):
        system.wait(wait)
        s_mm, s_im, d_mm, d_im = now_of(system)
        assert s_mm == min(50_000, moved(UP, t0, system.time))
        assert d_mm == max(750_000, PPM - moved(DOWN, t0, system.time))
        assert (s_im, d_im) == (50_000, 750_000)


def test_loosening__mm_at_once_im_on_its_clock(system: System):
    system.list(0, severity=500_000, depth=500_000)
    system.wait(3_000)
    system.push({0: (490_000, 510_000)})
    t0 = system.time
    assert now_of(system) == (490_000, 500_000, 510_000, 500_000)
    system.wait(600)
    assert now_of(system) == (
        490_000,
        500_000 - moved(FALL, t0, system.time),
        510_000,
        500_000 + moved(RISE, t0, system.time),
    )
    system.wait(3_600)
    assert now_of(system) == (490_000, 490_000, 510_000, 510_000)


@pytest.mark.parametrize(("age", "stale"), [(10_800, False), (10_801, True)])
def test_stale_keeper__im_is_storm_mm_stays(system: System, age: int, stale: bool):
    system.list(0, severity=100_000, depth=600_000)
    system.wait(age)
    s_im, d_im = (PPM, 250_000) if stale else (100_000, 600_000)
    assert now_of(system) == (100_000, s_im, 600_000, d_im)


def test_stale_keeper__after_the_next_push__im_decays_from_storm(system: System):
    system.list(0, severity=100_000, depth=600_000)
    system.wait(20_000)
    system.push({0: (100_000, 600_000)})
    t0 = system.time
    assert now_of(system) == (100_000, PPM, 600_000, 250_000)
    system.wait(1_800)
    assert now_of(system) == (
        100_000,
        PPM - moved(FALL, t0, system.time),
        600_000,
        250_000 + moved(RISE, t0, system.time),
    )


def test_stale_keeper__mm_goes_on_to_what_was_pushed(system: System):
    system.list(0)
    system.wait(3_000)
    system.push({0: (50_000, PPM)})
    system.wait(20_000)
    assert now_of(system)[0] == 50_000


def test_listing__clocks_stand(system: System):
    system.list(0, severity=300_000, depth=400_000)
    assert now_of(system) == (300_000, 300_000, 400_000, 400_000)
    system.wait(5_000)
    assert now_of(system) == (300_000, 300_000, 400_000, 400_000)


@pytest.fixture(scope="module")
def quick() -> System:
    """Pushes may come every minute."""
    from .harness import PushRules

    rules = PushRules(min_delay=60, max_age=2_592_000, step_up=250_000, step_down=50_000)
    system = deploy(push_rules=rules)
    system.list(0, severity=200_000, depth=800_000)
    return system


@given(
    first=st.tuples(st.integers(150_000, 450_000), st.integers(550_000, 810_000)),
    waits=st.lists(st.integers(60, 2_000), min_size=1, max_size=5),
    tail=st.integers(0, 4_000),
)
@settings(max_examples=30, deadline=None)
def test_memoryless__pushing_the_same_again_changes_nothing(quick: System, first, waits, tail):
    quick.at(1_700_001_000)
    with boa.env.anchor():
        quick.push({0: first})
        with boa.env.anchor():
            quick.wait(sum(waits) + tail)
            once = now_of(quick)
        quick.at(1_700_001_000)
        for wait in waits:
            quick.wait(wait)
            quick.push({0: first})
        quick.wait(tail)
        assert now_of(quick) == once


@given(
    pushes=st.lists(
        st.tuples(
            st.integers(60, 20_000),
            st.integers(-50_000, 250_000),
            st.integers(-250_000, 10_000),
        ),
        min_size=1,
        max_size=6,
    ),
    tail=st.integers(0, 20_000),
)
@settings(max_examples=30, deadline=None)
def test_any_pushes__mm_below_pushed_below_im_and_no_jump_of_mm(quick: System, pushes, tail):
    with boa.env.anchor():
        for wait, ds, dd in pushes:
            quick.wait(wait)
            line = quick.settings.line_of(0)
            s = max(0, min(PPM, line.severity + ds))
            d = max(250_000, min(PPM, line.depth + dd))
            before = now_of(quick)
            quick.push({0: (s, d)})
            after = now_of(quick)
            assert after[0] == min(before[0], s)
            assert after[2] == max(before[2], d)
            assert after[1] == max(before[1], s)
            assert after[3] == min(before[3], d)
        quick.wait(tail)
        s_mm, s_im, d_mm, d_im = now_of(quick)
        assert s_mm <= s <= s_im
        assert d_im <= d <= d_mm


@pytest.mark.parametrize("field", range(5))
def test_clocks__out_of_bounds__engine_does_not_deploy(field: int):
    limits = [(0, 250_001), (0, 250_001), (0, 500_001), (0, 500_001), (599, 604_801)]
    for value in limits[field]:
        wrong = list(CLOCKS)
        wrong[field] = value
        with boa.reverts():
            deploy(clocks=tuple(wrong))
