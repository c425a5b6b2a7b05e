"""FORMULAS 3, 4 and 6 once more, in rational numbers and as they read."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, floor

from .harness import PPM, WAD

Table = Sequence[tuple[int, int, int, int, int]]
B = Fraction(1, 4)


def moved(slope: int, since: int, now: int) -> int:
    """Absolute rounding: telescopes."""
    return now * slope // 3600 - since * slope // 3600


def rates(table: Table, kind: int, severity: int) -> list[Fraction]:
    out = []
    for row in table:
        calm, storm = row[1 + 2 * kind], row[2 + 2 * kind]
        out.append((calm + Fraction(severity * (storm - calm), PPM)) / PPM)
    return out


def tiered(table: Table, kind: int, n: Fraction | int, severity: int, depth: int) -> Fraction:
    """R(N; s, depth), N in wei, in the deduction form N·r_k - depth·D_k."""
    bounds = [Fraction(depth, PPM) * row[0] * WAD for row in table]
    by_bracket = rates(table, kind, severity)
    k = next((i for i, u in enumerate(bounds) if n < u), len(table) - 1)
    deduction = sum(
        (bounds[i - 1] * (by_bracket[i] - by_bracket[i - 1]) for i in range(1, k + 1)), Fraction(0)
    )
    return n * by_bracket[k] - deduction


def blended(
    new: Table, old: Table, share: Fraction, kind: int, n: Fraction | int, severity: int, depth: int
) -> Fraction:
    """While a table ramps in; share of the new one."""
    return share * tiered(new, kind, n, severity, depth) + (1 - share) * tiered(
        old, kind, n, severity, depth
    )


def liquidation_size(
    table: Table, size: int, price: int, equity: int, rest: int, fee: int, severity: int, depth: int
) -> int:
    """FORMULAS 4: the bracket the remainder lands in decides; the whole leg if none does."""
    n = ceil(Fraction(size * price, WAD))
    p = Fraction(price, WAD)
    f = Fraction(fee, PPM)

    def missing(q: Fraction | int) -> Fraction:
        left = tiered(table, 1, n - p * q, severity, depth)
        return (1 + B) * (rest + left) - (equity - f * p * q)

    if missing(0) <= 0:
        return 0
    by_bracket = rates(table, 1, severity)
    bounds = [Fraction(depth, PPM) * row[0] * WAD for row in table]
    for k in reversed(range(len(table))):
        low = bounds[k - 1] if k else Fraction(0)
        high = bounds[k] if k + 1 < len(table) else None
        deduction = sum(
            (bounds[i - 1] * (by_bracket[i] - by_bracket[i - 1]) for i in range(1, k + 1)),
            Fraction(0),
        )
        need = (1 + B) * (rest + n * by_bracket[k] - deduction) - equity
        q = need / (p * ((1 + B) * by_bracket[k] - f))
        remainder = n - p * q
        if q >= 0 and remainder > low and (high is None or remainder <= high):
            return min(ceil(q), size)
    return size


def wad_floor(x: int, y: int) -> int:
    return floor(Fraction(x * y, WAD))


def wad_ceil(x: int, y: int) -> int:
    return ceil(Fraction(x * y, WAD))
