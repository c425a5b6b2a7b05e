"""Auctions, liquidation sizes and liquidation prices (FORMULAS 4).

The discount of an auction grows from d_min to d_max over T; f = discount + insurance fee is kept
below ⅔ of the calm MMR of bracket 0, so every take raises E/MM. ``q*`` is the least size after
which ``E' >= (1 + b)·MM'``; the liquidation price is where E = MM when one market moves alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from oracle.engine.rounding import (
    div_ceil,
    mul_div_ceil,
    mul_div_floor,
    wad_mul_ceil,
    wad_mul_floor,
)
from oracle.engine.tiers import Blend
from oracle.engine.units import MAX_PRICE, PPM, WAD, Ppm, Price, Size, Usd

TWO_THIRDS = (2, 3)


@dataclass(frozen=True, slots=True)
class AuctionTerms:
    """Shares of the market's calm MMR_0 [ppm of it], and seconds."""

    discount_min: int
    discount_max: int
    insurance_fee: int
    duration: int  # T
    tail: int


@dataclass(frozen=True, slots=True)
class Load:
    """A leg's MM schedule at one moment."""

    blend: Blend
    severity: Ppm  # s_mm
    depth: Ppm  # λ_mm

    def requirement(self, notional: int) -> Usd:
        """R(N) [USD wad]."""
        return self.blend.requirement(notional, self.severity, self.depth)

    def exact(self, notional: Fraction) -> Fraction:
        """R(N) without rounding, for any rational N."""
        scale = notional.denominator
        # R(N) = R(N·scale)/scale with every bound, through the depth, times scale.
        numerator = self.blend.numerator(notional.numerator, self.severity, self.depth * scale)
        return Fraction(numerator, self.blend.denominator * scale)


@dataclass(frozen=True, slots=True)
class Stake:
    """An account in danger, seen from one of its legs."""

    size: int  # [base wad] signed
    price: int  # [USD wad] the mark
    equity: int  # [USD wad] E of the whole account
    requirement: int  # [USD wad] MM of the whole account
    load: Load

    @property
    def rest(self) -> int:
        """MM of the other legs."""
        return self.requirement - self.load.requirement(notional_of(self.size, self.price))


def notional_of(size: int, price: int) -> Usd:
    """N = ceil(|size|·P) [USD wad]."""
    return Usd(wad_mul_ceil(abs(size), price))


def discount(terms: AuctionTerms, calm_mmr: int, elapsed: int) -> Ppm:
    """d(t) [ppm of the price], rounded down; elapsed since t0 [s], paused time not counted."""
    span = terms.discount_max - terms.discount_min
    share = terms.discount_min + mul_div_floor(span, min(elapsed, terms.duration), terms.duration)
    return rate_of(share, calm_mmr)


def rate_of(share: int, calm_mmr: int) -> Ppm:
    """A share of the market's calm MMR_0 as a rate of notional [ppm], rounded down."""
    return Ppm(mul_div_floor(calm_mmr, share, PPM))


def insurance_fee(terms: AuctionTerms, calm_mmr: int) -> Ppm:
    """f_ins [ppm of notional], rounded down."""
    return rate_of(terms.insurance_fee, calm_mmr)


def take_price(mark: int, rate: int, *, is_long: bool) -> Price:
    """What a taker pays for a long, or is paid against a short: the account never loses more than
    the discount [USD wad]."""
    if is_long:
        return Price(mul_div_ceil(mark, PPM - rate, PPM))
    return Price(mul_div_floor(mark, PPM + rate, PPM))


def collateral_discount(elapsed: int, haircut: int, duration: int) -> Ppm:
    """Step 0: from 0 to the token's MM haircut at T, on to all of the price at 2T [ppm]."""
    if elapsed < duration:
        return Ppm(mul_div_floor(haircut, elapsed, duration))
    rest = min(elapsed - duration, duration)
    return Ppm(haircut + mul_div_floor(PPM - haircut, rest, duration))


def is_sound(terms: AuctionTerms) -> bool:
    """``d_min <= d_max`` and ``d_max + f_ins < ⅔`` of calm MMR_0."""
    numerator, denominator = TWO_THIRDS
    total = terms.discount_max + terms.insurance_fee
    return 0 <= terms.discount_min <= terms.discount_max and denominator * total < numerator * PPM


def is_backstop(equity: int, requirement: int) -> bool:
    """E < ⅔·MM, compared by multiplication."""
    return 3 * equity < 2 * requirement


def is_restored(equity: int, requirement: int, buffer: int) -> bool:
    """E >= (1 + b)·MM, buffer b in ppm."""
    return PPM * equity >= (PPM + buffer) * requirement


def shortfall_after(stake: Stake, size: int, fee: int, buffer: int) -> int:
    """PPM·[(1 + b)·MM' - E'] after ``size`` is taken at the fee [ppm]; <= 0 is restored.

    With every rounding of a real take against the account.
    """
    left = notional_of(abs(stake.size) - size, stake.price)
    requirement = stake.rest + stake.load.requirement(left)
    cost = mul_div_ceil(wad_mul_ceil(size, stake.price), fee, PPM)
    return (PPM + buffer) * requirement - PPM * (stake.equity - cost)


