"""The command from a folder to the page, and what it says to bad input."""

from __future__ import annotations

import csv
import json
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from oracle.backtest.data import hourly, load_jobs
from oracle.backtest.main import backtest
from oracle.feeds.bars import HOUR
from oracle.optimise.main import optimise
from oracle.rule import Rule
from tests.unit.backtest.market import START, storms, write


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seen-never")
    write(storms(11, 2600), folder / "perp_1h" / "AAA.csv")
    write(storms(12, 900, 4 * HOUR), folder / "mark_4h" / "BBB.csv")
    write(storms(13, 200), folder / "NEW.csv")
    out = folder / "out"
    arguments = ["--data", str(folder), "--out", str(out), "--fast", "--jobs", "1"]
    result = CliRunner().invoke(backtest, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return out, result.output


def test_backtest__folder_never_seen__writes_everything(report) -> None:
    out, output = report
    found = json.loads((out / "report.json").read_text())
    assert [m["name"] for m in found["markets"]] == ["AAA 1h", "BBB 4h", "NEW 1h"]
    assert "too few" in found["markets"][2]["note"]
    assert found["models_tried"] > 100
    assert {g["reached"] for g in found["goals"]} <= {True, False}
    with (out / "cells.csv").open() as file:
        rows = list(csv.DictReader(file))
    pushed = [r for r in rows if r["model"] == "pushed on-chain" and r["level"] == "0.99"]
    assert {(r["market"], r["hours"]) for r in pushed} >= {("AAA 1h", "1"), ("BBB 4h", "24")}
    assert len(rows) == len(found["cells"])
    assert "Goals" in output
    assert "NEW 1h" in output


def test_backtest__page__reads_alone_summary_first(report) -> None:
    page = (report[0] / "report.html").read_text()
    assert "http://" not in page
    assert "https://" not in page
    assert "<script" not in page
    assert page.count('src="') == page.count('src="data:image/png;base64,') >= 4
    assert page.index("goals reached") < page.index("<h2>Pictures") < page.index("<h2>Models")


def test_backtest__cells__say_what_the_windows_say(report) -> None:
    """Breaches and averages recounted from the bars, with none of the scoring code."""
    from oracle.backtest.pipeline import hold
    from oracle.models.fhs import adverse_moves_reference

    bars = storms(12, 900, 4 * HOUR)
    moves = np.array(adverse_moves_reference(bars, 6))
    margin = hold(bars, moves, 6, 0.99, Rule()).margin
    at = [
        i
        for i in range(len(bars))
        if bars.ts[i] % 86_400 == 0 and not np.isnan(margin[i]) and not np.isnan(moves[0, i])
    ]
    found = json.loads((report[0] / "report.json").read_text())["cells"]
    for side, name in enumerate(("long", "short")):
        (row,) = [
            r
            for r in found
            if (r["market"], r["hours"], r["side"], r["level"], r["model"])
            == ("BBB 4h", 24, name, 0.99, "pushed on-chain")
        ]
        assert row["windows"] == len(at)
        assert row["breaches"] == sum(moves[side, i] > margin[i] for i in at)
        assert row["average"] == pytest.approx(float(np.mean([margin[i] for i in at])))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["0,1,1,1"], "no column"),
        (["ts,open,high,low,close", "3600,1,2,0.5,nan", "7200,1,2,0.5,1"], "row 2"),
        (["ts,open,high,low,close", "3600,1,2,0.5,1", "7200,1,2,0.5,1", "7200,1,2,0.5,1"], "row 4"),
        (["ts,open,high,low,close", "0,1,2,0.5,1", "7200,1,2,0.5,1", "3600,1,2,0.5,1"], "row 4"),
        (["ts,open,high,low,close", "7200,1,2,0.5,1", "3600,1,2,0.5,1"], "row 3"),
        (["ts,open,high,low,close", "3600,1,2,0.5,1"], "row 2"),
        (["ts,open,high,low", "3600,1,2,0.5"], "row 1, the header, has no column close"),
        (["ts,open,high,low,close", "3600,1,2,0.5,3", "7200,1,2,0.5,1"], "row 2"),
        (["ts,open,high,low,close", "3600,1,2,0.5,-1", "7200,1,2,0.5,1"], "row 2"),
    ],
)
def test_backtest__bad_file__one_sentence_with_the_row(tmp_path, rows, message) -> None:
    (tmp_path / "perp_1h").mkdir()
    (tmp_path / "perp_1h" / "BAD.csv").write_text("\n".join(rows) + "\n")
    result = CliRunner().invoke(backtest, ["--data", str(tmp_path), "--out", str(tmp_path / "o")])
    assert result.exit_code == 1
    last = result.output.strip().splitlines()[-1]
    assert last.startswith("Error: ")
    assert "BAD.csv" in last
    assert message in last
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "no-such-folder"], "no-such-folder: there is no such folder."),
        (["--market", "NOPE"], "none of NOPE is in the folder"),
        (["--jobs", "0"], "0 is no number of processes"),
        (["--since", "yesterday"], "yesterday"),
    ],
)
def test_backtest__bad_option__one_sentence(tmp_path, arguments, message) -> None:
    write(storms(14, 100), tmp_path / "perp_1h" / "AAA.csv")
    folder = [] if "--data" in arguments else ["--data", str(tmp_path)]
    result = CliRunner().invoke(backtest, [*folder, *arguments, "--out", str(tmp_path / "o")])
    assert result.exit_code != 0
    assert message in result.output
    assert "Traceback" not in result.output


