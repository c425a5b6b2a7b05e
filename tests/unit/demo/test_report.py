"""The report: its JSON, what it must show, and the page."""

import json
import re
import xml.etree.ElementTree as ET
from collections import Counter
from copy import deepcopy
from pathlib import Path

import pytest

from scripts.demo_parts import act_outcome, console, outcome, page
from scripts.demo_parts.books import Books
from scripts.demo_parts.contracts import Happened
from scripts.demo_parts.errors import DemoError
from scripts.demo_parts.incident import Silence
from scripts.demo_parts.node import Counts
from scripts.demo_parts.plan import make_plan
from scripts.demo_parts.recorder import Recorder
from scripts.demo_parts.venue import WAD, Health, Market
from tests.unit.demo.staged import second_act

ROOT = Path(__file__).parents[3]
NAMES = {1: "cross-<1>", 2: "iso-2", 3: "bot-quick"}
BOOKS = Books(
    tokens=10**24,
    deficit=10**20,
    tickets=0,
    insurance=5,
    restored=0,
    waiting=1,
    cash=10**24,
    value=10**20 - 2 * 10**6 - 12,
    fees=10,
    interest=2,
    dust=2 * 10**6,
    error=0,
    mismatches=(),
    positions=2,
)


@pytest.fixture(scope="module")
def plan():
    return make_plan("2020-03-12", hours=30)


@pytest.fixture(scope="module")
def recorder(plan):
    """Two traders; one loses all."""
    recorder = Recorder({0: "BTC", 1: "ETH"}, plan.calibration, ("WETH", "ETH"))
    for step, (time, prices) in enumerate(plan.steps):
        views = {
            symbol: Market(prices[symbol], 2 * (step == 50), 1_000 * step, 10**6 - step, step, step)
            for symbol in plan.symbols
        }
        state = min(4, step // 60)
        health = {
            1: Health((100 - step) * WAD, WAD, state),
            2: Health(50 * WAD, WAD * (step % 2), 0),
        }
        recorder.sample(time, prices, views, health)
    for i in range(10):
        values = {"taker": 3, "account": 1, "market": 0, "size": WAD, "price": 7_000 * WAD}
        recorder.hear(Happened("l", "TakenOver", values | {"fee": i * WAD, "payment": 0}, time))
    parts = {"deficit": 9 * WAD, "insured": 0, "charged": 7 * WAD}
    leg = {"account": 1, "market": 0, "size": WAD, "taken": False, "loss": 9 * WAD}
    recorder.hear(Happened("l", "LegResolved", leg | parts, time))
    whole = {"caller": "0x", "account": 1, "cash": -9 * WAD, "reward": 0, "socialised": 2 * WAD}
    recorder.hear(Happened("l", "AccountResolved", whole | parts, time))
    return recorder


@pytest.fixture(scope="module")
def report(plan, recorder):
    counts = Counts(
        sent=Counter(report=3, take=2), gas=Counter(report=300, take=5), failed=Counter({"a": 1})
    )
    return outcome.make_report(
        plan,
        recorder,
        BOOKS,
        counts,
        second=act_outcome.make_report(second_act(), BOOKS),
        names=NAMES,
        silence=Silence(20, 24, "BTC", 0.2, 0.1),
        turned_away=1,
        seconds={"setup": 1.26, "replay": 2.04, "act_two": 0.5},
    )


def test_keys_that_others_rely_on(report):
    wanted = """scenario markets accounts transactions margin_calls liquidations waterfall
        severity_path conservation_error_wei dust_wei solvency seconds incident resolutions"""
    assert set(wanted.split()) <= set(report)
    assert report["scenario"] == "2020-03-12"
    assert report["accounts"] == 3
    assert report["transactions"] == 5
    assert report["gas_by_kind"] == {"report": 100, "take": 2}
    assert [market["symbol"] for market in report["markets"]] == ["BTC", "ETH"]


def test_documented_keys_are_the_keys(report):
    page_of_documentation = (ROOT / "docs/demo.md").read_text()
    documented = set(re.findall(r"^\| `(\w+)` ", page_of_documentation, re.M))
    assert documented == set(report)


def test_rows_and_totals(report):
    take = report["liquidations"][0]
    assert take["account"] == "cross-<1>"
    assert take["account_id"] == "0x1"
    assert (take["step"], take["size"], take["price"]) == (1, "1", "7000")
    assert report["waterfall"]["partial"]["count"] == 10
    assert report["waterfall"]["partial"]["fee"] == "45"
    closed = report["waterfall"]["opposite_side"]
    funding = report["waterfall"]["funding"]
    assert (closed["count"], closed["accounts"], closed["charged"]) == (1, 1, "7")
    assert (funding["accounts"], funding["returned"]) == (1, "0")
    assert (funding["deficit"], funding["charged"], funding["socialised"]) == ("9", "7", "2")
    assert report["margin_calls"] == 1


def test_json_survives_the_file(report):
    assert json.loads(outcome.as_json(report)) == report


def test_severity_path_is_hourly(report):
    path = report["severity_path"]["BTC"]
    assert len(path) == 30
    assert [row["severity"] for row in path[:2]] == [0, 12_000]


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0, "0"),
        (WAD, "1"),
        (-3 * WAD // 2, "-1.5"),
        (1, "0." + "0" * 17 + "1"),
        (10**24, "1000000"),
    ],
)
def test_usd_is_exact(amount, shown):
    assert outcome.usd(amount) == shown


