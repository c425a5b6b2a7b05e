"""Live exchanges, parsed by ccxt from what a loopback server says in their own formats."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from oracle.feeds.errors import FeedError
from oracle.feeds.quotes import WAD, FrozenGuard, consensus
from oracle.feeds.sources import (
    BarSource,
    BookSource,
    FundingSource,
    OpenInterestSource,
    PriceSource,
)
from oracle.feeds.venues import LiveVenue, Venue, Venues, known_venue
from tests.unit.feeds.exchanges import ExchangeServer, Fault

NAMES = ("binance", "okx", "bybit", "kraken")
HOUR = 3600
PRICE_PATH = {
    "binance": "/fapi/v1/premiumIndex",
    "okx": "/api/v5/public/mark-price",
    "bybit": "/v5/market/tickers",
    "kraken": "/derivatives/api/v3/tickers/PF_XBTUSD",
}
FIELD = {"binance": "markPrice", "okx": "markPx", "bybit": "markPrice", "kraken": "markPrice"}


def _venue(name: str, server: ExchangeServer, timeout: float = 60.0) -> Venue:
    """Without Kraken's pause between two calls: it would be most of the time these tests take."""
    known = known_venue(name)
    options = {**known.options, "enableRateLimit": False}
    return replace(known, url=server.url, timeout=timeout, options=options)


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[ExchangeServer, Venues]]:
    """Four venues that were asked once, so that their markets are loaded."""
    server = ExchangeServer()
    with Venues([_venue(name, server) for name in NAMES]) as asked:
        quotes, refused = asked.quotes("BTC")
        assert refused == []
        assert [quote.source for quote in quotes] == [source.venue.id for source in asked.sources]
        yield server, asked
    server.close()


@pytest.fixture
def server(running: tuple[ExchangeServer, Venues]) -> ExchangeServer:
    """As it was at first."""
    running[0].reset()
    return running[0]


@pytest.fixture
def live(running: tuple[ExchangeServer, Venues], server: ExchangeServer) -> Venues:
    """The venues on that server."""
    return running[1]


def _source(live: Venues, name: str) -> LiveVenue:
    return live.sources[NAMES.index(name)]


def _now(server: ExchangeServer) -> int:
    return server.now_ms // 1000


def _set(answer: Any, key: str, value: object) -> Any:
    """The answer with every `key` in it, at any depth, set to `value`."""
    if isinstance(answer, dict):
        return {k: value if k == key else _set(v, key, value) for k, v in answer.items()}
    return [_set(item, key, value) for item in answer] if isinstance(answer, list) else answer


def _without(answer: Any, key: str) -> Any:
    if isinstance(answer, dict):
        return {k: _without(v, key) for k, v in answer.items() if k != key}
    return [_without(item, key) for item in answer] if isinstance(answer, list) else answer


def test_every_venue_is_a_source_of_everything(live: Venues) -> None:
    for source in live.sources:
        for protocol in (PriceSource, BarSource, FundingSource, OpenInterestSource, BookSource):
            assert isinstance(source, protocol)


def test_mark_prices_leave_as_exact_integers(live: Venues, server: ExchangeServer) -> None:
    server.price["BTC"] = "61234.123456789012"
    quotes, refused = live.quotes("BTC")
    assert refused == []
    for quote in quotes[:3]:
        assert quote.price == 61_234_123_456_789_012 * 10**6
        assert abs(quote.observed_at - time.time()) < 30
    # Kraken sends JSON numbers: the double nearest to it, as it prints.
    assert quotes[3].price == 61_234_123_456_789_010 * 10**6
    price = consensus(quotes, max_spread=5_000, now=int(time.time()), max_age=60)
    assert price.price == 61_234_123_456_789_012 * 10**6
    assert price.sources == ("binanceusdm", "bybit", "krakenfutures", "okx")


