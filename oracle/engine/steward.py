"""What a push of severity and depth may do (DESIGN 5; contracts/modules/steward.vy).

One message for several assets, whole or not at all. Steps are against the values last pushed, not
against the clocks; ``nonce`` is the effective time of the push it builds on.
"""

from __future__ import annotations

from dataclasses import dataclass

from oracle.engine.clocks import Line
from oracle.engine.units import PPM, require


@dataclass(frozen=True, slots=True)
class PushRules:
    """Steps [ppm a push], delay and staleness [s], and the least depth [ppm]."""

    step_up: int = 50_000
    step_down: int = 10_000
    depth_fall: int = 250_000
    depth_rise: int = 10_000
    min_delay: int = 3_000
    max_age: int = 9_000
    depth_min: int = 250_000


@dataclass(frozen=True, slots=True)
class LinePush:
    """One asset's part of a push."""

    asset: int
    severity: int  # [ppm]
    depth: int  # [ppm]
    nonce: int  # [s] `Line.pushed` it builds on


def check_line(push: LinePush, line: Line, rules: PushRules, now: int) -> None:
    """Refuse a push that breaks a rule; one failing line refuses the whole message."""
    require(push.nonce == line.pushed, "nonce")
    require(now - line.pushed >= rules.min_delay, "too soon")
    require(0 <= push.severity <= PPM, "out of bounds")
    require(min(line.depth, rules.depth_min) <= push.depth <= PPM, "out of bounds")
    _check_step(line.severity, push.severity, rules.step_up, rules.step_down)
    _check_step(line.depth, push.depth, rules.depth_rise, rules.depth_fall)


def _check_step(old: int, new: int, up: int, down: int) -> None:
    require(old - down <= new <= old + up, "out of bounds")
