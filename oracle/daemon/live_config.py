"""The section [feeds]: which exchanges are asked, and what they must agree on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from oracle.daemon.fields import Model, Ppm, Seconds, Url
from oracle.daemon.remote import check_address
from oracle.feeds.quotes import MIN_SOURCES
from oracle.feeds.scenario import SPANS
from oracle.risk import MIXTURE, RuleName

Usd = Annotated[int, Field(ge=1, lt=2**63, strict=True)]


class VenueEntry(Model):
    """One exchange; what is not said is as `oracle.feeds.venues` knows it.

    Attributes:
        id: such as binance, okx, bybit, kraken, or ccxt's name of any other.
        template: ccxt's name of a market, {} standing for the symbol; symbols: exceptions.
        levels: of an order book to ask for.
        options: handed to ccxt, such as enableRateLimit = false.
    """

    id: str
    template: str | None = None
    symbols: dict[str, str] | None = None
    price: Literal["mark", "index", "mid"] | None = None
    clock: Literal["venue", "response"] | None = None
    timeout: Seconds | None = None
    load_timeout: Seconds | None = None
    funding_interval: Annotated[int, Field(ge=60, le=86_400)] | None = None
    levels: Annotated[int, Field(ge=1, le=10_000)] | None = None
    url: Url | None = None
    options: dict[str, Any] = Field(default_factory=dict)

    @property
    def said(self) -> dict[str, Any]:
        """What differs from what is known."""
        return self.model_dump(exclude={"id", "options"}, exclude_none=True)


class ChainlinkFeed(Model):
    """Its proxy, and the most it promises between two rounds [s]."""

    address: Annotated[str, AfterValidator(check_address)]
    heartbeat: Annotated[int, Field(ge=1, le=604_800)]


class Reference(Model):
    """Chainlink feeds that prices must be near to.

    Attributes:
        feeds: by symbol; a symbol without one has no reference.
        is_needed: no price where its feed cannot be used; otherwise said and done without.
    """

    node: Url
    feeds: dict[str, ChainlinkFeed] = Field(min_length=1)
    max_deviation: Ppm = 50_000
    is_needed: bool = True


class BookEntry(Model):
    """Order books, which may lower depth.

    Attributes:
        reference: by symbol, USD within `bps` of the middle in the median venue's book at depth 1,
            measured with the same venues and levels.
    """

    reference: dict[str, Usd] = Field(min_length=1)
    bps: Annotated[int, Field(ge=1, le=5_000)] = 50


class Feeds(Model):
    """Exchanges.

    Attributes:
        calibration: report.json of the calibration that was voted on, or the name of a recorded
            one.
        rule: that the markets' tables were made by and that the keeper asks by; the backtested one
            (docs/backtest.md) by default.
        history: folder with mark_1h/SYMBOL.csv and perp_1h/SYMBOL.csv, of which one may be empty or
            absent: the exchanges are asked for what is missing, and it is recorded there.
        min_sources: that must agree on a price or a bar.
        max_spread: of the prices counted; max_age: [s] of one of them.
        bar_spread: of a venue's bar from the median bar.
        volume: id of the venue whose traded volume counts: that of the calibration's history; the
            first by default.
        is_funding_reported: the premium is the median funding rate of 8 hours; else 0.
    """

    venues: list[VenueEntry] = Field(min_length=MIN_SOURCES)
    calibration: str
    rule: RuleName = MIXTURE
    history: Path | None = None
    min_sources: Annotated[int, Field(ge=MIN_SOURCES)] = MIN_SOURCES
    max_spread: Ppm = 5_000
    max_age: Annotated[int, Field(ge=1, le=600)] = 60
    bar_spread: Ppm = 50_000
    volume: str | None = None
    is_funding_reported: bool = True
    books: BookEntry | None = None
    reference: Reference | None = None

    @model_validator(mode="after")
    def _fits(self) -> Feeds:
        ids = [venue.id for venue in self.venues]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise ValueError(f"the venue {twice[0]} is named twice")
        if len(ids) < self.min_sources:
            raise ValueError(f"{len(ids)} venues cannot be min_sources = {self.min_sources}")
        if self.volume is not None and self.volume not in ids:
            raise ValueError(f"volume names {self.volume}, which is none of the venues")
        return self

    def resolved(self, folder: Path, state: Path) -> Feeds:
        """Paths are meant from the configuration's folder."""
        kept = self.calibration
        return self.model_copy(
            update={
                "calibration": kept if kept in SPANS else str(folder / kept),
                "history": folder / (self.history or state / "bars"),
            }
        )
