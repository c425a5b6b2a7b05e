"""Acceptance of price reports (DESIGN 6; contracts/modules/reports.vy).

The median of an asset's quotes passes its guards or not: skipped (nothing changes), refused by the
reference, held as a jump, or accepted. What concerns one asset never stops the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from oracle.engine import clocks, prices
from oracle.engine.clocks import Slopes
from oracle.engine.effective_time import UNKNOWN, Clock
from oracle.engine.prices import Asset, FeedReading, FeedRule, Jump, Mark
from oracle.engine.rounding import clamp, div_floor
from oracle.engine.units import MAX_PRICE, PPM

PREMIUM_ZERO: Final = 2**31
PREMIUM_MASK: Final = 2**32 - 1
RATE_NUMERATOR: Final = 125  # ppm per 8 h · 125/36 is the rate in 1e-11 per second
RATE_DENOMINATOR: Final = 36


class Verdict(Enum):
    """What the guards make of a price."""

    FRESH = auto()
    HOLD = auto()
    REFUSE = auto()


@dataclass(frozen=True, slots=True)
class Batch:
    """What all assets of a report share."""

    clock: Clock
    slopes: Slopes
    ramp: int  # [s]
    timestamp: int  # [Unix time] of the block
    now: int  # [s] effective
    observed: int  # [s] effective
    base: int  # state bits common to every asset
    is_market: bool = True


def pack_quote(price: int, premium: int) -> int:
    """price·2^32 + premium + 2^31; price in USD wad, premium in ppm per 8 h."""
    return price << 32 | premium + PREMIUM_ZERO


def median(quotes: Sequence[int]) -> int:
    """The lower middle of the packed quotes."""
    return sorted(quotes)[(len(quotes) - 1) // 2]


def rate_of(premium: int, cap: int) -> int:
    """Funding rate [1e-11 per second] of a premium, both in ppm per 8 h, rounded down."""
    return div_floor(clamp(premium, -cap, cap) * RATE_NUMERATOR, RATE_DENOMINATOR)


def report_asset(
    asset: Asset, quotes: Sequence[int], reading: FeedReading | None, batch: Batch
) -> tuple[Asset, int]:
    """The asset after the signers' quotes, and the accepted price (0 if none was)."""
    packed = median(quotes)
    price = packed >> 32
    if _is_late(asset, batch) or not _is_plausible(quotes, price, batch):
        return asset, 0
    asset, verdict = _compare_reference(asset, price, reading, batch.timestamp)
    if verdict is Verdict.FRESH:
        verdict, price = _guard_move(asset, price, batch)
    if verdict is Verdict.FRESH:
        premium = (packed & PREMIUM_MASK) - PREMIUM_ZERO
        return _accept(asset, price, premium, batch), price
    return _suspend(asset, price, verdict, batch), 0


def reference_price(rule: FeedRule, reading: FeedReading | None, timestamp: int) -> int:
    """[USD wad] 0 if the feed gives none: stale, from the future, zero, or at its limits."""
    if reading is None or reading.answer <= 0:
        return 0
    if not rule.min_answer < reading.answer < rule.max_answer:
        return 0
    if reading.updated == 0 or not 0 <= timestamp - reading.updated <= rule.max_age:
        return 0
    return int(reading.answer * 10 ** (18 - rule.decimals))


def _is_late(asset: Asset, batch: Batch) -> bool:
    mark, jump = asset.mark, asset.jump
    if batch.observed <= mark.observed or mark.observed + mark.lag == batch.now:
        return True
    return mark.is_held and (batch.observed <= jump.observed or jump.seen == batch.now)


def _is_plausible(quotes: Sequence[int], price: int, batch: Batch) -> bool:
    spread = (max(quotes) >> 32) - (min(quotes) >> 32)
    limit = div_floor(batch.clock.rules.max_spread * price, PPM)
    return 0 < price <= MAX_PRICE and spread <= limit


