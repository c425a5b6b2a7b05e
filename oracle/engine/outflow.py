"""The outflow bucket and its queue (FORMULAS 9; contracts/modules/outflow.vy).

Wall time: the bucket refills during a pause. What waits has left the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from oracle.engine.rounding import mul_div_floor, positive
from oracle.engine.units import require

MAX_CAP: Final = 2**96 - 1
MIN_WINDOW: Final = 3_600
MAX_WINDOW: Final = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Bucket:
    """At most ``cap`` leaves in a ``window``, refilled linearly."""

    cap: int  # [wad]
    window: int  # [s]
    out: int = 0  # [wad] as of `at`
    at: int = 0  # [Unix time]


def out_now(bucket: Bucket, timestamp: int) -> int:
    """max(0, out - cap·dt/window) [wad]"""
    elapsed = min(timestamp - bucket.at, bucket.window)
    return positive(bucket.out - mul_div_floor(bucket.cap, elapsed, bucket.window))


def pay(bucket: Bucket, due: int, unit: int, timestamp: int) -> tuple[Bucket, int]:
    """The bucket after what it has room for of ``due`` [wad] left, in whole token units."""
    out = out_now(bucket, timestamp)
    paid = min(due, positive(bucket.cap - out)) // unit * unit
    if paid == 0:
        return bucket, 0
    return replace(bucket, out=out + paid, at=timestamp), paid


def reset(bucket: Bucket | None, cap: int, window: int, timestamp: int) -> Bucket:
    """A bucket with another cap; what left already stays counted."""
    require(cap <= MAX_CAP and MIN_WINDOW <= window <= MAX_WINDOW, "outflow")
    out = out_now(bucket, timestamp) if bucket else 0
    return Bucket(cap=cap, window=window, out=out, at=timestamp)


def check_amount(amount: int) -> None:
    """Refuse nothing, and what no token has."""
    require(0 < amount < 2**127, "amount")
