"""Effective time and the rules read with it (contracts/modules/effective_time.vy).

Every clock of the protocol runs on block time less paused time; it stands still in a pause. Block
time is called ``timestamp`` here, effective time ``now``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from oracle.engine.units import Seconds, require

UNKNOWN: Final = 1  # state bits of an asset (IRiskEngine.vyi)
AFTERMATH: Final = 2
REDUCE_ONLY: Final = 4
OLD: Final = 8
PAUSED: Final = 16
NO_NEW_RISK: Final = 32
SETTLING: Final = UNKNOWN | AFTERMATH

MAX_PAUSE: Final = 86_400
PAUSE_COOLDOWN: Final = 172_800


@dataclass(frozen=True, slots=True)
class PriceRules:
    """Rules of reports that all assets share."""

    period: int = 10  # [s] grid of observation times
    max_spread: int = 10_000  # [ppm] (highest - lowest quote) / median
    confirm_delay: int = 60  # [s] between a held jump and its confirmation
    grace: int = 600  # [s] after a gap in prices, a pause, a return of the sequencer
    settle_window: int = 600  # [s] of an aftermath


@dataclass(frozen=True, slots=True)
class Sequencer:
    """What a rollup's uptime feed answers: 0 is up, and since when [Unix time]."""

    answer: int
    started: int


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock word, and what is read with it."""

    rules: PriceRules
    paused_since: int = 0  # [Unix time] 0 while running
    paused_total: int = 0  # [s]
    pause_ended: int = 0  # [Unix time]
    grace_until: int = 0  # [s] effective
    in_doubt: bool = False  # the settlement token may not be worth its face
    sequencer: Sequencer | None = None

    @property
    def is_paused(self) -> bool:
        """Whether the protocol is paused."""
        return self.paused_since != 0

    def now(self, timestamp: int) -> Seconds:
        """Effective time."""
        return Seconds((self.paused_since or timestamp) - self.paused_total)


def pause(clock: Clock, timestamp: int) -> Clock:
    """Stop everything but collateral in."""
    require(not clock.is_paused, "paused")
    require(timestamp >= clock.pause_ended + PAUSE_COOLDOWN, "too soon")
    return replace(clock, paused_since=timestamp)


def unpause(clock: Clock, timestamp: int) -> Clock:
    """Lift the pause: all prices are unknown until `grace` after."""
    require(clock.is_paused, "bad parameters")
    total = clock.paused_total + timestamp - clock.paused_since
    return replace(
        clock,
        paused_since=0,
        paused_total=total,
        pause_ended=timestamp,
        grace_until=timestamp - total + clock.rules.grace,
    )


def base_state(clock: Clock, timestamp: int) -> int:
    """State bits common to every asset."""
    state = PAUSED if clock.is_paused else 0
    if clock.grace_until > clock.now(timestamp):
        state |= UNKNOWN
    if clock.in_doubt:
        state |= NO_NEW_RISK
    return state | _sequencer_state(clock, timestamp)


def _sequencer_state(clock: Clock, timestamp: int) -> int:
    feed = clock.sequencer
    if feed is None:
        return 0
    if feed.answer != 0 or feed.started == 0 or feed.started > timestamp:
        return NO_NEW_RISK
    return UNKNOWN if timestamp - feed.started < clock.rules.grace else 0
