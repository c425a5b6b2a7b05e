"""Interest on negative cash, and the insurance fund's buckets (FORMULAS 9)."""

from __future__ import annotations

from oracle.engine.rounding import mul_div_ceil, mul_div_floor, positive
from oracle.engine.units import RAY, Ray, Usd

YEAR = 365 * 86_400


def accrued_index(index: int, rate: int, elapsed: int) -> Ray:
    """J += rate·dt; rate in ray a second, time less paused time."""
    return Ray(index + rate * elapsed)


def owed(cash: int, index: int, index_before: int) -> Usd:
    """ceil(max(0, -cash)·(J - J0)): positive cash pays none [USD wad]."""
    return Usd(mul_div_ceil(positive(-cash), index - index_before, RAY))


def bucket_after_fees(bucket: int, fees: int, cap: int) -> Usd:
    """A market's bucket: b = min(cap, b + fees of the market)."""
    return Usd(min(cap, bucket + fees))


def ray_per_second(annual_ppm: int) -> Ray:
    """A yearly rate in ppm as ray a second, rounded down."""
    return Ray(mul_div_floor(annual_ppm, RAY, 10**6 * YEAR))
