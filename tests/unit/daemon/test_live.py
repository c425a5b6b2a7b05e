"""Exchanges in the keeper: from what a loopback server says to what is signed, and to no price."""

from __future__ import annotations

import io
import json
import time
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pytest

from oracle.calibration.derive import Terms, derive_market
from oracle.calibration.history import load_histories
from oracle.calibration.report import write
from oracle.chain import Head
from oracle.daemon.alarms import Alarms, DaemonError, Exit
from oracle.daemon.config import load_config
from oracle.daemon.fees import Patience
from oracle.daemon.journal import Journal
from oracle.daemon.keeper import Keeper
from oracle.daemon.live import live_sources
from oracle.daemon.live_config import Feeds
from oracle.daemon.logs import make_log
from oracle.daemon.metrics import Metrics
from oracle.daemon.node import Session
from oracle.daemon.outbox import DryOutbox
from oracle.daemon.panel import Panel
from oracle.daemon.remote import read_ask, write_ask
from oracle.daemon.signer import LocalSigner, Rules
from oracle.daemon.sources import MarketInfo, SourceError
from oracle.daemon.view import Price
from oracle.feeds.bars import HOUR, FeedError
from oracle.keeper import REPORT, Line
from oracle.risk import RuleEstimator
from oracle.verify import Before, Source, line_report, push_report, verify_report
from tests.unit.daemon.test_fault_14_guards import DOMAIN, KEYS, WAD, view
from tests.unit.daemon.test_service import GOOD_FILE
from tests.unit.feeds.conftest import _no_proxy  # noqa: F401
from tests.unit.feeds.exchanges import ExchangeServer, Fault, _bar

NAMES = ("binance", "okx", "bybit", "kraken")
MARK = "/api/v5/public/mark-price"
PRICE = 60_000 * WAD + WAD // 2
BTC = MarketInfo("BTC", 0, 100, 100_000)


@pytest.fixture(autouse=True)
def _half_past(monkeypatch):
    """Numbers are of full hours: no hour ends while a test runs."""
    clock = time.time
    shift = HOUR / 2 - clock() % HOUR
    monkeypatch.setattr(time, "time", lambda: clock() + shift)


@pytest.fixture(scope="module")
def running():
    server = ExchangeServer()
    yield server
    server.close()


@pytest.fixture
def server(running):
    running.reset()
    return running


def write_bars(folder, hours, volume=False):
    """Recorded hours, as the server would give them."""
    folder.mkdir(parents=True)
    rows = ["ts,open,high,low,close" + (",volume" if volume else "")]
    for hour in hours:
        t = hour * HOUR
        rows.append(",".join([str(t), *_bar(t * 1000), *(["1000.5"] if volume else [])]))
    (folder / "BTC.csv").write_text("\n".join(rows) + "\n")


def entry(server, folder, **more):
    venues = [
        {"id": name, "url": server.url, "timeout": 60.0, "options": {"enableRateLimit": False}}
        for name in NAMES
    ]
    return Feeds.model_validate(
        {"venues": venues, "calibration": "2026-02-05", "rule": "tail", "history": folder, **more}
    )


class Desk:
    """Sources of one process, its signers, and a keeper that would send."""

    def __init__(self, server, folder, **more):
        self.stream = io.StringIO()
        self.alarms = Alarms(make_log(self.stream))
        self.entry = entry(server, folder, **more)
        self.sources = live_sources(self.entry, {"BTC": BTC}, self.alarms, lambda: time.time())
        self.would = []

    def view(self):
        now = int(time.time())
        prices = {0: Price(60_000 * WAD, now - 60, 0), 1: Price(0, 0, 0)}
        lines = {0: Line(0, 10**6, now - 7_200), 1: Line(0, 10**6, 0)}
        return replace(view(), head=Head(1, "0x", now, 0), now=now, prices=prices, lines=lines)

    def signers(self):
        return [
            LocalSigner(key, DOMAIN, self.sources, {0: "BTC"}, self.view, Rules()) for key in KEYS
        ]

    def keeper(self):
        client = SimpleNamespace(request=lambda *_: "0x5208", sense=nullcontext)
        deployment = SimpleNamespace(engine="0x" + "01" * 20, addresses={"custody": "0x"})
        return Keeper(
            nodes=SimpleNamespace(session=lambda: Session(client, self.view().head)),
            looker=SimpleNamespace(read=lambda _: self.view(), deployment=deployment),
            panel=Panel(self.signers(), DOMAIN),
            outbox=DryOutbox("0x" + "02" * 20, self.would.append),
            journal=Journal(":memory:", "x"),
            alarms=self.alarms,
            metrics=Metrics(),
            infos={0: BTC},
            patience=Patience(),
        )

    def events(self):
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def refused(self, what):
        return {
            event["source"]: event["reason"]
            for event in self.events()
            if event["event"] == "source refused" and event["what"] == what
        }


