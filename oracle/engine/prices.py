"""What is known of an asset's price, and settling (DESIGN 6; contracts/modules/prices.vy).

A price is unknown when there is none, its last report is held or was refused by the reference, it
is older than ``price_max_age``, or in grace. ``P_ref`` is the mark in force when settling began;
while settling goes on without a known, calm moment in between it stays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from oracle.engine.clocks import Line
from oracle.engine.effective_time import (
    AFTERMATH,
    OLD,
    REDUCE_ONLY,
    UNKNOWN,
    Clock,
)
from oracle.engine.rounding import div_floor
from oracle.engine.tiers import Blend, Schedule
from oracle.engine.units import Price, Usd

RATE_UNIT: Final = 10**11  # [1/s] of a funding rate
F_MAX: Final = 87 * 10**26  # [USD wad per base] of what is stored
EPISODE_MEMORY: Final = 86_400  # [s] known_since is kept for, longer than any auction


@dataclass(frozen=True, slots=True)
class Config:
    """Everything governance sets of one asset besides its schedule and feed."""

    band: int = 50_000  # [ppm] of the mark, a trade's price may differ by
    max_move: int = 90_000  # [ppm] a larger jump is held
    max_deviation: int = 50_000  # [ppm] from the reference feed
    funding_cap: int = 3_000  # [ppm per 8 h]
    price_max_age: int = 120  # [s]
    open_max_age: int = 60  # [s]
    maker_fee: int = 0  # [ppm of notional]
    taker_fee: int = 0  # [ppm of notional]
    min_size: int = 0  # [base wad]
    soft_cap: int = 0  # [USD] L; both caps 0 for none
    hard_cap: int = 0  # [USD] H


@dataclass(frozen=True, slots=True)
class Mark:
    """The price word: the last accepted report, and what hangs on it."""

    price: int = 0  # [USD wad]
    funding: int = 0  # [USD wad per base] F at the report
    rate: int = 0  # [1e-11 per second]
    observed: int = 0  # [s] effective
    lag: int = 0  # [s] effective time of the report - observed
    is_held: bool = False  # a jump waits for its confirmation
    is_refused: bool = False  # by the reference
    feed_reduces: bool = False  # the reference is unusable
    guardian_reduces: bool = False
    has_settled: bool = False  # the settling word is to be read


@dataclass(frozen=True, slots=True)
class Settling:
    """The settling word. Times are effective; they only grow."""

    reference: int = 0  # [USD wad] P_ref
    reference_time: int = 0  # [s] observation time of that mark: the round
    until: int = 0  # [s] end of the aftermath
    since: int = 0  # [s] the price is known since


@dataclass(frozen=True, slots=True)
class Jump:
    """A held report."""

    price: int = 0  # [USD wad]
    observed: int = 0  # [s] effective
    seen: int = 0  # [s] effective time it came


@dataclass(frozen=True, slots=True)
class FeedRule:
    """When the answer of a Chainlink feed counts as a reference."""

    max_age: int  # [s]
    min_answer: int  # in the feed's units; at or below it is no reference
    max_answer: int
    decimals: int = 8


@dataclass(frozen=True, slots=True)
class FeedReading:
    """What a feed answers."""

    answer: int
    updated: int  # [Unix time]


@dataclass(frozen=True, slots=True)
class Asset:
    """All the engine stores of a market or a collateral token."""

    config: Config
    line: Line
    im: Schedule
    mm: Schedule
    ramp_start: int = 0  # [s] effective
    mark: Mark = Mark()
    settling: Settling = Settling()
    jump: Jump = Jump()
    feed: FeedRule | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """State bits of an asset, and when its last episode of unknown price ended (0 if none)."""

    bits: int
    known_since: int


@dataclass(frozen=True, slots=True)
class Reference:
    """P_ref and its round; the mark itself where nothing settles."""

    price: int  # [USD wad]
    round: int  # [s]


def funding_at(mark: Mark, now: int, price_max_age: int) -> Price:
    """F now [USD wad per base]: floor(price·rate·dt/1e11) from the report to the earlier of now and
    observed + price_max_age. What is stored is clamped to ±F_MAX, so |P - F| < 1e28."""
    dt = min(now - mark.observed, price_max_age) - mark.lag
    if mark.rate == 0 or dt <= 0:
        return Price(mark.funding)
    return Price(mark.funding + div_floor(mark.price * mark.rate * dt, RATE_UNIT))


def status_of(asset: Asset, base: int, now: int) -> Status:
    """State bits now; ``base`` are those common to every asset."""
    mark, bits, since = asset.mark, base, 0
    age = now - mark.observed
    if age > asset.config.open_max_age:
        bits |= OLD
    if age > asset.config.price_max_age or mark.is_held or mark.is_refused:
        bits |= UNKNOWN
    if mark.feed_reduces or mark.guardian_reduces:
        bits |= REDUCE_ONLY
    if mark.has_settled:
        since = asset.settling.since
        if since > now:
            bits |= UNKNOWN
        if asset.settling.until > now:
            bits |= AFTERMATH
    return Status(bits, since)


def is_continuing(asset: Asset, clock: Clock, now: int) -> bool:
    """Whether settling has gone on without a break until now, so that its P_ref stands.

    A price that became unknown by age, or by the general grace, continues it if it had not ended by
    then.
    """
    mark, settling = asset.mark, asset.settling
    if not mark.has_settled:
        return False
    if mark.is_held or mark.is_refused:
        return True
    horizon = min(now, mark.observed + asset.config.price_max_age)
    if clock.grace_until > now:
        horizon = min(horizon, clock.grace_until - clock.rules.grace)
    return max(settling.until, settling.since) > horizon


def reference_of(asset: Asset, clock: Clock, now: int) -> Reference:
    """P_ref and its round now."""
    if is_continuing(asset, clock, now):
        return Reference(asset.settling.reference, asset.settling.reference_time)
    return Reference(asset.mark.price, asset.mark.observed)


def settle(asset: Asset, clock: Clock, now: int, until: int, since: int) -> Asset:
    """Begin or prolong settling; the mark is still the one before the report."""
    reference = reference_of(asset, clock, now)
    settling = Settling(
        reference=reference.price,
        reference_time=reference.round,
        until=max(until, asset.settling.until),
        since=max(since, asset.settling.since),
    )
    return replace(asset, settling=settling, mark=replace(asset.mark, has_settled=True))


def blend_of(asset: Asset, schedule: Schedule, now: int, ramp: int) -> Blend:
    """The table in force now; ``ramp`` is the length of a table's ramp [s]."""
    elapsed = now - asset.ramp_start
    if elapsed >= ramp:
        return Blend(new=schedule.new, old=schedule.new, elapsed=1, ramp=1)
    return Blend(new=schedule.new, old=schedule.old, elapsed=elapsed, ramp=ramp)


def cap_of(config: Config) -> Usd | None:
    """Hard cap H of the open interest [USD wad]; None if there is none."""
    return Usd(config.hard_cap * 10**18) if config.hard_cap else None
