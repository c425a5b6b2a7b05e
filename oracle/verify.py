"""Recompute a push from public data and say whether it is equal.

A keeper keeps a report of each push (`push_report`): for every asset what it was made with and what
came out. `verify_report` recomputes all of it from bars alone; `verify_calldata` compares what was
sent with the report; `verify_push` needs no report, only the calibrations that were voted on.

What is compared, per asset: the hash of the input window, the need, the severity and depth asked,
and the step from the line before. Of the push: the hash over all windows that was signed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from oracle.brackets import read_rates
from oracle.chain import Client, Function
from oracle.feeds.bars import Bars
from oracle.feeds.errors import FeedError
from oracle.keeper import CLOCK, LINE_OF, VALID_FOR
from oracle.models.tails import CostModel, RiskError, TailModel
from oracle.policy import (
    Calibration,
    CollateralCalibration,
    Limits,
    Rates,
    inputs_hash,
    next_push,
)
from oracle.risk import (
    MIXTURE,
    TAIL,
    Ask,
    Books,
    CollateralEstimator,
    InForce,
    MarginEstimator,
    RuleEstimator,
    with_books,
)
from oracle.rule import RuleModel
from oracle.signing import LINE_BITS, Line

SCHEMA: Final = "plimsoll.push.v1"
PUSH: Final = Function("push(bytes32,uint256,uint256[],(uint256,uint256,uint256)[])")
SETTINGS: Final = Function("SETTINGS()", ("address",))
TOKENS: Final = 32  # asset id of collateral token 0
PUSH_RULES: Final = Function("push_rules()", (f"({','.join(['uint256'] * 7)})",))
BOUNDS: Final = (
    "severity_up",
    "severity_down",
    "depth_fall",
    "depth_rise",
    "min_delay",
    None,  # max_age bounds no step
    "depth_min",
)
"""What `push_rules` returns, as limits are named."""
HOUR: Final = 3_600
LATEST_WINDOWS: Final = 2  # a push may be mined in the hour after the one it was made in


class VerifyError(Exception):
    """Nothing could be compared. One sentence."""


@dataclass(frozen=True)
class Source:
    """Public data of one asset: price bars, and bars with traded volume."""

    mark: Bars
    traded: Bars


@dataclass(frozen=True)
class Before:
    """A line before a push: severity and depth in ppm, and seconds since its last push."""

    severity: int
    depth: int
    elapsed: int


@dataclass(frozen=True)
class Voted:
    """What an asset's numbers are made with: the tables voted on, and whose prices."""

    estimator: MarginEstimator
    source: str


@dataclass(frozen=True)
class Check:
    """One value as claimed and as recomputed."""

    name: str
    claimed: Any
    recomputed: Any

    @property
    def equal(self) -> bool:
        """Whether they are the same."""
        return bool(self.claimed == self.recomputed)


