"""A folder nobody has described: its markets are found, or its first bad file is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from oracle.feeds.bars import HOUR, FeedError
from oracle.feeds.folder import Market, discover, symbol_of
from oracle.feeds.series import load_series
from tests.unit.feeds import DATA


@pytest.fixture(scope="module")
def markets() -> dict[str, Market]:
    return discover(DATA)


def test_all_markets_are_found(markets: dict[str, Market]) -> None:
    panel = {
        "AAVE",
        "ALGO",
        "ATOM",
        "ETC",
        "FIL",
        "SOL",
        "THETA",
        "TRX",
        "UNI",
        "VET",
        "XLM",
        "XTZ",
    }
    # FIL and others were not listed yet in the first rows of the cut, but after the hole.
    assert sorted(markets) == sorted({"BTC", "ETH", "XRP", *panel})


def test_two_windows_of_a_market_are_joined(markets: dict[str, Market]) -> None:
    mark = markets["BTC"].bars["mark", HOUR]
    assert len(mark) == 48 + 24
    assert len(mark.gaps()) == 1
    assert mark.close[-24] == 87223.2
    assert len(markets["BTC"].funding["funding_8h"]) == 48 + 24


def test_margins_follow_the_mark_first(markets: dict[str, Market]) -> None:
    btc, sol = markets["BTC"], markets["SOL"]
    assert btc.price() is btc.bars["mark", HOUR]
    assert ("spot", HOUR) in btc.bars
    assert sol.price() is sol.bars["perp", HOUR]
    assert sol.traded() is sol.bars["perp", HOUR]
    assert btc.traded() is None
    assert sol.periods() == (HOUR, 4 * HOUR)


def test_blank_cells_of_a_panel_are_bars_a_coin_does_not_have(markets: dict[str, Market]) -> None:
    close = pd.read_csv(DATA / "perp_4h_panel" / "close.csv.gz", float_precision="round_trip")
    high = pd.read_csv(DATA / "perp_4h_panel" / "high.csv.gz", float_precision="round_trip")
    assert close["SOL"].isna().any()
    for coin in close.columns[1:]:
        listed = close[coin].notna()
        bars = markets[coin].bars["perp", 4 * HOUR]
        assert bars.ts.tolist() == close["ts"][listed].tolist()
        assert bars.close.tolist() == close[coin][listed].tolist()
        assert bars.high.tolist() == high[coin][listed].tolist()
    hole = max(markets["TRX"].bars["perp", 4 * HOUR].gaps()[1:], key=lambda gap: gap.missing)
    assert hole.before - hole.after == 182 * 86_400 + 4 * HOUR


def test_series_are_told_apart_by_venue_and_coin(markets: dict[str, Market]) -> None:
    rows = pd.read_csv(DATA / "funding_multi" / "shared.csv.gz", float_precision="round_trip")
    for (venue, coin), part in rows.groupby(["venue", "coin"]):
        series = markets[coin].funding[f"funding_multi/{venue}"]
        assert series.ts.tolist() == part["ts"].tolist()
        assert series.value.tolist() == part["funding_rate"].tolist()
    assert markets["BTC"].open_interest["open_interest_daily"].value[0] == 605258083.0
    assert set(markets["ETH"].open_interest) >= {"open_interest_multi/hyperliquid"}
    assert markets["BTC"].implied["dvol_daily"].value[0] == pytest.approx(0.5676, abs=1e-15)


def test_a_folder_of_one_kind_takes_it_from_its_own_name() -> None:
    assert set(discover(DATA / "mark_1h")["XRP"].bars) == {("mark", HOUR)}
    assert set(discover(DATA / "perp_4h_panel")["SOL"].bars) == {("perp", 4 * HOUR)}


def test_files_may_lie_in_a_folder_of_any_name(tmp_path: Path) -> None:
    shutil.copy(DATA / "mark_1h" / "XRP.csv.gz", tmp_path / "doge-usdt.csv.gz")
    table = pd.read_csv(DATA / "perp_1h" / "SOL.csv.gz", float_precision="round_trip").assign(
        trades=7, taker="x"
    )
    table.to_parquet(tmp_path / "PEPE.parquet")
    (tmp_path / "README.md").write_text("not data")
    (tmp_path / "MANIFEST.csv").write_text("path,rows\na,1\n")
    found = discover(tmp_path)
    assert sorted(found) == ["DOGE", "PEPE"]
    assert found["PEPE"].bars["price", HOUR].close.tolist() == table["close"].tolist()
    assert found["PEPE"].traded() is not None


def test_a_bad_row_is_named_with_its_folder(tmp_path: Path) -> None:
    for folder in ("perp_1h", "mark_1h"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "BTC.csv").write_text("ts,close\n0,1\n3600,2\n7200,3\n")
    (tmp_path / "perp_1h" / "BTC.csv").write_text("ts,close\n0,1\n3600,nan\n7200,3\n")
    with pytest.raises(FeedError, match=r"^perp_1h/BTC\.csv: row 3, close nan is outside"):
        discover(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("BTC.csv", "ts,cloze\n0,1\n", "BTC.csv: row 1, the header, has no column close."),
        ("BTC.csv", "", "has a column ts or date or ts_ms and a column close or price."),
        ("BTC.csv", "ts,close\n", "BTC.csv: there is no row after the header."),
        ("BTC.csv.gz", "ts,close\n0,1\n", "BTC.csv.gz: the gzip data is damaged or cut short."),
        ("high.csv", "ts,BTC\n0,1\n", "high.csv: the panel has no file close."),
    ],
)
def test_a_folder_without_a_usable_file_is_refused(
    tmp_path: Path, name: str, text: str, reason: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(FeedError) as caught:
        discover(tmp_path)
    assert str(caught.value).endswith(reason)


def test_a_file_of_a_price_folder_without_times_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mark_1h").mkdir()
    (tmp_path / "mark_1h" / "BTC.csv").write_text("time,close\n0,1\n")
    with pytest.raises(FeedError, match=r"mark_1h/BTC\.csv: row 1, the header, has no column ts"):
        discover(tmp_path)


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match=r"^absent: there is no such folder\.$"):
        discover(tmp_path / "absent")


def test_overlapping_windows_are_refused(tmp_path: Path) -> None:
    (tmp_path / "BTC.csv").write_text("ts,close\n0,1\n3600,2\n")
    (tmp_path / "BTC_new.csv").write_text("ts,close\n3600,1\n7200,2\n")
    message = r"BTC_new\.csv: its times overlap those of BTC\.csv, both of BTC: a market is"
    with pytest.raises(FeedError, match=message):
        discover(tmp_path)


def test_sides_of_a_panel_must_have_the_same_times(tmp_path: Path) -> None:
    (tmp_path / "close.csv").write_text("ts,BTC\n0,1\n3600,2\n")
    (tmp_path / "high.csv").write_text("ts,BTC\n0,1\n7200,2\n")
    (tmp_path / "low.csv").write_text("ts,BTC\n0,1\n3600,2\n")
    with pytest.raises(FeedError, match=r"^high\.csv: the times in high are not those in close\.$"):
        discover(tmp_path)


def test_a_hole_in_one_side_of_a_panel_is_refused(tmp_path: Path) -> None:
    (tmp_path / "close.csv").write_text("ts,BTC\n0,1\n3600,2\n7200,3\n")
    (tmp_path / "high.csv").write_text("ts,BTC\n0,1\n3600,\n7200,3\n")
    (tmp_path / "low.csv").write_text("ts,BTC\n0,1\n3600,2\n7200,3\n")
    with pytest.raises(FeedError, match=r"^close\.csv BTC: row 3, high '' is not a number\.$"):
        discover(tmp_path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ts,rate\n0,0.0001\n28800,nan\n", "row 3, rate nan is outside"),
        ("ts,rate\n0,0.0001\n28800,0.2\n", "row 3, rate 0.2 is outside"),
        ("ts,rate\n0,0.0001\n0,0.0001\n", "row 3, ts 0 repeats"),
        ("ts,rate\n28800,0.0001\n0,0.0001\n", "row 3, ts 0 is earlier"),
        ("ts,rate\n0,0.0001\n28800,\n", "row 3, rate '' is not a number"),
        ("date,oi_usd\n2020-01-01,5\n2020-01-02,-5\n", "row 3, oi_usd -5.0 is outside"),
        ("date,oi_usd\n2020-01-01,5\n2020-01-02,0\n", "row 3, oi_usd 0.0 is outside"),
        ("date,dvol\n2020-01-01,50\n2020-01-02,1e308\n", "row 3, dvol 1e+308 is outside"),
        ("ts,rate,dvol\n0,0,0\n", "row 1, the header, has rate and dvol"),
        ("ts,close\n0,0\n", "row 1, the header, has none of"),
        ("ts,venue,rate\n0,a,0\n0,b,0\n", "the file holds 2 series, not one"),
        ("ts,venue,rate\n0,a,0\n0,b,0\n0,a,0\n", "row 4, ts 0 repeats"),
    ],
)
def test_a_bad_value_of_a_series_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "BTC.csv"
    path.write_text(text)
    with pytest.raises(FeedError) as caught:
        load_series(path)
    assert str(caught.value).startswith(f"BTC.csv: {reason}")


def test_what_is_of_the_future_is_refused(tmp_path: Path) -> None:
    (tmp_path / "BTC.csv").write_text("ts,close\n0,1\n3600,2\n7200,3\n")
    assert len(discover(tmp_path, now=7200)["BTC"].bars["price", HOUR]) == 3
    with pytest.raises(FeedError, match=r"^BTC\.csv: row 4, ts 7200 is in the future\.$"):
        discover(tmp_path, now=7199)
    (tmp_path / "BTC.csv").write_text("ts,rate\n0,0.0001\n28800,0.0001\n")
    with pytest.raises(FeedError, match=r"^BTC\.csv: row 3, ts 28800 is in the future\.$"):
        load_series(tmp_path / "BTC.csv", now=28799)


def test_a_series_shows_nothing_of_the_future() -> None:
    series = load_series(DATA / "funding_8h" / "BTC.csv.gz")
    assert series.before(int(series.ts[5])).ts.tolist() == series.ts[:6].tolist()
    assert series.before(int(series.ts[5]) - 1).ts.tolist() == series.ts[:5].tolist()
    between = series.between(int(series.ts[1]), int(series.ts[3]))
    assert between.value.tolist() == series.value[1:3].tolist()
    with pytest.raises(ValueError, match="read-only"):
        series.value[0] = 1.0


@pytest.mark.parametrize(
    ("name", "symbol"),
    [("BTC.winB.csv.gz", "BTC"), ("btc_2025-05.parquet", "BTC"), ("1000PEPE-PERP.csv", "1000PEPE")],
)
def test_the_symbol_is_the_first_word_of_the_name(name: str, symbol: str) -> None:
    assert symbol_of(Path(name)) == symbol


def test_files_without_the_columns_are_told_which(tmp_path: Path) -> None:
    (tmp_path / "BTC.csv").write_text("time,last\n0,1\n3600,2\n")
    message = r"\.parquet and has a column ts or date or ts_ms and a column close or price\.$"
    with pytest.raises(FeedError, match=message):
        discover(tmp_path)


def test_names_that_begin_alike_are_told_how_they_are_read(tmp_path: Path) -> None:
    for name in ("BINANCE_BTC", "binance_eth"):
        (tmp_path / f"{name}.csv").write_text("ts,close\n0,1\n3600,2\n")
    message = (
        "both of BINANCE: a market is a file's name up to the first point, underscore or hyphen"
    )
    with pytest.raises(FeedError, match=message):
        discover(tmp_path)
