"""The command line, and recorded bars as a live source."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from oracle.feeds.bars import HOUR, FeedError, read_bars
from oracle.feeds.main import main
from oracle.feeds.replay import Replay
from oracle.feeds.sources import BarSource, PriceSource
from tests.unit.feeds import DATA
from tests.unit.feeds.exchanges import ExchangeServer, Fault

NAMES = ("binance", "okx", "bybit", "kraken")


def _show(server: ExchangeServer, *more: str) -> Result:
    urls = [part for name in NAMES for part in ("--url", f"{name}={server.url}")]
    return CliRunner().invoke(main, ["show", "btc", *urls, *more], env={"COLUMNS": "200"})


def test_show_prints_every_quote_and_the_median(server: ExchangeServer) -> None:
    result = _show(server)
    assert result.exit_code == 0, result.output
    for source in ("binanceusdm", "okx", "bybit", "krakenfutures"):
        assert source in result.output
    assert "BTC 60000.500 USD, median of 4, 0 ppm apart." in result.output


def test_show_names_the_refused_and_why(server: ExchangeServer) -> None:
    def thousandfold(answer: dict) -> dict:  # type: ignore[type-arg]
        return {**answer, "markPrice": "60000500"}

    server.faults["/fapi/v1/premiumIndex"] = Fault(edit=thousandfold)
    result = _show(server)
    assert result.exit_code == 0, result.output
    assert "60000500 is far from the median" in result.output
    assert "median of 3" in result.output
    server.faults["/api/v5/public/mark-price"] = Fault(status=500, body="")
    result = _show(server)
    assert result.exit_code == 1
    assert result.output.splitlines()[-1].startswith(
        "Error: BTC: no price, 2 of at least 3 sources left; refused: binanceusdm (60000500 is far"
    )
    assert "okx (BTC no price, the exchange is not available)" in result.output


def test_show_refuses_an_exchange_that_does_not_exist() -> None:
    result = CliRunner().invoke(main, ["show", "BTC", "--venues", "nowhere"])
    assert (result.exit_code, result.output) == (1, "Error: nowhere: there is no such exchange.\n")


@pytest.mark.parametrize("url", ["okx", "okx=ftp://x", "bitget=http://127.0.0.1:9"])
def test_show_refuses_a_host_it_cannot_use(url: str) -> None:
    result = CliRunner().invoke(main, ["show", "BTC", "--venues", "okx", "--url", url])
    assert result.exit_code == 2
    assert "--url" in result.output


def test_check_says_what_every_recorded_file_holds() -> None:
    files = sorted(str(path) for path in DATA.rglob("*.csv.gz"))
    result = CliRunner(mix_stderr=False).invoke(main, ["check", *files])
    assert result.exit_code == 0, result.output
    said = dict(line.split(": ", 1) for line in result.stdout.splitlines())
    assert len(said) == len(files)
    assert said[str(DATA / "mark_1h" / "BTC.csv.gz")] == "48 bars of 3600 s, 0 gaps."
    assert said[str(DATA / "spot_1h" / "BTC.csv.gz")] == "40 bars of 3600 s, 1 gaps."
    assert said[str(DATA / "perp_4h_panel" / "high.csv.gz")] == "36 times of a panel, 12 coins."
    assert said[str(DATA / "deribit_chain" / "winB.csv.gz")] == "3 option chains, 368 quotes."
    assert said[str(DATA / "order_book" / "BTC_l20_1s_2024-08-08.csv.gz")] == "3 order books."
    assert said[str(DATA / "funding_8h" / "BTC.csv.gz")] == "48 values of rate, 1 series."


def test_check_names_the_first_bad_row_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("ts,close\n0,1\n3600,nan\n7200,inf\n")
    (tmp_path / "good.csv").write_text("ts,close\n0,1\n3600,2\n")
    (tmp_path / "late.csv").write_text(f"ts,close\n0,1\n{2**35 // HOUR * HOUR},2\n")
    files = [str(tmp_path / name) for name in ("bad.csv", "good.csv", "late.csv", "absent.csv")]
    result = CliRunner(mix_stderr=False).invoke(main, ["check", *files])
    assert result.exit_code == 1
    assert result.stdout == f"{files[1]}: 2 bars of 3600 s, 0 gaps.\n"
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error")]
    assert errors == [
        f"Error: {files[0]}: row 3, close nan is outside (0, 1e+09].",
        f"Error: {files[2]}: row 3, ts {2**35 // HOUR * HOUR} is in the future.",
        f"Error: {files[3]}: the file cannot be read (No such file or directory).",
    ]


def test_check_takes_another_limit_for_frozen_feeds(tmp_path: Path) -> None:
    path = tmp_path / "flat.csv"
    path.write_text("ts,close\n" + "".join(f"{HOUR * i},1\n" for i in range(10)))
    assert CliRunner().invoke(main, ["check", str(path)]).exit_code == 0
    assert CliRunner().invoke(main, ["check", "--frozen", "10", str(path)]).exit_code == 1


def test_the_module_runs() -> None:
    command = [sys.executable, "-m", "oracle.feeds", "--help"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "show" in result.stdout
    assert "check" in result.stdout


# Replay


def test_a_replay_knows_nothing_of_the_future() -> None:
    bars = read_bars(DATA / "mark_1h" / "BTC.csv.gz")
    replay = Replay("recorded", {"BTC": bars})
    assert isinstance(replay, PriceSource)
    assert isinstance(replay, BarSource)
    end = int(bars.ts[4]) + HOUR
    assert replay.latest("BTC", end).observed_at == end
    assert replay.latest("BTC", end).price == int(str(bars.close[4]).replace(".", "")) * 10**10
    assert replay.latest("BTC", end - 1).observed_at == end - HOUR
    known = replay.bars("BTC", HOUR, int(bars.ts[1]), end)
    assert known.ts.tolist() == bars.ts[1:5].tolist()
    assert len(replay.bars("BTC", HOUR, int(bars.ts[1]), end - 1)) == 3


def test_a_replay_names_what_it_does_not_have() -> None:
    replay = Replay("recorded", {"BTC": read_bars(DATA / "mark_1h" / "BTC.csv.gz")})
    with pytest.raises(FeedError, match=r"^recorded: there is no market ETH\.$"):
        replay.latest("ETH", 2**33)
    with pytest.raises(FeedError, match=r"^recorded: BTC has no bar complete at 5\.$"):
        replay.latest("BTC", 5)
    with pytest.raises(FeedError, match=r"^recorded: BTC has bars of 3600 seconds, not 60\.$"):
        replay.bars("BTC", 60, 0, 60)
