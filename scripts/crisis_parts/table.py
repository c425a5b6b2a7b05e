"""What is seen in the terminal: where the replay is, and the comparison at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.table import Table

from oracle.crisis.path import Step
from oracle.engine.units import WAD
from scripts.crisis_parts.ladder import Ladder

Row = tuple[str, str, str]


def where(ladder: Ladder, step: Step) -> str:
    """Time, marks, and how many were resolved."""
    day = datetime.fromtimestamp(step.time, UTC)
    marks = "  ".join(
        f"{symbol} {ladder.marks.get(number, 0) / WAD:,.6g}"
        for number, symbol in ladder.symbols.items()
    )
    return f"{day.day} {day:%b %H:%M}  {len(ladder.mirror.resolved)} resolved  {marks}"


def comparison(report: Mapping[str, Any]) -> Table:
    """Plimsoll beside the queue."""
    queue = report["queue"]
    table = Table(
        title=f"{report['accounts']:,} accounts, {report['inputs']['path']}", title_justify="left"
    )
    table.add_column("")
    table.add_column("Plimsoll", justify="right")
    carried = "" if queue["carry"] else ", each for itself"
    table.add_column(f"queue ({queue['settlement']}{carried})", justify="right")
    for row in _rows(report, queue):
        table.add_row(*row)
    return table


def variants(report: Mapping[str, Any]) -> Table:
    """The queue in all its variants."""
    table = Table(title="The queue, by what a winner is paid", title_justify="left")
    names = ("settlement", "deficit", "overshoot", "winners touched", "largest loss", "unpaid")
    for i, name in enumerate(names):
        table.add_column(name, justify="right" if i else "left")
    for each in report["queue_variants"]:
        table.add_row(
            each["settlement"] + ("" if each["carry"] else ", each for itself"),
            _usd(each["deficit"]),
            _usd(each["overshoot"]),
            _share(each["winners_touched"], each["winners"]),
            _usd(each["largest_winner_loss"]),
            _usd(each["insolvency_left"]),
        )
    return table


def files(out: Path) -> str:
    """Where the report is."""
    return f"Report: {out / 'report.html'}  Numbers: {out / 'report.json'}"


# --- internals -----------------------------------------------------------------------------------


def _rows(report: Mapping[str, Any], queue: Mapping[str, Any]) -> Iterator[Row]:
    steps, gas = report["steps"], report["gas"].get("resolve")
    yield "accounts resolved", f"{report['resolved']:,}", ""
    yield "of them bankrupt", f"{report['bankrupt']:,}", f"{queue['bankrupt']:,}"
    yield "deficit", _usd(report["deficit"]), _usd(queue["deficit"])
    yield "  insured", _usd(steps["insurance"]), ""
    yield "  charged to the other side", _usd(steps["charge"]), ""
    yield "  socialised, or nobody paid", _usd(steps["socialised"]), _usd(queue["insolvency_left"])
    yield "winners' loss beyond it", _usd(report["overshoot"]), _usd(queue["overshoot"])
    yield (
        "winners touched",
        _share(report["winners_touched"], report["winners"]),
        _share(queue["winners_touched"], queue["winners"]),
    )
    yield (
        "largest loss of one winner",
        _usd(report["largest_winner_loss"]),
        _usd(queue["largest_winner_loss"]),
    )
    yield "solvency ratio h", f"{report['solvency']['h']:.6f}", ""
    yield "conservation error", f"{report['conservation_error_wei']} wei", ""
    if gas:
        yield "gas of a resolution", f"{gas['average']:,} (most {gas['most']:,})", ""
    yield "seconds", f"{report['seconds']}", ""


def _usd(amount: float) -> str:
    return f"{amount:,.2f} USD"


def _share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,}" + (f" ({part / whole:.1%})" if whole else "")
