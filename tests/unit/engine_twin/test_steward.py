"""Pushes: steps, delay, nonce, bounds; never clamped, refused whole (DESIGN 5)."""

from __future__ import annotations

import pytest

from oracle.engine import steward
from oracle.engine.clocks import Line
from oracle.engine.steward import LinePush, PushRules
from oracle.engine.units import PPM, Ppm, Refused, Seconds

PUSHED = 1_700_000_000
NOW = PUSHED + 3_000
RULES = PushRules()


def line(severity: int = 100_000, depth: int = 800_000) -> Line:
    s, d = Ppm(severity), Ppm(depth)
    return Line(s, s, s, d, d, d, Seconds(PUSHED))


@pytest.mark.parametrize(
    ("severity", "depth"),
    [(150_000, 800_000), (90_000, 800_000), (100_000, 550_000), (100_000, 810_000)],
)
def test_push__at_the_limit_of_each_step__is_allowed(severity: int, depth: int) -> None:
    steward.check_line(LinePush(0, severity, depth, PUSHED), line(), RULES, NOW)


@pytest.mark.parametrize(
    ("severity", "depth", "nonce", "now", "reason"),
    [
        (150_001, 800_000, PUSHED, NOW, "out of bounds"),
        (89_999, 800_000, PUSHED, NOW, "out of bounds"),
        (100_000, 549_999, PUSHED, NOW, "out of bounds"),
        (100_000, 810_001, PUSHED, NOW, "out of bounds"),
        (100_000, 800_000, PUSHED - 1, NOW, "nonce"),
        (100_000, 800_000, PUSHED, NOW - 1, "too soon"),
    ],
)
def test_push__one_beyond__is_refused(
    severity: int, depth: int, nonce: int, now: int, reason: str
) -> None:
    with pytest.raises(Refused, match=reason):
        steward.check_line(LinePush(0, severity, depth, nonce), line(), RULES, now)


@pytest.mark.parametrize(
    ("stored", "depth", "allowed"),
    [
        (300_000, 250_000, True),
        (300_000, 249_999, False),  # below the least depth
        (200_000, 200_000, True),  # governance raised the least depth: it may not fall
        (200_000, 199_999, False),
    ],
)
def test_push__around_the_least_depth__may_only_rise(
    stored: int, depth: int, allowed: bool
) -> None:
    push = LinePush(0, 100_000, depth, PUSHED)
    if allowed:
        steward.check_line(push, line(depth=stored), RULES, NOW)
    else:
        with pytest.raises(Refused):
            steward.check_line(push, line(depth=stored), RULES, NOW)


def test_push__severity_above_one__is_refused() -> None:
    with pytest.raises(Refused):
        steward.check_line(LinePush(0, PPM + 1, 800_000, PUSHED), line(PPM), RULES, NOW)
