"""Recorded tables: csv, csv.gz and parquet files as named columns of text, checked cell by cell.

Every cell passes through its text, also those of a parquet file, so that one set of checks holds
for all formats. A double prints as the shortest decimal that reads back as the same double, so
nothing is lost on the way.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from oracle.feeds.errors import FeedError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

DAY = 86_400
MAX_TIME = 2**40
SUFFIXES = (".csv", ".csv.gz", ".parquet")
TIMES = ("ts", "date", "ts_ms")
MAX_HEADER = 2**20
SHOWN = 40
"""Characters of a bad cell that an error repeats."""


@dataclass(frozen=True)
class Table:
    """n rows of text cells.

    Attributes:
        source: the file's name, for errors.
        cells: per column, n texts.
        rows: n row numbers as an editor counts them.
        repeated: names of columns that occur twice, which nobody may ask for.
    """

    source: str
    cells: Mapping[str, Sequence[str]]
    rows: Sequence[int]
    repeated: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.rows)

    def __contains__(self, name: str) -> bool:
        return name in self.cells

    def need(self, *names: str) -> None:
        """Raise unless every column is there, and once only."""
        for name in names:
            if name not in self.cells:
                raise FeedError(f"{self.source}: row 1, the header, has no column {name}.")
        for name in names:
            if name in self.repeated:
                raise FeedError(f"{self.source}: row 1, the header, has column {name} twice.")

    def texts(self, name: str) -> Sequence[str]:
        """(n,) cells of one column.

        Raises:
            FeedError: there is no such column, there are two, or there is no row.
        """
        self.need(name)
        if not self.rows:
            raise FeedError(f"{self.source}: there is no row after the header.")
        return self.cells[name]

    def numbers(self, name: str, blank: float | None = None) -> FloatArray:
        """(n,) plain decimal numbers; they may still be infinite, NaN or out of range.

        Args:
            blank: what an empty cell means; by default it is refused.
        """
        texts = self.texts(name)
        try:
            return np.array([_float(text, blank) for text in texts], dtype=np.float64)
        except ValueError:
            pass
        for row, text in zip(self.rows, texts, strict=True):
            try:
                _float(text, blank)
            except ValueError:
                reason = f"{name} {text[:SHOWN]!r} is not a number"
                raise FeedError(f"{self.source}: row {row}, {reason}.") from None
        raise AssertionError("a column that cannot be read has a cell that cannot be read")

    def between(
        self, name: str, low: float, high: float, *, open_low: bool = False, blank: bool = False
    ) -> FloatArray:
        """(n,) numbers in [low, high], or (low, high] with `open_low`; blank cells become NaN."""
        values = self.numbers(name, np.nan if blank else None)
        good = (values > low if open_low else values >= low) & (values <= high)
        if blank:
            good |= np.array([not text for text in self.texts(name)], dtype=np.bool_)
        bounds = f"{'(' if open_low else '['}{low:g}, {high:g}]"
        self.refuse(~good, lambda i: f"{name} {values[i]} is outside {bounds}")
        return values

    def integers(self, name: str, limit: int = MAX_TIME, what: str = "a whole number") -> IntArray:
        """(n,) whole numbers in [0, limit], written in digits only."""
        values = []
        for row, text in zip(self.rows, self.texts(name), strict=True):
            if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= limit):
                raise FeedError(f"{self.source}: row {row}, {name} {text[:SHOWN]!r} is not {what}.")
            values.append(int(text))
        return np.array(values, dtype=np.int64)

    def times(self) -> IntArray:
        """(n,) Unix seconds from column ``ts``, ``date`` (UTC midnight) or ``ts_ms``, unordered.

        Milliseconds are cut to the second.
        """
        if "ts" not in self and "date" in self:
            return np.array(
                [
                    self._day(row, text)
                    for row, text in zip(self.rows, self.texts("date"), strict=True)
                ],
                dtype=np.int64,
            )
        if "ts" not in self and "ts_ms" in self:
            return self.integers("ts_ms", MAX_TIME * 1000, "a time in milliseconds") // 1000
        return self.integers("ts", MAX_TIME, "a time in whole Unix seconds")

    def rising(self, times: IntArray) -> None:
        """Raise where a time repeats or goes back."""
        steps = np.diff(times, prepend=times[0] - 1)
        self.refuse(steps == 0, lambda i: f"ts {times[i]} repeats the row before")
        self.refuse(steps < 0, lambda i: f"ts {times[i]} is earlier than the row before")

    def past(self, times: IntArray, now: int | None) -> None:
        """Raise where a time is after `now`, if that is given."""
        if now is not None:
            self.refuse(times > now, lambda i: f"ts {times[i]} is in the future")

    def refuse(self, bad: BoolArray, reason: Callable[[int], str]) -> None:
        """Raise for the first True, naming its row."""
        hits = np.flatnonzero(bad)
        if hits.size:
            first = int(hits[0])
            raise FeedError(f"{self.source}: row {self.rows[first]}, {reason(first)}.")

    def where(self, mask: BoolArray) -> Table:
        """The rows where `mask` is True; they keep their numbers."""
        kept = np.flatnonzero(mask).tolist()
        cells = {name: [texts[i] for i in kept] for name, texts in self.cells.items()}
        return replace(self, cells=cells, rows=[self.rows[i] for i in kept])

    def groups(self, *names: str) -> dict[tuple[str, ...], Table]:
        """One table per distinct tuple of cells in columns `names`, in order of appearance."""
        keys = list(zip(*(self.texts(name) for name in names), strict=True))
        found: dict[tuple[str, ...], list[int]] = {}
        for i, key in enumerate(keys):
            found.setdefault(key, []).append(i)
        every = len(self)
        masks = {key: np.zeros(every, dtype=np.bool_) for key in found}
        for key, places in found.items():
            masks[key][places] = True
        return {key: self.where(mask) for key, mask in masks.items()}

    def _day(self, row: int, text: str) -> int:
        try:
            if len(text) != 10:
                raise ValueError
            return (date.fromisoformat(text) - date(1970, 1, 1)).days * DAY
        except ValueError:
            reason = f"date {text[:SHOWN]!r} is not a day such as 2020-03-12"
            raise FeedError(f"{self.source}: row {row}, {reason}.") from None


def read_table(path: Path) -> Table:
    """A csv, csv.gz or parquet file, told apart by its name; any other name is read as csv.

    Raises:
        FeedError: the file is absent, damaged or not UTF-8, or a row has too many or too few
            cells.
    """
    if path.suffix == ".parquet":
        return _parquet(path)
    return parse_table(_lines(path), path.name)


def read_header(path: Path) -> list[str]:
    """The names of the columns, without reading the rest.

    Raises:
        FeedError: as `read_table`.
    """
    if path.suffix == ".parquet":
        return _parquet_names(path)
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8-sig") as lines:
            return [name.strip() for name in lines.readline(MAX_HEADER).split(",")]
    except UnicodeDecodeError:
        raise FeedError(f"{path.name}: the file is not UTF-8 text.") from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise FeedError(f"{path.name}: the gzip data is damaged or cut short.") from None
    except OSError as error:
        raise _unreadable(path, error) from None


def parse_table(lines: Iterable[str], source: str) -> Table:
    """A table from csv text lines, the first being the header. Quotes have no meaning.

    Raises:
        FeedError: as `read_table`.
    """
    rows = iter(lines)
    header = [name.strip() for name in next(rows, "").split(",")]
    data = [line.split(",") for line in rows]
    for number, cells in enumerate(data, start=2):
        if len(cells) != len(header):
            raise FeedError(
                f"{source}: row {number} has {len(cells)} cells for {len(header)} columns."
            )
    columns: list[Sequence[str]] = list(zip(*data, strict=True)) or [() for _ in header]
    return _table(source, header, columns, range(2, len(data) + 2))


def _table(
    source: str, header: Sequence[str], columns: Sequence[Sequence[str]], rows: range
) -> Table:
    repeated = frozenset(name for name in header if header.count(name) > 1)
    table = Table(source, dict(zip(header, columns, strict=True)), rows, repeated)
    if not any(header):
        raise FeedError(f"{source}: row 1, the header, is empty.")
    return table


def _lines(path: Path) -> list[str]:
    try:
        raw = path.read_bytes()
        text = gzip.decompress(raw) if path.suffix == ".gz" else raw
        return text.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise FeedError(f"{path.name}: the file is not UTF-8 text.") from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise FeedError(f"{path.name}: the gzip data is damaged or cut short.") from None
    except OSError as error:
        raise _unreadable(path, error) from None


def _parquet_names(path: Path) -> list[str]:
    # Imported here and below: the demo and the contracts' scripts run without it.
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    try:
        return list(pq.read_schema(path).names)
    except pa.ArrowInvalid:
        raise FeedError(f"{path.name}: the file is not parquet, or is damaged.") from None
    except OSError as error:
        raise _unreadable(path, error) from None


def _parquet(path: Path) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        read = pq.read_table(path)
    except pa.ArrowInvalid:
        raise FeedError(f"{path.name}: the file is not parquet, or is damaged.") from None
    except OSError as error:
        raise _unreadable(path, error) from None
    columns = [_column(path, name, read.column(i)) for i, name in enumerate(read.column_names)]
    return _table(path.name, read.column_names, columns, range(1, read.num_rows + 1))


def _column(path: Path, name: str, values: Any) -> list[str]:
    """One arrow column as text; times become whole Unix seconds."""
    import pyarrow as pa

    if pa.types.is_timestamp(values.type):
        try:
            values = values.cast(pa.timestamp("s")).cast(pa.int64())
        except pa.ArrowInvalid:
            raise FeedError(f"{path.name}: column {name} has parts of a second.") from None
    return ["" if value is None else str(value) for value in values.to_pylist()]


def _unreadable(path: Path, error: OSError) -> FeedError:
    return FeedError(f"{path.name}: the file cannot be read ({error.strerror or 'damaged'}).")


def _float(text: str, blank: float | None) -> float:
    """One float. Python also reads `1_000` and non-ASCII digits; a feed may not."""
    if not text and blank is not None:
        return blank
    if not text.isascii() or "_" in text:
        raise ValueError
    return float(text)
