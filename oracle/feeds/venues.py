"""Live exchanges through ccxt: mark prices, bars, funding, open interest and order books.

All venues are asked at once on one event loop in a thread of its own, so that connections stay
open between two rounds and one slow venue costs its own timeout and nothing else. ccxt turns each
exchange's format into its own; every number stays the text it came as, never a double, and is
checked here before it leaves. A last traded price is never used.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Final, Literal, TypeVar

import ccxt.async_support as ccxt  # type: ignore[import-untyped]
from tenacity import AsyncRetrying, retry_if_exception

from oracle.feeds.bars import FROZEN, Bars, bars_of
from oracle.feeds.depth import Book, make_book
from oracle.feeds.errors import FeedError
from oracle.feeds.http import policy
from oracle.feeds.quotes import (
    FrozenGuard,
    Quote,
    Refusal,
    reason_of,
    scaled,
    shown,
    to_decimal,
    to_seconds,
    to_wad,
)
from oracle.feeds.series import MAX_FUNDING
from oracle.feeds.sources import FundingQuote, OpenInterest
from oracle.feeds.table import Table

T = TypeVar("T")
FRAMES: Final = {
    60: "1m",
    300: "5m",
    900: "15m",
    1800: "30m",
    3600: "1h",
    14400: "4h",
    86400: "1d",
}
PAGE: Final = 100
"""Bars that every venue gives in one answer."""
MAX_PAGES: Final = 2000
REST: Final = 60.0
"""[s] a venue is left alone whose list of markets did not come: others need not wait for it."""
NEVER: Final = (ccxt.BadSymbol, ccxt.NotSupported, ccxt.AuthenticationError, FeedError)
"""Errors that asking again does not change."""


@dataclass(frozen=True)
class Venue:
    """One exchange and how to ask it.

    Attributes:
        id: ccxt's name of it.
        template: ccxt's name of a market, ``{}`` standing for the symbol.
        symbols: names that do not follow the template.
        price: the mark price, the index price, or the middle of best bid and ask.
        clock: "venue" takes the time the exchange puts on a price and, where it puts none, that of
            its answer (HTTP Date); "response" always the latter.
        funding_interval: [s] where the exchange does not say.
        timeout: [s] for an answer, with all attempts at it.
        load_timeout: [s] for the list of markets, once.
        url: scheme, host and port to ask instead of the exchange's own.
        levels: of an order book to ask for; None takes what the exchange gives by itself.
        options: handed to ccxt, such as a proxy.
    """

    id: str
    template: str = "{}/USDT:USDT"
    symbols: Mapping[str, str] = field(default_factory=dict)
    price: Literal["mark", "index", "mid"] = "mark"
    clock: Literal["venue", "response"] = "venue"
    funding_interval: int = 28_800
    timeout: float = 5.0
    load_timeout: float = 30.0
    url: str | None = None
    levels: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def _only(kind: str) -> dict[str, Any]:
    """Load the list of these markets only."""
    return {"options": {"fetchMarkets": {"types": [kind]}}, "has": {"fetchCurrencies": False}}


KNOWN: Final[Mapping[str, Venue]] = {
    "binance": Venue("binanceusdm", options=_only("linear")),
    "okx": Venue("okx", options=_only("swap")),
    "bybit": Venue("bybit", options=_only("linear")),
    # The time on a ticker is that of the last trade; the mark price is of now.
    "kraken": Venue(
        "krakenfutures", template="{}/USD:USD", clock="response", funding_interval=3600
    ),
    "bitget": Venue("bitget"),
    "gate": Venue("gate"),
    "hyperliquid": Venue("hyperliquid", template="{}/USDC:USDC", funding_interval=3600),
    "deribit": Venue("deribit", template="{}/USD:{}"),
}
"""By the name people use."""


def known_venue(name: str) -> Venue:
    """A venue by the name people use, or by ccxt's.

    Raises:
        FeedError: ccxt has no such exchange.
    """
    if name in KNOWN:
        return KNOWN[name]
    if name not in ccxt.exchanges:
        raise FeedError(f"{name}: there is no such exchange.")
    return next((venue for venue in KNOWN.values() if venue.id == name), Venue(name))


class Loop:
    """An event loop in a daemon thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, waited for."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def stop(self) -> None:
        """No more work after this."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class LiveVenue:
    """One exchange as a source of prices, bars, funding, open interest and books.

    Every method raises `FeedError` naming the venue and the field.
    """

    def __init__(self, venue: Venue, loop: Loop) -> None:
        self.venue = venue
        self._loop = loop
        self._exchange: Any = None
        self._rests_until = 0.0

    def latest(self, symbol: str, now: int) -> Quote:
        """The venue's price (see `Venue.price`)."""
        return self._loop.run(self.ask_quote(symbol))

    def bars(self, symbol: str, period: int, start: int, end: int) -> Bars:
        """Complete bars of the mark price, where the venue has them, else of its trades."""
        return self._loop.run(self.ask_bars(symbol, period, start, end))

    def traded(self, symbol: str, period: int, start: int, end: int) -> Bars:
        """Complete bars of trades, with the volume traded in base units.

        For volume only: a last traded price drives no margin.
        """
        bars = self._loop.run(self.ask_bars(symbol, period, start, end, is_traded=True))
        if bars.volume is None:
            raise FeedError(f"{self.venue.id}: {symbol} bars have no volume.")
        return bars

    def funding(self, symbol: str, now: int) -> FundingQuote:
        """The rate of the running interval."""
        return self._loop.run(self.ask_funding(symbol))

    def open_interest(self, symbol: str, now: int) -> OpenInterest:
        """One side's size."""
        return self._loop.run(self._ask_open_interest(symbol))

    def book(self, symbol: str, now: int, levels: int | None = None) -> Book:
        """The order book, as deep as the venue gives it unless `levels` are asked for."""
        return self._loop.run(self.ask_book(symbol, levels))

    async def ask_quote(self, symbol: str) -> Quote:
        """As `latest`, on the venues' loop."""
        ticker = await self._ask("price", symbol, self._fetch_price)
        price = self._price_in(ticker, symbol)
        return Quote(self.venue.id, symbol, price, self._time(ticker, symbol))

    async def close(self) -> None:
        """Let go of the connections."""
        if self._exchange is not None:
            await self._exchange.close()

    async def ask_bars(
        self, symbol: str, period: int, start: int, end: int, is_traded: bool = False
    ) -> Bars:
        """As `bars` or `traded`, on the venues' loop."""
        if period not in FRAMES:
            raise FeedError(f"{self.venue.id}: there are no bars of {period} seconds.")
        rows: list[Sequence[object]] = []
        since = start
        for _ in range(MAX_PAGES):
            if since >= end:
                break
            fetch = self._bar_fetcher(FRAMES[period], since, is_traded)
            page = [row for row in await self._ask("bars", symbol, fetch) if _is_new(row, since)]
            rows += page
            since = _after(page, period) or since + PAGE * period
        source = f"{self.venue.id} {symbol} bars"
        return bars_of(_bar_table(rows, source), period, FROZEN).before(end).between(start, end)

    async def ask_funding(self, symbol: str) -> FundingQuote:
        """As `funding`, on the venues' loop."""
        said = await self._ask(
            "funding rate", symbol, lambda market: self._exchange.fetch_funding_rate(market)
        )
        rate = to_decimal(said.get("fundingRate"), self.venue.id, f"{symbol} fundingRate")
        if abs(rate) > Decimal(str(MAX_FUNDING)):
            raise FeedError(
                f"{self.venue.id}: {symbol} fundingRate {shown(rate)} is over {MAX_FUNDING}."
            )
        interval = _interval(said.get("interval")) or self.venue.funding_interval
        when = self._time(said, symbol)
        return FundingQuote(self.venue.id, symbol, scaled(rate), interval, when)

    async def _ask_open_interest(self, symbol: str) -> OpenInterest:
        said = await self._ask(
            "open interest", symbol, lambda market: self._exchange.fetch_open_interest(market)
        )
        name = f"{symbol} openInterestAmount"
        amount = to_decimal(said.get("openInterestAmount"), self.venue.id, name)
        size = to_wad(amount * self._contract_size(symbol), self.venue.id, name)
        return OpenInterest(self.venue.id, symbol, size, self._time(said, symbol))

    async def ask_book(self, symbol: str, levels: int | None = None) -> Book:
        """As `book`, on the venues' loop."""
        count = self.venue.levels if levels is None else levels
        said = await self._ask(
            "book", symbol, lambda market: self._exchange.fetch_order_book(market, count)
        )
        when, size = self._time(said, symbol), self._contract_size(symbol)
        return make_book(self.venue.id, symbol, said.get("bids"), said.get("asks"), when, size)

    async def _fetch_price(self, market: str) -> Any:
        if self.venue.price != "mid" and self._exchange.has.get("fetchMarkPrice"):
            return await self._exchange.fetch_mark_price(market)
        return await self._exchange.fetch_ticker(market)

    def _bar_fetcher(
        self, frame: str, since: int, is_traded: bool
    ) -> Callable[[str], Awaitable[Any]]:
        async def fetch(market: str) -> Any:
            wants_mark = self.venue.price == "mark" and not is_traded
            use_mark = wants_mark and self._exchange.has.get("fetchMarkOHLCV")
            ask = self._exchange.fetch_mark_ohlcv if use_mark else self._exchange.fetch_ohlcv
            return await ask(market, frame, since * 1000, PAGE)

        return fetch

    async def _ask(self, what: str, symbol: str, fetch: Callable[[str], Awaitable[Any]]) -> Any:
        """What ccxt made of the venue's answer: a dict, or a list for bars.

        ccxt parses what nobody has checked, so that it may raise anything at all.
        """
        await self._load()
        name = self.venue.id
        try:
            async with asyncio.timeout(self.venue.timeout):
                answer = await _retried(lambda: fetch(self._market(symbol)))
        except TimeoutError:
            raise FeedError(f"{name}: {symbol} no {what} in {self.venue.timeout:g} s.") from None
        except Exception as error:
            raise FeedError(f"{name}: {symbol} no {what}, {_cause(error)}.") from None
        if not isinstance(answer, dict | list):
            raise FeedError(f"{name}: {symbol} the {what} is {shown(answer)}.")
        return answer

    async def _load(self) -> None:
        """Create the ccxt exchange and load its markets, once."""
        if self._exchange is None:
            self._exchange = _exchange(self.venue)
        if self._exchange.markets:
            return
        name = self.venue.id
        late = f"{name}: no markets in {self.venue.load_timeout:g} s."
        if time.monotonic() < self._rests_until:
            raise FeedError(late)
        try:
            async with asyncio.timeout(self.venue.load_timeout):
                await _retried(self._exchange.load_markets)
        except TimeoutError:
            self._rests_until = time.monotonic() + REST
            raise FeedError(late) from None
        except Exception as error:
            raise FeedError(f"{name}: no markets, {_cause(error)}.") from None

    def _market(self, symbol: str) -> str:
        return self.venue.symbols.get(symbol, self.venue.template.replace("{}", symbol))

    def _contract_size(self, symbol: str) -> Decimal:
        """Base units of one contract.

        Raises:
            FeedError: contracts are of a fixed amount of USD.
        """
        market = self._exchange.market(self._market(symbol))
        if not market["linear"]:
            raise FeedError(f"{self.venue.id}: {symbol} contracts are not in the base asset.")
        return to_decimal(market["contractSize"], self.venue.id, f"{symbol} contractSize")

    def _price_in(self, ticker: Mapping[str, object], symbol: str) -> int:
        name = self.venue.id
        if self.venue.price == "mid":
            sides = [to_wad(ticker.get(side), name, f"{symbol} {side}") for side in ("bid", "ask")]
            if sides[0] >= sides[1]:
                raise FeedError(f"{name}: {symbol} bid {sides[0]} is not below ask {sides[1]}.")
            return sum(sides) // 2
        key = f"{self.venue.price}Price"
        return to_wad(ticker.get(key), name, f"{symbol} {key}")

    def _time(self, said: Mapping[str, object], symbol: str) -> int:
        stamp = said.get("timestamp")
        if stamp is not None and self.venue.clock == "venue":
            return to_seconds(stamp, self.venue.id, f"{symbol} timestamp")
        date = (self._exchange.last_response_headers or {}).get("Date", "")
        try:
            return int(parsedate_to_datetime(date).timestamp())
        except (TypeError, ValueError):
            raise FeedError(f"{self.venue.id}: {symbol} the answer has no time.") from None


