"""Load lines: tightening at once for new risk, on a clock for held risk, loosening slowly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.engine import clocks
from oracle.engine.clocks import Line, Slopes
from oracle.engine.units import PPM, Ppm, Seconds

SLOPES = Slopes(
    severity_up=50_000,
    severity_down=50_000,
    depth_down=50_000,
    depth_up=10_000,
    keeper_max_age=3 * 3_000,
    depth_min=Ppm(250_000),
)
SHARE = st.integers(0, PPM)
DEPTH = st.integers(250_000, PPM)
START = 1_700_000_000


def resting(severity: int = 0, depth: int = PPM) -> Line:
    return Line(
        severity=Ppm(severity),
        severity_mm=Ppm(severity),
        severity_im=Ppm(severity),
        depth=Ppm(depth),
        depth_mm=Ppm(depth),
        depth_im=Ppm(depth),
        pushed=Seconds(START),
    )


@st.composite
def histories(draw: st.DrawFn) -> tuple[Line, int]:
    """A line after some pushes, and a time not before the last."""
    line, now = resting(draw(SHARE), draw(DEPTH)), START
    for _ in range(draw(st.integers(0, 6))):
        now += draw(st.integers(0, 40_000))
        line = clocks.push(line, draw(SHARE), draw(DEPTH), now, SLOPES)
    return line, now + draw(st.integers(0, 40_000))


@given(histories())
def test_loads__any_history__are_ordered(history: tuple[Line, int]) -> None:
    at = clocks.loads(*history, SLOPES)
    assert 0 <= at.severity_mm <= at.severity <= at.severity_im <= PPM
    assert PPM >= at.depth_mm >= at.depth >= at.depth_im >= SLOPES.depth_min


@given(histories(), SHARE, DEPTH)
def test_push__any_value__moves_no_maintenance_in_its_own_block_but_down(
    history: tuple[Line, int], severity: int, depth: int
) -> None:
    """Invariant 10: held risk feels nothing at the push; a loosening may help it at once."""
    line, now = history
    before = clocks.loads(line, now, SLOPES)
    after = clocks.loads(clocks.push(line, severity, depth, now, SLOPES), now, SLOPES)
    assert after.severity_mm == min(before.severity_mm, severity)
    assert after.depth_mm == max(before.depth_mm, depth)
    assert after.severity_im == max(before.severity_im, severity)
    assert after.depth_im == min(before.depth_im, depth)


@given(histories(), st.integers(0, 9_000), st.integers(0, 9_000))
def test_push__same_value_again__changes_nothing(
    history: tuple[Line, int], first: int, second: int
) -> None:
    """Memoryless, to the ppm: what was pushed twice stands where it would have stood."""
    line, now = history
    line = clocks.push(line, line.severity, line.depth, now, SLOPES)
    again = clocks.push(line, line.severity, line.depth, now + first, SLOPES)
    later = now + first + second
    if clocks.is_stale(line, later, SLOPES) or clocks.is_stale(again, later, SLOPES):
        return
    assert clocks.loads(line, later, SLOPES) == clocks.loads(again, later, SLOPES)


def test_push__every_whole_hour__loses_nothing_to_rounding() -> None:
    line = clocks.push(resting(), 400_000, PPM, START, SLOPES)
    for hour in range(1, 9):
        line = clocks.push(line, 400_000, PPM, START + hour * 3_600, SLOPES)
        assert line.severity_mm == min(400_000, hour * 50_000)


def test_stale_keeper__new_risk__feels_the_storm_and_held_risk_does_not() -> None:
    line = resting(100_000, 800_000)
    fresh = clocks.loads(line, START + SLOPES.keeper_max_age, SLOPES)
    stale = clocks.loads(line, START + SLOPES.keeper_max_age + 1, SLOPES)
    assert (fresh.severity_im, fresh.depth_im) == (100_000, 800_000)
    assert (stale.severity_im, stale.depth_im) == (PPM, SLOPES.depth_min)
    assert (stale.severity_mm, stale.depth_mm) == (100_000, 800_000)
    assert (stale.severity, stale.depth) == (100_000, 800_000)


def test_push__after_a_stale_keeper__lets_initial_margin_fall_slowly() -> None:
    woken = START + SLOPES.keeper_max_age + 1
    line = clocks.push(resting(100_000, 800_000), 100_000, 800_000, woken, SLOPES)
    assert clocks.severity_im(line, woken, SLOPES) == PPM
    assert clocks.severity_im(line, woken + 3_600, SLOPES) == PPM - 50_000
    assert clocks.depth_im(line, woken + 3_600, SLOPES) == 260_000


@pytest.mark.parametrize(("elapsed", "expected"), [(0, 0), (3_599, 49_986), (3_600, 50_000)])
def test_severity_mm__after_a_tightening__rises_on_its_slope(elapsed: int, expected: int) -> None:
    line = clocks.push(resting(), 300_000, PPM, START, SLOPES)
    assert clocks.severity_mm(line, START + elapsed, SLOPES) == expected
    assert clocks.severity_im(line, START + elapsed, SLOPES) == 300_000


@given(histories(), st.integers(0, 10**5), st.integers(0, 10**5))
def test_loads__between_pushes__are_monotone_in_time(
    history: tuple[Line, int], first: int, second: int
) -> None:
    line, now = history
    early = clocks.loads(line, now + first, SLOPES)
    late = clocks.loads(line, now + first + second, SLOPES)
    assert early.severity_mm <= late.severity_mm
    assert early.depth_mm >= late.depth_mm
