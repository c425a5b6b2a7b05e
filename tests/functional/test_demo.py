"""The demo end to end over ten hours of 12 March 2020."""

import json

import pytest
from rich.console import Console

from scripts.demo_parts.act_outcome import WANTED, problems
from scripts.demo_parts.run import run_demo

PAYERS = ("insured", "charged", "socialised")
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
    assert report["waterfall"]["vault"]["accounts"] > 0
    for each in report["resolutions"]:
        parts = (each[part] for part in ("insured", "charged", "socialised"))
        assert sum(map(_wei, parts)) == _wei(each["deficit"])


def test_liquidations_add_up(report):
    rows = [row for row in report["liquidations"] if row["step"] in (2, 3)]
    for part in ("deficit", "insured", "charged"):
        legs = sum(_wei(row["amounts"][part]) for row in rows)
        assert legs == _wei(report["waterfall"]["funding"][part])
    assert _wei(report["waterfall"]["funding"]["insured"]) > 0


def test_every_step_is_seen_in_the_second_act(report):
    act = report["second_act"]
    assert act["staged"] is True
    assert problems(act) == []
    kinds = [each["kind"] for each in act["acts"]]
    for kind in WANTED:
        assert kind in kinds
    order = ["partial", "vault", "collateral", "last bidder", "socialised", "restoration", "ticket"]
    assert sorted(order, key=kinds.index) == order


def test_the_parts_sum_to_the_loss(report):
    for each in report["second_act"]["accounts"]:
        parts = sum(_wei(each[part]) for part in ("insured", "charged", "socialised"))
        assert parts == _wei(each["deficit"])
        due = sum(_wei(each[part]) for part in ("loss", "reward", "to_vault"))
        assert _wei(each["own"]) + parts == due
    last = report["second_act"]["accounts"][-1]
    assert all(_wei(last[part]) > 0 for part in ("own", "sold", *PAYERS))


def test_the_lens_was_right(report):
    predictions = report["second_act"]["predictions"]
    assert {"vault", "opposite side", "partial", "collateral"} <= {p["act"] for p in predictions}
    for each in predictions:
        assert each["difference_wei"] == 0
        assert each["predicted"] == each["happened"]


def test_h_falls_and_comes_back(report):
    ratios = [each["ratio"] for each in report["second_act"]["solvency_path"]]
    assert ratios[0] == ratios[-1] == 1.0
    assert min(ratios) < 1.0


def test_leaver_and_stayer_recover_alike(report):
    acts = {each["kind"]: each["amounts"] for each in report["second_act"]["acts"]}
    left, ticket = acts["withdrawal"], acts["ticket"]
    assert _wei(left["paid"]) + _wei(left["ticket"]) == _wei(left["claim"])
    assert ticket["paid"] == left["ticket"]
    swept = [a["amounts"] for a in report["second_act"]["acts"] if a["kind"] == "restoration"]
    back = sum(_wei(each[part]) for each in swept for part in ("deficit", "ended", "tickets"))
    assert back == _wei(report["second_act"]["totals"]["socialised"])


def test_most_go_home_in_between(report):
    before, after = report["solvency"], report["second_act"]["solvency"]
    assert _wei(after["tokens"]) < _wei(before["tokens"]) // 4
    assert after["positions"] < before["positions"] // 2


def test_books_close_after_the_second_act(report):
    act = report["second_act"]
    assert act["conservation_error_wei"] == 0
    assert act["solvency"]["deficit"] == act["solvency"]["tickets"] == "0"
    assert act["solvency"]["disagreements"] == []


def test_page(folder):
    html = (folder / "report.html").read_text()
    assert "Plimsoll through 12 March 2020" in html
    assert "<script" not in html
    assert "Second act: nobody liquidates" in html
    assert "STAGED, and so labelled" in html


def _wei(amount):
    whole, _, part = amount.partition(".")
    return int(whole) * 10**18 + int(part.ljust(18, "0") or 0)
