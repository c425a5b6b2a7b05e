"""Load lines and their clocks (DESIGN 5, FORMULAS 3).

New risk feels a tightening at once, held risk on a clock, loosening is slow:
``s_mm <= s <= s_im`` and ``λ_mm >= λ >= λ_im`` always. Times are effective: paused time is not
counted.

A slope of x ppm an hour moves a clock by ``C(t) - C(t0)`` with ``C(t) = floor(t·x/3600)``: the
rounding is that of absolute time, so it telescopes and pushing the same value again changes
nothing, to the ppm (contracts/modules/load_line.vy).
"""

from __future__ import annotations

from dataclasses import dataclass

from oracle.engine.rounding import div_floor
from oracle.engine.units import HOUR, PPM, Ppm, Seconds


@dataclass(frozen=True, slots=True)
class Slopes:
    """How fast the clocks run [ppm per hour], and when a keeper counts as stale."""

    severity_up: int
    severity_down: int
    depth_down: int
    depth_up: int
    keeper_max_age: int  # [s]
    depth_min: Ppm  # λ_min


@dataclass(frozen=True, slots=True)
class Line:
    """A load line: the pushed values, and where each clock stood at the push."""

    severity: Ppm  # s
    severity_mm: Ppm  # s0
    severity_im: Ppm  # i0
    depth: Ppm  # λ
    depth_mm: Ppm  # λ0
    depth_im: Ppm  # li0
    pushed: Seconds  # t0, and the nonce: a push names the t0 it builds on


@dataclass(frozen=True, slots=True)
class Loads:
    """Severity and depth as each question sees them now."""

    severity_mm: Ppm
    severity: Ppm
    severity_im: Ppm
    depth_mm: Ppm
    depth: Ppm
    depth_im: Ppm


def is_stale(line: Line, now: int, slopes: Slopes) -> bool:
    """No push for longer than `keeper_max_age`: a dead keeper stops new risk."""
    return now - line.pushed > slopes.keeper_max_age


def severity_mm(line: Line, now: int, slopes: Slopes) -> Ppm:
    """s_mm(t) = min(s, s0 + (t - t0)·slope)"""
    return Ppm(min(line.severity, line.severity_mm + _moved(line, now, slopes.severity_up)))


def severity_im(line: Line, now: int, slopes: Slopes) -> Ppm:
    """s_im(t) = max(s*, i0 - (t - t0)·fall); s* = 1 while the keeper is stale."""
    target = PPM if is_stale(line, now, slopes) else line.severity
    return Ppm(max(target, line.severity_im - _moved(line, now, slopes.severity_down)))


def depth_mm(line: Line, now: int, slopes: Slopes) -> Ppm:
    """λ_mm(t) = max(λ, λ0 - (t - t0)·slope)"""
    return Ppm(max(line.depth, line.depth_mm - _moved(line, now, slopes.depth_down)))


def depth_im(line: Line, now: int, slopes: Slopes) -> Ppm:
    """λ_im(t) = min(λ*, li0 + (t - t0)·slope); λ* = min(λ, λ_min) while the keeper is stale."""
    target = min(line.depth, slopes.depth_min) if is_stale(line, now, slopes) else line.depth
    return Ppm(min(target, line.depth_im + _moved(line, now, slopes.depth_up)))


def loads(line: Line, now: int, slopes: Slopes) -> Loads:
    """All six at once."""
    return Loads(
        severity_mm=severity_mm(line, now, slopes),
        severity=line.severity,
        severity_im=severity_im(line, now, slopes),
        depth_mm=depth_mm(line, now, slopes),
        depth=line.depth,
        depth_im=depth_im(line, now, slopes),
    )


def push(line: Line, severity: int, depth: int, now: int, slopes: Slopes) -> Line:
    """The line after a push: every clock restarts from where it stood."""
    at = loads(line, now, slopes)
    return Line(
        severity=Ppm(severity),
        severity_mm=at.severity_mm,
        severity_im=at.severity_im,
        depth=Ppm(depth),
        depth_mm=at.depth_mm,
        depth_im=at.depth_im,
        pushed=Seconds(now),
    )


def _moved(line: Line, now: int, slope: int) -> int:
    return div_floor(now * slope, HOUR) - div_floor(line.pushed * slope, HOUR)
