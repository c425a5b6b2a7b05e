"""Account tables: what is let in, and what is refused with file, row and column named."""

import pytest
from hypothesis import given

from oracle.crisis.table import parse_accounts, read_accounts, write_accounts
from oracle.engine.units import PPM, WAD
from oracle.feeds.bars import FeedError
from tests.unit.crisis.markets import FALL, account, crises

MARKETS = ("BTC", "ETH")
HEADER = "side,notional,leverage,entry_price,equity,market"
GOOD = ["long,1000,10,100,100,BTC", "short,500,1.5,100,500,ETH"]


def _parse(lines):
    return parse_accounts(lines, "accounts.csv", MARKETS)


def test_parse__good_rows__are_exact():
    first, second = _parse([HEADER, *GOOD])
    assert first == account("long", 10, 100, 100)
    assert (second.market, second.is_long, second.size) == ("ETH", False, 5 * WAD)
    assert second.leverage == 1_500_000


def test_parse__columns_in_any_order__others_ignored__first_market_is_the_default():
    lines = ["Equity,note,Entry Price,leverage,notional,side", " 100 ,x,100,10,1e3,LONG"]
    assert _parse(lines) == [account("long", 10, 100, 100)]


def test_parse__decimals__do_not_pass_through_a_float():
    (row,) = _parse([HEADER, "long,0.3,10,0.1,0.123456789012345678,BTC"])
    assert (row.size, row.equity) == (3 * WAD, 123_456_789_012_345_678)


REFUSED_ROWS = {
    "side": ("buy,1000,10,100,100,BTC", "side 'buy' is neither long nor short."),
    "side empty": (",1000,10,100,100,BTC", "side '' is neither long nor short."),
    "market": ("long,1000,10,100,100,DOGE", "market 'DOGE' is none of BTC, ETH."),
    "market empty": ("long,1000,10,100,100,", "market '' is none of BTC, ETH."),
    "negative size": ("long,-1000,10,100,100,BTC", "notional -1000 is outside (0, 1e+12]."),
    "no cash so large": ("long,1e12,10,100,1.1e12,BTC", "equity 1.1e12 is outside (0, 1e+12]."),
    "zero size": ("long,0,10,100,100,BTC", "notional 0 is outside (0, 1e+12]."),
    "nan": ("long,nan,10,100,100,BTC", "notional nan is outside (0, 1e+12]."),
    "signalling nan": ("long,snan,10,100,100,BTC", "notional snan is outside (0, 1e+12]."),
    "infinity": ("long,1000,inf,100,100,BTC", "leverage inf is outside (0, 10000]."),
    "minus infinity": ("long,1000,10,-inf,100,BTC", "entry_price -inf is outside (0, 1e+09]."),
    "huge exponent": ("long,1e999999,10,100,100,BTC", "notional 1e999999 is outside (0, 1e+12]."),
    "tiny exponent": ("long,1e-999999,10,100,100,BTC", "notional is so small that it rounds down"),
    "price": ("long,1000,10,0,100,BTC", "entry_price 0 is outside (0, 1e+09]."),
    "price below a wei": ("long,1,10,1e-19,100,BTC", "entry_price is so small that it rounds"),
    "leverage": ("long,1000,-3,100,100,BTC", "leverage -3 is outside (0, 10000]."),
    "equity negative": ("long,1000,10,100,-5,BTC", "equity -5 is outside (0, 1e+12]."),
    "equity empty": ("long,1000,10,100,,BTC", "equity '' is not a number."),
    "text": ("long,1000,ten,100,100,BTC", "leverage 'ten' is not a number."),
    "python's underscore": ("long,1_000,10,100,100,BTC", "notional '1_000' is not a number."),
    "non-ASCII digits": ("long,١٠,10,100,100,BTC", "notional '١٠' is not a number."),
    "less than a wei": ("long,1e-12,10,1e9,100,BTC", "is a size of 0 wei, outside (0, 2^111)."),
    "more than fits": ("long,1e12,10,1e-9,100,BTC", "outside (0, 2^111)."),
}


@pytest.mark.parametrize("case", REFUSED_ROWS)
def test_parse__bad_row__names_file_row_and_column(case):
    row, reason = REFUSED_ROWS[case]
    with pytest.raises(FeedError) as refusal:
        _parse([HEADER, *GOOD, row, *GOOD])
    assert str(refusal.value).startswith("accounts.csv: row 4, ")
    assert reason in str(refusal.value)


REFUSED_FILES = {
    "empty": ([], "row 1, the header, is empty."),
    "empty header": ([""], "row 1, the header, is empty."),
    "no rows": ([HEADER], "there is no row after the header."),
    "repeated": ([HEADER + ",side", *GOOD], "row 1, the header, has column side twice."),
    "short row": ([HEADER, "long,1000"], "row 2 has 2 cells for 6 columns."),
    "blank row": ([HEADER, "", *GOOD], "row 2 has 0 cells for 6 columns."),
    "open quote": ([HEADER, '"long,1000,10,100,100,BTC'], "row 2 is not csv"),
}


@pytest.mark.parametrize("case", REFUSED_FILES)
def test_parse__bad_file__is_named(case):
    lines, reason = REFUSED_FILES[case]
    with pytest.raises(FeedError) as refusal:
        _parse(lines)
    assert str(refusal.value).startswith("accounts.csv: ")
    assert reason in str(refusal.value)


@pytest.mark.parametrize("column", ["side", "notional", "leverage", "entry_price", "equity"])
def test_parse__missing_column__is_named(column):
    with pytest.raises(FeedError, match=f"row 1, the header, has no column {column}"):
        _parse([HEADER.replace(column, "other"), *GOOD])


def test_read__no_file_or_not_text__is_named(tmp_path):
    with pytest.raises(FeedError, match=r"gone\.csv: the file cannot be read"):
        read_accounts(tmp_path / "gone.csv", MARKETS)
    (tmp_path / "latin.csv").write_bytes(b"side\xff")
    with pytest.raises(FeedError, match=r"latin\.csv: the file is not UTF-8 text"):
        read_accounts(tmp_path / "latin.csv", MARKETS)


def test_read__byte_order_mark_of_a_spreadsheet__is_skipped(tmp_path):
    path = tmp_path / "sheet.csv"
    path.write_text("\ufeff" + "\r\n".join([HEADER, *GOOD]), encoding="utf-8")
    assert len(read_accounts(path, MARKETS)) == 2


def test_write__is_readable_by_eye(tmp_path):
    path = tmp_path / "out.csv"
    write_accounts(path, FALL[:1])
    assert path.read_text() == (
        "side,notional,leverage,entry_price,equity,market\nlong,1000,10,100,100,BTC\n"
    )
    assert FALL[0].leverage == 10 * PPM


@given(crises())
def test_write_then_read__returns_equal_accounts(tmp_path_factory, crisis):
    accounts, _, _ = crisis
    path = tmp_path_factory.mktemp("table") / "out.csv"
    write_accounts(path, accounts)
    assert read_accounts(path, MARKETS) == accounts
