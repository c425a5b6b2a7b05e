"""Side indices: funding and deleveraging in O(1) (FORMULAS 1; contracts/modules/side_index.vy).

``g = price - F`` is the funding-adjusted price [USD wad per base], F the risk engine's funding
index, and ``credit`` is K without its funding part: ``X_long = credit + A·g`` and
``X_short = credit - A·g``. Putting ``K = credit ∓ A·F`` gives FORMULAS 1 to the letter, so funding
writes nothing here (tests/unit/engine_twin/test_representation.py shows it in rational numbers).

A position is one pair (scaled, z), both signed; scaled > 0 is long. A side is *cut* once a
deleveraging or a charge touched it in its epoch; until then A = RAY, credit = 0, nothing rounds.
On a cut side sizes round against the account, so the longs hold up to a few wei less than the
shorts; where F > P that gap would be a claim, so each operation there pays `GAP_RESERVE` a wei.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from oracle.engine.rounding import (
    mul_div_ceil,
    mul_div_floor,
    wad_mul_ceil,
    wad_mul_floor,
)
from oracle.engine.units import RAY, Credit, Ray, Scaled, Size, Usd

GAP_RESERVE: Final = 2 * 10**10  # [USD wad per wei of gap] more than |g| is ever
A_MIN: Final = 10**18  # [ray] below it the market settles at mark
MIN_SIDE: Final = 1_000  # [base wad] a side with less left settles


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a market in its current epoch."""

    scale: Ray  # A
    credit: Credit  # K without funding
    total: Scaled  # Q^
    epoch: int
    cut: bool


@dataclass(frozen=True, slots=True)
class Position:
    """What an account holds in a market."""

    scaled: Scaled  # signed
    z: Usd
    epoch: int

    @property
    def is_long(self) -> bool:
        """Whether the position is long; a flat one is not."""
        return self.scaled > 0


FLAT: Final = Position(scaled=Scaled(0), z=Usd(0), epoch=0)


def fresh_side(epoch: int) -> Side:
    """An empty side: A = 1, nothing credited."""
    return Side(scale=Ray(RAY), credit=Credit(0), total=Scaled(0), epoch=epoch, cut=False)


def size_of(scaled: int, scale: int) -> Size:
    """Effective signed size: one floor of the signed product, so a short's magnitude rounds up."""
    return Size(mul_div_floor(scaled, scale, RAY))


def base_of(position: Position, side: Side) -> Usd:
    """What a leg is worth besides ``size·g``: floor(|scaled|·credit) - z - reserve [USD wad]."""
    if not side.cut:
        return Usd(-position.z)
    credited = mul_div_floor(abs(position.scaled), side.credit, RAY)
    return Usd(credited - position.z - GAP_RESERVE)


def value_of(position: Position, side: Side, g: int) -> Usd:
    """V of a leg at the funding-adjusted price g [USD wad]."""
    return Usd(wad_mul_floor(size_of(position.scaled, side.scale), g) + base_of(position, side))


def side_value(side: Side, g: int, *, is_long: bool) -> int:
    """Q^·X of a side times RAY·1e18, so that nothing rounds."""
    index = side.credit * 10**18 + (side.scale if is_long else -side.scale) * g
    return side.total * index


def open_leg(
    side: Side, position: Position, size: int, g: int, *, is_long: bool
) -> tuple[Side, Position]:
    """Add ``size`` > 0 at g to a position of this side (or a flat one)."""
    scaled = _scaled_to_open(side, size, is_long=is_long)
    z = wad_mul_ceil(size, g) if is_long else -wad_mul_floor(size, g)
    if side.cut:
        z += mul_div_ceil(scaled, side.credit, RAY) + GAP_RESERVE
    opened = Position(
        scaled=Scaled(position.scaled + (scaled if is_long else -scaled)),
        z=Usd(position.z + z),
        epoch=side.epoch,
    )
    return replace(side, total=Scaled(side.total + scaled)), opened


def close_leg(side: Side, position: Position, size: int, g: int) -> tuple[Side, Position, Usd]:
    """Close ``size`` > 0 of a position at g; realises z pro rata into cash.

    Returns the side, the position left and the cash [USD wad]. The whole effective size takes all
    of the scaled size with it.
    """
    held = abs(position.scaled)
    removed = _scaled_to_close(side, position, size)
    z = mul_div_ceil(position.z, held - removed, held) if removed != held else 0
    proceeds = wad_mul_floor(size, g) if position.is_long else -wad_mul_ceil(size, g)
    realised = proceeds - (position.z - z)
    if side.cut:
        realised += mul_div_floor(removed, side.credit, RAY) - GAP_RESERVE
    left = FLAT
    if removed != held:
        sign = 1 if position.is_long else -1
        left = Position(scaled=Scaled(sign * (held - removed)), z=Usd(z), epoch=position.epoch)
    return replace(side, total=Scaled(side.total - removed)), left, Usd(realised)


def cut_shorts(side: Side, size: int, charge: int, g: int) -> Side:
    """A long of ``size`` was closed at g: every short is cut by the same fraction and charged."""
    owed = wad_mul_ceil(size, g) + charge + _gap_reserve(side.total)
    return replace(
        side,
        scale=Ray(side.scale - mul_div_floor(size, RAY, side.total)),
        credit=Credit(side.credit - mul_div_ceil(owed, RAY, side.total)),
        cut=True,
    )


def cut_longs(side: Side, size: int, charge: int, g: int) -> Side:
    """A short of ``size`` was closed at g; the longs may hold a few wei less than it."""
    held = min(size, mul_div_floor(side.total, side.scale, RAY))
    earned = wad_mul_floor(held, g) - charge - _gap_reserve(side.total)
    return replace(
        side,
        scale=Ray(side.scale - mul_div_ceil(held, RAY, side.total)),
        credit=Credit(side.credit + mul_div_floor(earned, RAY, side.total)),
        cut=True,
    )


def settled_credit(side: Side, g: int, *, is_long: bool) -> Credit:
    """K at the end of an epoch: all of X at the settlement price."""
    if is_long:
        return Credit(side.credit + wad_mul_floor(side.scale, g))
    return Credit(side.credit - wad_mul_ceil(side.scale, g))


def ended_value(position: Position, final_credit: int) -> Usd:
    """Value of a position of an ended epoch: no price, no margin, no open interest."""
    return Usd(mul_div_floor(abs(position.scaled), final_credit, RAY) - position.z)


def effective_total(side: Side, *, is_long: bool) -> Size:
    """Effective size of a whole side [base wad]: long floor, short ceil."""
    signed = size_of(side.total if is_long else -side.total, side.scale)
    return Size(abs(signed))


def _scaled_to_open(side: Side, size: int, *, is_long: bool) -> int:
    if is_long:
        return mul_div_floor(size, RAY, side.scale)
    return mul_div_ceil(size, RAY, side.scale)


def _scaled_to_close(side: Side, position: Position, size: int) -> int:
    if size == abs(size_of(position.scaled, side.scale)):
        return abs(position.scaled)
    if position.is_long:
        return mul_div_ceil(size, RAY, side.scale)
    return mul_div_floor(size, RAY, side.scale)


def _gap_reserve(total: int) -> int:
    """A deleveraging opens a gap of at most total/RAY + 1 wei (invariant 3) [USD wad]."""
    return (total // RAY + 1) * GAP_RESERVE
