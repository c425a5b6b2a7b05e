"""Provenance: a true push is equal, and every single value that is not is found."""

import copy
import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from eth_account import Account

from oracle import signing
from oracle.calibration.derive import Terms, derive_market, derive_token
from oracle.calibration.history import History
from oracle.calibration.report import write
from oracle.feeds.bars import HOUR, Bars
from oracle.models.haircuts import PegRisk
from oracle.models.tails import RiskError, TailModel
from oracle.policy import Limits, Rates, depth_with_book, inputs_hash, severity_for
from oracle.risk import TAIL, CollateralEstimator, InForce, MarginEstimator
from oracle.verify import (
    PUSH,
    Before,
    Source,
    VerifyError,
    decode_push,
    estimator_of,
    line_report,
    push_report,
    verify_calldata,
    verify_push,
    verify_report,
)
from oracle.verify_command import verify

MODEL = TailModel(residuals=300, least_residuals=150, window_bars=600)
NOW = 1500 * HOUR + 120
START = Before(severity=100_000, depth=900_000, elapsed=3_600)
WETH = 33
RAMP = 86_400


@pytest.fixture(scope="module")
def history(make_bars: Callable[..., Bars]) -> History:
    bars = make_bars(2000, 1)
    assert bars.volume is not None
    liquid = Bars(bars.ts, bars.open, bars.high, bars.low, bars.close, bars.volume * 1e4)
    return History("AAA", liquid, liquid, True)


@pytest.fixture(scope="module")
def terms() -> Terms:
    return Terms(until=1400 * HOUR, model=MODEL, rule=TAIL)


@pytest.fixture(scope="module")
def estimators(history: History, terms: Terms) -> dict[int, MarginEstimator]:
    market = derive_market(history, terms).calibration
    token = derive_token("WAAA", history, terms, peg=PegRisk(0.02, 500.0)).calibration
    return {
        0: MarginEstimator("AAA", market, MODEL),
        WETH: CollateralEstimator("WAAA", token, MODEL),  # type: ignore[arg-type]
    }


@pytest.fixture(scope="module")
def sources(history: History) -> dict[str, Source]:
    source = Source(history.mark, history.traded)
    return {"AAA": source, "WAAA": source}


@pytest.fixture(scope="module")
def report(estimators: dict[int, MarginEstimator], sources: dict[str, Source]) -> dict[str, Any]:
    lines = []
    for asset, estimator in estimators.items():
        source = sources[estimator.symbol]
        ask = estimator.ask(source.mark, source.traded, NOW)
        line = line_report(asset, estimator, ask, START)
        lines.append({**line, "source": "AAA"})
    return json.loads(json.dumps(push_report(NOW, lines)))  # type: ignore[no-any-return]


def _calldata(report: dict[str, Any]) -> bytes:
    """As the keeper sends it, signed."""
    rows = tuple(
        signing.Line(line["asset"], line["pushed"]["severity"], line["pushed"]["depth"], 7)
        for line in report["lines"]
    )
    inputs = bytes.fromhex(report["inputs"][2:])
    message = signing.Push(inputs, NOW + 600, rows)
    domain = signing.Domain(31_337, "0x" + "00" * 19 + "01")
    signature = signing.sign(message, domain, Account.from_key(b"\x01" * 32))
    packed = [row.packed for row in rows]
    return PUSH.encode(inputs, NOW + 600, packed, [(signature.v, signature.r, signature.s)])


def test_a_true_report_is_equal(report: dict[str, Any], sources: dict[str, Source]) -> None:
    verdict = verify_report(report, sources)
    assert verdict.equal
    assert len(verdict.checks) == 9
    assert verdict.sentence == "Equal: all 9 values follow from the public data."


