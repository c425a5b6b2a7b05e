"""What a source of market data is. Every source of this package has one or more of these shapes.

Methods raise `FeedError`, one sentence naming the source, for whatever goes wrong: no answer, an
answer that cannot be read, a value that cannot be believed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from oracle.feeds.bars import Bars
from oracle.feeds.depth import Book
from oracle.feeds.options import Chain
from oracle.feeds.quotes import Quote


@dataclass(frozen=True)
class FundingQuote:
    """What one venue charges.

    Attributes:
        rate: of the notional, longs to shorts, for one `interval`, wad; may be negative.
        interval: [s].
    """

    source: str
    symbol: str
    rate: int
    interval: int
    observed_at: int


@dataclass(frozen=True)
class OpenInterest:
    """Of one venue.

    Attributes:
        size: base units, wad, one side.
    """

    source: str
    symbol: str
    size: int
    observed_at: int


@runtime_checkable
class PriceSource(Protocol):
    """Says what one unit of a market's base asset costs now."""

    def latest(self, symbol: str, now: int) -> Quote:
        """The newest price at `now` (Unix seconds)."""


@runtime_checkable
class BarSource(Protocol):
    """Says how a price went."""

    def bars(self, symbol: str, period: int, start: int, end: int) -> Bars:
        """Complete bars of `period` seconds with start <= ts and ts + period <= end."""


@runtime_checkable
class FundingSource(Protocol):
    """Says what holding a perpetual costs."""

    def funding(self, symbol: str, now: int) -> FundingQuote:
        """The rate of the running interval."""


@runtime_checkable
class OpenInterestSource(Protocol):
    """Says how much of a perpetual is held."""

    def open_interest(self, symbol: str, now: int) -> OpenInterest:
        """One side's size."""


@runtime_checkable
class BookSource(Protocol):
    """Says what can be traded now."""

    def book(self, symbol: str, now: int) -> Book:
        """The order book, best prices first."""


@runtime_checkable
class ChainSource(Protocol):
    """Says what options cost."""

    def chain(self, symbol: str, now: int) -> Chain:
        """All listed options on one asset."""
