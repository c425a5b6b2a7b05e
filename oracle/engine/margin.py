"""What margin a book needs (DESIGN 5; contracts/modules/margin.vy).

A leg is worth ``floor(size·(p - F)) + base`` and needs ``ceil(R(N))``, ``N = ceil(|size|·p)``, p
the price that counts: the stored one; while a jump is held the worse of stored and held for INITIAL
and LIVE, the better for MAINTENANCE. A leg of unknown price has no MM. A token of unknown price is
worth nothing to INITIAL and LIVE and its last price to MAINTENANCE; it bars nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from oracle.engine import clocks, haircut, prices
from oracle.engine.clocks import Slopes
from oracle.engine.effective_time import UNKNOWN, Clock
from oracle.engine.liquidation import Load, notional_of
from oracle.engine.prices import Asset
from oracle.engine.rounding import clamp, mul_div_ceil, wad_mul_ceil, wad_mul_floor
from oracle.engine.units import PPM, TOKEN_ASSETS, WAD, Usd

ABOVE_BIT: Final = 32  # Margin.state bit 32 + m: the leg in market m is above its last bound


class Basis(IntEnum):
    """Which margin is asked for."""

    INITIAL = 0  # IM with open-interest scaling, IM haircuts
    LIVE = 1  # IM at the pushed severity and depth; take-overs
    MAINTENANCE = 2  # MM, MM haircuts


@dataclass(frozen=True, slots=True)
class Leg:
    """One leg of a book."""

    market: int
    size: int  # [base wad] effective, signed
    base: int  # [USD wad]
    open_interest: int  # [base wad] of the market


@dataclass(frozen=True, slots=True)
class Holding:
    """Collateral of one token."""

    token: int
    amount: int  # [wad]


@dataclass(frozen=True, slots=True)
class Margin:
    """The answer."""

    equity: int  # [USD wad]
    requirement: int  # [USD wad]
    state: int  # state bits of all legs
    known_since: int  # [s] latest end of an episode of unknown price; 0 if none


@dataclass(frozen=True, slots=True)
class Context:
    """What all legs and holdings of one question share."""

    basis: Basis
    floor: int  # [ppm] the account's own least initial rate
    clock: Clock
    slopes: Slopes
    ramp: int  # [s]
    now: int  # [s] effective
    base: int  # state bits common to every asset


def assess(
    context: Context,
    cash: int,
    legs: Iterable[Leg],
    holdings: Iterable[Holding],
    assets: Mapping[int, Asset],
) -> Margin:
    """Equity, requirement and state of a book; cash in USD wad."""
    if cash > 0 and context.basis is not Basis.MAINTENANCE and context.clock.in_doubt:
        cash = 0
    parts = [Margin(cash, 0, context.base, context.clock.grace_until)]
    parts += [assess_leg(leg, assets[leg.market], context) for leg in legs]
    state = 0
    for part in parts:
        state |= part.state
    worth = sum(holding_value(h, assets[TOKEN_ASSETS + h.token], context) for h in holdings)
    return Margin(
        equity=sum(part.equity for part in parts) + worth,
        requirement=sum(part.requirement for part in parts),
        state=state,
        known_since=max(part.known_since for part in parts),
    )


def assess_leg(leg: Leg, asset: Asset, context: Context) -> Margin:
    """One leg's value, requirement and state."""
    status = prices.status_of(asset, context.base, context.now)
    price = counted_price(asset, leg.size, context.basis)
    funding = prices.funding_at(asset.mark, context.now, asset.config.price_max_age)
    value = wad_mul_floor(leg.size, price - funding) + leg.base
    if context.basis is Basis.MAINTENANCE and status.bits & UNKNOWN:
        return Margin(value, 0, status.bits, status.known_since)
    notional = notional_of(leg.size, price)
    load = load_of(asset, context)
    bits = status.bits
    if load.blend.is_above(notional, load.depth):
        bits |= 1 << (ABOVE_BIT + leg.market)
    required = load.requirement(notional)
    if context.basis is not Basis.MAINTENANCE:
        required = initial_requirement(required, notional, leg, asset, context)
    return Margin(value, required, bits, status.known_since)


def initial_requirement(
    required: int, notional: int, leg: Leg, asset: Asset, context: Context
) -> Usd:
    """IM of a leg: at least the account's own floor, plus open-interest scaling (INITIAL)."""
    required = max(required, mul_div_ceil(notional, min(context.floor, PPM), PPM))
    if context.basis is Basis.INITIAL:
        interest = wad_mul_ceil(leg.open_interest, asset.mark.price)
        required += surcharge(notional - required, interest, asset.config)
    return Usd(required)


def surcharge(free: int, interest: int, config: prices.Config) -> Usd:
    """ceil((N - IM)·clamp(OI - L, 0, H - L)/(H - L)), amounts in USD wad."""
    if config.hard_cap == 0:
        return Usd(0)
    low, high = config.soft_cap * WAD, config.hard_cap * WAD
    return Usd(mul_div_ceil(free, clamp(interest - low, 0, high - low), high - low))


def holding_value(holding: Holding, asset: Asset, context: Context) -> Usd:
    """One holding's value after its haircut."""
    status = prices.status_of(asset, context.base, context.now)
    if context.basis is not Basis.MAINTENANCE and status.bits & UNKNOWN:
        return Usd(0)
    value = haircut.raw_value(holding.amount, asset.mark.price)
    load = load_of(asset, context)
    return haircut.haircut_value(value, load.blend, load.severity, load.depth)


def counted_price(asset: Asset, size: int, basis: Basis) -> int:
    """The price a leg counts at [USD wad]."""
    stored, held = asset.mark.price, asset.jump.price
    if not asset.mark.is_held:
        return stored
    takes_higher = (size > 0) == (basis is Basis.MAINTENANCE)
    return max(stored, held) if takes_higher else min(stored, held)


def load_of(asset: Asset, context: Context) -> Load:
    """The schedule, severity and depth a basis asks with."""
    line, now, slopes = asset.line, context.now, context.slopes
    is_mm = context.basis is Basis.MAINTENANCE
    blend = prices.blend_of(asset, asset.mm if is_mm else asset.im, now, context.ramp)
    if is_mm:
        return Load(
            blend, clocks.severity_mm(line, now, slopes), clocks.depth_mm(line, now, slopes)
        )
    if context.basis is Basis.LIVE:
        return Load(blend, line.severity, line.depth)
    return Load(blend, clocks.severity_im(line, now, slopes), clocks.depth_im(line, now, slopes))
