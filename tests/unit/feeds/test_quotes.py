"""Prices as integers, and one price out of several: fixed cases and properties."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.feeds.errors import FeedError
from oracle.feeds.quotes import (
    MAX_PRICE,
    SKEW,
    WAD,
    FrozenGuard,
    Price,
    Quote,
    Refusal,
    consensus,
    median,
    to_decimal,
    to_seconds,
    to_wad,
    usd,
)

NOW = 1_700_000_000
SPREAD = 5_000  # ppm


def _quote(source: str, price: int, age: int = 0, symbol: str = "BTC") -> Quote:
    return Quote(source, symbol, price, NOW - age)


def _agree(quotes: list[Quote], **changes: object) -> Price:
    limits = {"max_spread": SPREAD, "now": NOW, "max_age": 60} | changes
    return consensus(quotes, **limits)  # type: ignore[arg-type]


def _usd(*prices: float) -> list[Quote]:
    return [_quote(f"s{i}", to_wad(price, "test", "price")) for i, price in enumerate(prices)]


# Values at the edge


@pytest.mark.parametrize(
    ("value", "wad"),
    [
        ("60000.5", 60_000_500_000_000_000_000_000),
        (60000.5, 60_000_500_000_000_000_000_000),
        (0.1, 10**17),
        ("0.000000000000000001", 1),
        ("1.0000000000000000019", 10**18 + 1),
        (1000000000, MAX_PRICE),
        (Decimal("1e-3"), 10**15),
        ("1E+2", 100 * WAD),
    ],
)
def test_a_price_becomes_an_exact_integer(value: object, wad: int) -> None:
    assert to_wad(value, "okx", "price") == wad


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), "nan is not finite"),
        ("NaN", "'NaN' is not finite"),
        ("sNaN", "'sNaN' is not finite"),
        (float("inf"), "inf is not finite"),
        ("-Infinity", "'-Infinity' is not finite"),
        (0, "0 is outside (0, 1e9]"),
        ("0.0", "'0.0' is outside"),
        (-1.5, "-1.5 is outside"),
        (1e308, "1e+308 is outside"),
        ("1e308", "'1e308' is outside"),
        ("1e999999999999", "'1e999999999999' is outside"),
        ("1000000000.1", "is outside"),
        ("1e-19", "'1e-19' is below 1e-18"),
        ("dear", "'dear' is not a number"),
        ("", "'' is not a number"),
        ("1_000", "'1_000' is not a number"),
        ("١٠", "is not a number"),
        ("1" * 101, "is not a number"),
        (None, "None is not a number"),
        ([], "[] is not a number"),
        ([1], "[1] is not a number"),
        ({}, "{} is not a number"),
        (True, "True is not a number"),
        (b"1", "b'1' is not a number"),
    ],
)
def test_a_bad_price_is_refused_by_source_and_field(value: object, reason: str) -> None:
    with pytest.raises(FeedError) as caught:
        to_wad(value, "okx", "BTC markPrice")
    message = str(caught.value)
    assert message.startswith("okx: BTC markPrice ")
    assert reason in message
    assert message.endswith(".")


@given(st.one_of(st.none(), st.booleans(), st.text(), st.floats(), st.integers(), st.binary()))
def test_whatever_comes_is_a_positive_bounded_integer_or_refused(value: object) -> None:
    try:
        wad = to_wad(value, "s", "f")
    except FeedError as error:
        message = str(error)
    else:
        assert type(wad) is int
        assert 0 < wad <= MAX_PRICE
        return
    assert message.startswith("s: f ")
    assert "\n" not in message


@pytest.mark.parametrize("value", ["-1", None, "soon", float("nan"), 2**41 * 1000, "1e400"])
def test_a_bad_time_is_refused(value: object) -> None:
    with pytest.raises(FeedError, match=r"^okx: timestamp "):
        to_seconds(value, "okx", "timestamp")


def test_milliseconds_are_cut_to_seconds() -> None:
    assert to_seconds("1700000000999", "okx", "timestamp") == 1_700_000_000
    assert to_seconds(5, "okx", "updatedAt", unit=1) == 5


def test_a_rate_may_be_negative_but_not_nan() -> None:
    assert to_decimal("-0.0003", "okx", "rate") == Decimal("-0.0003")
    with pytest.raises(FeedError):
        to_decimal("nan", "okx", "rate")


@pytest.mark.parametrize("price", [0, -1, MAX_PRICE + 1, 1.5, True, "1", None])
def test_a_quote_holds_only_a_positive_bounded_integer(price: object) -> None:
    with pytest.raises(FeedError, match=r"^okx: price "):
        Quote("okx", "BTC", price, NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize("time", [-1, 1.5, None])
def test_a_quote_has_a_whole_time(time: object) -> None:
    with pytest.raises(FeedError, match=r"^okx: observed_at "):
        Quote("okx", "BTC", WAD, time)  # type: ignore[arg-type]


def test_prices_are_shown_in_full_before_the_point() -> None:
    assert usd(123_456_789 * WAD) == "123456789"
    assert usd(60_000_500_000_000_000_000_000) == "60000.500"
    assert usd(1) == "0.000000000000000001"


# Consensus


def test_the_median_of_three() -> None:
    price = _agree(_usd(60000, 60006, 60003))
    assert price == Price("BTC", 60003 * WAD, NOW, 100, ("s0", "s1", "s2"), ())


def test_of_an_even_number_the_middle_two_are_averaged_down() -> None:
    quotes = [_quote(f"s{i}", 10**22 + i) for i in (0, 1, 2, 5)]
    assert _agree(quotes).price == 10**22 + 1


def test_one_source_a_thousand_times_too_high_is_refused_and_named() -> None:
    price = _agree(_usd(60000, 60001, 60_000_000, 60002))
    assert price.price == 60001 * WAD
    assert price.sources == ("s0", "s1", "s3")
    assert price.refused == (Refusal("s2", "60000000 is far from the median 60001.500"),)


def test_one_source_a_thousand_times_too_low_is_refused() -> None:
    assert _agree(_usd(60000, 60001, 60, 60002)).refused[0].source == "s2"


def test_three_sources_of_which_one_is_1000_times_off_give_no_price() -> None:
    """sKRW, ORA-4: the average of the two that were left is what went wrong."""
    with pytest.raises(FeedError) as caught:
        _agree(_usd(60000, 60001, 60_000_000))
    message = str(caught.value)
    assert message == (
        "BTC: no price, 2 of at least 3 sources left; refused: s2 (60000000 is far from the median"
        " 60001.000)."
    )


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_sources_give_no_price(count: int) -> None:
    with pytest.raises(FeedError, match=f"{count} of at least 3 sources left"):
        _agree(_usd(60000, 60000)[:count])


@pytest.mark.parametrize("count", [-1, 0, 1, 2])
def test_no_one_can_ask_for_fewer(count: int) -> None:
    with pytest.raises(ValueError, match="below 3"):
        _agree(_usd(1, 1, 1), min_sources=count)


def test_two_liars_of_three_that_disagree_give_no_price() -> None:
    with pytest.raises(FeedError, match="no price"):
        _agree(_usd(60000, 120000, 30000))


def test_two_sources_that_agree_do_not_make_an_outlier_of_an_honest_third() -> None:
    assert _agree(_usd(60000, 60000, 60060)).refused == ()  # 1000 ppm, a quarter is 1250


def test_a_wide_spread_is_refused_with_every_quote_named() -> None:
    with pytest.raises(FeedError) as caught:
        _agree(_usd(60000, 60300, 60600))
    assert str(caught.value) == (
        "BTC: no price, s0 60000.000, s1 60300.000, s2 60600.000 are 9951 ppm apart, over 5000."
    )


def test_the_spread_limit_is_exact() -> None:
    quotes = [_quote("a", 10**6), _quote("b", 10**6 - 2500), _quote("c", 10**6 + 2500)]
    assert _agree(quotes).spread == SPREAD
    quotes[2] = _quote("c", 10**6 + 2501)
    with pytest.raises(FeedError, match="5001 ppm apart"):
        _agree(quotes)


@pytest.mark.parametrize(("age", "is_counted"), [(60, True), (61, False), (-SKEW, True)])
def test_age_limits_are_exact(age: int, is_counted: bool) -> None:
    quotes = [*_usd(100, 100, 100), _quote("late", 100 * WAD, age)]
    assert ("late" in _agree(quotes).sources) == is_counted


def test_a_quote_from_the_future_is_refused() -> None:
    price = _agree([*_usd(100, 100, 100), _quote("early", 100 * WAD, -SKEW - 1)])
    assert price.refused == (Refusal("early", "6 s in the future"),)


def test_the_price_is_as_old_as_its_oldest_quote() -> None:
    quotes = [_quote(name, WAD, age) for name, age in (("a", 1), ("b", 30), ("c", 7))]
    assert _agree(quotes).observed_at == NOW - 30


def test_a_source_that_speaks_twice_is_not_counted() -> None:
    with pytest.raises(FeedError, match=r"2 of at least 3 .* refused: s0 \(speaks 2 times\)"):
        _agree([*_usd(100, 100, 100), _quote("s0", 100 * WAD)])


def test_quotes_of_two_markets_are_refused() -> None:
    with pytest.raises(FeedError, match="the quotes are of BTC, ETH, not of one market"):
        _agree([*_usd(100, 100), _quote("x", WAD, symbol="ETH")])


def test_silent_sources_are_named_too() -> None:
    silent = [Refusal("okx", "no answer in time")]
    with pytest.raises(FeedError, match=r"refused: okx \(no answer in time\)"):
        _agree(_usd(1, 1), refused=silent)
    assert _agree(_usd(1, 1, 1), refused=silent).refused == tuple(silent)


def test_a_price_far_from_the_reference_is_refused() -> None:
    reference = _quote("chainlink", 60_000 * WAD)
    assert _agree(_usd(63000, 63000, 63000), reference=reference).price == 63000 * WAD
    with pytest.raises(FeedError, match=r"50001 ppm from chainlink 60000\.000, over 50000"):
        _agree(_usd(*[63000.01] * 3), reference=reference)
    with pytest.raises(FeedError, match="the reference is of ETH, not BTC"):
        _agree(_usd(1, 1, 1), reference=_quote("chainlink", WAD, symbol="ETH"))


def test_all_sources_1000_times_off_are_stopped_by_the_reference() -> None:
    with pytest.raises(FeedError, match="ppm from chainlink"):
        _agree(_usd(*[60e6] * 3), reference=_quote("chainlink", 60_000 * WAD))


prices = st.integers(min_value=1, max_value=MAX_PRICE)
ages = st.integers(min_value=-20, max_value=100)


def _outcome(quotes: list[Quote]) -> Price | str:
    try:
        return _agree(quotes)
    except FeedError as error:
        return str(error)


@st.composite
def _near(draw: st.DrawFn, least: int, most: int) -> list[int]:
    """Prices within some distance of each other, from equal to far apart."""
    base = draw(st.integers(min_value=10**6, max_value=MAX_PRICE // 2))
    width = draw(st.sampled_from([0, 10, 1_000, 2_500, 5_000, 50_000]))
    ppm = st.integers(min_value=-width, max_value=width)
    return [base + base * x // 10**6 for x in draw(st.lists(ppm, min_size=least, max_size=most))]


@given(st.one_of(_near(0, 9), st.lists(prices, max_size=9)), st.lists(ages, max_size=9), st.data())
def test_the_order_of_the_quotes_does_not_matter(
    values: list[int], old: list[int], data: st.DataObject
) -> None:
    times = [*old, *[0] * len(values)]
    names = data.draw(st.lists(st.sampled_from("abcdefghi"), min_size=9, max_size=9))
    quotes = [_quote(names[i], value, times[i]) for i, value in enumerate(values)]
    shuffled = quotes.copy()
    random.Random(data.draw(st.integers())).shuffle(shuffled)
    assert _outcome(shuffled) == _outcome(quotes)


@given(_near(2, 8), prices, st.integers(0, 8))
def test_one_liar_never_moves_the_price_out_of_the_honest_range(
    honest: list[int], lie: int, place: int
) -> None:
    quotes = [_quote(f"h{i}", price) for i, price in enumerate(honest)]
    quotes.insert(place % (len(quotes) + 1), _quote("liar", lie))
    try:
        price = _agree(quotes)
    except FeedError:
        return
    assert min(honest) <= price.price <= max(honest)
    assert len(price.sources) >= 3
    assert price.spread <= SPREAD


@given(_near(3, 8), st.sampled_from([1000, 10**6]))
def test_with_three_honest_and_near_sources_one_liar_cannot_stop_the_price(
    honest: list[int], factor: int
) -> None:
    """So long as the honest ones are within a quarter of the spread limit of each other."""
    if (max(honest) - min(honest)) * 10**6 > min(honest) * SPREAD // 5:
        return
    quotes = [_quote(f"h{i}", price) for i, price in enumerate(honest)]
    price = _agree([*quotes, _quote("liar", max(1, min(honest) // factor))])
    assert [refusal.source for refusal in price.refused] == ["liar"]


@given(st.lists(prices, min_size=1))
def test_the_median_has_half_on_either_side(values: list[int]) -> None:
    middle = median(values)
    assert 2 * sum(value <= middle for value in values) >= len(values)
    assert 2 * sum(value >= middle for value in values) >= len(values)
    assert min(values) <= middle <= max(values)


# Frozen feeds


def test_a_feed_that_says_the_same_price_too_often_and_too_long_is_refused() -> None:
    guard = FrozenGuard(times=5, seconds=40)
    for i in range(4):
        guard.check(Quote("okx", "BTC", WAD, NOW + 10 * i))
    with pytest.raises(FeedError) as caught:
        guard.check(Quote("okx", "BTC", WAD, NOW + 40))
    assert str(caught.value) == ("okx: BTC 1.0000000 is the same 5 times in 40 s: a frozen feed.")


def test_a_price_that_moves_thaws_the_feed() -> None:
    guard = FrozenGuard(times=3, seconds=0)
    for price in (WAD, WAD, WAD + 1, WAD + 1, WAD):
        guard.check(Quote("okx", "BTC", price, NOW + price % 7 + 10))
    guard.check(Quote("okx", "ETH", WAD, NOW))
    guard.check(Quote("bybit", "BTC", WAD, NOW))


def test_the_same_observation_asked_for_again_is_not_counted() -> None:
    guard = FrozenGuard(times=3, seconds=0)
    for _ in range(9):
        guard.check(Quote("okx", "BTC", WAD, NOW))


def test_many_equal_prices_within_seconds_are_not_frozen() -> None:
    guard = FrozenGuard(times=3, seconds=60)
    for i in range(30):
        guard.check(Quote("okx", "BTC", WAD, NOW + i))
