"""What is seen in the terminal: a line while it runs, a table at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from scripts.demo_parts.venue import WAD, Market

PAYERS: Final = {
    "insured": "insurance fund",
    "charged": "charged to the opposite side",
    "socialised": "socialised",
}
SECOND_ACT: Final = {
    "loss": "second act, staged: loss",
    "reward": "  + reward of who resolved",
    "to_vault": "  + payment to the vault",
    "own": "  = a the accounts themselves",
    "insured": "  + b insurance fund",
    "charged": "  + c charged to the opposite side",
    "socialised": "  + d socialised, then restored",
}


def describe(time: int, views: Mapping[str, Market], acts: int) -> str:
    """Where the replay is."""
    day = datetime.fromtimestamp(time, UTC)
    prices = "  ".join(f"{symbol} {view.price / WAD:,.0f}" for symbol, view in views.items())
    worst = max(view.severity for view in views.values()) / 1e4
    return f"{day.day} {day:%b %H:%M}  severity {worst:.0f} %  {acts} liquidations  {prices}"


def summary(report: Mapping[str, Any]) -> Table:
    """The table at the end."""
    table = Table(title=f"Scenario {report['scenario']}", show_header=False, title_justify="left")
    table.add_column()
    table.add_column(justify="right")
    for label, value in _rows(report):
        table.add_row(label, value)
    return table


def files(out: Path) -> str:
    """Where the report is."""
    return f"Report: {out / 'report.html'}  Numbers: {out / 'report.json'}"


def _rows(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    waterfall = report["waterfall"]
    yield "accounts, transactions", f"{report['accounts']}, {report['transactions']:,}"
    for market in report["markets"]:
        price, severity = market["price"], market["severity"]
        yield (
            f"{market['symbol']}: first, lowest, last",
            ", ".join(f"{float(price[key]):,.0f}" for key in ("first", "lowest", "last")),
        )
        yield (
            f"{market['symbol']}: severity",
            f"{severity['lowest'] / 1e4:.1f} to {severity['highest'] / 1e4:.1f} %",
        )
    if report["incident"]:
        yield "without reports", f"{report['incident']['minutes']} minutes"
    yield "margin calls", f"{report['margin_calls']}"
    for name, label in (("collateral", "0 collateral"), ("partial", "1 partial take-overs")):
        step = waterfall[name]
        yield f"step {label}", f"{step['count']}, {float(step['notional']):,.0f} USD"
    for name, label in (("vault", "2 taken by the vault"), ("opposite_side", "3 closed at mark")):
        step = waterfall[name]
        yield f"step {label}", f"{step['accounts']} accounts, {float(step['notional']):,.0f} USD"
    funding = waterfall["funding"]
    yield "deficit", f"{float(funding['deficit']):,.0f} USD"
    for name, label in PAYERS.items():
        yield f"  {label}", f"{float(funding[name]):,.0f} USD"
    yield "conservation error", f"{report['conservation_error_wei']} wei"
    yield "dust", f"{report['dust_wei']:,} wei"
    yield from _second_act(report["second_act"])
    parts = ("setup_seconds", "seconds", "act_two_seconds")
    yield "seconds: set-up, replay, second act", ", ".join(f"{report[part]}" for part in parts)


def _second_act(act: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The loss of all who were resolved in it, and who paid: every digit, so that it sums."""
    totals = act["totals"]
    for part, label in SECOND_ACT.items():
        yield label, f"{Decimal(totals[part]):,f} USD"
    ratios = [each["ratio"] for each in act["solvency_path"]]
    yield "  h: lowest, last", f"{min(ratios):.6f}, {ratios[-1]:.6f}"
    yield "  parts less loss", f"{act['waterfall_error_wei']} wei"
    yield "  lens less what happened", f"{act['prediction_error_wei']} wei"
    yield "  conservation error", f"{act['conservation_error_wei']} wei"