@dataclass(frozen=True)
class Verdict:
    """All that was compared."""

    checks: tuple[Check, ...]

    @property
    def equal(self) -> bool:
        """Whether everything is; nothing compared is not equal."""
        return bool(self.checks) and all(check.equal for check in self.checks)

    @property
    def sentence(self) -> str:
        """The verdict in one sentence."""
        wrong = [check for check in self.checks if not check.equal]
        if not self.checks:
            return "Not equal: there was nothing to compare."
        if not wrong:
            return f"Equal: all {len(self.checks)} values follow from the public data."
        first = wrong[0]
        return (
            f"Not equal: {len(wrong)} of {len(self.checks)} values differ, first {first.name}: "
            f"claimed {first.claimed}, recomputed {first.recomputed}."
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        rows = [{**asdict(check), "equal": check.equal} for check in self.checks]
        return {"equal": self.equal, "sentence": self.sentence, "checks": rows}


# --- the report ----------------------------------------------------------------------------------


def line_report(asset: int, estimator: MarginEstimator, ask: Ask, before: Before) -> dict[str, Any]:
    """One asset's part of a push report, as plain values.

    Args:
        asset: its id on the chain; ask: what the estimator asked for.
        before: the line it was pushed from.
    """
    pushed = _step(ask, before, estimator.limits)
    extra = {"books": ask.books, "in_force": ask.in_force}
    return {
        "asset": asset,
        "symbol": estimator.symbol,
        "kind": "token" if isinstance(estimator, CollateralEstimator) else "market",
        "rule": estimator.rule,
        "input_hash": "0x" + ask.input_hash.hex(),
        "need": ask.need,
        "asked": {"severity": ask.severity, "depth": ask.depth},
        "before": asdict(before),
        "pushed": pushed,
        "calibration": estimator.calibration.as_dict(),
        "model": asdict(estimator.model),
        "costs": asdict(estimator.costs),
        "limits": asdict(estimator.limits),
        **{name: asdict(value) for name, value in extra.items() if value is not None},
    }


def push_report(time: int, lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The report of one push: its time, its lines in the order signed, and what was signed for.

    Raises:
        ValueError: no line.
    """
    hashes = [_bytes32(line["input_hash"]) for line in lines]
    return {
        "schema": SCHEMA,
        "time": time,
        "inputs": "0x" + inputs_hash(hashes).hex(),
        "lines": list(lines),
    }


def estimator_of(line: Mapping[str, Any]) -> MarginEstimator:
    """The estimator a report's line was made with."""
    parts: dict[str, Any] = {
        "symbol": line["symbol"],
        "costs": CostModel(**line["costs"]),
        "limits": Limits(**line["limits"]),
    }
    if _is_mixture(line):
        parts["model"] = RuleModel.from_dict(line["model"])
        return RuleEstimator(calibration=Calibration.from_dict(line["calibration"]), **parts)
    parts["model"] = TailModel(**line["model"])
    if line["kind"] == "token":
        kept = CollateralCalibration.from_dict(line["calibration"])
        return CollateralEstimator(calibration=kept, **parts)
    return MarginEstimator(calibration=Calibration.from_dict(line["calibration"]), **parts)


def _is_mixture(row: Mapping[str, Any]) -> bool:
    """Reports from before there were two rules name none."""
    name = row.get("rule", TAIL)
    if name not in (MIXTURE, TAIL):
        raise ValueError(f"there is no rule {name!r}")
    return bool(name == MIXTURE)


# --- verification --------------------------------------------------------------------------------


def verify_report(report: Mapping[str, Any], sources: Mapping[str, Source]) -> Verdict:
    """Recompute every value of a report from `sources`, by symbol.

    Raises:
        VerifyError: no report of this form, or a symbol without data.
        RiskError: the data does not reach the window.
    """
    checks: list[Check] = []
    hashes = []
    try:
        if report["schema"] != SCHEMA:
            raise VerifyError(f"The report is of the form {report['schema']!r}, not {SCHEMA!r}.")
        for line in report["lines"]:
            estimator = estimator_of(line)
            in_force = read_in_force(line["in_force"]) if "in_force" in line else None
            books = _books(line["books"]) if "books" in line else None
            ask = _ask(estimator, sources, int(report["time"]), in_force, books)
            hashes.append(ask.input_hash)
            again = line_report(line["asset"], estimator, ask, Before(**line["before"]))
            name = f"{line['symbol']}."
            checks += [
                Check(name + key, line[key], again[key])
                for key in ("input_hash", "need", "asked", "pushed")
            ]
        checks.append(Check("inputs", report["inputs"], "0x" + inputs_hash(hashes).hex()))
    except (LookupError, TypeError, ValueError, ArithmeticError, MemoryError) as error:
        if isinstance(error, RiskError | FeedError):
            raise
        raise VerifyError(f"The report is damaged ({type(error).__name__}: {error}).") from None
    return Verdict(tuple(checks))


@dataclass(frozen=True)
class Decoded:
    """A push as it was sent."""

    inputs: bytes
    valid_until: int  # [s]
    lines: tuple[Line, ...]


def decode_push(calldata: bytes) -> Decoded:
    """The arguments of ``push``.

    Raises:
        VerifyError: the calldata is of another function, or cut short.
    """
    if calldata[:4] != PUSH.selector:
        raise VerifyError("The transaction calls something else than push.")
    try:
        inputs, until, rows, _ = decode(PUSH.inputs, calldata[4:])
    except (DecodingError, OverflowError):
        raise VerifyError("The arguments of the push cannot be decoded.") from None
    return Decoded(bytes(inputs), int(until), tuple(_unpacked(int(row)) for row in rows))


def verify_calldata(calldata: bytes, report: Mapping[str, Any]) -> Verdict:
    """Whether a report is of this push: the same hash, assets, severities and depths.

    Raises:
        VerifyError: as `decode_push`.
    """
    push = decode_push(calldata)
    wanted = {line["asset"]: line["pushed"] for line in report["lines"]}
    checks = [
        Check("calldata.inputs", "0x" + push.inputs.hex(), report["inputs"]),
        Check("calldata.assets", [line.asset for line in push.lines], list(wanted)),
    ]
    checks += [
        Check(
            f"calldata.{line.asset}",
            {"severity": line.severity, "depth": line.depth},
            wanted.get(line.asset),
        )
        for line in push.lines
    ]
    return Verdict(tuple(checks))


def verify_terms(report: Mapping[str, Any], client: Client, sent: Mapping[str, Any]) -> Verdict:
    """Whether what a report takes as given is what the chain had before the push: of each asset
    the line, the steward's bounds, the rates of bracket 0 and, in a ramp, how far it was.

    Without it a report may bring a table or bounds of its own, from which anything follows.

    Raises:
        ChainError: the node does not keep the state of that block.
        VerifyError: the report is damaged.
    """
    parent = hex(int(sent["blockNumber"], 16) - 1)
    settings = client.call(sent["to"], SETTINGS, block=parent)
    rules = client.call(settings, PUSH_RULES, block=parent)
    bounds = {name: int(value) for name, value in zip(BOUNDS, rules, strict=True) if name}
    push = decode_push(_bytes(sent["input"]))
    at = effective_time(client, sent["to"], push, parent)
    checks = []
    try:
        markets = {each["symbol"]: each["asset"] for each in report["lines"][::-1]}
        markets = {symbol: asset for symbol, asset in markets.items() if asset < TOKENS}
        for line in report["lines"]:
            asset, name, table = line["asset"], line["symbol"], line["calibration"]["schedule"]
            row = client.call(settings, LINE_OF, asset, block=parent)
            before = {key: line["before"][key] for key in ("severity", "depth")}
            limits = {key: line["limits"][key] for key in bounds}
            checks += [
                Check(f"{name}.before", before, {"severity": int(row[0]), "depth": int(row[1])}),
                Check(f"{name}.limits", limits, bounds),
            ]
            if line["kind"] != "token" and asset >= TOKENS:
                # Collateral that has a market's severity, under that market's table.
                asset = markets.get(name)
            if asset is None:
                continue
            rates = read_rates(client, sent["to"], asset, parent)
            voted = [table["calm_mmr"][0], table["storm_mmr"][0]]
            checks.append(Check(f"{name}.rates", voted, list(rates.new)))
            known = read_in_force(line["in_force"]) if "in_force" in line else None
            claimed = None if known is None else known.rates.in_force(known.at)
            if known is None:  # solved for the table voted last alone
                claimed = (*voted, 1)
            checks.append(Check(f"{name}.in_force", claimed, rates.in_force(at)))
    except (LookupError, TypeError, ValueError) as error:
        raise VerifyError(f"The report is damaged ({type(error).__name__}: {error}).") from None
    return Verdict(tuple(checks))


def verify_calibration(report: Mapping[str, Any], voted: Mapping[str, Voted]) -> Verdict:
    """Whether a report's numbers were made with these calibrations: of each line the table, what
    it was measured for, model and costs, and the table's rates that are, or come, into force.

    Raises:
        VerifyError: the calibration lacks a symbol, or the report is damaged.
    """
    checks = []
    try:
        for line in report["lines"]:
            symbol = str(line["symbol"])
            if symbol not in voted:
                raise VerifyError(f"The calibration has no {symbol}, only {', '.join(voted)}.")
            claimed, known = estimator_of(line), voted[symbol].estimator
            for name in ("rule", "calibration", "model", "costs"):
                made, wanted = getattr(claimed, name), getattr(known, name)
                if name != "rule":
                    made, wanted = (_plain(each) for each in (made, wanted))
                checks.append(Check(f"{symbol}.voted.{name}", made, wanted))
            table = known.calibration.schedule
            if "in_force" in line:
                rates = list(read_in_force(line["in_force"]).rates.new)
                voted_rates = [table.calm_mmr[0], table.storm_mmr[0]]
                checks.append(Check(f"{symbol}.voted.in_force", rates, voted_rates))
    except (LookupError, TypeError, ValueError) as error:
        raise VerifyError(f"The report is damaged ({type(error).__name__}: {error}).") from None
    return Verdict(tuple(checks))


def _plain(value: Any) -> Any:
    """Of a dataclass, as JSON has it."""
    return json.loads(json.dumps(asdict(value)))


def effective_time(client: Client, engine: str, push: Decoded, parent: str) -> int:
    """The chain's time, less pauses, that a push was made for [s]."""
    block = client.request("eth_getBlockByNumber", parent, False)
    now, _ = client.call(engine, CLOCK, block=parent)
    return push.valid_until - VALID_FOR - (int(block["timestamp"], 16) - int(now))


def verify_push(
    push: Decoded,
    time: int,
    estimators: Mapping[int, MarginEstimator],
    sources: Mapping[str, Source],
    before: Mapping[int, Before],
    in_force: Mapping[int, InForce] | None = None,
) -> Verdict:
    """Recompute a push without its report.

    Args:
        time: of the block it was mined in; the window it was made from ended in that hour or the
            one before, and the hash tells which.
        estimators: by asset id, with the calibrations that were voted on.
        before: by asset id, the lines before the block.
        in_force: by asset id, what severity was to be solved for; by default the rates of the
            calibration.

    Raises:
        VerifyError: an asset without estimator, line or data.
        RiskError: the data does not reach the window.
    """
    for line in push.lines:
        if line.asset not in estimators or line.asset not in before:
            raise VerifyError(f"Nothing is known of asset {line.asset}: name its market.")
    found = in_force or {}
    tries = [
        [
            _ask(estimators[line.asset], sources, time - k * HOUR, found.get(line.asset))
            for line in push.lines
        ]
        for k in range(LATEST_WINDOWS)
    ]
    signed = [inputs_hash([ask.input_hash for ask in asks]) for asks in tries]
    asks = tries[signed.index(push.inputs)] if push.inputs in signed else tries[0]
    recomputed = inputs_hash([ask.input_hash for ask in asks])
    checks = [Check("inputs", "0x" + push.inputs.hex(), "0x" + recomputed.hex())]
    for line, ask in zip(push.lines, asks, strict=True):
        estimator = estimators[line.asset]
        checks.append(
            Check(
                f"{estimator.symbol}.pushed",
                {"severity": line.severity, "depth": line.depth},
                _step(ask, before[line.asset], estimator.limits),
            )
        )
    return Verdict(tuple(checks))


def _ask(
    estimator: MarginEstimator,
    sources: Mapping[str, Source],
    time: int,
    in_force: InForce | None = None,
    books: Books | None = None,
) -> Ask:
    """As the keeper makes it: for the rates in force, with the books that were seen."""
    if estimator.symbol not in sources:
        raise VerifyError(f"There is no data of {estimator.symbol}.")
    source = sources[estimator.symbol]
    if in_force is not None:
        estimator = estimator.under(*in_force.hourly)
    ask = estimator.ask(source.mark, source.traded, time)
    if books is not None:
        ask = with_books(ask, books, estimator.limits)
    return ask.solved(in_force)


def read_in_force(value: Mapping[str, Any]) -> InForce:
    """As `dataclasses.asdict` wrote it.

    Raises:
        ValueError, TypeError, LookupError: it is none.
    """
    rates = value["rates"]
    (old_calm, old_storm), (new_calm, new_storm) = rates["old"], rates["new"]
    numbers = (old_calm, old_storm, new_calm, new_storm, rates["start"], rates["ramp"], value["at"])
    if any(type(number) is not int or not 0 <= number < 2**32 for number in numbers):
        raise ValueError("rates and times are whole numbers")
    old, new = (old_calm, old_storm), (new_calm, new_storm)
    return InForce(Rates(old, new, rates["start"], rates["ramp"]), value["at"])


def _books(value: Mapping[str, Any]) -> Books:
    return Books(int(value["reference"]), tuple(int(depth) for depth in value["depths"]))


def _step(ask: Ask, before: Before, limits: Limits) -> dict[str, int] | None:
    """The line pushed, None where none was due."""
    step = next_push(
        before.severity, before.depth, ask.severity, ask.depth, limits, elapsed=before.elapsed
    )
    return None if step is None else {"severity": step.severity, "depth": step.depth}


def _unpacked(row: int) -> Line:
    """The inverse of `signing.Line.packed`."""
    nonce, depth, severity = row & 2**32 - 1, row >> 32 & 2**20 - 1, row >> 52 & 2**20 - 1
    return Line(row >> 72 & 2 ** LINE_BITS["asset"] - 1, severity, depth, nonce)


def _bytes(text: Any) -> bytes:
    return bytes.fromhex(str(text).removeprefix("0x"))


def _bytes32(text: str) -> bytes:
    value = bytes.fromhex(text.removeprefix("0x"))
    if len(value) != 32:
        raise ValueError(f"{text} is no 32 bytes")
    return value


# --- what was voted, and sent ---------------------------------------------------------------------


def read_voted(path: Path) -> dict[str, Voted]:
    """Every asset of a calibration's report.json, by symbol.

    Raises:
        VerifyError: unreadable, or no such report.
    """
    report = read_json(path)
    try:
        return {str(row["symbol"]): _voted_asset(row, report["terms"]) for row in report["assets"]}
    except (KeyError, TypeError, ValueError):
        raise VerifyError(f"{path} is no calibration report.") from None


def _voted_asset(row: Mapping[str, Any], terms: Mapping[str, Any]) -> Voted:
    symbol, source = str(row["symbol"]), str(row["source"])
    model, costs = TailModel(**terms["model"]), CostModel(**terms["costs"])
    if row["kind"] != "token":
        return Voted(_market_estimator(row, terms, model, costs), source)
    haircuts = CollateralCalibration.from_dict(row["calibration"])
    costs = replace(costs, funding_per_hour=0.0)
    return Voted(CollateralEstimator(symbol, haircuts, model, costs), source)


def _market_estimator(
    row: Mapping[str, Any], terms: Mapping[str, Any], model: TailModel, costs: CostModel
) -> MarginEstimator:
    """Of a market of a calibration report, by the rule that its table was made with."""
    symbol, table = str(row["symbol"]), Calibration.from_dict(row["calibration"])
    if not _is_mixture(row):
        return MarginEstimator(symbol, table, model, costs)
    rule_costs = CostModel(**terms["rule_costs"])
    return RuleEstimator(symbol, table, RuleModel.from_dict(terms["rule_model"]), rule_costs)


def calldata_of(sent: Any, hash_: str) -> bytes:
    if not sent or not sent.get("blockNumber"):
        raise VerifyError(f"The node knows no mined transaction {hash_}.")
    return _bytes(sent["input"])


def read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text())
    except OSError as error:
        raise VerifyError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise VerifyError(f"{path} is no JSON file.") from None
    if not isinstance(values, dict):
        raise VerifyError(f"{path} is no report.")
    return values
