"""A folder of recorded bars, as the backtest and the calibration take it.

Either ``DIR/mark_1h/SYMBOL*.csv[.gz]`` for prices and ``DIR/perp_1h/SYMBOL*.csv[.gz]`` for traded
volume (prices of a market without a mark recording are its own traded ones, and the report says
so), or a flat ``DIR/SYMBOL*.csv[.gz]`` with both. Several files of one symbol (SYMBOL.csv.gz,
SYMBOL.winB.csv.gz) are joined by time. Columns are those of `oracle.feeds.bars`; a file without
``open`` opens each bar where the one before closed.
"""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

from oracle.feeds.bars import Bars, FeedError, concat, parse_bars

MARK, TRADED = "mark_1h", "perp_1h"


@dataclass(frozen=True, eq=False)
class History:
    """One market's recordings.

    Attributes:
        mark: prices that margin is calibrated on.
        traded: bars with volume.
        has_mark: False where `mark` is `traded`, for want of a mark recording.
    """

    symbol: str
    mark: Bars
    traded: Bars
    has_mark: bool


def symbols_in(folder: Path) -> list[str]:
    """Markets with recorded volume, sorted.

    Raises:
        FeedError: no such folder, or none in it.
    """
    found = sorted({path.name.split(".")[0] for path in _files(_traded_folder(folder), "*")})
    if not found:
        raise FeedError(f"{folder}: there is no CSV file of a market in it.")
    return found


def load_history(folder: Path, symbol: str) -> History:
    """One market of a folder.

    Raises:
        FeedError: a file that cannot be used, naming file and row; no recorded volume.
    """
    traded = _joined(_files(_traded_folder(folder), symbol), symbol)
    if traded.volume is None:
        raise FeedError(f"{symbol}: its files have no column volume.")
    marks = _files(folder / MARK, symbol) if (folder / MARK).is_dir() else []
    mark = _joined(marks, symbol) if marks else traded
    return History(symbol, mark, traded, bool(marks))


def read_bars(path: Path) -> Bars:
    """One file, with or without a column ``open``.

    Raises:
        FeedError: as `oracle.feeds.bars.load_bars`.
    """
    try:
        raw = path.read_bytes()
        lines = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode().splitlines()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise FeedError(f"{path.name}: the file cannot be read ({type(error).__name__}).") from None
    header = [name.strip() for name in lines[0].split(",")] if lines else []
    if "open" not in header and {"high", "low", "close"} <= set(header):
        lines = _with_open(lines, header)
    return parse_bars(lines, path.name)


def _with_open(lines: list[str], header: list[str]) -> list[str]:
    """Rows with the last close as open, held inside the bar's own range: mark bars jump."""
    at = {name: header.index(name) for name in ("high", "low", "close")}
    found, last = [lines[0] + ",open"], ""
    for line in lines[1:]:
        cells = line.split(",")
        opened = ""
        if len(cells) == len(header):
            high, low, close = (cells[at[name]] for name in ("high", "low", "close"))
            opened = _clamped(last or close, low, high)
            last = close
        found.append(f"{line},{opened}")
    return found


def _clamped(text: str, low: str, high: str) -> str:
    """The number as written, or the end of the range it leaves; the parser judges bad ones."""
    try:
        value = float(text)
        return low if value < float(low) else high if value > float(high) else text
    except ValueError:
        return text


def _traded_folder(folder: Path) -> Path:
    return folder / TRADED if (folder / TRADED).is_dir() else folder


def _files(folder: Path, symbol: str) -> list[Path]:
    names = (f"{symbol}.csv", f"{symbol}.csv.gz", f"{symbol}.*.csv", f"{symbol}.*.csv.gz")
    return sorted({path for name in names for path in folder.glob(name)})


def _joined(paths: list[Path], symbol: str) -> Bars:
    if not paths:
        raise FeedError(f"{symbol}: there is no CSV file of it.")
    parts = sorted((read_bars(path) for path in paths), key=lambda bars: int(bars.ts[0]))
    whole = parts[0]
    for part in parts[1:]:
        whole = concat(whole, part)
    return whole