class Venues:
    """Several exchanges at once. A context manager: connections are let go of at its end."""

    def __init__(self, venues: Sequence[Venue], guard: FrozenGuard | None = None) -> None:
        """
        Args:
            guard: against frozen feeds; by default one with its usual limits.
        """
        self._loop = Loop()
        self._guard = guard or FrozenGuard()
        self.sources = [LiveVenue(venue, self._loop) for venue in venues]

    def __enter__(self) -> Venues:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all connections."""
        self._loop.run(self._close())
        self._loop.stop()

    def quotes(self, symbol: str) -> tuple[list[Quote], list[Refusal]]:
        """What every venue says, for `consensus`; and those that gave no usable answer, with why.

        Takes as long as the slowest venue, at most the longest timeout.
        """
        return self._ask_all(lambda source: source.ask_quote(symbol), self._guard.check)

    def fundings(self, symbol: str) -> tuple[list[FundingQuote], list[Refusal]]:
        """As `quotes`, of the running funding interval."""
        return self._ask_all(lambda source: source.ask_funding(symbol))

    def books(self, symbol: str) -> tuple[list[Book], list[Refusal]]:
        """As `quotes`, order books."""
        return self._ask_all(lambda source: source.ask_book(symbol))

    def bars(
        self, symbol: str, period: int, start: int, end: int
    ) -> tuple[list[tuple[str, Bars]], list[Refusal]]:
        """As `quotes`, complete bars with the venue they are from."""

        async def ask(source: LiveVenue) -> tuple[str, Bars]:
            return source.venue.id, await source.ask_bars(symbol, period, start, end)

        return self._ask_all(ask)

    def _ask_all(
        self, ask: Callable[[LiveVenue], Awaitable[T]], check: Callable[[T], T] = lambda x: x
    ) -> tuple[list[T], list[Refusal]]:
        answers = self._loop.run(self._gather(ask))
        good: list[T] = []
        refused: list[Refusal] = []
        for source, answer in zip(self.sources, answers, strict=True):
            try:
                if isinstance(answer, FeedError):
                    raise answer
                good.append(check(answer))
            except FeedError as error:
                refused.append(reason_of(error, source.venue.id))
        return good, refused

    async def _gather(self, ask: Callable[[LiveVenue], Awaitable[T]]) -> list[T | FeedError]:
        return await asyncio.gather(*(_or_error(ask(source)) for source in self.sources))

    async def _close(self) -> None:
        await asyncio.gather(*(source.close() for source in self.sources))


async def _or_error(answer: Awaitable[T]) -> T | FeedError:
    try:
        return await answer
    except FeedError as error:
        return error


async def _retried(call: Callable[[], Awaitable[Any]]) -> Any:
    rules = policy() | {"retry": retry_if_exception(_may_pass)}
    async for attempt in AsyncRetrying(**rules):
        with attempt:
            return await call()
    raise AssertionError("tenacity returns or raises")


def _may_pass(error: BaseException) -> bool:
    """A cancelled task must end, and some answers stay the same."""
    return isinstance(error, Exception) and not isinstance(error, NEVER)


def _exchange(venue: Venue) -> Any:
    """ccxt's object, with texts for numbers and its hosts replaced where asked."""
    if venue.id not in ccxt.exchanges:
        raise FeedError(f"{venue.id}: there is no such exchange.")
    # ccxt's own limit must not fire with ours: of two cancellations at once asyncio loses one, and
    # the venue would be asked again.
    longest = 2 * max(venue.timeout, venue.load_timeout)
    exchange = getattr(ccxt, venue.id)({"timeout": int(longest * 1000), **venue.options})
    exchange.number = str  # ccxt's own checks drop what is neither text, int nor float
    if venue.url is not None:
        exchange.urls["api"] = _moved(exchange.urls["api"], venue.url.rstrip("/"))
    return exchange


