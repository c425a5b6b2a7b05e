"""Option chains: Deribit's live format over a loopback server, and the recorded table."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from oracle.feeds.errors import FeedError
from oracle.feeds.options import YEAR, DeribitChains, load_chains, parse_name, parse_summaries
from oracle.feeds.sources import ChainSource
from tests.unit.feeds import DATA
from tests.unit.feeds.exchanges import ExchangeServer, Fault

PATH = "/api/v2/public/get_book_summary_by_currency"
RECORDED = DATA / "deribit_chain" / "winB.csv.gz"


def test_a_live_chain_is_read_field_by_field(server: ExchangeServer) -> None:
    source = DeribitChains(server.url)
    assert isinstance(source, ChainSource)
    now = server.now_ms // 1000
    chain = source.chain("BTC", now)
    assert (chain.symbol, chain.ts, len(chain), chain.index) == ("BTC", now, 3, 60012.34)
    # 2037-03-27 08:00 and 2037-06-26 08:00 UTC
    assert chain.expiry.tolist() == [2121753600, 2121753600, 2129616000]
    assert chain.t.tolist() == ((chain.expiry - now) / YEAR).tolist()
    assert chain.call.tolist() == [False, True, True]
    assert chain.cp.tolist() == [-1, 1, 1]
    assert chain.strike.tolist() == [50000.0, 60000.0, 60000.0]
    assert chain.bid.tolist() == [0.0515] * 3
    assert np.isnan(chain.ask[0])
    assert chain.ask[1:].tolist() == [0.0535] * 2
    assert chain.mark.tolist() == [0.0523] * 3
    assert chain.iv.tolist() == [0.6125] * 3
    assert chain.forward.tolist() == [61234.5] * 3
    assert chain.open_interest.tolist() == [412.7] * 3


def _edit(place: int, field: str, value: object) -> Callable[[Any], Any]:
    def edit(answer: Any) -> Any:
        answer["result"][place][field] = value
        return answer

    return edit


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("mark_iv", "NaN", "mark_iv 'NaN' is not finite"),
        ("mark_iv", 0, "iv 0.0 is not above 0"),
        ("mark_iv", -5, "mark_iv -5 is outside"),
        ("mark_iv", 1e308, "mark_iv 1e+308 is outside"),
        ("mark_price", None, "mark_price None is not a number"),
        ("mark_price", "dear", "mark_price 'dear' is not a number"),
        ("underlying_price", 0, "forward 0.0 is not above 0"),
        ("underlying_price", [], "underlying_price [] is not a number"),
        ("estimated_delivery_price", float("nan"), "estimated_delivery_price nan is not finite"),
        ("bid_price", 0.06, "bid 0.06 is above ask 0.0535"),
        ("bid_price", -0.1, "bid_price -0.1 is outside"),
        ("open_interest", -1, "open_interest -1 is outside"),
        ("creation_timestamp", None, "creation_timestamp None is not a number"),
        ("instrument_name", "BTC-27MAR37-50000-P", "BTC-27MAR37-50000-P, the option is listed"),
        ("instrument_name", "BTC-PERPETUAL", "instrument_name 'BTC-PERPETUAL' is no option's name"),
    ],
)
def test_a_bad_field_is_refused_by_instrument(
    server: ExchangeServer, field: str, value: object, reason: str
) -> None:
    server.faults[PATH] = Fault(edit=_edit(1, field, value))
    with pytest.raises(FeedError) as caught:
        DeribitChains(server.url).chain("BTC", server.now_ms // 1000)
    message = str(caught.value)
    assert message.startswith("deribit: ")
    assert reason in message
    if field != "instrument_name":
        assert "BTC-27MAR37-60000-C" in message


@pytest.mark.parametrize(
    "body",
    ["[]", "1", "null", '{"result": {}}', '{"result": "x"}', '{"result": []}', '{"result": [1]}'],
)
def test_an_answer_of_another_form_is_refused(server: ExchangeServer, body: str) -> None:
    server.faults[PATH] = Fault(body=body)
    with pytest.raises(FeedError, match=r"^deribit: "):
        DeribitChains(server.url).chain("BTC", server.now_ms // 1000)


@pytest.mark.parametrize(
    ("fault", "reason", "asked"),
    [
        (Fault(status=429), "HTTP status 429 (3 attempts)", 3),
        (Fault(status=502, body="<html>"), "HTTP status 502 (3 attempts)", 3),
        (Fault(status=404), "HTTP status 404.", 1),
        (Fault(body='{"result": [{"vol'), "the answer is not JSON but", 3),
        (Fault(body="<html>\nhello</html>"), "the answer is not JSON but", 3),
        (Fault(delay=2.0), "no answer in 0.5 s (3 attempts)", 3),
        (Fault(drip=0.2), "no whole answer in 0.5 s (3 attempts)", 3),
    ],
)
def test_a_broken_server_is_asked_a_bounded_number_of_times(
    server: ExchangeServer, fault: Fault, reason: str, asked: int
) -> None:
    server.faults[PATH] = fault
    timeout = 0.5 if " in 0.5 s" in reason else 60.0
    with pytest.raises(FeedError) as caught:
        DeribitChains(server.url, timeout=timeout).chain("BTC", server.now_ms // 1000)
    assert str(caught.value).startswith("deribit: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert server.asked[PATH] == asked


def test_a_server_that_comes_back_is_read(server: ExchangeServer) -> None:
    server.faults[PATH] = Fault(status=503, times=2)
    assert len(DeribitChains(server.url).chain("BTC", server.now_ms // 1000)) == 3


def test_no_server_is_named() -> None:
    with pytest.raises(FeedError, match=r"^deribit: no connection, or one that broke \(3 att"):
        DeribitChains("http://127.0.0.1:9").chain("BTC", 0)


def test_an_old_and_a_future_chain_are_refused(server: ExchangeServer) -> None:
    now = server.now_ms // 1000
    with pytest.raises(FeedError, match="the chain is 121 s old, over 120"):
        DeribitChains(server.url).chain("BTC", now + 121)
    with pytest.raises(FeedError, match="creation_timestamp is 6 s in the future"):
        DeribitChains(server.url).chain("BTC", now - 6)


def test_options_in_another_currency_are_left_out(server: ExchangeServer) -> None:
    answer = server.routes[PATH]({})
    answer["result"].append({**answer["result"][0], "instrument_name": "BTC_USDC-27MAR37-5d5-P"})
    assert len(parse_summaries(answer, "BTC", server.now_ms // 1000, 60)) == 3
    with pytest.raises(FeedError, match="deribit: SOL has no option"):
        parse_summaries(answer, "SOL", server.now_ms // 1000, 60)


def test_an_option_that_is_over_is_left_out(server: ExchangeServer) -> None:
    answer = server.routes[PATH]({})
    answer["result"][0]["instrument_name"] = "BTC-1JAN20-50000-P"
    assert len(parse_summaries(answer, "BTC", server.now_ms // 1000, 60)) == 2


@pytest.mark.parametrize(
    "name",
    [
        None,
        5,
        "",
        "BTC",
        "BTC-27XXX26-1-C",
        "BTC-31FEB26-1-C",
        "BTC-27MAR26-1-X",
        "btc-27MAR26-1-C",
    ],
)
def test_what_is_no_option_is_refused(name: object) -> None:
    with pytest.raises(FeedError, match=r"^x: instrument_name "):
        parse_name(name, "x")


def test_a_strike_may_have_a_decimal_point() -> None:
    said = parse_name("XRP_USDC-3OCT25-2d65-C", "deribit")
    assert (said["asset"], said["strike"], said["call"]) == ("XRP_USDC", 2.65, True)
    assert said["expiry"] == 1759478400  # 2025-10-03 08:00 UTC


# Recorded


def test_recorded_chains_are_read_row_for_row() -> None:
    rows = pd.read_csv(RECORDED, float_precision="round_trip")
    chains = load_chains(RECORDED)
    assert {symbol: len(of_one) for symbol, of_one in chains.items()} == {"BTC": 1, "ETH": 2}
    assert sum(len(c) for of_one in chains.values() for c in of_one) == len(rows)
    for symbol, of_one in chains.items():
        for chain in of_one:
            part = rows[(rows["ts"] == chain.ts) & (rows["ccy"] == symbol)]
            part = part.sort_values(["expiry", "strike", "cp"], ascending=[True, True, False])
            for ours, theirs in (("strike", "strike"), ("iv", "iv"), ("forward", "fut")):
                assert getattr(chain, ours).tolist() == part[theirs].tolist()
            np.testing.assert_array_equal(chain.bid, part["bid"])
            np.testing.assert_array_equal(chain.ask, part["ask"])
            assert chain.call.tolist() == (part["cp"] == "C").tolist()
            # Their years have 365.25 days.
            np.testing.assert_allclose(chain.t * 365 / 365.25, part["t"], atol=2e-6)


def test_marks_equal_black_76_in_years_of_365_days() -> None:
    errors = []
    for chain in (c for of_one in load_chains(RECORDED).values() for c in of_one):
        root = chain.iv * np.sqrt(chain.t)
        d1 = np.log(chain.forward / chain.strike) / root + root / 2
        ratio = chain.strike / chain.forward
        price = chain.cp * (norm.cdf(chain.cp * d1) - ratio * norm.cdf(chain.cp * (d1 - root)))
        errors.append(np.abs(price - chain.mark))
    assert np.median(np.concatenate(errors)) < 2e-5


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("cp", "X", "cp 'X' is not C or P"),
        ("iv", "nan", "iv nan is outside"),
        ("iv", "", "iv '' is not a number"),
        ("strike", "0", "strike 0.0 is outside"),
        ("fut", "-1", "fut -1.0 is outside"),
        ("mark", "1e308", "mark 1e+308 is outside"),
        ("bid", "9", "bid 9.0 is above ask"),
        ("expiry", "2025-12-31", "expiry 2025-12-31 is over at its ts"),
        ("expiry", "soon", "date 'soon' is not a day"),
        ("ts", "1767172707", "ts 1767172707 goes back"),
    ],
)
def test_a_bad_row_is_refused(tmp_path: Path, column: str, value: str, reason: str) -> None:
    lines = gzip.decompress(RECORDED.read_bytes()).decode().splitlines()[:6]
    header, cells = lines[0].split(","), lines[3].split(",")
    cells[header.index(column)] = value
    lines[3] = ",".join(cells)
    path = tmp_path / "chain.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(FeedError) as caught:
        load_chains(path)
    assert str(caught.value).startswith("chain.csv: row 4, ")
    assert reason in str(caught.value)


def test_an_option_listed_twice_is_refused(tmp_path: Path) -> None:
    lines = gzip.decompress(RECORDED.read_bytes()).decode().splitlines()[:6]
    path = tmp_path / "chain.csv"
    path.write_text("\n".join([*lines, lines[2]]))
    with pytest.raises(FeedError, match=r"^chain\.csv: row 7, the option is listed twice\.$"):
        load_chains(path)
