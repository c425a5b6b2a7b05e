"""What is seen in the terminal: where the replay is, and the comparison at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    title = f"{report['accounts']:,} accounts, {report['inputs']['path']}"
    return _table(title, ("", "Plimsoll", f"queue ({_variant(queue)})"), comparison_rows(report))


def variants(report: Mapping[str, Any]) -> Table:
    """The queue in all its variants."""
    head = ("settlement", "deficit", "overshoot", "touched", "largest", "unpaid")
    return _table("The queue in USD, by what a winner is paid", head, variant_rows(report))


def variant_rows(report: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """A row for each: what it is, deficit, overshoot, winners touched, largest loss, unpaid."""
    for each in report["queue_variants"]:
        yield (
            _variant(each),
            f"{each['deficit']:,.0f}",
            f"{each['overshoot']:,.0f}",
            _share(each["winners_touched"], each["winners"]),
            f"{each['largest_winner_loss']:,.0f}",
            f"{each['insolvency_left']:,.0f}",
        )


def files(out: Path) -> str:
    """Where the report is."""
    return f"Report: {out / 'report.html'}  Numbers: {out / 'report.json'}"


def comparison_rows(report: Mapping[str, Any]) -> Iterator[Row]:
    """Figure, ours, the queue's."""
    queue = report["queue"]
    steps, gas = report["steps"], report["gas"].get("resolve")
    yield "accounts resolved", f"{report['resolved']:,}", ""
    yield "of them bankrupt", f"{report['bankrupt']:,}", f"{queue['bankrupt']:,}"
    yield "taken by liquidators", _usd(steps["partial"]), ""
    yield "taken by the backstop vault", _usd(steps["vault"]), ""
    yield "closed against the other side", _usd(steps["opposite_side"]), ""
    yield "deficit", _usd(report["deficit"]), _usd(queue["deficit"])
    yield "  insured", _usd(steps["insurance"]), _usd(queue["insured"])
    yield "  charged to the other side", _usd(steps["charge"]), ""
    yield "  socialised, or nobody paid", _usd(steps["socialised"]), _usd(queue["insolvency_left"])
    yield "winners' loss beyond it", _usd(report["overshoot"]), _usd(queue["overshoot"])
    yield "winners", f"{report['winners']:,}", ""
    yield (
        "  touched",
        _share(report["winners_touched"], report["winners"]),
        _share(report["queue_winners_touched"], report["winners"]),
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


# --- internals -----------------------------------------------------------------------------------


def _table(title: str, head: Sequence[str], rows: Iterable[tuple[str, ...]]) -> Table:
    table = Table(title=title, title_justify="left")
    for i, name in enumerate(head):
        table.add_column(name, justify="right" if i else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def _variant(queue: Mapping[str, Any]) -> str:
    return str(queue["settlement"]) + ("" if queue["carry"] else ", each alone")


def _usd(amount: float) -> str:
    return f"{amount:,.2f} USD"


def _share(part: int, whole: int) -> str:
    return f"{part:,}" + (f" ({part / whole:.1%})" if whole else "")