def test_the_hash_is_the_keepers(report: dict[str, Any]) -> None:
    hashes = [bytes.fromhex(line["input_hash"][2:]) for line in report["lines"]]
    assert inputs_hash(hashes[:1]) == hashes[0]
    for bad in ([], [b"short"]):
        with pytest.raises(ValueError, match="32 bytes"):
            inputs_hash(bad)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("inputs",), "0x" + "11" * 32),
        (("lines", 0, "input_hash"), "0x" + "11" * 32),
        (("lines", 0, "need"), 1),
        (("lines", 0, "asked", "severity"), 0),
        (("lines", 1, "asked", "depth"), 999_999),
        (("lines", 0, "pushed", "severity"), 500_000),
        (("lines", 1, "pushed"), None),
        (("lines", 0, "before", "severity"), 123_456),
        (("lines", 0, "model", "level"), 0.99),
        (("lines", 0, "calibration", "volume_per_hour"), 1e9),
    ],
)
def test_every_forged_value_is_found(
    report: dict[str, Any], sources: dict[str, Source], path: tuple[Any, ...], value: Any
) -> None:
    forged = copy.deepcopy(report)
    place = forged
    for step in path[:-1]:
        place = place[step]
    assert place[path[-1]] != value
    place[path[-1]] = value
    verdict = verify_report(forged, sources)
    assert not verdict.equal
    assert verdict.sentence.startswith("Not equal: ")


def test_one_changed_bar_is_found(report: dict[str, Any], sources: dict[str, Source]) -> None:
    mark = sources["AAA"].mark
    close = mark.close.copy()
    close[1400] *= 1.0 - 1e-12
    other = Bars(mark.ts, mark.open, mark.high, np.minimum(mark.low, close), close, mark.volume)
    verdict = verify_report(report, {**sources, "AAA": Source(other, sources["AAA"].traded)})
    wrong = {check.name for check in verdict.checks if not check.equal}
    assert {"AAA.input_hash", "inputs"} <= wrong
    later = close.copy()
    later[1500:] *= 3.0  # what came after the push is not part of it
    after = Bars(mark.ts, mark.open, np.maximum(mark.high, later), mark.low, later, mark.volume)
    same = np.where(np.arange(2000) < 1500, mark.close, later)
    after = Bars(mark.ts, mark.open, np.maximum(mark.high, same), mark.low, same, mark.volume)
    assert verify_report(report, {s: Source(after, sources[s].traded) for s in sources}).equal


def test_a_report_brings_its_estimator(
    report: dict[str, Any], estimators: dict[int, MarginEstimator]
) -> None:
    for line in report["lines"]:
        assert estimator_of(line) == estimators[line["asset"]]


def test_calldata_is_taken_apart_and_compared(report: dict[str, Any]) -> None:
    sent = _calldata(report)
    push = decode_push(sent)
    assert push.valid_until == NOW + 600
    assert [line.asset for line in push.lines] == [0, WETH]
    assert [line.nonce for line in push.lines] == [7, 7]
    assert verify_calldata(sent, report).equal
    other = copy.deepcopy(report)
    other["lines"][1]["pushed"]["severity"] += 1
    assert not verify_calldata(sent, other).equal
    del other["lines"][1]
    assert not verify_calldata(sent, other).equal
    with pytest.raises(VerifyError, match="something else"):
        decode_push(b"\x00" * 100)
    with pytest.raises(VerifyError, match="decoded"):
        decode_push(sent[:60])


@pytest.mark.parametrize("late", [0, HOUR])
def test_a_push_is_recomputed_without_its_report(
    report: dict[str, Any],
    estimators: dict[int, MarginEstimator],
    sources: dict[str, Source],
    late: int,
) -> None:
    push = decode_push(_calldata(report))
    before = dict.fromkeys(estimators, START)
    assert verify_push(push, NOW + late, estimators, sources, before).equal
    forged = replace(
        push, lines=(replace(push.lines[0], severity=push.lines[0].severity + 1), push.lines[1])
    )
    assert not verify_push(forged, NOW, estimators, sources, before).equal
    unknown = replace(push, inputs=b"\x05" * 32)
    assert not verify_push(unknown, NOW, estimators, sources, before).equal
    with pytest.raises(VerifyError, match="asset 0"):
        verify_push(push, NOW, {}, sources, before)


