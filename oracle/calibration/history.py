"""The recordings a calibration or a verification needs of each market of a folder.

What a folder may look like is told in `oracle.feeds.folder`. Margins follow the mark where there is
one; a market without a mark recording is calibrated on what else there is, and the report says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from oracle.feeds.bars import HOUR, Bars
from oracle.feeds.errors import FeedError
from oracle.feeds.folder import Market, discover


@dataclass(frozen=True, eq=False)
class History:
    """One market's hourly recordings.

    Attributes:
        mark: prices that margin is calibrated on.
        traded: bars with volume.
        has_mark: False where `mark` are other prices, for want of a mark recording.
    """

    symbol: str
    mark: Bars
    traded: Bars
    has_mark: bool


def load_histories(
    folder: Path,
    wanted: Sequence[str] = (),
    progress: Callable[[Path], None] = lambda path: None,
) -> dict[str, History]:
    """By symbol: those wanted, or every market with hourly prices and volume.

    Args:
        progress: called with each file before it is read.

    Raises:
        FeedError: a file that cannot be used, naming file and row; a market that is not there or
            lacks prices or volume; no market at all.
    """
    markets = discover(folder, progress=progress)
    symbols = list(wanted) or [s for s, market in markets.items() if _is_complete(market)]
    if not symbols:
        raise FeedError(f"{folder.name}: no market has hourly prices and traded volume.")
    return {symbol: _history(symbol, markets.get(symbol), folder) for symbol in symbols}


def _history(symbol: str, market: Market | None, folder: Path) -> History:
    if market is None or not _is_complete(market):
        lacks = "is not in it" if market is None else "lacks hourly prices or traded volume"
        raise FeedError(f"{folder.name}: {symbol} {lacks}.")
    mark, traded = market.price(HOUR), market.traded(HOUR)
    assert mark is not None
    assert traded is not None
    return History(symbol, mark, traded, ("mark", HOUR) in market.bars)


def _is_complete(market: Market) -> bool:
    return market.price(HOUR) is not None and market.traded(HOUR) is not None
