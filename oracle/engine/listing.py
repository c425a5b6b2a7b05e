"""What governance may set of an asset (contracts/modules/listing.vy, schedules.vy)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from oracle.engine import prices
from oracle.engine.effective_time import PriceRules
from oracle.engine.prices import Asset, Config
from oracle.engine.steward import PushRules
from oracle.engine.tiers import TierRow, encode_decimal
from oracle.engine.units import PPM, require

BUFFER: Final = 250_000  # [ppm] b
MAX_BRACKETS: Final = 8
AGE_UNIT: Final = 4  # [s]
SIZE_MANTISSA: Final = 2**20 - 1
SIZE_EXPONENTS: Final = 31


def check_bounds(value: int, low: int, high: int) -> None:
    """Refuse a parameter outside [low, high]."""
    require(low <= value <= high, "out of bounds")


def check_rows(rows: Sequence[TierRow], *, is_market: bool) -> None:
    """Bounds rise, rates do not fall, calm <= storm <= 1, (1 + b)·MMR <= IMR of a market."""
    factor = PPM + BUFFER if is_market else PPM
    require(0 < len(rows) <= MAX_BRACKETS, "bad schedule")
    require(not is_market or rows[0].mm_calm > 0, "bad schedule")
    require(rows[0].bound > 0, "bad schedule")
    for low, high in pairwise(rows):
        require(_rises(low, high), "bad schedule")
    for row in rows:
        require(_fits(row, factor), "bad schedule")
    for row in rows:
        require(encode_decimal(row.bound) is not None, "not representable")


def check_config(config: Config) -> None:
    """Each parameter within its bounds, and fitting the others."""
    check_bounds(config.band, 1, 200_000)
    check_bounds(config.max_move, 1, PPM)
    check_bounds(config.max_deviation, 1, 200_000)
    check_bounds(config.funding_cap, 0, 100_000)
    check_bounds(config.price_max_age, 60, (2**14 - 1) * AGE_UNIT)
    check_bounds(config.open_max_age, AGE_UNIT, (2**10 - 1) * AGE_UNIT)
    check_bounds(config.maker_fee, 0, 10_000)
    check_bounds(config.taker_fee, 0, 10_000)
    require(config.price_max_age % AGE_UNIT == 0, "bad parameters")
    require(config.open_max_age % AGE_UNIT == 0, "bad parameters")
    require(config.open_max_age <= config.price_max_age, "bad parameters")
    has_caps = config.soft_cap < config.hard_cap
    require(has_caps or config.soft_cap == config.hard_cap == 0, "bad parameters")


def check_representable(config: Config) -> None:
    """Minimum size and caps fit their decimal floats."""
    require(_is_representable_size(config.min_size), "not representable")
    require(encode_decimal(config.soft_cap) is not None, "not representable")
    require(encode_decimal(config.hard_cap) is not None, "not representable")


def check_move(asset: Asset, config: Config, now: int, ramp: int) -> None:
    """max_move + the larger fee <= calm IMR_0 of every table in force or coming."""
    largest = config.max_move + max(config.maker_fee, config.taker_fee)
    require(largest <= asset.im.new[0].calm, "bad parameters")
    if is_ramping(asset, now, ramp):
        require(largest <= asset.im.old[0].calm, "bad parameters")


def is_ramping(asset: Asset, now: int, ramp: int) -> bool:
    """Whether a new table is still blending in."""
    return prices.blend_of(asset, asset.im, now, ramp).ramp != 1


def check_price_rules(rules: PriceRules) -> None:
    """Bounds of the rules all reports share."""
    check_bounds(rules.period, 1, 500)
    check_bounds(rules.max_spread, 1, 100_000)
    check_bounds(rules.confirm_delay, 1, 3_600)
    check_bounds(rules.grace, 60, 7_200)
    check_bounds(rules.settle_window, 60, 7_200)


def check_push_rules(rules: PushRules) -> None:
    """Bounds of the steward's rules."""
    check_bounds(rules.step_up, 1, 250_000)
    check_bounds(rules.step_down, 1, 50_000)
    check_bounds(rules.depth_fall, 1, 250_000)
    check_bounds(rules.depth_rise, 1, 50_000)
    check_bounds(rules.min_delay, 60, 86_400)
    check_bounds(rules.max_age, 3 * rules.min_delay, 2_592_000)
    check_bounds(rules.depth_min, 50_000, PPM)


def _rises(low: TierRow, high: TierRow) -> bool:
    return (
        high.bound > low.bound
        and high.im_calm >= low.im_calm
        and high.im_storm >= low.im_storm
        and high.mm_calm >= low.mm_calm
        and high.mm_storm >= low.mm_storm
    )


def _fits(row: TierRow, factor: int) -> bool:
    return (
        row.im_calm <= row.im_storm <= PPM
        and row.mm_calm <= row.mm_storm <= PPM
        and factor * row.mm_calm <= PPM * row.im_calm
        and factor * row.mm_storm <= PPM * row.im_storm
    )


def _is_representable_size(size: int) -> bool:
    """Mantissa 20 bits · 10^(5 bits)."""
    for _ in range(SIZE_EXPONENTS + 1):
        if size <= SIZE_MANTISSA:
            return True
        if size % 10:
            return False
        size //= 10
    return False