def _compare_reference(
    asset: Asset, price: int, reading: FeedReading | None, timestamp: int
) -> tuple[Asset, Verdict]:
    if asset.feed is None:
        return asset, Verdict.FRESH
    reference = reference_price(asset.feed, reading, timestamp)
    asset = replace(asset, mark=replace(asset.mark, feed_reduces=reference == 0))
    deviation = abs(price - reference) * PPM
    if reference and deviation > reference * asset.config.max_deviation:
        return asset, Verdict.REFUSE
    return asset, Verdict.FRESH


def _guard_move(asset: Asset, price: int, batch: Batch) -> tuple[Verdict, int]:
    """The verdict, and the price to accept or to hold: of two on the same side the nearer."""
    stored, jump = asset.mark.price, asset.jump
    if stored == 0 or abs(price - stored) * PPM <= stored * asset.config.max_move:
        return Verdict.FRESH, price
    if not asset.mark.is_held or (jump.price > stored) != (price > stored):
        return Verdict.HOLD, price
    if batch.observed < jump.observed + batch.clock.rules.confirm_delay:
        return Verdict.HOLD, jump.price
    nearer = min(jump.price, price, key=lambda p: abs(p - stored))
    return Verdict.FRESH, nearer


def _suspend(asset: Asset, price: int, verdict: Verdict, batch: Batch) -> Asset:
    """The price becomes unknown, or stays so."""
    mark = asset.mark
    if mark.price != 0 and not (mark.is_held or mark.is_refused):
        asset = prices.settle(asset, batch.clock, batch.now, 0, 0)
    if verdict is Verdict.REFUSE:
        return replace(asset, mark=replace(asset.mark, is_refused=True))
    if mark.is_held and asset.jump.price == price:
        return asset
    jump = Jump(price=price, observed=batch.observed, seen=batch.now)
    held = replace(asset.mark, is_held=True, is_refused=False)
    return replace(asset, mark=held, jump=jump)


def _accept(asset: Asset, price: int, premium: int, batch: Batch) -> Asset:
    before = asset.mark
    if before.price != 0:
        asset = _follow_up(asset, price, batch)
    funding = prices.funding_at(before, batch.now, asset.config.price_max_age)
    mark = Mark(
        price=price,
        funding=clamp(funding, -prices.F_MAX, prices.F_MAX),
        rate=rate_of(premium, asset.config.funding_cap),
        observed=batch.observed,
        lag=batch.now - batch.observed,
        feed_reduces=before.feed_reduces,
        guardian_reduces=before.guardian_reduces,
        has_settled=asset.mark.has_settled,
    )
    return replace(asset, mark=mark)


def _follow_up(asset: Asset, price: int, batch: Batch) -> Asset:
    """Settling after an accepted report: an aftermath, or the end of an unknown price."""
    rules, mark = batch.clock.rules, asset.mark
    until = since = 0
    if batch.is_market and is_large(asset, price, batch):
        until = batch.now + rules.settle_window
    if batch.now - mark.observed > asset.config.price_max_age:
        since = batch.now + rules.grace
    elif mark.is_held or mark.is_refused or batch.base & UNKNOWN:
        since = max(batch.now, batch.clock.grace_until)
    if until or since:
        return prices.settle(asset, batch.clock, batch.now, until, since)
    last = max(asset.settling.until, asset.settling.since)
    if mark.has_settled and batch.now > last + prices.EPISODE_MEMORY:
        return replace(asset, mark=replace(mark, has_settled=False))
    return asset


def is_large(asset: Asset, price: int, batch: Batch) -> bool:
    """Whether the mark moves by more than MMR_0 at s_mm: then an aftermath begins."""
    stored = asset.mark.price
    blend = prices.blend_of(asset, asset.mm, batch.now, batch.ramp)
    severity = clocks.severity_mm(asset.line, batch.now, batch.slopes)
    depth = clocks.depth_mm(asset.line, batch.now, batch.slopes)
    rate = blend.marginal(0, severity, depth)
    return abs(price - stored) * blend.denominator > stored * rate