def test_backtest__cluster_without_dask__says_what_to_install(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    write(storms(15, 100), tmp_path / "perp_1h" / "AAA.csv")
    arguments = ["--data", str(tmp_path), "--out", str(tmp_path / "o"), "--cluster", "tcp://x:1"]
    result = CliRunner().invoke(backtest, arguments)
    assert result.exit_code == 1
    assert result.output.strip().splitlines()[-1] == (
        "Error: --cluster needs Dask, which is not installed: run pip install -e '.[cluster]' in "
        "the checkout."
    )
    assert not list((tmp_path / "o").iterdir())


@pytest.mark.parametrize("command", [backtest, optimise])
def test_command__place_that_cannot_be_written__said_before_the_work(tmp_path, command) -> None:
    write(storms(17, 6 * 800, 4 * HOUR), tmp_path / "data" / "AAA.csv")
    (tmp_path / "file").touch()
    arguments = ["--data", str(tmp_path / "data"), "--jobs", "1", "--out"]
    for place, message in (("file", "is a file"), ("file/inside", "cannot be written to")):
        result = CliRunner().invoke(command, [*arguments, str(tmp_path / place)])
        assert result.exit_code != 0
        assert message in " ".join(result.output.split())
        assert "Traceback" not in result.output
        assert "Scored" not in result.output


def test_backtest__nothing_to_score__says_why_and_writes_nothing(tmp_path) -> None:
    write(storms(18, 200), tmp_path / "data" / "ZORG.csv")
    arguments = ["--data", str(tmp_path / "data"), "--out", str(tmp_path / "o"), "--jobs", "1"]
    alone = CliRunner().invoke(backtest, arguments)
    write(storms(19, 150), tmp_path / "data" / "ZUG.csv")
    both = CliRunner().invoke(backtest, arguments)
    late = CliRunner().invoke(backtest, [*arguments, "--since", "2031-01-01"])
    said = "ZORG 1h: 8 days of bars are too few"
    assert {alone.exit_code, both.exit_code, late.exit_code} == {1}
    assert f"Error: {said}" in alone.output
    assert f"Error: none of 2 markets can be scored. {said}" in both.output
    assert "ZORG 1h: fewer than 30 bars open from 2031-01-01 on." in late.output
    assert not list((tmp_path / "o").iterdir())


def test_load_jobs__shorter_bars__become_hourly(tmp_path) -> None:
    quarter = storms(16, 4 * 50, HOUR // 4)
    write(quarter, tmp_path / "perp_15m" / "QQQ.csv")
    (job,) = load_jobs(tmp_path, Rule())
    assert (job.name, len(job.bars), job.bars.period) == ("QQQ 1h", 50, HOUR)
    np.testing.assert_array_equal(job.bars.high, quarter.high.reshape(50, 4).max(axis=1))
    np.testing.assert_array_equal(job.bars.low, quarter.low.reshape(50, 4).min(axis=1))
    np.testing.assert_array_equal(job.bars.close, quarter.close[3::4])
    assert hourly(quarter.slice(1, 200)).ts[0] == START + HOUR


def test_load_jobs__closes_alone_and_panel__are_markets(tmp_path) -> None:
    lines = ["ts,close", *(f"{START + HOUR * i},{1 + 0.01 * (i % 7)}" for i in range(50))]
    (tmp_path / "spot_1h").mkdir()
    (tmp_path / "spot_1h" / "CLO.csv").write_text("\n".join(lines) + "\n")
    panel = tmp_path / "perp_4h_panel"
    panel.mkdir()
    for name, factor in (("close", 1.0), ("high", 1.1), ("low", 0.9)):
        rows = [f"{START + 4 * HOUR * i},{factor * (1 + 0.01 * (i % 5))}," for i in range(40)]
        (panel / f"{name}.csv").write_text("\n".join(["ts,PAN,NIL", *rows]) + "\n")
    assert [job.name for job in load_jobs(tmp_path, Rule())] == ["CLO 1h", "PAN 4h"]
