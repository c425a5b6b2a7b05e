"""`python -m oracle verify`: a push, from its report or transaction, recomputed and compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from oracle.brackets import read_rates
from oracle.calibration.history import load_histories
from oracle.chain import ChainError, Client
from oracle.feeds.errors import FeedError
from oracle.keeper import LINE_OF
from oracle.models.tails import RiskError
from oracle.risk import InForce, MarginEstimator
from oracle.verify import (
    SETTINGS,
    TOKENS,
    Before,
    Check,
    Source,
    Verdict,
    VerifyError,
    calldata_of,
    decode_push,
    effective_time,
    read_json,
    read_voted,
    verify_calibration,
    verify_calldata,
    verify_push,
    verify_report,
    verify_terms,
)


@click.command()
@click.argument("what", metavar="TX_OR_REPORT")
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of public bars: mark_1h/SYMBOL.csv and perp_1h/SYMBOL.csv, or SYMBOL.csv with "
    "prices and volume; also csv.gz and parquet.",
)
@click.option("--rpc", help="Node to read a transaction from, such as http://127.0.0.1:8545.")
@click.option(
    "--report", "path", type=click.Path(path_type=Path), help="A transaction's own push report."
)
@click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    help="report.json of the calibration that was voted on: a report's tables and models are "
    "compared with it; without a report they are taken from it.",
)
@click.option(
    "--asset",
    "assets",
    multiple=True,
    metavar="ID=SYMBOL",
    help="Without a report: which asset is which, such as 0=BTC or 32=WETH.",
)
@click.option("--json", "as_json", is_flag=True, help="Print every value compared, as JSON.")
def verify(
    what: str,
    data: Path,
    rpc: str | None,
    path: Path | None,
    calibration: Path | None,
    assets: tuple[str, ...],
    as_json: bool,
) -> None:
    """Recompute a push from public data and say whether it is equal, and what was taken as given.

    TX_OR_REPORT is a push report (a JSON file the keeper kept) or the hash of a transaction. Exit
    code 0: equal, 1: not equal, 2: nothing could be compared.
    """
    try:
        given = ""
        if not what.startswith("0x"):
            verdict, given = _of_file(Path(what), data, calibration)
        elif rpc is None:
            raise VerifyError("A transaction is read from a node: name it with --rpc.")
        elif path is not None:
            verdict, given = _of_sent(Client(rpc), what, read_json(path), data, calibration)
        else:
            verdict = _of_transaction(Client(rpc), what, data, calibration, assets)
    except (VerifyError, ChainError, FeedError, RiskError) as error:
        raise _Undecided(str(error)) from None
    said = {**verdict.as_dict(), **({"given": given} if given else {})}
    sentence = f"{verdict.sentence} {given}" if given else verdict.sentence
    click.echo(json.dumps(said, indent=1) if as_json else sentence)
    raise SystemExit(0 if verdict.equal else 1)


class _Undecided(click.ClickException):
    exit_code = 2


def _of_file(path: Path, data: Path, calibration: Path | None) -> tuple[Verdict, str]:
    """Of a report alone, and what it was believed."""
    report = read_json(path)
    checks = _of_report(report, data).checks
    believed = "steward's bounds, the lines before and the rates in force"
    if calibration is None:
        given = (
            f"Taken as given, as the report has them: the tables with their models, the {believed};"
            " --calibration FILE compares the tables, the transaction with --rpc and --report the"
            " rest."
        )
    else:
        checks = (*checks, *verify_calibration(report, read_voted(calibration)).checks)
        given = (
            f"Taken as given, as the report has them: the {believed}; the transaction with --rpc"
            " and --report compares these."
        )
    return Verdict(checks), given


def _of_report(report: dict[str, Any], data: Path) -> Verdict:
    try:
        symbols = {str(line["symbol"]): _source_name(line) for line in report["lines"]}
    except (KeyError, TypeError):
        raise VerifyError("The file is no push report.") from None
    return verify_report(report, _sources(symbols, data))


def _of_sent(
    client: Client, hash_: str, report: dict[str, Any], data: Path, calibration: Path | None
) -> tuple[Verdict, str]:
    """Of a report and its transaction, and what it was believed."""
    sent = client.request("eth_getTransactionByHash", hash_)
    calldata = calldata_of(sent, hash_)
    recomputed = _of_report(report, data).checks
    terms = verify_terms(report, client, sent).checks
    checks = (*verify_calldata(calldata, report).checks, *terms, *recomputed)
    if calibration is None:
        given = (
            "Taken as given, as the report has them: models, volume and liquidity; "
            "--calibration FILE compares these."
        )
        return Verdict(checks), given
    return Verdict((*checks, *verify_calibration(report, read_voted(calibration)).checks)), ""


def _of_transaction(
    client: Client, hash_: str, data: Path, calibration: Path | None, assets: tuple[str, ...]
) -> Verdict:
    if calibration is None or not assets:
        raise VerifyError("Without --report, name --calibration and each --asset of the push.")
    sent = client.request("eth_getTransactionByHash", hash_)
    push = decode_push(calldata_of(sent, hash_))
    block = client.request("eth_getBlockByNumber", sent["blockNumber"], False)
    time, parent = int(block["timestamp"], 16), hex(int(sent["blockNumber"], 16) - 1)
    settings = client.call(sent["to"], SETTINGS, block=parent)
    before = {}
    for line in push.lines:
        row = client.call(settings, LINE_OF, line.asset, block=parent)
        before[line.asset] = Before(int(row[0]), int(row[1]), max(0, time - int(row[2])))
    estimators, names = _voted(calibration, assets)
    in_force, checks = {}, []
    at = effective_time(client, sent["to"], push, parent)
    owners = {each.symbol: asset for asset, each in estimators.items() if asset < TOKENS}
    for asset, estimator in estimators.items():
        rates = read_rates(client, sent["to"], owners.get(estimator.symbol, asset), parent)
        in_force[asset] = InForce(rates, at)
        table = estimator.calibration.schedule
        voted = [table.calm_mmr[0], table.storm_mmr[0]]
        checks.append(Check(f"{estimator.symbol}.rates", voted, list(rates.new)))
    verdict = verify_push(push, time, estimators, _sources(names, data), before, in_force)
    return Verdict((*checks, *verdict.checks))


def _voted(
    path: Path, assets: tuple[str, ...]
) -> tuple[dict[int, MarginEstimator], dict[str, str]]:
    """Estimators by asset id, and each symbol's source of prices."""
    kept = read_voted(path)
    found: dict[int, MarginEstimator] = {}
    names: dict[str, str] = {}
    for option in assets:
        number, _, symbol = option.partition("=")
        if not number.isdigit() or symbol not in kept:
            raise VerifyError(f"{option!r} names no asset of {path.name}, such as 0=BTC.")
        found[int(number)] = kept[symbol].estimator
        names[symbol] = kept[symbol].source
    return found, names


def _sources(symbols: Mapping[str, str], data: Path) -> dict[str, Source]:
    histories = load_histories(data, sorted(set(symbols.values())))
    return {
        symbol: Source(histories[source].mark, histories[source].traded)
        for symbol, source in symbols.items()
    }


def _source_name(line: Mapping[str, Any]) -> str:
    """Whose prices: a token may be priced by another symbol."""
    return str(line.get("source", line["symbol"]))
