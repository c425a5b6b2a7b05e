"""The outflow bucket and its queue (FORMULAS 9; contracts/modules/outflow.vy).

Net outflow: what is held may fall at most ``cap`` below a level. The level follows what was held
when last noted, at every payment and every deposit of collateral: down by cap a window, up to it
within a window. Wall time: the bucket refills during a pause. What waits has left the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from oracle.engine.rounding import mul_div_floor, positive
from oracle.engine.units import require

GRAIN: Final = 10**12  # [wad] unit of the stored amounts
MAX_GRAINS: Final = 2**64 - 1
MAX_CAP: Final = MAX_GRAINS * GRAIN  # [wad]
MIN_WINDOW: Final = 3_600
MAX_WINDOW: Final = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Bucket:
    """What is held may fall by ``cap`` below the level."""

    cap: int  # [grains]
    window: int  # [s]
    level: int = 0  # [grains] as of `at`
    held: int = 0  # [grains] when last noted
    at: int = 0  # [Unix time]


def level_now(bucket: Bucket, timestamp: int) -> int:
    """The level as of now [grains]."""
    elapsed = min(timestamp - bucket.at, bucket.window)
    if bucket.level < bucket.held:
        rise = bucket.held - bucket.level
        return bucket.level + mul_div_floor(rise, elapsed, bucket.window)
    fall = mul_div_floor(bucket.cap, elapsed, bucket.window)
    return bucket.level - min(bucket.level - bucket.held, fall)


def pay(bucket: Bucket, held: int, due: int, unit: int, timestamp: int) -> tuple[Bucket, int]:
    """The bucket after what it has room for of ``due`` [wad] left, in whole token units.

    held [wad]: the tokens there before this payment, those that wait included.
    """
    level = level_now(bucket, timestamp)
    room = positive(held + bucket.cap * GRAIN - level * GRAIN)
    paid = min(due, room) // unit * unit
    kept = min((held - paid) // GRAIN, MAX_GRAINS)
    return replace(bucket, level=level, held=kept, at=timestamp), paid


def note(bucket: Bucket, held: int, timestamp: int) -> Bucket:
    """The bucket after something came in: ``held`` [wad] is what is there with it."""
    kept = min(held // GRAIN, MAX_GRAINS)
    return replace(bucket, level=level_now(bucket, timestamp), held=kept, at=timestamp)


def reset(bucket: Bucket | None, cap: int, window: int) -> Bucket:
    """A bucket with another cap [wad]; the level stays, so what left already stays counted."""
    require(cap <= MAX_CAP and MIN_WINDOW <= window <= MAX_WINDOW, "outflow")
    cap //= GRAIN
    return replace(bucket or Bucket(cap, window), cap=cap, window=window)


def check_amount(amount: int) -> None:
    """Refuse nothing, and what no token has."""
    require(0 < amount < 2**127, "amount")
