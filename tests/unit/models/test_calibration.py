"""Calibration of any folder: sound tables, every number explained, nothing later read."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from oracle.calibration.command import cli
from oracle.calibration.derive import Derived, Terms, daily_moves, derive_market, derive_token
from oracle.calibration.history import History, load_histories
from oracle.calibration.report import as_change, as_markdown, as_report, write
from oracle.engine.listing import check_rows
from oracle.engine.tiers import TierRow
from oracle.feeds.bars import HOUR, Bars
from oracle.feeds.errors import FeedError
from oracle.models.fhs import Side
from oracle.models.haircuts import PegRisk
from oracle.models.tails import RiskError, TailModel, estimate, estimate_series, needs
from oracle.policy import CollateralCalibration, Schedule, ppm_up
from oracle.risk import TAIL
from scripts.support.change import read_change

MODEL = TailModel(residuals=300, least_residuals=150, window_bars=600)
COUNT = 2000


@pytest.fixture(scope="module")
def histories(make_bars: Callable[..., Bars]) -> dict[str, History]:
    """Three months of two liquid coins that partly move together."""
    found = {}
    for seed, symbol in enumerate(("AAA", "BBB"), start=1):
        bars = make_bars(COUNT, seed)
        assert bars.volume is not None
        liquid = Bars(
            bars.ts, bars.open, bars.high, bars.low, bars.close, bars.volume * 1e4, bars.period
        )
        found[symbol] = History(symbol, liquid, liquid, has_mark=True)
    return found


def _terms(until: int = COUNT * HOUR) -> Terms:
    return Terms(until=until, model=MODEL, rule=TAIL)


@pytest.fixture(scope="module")
def derived(histories: dict[str, History]) -> Derived:
    return derive_market(histories["AAA"], _terms())


@pytest.fixture(scope="module")
def token(histories: dict[str, History]) -> Derived:
    peg = PegRisk(0.05, 1000.0)
    return derive_token("TOK", histories["AAA"], _terms(), list(histories.values()), peg)


@pytest.mark.parametrize("unbiased", [False, True])
def test_a_series_is_the_estimate_at_each_time(
    histories: dict[str, History], unbiased: bool
) -> None:
    mark, model = histories["AAA"].mark, replace(MODEL, unbiased=unbiased)
    series = estimate_series(mark, model)
    assert len(series) > 1000
    for k in (0, 500, len(series) - 1):
        end = int(np.searchsorted(mark.ts + HOUR, series.ts[k], side="right"))
        whole = estimate(mark.slice(0, end), model)  # all that was known, not a window of it
        assert whole.ts[0] == series.ts[k]
        assert series.shortfalls[k] == pytest.approx(whole.shortfalls[0], rel=1e-12)
        assert series.call[k] == pytest.approx(whole.call[0], rel=1e-12)
        assert series.sigma[k] == pytest.approx(whole.sigma[0], rel=1e-12)
    one = estimate(mark.slice(1000, 1600), model)
    at = int(np.searchsorted(series.ts, one.ts[0]))
    assert series.shortfalls[at] == pytest.approx(one.shortfalls[0], rel=0.05)


def test_an_unbiased_shortfall_is_not_lower(histories: dict[str, History]) -> None:
    mark = histories["AAA"].mark
    plain = estimate_series(mark, MODEL)
    honest = estimate_series(mark, replace(MODEL, unbiased=True))
    assert (honest.shortfalls >= plain.shortfalls).all()
    assert honest.shortfalls.mean() > 1.01 * plain.shortfalls.mean()


def test_the_series_looks_back_only_and_scales(histories: dict[str, History]) -> None:
    mark = histories["AAA"].mark
    cut = estimate_series(mark.slice(0, 1200), MODEL)
    whole = estimate_series(mark, MODEL)
    for name in ("ts", "sigma", "shortfalls", "call"):
        assert np.array_equal(getattr(whole, name)[: len(cut)], getattr(cut, name))
    falls = estimate_series(mark, MODEL, (Side.LONG,))
    assert (falls.shortfalls <= whole.shortfalls * (1 + 1e-12)).all()
    with pytest.raises(RiskError, match="not more than"):
        estimate_series(mark.slice(0, 100), MODEL)
    with pytest.raises(RiskError, match="leave no time"):
        estimate_series(mark.slice(0, 200), MODEL)


def test_a_market_table_is_what_the_chain_takes(derived: Derived) -> None:
    check_rows([TierRow(*row) for row in derived.brackets], is_market=True)
    schedule = derived.calibration.schedule
    assert schedule.faults() == []
    assert derived.kind == "market"
    for k, reason in enumerate(derived.reasons):
        assert reason.bound == schedule.bounds[k]
        assert schedule.calm_mmr[k] == ppm_up(reason.calm)
        assert reason.doubled
        wanted = ppm_up(2 * reason.storm)
        assert schedule.storm_mmr[k] == min(wanted, 800_000)
        assert reason.capped == (wanted > 800_000)
        call = schedule.calm_mmr[k] + ppm_up(reason.calm_call)
        assert schedule.calm_imr[k] == max(2 * schedule.calm_mmr[k], call)
        assert (reason.calm_rule == "2 x MMR") == (2 * schedule.calm_mmr[k] >= call)
        assert reason.calm_quantile == (0.25 if reason.hours >= 5.0 else 0.05)


def test_the_date_of_the_storm_is_the_day_of_the_maximum(
    histories: dict[str, History], derived: Derived
) -> None:
    reason = derived.reasons[0]
    tails = estimate_series(histories["AAA"].mark, MODEL)
    at = int(np.searchsorted(tails.ts, reason.storm_at))
    volume = derived.calibration.volume_per_hour
    every = needs(tails, reason.bound, volume, _terms().costs)
    assert every[at] == every.max() == pytest.approx(reason.storm, rel=1e-12)


def test_a_token_table_is_what_the_chain_takes(token: Derived) -> None:
    check_rows([TierRow(*row) for row in token.brackets], is_market=False)
    schedule = token.calibration.schedule
    assert schedule.faults(buffer_ppm=0) == []
    pairs = zip(schedule.calm_imr, schedule.calm_mmr, strict=True)
    assert all(initial > maintenance for initial, maintenance in pairs)
    assert schedule.calm_mmr[0] > 50_000  # the peg add-on alone is 5 %
    assert any("Wrong-way" in note for note in token.notes)


def test_wrong_way_and_peg_cost(histories: dict[str, History], token: Derived) -> None:
    plain = derive_token("TOK", histories["AAA"], _terms())
    assert token.calibration.schedule.calm_mmr[0] > plain.calibration.schedule.calm_mmr[0]
    assert "none" in plain.notes[0]


def test_what_falls_with_the_position_costs_more(make_bars: Callable[..., Bars]) -> None:
    bars = make_bars(4000, 1)
    assert bars.volume is not None
    liquid = Bars(bars.ts, bars.open, bars.high, bars.low, bars.close, bars.volume * 1e4)
    same = History("AAA", liquid, liquid, True)
    until = 4000 * HOUR
    alone = derive_token("TOK", same, _terms(until))
    beside = derive_token("TOK", same, _terms(until), [same])
    assert isinstance(beside.calibration, CollateralCalibration)
    assert beside.calibration.wrong_way == 1.0  # itself: always falls with its own longs
    assert "long AAA" in beside.notes[0]
    for one, two in zip(alone.brackets, beside.brackets, strict=True):
        assert all(more > less for more, less in zip(two[1:], one[1:], strict=True))


@pytest.mark.parametrize("kind", ["market", "token"])
def test_nothing_later_is_read(histories: dict[str, History], kind: str) -> None:
    until = 1500 * HOUR
    changed = {}
    for symbol, history in histories.items():
        bars = history.mark
        later = np.where(bars.ts + HOUR > until, 0.2, 1.0)
        columns = (bars.open * later, bars.high * later, bars.low * later, bars.close * later)
        assert bars.volume is not None
        other = Bars(bars.ts, *columns, bars.volume * later, bars.period)
        changed[symbol] = replace(history, mark=other, traded=other)

    def make(these: dict[str, History]) -> Derived:
        if kind == "market":
            return derive_market(these["AAA"], _terms(until))
        return derive_token("TOK", these["AAA"], _terms(until), list(these.values()))

    one, two = make(histories), make(changed)
    assert one.brackets == two.brackets
    assert one.reasons == two.reasons
    assert one.calibration == two.calibration


def test_wilder_prices_ask_for_more(histories: dict[str, History], make_bars: object) -> None:
    calm = derive_market(histories["AAA"], _terms())
    wild_bars = make_bars(COUNT, 1, scale=2.0)  # type: ignore[operator]
    wild = Bars(
        wild_bars.ts, wild_bars.open, wild_bars.high, wild_bars.low, wild_bars.close,
        histories["AAA"].traded.volume * histories["AAA"].traded.close / wild_bars.close,
    )  # fmt: skip
    found = derive_market(History("AAA", wild, wild, True), _terms())
    assert found.calibration.schedule.bounds == calm.calibration.schedule.bounds
    pairs = zip(
        found.calibration.schedule.calm_mmr, calm.calibration.schedule.calm_mmr, strict=True
    )
    assert all(more > less for more, less in pairs)


def test_a_market_too_thin_or_silent_is_refused(histories: dict[str, History]) -> None:
    bars = histories["AAA"].mark
    assert bars.volume is not None
    thin = replace(
        histories["AAA"],
        traded=Bars(
            bars.ts, bars.open, bars.high, bars.low, bars.close, bars.volume * 1e-9, bars.period
        ),
    )
    with pytest.raises(RiskError, match="too thin"):
        derive_market(thin, _terms())
    with pytest.raises(RiskError, match="nothing is recorded"):
        derive_market(histories["AAA"], _terms(COUNT * HOUR * 10))


# --- files


def _write(path: Path, bars: Bars, columns: tuple[str, ...], part: slice = slice(None)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(columns)
        table = [getattr(bars, name)[part].tolist() for name in columns]
        rows.writerows(zip(*table, strict=True))


OHLC = ("ts", "open", "high", "low", "close")


@pytest.fixture
def folder(tmp_path: Path, histories: dict[str, History]) -> Path:
    """AAA with mark, in two files without open; BBB with trades only."""
    aaa, bbb = histories["AAA"].mark, histories["BBB"].mark
    short = ("ts", "high", "low", "close")
    _write(tmp_path / "mark_1h/AAA.csv", aaa, short, slice(0, 1200))
    _write(tmp_path / "mark_1h/AAA.winB.csv", aaa, short, slice(1300, None))
    _write(tmp_path / "perp_1h/AAA.csv", aaa, (*OHLC, "volume"))
    _write(tmp_path / "perp_1h/BBB.csv", bbb, (*OHLC, "volume"))
    return tmp_path


def test_a_folder_is_read_in_parts(folder: Path, histories: dict[str, History]) -> None:
    seen: list[str] = []
    found = load_histories(folder, progress=lambda path: seen.append(path.name))
    aaa, bbb = found["AAA"], found["BBB"]
    assert list(found) == ["AAA", "BBB"]
    assert len(seen) == 4
    assert (aaa.has_mark, bbb.has_mark) == (True, False)
    assert [gap.missing for gap in aaa.mark.gaps()] == [100]
    assert np.array_equal(aaa.mark.close[:1200], histories["AAA"].mark.close[:1200])
    assert np.array_equal(aaa.traded.volume, histories["AAA"].traded.volume)
    flat = load_histories(folder / "perp_1h", ["BBB"])
    assert list(flat) == ["BBB"]
    assert np.array_equal(flat["BBB"].mark.close, bbb.mark.close)


def test_what_a_folder_lacks_is_named(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(FeedError, match="CCC is not in it"):
        load_histories(folder, ["CCC"])
    with pytest.raises(FeedError, match="AAA lacks"):
        load_histories(folder / "mark_1h", ["AAA"])
    with pytest.raises(FeedError, match="no market has"):
        load_histories(folder / "mark_1h")
    with pytest.raises(FeedError, match="no such folder"):
        load_histories(tmp_path / "none")
    bad = folder / "perp_1h" / "BAD.csv"
    bad.write_text("ts,open,high,low,close,volume\n0,1,2,1,1.5,1\n3600,1,nan,1,1.5,1\n")
    with pytest.raises(FeedError, match=r"BAD.csv: row 3"):
        load_histories(folder)


def test_a_report_can_be_voted_on(tmp_path: Path, derived: Derived, token: Derived) -> None:
    terms = _terms()
    paths = write(tmp_path / "out", [derived, token], terms)
    assert [path.name for path in paths] == ["report.json", "report.md", "change.json"]
    report = json.loads(paths[0].read_text())
    assert report == json.loads(json.dumps(as_report([derived, token], terms)))
    kept = report["assets"][0]["calibration"]["schedule"]
    assert Schedule.from_dict(kept) == derived.calibration.schedule
    change = read_change(paths[2], (), ())  # what `ape run govern propose --change` reads
    brackets = change.markets["AAA"].brackets
    assert brackets is not None
    assert [list(row.tuple()) for row in brackets] == derived.brackets
    haircuts = change.tokens["TOK"].brackets or []
    assert [list(row.tuple()) for row in haircuts] == token.brackets
    assert as_change([derived], terms)["markets"]["AAA"]["brackets"] == derived.brackets
    text = as_markdown([derived, token], terms)
    for reason in derived.reasons:
        assert f"{reason.bound:,} USD" in text
        assert f"{reason.storm:.2%}, the most of history" in text
    assert "doubled" in text


def test_the_command_writes_what_it_says(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "cal"
    args = ["markets", str(folder / "perp_1h"), "--market", "BBB", "--token", "WBBB=BBB:.05:100",
            "--out", str(out)]  # fmt: skip
    done = CliRunner().invoke(cli, args)
    assert done.exit_code == 0, done.output
    assert "govern propose --change" in done.output
    change = json.loads((out / "change.json").read_text())
    assert set(change["markets"]) == {"BBB"}
    assert set(change["tokens"]) == {"WBBB"}
    report = json.loads((out / "report.json").read_text())
    assert report["terms"]["until"] == COUNT * HOUR
    assert any("last trades" in note for note in report["assets"][0]["notes"])


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--market", "ZZZ"], "ZZZ is not in it."),
        (["--token", "W=ZZZ"], "ZZZ, which W is worth, is not in it."),
        (["--token", "WETH"], "not of the form"),
        (["--token", "X=AAA:2:3"], "not of the form"),
        (["--until", "yesterday"], "no day like"),
        (["--until", "1970-01-02"], "nothing is recorded|leave no time"),
    ],
)
def test_the_command_says_what_is_wrong(folder: Path, args: list[str], message: str) -> None:
    done = CliRunner().invoke(cli, ["markets", str(folder), *args])
    assert done.exit_code != 0
    assert "Traceback" not in done.output
    assert any(part in done.output for part in message.split("|")), done.output


def test_daily_moves_are_between_days_that_follow(histories: dict[str, History]) -> None:
    bars = histories["AAA"].mark
    keep = np.ones(len(bars), dtype=bool)
    keep[24 * 10 : 24 * 11] = False
    holed = Bars(bars.ts[keep], bars.open[keep], bars.high[keep], bars.low[keep], bars.close[keep])
    days, moves = daily_moves(holed)
    assert 10 not in days
    assert 11 not in days
    at = days.tolist().index(5)
    assert moves[at] == pytest.approx(bars.close[24 * 6 - 1] / bars.close[24 * 5 - 1] - 1)
