"""What governance may set: every bound has a value just inside and one just outside."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from oracle.engine import listing
from oracle.engine.effective_time import PriceRules
from oracle.engine.steward import PushRules
from oracle.engine.tiers import TierRow
from oracle.engine.units import PPM, Refused

from .world import HAIRCUTS, ROWS, World, config

Change = dict[str, Any]


def is_refused(verb: Any) -> bool:
    try:
        verb()
    except Refused:
        return True
    return False


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        ({"band": 200_000}, True),
        ({"band": 200_001}, False),
        ({"band": 0}, False),
        ({"funding_cap": 100_001}, False),
        ({"price_max_age": 65_532, "open_max_age": 60}, True),
        ({"price_max_age": 65_536}, False),
        ({"price_max_age": 122}, False),
        ({"open_max_age": 124, "price_max_age": 120}, False),
        ({"maker_fee": 10_001}, False),
        ({"soft_cap": 10, "hard_cap": 10}, False),
        ({"soft_cap": 0, "hard_cap": 10}, True),
        ({"soft_cap": 0, "hard_cap": 0}, True),
        ({"min_size": 123_456_789}, False),
        ({"hard_cap": 12_345_678}, False),
        ({"max_move": 99_500, "taker_fee": 500}, True),
        ({"max_move": 99_501, "taker_fee": 500}, False),  # beyond calm IMR_0 less the fee
    ],
)
def test_config__each_bound__is_checked(change: Change, fits: bool) -> None:
    world = World()
    assert is_refused(lambda: world.p.set_config(0, config(**change))) is not fits


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        ({}, True),
        ({"mm_calm": 0}, False),
        ({"mm_calm": 80_001}, False),  # (1 + b)·MMR > IMR
        ({"im_storm": PPM + 1}, False),
        ({"im_storm": 99_999}, False),
        ({"bound": 0}, False),
        ({"bound": 1_234_567}, False),
    ],
)
def test_rows__each_rule__is_checked(change: Change, fits: bool) -> None:
    rows = [replace(ROWS[0], **change)]
    assert is_refused(lambda: listing.check_rows(rows, is_market=True)) is not fits


def test_rows__more_than_eight_or_none__are_refused() -> None:
    rows = [TierRow(10 * (k + 1), 100_000, 200_000, 50_000, 100_000) for k in range(9)]
    assert not is_refused(lambda: listing.check_rows(rows[:8], is_market=True))
    assert is_refused(lambda: listing.check_rows(rows, is_market=True))
    assert is_refused(lambda: listing.check_rows([], is_market=True))


def test_haircuts__need_no_buffer_but_mm_below_im() -> None:
    listing.check_rows(HAIRCUTS, is_market=False)
    equal = [TierRow(100, 100_000, 200_000, 100_000, 200_000)]
    listing.check_rows(equal, is_market=False)
    assert is_refused(lambda: listing.check_rows(equal, is_market=True))
    above = [TierRow(100, 100_000, 200_000, 100_001, 200_000)]
    assert is_refused(lambda: listing.check_rows(above, is_market=False))


@pytest.mark.parametrize(
    "rules",
    [
        PriceRules(period=0),
        PriceRules(period=501),
        PriceRules(max_spread=100_001),
        PriceRules(confirm_delay=0),
        PriceRules(grace=59),
        PriceRules(settle_window=7_201),
    ],
)
def test_price_rules__out_of_bounds__are_refused(rules: PriceRules) -> None:
    assert is_refused(lambda: listing.check_price_rules(rules))


@pytest.mark.parametrize(
    "rules",
    [
        PushRules(step_up=250_001),
        PushRules(step_down=50_001),
        PushRules(depth_fall=0),
        PushRules(depth_rise=50_001),
        PushRules(min_delay=59),
        PushRules(min_delay=3_001),  # max_age below three of it
        PushRules(depth_min=49_999),
    ],
)
def test_push_rules__out_of_bounds__are_refused(rules: PushRules) -> None:
    assert is_refused(lambda: listing.check_push_rules(rules))


def test_dead_price__longer_age__cannot_bring_it_back() -> None:
    world = World()
    world.p.advance(121)
    assert is_refused(lambda: world.p.set_config(0, config(price_max_age=400)))
    world.report()
    world.p.set_config(0, config(price_max_age=400))
