"""Tier schedules: the progressive requirement R(N; s, λ) (DESIGN 5, FORMULAS 6).

``R(N) = Σ_k (r_k - r_{k-1})·max(0, N - λ·U_{k-1})`` with ``r_k = calm·1e6 + s·(storm - calm)``:
the sum of every bracket's *additional* rate over the notional beyond its lower bound. It equals
``N·r_k - λ·D_k`` with stored deductions. Bounds are whole USD and λ is in ppm, so λ·U is a whole
number of wei and the sum is exact; one ceil at the end.

A table holds one kind of rate (IM, MM, or a collateral haircut) and any number of brackets; the
contracts store at most 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Final

from oracle.engine.rounding import div_ceil
from oracle.engine.units import PPM, PPM2, Ppm, Usd

BOUND_UNIT: Final = 10**12  # wei of notional per (USD · ppm of depth)
MANTISSA_BITS: Final = 20
MAX_EXPONENT: Final = 15


@dataclass(frozen=True, slots=True)
class Bracket:
    """One bracket of one kind: an upper bound, and the least and the most the protocol asks."""

    bound: int  # [USD] upper notional bound; a bound belongs to the higher bracket
    calm: Ppm
    storm: Ppm

    def rate(self, severity: int) -> int:
        """Interpolated rate at 1e12; severity in ppm."""
        return self.calm * PPM + severity * (self.storm - self.calm)


Table = tuple[Bracket, ...]


@dataclass(frozen=True, slots=True)
class Schedule:
    """A table, and the one it replaces over the clock's tier ramp (DESIGN 5)."""

    new: Table = ()
    old: Table = ()

    def replaced_by(self, table: Table) -> Schedule:
        """The schedule once a new table begins to ramp in."""
        return Schedule(new=table, old=self.new)


@dataclass(frozen=True, slots=True)
class TierRow:
    """One bracket of both kinds, as governance votes it (IRiskEngine.Bracket)."""

    bound: int  # [USD]
    im_calm: int  # [ppm]
    im_storm: int  # [ppm]
    mm_calm: int  # [ppm]
    mm_storm: int  # [ppm]


def split_rows(rows: Sequence[TierRow]) -> tuple[Table, Table]:
    """The IM and the MM table of the rows."""
    im = tuple(Bracket(row.bound, Ppm(row.im_calm), Ppm(row.im_storm)) for row in rows)
    mm = tuple(Bracket(row.bound, Ppm(row.mm_calm), Ppm(row.mm_storm)) for row in rows)
    return im, mm


@dataclass(frozen=True, slots=True)
class Blend:
    """A schedule at one moment: both tables and how far the ramp has come."""

    new: Table
    old: Table
    elapsed: int  # [s] of the ramp
    ramp: int  # [s] at least 1

    @property
    def denominator(self) -> int:
        """What `numerator` and `marginal` are counted in."""
        return PPM2 * self.ramp

    def numerator(self, notional: int, severity: int, depth: int) -> int:
        """R(N) times `denominator`, exact."""
        return self._mix(
            sum_brackets(self.old, notional, severity, depth),
            sum_brackets(self.new, notional, severity, depth),
        )

    def requirement(self, notional: int, severity: int, depth: int) -> Usd:
        """R(N) rounded up [USD wad]."""
        return Usd(div_ceil(self.numerator(notional, severity, depth), self.denominator))

    def marginal(self, notional: int, severity: int, depth: int) -> int:
        """dR/dN at N from below, times `denominator`: what shrinking the position saves."""
        return self._mix(
            marginal_rate(self.old, notional, severity, depth),
            marginal_rate(self.new, notional, severity, depth),
        )

    def is_above(self, notional: int, depth: int) -> bool:
        """Whether N is beyond the last bound of either table: nothing may be increased."""
        return any(is_above_last_bound(table, notional, depth) for table in (self.old, self.new))

    def _mix(self, old: int, new: int) -> int:
        return old * (self.ramp - self.elapsed) + new * self.elapsed


def settled(table: Table) -> Blend:
    """A table without a ramp."""
    return Blend(new=table, old=table, elapsed=1, ramp=1)


def sum_brackets(table: Table, notional: int, severity: int, depth: int) -> int:
    """R(N) at 1e12, exact. notional [USD wad], severity and depth [ppm]."""
    total = 0
    rate_below = 0
    start = 0
    for bracket in table:
        if notional <= start:
            break
        rate = bracket.rate(severity)
        total += (rate - rate_below) * (notional - start)
        rate_below = rate
        start = depth * bracket.bound * BOUND_UNIT
    return total


def marginal_rate(table: Table, notional: int, severity: int, depth: int) -> int:
    """Rate at 1e12 of the bracket that ends at or holds N; beyond the last bound the last one's."""
    rate = 0
    start = -1
    for bracket in table:
        if notional <= start:
            break
        rate = bracket.rate(severity)
        start = depth * bracket.bound * BOUND_UNIT
    return rate


def requirement(table: Table, notional: int, severity: int, depth: int) -> Usd:
    """R(N; s, λ) of a table at rest, rounded up [USD wad]."""
    return settled(table).requirement(notional, severity, depth)


def is_above_last_bound(table: Table, notional: int, depth: int) -> bool:
    """Whether nothing may be increased any more: N beyond λ times the last bound."""
    return not table or notional > depth * table[-1].bound * BOUND_UNIT


def is_valid_table(table: Table) -> bool:
    """Bounds rise, rates never fall with k at either end, calm <= storm <= 1."""
    bounds_rise = all(a.bound < b.bound for a, b in pairwise(table))
    rates_rise = all(a.calm <= b.calm and a.storm <= b.storm for a, b in pairwise(table))
    inside = all(0 <= b.calm <= b.storm <= PPM and b.bound > 0 for b in table)
    return bool(table) and bounds_rise and rates_rise and inside


def is_valid_pair(im: Table, mm: Table, buffer: int) -> bool:
    """``(1 + b)·MMR_k <= IMR_k`` at both ends, on the same bounds; buffer b in ppm."""
    if len(im) != len(mm):
        return False
    return all(
        i.bound == m.bound
        and (PPM + buffer) * m.calm <= PPM * i.calm
        and (PPM + buffer) * m.storm <= PPM * i.storm
        for i, m in zip(im, mm, strict=True)
    )


def initial_rates(mm_rates: Sequence[int], leverages: Sequence[Fraction], buffer: int) -> list[Ppm]:
    """IM rates of an exchange: max(1/leverage, (1 + b)·MMR), rounded up, never falling."""
    rates: list[Ppm] = []
    for mm_rate, leverage in zip(mm_rates, leverages, strict=True):
        by_leverage = div_ceil(PPM * leverage.denominator, leverage.numerator)
        by_buffer = div_ceil((PPM + buffer) * mm_rate, PPM)
        rates.append(Ppm(max(by_leverage, by_buffer, *rates[-1:])))
    return rates


def encode_decimal(value: int) -> int | None:
    """24-bit decimal float, mantissa 20 bits · 10^(4 bits); None where it is not exact.

    The smallest exponent that fits is used, so the encoding is unique.
    """
    for exponent in range(MAX_EXPONENT + 1):
        unit = int(10**exponent)
        mantissa, rest = divmod(value, unit)
        if rest:
            return None
        if mantissa < 2**MANTISSA_BITS:
            return mantissa << 4 | exponent
    return None


def decode_decimal(word: int) -> int:
    """The value of a 24-bit decimal float."""
    return int((word >> 4) * 10 ** (word & 15))
