"""The edge of the feed: what is let in, and what is refused with its file and row named."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from oracle.feeds.bars import (
    HOUR,
    Bars,
    FeedError,
    Gap,
    concat,
    load_bars,
    load_closes,
    parse_bars,
    parse_closes,
)

HEADER = "ts,open,high,low,close,volume"
GOOD = [f"{HOUR * i},100,110,90,105,{i}" for i in range(4)]


def _rows(row: str, at: int = 2) -> list[str]:
    """The good file with data row `at` (0-based) replaced; it is row at + 2 of the file."""
    return [HEADER, *GOOD[:at], row, *GOOD[at + 1 :]]


REFUSED = {
    "nan": (f"{HOUR * 2},100,nan,90,105,1", "high nan"),
    "infinity": (f"{HOUR * 2},100,inf,90,105,1", "high inf"),
    "minus infinity": (f"{HOUR * 2},-inf,110,90,105,1", "open -inf"),
    "zero price": (f"{HOUR * 2},100,110,0,105,1", "low 0.0"),
    "negative price": (f"{HOUR * 2},100,110,-90,105,1", "low -90.0"),
    "text": (f"{HOUR * 2},100,high,90,105,1", "high 'high'"),
    "empty cell": (f"{HOUR * 2},100,,90,105,1", "high ''"),
    "python's underscore": (f"{HOUR * 2},100,1_1_0,90,105,1", "high '1_1_0'"),
    "non-ASCII digits": (f"{HOUR * 2},100,١١٠,90,105,1", "high '١١٠'"),
    "huge price": (f"{HOUR * 2},100,1e308,90,105,1", "high 1e+308"),
    "price above the chain's": (f"{HOUR * 2},100,1000000001,90,105,1", "high 1000000001.0"),
    "low above high": (f"{HOUR * 2},100,100,101,100,1", "low 101.0 is above high 100.0"),
    "open above high": (f"{HOUR * 2},110.01,110,90,105,1", "open 110.01 is outside"),
    "close below low": (f"{HOUR * 2},100,110,90,89.99,1", "close 89.99 is outside"),
    "negative volume": (f"{HOUR * 2},100,110,90,105,-1", "volume -1.0"),
    "nan volume": (f"{HOUR * 2},100,110,90,105,nan", "volume nan"),
    "duplicate time": (f"{HOUR},100,110,90,105,1", "repeats"),
    "earlier time": ("0,100,110,90,105,1", "earlier"),
    "off-grid time": (f"{HOUR * 2 + 1},100,110,90,105,1", "grid"),
    "fractional time": (f"{HOUR * 2}.0,100,110,90,105,1", "whole Unix seconds"),
    "negative time": ("-3600,100,110,90,105,1", "whole Unix seconds"),
    "huge time": (f"{HOUR * 10**20},100,110,90,105,1", "whole Unix seconds"),
    "missing cell": (f"{HOUR * 2},100,110,90,105", "5 cells for 6 columns"),
    "extra cell": (f"{HOUR * 2},100,110,90,105,1,1", "7 cells for 6 columns"),
    "blank row": ("", "1 cells for 6 columns"),
}


def test_the_good_rows_are_accepted() -> None:
    bars = parse_bars([HEADER, *GOOD], "good.csv")
    assert bars.ts.tolist() == [0, 3600, 7200, 10800]
    assert bars.high.tolist() == [110.0] * 4
    assert bars.volume is not None
    assert bars.volume.tolist() == [0.0, 1.0, 2.0, 3.0]
    assert bars.gaps() == ()


@pytest.mark.parametrize(("row", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_a_bad_row_is_refused_by_file_and_row(row: str, reason: str) -> None:
    with pytest.raises(FeedError) as caught:
        parse_bars(_rows(row), "bad.csv")
    message = str(caught.value)
    assert message.startswith("bad.csv: row 4")
    assert reason in message
    assert message.endswith(".")
    assert "\n" not in message


def test_the_first_bad_row_is_the_one_named() -> None:
    rows = [HEADER, GOOD[0], f"{HOUR},1,2,3,1,0", f"{HOUR * 2},1,2,3,1,0"]
    with pytest.raises(FeedError, match="row 3, low"):
        parse_bars(rows, "bad.csv")


@pytest.mark.parametrize("column", ["ts", "open", "high", "low", "close"])
def test_a_missing_column_is_named(column: str) -> None:
    header = ",".join(name for name in HEADER.split(",") if name != column)
    with pytest.raises(FeedError, match=rf"bad\.csv: row 1, the header, has no column {column}\."):
        parse_bars([header, "1,2,3,4,5"], "bad.csv")


def test_a_repeated_column_is_refused() -> None:
    with pytest.raises(FeedError, match=r"row 1, the header, has column open twice\."):
        parse_bars(["ts,open,high,low,close,open"], "bad.csv")


@pytest.mark.parametrize("lines", [[], [HEADER]])
def test_a_file_without_rows_is_refused(lines: list[str]) -> None:
    with pytest.raises(FeedError, match=r"bad\.csv"):
        parse_bars(lines, "bad.csv")


def test_columns_may_come_in_any_order_and_unknown_ones_are_ignored() -> None:
    bars = parse_bars(["close,trades,low,high,open,ts", "105,7,90,110,100,3600"], "good.csv")
    assert (bars.open[0], bars.high[0], bars.low[0], bars.close[0]) == (100.0, 110.0, 90.0, 105.0)
    assert bars.volume is None


def test_gaps_are_exposed_not_refused() -> None:
    bars = parse_bars([HEADER, GOOD[0], GOOD[3]], "gap.csv")
    assert bars.gaps() == (Gap(after=0, before=3 * HOUR, missing=2),)
    assert bars.joined().tolist() == [False, False]


def test_files_are_read_plain_and_gzipped(tmp_path: Path) -> None:
    text = "\n".join([HEADER, *GOOD]) + "\n"
    (tmp_path / "a.csv").write_text(text)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    plain, packed = load_bars(tmp_path / "a.csv"), load_bars(tmp_path / "a.csv.gz")
    assert plain.close.tolist() == packed.close.tolist() == [105.0] * 4


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("cut.csv.gz", gzip.compress(b"ts,close\n" * 99, mtime=0)[:-9], "gzip"),
        ("plain.csv.gz", b"ts,open,high,low,close\n", "gzip"),
        ("latin.csv", b"ts,open,high,low,close\n\xff", "UTF-8"),
        ("absent.csv", None, "cannot be read"),
    ],
)
def test_an_unreadable_file_is_refused_by_name(
    tmp_path: Path, name: str, content: bytes | None, reason: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(FeedError, match=rf"^{name}: .*{reason}.*\.$"):
        load_bars(tmp_path / name)


def test_arrays_are_read_only() -> None:
    bars = parse_bars([HEADER, *GOOD], "good.csv")
    for array in (bars.ts, bars.open, bars.slice(1, 3).close):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_before_keeps_complete_bars_only() -> None:
    bars = parse_bars([HEADER, *GOOD], "good.csv")
    assert len(bars.before(2 * HOUR - 1)) == 1
    assert len(bars.before(2 * HOUR)) == 2
    assert len(bars.before(0)) == 0
    assert len(bars.before(10**12)) == 4


def test_between_and_last_select_by_time_and_count() -> None:
    bars = parse_bars([HEADER, *GOOD], "good.csv")
    assert bars.between(HOUR, 3 * HOUR).ts.tolist() == [HOUR, 2 * HOUR]
    assert bars.last(3).ts.tolist() == [HOUR, 2 * HOUR, 3 * HOUR]
    assert len(bars.last(9)) == 4


def test_concat_joins_forward_only() -> None:
    bars = parse_bars([HEADER, *GOOD], "good.csv")
    whole = concat(bars.slice(0, 2), bars.slice(2, 4))
    assert whole.ts.tolist() == bars.ts.tolist()
    with pytest.raises(FeedError, match="not after"):
        concat(bars.slice(0, 3), bars.slice(2, 4))


def test_columns_of_unequal_length_are_refused() -> None:
    one, two = np.ones(1), np.ones(2)
    with pytest.raises(FeedError, match="close has 2 values for 1 times"):
        Bars(np.zeros(1, dtype=np.int64), one, one, one, two)


def test_closes_become_bars_between_closes_but_not_over_a_gap() -> None:
    lines = ["ts,close", f"{HOUR},100", f"{2 * HOUR},90", f"{3 * HOUR},95", f"{6 * HOUR},200"]
    bars = parse_closes(lines, "closes.csv")
    assert bars.open.tolist() == [100.0, 100.0, 90.0, 200.0]
    assert bars.high.tolist() == [100.0, 100.0, 95.0, 200.0]
    assert bars.low.tolist() == [100.0, 90.0, 90.0, 200.0]
    assert bars.gaps() == (Gap(after=3 * HOUR, before=6 * HOUR, missing=2),)


def test_a_bad_close_is_refused_by_file_and_row(tmp_path: Path) -> None:
    (tmp_path / "closes.csv").write_text(f"ts,close\n{HOUR},100\n{2 * HOUR},-1\n")
    with pytest.raises(FeedError, match=r"^closes\.csv: row 3, close -1\.0 is outside"):
        load_closes(tmp_path / "closes.csv")