def test_a_last_trade_is_never_the_price(live: Venues, server: ExchangeServer) -> None:
    server.faults[PRICE_PATH["bybit"]] = Fault(edit=lambda a: _without(a, "markPrice"))
    quotes, refused = live.quotes("BTC")
    assert all(quote.price < 10**6 * WAD // 2 for quote in quotes)  # every last is 999999
    assert [(r.source, r.reason) for r in refused] == [
        ("bybit", "BTC markPrice None is not a number")
    ]


VALUES: dict[str, object] = {
    "nan": "NaN",
    "infinity": "Infinity",
    "zero": "0",
    "negative": "-60000",
    "1e308": "1e308",
    "text": "dear",
    "none": None,
    "empty list": [],
    "empty text": "",
    "a dict": {},
    "json nan": float("nan"),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_a_bad_price_is_refused_by_venue(
    live: Venues, server: ExchangeServer, name: str, value: object
) -> None:
    server.faults[PRICE_PATH[name]] = Fault(edit=lambda a: _set(a, FIELD[name], value))
    quotes, refused = live.quotes("BTC")
    assert [r.source for r in refused] == [_source(live, name).venue.id]
    assert refused[0].reason.startswith("BTC ")
    assert "\n" not in refused[0].reason
    assert len(quotes) == 3
    with pytest.raises(FeedError, match=rf"^{_source(live, name).venue.id}: BTC "):
        _source(live, name).latest("BTC", _now(server))


BROKEN: dict[str, tuple[Fault, str]] = {
    "500": (Fault(status=500, body="oops"), "not available"),
    "503 html": (Fault(status=503, body="<html>busy</html>"), "not available"),
    "html": (Fault(body="<html>hello\nworld</html>"), ""),
    "half json": (Fault(body='{"symbol": "BTCUSDT", "markPri'), ""),
    "empty": (Fault(body=""), ""),
    "null": (Fault(body="null"), ""),
    "a list": (Fault(body="[]"), ""),
    "a number": (Fault(body="1"), ""),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("fault", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_answer_is_refused_by_venue_after_bounded_attempts(
    live: Venues, server: ExchangeServer, name: str, fault: Fault, reason: str
) -> None:
    server.faults[PRICE_PATH[name]] = fault
    quotes, refused = live.quotes("BTC")
    assert [r.source for r in refused] == [_source(live, name).venue.id]
    assert reason in refused[0].reason
    assert "<" not in refused[0].reason
    assert len(quotes) == 3
    assert 1 <= server.asked[PRICE_PATH[name]] <= 3


BUSY = {
    "binance": '{"code": -1003, "msg": "Too many requests."}',
    "okx": '{"code": "50011", "msg": "Too Many Requests", "data": []}',
    "bybit": '{"retCode": 10006, "retMsg": "Too many visits!", "result": {}}',
    "kraken": "Too Many Requests",
}


@pytest.mark.parametrize("name", NAMES)
def test_too_many_requests_are_said_in_the_venues_own_way(
    live: Venues, server: ExchangeServer, name: str
) -> None:
    server.faults[PRICE_PATH[name]] = Fault(status=429, body=BUSY[name])
    assert [r.reason for r in live.quotes("BTC")[1]] == ["BTC no price, too many requests"]
    assert server.asked[PRICE_PATH[name]] == 3


@pytest.mark.parametrize("name", NAMES)
def test_what_passes_is_tried_again(live: Venues, server: ExchangeServer, name: str) -> None:
    server.faults[PRICE_PATH[name]] = Fault(status=503, body="busy", times=2)
    assert live.quotes("BTC")[1] == []
    assert server.asked[PRICE_PATH[name]] == 3


@pytest.mark.parametrize("fault", [Fault(delay=300), Fault(drip=3)], ids=["silent", "dripping"])
def test_a_slow_venue_costs_its_timeout_and_no_other(server: ExchangeServer, fault: Fault) -> None:
    """It is asked once: two time-outs would be seen in that."""
    venues = [_venue(name, server, 2.0 if name == "okx" else 60.0) for name in NAMES]
    with Venues(venues) as live:
        live.bars("BTC", HOUR, 0, 0)  # loads the markets
        server.faults[PRICE_PATH["okx"]] = fault
        start = time.monotonic()
        quotes, refused = live.quotes("BTC")
        assert 2.0 <= time.monotonic() - start < 60.0
    assert [r.source for r in refused] == ["okx"]
    assert refused[0].reason == "BTC no price in 2 s"
    assert server.asked[PRICE_PATH["okx"]] == 1
    assert len(quotes) == 3


def test_a_venue_that_is_down_is_named(server: ExchangeServer) -> None:
    dead = replace(known_venue("okx"), url="http://127.0.0.1:9", timeout=1.0, load_timeout=2.0)
    good = [replace(known_venue(n), url=server.url) for n in ("binance", "bybit", "kraken")]
    with Venues([dead, *good]) as venues:
        quotes, refused = venues.quotes("BTC")
    assert [(r.source, r.reason) for r in refused] == [
        ("okx", "no markets, the exchange is not available")
    ]
    assert len(quotes) == 3


def test_an_unknown_market_is_refused(live: Venues) -> None:
    quotes, refused = live.quotes("DOGE")
    assert quotes == []
    assert {r.reason for r in refused} == {"DOGE no price, the market is not listed"}


def test_one_venue_1000_times_off_is_refused_and_two_left_are_too_few(
    live: Venues, server: ExchangeServer
) -> None:
    edit: Callable[[Any], Any] = lambda a: _set(a, "markPx", "60000500")  # noqa: E731
    server.faults[PRICE_PATH["okx"]] = Fault(edit=edit)
    quotes, refused = live.quotes("BTC")
    price = consensus(quotes, max_spread=5_000, now=int(time.time()), max_age=60, refused=refused)
    assert [r.source for r in price.refused] == ["okx"]
    assert price.price == 60_000_500 * 10**15
    server.faults[PRICE_PATH["bybit"]] = Fault(status=500, body="")
    quotes, refused = live.quotes("BTC")
    with pytest.raises(FeedError, match=r"2 of at least 3 .* bybit \(.* okx \(60000500 is far"):
        consensus(quotes, max_spread=5_000, now=int(time.time()), max_age=60, refused=refused)


def test_an_old_price_is_refused_by_its_own_time(live: Venues, server: ExchangeServer) -> None:
    old = server.now_ms - 61_000
    server.faults[PRICE_PATH["binance"]] = Fault(edit=lambda a: _set(a, "time", old))
    quotes, _ = live.quotes("BTC")
    price = consensus(quotes, max_spread=5_000, now=_now(server), max_age=60)
    assert [r.source for r in price.refused] == ["binanceusdm"]
    assert "s old, over 60" in price.refused[0].reason


def test_a_frozen_venue_is_refused(server: ExchangeServer) -> None:
    venues = [replace(known_venue("binance"), url=server.url)]
    with Venues(venues, FrozenGuard(times=3, seconds=10)) as live:
        for i in range(2):
            server.now_ms += 10_000
            assert live.quotes("BTC")[1] == [], i
        server.now_ms += 10_000
        refused = live.quotes("BTC")[1]
        assert refused[0].reason == "BTC 60000.500 is the same 3 times in 20 s: a frozen feed"
        server.price["BTC"] = "60001"
        assert live.quotes("BTC")[1] == []


def test_funding_rates(live: Venues, server: ExchangeServer) -> None:
    said = {n: _source(live, n).funding("BTC", _now(server)) for n in NAMES}
    assert {n: (f.rate, f.interval) for n, f in said.items()} == {
        "binance": (382_460_000_000_000, 8 * HOUR),
        "okx": (-278_150_000_000_000, 8 * HOUR),
        "bybit": (10**14, 8 * HOUR),
        # .6 USD an hour on a mark of 60000.5: relative, 18 digits, cut.
        "kraken": (9_999_916_667_361, HOUR),
    }
    assert all(abs(f.observed_at - time.time()) < 30 for f in said.values())


@pytest.mark.parametrize("rate", ["0.2", "NaN", "dear", None, "-1e308"])
def test_a_bad_funding_rate_is_refused(live: Venues, server: ExchangeServer, rate: object) -> None:
    path = "/api/v5/public/funding-rate"
    server.faults[path] = Fault(edit=lambda a: _set(a, "fundingRate", rate))
    with pytest.raises(FeedError, match=r"^okx: BTC fundingRate "):
        _source(live, "okx").funding("BTC", _now(server))


def test_open_interest_is_in_base_units(live: Venues, server: ExchangeServer) -> None:
    sizes = {
        n: _source(live, n).open_interest("BTC", _now(server)).size
        for n in ("binance", "okx", "bybit")
    }
    assert sizes == {
        "binance": 81_234_567 * 10**15,
        "okx": 21_254_190 * 10**15,  # 2,125,419 contracts of .01 BTC
        "bybit": 48_069_549 * 10**15,
    }
    with pytest.raises(FeedError, match="krakenfutures: BTC no open interest, the exchange does"):
        _source(live, "kraken").open_interest("BTC", _now(server))


def test_order_books_are_in_base_units_best_first(live: Venues, server: ExchangeServer) -> None:
    for name in NAMES:
        book = _source(live, name).book("BTC", _now(server))
        assert book.bids == ((60_000 * WAD, 15 * WAD // 10), (59_990 * WAD, 2 * WAD)), name
        assert book.asks == ((60_001 * WAD, WAD // 2), (60_012 * WAD, 3 * WAD)), name
        depth = book.depth(1)  # 60000.5 +- 6.00005
        assert (depth.bid, depth.ask) == (90_000 * WAD, 60_001 * WAD // 2)
        assert depth.complete


@pytest.mark.parametrize(
    ("bids", "reason"),
    [
        ([], "BTC bids are empty"),
        ([["60002.00", "1"]], "BTC bids reach the asks: a crossed book"),
        ([["60000.00", "0"]], "BTC bids level 0 size .* is outside"),
        ([["60000.00", "1"], ["60000.00", "2"]], "BTC bids level 1 is not behind level 0"),
        ([["NaN", "1"]], "BTC "),
        ([["60000.00"]], "BTC "),
        ("dear", "BTC "),
    ],
)
def test_a_bad_book_is_refused(
    live: Venues, server: ExchangeServer, bids: object, reason: str
) -> None:
    server.faults["/fapi/v1/depth"] = Fault(edit=lambda a: _set(a, "bids", bids))
    with pytest.raises(FeedError, match=rf"^binanceusdm: {reason}"):
        _source(live, "binance").book("BTC", _now(server))


@pytest.mark.parametrize("name", NAMES)
def test_bars_over_several_pages_are_complete(
    live: Venues, server: ExchangeServer, name: str
) -> None:
    end = _now(server) // HOUR * HOUR
    bars = _source(live, name).bars("BTC", HOUR, end - 250 * HOUR, end)
    assert bars.ts.tolist() == list(range(end - 250 * HOUR, end, HOUR))
    expected = 50_000 + bars.ts // HOUR % 10_000
    assert np.array_equal(bars.close, expected)
    assert np.array_equal(bars.low, expected - 9.875)


def test_a_running_bar_is_left_out(live: Venues, server: ExchangeServer) -> None:
    now = _now(server)
    bars = _source(live, "binance").bars("BTC", HOUR, now // HOUR * HOUR - 5 * HOUR, now)
    assert bars.ts[-1] + HOUR <= now


def _row(answer: Any, place: int, column: int, value: object) -> Any:
    answer[place][column] = value
    return answer


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda a: _row(a, 2, 2, "NaN"), "row 3, high nan is outside"),
        (lambda a: _row(a, 2, 4, "dear"), "row 3, close 'dear' is not a number"),
        (lambda a: _row(a, 2, 3, "0"), "row 3, low 0.0 is outside"),
        (lambda a: _row(a, 2, 0, a[1][0]), "row 3, ts .* repeats"),
        (lambda a: _row(a, 2, 0, a[2][0] + 60_000), "row 3, ts .* is not on the 3600 second grid"),
        (lambda a: _row(a, 2, 1, "1e308"), "row 3, open 1e[+]308 is outside"),
        (lambda a: [], "there is no row"),
    ],
)
def test_a_bad_bar_is_refused_by_row(
    live: Venues, server: ExchangeServer, edit: Callable[[Any], Any], reason: str
) -> None:
    server.faults["/fapi/v1/markPriceKlines"] = Fault(edit=edit)
    end = _now(server) // HOUR * HOUR
    with pytest.raises(FeedError, match=rf"^binanceusdm BTC bars: {reason}"):
        _source(live, "binance").bars("BTC", HOUR, end - 10 * HOUR, end)


def test_a_period_nobody_has_is_refused(live: Venues) -> None:
    with pytest.raises(FeedError, match="there are no bars of 7 seconds"):
        _source(live, "okx").bars("BTC", 7, 0, 70)


def test_the_middle_of_the_book_can_be_the_price(server: ExchangeServer) -> None:
    venues = [replace(known_venue("bybit"), url=server.url, price="mid")]
    with Venues(venues) as live:
        assert live.quotes("BTC")[0][0].price == 120_001 * WAD // 2
        server.faults[PRICE_PATH["bybit"]] = Fault(edit=lambda a: _set(a, "bid1Price", "60001"))
        assert "is not below ask" in live.quotes("BTC")[1][0].reason


def test_the_index_can_be_the_price(server: ExchangeServer) -> None:
    venues = [
        replace(known_venue(name), url=server.url, price="index") for name in ("binance", "bybit")
    ]
    with Venues(venues) as live:
        edit: Callable[[Any], Any] = lambda a: _set(a, "markPrice", "999999")  # noqa: E731
        for name in ("binance", "bybit"):
            server.faults[PRICE_PATH[name]] = Fault(edit=edit)
        assert [quote.price for quote in live.quotes("BTC")[0]] == [60_000_500 * 10**15] * 2


def test_an_exchange_that_does_not_exist_is_refused() -> None:
    with pytest.raises(FeedError, match=r"^nowhere: there is no such exchange\.$"):
        known_venue("nowhere")
    assert known_venue("binanceusdm") is known_venue("binance")
