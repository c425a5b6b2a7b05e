"""Exchanges as the sources of a signer: the section [feeds] of the configuration.

price      median of the venues' mark prices (`quotes.consensus`), near Chainlink's where asked
numbers    the rule of the tables on median mark bars, volume of one venue, books where asked
premium    median funding rate of eight hours

A venue that is not counted is named in an alarm, once until that changes. With fewer venues than
must agree there is no price, and the sentence names all that were refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from oracle.chain import Client
from oracle.daemon.alarms import Alarms, DaemonError, Exit
from oracle.daemon.bars import Fetch, open_bars
from oracle.daemon.live_config import BookEntry, Feeds, Reference, VenueEntry
from oracle.daemon.sources import (
    Basis,
    Estimated,
    MarketInfo,
    Reread,
    SourceError,
    Sources,
    in_force,
    recorded,
)
from oracle.feeds.bars import HOUR, Bars, FeedError
from oracle.feeds.chainlink import Chainlink, Feed
from oracle.feeds.merge import merge_bars
from oracle.feeds.quotes import SKEW, Quote, Refusal, consensus, median
from oracle.feeds.scenario import SPANS
from oracle.feeds.venues import LiveVenue, Venue, Venues, known_venue
from oracle.policy import PPM
from oracle.risk import Ask, Books, CollateralEstimator, with_books
from oracle.verify import VerifyError, Voted, read_voted

WAD: Final = 10**18
FUNDING: Final = 28_800  # [s] the chain's premium is of
DAY: Final = 24  # hours of volume that depth follows from
LATEST: Final = 300  # [s] a live price may be asked for after its time
CACHED: Final = 2.0  # [s] assets of one market, and signers of one process, have one price
RARELY: Final = 60.0  # [s] between two looks at funding
Say = Callable[[str, Sequence[Refusal]], None]
"""Told what, and who was refused why; also when nobody was."""


class Live:
    """Prices, premiums and bars of several exchanges.

    Every method raises `FeedError` or `SourceError` naming the market.
    """

    def __init__(
        self,
        entry: Feeds,
        venues: Venues,
        symbols: Mapping[str, str],
        say: Say,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            symbols: market -> symbol at the exchanges.
        """
        self._entry = entry
        self._venues = venues
        self._symbols = symbols
        self._say = say
        self._now = now
        self._reference = chainlink(entry.reference) if entry.reference else None
        self._volume = self._volume_venue()
        self._cache: dict[tuple[str, str], tuple[float, int]] = {}
        folder = entry.history or Path("bars")
        self._bars = open_bars(folder, sorted(set(symbols.values())), self._fetcher)

    # --- prices ----------------------------------------------------------------------------------

    def latest(self, market: str, time: int) -> int:
        """[USD wad] now; `time` may be that of a report that is due."""
        age = self._now() - time
        if not -SKEW <= age <= LATEST:
            raise SourceError(f"{market}: exchanges have prices of now, not of {age:.0f} s ago.")
        symbol = self._symbols[market]
        return self._cached("price", symbol, CACHED, lambda: self._price(symbol))

    def _price(self, symbol: str) -> int:
        entry = self._entry
        quotes, refused = self._venues.quotes(symbol)
        # After the answers: the oldest of them may have taken seconds.
        price = consensus(
            quotes,
            min_sources=entry.min_sources,
            max_spread=entry.max_spread,
            now=int(self._now()),
            max_age=entry.max_age,
            reference=self._reference_of(symbol),
            max_deviation=entry.reference.max_deviation if entry.reference else 0,
            refused=refused,
        )
        self._say(f"{symbol} price", price.refused)
        return price.price

    def _reference_of(self, symbol: str) -> Quote | None:
        rules = self._entry.reference
        if rules is None or self._reference is None or symbol not in rules.feeds:
            return None
        try:
            quote = self._reference.latest(symbol, int(self._now()))
        except FeedError as error:
            if rules.is_needed:
                raise
            self._say(f"{symbol} reference", [Refusal("chainlink", str(error))])
            return None
        self._say(f"{symbol} reference", ())
        return quote

    # --- funding ---------------------------------------------------------------------------------

    def premium(self, market: str, _time: int) -> int:
        """[ppm] of eight hours; 0 where too few venues say: funding rests, prices go on."""
        symbol = self._symbols[market]
        return self._cached("premium", symbol, RARELY, lambda: self._premium(symbol))

    def _premium(self, symbol: str) -> int:
        found, refused = self._venues.fundings(symbol)
        self._say(f"{symbol} funding", refused)
        if len(found) < self._entry.min_sources:
            return 0
        rates = [each.rate * FUNDING // each.interval for each in found]
        return median(rates) * PPM // WAD

    # --- what numbers are made from --------------------------------------------------------------

    def window(self, market: str, time: int, count: int) -> tuple[Bars, Bars, int]:
        """Mark bars, bars with traded volume, and the full hour before `time`.

        Args:
            count: mark bars that are needed.
        """
        hour, symbol = time // HOUR * HOUR, self._symbols[market]
        mark = self._bars[symbol, "mark"].until(hour, count)
        return mark, self._bars[symbol, "perp"].until(hour, DAY), hour

    def depths(self, market: str, rules: BookEntry) -> tuple[int, ...]:
        """USD within so many bps of the middle, the smaller side of each venue's book."""
        symbol = self._symbols[market]
        books, refused = self._venues.books(symbol)
        self._say(f"{symbol} book", refused)
        if len(books) < self._entry.min_sources:
            named = ", ".join(map(str, refused))
            count = f"{len(books)} of at least {self._entry.min_sources}"
            raise SourceError(f"{symbol}: no depth, {count} books left; refused: {named}.")
        found = [book.depth(rules.bps) for book in books]
        return tuple(min(depth.bid, depth.ask) // WAD for depth in found)

    def _fetcher(self, symbol: str, kind: str) -> Fetch:
        if kind == "perp":
            return lambda start, end: self._volume.traded(symbol, HOUR, start, end)
        return lambda start, end: self._mark(symbol, start, end)

    def _mark(self, symbol: str, start: int, end: int) -> Bars:
        entry = self._entry
        named, refused = self._venues.bars(symbol, HOUR, start, end)
        try:
            bars, far = merge_bars(
                named, min_sources=entry.min_sources, max_spread=entry.bar_spread
            )
        except FeedError as error:
            why = ", ".join(map(str, refused))
            raise FeedError(f"{symbol}: {str(error).removesuffix('.')}; refused: {why}.") from None
        self._say(f"{symbol} bars", [*refused, *far])
        return bars

    def _volume_venue(self) -> LiveVenue:
        ids = [venue.id for venue in self._entry.venues]
        return self._venues.sources[ids.index(self._entry.volume or ids[0])]

    def _cached(self, what: str, symbol: str, seconds: float, find: Callable[[], int]) -> int:
        known = self._cache.get((what, symbol))
        if known is None or not 0 <= self._now() - known[0] < seconds:
            value = find()
            known = self._cache[what, symbol] = (self._now(), value)
        return known[1]


@dataclass
class LiveNumbers:
    """What bars ask for, with the depth that books leave of it; each hour is asked for once."""

    live: Live
    voted: Mapping[str, Voted]
    books: BookEntry | None
    _plain: Estimated = field(init=False)
    _asks: dict[str, tuple[Ask, Ask]] = field(default_factory=dict)  # plain, with books

    def __post_init__(self) -> None:
        self._plain = Estimated(self.voted, self._window)

    def ask(self, market: str, time: int, basis: Basis | None = None) -> Ask:
        """As `sources.Numbers`."""
        ask = self._with_books(market, self._plain.unsolved(market, time, basis))
        return ask.solved(None if basis is None else basis.in_force)

    def _with_books(self, market: str, plain: Ask) -> Ask:
        symbol = self.voted[market].source
        if self.books is None or symbol not in self.books.reference:
            return plain
        if market not in self._asks or self._asks[market][0] != plain:
            books = Books(self.books.reference[symbol], self.live.depths(market, self.books))
            limits = self.voted[market].estimator.limits
            self._asks[market] = (plain, with_books(plain, books, limits))
        return self._asks[market][1]

    def _window(self, market: str, time: int) -> tuple[Bars, Bars, int]:
        return self.live.window(market, time, self.voted[market].estimator.model.window_bars)


class Refused:
    """Says who is not counted, once until it changes."""

    def __init__(self, alarms: Alarms) -> None:
        self._alarms = alarms
        self._known: dict[str, frozenset[str]] = {}

    def __call__(self, what: str, refused: Sequence[Refusal]) -> None:
        known = self._known.get(what, frozenset())
        for each in refused:
            if each.source not in known:
                values = {"what": what, "source": each.source, "reason": each.reason}
                self._alarms.sound(Exit.SOURCE, "warning", "source refused", **values)
        self._known[what] = frozenset(each.source for each in refused)
        for source in sorted(known - self._known[what]):
            self._alarms.log.info("source counts again", what=what, source=source)


def live_voted(entry: Feeds, markets: Mapping[str, MarketInfo]) -> dict[str, Voted]:
    """What every market's numbers are made with.

    Raises:
        DaemonError: the calibration cannot be read, lacks a market, or was made by another rule.
    """
    try:
        name = entry.calibration
        known = recorded(name) if name in SPANS else read_voted(Path(name))
    except (VerifyError, FeedError) as error:
        raise DaemonError(str(error), Exit.CONFIG) from None
    lacking = sorted(set(markets) - set(known))
    if lacking:
        what = f"The calibration {entry.calibration} has no {lacking[0]}, only {', '.join(known)}."
        raise DaemonError(what, Exit.CONFIG)
    _refuse_other_rule(entry, [known[market] for market in markets])
    return in_force(known, markets)


def _refuse_other_rule(entry: Feeds, known: Sequence[Voted]) -> None:
    """A rule on the tables of another would steer between rates that it never asked for."""
    for each in known:
        estimator = each.estimator
        if not isinstance(estimator, CollateralEstimator) and estimator.rule != entry.rule:
            what = (
                f"The calibration {entry.calibration} was made by the rule {estimator.rule}, "
                f'[feeds] has rule = "{entry.rule}": make a new one or name that rule.'
            )
            raise DaemonError(what, Exit.CONFIG)


def live_sources(
    entry: Feeds,
    markets: Mapping[str, MarketInfo],
    alarms: Alarms,
    now: Callable[[], float] = time.time,
) -> Sources:
    """Of the exchanges that are configured.

    Raises:
        DaemonError: an exchange nobody knows, or files that cannot be used.
    """
    voted = live_voted(entry, markets)
    symbols = {market: each.source for market, each in voted.items()}
    try:
        venues = Venues([venue_of(each) for each in entry.venues])
        live = Live(entry, venues, symbols, Refused(alarms), now=now)
    except FeedError as error:
        raise DaemonError(f"[feeds]: {error}", Exit.CONFIG) from None
    numbers = LiveNumbers(live, voted, entry.books)
    reread = live_reread(entry, markets)
    sources = Sources(live, numbers, voted=voted, reread=reread, close=venues.close)
    return replace(sources, premiums=live) if entry.is_funding_reported else sources


def live_reread(entry: Feeds, markets: Mapping[str, MarketInfo]) -> Reread | None:
    """`live_voted` as the calibration's file has it by now; a recorded one has no file."""

    def reread() -> Mapping[str, Voted]:
        try:
            return live_voted(entry, markets)
        except DaemonError as error:
            raise SourceError(str(error)) from None

    return None if entry.calibration in SPANS else reread


def venue_of(entry: VenueEntry) -> Venue:
    """What is known of the exchange, and what the configuration says else.

    Raises:
        FeedError: ccxt has no such exchange.
    """
    known = known_venue(entry.id)
    return replace(known, **entry.said, options={**known.options, **entry.options})


def chainlink(entry: Reference) -> Chainlink:
    """Reads the feeds through the node."""
    feeds = {symbol: Feed(each.address, each.heartbeat) for symbol, each in entry.feeds.items()}
    return Chainlink(Client(entry.node), feeds)