def test_a_haircut_is_recomputed_as_a_rate_is(
    estimators: dict[int, MarginEstimator], sources: dict[str, Source]
) -> None:
    token = estimators[WETH]
    assert isinstance(token, CollateralEstimator)
    source = sources["WAAA"]
    ask = token.ask(source.mark, source.traded, NOW)
    schedule = token.calibration.schedule
    assert ask.severity == severity_for(ask.need, schedule.calm_mmr[0], schedule.storm_mmr[0])
    assert ask.need < 1_000_000
    larger = token.need(source.mark, NOW, 2 * schedule.bounds[0])
    assert larger > ask.need
    bare = replace(token, calibration=replace(token.calibration, peg=0.0))
    assert bare.need(source.mark, NOW) < ask.need
    lines = (len(schedule.bounds), schedule.faults(0))
    assert lines == (6, [])


def test_a_book_may_only_lower_depth() -> None:
    limits = Limits()
    books = np.array([8e5, 9e5, 1e6])
    assert depth_with_book(800_000, np.array([]), 1.0, limits) == 800_000
    assert depth_with_book(800_000, books, 1e6, limits) == 800_000
    assert depth_with_book(950_000, books, 1e6, limits) == 900_000
    assert depth_with_book(950_000, books, 1e9, limits) == limits.depth_min
    with pytest.raises(ValueError, match="depth needs"):
        depth_with_book(950_000, books, 0.0, limits)