@pytest.fixture
def desk(server, tmp_path):
    made = []

    def make(**more):
        made.append(Desk(server, tmp_path / "bars", **more))
        return made[-1]

    yield make
    for each in made:
        each.sources.close()


# --- prices ---------------------------------------------------------------------------------------


def test_four_venues__their_price_is_reported_in_wad(desk):
    one = desk()
    assert one.keeper().round()
    payload = one.would[0]
    assert payload.kind == "report"
    assert payload.detail["assets"] == [0]
    quoted = one.signers()[0].quote(payload.epoch, [0]).signed
    assert quoted.quotes[0] >> 32 == PRICE
    rates = [
        each.rate * 28_800 // each.interval
        for each in (s.funding("BTC", 0) for s in one.sources.prices._venues.sources)
    ]
    middle = sum(sorted(rates)[1:3]) // 2 * 10**6 // WAD
    assert (quoted.quotes[0] & (2**32 - 1)) - 2**31 == middle != 0
    assert payload.data[:4] == REPORT.selector
    assert one.alarms.worst == Exit.OK


def test_one_venue_times_1000_is_not_counted_and_named(desk, server):
    server.faults[MARK] = Fault(
        edit=lambda a: {**a, "data": [{**a["data"][0], "markPx": "60000500"}]}
    )
    one = desk()
    keeper = one.keeper()
    assert keeper.round()
    assert one.sources.prices.latest("BTC", int(time.time())) == PRICE
    assert "60000500" in one.refused("BTC price")["okx"]
    assert "is far from the median" in one.refused("BTC price")["okx"]
    assert keeper.alarms.worst == Exit.SOURCE  # a warning
    keeper.round()
    named = [e for e in one.events() if e["event"] == "source refused"]
    assert len(named) == 1  # it is said once


def test_two_venues_left__no_price_and_an_alarm(desk, server):
    server.faults[MARK] = Fault(status=404)
    server.faults["/v5/market/tickers"] = Fault(
        body='{"retCode": 0, "result": {"list": []}, "time": 1}'
    )
    one = desk()
    keeper = one.keeper()
    assert [payload.kind for payload in one.would] == []
    keeper.round()
    assert "report" not in [payload.kind for payload in one.would]
    alarm = next(e for e in one.events() if e["event"] == "no quorum")
    assert (alarm["alarm"], alarm["level"], alarm["kind"]) == ("SOURCE", "error", "report")
    assert "BTC: no price, 2 of at least 3 sources left; refused: bybit (" in alarm["why"][0]
    assert "okx (" in alarm["why"][0]
    server.faults.clear()
    time.sleep(1.1)  # what is asked again is not cached
    assert one.keeper().round()
    assert one.would[-1].kind == "report"


def test_prices_are_of_now(desk):
    live = desk().sources.prices
    for time_ in (int(time.time()) - 400, int(time.time()) + 60):
        with pytest.raises(SourceError, match="BTC: exchanges have prices of now, not of"):
            live.latest("BTC", time_)


def test_assets_of_one_market_have_one_price_for_a_moment(desk, server):
    live = desk().sources.prices
    now = int(time.time())
    live._now = lambda: now
    assert live.latest("BTC", now) == PRICE
    server.price["BTC"] = "60100"
    assert live.latest("BTC", now) == PRICE
    live._now = lambda: now + 3
    assert live.latest("BTC", now) == 60_100 * WAD


