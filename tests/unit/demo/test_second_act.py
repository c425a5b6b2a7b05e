"""The second act's sums, what it must show, and the lens beside the events."""

from copy import deepcopy
from dataclasses import replace
from decimal import Decimal

import pytest

from scripts.demo_parts import act_outcome, prediction
from scripts.demo_parts.books import Books
from scripts.demo_parts.contracts import Happened
from scripts.demo_parts.prediction import Comparison, Waterfall
from scripts.demo_parts.second_act import restored
from scripts.demo_parts.venue import Totals
from tests.unit.demo.staged import LAST, WAD, second_act

BOOKS = Books(10**24, 0, 0, 5, 0, 1, 10**24, 0, 0, 0, 0, 0, (), 2)


@pytest.fixture
def report():
    return deepcopy(act_outcome.make_report(second_act(), BOOKS))


def test_it_shows_what_it_must(report):
    assert act_outcome.problems(report) == []
    assert report["waterfall_error_wei"] == report["prediction_error_wei"] == 0


def test_totals_are_the_columns_sums(report):
    for part, total in report["totals"].items():
        assert sum(Decimal(each[part]) for each in report["accounts"]) == Decimal(total)


def test_one_dollar_is_one_dollar(report):
    rows = report["one_dollar"]
    assert sum(each["cents"] for each in rows) == pytest.approx(100, abs=1e-3)
    assert sum(Decimal(each["amount"]) for each in rows) == Decimal(40) + Decimal(2) / WAD
    assert [each["payer"] for each in rows][-1] == "socialised"


@pytest.mark.parametrize("part", ["own", "insured", "charged", "socialised", "loss", "deficit"])
def test_one_wei_more_or_less_shows(part):
    changed = replace(LAST, **{part: getattr(LAST, part) + 1})
    assert changed.error > 0
    act = replace(second_act(), accounts=[changed])
    report = act_outcome.make_report(act, BOOKS)
    found = act_outcome.problems(report)
    assert found == [f"the parts of {LAST.name} do not sum to its loss"]


@pytest.mark.parametrize("kind", act_outcome.WANTED)
def test_every_step_is_wanted(report, kind):
    report["acts"] = [each for each in report["acts"] if each["kind"] != kind]
    assert act_outcome.problems(report) == [f"the second act did not show {kind!r}"]


def test_a_step_without_an_amount_is_not_seen(report):
    for each in report["acts"]:
        if each["kind"] == "charge":
            each["amounts"]["paid"] = "0"
    assert act_outcome.problems(report) == ["the second act did not show 'charge'"]


def test_h_must_fall_and_come_back(report):
    report["solvency_path"][1]["ratio"] = 1.0
    assert act_outcome.problems(report) == ["h did not fall"]
    report["solvency_path"][-1]["ratio"] = 0.95
    assert act_outcome.problems(report) == ["h came back to 0.95 only"]
    assert act_outcome.problems(report, whole=False) == []  # with part of the fees


def test_books_after_it_must_close(report):
    report["conservation_error_wei"] = 2
    assert act_outcome.problems(report) == ["after the second act the books are 2 wei off"]


# --- the lens beside the events -------------------------------------------------------------------

LENS = Waterfall(
    state=4,
    equity=-30,
    mm=5,
    elapsed=0,
    debt=40,
    sales=[(0, 100, 2 * WAD, 0)],
    takes=[(9, 7, 70, 50, 5_000)],
    to_vault=True,
    legs=[(9, 1_000, 6, 40, 31, 1, 10)],
    reward=1,
    deficit=31,
    insured=1,
    charged=10,
    socialised=20,
    left=0,
)
LEG = {"account": 1, "market": 9, "size": 1_000, "taken": True, "loss": 40}
PAID = {"deficit": 31, "insured": 1, "charged": 10}
WHOLE = {"caller": "0x", "account": 1, "cash": -31, "reward": 1, "socialised": 20}


def events(**changes):
    taken = {"account": 1, "taker": 77 << 96 | 9, "market": 9, "payment": 6}
    return [
        Happened("ledger", "TakenOver", taken, 0),
        Happened("liquidator", "LegResolved", LEG | PAID | changes, 0),
        Happened("liquidator", "AccountResolved", WHOLE | PAID | changes, 0),
    ]


def test_a_resolution_as_foretold():
    before, after = prediction.of_resolution(LENS), prediction.after_resolution(events())
    assert before == after
    assert (before["step"], before["payment 9"], before["loss 9"]) == (2, 6, 40)


def test_a_wei_of_difference():
    after = prediction.after_resolution(events(charged=9))
    compared = Comparison(1, "x", prediction.of_resolution(LENS), after)
    assert compared.difference == 2  # of the leg and of the whole


def test_what_only_one_of_them_says_counts():
    assert Comparison(1, "x", {"a": 3}, {"b": 4}).difference == 7


def test_a_take_pays_its_fee_rounded_up():
    taken = {"size": 7, "price": 50, "fee": 3}
    assert prediction.of_take(LENS, 9, 70 * WAD) == taken  # 490 at half a per cent
    happened = [Happened("l", "TakenOver", taken | {"taker": 3, "account": 1, "market": 9}, 0)]
    assert prediction.after_take(happened) == taken


@pytest.mark.parametrize(("most", "amount"), [(60, 60), (2**255, 100)])
def test_a_sale_is_cut_to_what_may_be_sold(most, amount):
    assert prediction.of_sale(LENS, 0, most) == {"amount": amount, "payment": 2 * amount}


@pytest.mark.parametrize(
    ("deficit", "tickets", "claim", "expected"),
    [
        (0, 0, 10, (0, 0, 10, 0)),
        (0, 9, 4, (0, 4, 0, 0)),  # all who stayed are whole: h = 1
        # h = 300/400: of 40, 30 are income and 10 of D_h end; then 90 and 30 share 30.
        (100, 30, 40, (23, 7, 0, 10)),
        # of 200, 150 are income and 50 end; then 50 and 30 are owed, 70 are the fund's.
        (100, 30, 200, (50, 30, 70, 50)),
    ],
)
def test_fees_restore_those_who_stayed_and_tickets_first(deficit, tickets, claim, expected):
    before = Totals(300, deficit, tickets, 0, 0, 0)
    names = ("deficit", "tickets", "fund", "ended")
    assert restored(before, claim) == dict(zip(names, expected, strict=True))
