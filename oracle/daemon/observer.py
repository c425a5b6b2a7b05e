"""What a keeper sees of the chain, into metrics and, for coverage, the journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from oracle.daemon.journal import Journal
from oracle.daemon.metrics import Metrics
from oracle.daemon.sources import MarketInfo
from oracle.daemon.view import View
from oracle.risk import Ask

HOUR: Final = 3_600
WAD: Final = 10**18


@dataclass
class Observer:
    """Of one engine; `infos` by asset id."""

    journal: Journal
    metrics: Metrics
    infos: Mapping[int, MarketInfo]
    _seen: dict[int, tuple[int, int]] = field(default_factory=dict)  # asset -> time, price

    def look(self, view: View) -> None:
        """Prices and lines; a price that is known is not journaled again."""
        news = []
        for asset, info in self.infos.items():
            self._show(info.symbol, view, asset)
            stored, load = view.prices[asset], view.loads[asset][0]
            seen = (stored.observed, stored.price)
            if stored.price and self._seen.get(asset) != seen:
                rate = view.rates[asset].rate(load, view.now)
                news.append((asset, stored.observed // HOUR, stored.price, rate))
                self._seen[asset] = seen
        if news:
            self.journal.observe(news)

    def _show(self, symbol: str, view: View, asset: int) -> None:
        price, line = view.prices[asset], view.lines[asset]
        self.metrics.price.labels(symbol).set(price.price / WAD)
        self.metrics.price_age.labels(symbol).set(view.now - price.observed)
        self.metrics.line_age.labels(symbol).set(view.now - line.pushed)
        self.metrics.severity.labels(symbol, "pushed").set(line.severity)
        self.metrics.depth.labels(symbol, "pushed").set(line.depth)

    def asked(self, asks: Mapping[int, Ask]) -> None:
        """What signers would have."""
        for asset, ask in asks.items():
            symbol = self.infos[asset].symbol
            self.metrics.severity.labels(symbol, "asked").set(ask.severity)
            self.metrics.depth.labels(symbol, "asked").set(ask.depth)
