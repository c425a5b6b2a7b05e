"""Bars from files with fewer columns, from parquet, and what is refused with its row named."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from oracle.feeds.bars import HOUR, FeedError, load_bars, read_bars
from tests.unit.feeds import DATA

T0 = 1_600_000_000 // HOUR * HOUR
GOOD = {
    "ts": [T0 + HOUR * i for i in range(4)],
    "open": [100.0, 105.0, 104.0, 104.0],
    "high": [110.0, 111.0, 112.0, 113.0],
    "low": [90.0, 91.0, 92.0, 93.0],
    "close": [105.0, 104.5, 103.25, 108.125],
    "volume": [1.0, 0.0, 2.5, 3.0],
}


def _write(folder: Path, form: str, columns: dict[str, list[object]]) -> Path:
    """A file of one form; in csv None is an empty cell."""
    path = folder / f"BTC.{form}"
    if form == "parquet":
        pq.write_table(pa.table(columns), path)  # pandas would write NaN as nothing
        return path
    rows = zip(*columns.values(), strict=True)
    cells = [",".join("" if cell is None else str(cell) for cell in row) for row in rows]
    text = "\n".join([",".join(columns), *cells]) + "\n"
    path.write_bytes(gzip.compress(text.encode(), mtime=0) if form == "csv.gz" else text.encode())
    return path


FORMS = ["csv", "csv.gz", "parquet"]


@pytest.mark.parametrize("form", FORMS)
def test_every_format_gives_the_same_doubles(tmp_path: Path, form: str) -> None:
    bars = read_bars(_write(tmp_path, form, GOOD))
    assert bars.period == HOUR
    assert bars.ts.tolist() == GOOD["ts"]
    for name in ("open", "high", "low", "close", "volume"):
        assert getattr(bars, name).tolist() == GOOD[name]


BAD: dict[str, tuple[str, object, str]] = {
    "nan": ("close", float("nan"), "close nan is outside (0, 1e+09]"),
    "infinity": ("high", float("inf"), "high inf is outside"),
    "zero": ("low", 0.0, "low 0.0 is outside"),
    "negative": ("open", -1.0, "open -1.0 is outside"),
    "1e308": ("close", 1e308, "close 1e+308 is outside"),
    "open outside": ("open", 120.0, "open 120.0 is outside low 92.0 to high 112.0"),
    "negative volume": ("volume", -1.0, "volume -1.0 is outside [0, 1e+15]"),
    "nan volume": ("volume", float("nan"), "volume nan is outside"),
    "repeated time": ("ts", T0 + HOUR, f"ts {T0 + HOUR} repeats the row before"),
    "earlier time": ("ts", T0, f"ts {T0} is earlier than the row before"),
    "off-grid time": ("ts", T0 + 2 * HOUR + 60, f"ts {T0 + 2 * HOUR + 60} is not on the 3600"),
    "beyond all time": ("ts", 2**41, f"ts '{2**41}' is not a time in whole Unix seconds"),
}
TEXT: dict[str, tuple[str, object, str]] = {
    "text": ("close", "dear", "close 'dear' is not a number"),
    "none": ("close", None, "close '' is not a number"),
    "list": ("close", "[]", "close '[]' is not a number"),
    "text for a time": ("ts", "now", "ts 'now' is not a time in whole Unix seconds"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("column", "value", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_value_is_refused_by_file_and_row(
    tmp_path: Path, form: str, column: str, value: object, reason: str
) -> None:
    _refused(tmp_path, form, column, [*GOOD[column][:2], value, *GOOD[column][3:]], reason)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("column", "value", "reason"), TEXT.values(), ids=TEXT.keys())
def test_what_is_no_number_is_refused_by_file_and_row(
    tmp_path: Path, form: str, column: str, value: object, reason: str
) -> None:
    texts: list[object] = [str(cell) for cell in GOOD[column]]
    _refused(tmp_path, form, column, [*texts[:2], value, *texts[3:]], reason)


def _refused(folder: Path, form: str, column: str, values: list[object], reason: str) -> None:
    path = _write(folder, form, {**GOOD, column: values})
    with pytest.raises(FeedError) as caught:
        read_bars(path, HOUR)
    message = str(caught.value)
    # Parquet has no header row.
    assert message.startswith(f"{path.name}: row {3 if form == 'parquet' else 4}, {reason}")
    assert message.endswith(".")
    assert "\n" not in message


def test_parquet_times_may_be_timestamps(tmp_path: Path) -> None:
    times = pd.to_datetime(GOOD["ts"], unit="s", utc=True)
    bars = read_bars(_write(tmp_path, "parquet", {**GOOD, "ts": list(times)}))
    assert bars.ts.tolist() == GOOD["ts"]


def test_parts_of_a_second_are_refused(tmp_path: Path) -> None:
    times = list(pd.to_datetime([t * 1000 + 1 for t in GOOD["ts"]], unit="ms", utc=True))
    path = _write(tmp_path, "parquet", {**GOOD, "ts": times})
    with pytest.raises(FeedError, match=r"BTC\.parquet: column ts has parts of a second\."):
        read_bars(path)


@pytest.mark.parametrize("content", [b"", b"PAR1 not parquet", b"ts,close\n0,1\n"])
def test_a_damaged_parquet_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "BTC.parquet").write_bytes(content)
    with pytest.raises(FeedError, match=r"^BTC\.parquet: the file is not parquet"):
        read_bars(tmp_path / "BTC.parquet")


def test_an_absent_parquet_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match=r"^BTC\.parquet: the file cannot be read \("):
        read_bars(tmp_path / "BTC.parquet")


def test_without_an_open_it_is_the_close_before_inside_the_range(tmp_path: Path) -> None:
    columns = {
        "ts": [T0, T0 + HOUR, T0 + 2 * HOUR, T0 + 4 * HOUR],
        "high": [110.0, 104.0, 112.0, 113.0],
        "low": [90.0, 91.0, 103.75, 93.0],
        "close": [105.0, 103.0, 108.0, 101.0],
    }
    bars = read_bars(_write(tmp_path, "csv", columns))
    # First: its own close. Then: 105 lies above 104, 103 below 103.75. After the gap: its own.
    assert bars.open.tolist() == [105.0, 104.0, 103.75, 101.0]
    assert (bars.high.tolist(), bars.low.tolist()) == (columns["high"], columns["low"])
    assert bars.volume is None


def test_with_closes_only_a_bar_runs_from_one_to_the_next(tmp_path: Path) -> None:
    columns = {"ts": [T0, T0 + HOUR, T0 + 3 * HOUR], "close": [105.0, 103.0, 108.0]}
    bars = read_bars(_write(tmp_path, "csv", columns), HOUR)
    assert bars.open.tolist() == [105.0, 105.0, 108.0]
    assert bars.high.tolist() == [105.0, 105.0, 108.0]
    assert bars.low.tolist() == [105.0, 103.0, 108.0]


def test_a_high_without_a_low_is_refused(tmp_path: Path) -> None:
    columns = {name: GOOD[name] for name in ("ts", "high", "close")}
    with pytest.raises(FeedError, match=r"row 1, the header, has column high but no low\."):
        read_bars(_write(tmp_path, "csv", columns))


def test_days_and_prices_are_read(tmp_path: Path) -> None:
    columns = {"date": ["2020-02-28", "2020-02-29", "2020-03-01"], "price": [1.0, 2.0, 3.0]}
    bars = read_bars(_write(tmp_path, "csv", columns))
    assert bars.period == 86_400
    assert bars.ts.tolist() == [1582848000, 1582934400, 1583020800]
    assert bars.gaps() == ()


@pytest.mark.parametrize("day", ["2020-02-30", "20200229", "2020-2-29", "yesterday"])
def test_a_day_that_is_none_is_refused(tmp_path: Path, day: str) -> None:
    path = _write(tmp_path, "csv", {"date": ["2020-02-28", day], "price": [1.0, 2.0]})
    with pytest.raises(FeedError, match=rf"row 3, date '{day}' is not a day"):
        read_bars(path)


def test_the_period_is_the_step_that_occurs_most(tmp_path: Path) -> None:
    times = [T0 + 900 * i for i in (0, 1, 2, 10, 11, 30)]
    bars = read_bars(_write(tmp_path, "csv", {"ts": times, "close": [1.0, 2, 3, 4, 5, 6]}))
    assert bars.period == 900
    assert [gap.missing for gap in bars.gaps()] == [7, 18]


def test_a_single_row_needs_a_period(tmp_path: Path) -> None:
    path = _write(tmp_path, "csv", {"ts": [T0], "close": [1.0]})
    with pytest.raises(FeedError, match="no two times"):
        read_bars(path)
    assert len(read_bars(path, HOUR)) == 1


def _flat(count: int, before: int = 3) -> dict[str, list[object]]:
    """Moving bars, then `count` equal ones, then one that moved."""
    moving = [100.0 + i for i in range(before)]
    closes = [*moving, *[200.0] * count, 300.0]
    return {"ts": [T0 + HOUR * i for i in range(len(closes))], "close": closes}


def test_a_frozen_feed_is_refused_at_the_row_that_makes_it_one(tmp_path: Path) -> None:
    path = _write(tmp_path, "csv", _flat(24))
    with pytest.raises(FeedError, match=r"row 28, the prices are the same 24 times in a row"):
        read_bars(path)
    assert len(read_bars(path, frozen=25)) == 28
    assert len(read_bars(_write(tmp_path, "csv", _flat(23)))) == 27


def test_a_repeated_whole_bar_is_frozen_but_a_repeated_close_is_not(tmp_path: Path) -> None:
    count = 30
    columns: dict[str, list[object]] = {
        "ts": [T0 + HOUR * i for i in range(count)],
        "high": [110.0] * count,
        "low": [90.0] * count,
        "close": [100.0] * count,
    }
    with pytest.raises(FeedError, match="row 25, the prices are the same 24 times"):
        read_bars(_write(tmp_path, "csv", columns))
    columns["high"] = [110.0 + i % 2 for i in range(count)]
    assert len(read_bars(_write(tmp_path, "csv", columns))) == count


def test_load_bars_refuses_a_frozen_feed_as_well(tmp_path: Path) -> None:
    columns = {**_flat(24), **{name: _flat(24)["close"] for name in ("open", "high", "low")}}
    with pytest.raises(FeedError, match="a frozen feed"):
        load_bars(_write(tmp_path, "csv", columns))


def test_a_very_long_number_is_refused_not_crashed_on(tmp_path: Path) -> None:
    path = _write(tmp_path, "csv", {"ts": ["9" * 5000], "close": [1.0]})
    with pytest.raises(FeedError, match=r"row 2, ts '9{40}' is not a time"):
        read_bars(path, HOUR)


def test_recorded_mark_bars_without_open() -> None:
    bars = read_bars(DATA / "mark_1h" / "XRP.csv.gz")
    assert (bars.period, len(bars), bars.gaps()) == (HOUR, 48, ())
    assert bars.close[0] == 0.19713519
    # 0.19713519 lies inside the second bar, whose high is 0.19740556 and low 0.19673883.
    assert bars.open[1] == 0.19713519
    assert np.all((bars.low <= bars.open) & (bars.open <= bars.high))


def test_a_recorded_maintenance_gap_is_named() -> None:
    bars = read_bars(DATA / "spot_1h" / "BTC.csv.gz")
    assert [(gap.before - gap.after, gap.missing) for gap in bars.gaps()] == [(7200, 1)]
