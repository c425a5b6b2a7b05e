"""The crisis replay on a chain: small markets, every figure checked against the accounts."""

import json

import pytest
from rich.console import Console

from scripts.crisis_parts.inputs import Choices
from scripts.crisis_parts.run import Options, run_crisis

SKIP, PRICES = 660, 60  # five hours of 12 March 2020, in which BTC falls from 7,300 to 5,600
KEYS = {
    "deficit",
    "overshoot",
    "queue_overshoot",
    "winners",
    "winners_touched",
    "queue_winners_touched",
    "largest_winner_loss",
    "steps",
    "conservation_error_wei",
    "seconds",
}


def _replay(out, choices, **options):
    run_crisis(choices, Options(**options), out, Console(quiet=True))
    return json.loads((out / "report.json").read_text())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("crisis")
    _replay(out, Choices(count=60, skip=SKIP, most=PRICES), insurance=1_000.5, backstop=3_000.0)
    return out


@pytest.fixture(scope="module")
def report(folder):
    return json.loads((folder / "report.json").read_text())


def test_drawn_market__nothing_beyond_the_deficit_is_taken(report):
    assert set(report) >= KEYS
    assert report["bankrupt"] > 5
    assert report["deficit"] > 0
    assert report["overshoot"] == 0
    assert 0 <= report["charge_dust_wei"] <= report["charge_dust_bound_wei"] < 10**15
    assert report["conservation_error_wei"] == 0
    assert report["equity_mismatches"] == report["identity_errors"] == report["unresolved"] == 0
    assert report["insurance_error_wei"] == report["charge_error_wei"] == 0


def test_drawn_market__the_deficit_is_paid_step_by_step(report):
    steps = report["steps"]
    paid = steps["insurance"] + steps["charge"] + steps["socialised"]
    assert paid == pytest.approx(report["deficit"], abs=1e-6)
    assert steps["opposite_side"] > 0
    assert steps["vault"] > steps["vault_payment"] > 0
    assert steps["insurance"] == 1_000.5
    assert steps["charge"] > 0
    assert report["failed"] == {}


def test_drawn_market__the_ring__is_an_account_like_any_other(report):
    # Nobody sells what it took: the fall goes on and it fails with it.
    assert report["own_accounts"] == report["resolved_rings"] == 1
    assert report["capital"]["BTC"]["ring_equity"] < report["capital"]["BTC"]["backstop"] == 3_000
    assert report["queue"]["insured"] == 1_000.5


def test_without_capital__the_queue_meets_the_same_deficits(tmp_path):
    choices = Choices(count=60, skip=SKIP, most=PRICES)
    report = _replay(tmp_path / "out", choices, insurance=0, backstop=0)
    assert report["steps"]["vault"] == report["steps"]["insurance"] == 0
    assert report["own_accounts"] == report["queue"]["insured"] == 0
    # Nobody short fails in these hours, so both venues close the same accounts at the same marks.
    assert report["resolved_longs"] == report["resolved"] == report["queue"]["closed"]
    assert report["deficit"] == pytest.approx(report["queue"]["deficit"], abs=1e-4)
    assert report["queue_overshoot"] > 0
    assert report["winners"] == report["winners_touched"] >= report["queue_winners_touched"] > 0


def test_page__stands_alone(folder):
    html = (folder / "report.html").read_text()
    assert html.count("<svg") == 4
    assert "<script" not in html
    assert "http" not in html


def test_table__two_markets_with_liquidators(tmp_path):
    """Own entry prices, an open side, and every step of the ladder there is."""
    rows = ["side,notional,leverage,entry price,equity,market"]
    rows += [f"long,{1000 + 10 * i},{5 + i % 9},7900,{130 + 15 * i},BTC" for i in range(14)]
    rows += [f"short,{900 + 10 * i},4,7500,{250 + i},BTC" for i in range(12)]
    rows += [f"long,{500 + 10 * i},{5 + i % 4},190,{80 + 4 * i},ETH" for i in range(6)]
    rows += ["short,4000,2,180,2500,ETH"]
    table = tmp_path / "accounts.csv"
    table.write_text("\n".join(rows))
    report = _replay(
        tmp_path / "out",
        Choices(table=table, skip=SKIP, most=PRICES),
        liquidators=True,
        insurance=20.0,
        backstop=100.0,
    )
    assert report["accounts"] == 35
    assert report["inputs"]["balancing_accounts"] == 2
    assert report["inputs"]["markets"] == list(report["capital"]) == ["BTC", "ETH"]
    assert report["own_accounts"] == 4  # a liquidator and a ring each
    assert report["steps"]["partial"] > 0
    assert report["steps"]["charge"] > 0
    assert report["overshoot"] == 0
    assert report["conservation_error_wei"] == 0


def test_path_of_the_user__a_gap_through_everybody__ends_the_market(tmp_path):
    """From 100 to 20: all longs are bankrupt, and what the shorts gained pays for it."""
    path = tmp_path / "gap.csv"
    path.write_text("ts,price\n0,100\n3600,20\n7200,20\n")
    choices = Choices(path=path, market="SOL", count=40, leverage="10:1")
    report = _replay(tmp_path / "out", choices, insurance=0, backstop=0)
    assert report["bankrupt"] == report["winners"] == 20
    # The longs lose 80 of 100 and own 10.
    assert report["deficit"] == pytest.approx(7 * report["steps"]["account"], rel=1e-6)
    assert report["steps"]["charge"] == report["deficit"]
    assert report["steps"]["socialised"] == report["overshoot"] == 0
    assert report["conservation_error_wei"] == report["equity_mismatches"] == 0
