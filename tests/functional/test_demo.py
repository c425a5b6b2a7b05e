"""The demo end to end over ten hours of 12 March 2020."""

import json

import pytest
from rich.console import Console

from scripts.demo_parts.run import run_demo

SKIP, HOURS = 50, 10  # 02:00 to 12:00 of 12 March


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    run_demo("2020-03-12", out, skip=SKIP, hours=HOURS, terminal=Console(quiet=True))
    return out


@pytest.fixture(scope="module")
def report(folder):
    return json.loads((folder / "report.json").read_text())


def test_books_close(report):
    assert report["conservation_error_wei"] == 0
    assert 0 <= report["dust_wei"] < 10**15
    assert report["solvency"]["disagreements"] == []


def test_people_traded_by_signed_orders(report):
    kinds = report["transactions_by_kind"]
    assert report["accounts"] >= 60
    assert kinds["fill"] > 10
    assert kinds["match"] > 10
    assert report["failed"] == {}


def test_margins_tightened_and_accounts_were_called(report):
    assert any(m["severity"]["highest"] > m["severity"]["first"] for m in report["markets"])
    assert report["margin_calls"] > 5


def test_the_waterfall_ran(report):
    assert report["incident"]["minutes"] >= 20
    assert report["waterfall"]["opposite_side"]["accounts"] > 0
    for each in report["resolutions"]:
        parts = (each[part] for part in ("insured", "charged", "socialised"))
        assert sum(map(_wei, parts)) == _wei(each["deficit"])


def test_liquidations_add_up(report):
    rows = [row for row in report["liquidations"] if row["step"] == 3]
    charged = sum(_wei(row["amounts"]["charged"]) for row in rows)
    assert 0 < charged == _wei(report["waterfall"]["opposite_side"]["charged"])


def test_page(folder):
    html = (folder / "report.html").read_text()
    assert "Plimsoll through 12 March 2020" in html
    assert "<script" not in html


def _wei(amount):
    whole, _, part = amount.partition(".")
    return int(whole) * 10**18 + int(part.ljust(18, "0") or 0)
