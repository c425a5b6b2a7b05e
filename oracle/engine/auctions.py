"""The auction clock of an account, and who must act (FORMULAS 4, DESIGN 8).

The clock starts at the first call that sees E < MM, is kept through partial takes and while
MM <= E < (1+b)·MM, ends at E >= (1+b)·MM, and stands still while a price of the account is unknown.
A tail after T it expires if E >= MM: now, or when it was last seen (contracts/modules/auctions.vy).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from oracle.engine import liquidation
from oracle.engine.effective_time import UNKNOWN
from oracle.engine.liquidation import AuctionTerms
from oracle.engine.listing import BUFFER
from oracle.engine.margin import Margin


class State(IntEnum):
    """Who must act."""

    HEALTHY = 0  # E_im >= IM
    CALLED = 1  # E >= MM
    LIQUIDATABLE = 2  # E < MM
    BACKSTOP = 3  # E < ⅔·MM, or the auction ran out
    BANKRUPT = 4  # E < 0


@dataclass(frozen=True, slots=True)
class AuctionClock:
    """The auction of one account."""

    running: bool = False
    cured: bool = False  # the last touch saw E >= MM
    touched: int = 0  # [s] effective time of the last touch
    elapsed: int = 0  # [s] with every price known, up to the last touch


STOPPED: Final = AuctionClock()


def touch(clock: AuctionClock, margin: Margin, now: int, terms: AuctionTerms) -> AuctionClock:
    """The clock as it stands now, given the account's maintenance margin."""
    short = is_short(margin)
    if margin.state & UNKNOWN:
        if clock.running or short:
            return AuctionClock(True, clock.cured, now, clock.elapsed)
        return STOPPED
    if liquidation.is_restored(margin.equity, margin.requirement, BUFFER):
        return STOPPED
    elapsed = clock.elapsed
    if clock.running:
        elapsed += now - min(max(clock.touched, margin.known_since), now)
    if elapsed >= terms.duration + terms.tail and (clock.cured or not short):
        clock, elapsed = STOPPED, 0
    if not clock.running and not short:
        return STOPPED
    return AuctionClock(True, not short, now, elapsed)


def is_short(margin: Margin) -> bool:
    """E < MM"""
    return margin.equity < margin.requirement


def state_of(margin: Margin, initial: Margin, *, is_over: bool) -> State:
    """Who must act, from the margins and whether the auction ran out."""
    if margin.equity < 0:
        return State.BANKRUPT
    if liquidation.is_backstop(margin.equity, margin.requirement):
        return State.BACKSTOP
    if is_short(margin):
        return State.BACKSTOP if is_over else State.LIQUIDATABLE
    return State.CALLED if is_short(initial) else State.HEALTHY