def test_without_funding_prices_go_on(desk, server):
    for path in ("/fapi/v1/premiumIndex", "/api/v5/public/funding-rate"):
        server.faults[path] = Fault(
            edit=lambda a: {k: v for k, v in a.items() if k not in ("lastFundingRate", "data")}
        )
    one = desk()
    assert one.sources.premiums.premium("BTC", 0) == 0
    assert {"okx", "binanceusdm"} >= set(one.refused("BTC funding")) != set()
    assert one.sources.prices.latest("BTC", int(time.time())) == PRICE


@pytest.mark.parametrize("is_needed", [True, False])
def test_reference_that_cannot_be_read(desk, is_needed):
    feeds = {"BTC": {"address": "0x" + "00" * 19 + "01", "heartbeat": 3_600}}
    reference = {"node": "http://127.0.0.1:9", "feeds": feeds, "is_needed": is_needed}
    one = desk(reference=reference)
    if is_needed:
        with pytest.raises(FeedError, match="chainlink BTC: "):
            one.sources.prices.latest("BTC", int(time.time()))
        return
    assert one.sources.prices.latest("BTC", int(time.time())) == PRICE
    assert "chainlink" in one.refused("BTC reference")


def test_reference_that_disagrees(desk, monkeypatch):
    feeds = {"BTC": {"address": "0x" + "00" * 19 + "01", "heartbeat": 3_600}}
    one = desk(reference={"node": "http://127.0.0.1:9", "feeds": feeds})
    now = int(time.time())
    said = SimpleNamespace(price=PRICE * 110 // 100, source="chainlink", symbol="BTC")
    one.sources.prices._reference = SimpleNamespace(latest=lambda symbol, now: said)
    with pytest.raises(FeedError, match="ppm from chainlink"):
        one.sources.prices.latest("BTC", now)
    said.price = PRICE * 101 // 100
    assert one.sources.prices.latest("BTC", now) == PRICE


# --- numbers --------------------------------------------------------------------------------------


def this_hour():
    return int(time.time()) // HOUR


def recorded(folder, until):
    write_bars(folder / "mark_1h", range(until - 1_900, until))
    write_bars(folder / "perp_1h", range(until - 40, until), volume=True)


def verdict(one, folder, ask, **changes):
    """Of a report of this ask, from the bars in the folder."""
    estimator = one.sources.voted["BTC"].estimator
    row = line_report(0, estimator, ask, Before(0, 10**6, 3_600))
    report = json.loads(json.dumps(push_report(ask.time, [{**row, **changes}])))
    history = load_histories(folder, ["BTC"])["BTC"]
    return verify_report(report, {"BTC": Source(history.mark, history.traded)})


def test_numbers_from_recorded_and_live_bars__and_verified(desk, tmp_path, server):
    hour = this_hour()
    recorded(tmp_path / "bars", hour - 5)
    one = desk()
    asked = one.signers()[0].ask(int(time.time()), [0])
    assert asked.missing == {}
    ask = asked.asks[0]
    assert ask.time == hour * HOUR
    assert 0 < ask.severity < 10**6
    assert ask.depth == 10**6
    lines = (tmp_path / "bars/mark_1h/BTC.live.csv").read_text().splitlines()
    assert lines[0] == "ts,open,high,low,close"
    assert [int(line.split(",")[0]) // HOUR for line in lines[1:]] == list(range(hour - 5, hour))
    assert verdict(one, tmp_path / "bars", ask).equal
    before = server.asked["/v5/market/mark-price-kline"]
    again = desk().sources.numbers.ask("BTC", int(time.time()))  # another process, the same files
    assert again == ask
    assert server.asked["/v5/market/mark-price-kline"] == before
    server.now_ms += HOUR * 1000  # an hour later
    later = one.sources.numbers.ask("BTC", int(time.time()) + HOUR)
    assert later.time == (hour + 1) * HOUR
    assert later.input_hash != ask.input_hash
    assert verdict(one, tmp_path / "bars", later).equal
    assert verdict(one, tmp_path / "bars", ask).equal  # what was used is never changed


def test_numbers_by_the_backtested_rule__and_verified(desk, tmp_path, server):
    hour = this_hour()
    recorded(tmp_path / "bars", hour - 5)
    write_bars(tmp_path / "past", range(hour - 1_900, hour - 200), volume=True)
    terms = Terms((hour - 200) * HOUR)
    write(tmp_path, [derive_market(load_histories(tmp_path / "past")["BTC"], terms)], terms)
    one = desk(calibration=str(tmp_path / "report.json"), rule="mixture")
    ask = one.sources.numbers.ask("BTC", int(time.time()))
    assert type(one.sources.voted["BTC"].estimator) is RuleEstimator
    assert 0 < ask.severity < 10**6
    assert verdict(one, tmp_path / "bars", ask).equal
    assert not verdict(one, tmp_path / "bars", ask, need=ask.need + 1).equal


def test_warm_up_from_the_exchanges_alone(desk, tmp_path):
    ask = desk().sources.numbers.ask("BTC", int(time.time()))
    assert ask.time == this_hour() * HOUR
    lines = (tmp_path / "bars/mark_1h/BTC.live.csv").read_text().splitlines()
    assert len(lines) == 1 + 1_800


def test_a_wild_bar_of_one_venue_is_not_counted(desk, tmp_path, server):
    hour = this_hour()
    recorded(tmp_path / "bars", hour - 5)

    def wild(answer):
        rows = [[row[0], *(str(1_000 * float(v)) for v in row[1:5])] for row in answer["data"]]
        return {**answer, "data": [[*row, "1"] for row in rows]}

    plain = desk().sources.numbers.ask("BTC", int(time.time()))
    for path in (tmp_path / "bars").glob("*/*.live.csv"):
        path.unlink()
    for path in ("history-mark-price-candles", "mark-price-candles"):
        server.faults[f"/api/v5/market/{path}"] = Fault(edit=wild)
    one = desk()
    assert one.sources.numbers.ask("BTC", int(time.time())) == plain
    assert one.refused("BTC bars") == {"okx": "5 bars are far from the median"}


def test_bars_of_two_venues_are_no_numbers(desk, tmp_path, server):
    recorded(tmp_path / "bars", this_hour() - 5)
    for path in ("/v5/market/mark-price-kline", "/fapi/v1/markPriceKlines"):
        server.faults[path] = Fault(status=404)
    asked = desk().signers()[0].ask(int(time.time()), [0])
    assert asked.asks == {}
    assert "BTC: bars: 2 of at least 3 sources left; refused: binanceusdm" in asked.missing[0]
    assert not (tmp_path / "bars/mark_1h/BTC.live.csv").exists()


def test_books_lower_depth_and_the_hash_is_over_them(desk, tmp_path):
    recorded(tmp_path / "bars", this_hour() - 5)
    plain = desk().sources.numbers.ask("BTC", int(time.time()))
    one = desk(books={"reference": {"BTC": 400_000}})
    ask = one.sources.numbers.ask("BTC", int(time.time()))
    # bids within 50 bps: 1.5 x 60000 + 2 x 59990 USD at every venue
    assert ask.books.depths == (209_980,) * 4
    assert ask.depth == 10**6 * 209_980 // 400_000
    assert (ask.need, ask.severity) == (plain.need, plain.severity)
    assert ask.input_hash != plain.input_hash
    assert read_ask(json.loads(json.dumps(write_ask(ask)))) == ask
    assert verdict(one, tmp_path / "bars", ask).equal
    for books in ({"reference": 400_000, "depths": [209_980, 209_980, 209_980, 209_981]},):
        assert not verdict(one, tmp_path / "bars", ask, books=books).equal


def test_too_few_books_are_no_numbers(desk, tmp_path, server):
    recorded(tmp_path / "bars", this_hour() - 5)
    for path in ("/v5/market/orderbook", "/fapi/v1/depth"):
        server.faults[path] = Fault(status=404)
    one = desk(books={"reference": {"BTC": 400_000}})
    with pytest.raises(SourceError, match="BTC: no depth, 2 of at least 3 books left; refused: b"):
        one.sources.numbers.ask("BTC", int(time.time()))


# --- configuration --------------------------------------------------------------------------------

FEEDS = """
[feeds]
calibration = "report.json"
volume = "okx"
[[feeds.venues]]
id = "binance"
options = { enableRateLimit = false }
[[feeds.venues]]
id = "okx"
url = "http://127.0.0.1:1"
[[feeds.venues]]
id = "kraken"
levels = 100
"""
FILE = GOOD_FILE.replace(
    'sources = { factory = "my.feeds:make", options = { venues = 3 } }\n', ""
) + FEEDS  # fmt: skip


def test_config(tmp_path):
    path = tmp_path / "keeper.toml"
    path.write_text(FILE)
    config = load_config(path)
    assert config.feeds.calibration == str(tmp_path / "report.json")
    assert config.feeds.history == tmp_path / "build/keeper/bars"
    assert config.reports == tmp_path / "build/keeper/reports"
    assert config.feeds.venues[2].said == {"levels": 100}


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("levels = 100", "level = 100", "feeds.venues.2.level: there is no such setting."),
        ('volume = "okx"', 'volumes = "okx"', "feeds.volumes: there is no such setting."),
        ('volume = "okx"', 'volume = "ftx"', "feeds: volume names ftx, which is none of the ven"),
        ('id = "kraken"', 'id = "okx"', "feeds: the venue okx is named twice."),
        ('id = "kraken"\n', 'id = "kraken"\ntimeout = 0\n', "feeds.venues.2.timeout: "),
        ('volume = "okx"', "min_sources = 4", "feeds: 3 venues cannot be min_sources = 4."),
        ('volume = "okx"', "min_sources = 2", "feeds.min_sources: Input should be greater than"),
        ("http://127", "ftp://127", "feeds.venues.1.url: it starts with http:// or https://."),
        ("[feeds]", 'sources = { replay = "2020-03-12" }\n[feeds]', "name [feeds] or sources"),
        (FEEDS, "", "name [feeds] or sources, one of them."),
    ],
)
def test_config_is_refused_in_one_sentence(tmp_path, old, new, sentence):
    assert old in FILE
    text = FILE.replace(old, new)
    if "replay" in new:  # before the tables
        text = 'sources = { replay = "2020-03-12" }\n' + FILE
    path = tmp_path / "keeper.toml"
    path.write_text(text)
    with pytest.raises(DaemonError) as caught:
        load_config(path)
    assert sentence in str(caught.value)
    assert caught.value.code == Exit.CONFIG