@pytest.fixture(scope="module")
def blended(estimators: dict[int, MarginEstimator], sources: dict[str, Source]) -> dict[str, Any]:
    """The report of a push half a ramp after a vote, from a table twice as dear."""
    lines = []
    for asset, estimator in estimators.items():
        source = sources[estimator.symbol]
        table = estimator.calibration.schedule
        new = (table.calm_mmr[0], table.storm_mmr[0])
        in_force = InForce(Rates((2 * new[0], 2 * new[1]), new, NOW - RAMP // 2, RAMP), NOW)
        then = estimator.under(*in_force.hourly)
        ask = then.ask(source.mark, source.traded, NOW).solved(in_force)
        lines.append({**line_report(asset, estimator, ask, START), "source": "AAA"})
    return json.loads(json.dumps(push_report(NOW, lines)))  # type: ignore[no-any-return]


def test_a_report_of_a_ramp_is_equal_and_its_blend_is_compared_with_the_chain(
    blended: dict[str, Any],
    report: dict[str, Any],
    sources: dict[str, Source],
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert verify_report(blended, sources).equal
    asked = [[line["asked"]["severity"] for line in each["lines"]] for each in (blended, report)]
    assert all(one < other for one, other in zip(*asked, strict=True))
    node = _Node(_calldata(blended), blended["lines"])
    node.voted_at = NOW - RAMP // 2
    monkeypatch.setattr("oracle.verify_command.Client", node)
    kept, tx = tmp_path / "push.json", "0x" + "ab" * 32
    command = [tx, "--data", str(folder), "--rpc", "http://node", "--report", str(kept)]
    kept.write_text(json.dumps(blended))
    done = CliRunner().invoke(verify, command)
    assert (done.exit_code, done.output[:6]) == (0, "Equal:"), done.output
    for change in (
        {"at": NOW + 60},
        {"rates": {**blended["lines"][0]["in_force"]["rates"], "start": 0}},
        None,
    ):
        made_up = copy.deepcopy(blended)
        if change is None:
            del made_up["lines"][0]["in_force"]
        else:
            made_up["lines"][0]["in_force"].update(change)
        kept.write_text(json.dumps(made_up))
        done = CliRunner().invoke(verify, [*command, "--json"])
        wrong = [check["name"] for check in json.loads(done.output)["checks"] if not check["equal"]]
        assert (done.exit_code, "AAA.in_force" in wrong) == (1, True)
    broken = copy.deepcopy(blended)
    rates = {"old": [1, 2], "new": [1, 2], "start": 0, "ramp": 1}
    for value in (
        None,
        {"at": 1},
        {"rates": {**rates, "new": [2, 1]}, "at": 5},
        {"rates": {**rates, "old": [1]}, "at": 5},
        {"rates": {**rates, "ramp": 0.5}, "at": 5},
    ):
        broken["lines"][0]["in_force"] = value
        with pytest.raises(VerifyError, match="damaged"):
            verify_report(broken, sources)


def test_damaged_reports_are_no_verdict(report: dict[str, Any], sources: dict[str, Source]) -> None:
    with pytest.raises(VerifyError, match="form 'v0'"):
        verify_report({**report, "schema": "v0"}, sources)
    with pytest.raises(VerifyError, match="no data of AAA"):
        verify_report(report, {})
    with pytest.raises(VerifyError, match="damaged"):
        verify_report({"schema": report["schema"]}, sources)
    for part, key, value in (("schedule", "bounds", []), ("", "volume_per_hour", 0)):
        broken = copy.deepcopy(report)
        within = broken["lines"][0]["calibration"]
        (within[part] if part else within)[key] = value
        with pytest.raises(VerifyError, match="damaged"):
            verify_report(broken, sources)
    short = {s: Source(x.mark.slice(0, 100), x.traded) for s, x in sources.items()}
    with pytest.raises(RiskError, match="missing"):
        verify_report(report, short)


# --- command


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, history: History) -> Path:
    path = tmp_path_factory.mktemp("data")
    columns = ("ts", "open", "high", "low", "close", "volume")
    with (path / "AAA.csv").open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(columns)
        table = [getattr(history.mark, name).tolist() for name in columns]
        rows.writerows(zip(*table, strict=True))
    return path


def test_the_command_verifies_a_report(
    report: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "push.json"
    kept.write_text(json.dumps(report))
    run = CliRunner()
    done = run.invoke(verify, [str(kept), "--data", str(folder)])
    assert (done.exit_code, done.output[:6]) == (0, "Equal:")
    report = copy.deepcopy(report)
    report["lines"][0]["asked"]["severity"] += 1
    kept.write_text(json.dumps(report))
    done = run.invoke(verify, [str(kept), "--data", str(folder), "--json"])
    assert done.exit_code == 1
    assert json.loads(done.output)["equal"] is False


def test_what_was_taken_as_given_is_said_and_can_be_compared(
    report: dict[str, Any],
    history: History,
    terms: Terms,
    folder: Path,
    tmp_path: Path,
) -> None:
    """Storm rates that nobody voted: everything follows from them, and the answer says so."""
    derived = [
        derive_market(history, terms),
        derive_token("WAAA", history, terms, peg=PegRisk(0.02, 500.0)),
    ]
    voted = str(write(tmp_path, derived, terms)[0])
    kept = tmp_path / "push.json"
    kept.write_text(json.dumps(report))
    base = [str(kept), "--data", str(folder)]
    said = CliRunner().invoke(verify, base).output
    assert said.startswith("Equal: all 9 values follow from the public data. Taken as given, ")
    for word in ("tables", "bounds", "lines before", "--calibration FILE", "--rpc"):
        assert word in said
    done = CliRunner().invoke(verify, [*base, "--calibration", voted])
    assert (done.exit_code, done.output[:13]) == (0, "Equal: all 17"), done.output
    assert "tables" not in done.output
    assert "lines before" in done.output
    made_up = copy.deepcopy(report)
    line = made_up["lines"][0]
    line["calibration"]["schedule"]["storm_mmr"][0] += 10_000
    estimator = estimator_of(line)
    ask = estimator.ask(history.mark, history.traded, NOW)
    made_up["lines"][0] = {**line_report(0, estimator, ask, START), "source": "AAA"}
    kept.write_text(json.dumps(made_up))
    assert CliRunner().invoke(verify, base).exit_code == 0
    done = CliRunner().invoke(verify, [*base, "--calibration", voted, "--json"])
    found = json.loads(done.output)
    wrong = [check["name"] for check in found["checks"] if not check["equal"]]
    assert (done.exit_code, wrong) == (1, ["AAA.voted.calibration"])
    assert found["given"].startswith("Taken as given")
    made_up["lines"][0]["symbol"] = "ZZZ"
    kept.write_text(json.dumps(made_up))
    assert CliRunner().invoke(verify, [*base, "--calibration", voted]).exit_code == 2


LIMITS = Limits()
RULES = (
    LIMITS.severity_up,
    LIMITS.severity_down,
    LIMITS.depth_fall,
    LIMITS.depth_rise,
    LIMITS.min_delay,
    10_800,
    LIMITS.depth_min,
)


class _Node:
    """Answers what the command asks of a node."""

    def __init__(self, calldata: bytes, lines: list[dict[str, Any]]) -> None:
        self.calldata = calldata
        self.tables = {line["asset"]: line["calibration"]["schedule"] for line in lines}
        self.asked: list[str] = []
        self.voted_at = NOW - RAMP

    def word(self, table: int, index: int) -> int:
        """As the engine keeps it: the old table was twice as dear."""
        if table == 7:
            return self.voted_at << 72
        rates = self.tables[(index - 4) // 8]
        calm, storm = rates["calm_mmr"][0], rates["storm_mmr"][0]
        return calm << 212 | storm << 192 | 2 * calm << 84 | 2 * storm << 64

    def __call__(self, url: str) -> "_Node":
        return self

    def request(self, method: str, *params: Any) -> Any:
        if method == "eth_getTransactionByHash":
            known = params[0] == "0x" + "ab" * 32
            sent = {"input": "0x" + self.calldata.hex(), "blockNumber": "0x64", "to": "0xE"}
            return sent if known else None
        return {"timestamp": hex(NOW)}

    def call(self, to: str, function: Any, *args: Any, block: str) -> Any:
        self.asked.append(block)
        if function.signature == "SETTINGS()":
            return "0xS"
        if function.signature == "push_rules()":
            return RULES
        if function.signature == "clock()":
            return NOW, False
        if function.signature == "clocks()":
            return 1, 1, 1, 1, RAMP
        if function.signature == "word_at(uint256,uint256)":
            return self.word(*args)
        return START.severity, START.depth, NOW - START.elapsed, 0, 0, 0, 0


def test_the_command_verifies_a_transaction(
    report: dict[str, Any],
    history: History,
    terms: Terms,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node = _Node(_calldata(report), report["lines"])
    monkeypatch.setattr("oracle.verify_command.Client", node)
    kept = tmp_path / "push.json"
    kept.write_text(json.dumps(report))
    run, tx = CliRunner(), "0x" + "ab" * 32
    base = ["--data", str(folder), "--rpc", "http://node"]
    done = run.invoke(verify, [tx, *base, "--report", str(kept)])
    assert (done.exit_code, done.output[:6]) == (0, "Equal:"), done.output
    for path, value in (
        (("limits", "severity_up"), 10**6),
        (("before", "severity"), START.severity + 1),
        (("calibration", "schedule", "calm_mmr"), [1] * 8),
    ):
        made_up = copy.deepcopy(report)
        within = made_up["lines"][0]
        for key in path[:-1]:
            within = within[key]
        within[path[-1]] = value
        kept.write_text(json.dumps(made_up))
        done = run.invoke(verify, [tx, *base, "--report", str(kept), "--json"])
        wrong = [check["name"] for check in json.loads(done.output)["checks"] if not check["equal"]]
        names = {"limits": "AAA.limits", "before": "AAA.before", "calibration": "AAA.rates"}
        assert done.exit_code == 1
        assert names[path[0]] in wrong
    derived = [
        derive_market(history, terms),
        derive_token("WAAA", history, terms, peg=PegRisk(0.02, 500.0)),
    ]
    voted = ["--calibration", str(write(tmp_path, derived, terms)[0])]
    voted += ["--asset", "0=AAA", "--asset", f"{WETH}=WAAA"]
    done = run.invoke(verify, [tx, *base, *voted])
    assert (done.exit_code, done.output[:6]) == (0, "Equal:"), done.output
    assert set(node.asked) == {"0x63"}  # the lines before the block
    for args, message in (
        (["0x12", *base, *voted], "knows no mined transaction"),
        ([tx, *base], "name --calibration"),
        ([tx, *base, *voted[:2], "--asset", "0=ZZZ"], "names no asset"),
        ([tx, *base[:2]], "--rpc"),
        ([str(tmp_path / "none.json"), *base], "cannot be read"),
        ([voted[1], *base], "no push report"),
    ):
        done = run.invoke(verify, args)
        assert done.exit_code == 2
        assert message in done.output
        assert "Traceback" not in done.output