def liquidation_size(stake: Stake, fee: int, buffer: int) -> Size:
    """q*: the least size that restores (1 + b)·MM, all of the leg if none does [base wad].

    Newton's rule on a convex, piecewise linear function, exact (contracts/modules/margin.vy): each
    step divides what is missing by the slope of the bracket the remainder lies in, so it never
    passes the root and ends in the bracket it lands in. N is rounded up once, nothing else is
    rounded: after the take the account is restored up to 5 wei.
    """
    whole = abs(stake.size)
    taken = 0
    while taken < whole:
        missing, slope = _missing_and_slope(stake, taken, fee, buffer)
        if missing <= 0:
            return Size(taken)
        if slope <= 0:
            break
        taken += div_ceil(missing, slope * stake.price)
    return Size(whole)


def q_star_reference(stake: Stake, fee: int, buffer: int) -> Fraction | None:
    """q* in rational numbers; None: the whole leg goes.

    Independent of `liquidation_size`: (1+b)·MM'(q) - E'(q) is linear between the sizes at which the
    remainder crosses a bound, so its root is found by interpolation between two of those.
    """
    whole = Fraction(abs(stake.size))

    def missing(size: Fraction) -> Fraction:
        left = (whole - size) * stake.price / WAD
        requirement = stake.rest + stake.load.exact(left)
        cost = size * stake.price / WAD * fee / PPM
        return Fraction(PPM + buffer, PPM) * requirement - (stake.equity - cost)

    if missing(Fraction(0)) <= 0:
        return Fraction(0)
    knots = sorted({Fraction(0), whole, *_crossings(stake)})
    for low, high in pairwise(knots):
        at_low, at_high = missing(low), missing(high)
        if at_high <= 0 < at_low:
            return low + (high - low) * at_low / (at_low - at_high)
    return None


def least_take(q_star: int, minimum: int) -> Size:
    """The smallest take: min(q*, max(10 % of q*, the market's minimum))."""
    return Size(min(q_star, max(div_ceil(q_star, 10), minimum)))


def _missing_and_slope(stake: Stake, taken: int, fee: int, buffer: int) -> tuple[int, int]:
    """(1+b)·MM' - E' and the rate at which a unit of notional lowers it.

    Both times PPM·denominator, the first also times 1e18 so that P·q is whole.
    """
    load, blend = stake.load, stake.load.blend
    left = notional_of(stake.size, stake.price) * WAD - stake.price * taken
    margin = blend.numerator(left, load.severity, load.depth * WAD)
    margin += max(0, stake.rest) * blend.denominator * WAD
    rate = blend.marginal(left, load.severity, load.depth * WAD)
    equity = (PPM * WAD * stake.equity - fee * taken * stake.price) * blend.denominator
    return (PPM + buffer) * margin - equity, (PPM + buffer) * rate - fee * blend.denominator


def _crossings(stake: Stake) -> list[Fraction]:
    """Sizes at which the remainder's notional is exactly a bound."""
    depth = stake.load.depth
    bounds = {b.bound for b in (*stake.load.blend.old, *stake.load.blend.new)}
    whole = abs(stake.size)
    sizes = [whole - Fraction(depth * bound * 10**12 * WAD, stake.price) for bound in bounds]
    return [size for size in sizes if 0 < size < whole]


@dataclass(frozen=True, slots=True)
class Exposure:
    """One leg while its market moves alone: everything else of the account stands still."""

    size: int  # [base wad] signed
    base: int  # [USD wad] floor(scaled·credit) - z
    funding: int  # [USD wad per base] F
    other_equity: int  # [USD wad] E without this leg
    other_requirement: int  # [USD wad] MM without this leg
    load: Load


def surplus_at(exposure: Exposure, price: int) -> Usd:
    """E - MM with this market at ``price``; negative is liquidatable [USD wad]."""
    value = wad_mul_floor(exposure.size, price - exposure.funding) + exposure.base
    requirement = exposure.load.requirement(notional_of(exposure.size, price))
    return Usd(exposure.other_equity + value - exposure.other_requirement - requirement)


def liquidation_price(exposure: Exposure) -> Price | None:
    """The last price, coming from the safe side, at which E >= MM [USD wad].

    For a long the lowest such price, for a short the highest: one wei further and the account is
    liquidatable. None where no price in [1 wei, 1e9 USD] is the border: the account is safe, or
    liquidatable, at all of them. Exact in the tiers and in every rounding: bisection over integers.
    """
    if exposure.size == 0:
        return None
    is_long = exposure.size > 0
    safe, unsafe = (MAX_PRICE, 1) if is_long else (1, MAX_PRICE)
    if surplus_at(exposure, safe) < 0 or surplus_at(exposure, unsafe) >= 0:
        return None
    return Price(_last_safe(lambda price: surplus_at(exposure, price) >= 0, safe, unsafe))


def _last_safe(is_safe: Callable[[int], bool], safe: int, unsafe: int) -> int:
    while abs(safe - unsafe) > 1:
        middle = (safe + unsafe) // 2
        if is_safe(middle):
            safe = middle
        else:
            unsafe = middle
    return safe
