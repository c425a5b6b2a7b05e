"""Order books and depth: recorded forms, arithmetic, what is refused."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.feeds.depth import Book, load_books, load_depths, make_book
from oracle.feeds.errors import FeedError
from oracle.feeds.quotes import WAD
from tests.unit.feeds import DATA

BOOKS = DATA / "order_book"


def test_depth_of_a_recorded_snapshot() -> None:
    """The recording itself says 3,661,125 and 3,072,718 within 5 bps, a moment apart."""
    path = BOOKS / "BTC_full_snapshot_2024-08-08.csv.gz"
    book = load_books(path, "BTC")[0]
    assert book.mid == 6_180_025 * 10**16
    rows = pd.read_csv(path)
    bids = rows[(rows["side"] == "bid") & (rows["price"] >= 61800.25 * (1 - 5e-4))]
    asks = rows[(rows["side"] == "ask") & (rows["price"] <= 61800.25 * (1 + 5e-4))]
    depth = book.depth(5)
    assert depth.complete
    assert depth.bid / WAD == pytest.approx((bids["price"] * bids["qty"]).sum(), rel=1e-12)
    assert depth.ask / WAD == pytest.approx((asks["price"] * asks["qty"]).sum(), rel=1e-12)
    assert (depth.bid // WAD, depth.ask // WAD) == (3_652_105, 3_088_789)
    assert not book.depth(100).complete
    assert book.depth(100).bid >= book.depth(25).bid


def test_recorded_levels_are_split_into_books() -> None:
    books = load_books(BOOKS / "BTC_l20_1s_2024-08-08.csv.gz", "BTC")
    assert [len(book.bids) for book in books] == [20, 20, 20]
    assert books[0].observed_at == 1723161256
    assert books[0].bids[0] == (618_002 * 10**17, 2_862 * 10**15)
    # Two books of this recording have the same time.
    same = load_books(BOOKS / "BTC_hyperliquid_l20_2025-01-26.csv.gz", "BTC")
    assert [book.observed_at for book in same] == [1737918843, 1737918843, 1737918844, 1737918844]


def test_recorded_depths() -> None:
    depths = load_depths(BOOKS / "BTC_depth_bps_2024-08-08.csv.gz")
    assert sorted(depths.bid) == sorted(depths.ask) == [5, 10, 25, 50, 100]
    assert depths.mid[0] == 61800.25
    assert (depths.bid[5][0], depths.ask[5][0]) == (3661125.0, 3072718.0)


def _book(bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> Book:
    scale = [[(p * WAD, q * WAD) for p, q in side] for side in (bids, asks)]
    return Book("test", "BTC", tuple(scale[0]), tuple(scale[1]), 0)


def test_the_bounds_belong_to_the_depth() -> None:
    book = _book([(9999, 1), (9990, 2), (9900, 4)], [(10001, 8), (10010, 16), (10100, 32)])
    assert book.depth(1).bid == 9999 * WAD
    assert book.depth(10).bid == (9999 + 2 * 9990) * WAD
    assert book.depth(9).ask == 8 * 10001 * WAD
    assert book.depth(100).ask == (8 * 10001 + 16 * 10010 + 32 * 10100) * WAD
    assert [book.depth(bps).complete for bps in (1, 99, 100)] == [True, True, False]


@given(
    st.lists(st.integers(1, 10_000), min_size=1, unique=True),
    st.lists(st.integers(10_001, 20_000), min_size=1, unique=True),
    st.integers(0, 10_000),
    st.integers(0, 10_000),
)
def test_depth_grows_with_the_distance(
    bids: list[int], asks: list[int], near: int, far: int
) -> None:
    book = make_book("t", "BTC", [[p, 1] for p in bids], [[p, 1] for p in asks], 0)
    assert [level[0] for level in book.bids] == [p * WAD for p in sorted(bids, reverse=True)]
    inner, outer = book.depth(min(near, far)), book.depth(max(near, far))
    assert inner.bid <= outer.bid <= sum(bids) * WAD
    assert inner.ask <= outer.ask <= sum(asks) * WAD


@pytest.mark.parametrize(
    ("bids", "asks", "reason"),
    [
        ([], [[2, 1]], "BTC bids are empty"),
        ([[1, 1]], [], "BTC asks are empty"),
        (None, [[2, 1]], "BTC bids are not a list"),
        ("1", [[2, 1]], "BTC bids are not a list"),
        ([[2, 1]], [[2, 1]], "BTC bids reach the asks: a crossed book"),
        ([[1, 1], [1, 1]], [[2, 1]], "BTC bids level 1 is not behind level 0"),
        ([[1, 0]], [[2, 1]], "BTC bids level 0 size 0 is outside"),
        ([[1, -1]], [[2, 1]], "BTC bids level 0 size -1 is outside"),
        ([["nan", 1]], [[2, 1]], "BTC bids level 0 price 'nan' is not finite"),
        ([[None, 1]], [[2, 1]], "BTC bids level 0 price None is not a number"),
        ([[1]], [[2, 1]], "BTC bids level 0 is no price and size"),
        (["11"], [[2, 1]], "BTC bids level 0 is no price and size"),
        ([[1, "1e308"]], [[2, 1]], "BTC bids level 0 size 1E[+]308 is outside"),
    ],
)
def test_a_bad_book_is_refused_by_source_and_level(bids: object, asks: object, reason: str) -> None:
    with pytest.raises(FeedError, match=rf"^okx: {reason}"):
        make_book("okx", "BTC", bids, asks, 0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("side,price,qty\nbid,1,1\nbuy,2,1\n", "row 3, side 'buy' is not bid or ask"),
        ("side,price,qty\nbid,1,1\nask,dear,1\n", "BTC asks level 0 price 'dear' is not a number"),
        ("ts_ms,level,bid,bid_qty,ask,ask_qty\n5,0,1,1,2,1\n5,2,1,1,2,1\n", "row 3, level 2 does"),
        ("ts_ms,level,bid,bid_qty,ask,ask_qty\n5,0,1,1,2,1\n4,0,1,1,2,1\n", "row 3, ts_ms 4 goes"),
        ("ts_ms,level,bid,bid_qty,ask,ask_qty\n5,0,2,1,2,1\n", "rows 2 to 2: BTC bids reach"),
    ],
)
def test_a_bad_recorded_book_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "book.csv"
    path.write_text(text)
    with pytest.raises(FeedError, match=rf"^book\.csv: {reason}"):
        load_books(path, "BTC")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ts_ms,mid\n5,1\n", "row 1, the header, has no column such as bid_usd_5bps"),
        ("ts_ms,mid,bid_usd_5bps\n5,1,1\n5,1,1\n", "row 3, ts 5 repeats"),
        ("ts_ms,mid,bid_usd_5bps\n5,1,1\n6,1,nan\n", "row 3, bid_usd_5bps nan is outside"),
        ("ts_ms,mid,bid_usd_5bps\n5,0,1\n", "row 2, mid 0.0 is outside"),
    ],
)
def test_a_bad_recorded_depth_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "depth.csv"
    path.write_text(text)
    with pytest.raises(FeedError, match=rf"^depth\.csv: {reason}"):
        load_depths(path)