def test_a_whole_demo_passes(report):
    outcome.check(report)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda r: r.update(conservation_error_wei=1), "the books are 1 wei off"),
        (lambda r: r.update(dust_wei=-1), "the dust is negative"),
        (lambda r: r["solvency"].update(disagreements=["x"]), "the books disagree on x"),
        (
            lambda r: r["waterfall"]["partial"].update(count=9),
            "there were 9 partial take-overs instead",
        ),
        (lambda r: r["waterfall"]["funding"].update(deficit="0"), "no account had a deficit"),
        (lambda r: r["second_act"].update(prediction_error_wei=1), "the lens was 1 wei off"),
    ],
)
def test_what_must_be_shown(report, change, problem):
    changed = deepcopy(report)
    change(changed)
    with pytest.raises(DemoError, match=rf"^The demo did not show what it must: {problem}.*\.$"):
        outcome.check(changed)


def test_severity_must_move(report):
    changed = deepcopy(report)
    for market in changed["markets"]:
        market["severity"] = {"lowest": 5, "highest": 5}
    assert outcome.problems(changed) == ["severity did not move"]


def test_of_a_part_only_the_books_are_asked_for(report):
    changed = deepcopy(report)
    changed["waterfall"]["partial"]["count"] = 0
    outcome.check(changed, whole=False)
    changed["conservation_error_wei"] = -2
    with pytest.raises(DemoError, match="-2 wei"):
        outcome.check(changed, whole=False)


def test_page_is_self_contained(report, recorder):
    html = page.render(report, recorder, NAMES)
    assert "<script" not in html
    assert not re.search(r"(?:src|href)=|https?://|url\(", html)
    pictures = re.findall(r"<svg.*?</svg>", html, re.S)
    assert len(pictures) == 7  # two markets, states twice, who paid, the second act, equity
    for picture in pictures:
        ET.fromstring(picture)
    assert pictures[0].count('class="dot"') == 11  # ten take-overs, one closed
    assert pictures[1].count('class="dot"') == 0
    assert "cross-&lt;1&gt;" in html
    for title in ("BTC price, USD", "margin rate of the first bracket", "Who paid what"):
        assert title in html


def test_page_without_incident_or_liquidations(plan, recorder, report):
    bare = deepcopy(report) | {"incident": None, "liquidations": []}
    html = page.render(bare, recorder, NAMES)
    assert "no reports" not in html
    assert "<p>None.</p>" in html


def test_summary_has_a_row_for_all_that_counts(report):
    table = console.summary(report)
    labels = "".join(str(cell) for cell in table.columns[0].cells)
    for word in ("transactions", "severity", "take-overs", "charged", "conservation", "dust"):
        assert word in labels
