"""What the replay takes from files and options, and what it refuses before anything runs."""

import pytest

from oracle.crisis.accounts import imbalance
from oracle.engine.units import PPM, WAD
from scripts.crisis_parts import run
from scripts.crisis_parts.capital import capital_of
from scripts.crisis_parts.errors import CrisisError
from scripts.crisis_parts.inputs import Choices, load_case, parse_leverage
from scripts.crisis_parts.listing import initial_margin, maintenance, market_config
from scripts.crisis_parts.opening import pairs

HEADER = "side,notional,leverage,entry price,equity,market"
GOOD = ["long,1000,10,100,100,SOL", "short,1000,5,100,200,SOL"]


@pytest.fixture
def choices(tmp_path):
    """Made from rows of a table, and prices a minute apart; more options by name."""

    def make(rows=GOOD, prices=(100, 90), header=HEADER, **options):
        table, path = tmp_path / "accounts.csv", tmp_path / "crash.csv"
        table.write_text("\n".join([header, *rows]) + "\n")
        lines = [f"{60 * (i + 1)},{price}" for i, price in enumerate(prices)]
        path.write_text("\n".join(["ts,price", *lines]) + "\n")
        return Choices(market="SOL", path=path, table=table, **options)

    return make


@pytest.mark.parametrize(
    ("rows", "header", "problem"),
    [
        (GOOD, "side,notional,leverage,entry price", "accounts.csv: row 1, .* no column equity"),
        ([GOOD[0], "short,-1000,5,100,200,SOL"], HEADER, "accounts.csv: row 3, notional -1000"),
        (
            [GOOD[0], "short,1000,5,100,200,XYZ"],
            HEADER,
            "row 3, market 'XYZ' is none",
        ),
        (["long,1000,10,125,190,SOL", GOOD[1]], HEADER, "accounts.csv: row 2, .* bankrupt before"),
    ],
)
def test_bad_table__is_refused(choices, tmp_path, monkeypatch, rows, header, problem):
    monkeypatch.setattr(run, "_run", lambda *args: pytest.fail("it ran"))
    with pytest.raises(CrisisError, match=problem):
        run.run_crisis(choices(rows, header=header), run.Options(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_blank_lines_at_the_end__are_no_rows(choices):
    case = load_case(choices([*GOOD, "", "  "]))
    assert len(case.accounts) == 2


def test_bad_path__names_the_row_and_nothing_runs(choices, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "_run", lambda *args: pytest.fail("it ran"))
    with pytest.raises(CrisisError, match=r"^crash\.csv: row 3, price -5"):
        run.run_crisis(choices(prices=(100, -5)), run.Options(), tmp_path / "out")


def test_initial_margin__asked_above_what_an_account_has__names_its_row(choices):
    case = load_case(choices())
    with pytest.raises(CrisisError, match=r"row 2, its equity is 10 % .* is 10\.0001 %") as e:
        initial_margin(case, 100_001, choices().table)
    assert "accounts.csv" in str(e.value)


def test_initial_margin__by_default__is_what_all_can_meet(choices):
    rows = ["long,1000,40,100,25,SOL", GOOD[1]]
    assert initial_margin(load_case(choices(rows)), None, None) == 25_000
    assert initial_margin(load_case(choices()), None, None) == 100_000
    rows = ["long,1000,1000,100,1,SOL", GOOD[1]]
    with pytest.raises(CrisisError, match=r"account 0, its equity is 0\.1 %"):
        initial_margin(load_case(choices(rows)), None, None)


def test_table__entered_at_the_first_price__is_worth_the_same_ever_after(choices):
    rows = ["long,1000,10,125,300,SOL", "short,1500,5,80,999.123,SOL"]
    case = load_case(choices(rows, prices=(100, 70)))
    for given, entered in zip(case.table, case.accounts, strict=True):
        assert entered.entry == 100 * WAD
        assert entered.equity % 10**12 == 0
        for price in (100, 70, 131):
            assert abs(given.equity_at(price * WAD) - entered.equity_at(price * WAD)) <= 2


def test_table__with_unequal_sides__is_balanced_by_one_account_without_leverage(choices):
    case = load_case(choices([GOOD[0], "short,400,5,100,200,SOL"]))
    assert case.balancing == (2,)
    added = case.accounts[2]
    assert (added.is_long, added.size, added.equity) == (False, 6 * WAD, 600 * WAD)
    assert added.leverage == PPM
    assert imbalance(case.accounts) == 0


def test_market_config__passes_the_checks_of_a_deployment(choices):
    case = load_case(choices(prices=(100, 1_000_000)))
    config = market_config(case, 100_000, capital_of(case, 0.5, 3.000001))
    (market,) = config.markets
    assert (market.bucket_cap, market.ring) == (1, 4)
    assert market.symbol == "SOL"
    assert market.brackets[0].mm_calm == maintenance(100_000) == 50_000
    assert market.brackets[0].bound > 10_000_000  # 10 units at the highest price


def test_market_config__impossible_margin__is_one_sentence(choices):
    case = load_case(choices())
    capital = capital_of(case, 0, 0)
    with pytest.raises(CrisisError, match=r"^The market cannot be listed: .*out of bounds\.$"):
        market_config(case, 2_000_000, capital)


def test_capital__by_default__is_a_share_of_the_notional(choices):
    case = load_case(choices([GOOD[0], "short,500,5,100,200,SOL"]))  # balanced by 500
    (capital,) = capital_of(case, None, 7.25).values()
    assert capital.insurance == WAD  # 0.05 % of 2,000
    assert capital.backstop == 7_250_000 * 10**12
    assert capital.in_dollars == (1, 8)


def test_capital__by_default__the_ring_has_four_times_as_much(choices):
    (capital,) = capital_of(load_case(choices()), None, None).values()
    assert capital.backstop == 4 * capital.insurance == 4 * WAD


def test_capital__of_nothing__is_off(choices):
    (capital,) = capital_of(load_case(choices()), 0, 0).values()
    assert (capital.insurance, capital.backstop, capital.ring) == (0, 0, None)
    assert capital.in_dollars == (0, 0)


def test_pairs__fill_everybody_once(choices):
    case = load_case(Choices(count=57, long_share=0.2))
    left = {i: account.size for i, account in enumerate(case.accounts)}
    found = list(pairs(case.accounts, range(57)))
    for long, short, size in found:
        assert case.accounts[long].is_long
        assert not case.accounts[short].is_long
        left[long] -= size
        left[short] -= size
    assert set(left.values()) == {0}
    assert len(found) < 57


def test_times__that_count_from_the_beginning__are_moved_to_a_day(choices):
    first, second = load_case(choices()).path
    assert first.time % 86_400 == 60
    assert first.time > 10**9 - 86_400
    assert second.time - first.time == 60


def test_drawn__the_same_each_time_and_by_seed():
    assert load_case(Choices(count=40)).table == load_case(Choices(count=40)).table
    assert load_case(Choices(count=40)).table != load_case(Choices(count=40, seed=2)).table


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"day": "1929-10-24"}, "no recorded day '1929-10-24', only 2020-03-12"),
        ({"market": "DOGE"}, "no market 'DOGE', only BTC, ETH"),
        ({"count": 1}, "--accounts 1 is outside 2 to"),
        ({"leverage": "ten"}, "--leverage 'ten' is neither"),
        ({"leverage": "10:0"}, "--leverage '10:0' is neither .* weights"),
        ({"long_share": 1.0}, "long_share"),
        ({"skip": 1_439}, "Fewer than two prices"),
    ],
)
def test_bad_option__is_one_sentence(options, problem):
    with pytest.raises(CrisisError, match=problem):
        load_case(Choices(**options))


def test_leverage__both_forms():
    assert parse_leverage("2:1,10:3").values == (2.0, 10.0)
    drawn = parse_leverage("lognormal:6:0.5:20")
    assert (drawn.median, drawn.sigma, drawn.low, drawn.high) == (6.0, 0.5, 1.0, 20.0)