@pytest.mark.parametrize(
    ("changes", "markets", "sentence"),
    [
        ({"calibration": "nowhere.json"}, {"BTC": BTC}, "nowhere.json cannot be read"),
        ({"rule": "mixture"}, {"BTC": BTC}, "2026-02-05 was made by the rule tail"),
        ({}, {"BTC": BTC, "SOL": BTC}, "The calibration 2026-02-05 has no SOL, only BTC, ETH."),
        ({"venues": [{"id": n} for n in ("okx", "bybit", "ftx2")]}, {"BTC": BTC}, "ftx2: there is"),
    ],
)
def test_what_cannot_be_opened_is_said(server, tmp_path, changes, markets, sentence):
    feeds = entry(server, tmp_path, **changes)
    with pytest.raises(DaemonError, match=sentence) as caught:
        live_sources(feeds, markets, Alarms(make_log(io.StringIO())))
    assert caught.value.code == Exit.CONFIG


def test_recorded_file_with_a_bad_row_is_named(server, tmp_path):
    write_bars(tmp_path / "mark_1h", range(100, 110))
    with (tmp_path / "mark_1h/BTC.csv").open("a") as out:
        out.write("396000,1,2,nan,1\n")
    with pytest.raises(DaemonError, match=r"\[feeds\]: mark_1h/BTC.csv: row 12"):
        live_sources(entry(server, tmp_path), {"BTC": BTC}, Alarms(make_log(io.StringIO())))