def _moved(urls: Any, host: str) -> Any:
    """The same paths on another host."""
    if isinstance(urls, dict):
        return {name: _moved(url, host) for name, url in urls.items()}
    return re.sub(r"^https?://[^/]+", host, urls) if isinstance(urls, str) else urls


def _cause(error: Exception) -> str:
    """Why ccxt raised, without the body and address it repeats."""
    causes = (
        (ccxt.BadSymbol, "the market is not listed"),
        (ccxt.NotSupported, "the exchange does not publish it"),
        (ccxt.RateLimitExceeded, "too many requests"),
        (ccxt.DDoSProtection, "too many requests"),
        (ccxt.RequestTimeout, "no answer in time"),
        (ccxt.NetworkError, "the exchange is not available"),
        (FeedError, str(error).removesuffix(".")),
    )
    for kind, cause in causes:
        if isinstance(error, kind):
            return cause
    return f"the answer cannot be read ({type(error).__name__})"


def _interval(text: object) -> int | None:
    """[s] of ccxt's ``8h``."""
    match = re.fullmatch(r"(\d{1,3})h", text) if isinstance(text, str) else None
    return int(match[1]) * 3600 if match else None


def _is_new(row: object, since: int) -> bool:
    """Rows before `since` were asked for already; rows that are no rows are kept to be refused."""
    stamp = row[0] if isinstance(row, list) and row else None
    return not isinstance(stamp, int) or stamp >= since * 1000


def _after(rows: Sequence[Any], period: int) -> int | None:
    """Where to go on after a page."""
    stamps = [row[0] for row in rows if isinstance(row, list) and row and type(row[0]) is int]
    return max(stamps) // 1000 + period if stamps else None


def _bar_table(rows: Sequence[Any], source: str) -> Table:
    """ccxt's [ms, open, high, low, close, volume] as text, for the checks of recorded bars."""
    for i, row in enumerate(rows, start=1):
        if not isinstance(row, list) or len(row) < 5:
            raise FeedError(f"{source}: row {i} is no bar.")
    names = ("open", "high", "low", "close", "volume")
    cells = {"ts": [_second(row[0]) for row in rows]}
    for place, name in enumerate(names, start=1):
        values = [row[place] if place < len(row) else None for row in rows]
        if name != "volume" or all(value is not None for value in values):
            cells[name] = [str(value) for value in values]
    return Table(source, cells, range(1, len(rows) + 1))


def _second(stamp: object) -> str:
    exact = type(stamp) is int and stamp % 1000 == 0
    return str(stamp // 1000) if exact and isinstance(stamp, int) else f"{stamp} ms"
