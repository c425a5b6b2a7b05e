"""Division with the direction in the name; there is no unnamed division of money (DESIGN 3).

Python's ``//`` floors, Vyper's truncates toward zero: the contracts' ``_div_floor`` and
``_div_ceil`` correct for that and equal the functions here for every sign. Denominators are
positive.
"""

from __future__ import annotations

from oracle.engine.units import WAD


def div_floor(numerator: int, denominator: int) -> int:
    """Toward minus infinity."""
    return numerator // denominator


def div_ceil(numerator: int, denominator: int) -> int:
    """Toward plus infinity."""
    return -(-numerator // denominator)


def mul_div_floor(x: int, y: int, denominator: int) -> int:
    """x·y / denominator toward minus infinity."""
    return x * y // denominator


def mul_div_ceil(x: int, y: int, denominator: int) -> int:
    """x·y / denominator toward plus infinity."""
    return -(-x * y // denominator)


def wad_mul_floor(x: int, y: int) -> int:
    """x·y / 1e18 toward minus infinity."""
    return x * y // WAD


def wad_mul_ceil(x: int, y: int) -> int:
    """x·y / 1e18 toward plus infinity."""
    return -(-x * y // WAD)


def tdiv(numerator: int, denominator: int) -> int:
    """Vyper's own ``//``: toward zero. Only where a contract divides signed numbers unnamed."""
    quotient = abs(numerator) // abs(denominator)
    return quotient if (numerator < 0) == (denominator < 0) else -quotient


def positive(x: int) -> int:
    """max(0, x)"""
    return max(0, x)


def clamp(x: int, low: int, high: int) -> int:
    """x held inside [low, high]."""
    return min(max(x, low), high)
