"""Acceptance of reports: median, guards, the held jump, settling, funding (DESIGN 6)."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.engine import prices, reports, tiers
from oracle.engine.clocks import Line, Slopes
from oracle.engine.effective_time import AFTERMATH, OLD, REDUCE_ONLY, UNKNOWN, Clock, PriceRules
from oracle.engine.prices import Asset, Config, FeedReading, FeedRule, Mark
from oracle.engine.reports import Batch, pack_quote
from oracle.engine.tiers import Schedule
from oracle.engine.units import PPM, WAD, Ppm, Seconds

from .world import ROWS

NOW = 1_700_000_000
SLOPES = Slopes(50_000, 50_000, 50_000, 10_000, 9_000, Ppm(250_000))
LINE = Line(Ppm(0), Ppm(0), Ppm(0), Ppm(PPM), Ppm(PPM), Ppm(PPM), Seconds(NOW - 100))
IM, MM = tiers.split_rows(ROWS)
PRICE = 100 * WAD


def asset(**mark: int) -> Asset:
    known = {"price": PRICE, "observed": NOW - 10, "lag": 0} | mark
    return Asset(
        config=Config(max_move=90_000),
        line=LINE,
        im=Schedule(IM, IM),
        mm=Schedule(MM, MM),
        mark=Mark(**known),
    )


def batch(now: int = NOW, observed: int | None = None, **rules: int) -> Batch:
    return Batch(
        clock=Clock(PriceRules(**rules)),
        slopes=SLOPES,
        ramp=3_600,
        timestamp=now,
        now=now,
        observed=now if observed is None else observed,
        base=0,
    )


def say(stored: Asset, price: int, now: int = NOW, premium: int = 0) -> tuple[Asset, int]:
    return reports.report_asset(stored, [pack_quote(price, premium)], None, batch(now))


def status(stored: Asset, now: int = NOW) -> int:
    return prices.status_of(stored, 0, now).bits


@given(st.lists(st.integers(1, 10**27), min_size=1, max_size=9))
def test_median__any_quotes__is_the_lower_middle(values: list[int]) -> None:
    found = reports.median([pack_quote(value, 0) for value in values]) >> 32
    assert found == sorted(values)[(len(values) - 1) // 2]


@given(st.integers(1, 10**27), st.integers(-(2**31), 2**31 - 1))
def test_quote__packed__sorts_by_price_and_keeps_the_premium(price: int, premium: int) -> None:
    packed = pack_quote(price, premium)
    assert packed >> 32 == price
    assert (packed & reports.PREMIUM_MASK) - reports.PREMIUM_ZERO == premium


@given(st.integers(-(10**6), 10**6), st.integers(0, 100_000))
def test_rate__any_premium__is_clamped_and_rounded_down(premium: int, cap: int) -> None:
    exact = Fraction(max(-cap, min(cap, premium)), PPM * 8 * 3_600) * 10**11
    assert reports.rate_of(premium, cap) == math.floor(exact)


def test_rate__largest_cap__fits_24_bits() -> None:
    assert abs(reports.rate_of(-(10**9), 100_000)) < 2**23


@given(
    st.integers(1, 10**27),
    st.integers(-(2**23), 2**23 - 1),
    st.integers(0, 10**6),
    st.integers(0, 1_000),
)
def test_funding__between_reports__is_linear_and_stops_at_the_age_limit(
    price: int, rate: int, elapsed: int, lag: int
) -> None:
    mark = Mark(price=price, rate=rate, observed=NOW, lag=lag)
    run = max(0, min(elapsed, 120) - lag)
    exact = Fraction(price * rate * run, 10**11)
    assert prices.funding_at(mark, NOW + elapsed, 120) == math.floor(exact)


def test_report__accepted__continues_the_index_without_a_step() -> None:
    stored = replace(asset(rate=100_000, lag=5))
    before = prices.funding_at(stored.mark, NOW, 120)
    after, price = say(stored, PRICE, premium=1_000)
    assert price == PRICE
    assert prices.funding_at(after.mark, NOW, 120) == before > 0


@pytest.mark.parametrize(
    ("observed", "lag", "accepted"),
    [(NOW, 0, False), (NOW + 1, 0, False), (NOW - 10, 10, False), (NOW - 10, 9, True)],
)
def test_report__older_equal_or_second_in_the_block__is_skipped(
    observed: int, lag: int, accepted: bool
) -> None:
    _, price = say(asset(observed=observed, lag=lag), PRICE)
    assert (price != 0) is accepted


@pytest.mark.parametrize(
    ("quotes", "accepted"),
    [
        ([100, 100, 101], True),
        ([100, 100, 102], False),  # spread above 1 %
        ([0, 0, 0], False),
        ([10**9 + 1] * 3, False),
    ],
)
def test_report__implausible_quotes__change_nothing(quotes: list[int], accepted: bool) -> None:
    packed = [pack_quote(quote * WAD, 0) for quote in quotes]
    stored = asset()
    after, price = reports.report_asset(stored, packed, None, batch())
    assert (price != 0) is accepted
    assert accepted or after == stored


def test_first_report__whatever_the_price__is_accepted() -> None:
    stored = asset(price=0, observed=0)
    after, price = say(stored, 10**26)
    assert (price, status(after)) == (10**26, 0)


@pytest.mark.parametrize(("percent", "held"), [(9, False), (10, True), (-9, False), (-10, True)])
def test_jump__beyond_max_move__is_held(percent: int, held: bool) -> None:
    after, price = say(asset(), PRICE * (100 + percent) // 100)
    assert (price == 0) is held
    assert bool(status(after) & UNKNOWN) is held
    assert after.mark.price == (PRICE if held else PRICE * (100 + percent) // 100)


@pytest.mark.parametrize(
    ("first", "second", "accepted"),
    [(70, 65, 70), (65, 70, 70), (70, 70, 70), (130, 140, 130), (70, 95, 95), (70, 130, 0)],
)
def test_jump__second_report__confirms_the_nearer_of_the_same_side(
    first: int, second: int, accepted: int
) -> None:
    held, _ = say(asset(), first * WAD)
    _, price = say(held, second * WAD, now=NOW + 60)
    assert price == accepted * WAD


def test_jump__before_the_delay__stays_held_as_it_was() -> None:
    held, _ = say(asset(), 70 * WAD)
    again, price = say(held, 60 * WAD, now=NOW + 50)
    assert (price, again.jump) == (0, held.jump)


def test_jump__other_side__replaces_the_held_one() -> None:
    held, _ = say(asset(), 70 * WAD)
    other, price = say(held, 130 * WAD, now=NOW + 10)
    assert (price, other.jump.price, other.jump.observed) == (0, 130 * WAD, NOW + 10)
    assert other.settling.reference == PRICE


def test_crash__falling_all_the_way__is_confirmed() -> None:
    """Replacing the held price instead of keeping it never confirms in a real crash."""
    stored, accepted = asset(), 0
    for step in range(1, 8):
        stored, accepted = say(stored, (100 - 10 * step) * WAD, now=NOW + 10 * step)
    assert accepted == 90 * WAD


def test_large_move__beyond_mmr_0__begins_an_aftermath() -> None:
    after, _ = say(asset(), 95 * WAD)
    assert status(after) & AFTERMATH
    assert after.settling.reference == PRICE
    assert not status(after, NOW + 600) & AFTERMATH
    small, _ = say(asset(), 96 * WAD)  # MMR_0 is 4 %
    assert not status(small) & AFTERMATH


def test_settling__going_on__keeps_its_reference() -> None:
    first, _ = say(asset(), 95 * WAD)
    second, _ = say(first, 90 * WAD, now=NOW + 10)
    assert second.settling.reference == PRICE
    assert second.settling.until == NOW + 610
    for now in range(NOW + 20, NOW + 620, 10):
        second, _ = say(second, 90 * WAD, now=now)
    third, _ = say(second, 85 * WAD, now=NOW + 620)
    assert third.settling.reference == 90 * WAD


def test_gap__older_than_the_limit__is_unknown_and_then_in_grace() -> None:
    stored = asset(observed=NOW - 121)
    assert status(stored) & UNKNOWN
    after, price = say(stored, PRICE)
    assert price == PRICE
    assert status(after) & UNKNOWN
    for now in range(NOW + 10, NOW + 601, 10):
        assert status(after, now - 1) & UNKNOWN
        after, _ = say(after, PRICE, now=now)
    assert prices.status_of(after, 0, NOW + 600) == prices.Status(0, NOW + 600)


def test_age__beyond_open_max_age__is_too_old_to_open_only() -> None:
    assert status(asset(observed=NOW - 61)) == OLD
    assert status(asset(observed=NOW - 60)) == 0


@pytest.mark.parametrize(
    ("answer", "updated", "verdict"),
    [
        (100 * 10**8, NOW, "fresh"),
        (100 * 10**8, NOW - 3_601, "reduce"),
        (100 * 10**8, NOW + 1, "reduce"),
        (0, NOW, "reduce"),
        (-1, NOW, "reduce"),
        (10**6, NOW, "reduce"),  # at its lower limit
        (10**13, NOW, "reduce"),
        (111 * 10**8, NOW, "refuse"),
    ],
)
def test_reference__each_answer__is_used_or_reduces_or_refuses(
    answer: int, updated: int, verdict: str
) -> None:
    rule = FeedRule(max_age=3_600, min_answer=10**6, max_answer=10**13)
    stored = replace(asset(), feed=rule)
    after, price = reports.report_asset(
        stored, [pack_quote(PRICE, 0)], FeedReading(answer, updated), batch()
    )
    assert (price != 0) is (verdict != "refuse")
    assert bool(status(after) & REDUCE_ONLY) is (verdict == "reduce")
    assert bool(status(after) & UNKNOWN) is (verdict == "refuse")


def test_refused__next_good_report__ends_it() -> None:
    rule = FeedRule(max_age=3_600, min_answer=10**6, max_answer=10**13)
    stored = replace(asset(), feed=rule)
    refused, _ = reports.report_asset(
        stored, [pack_quote(PRICE, 0)], FeedReading(111 * 10**8, NOW), batch()
    )
    good, price = reports.report_asset(
        refused, [pack_quote(PRICE, 0)], FeedReading(100 * 10**8, NOW), batch(NOW + 10)
    )
    assert price == PRICE
    assert prices.status_of(good, 0, NOW + 10) == prices.Status(0, NOW + 10)
