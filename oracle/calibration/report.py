"""What a calibration says: JSON for machines, Markdown for voters, a change for governance."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from oracle.calibration.derive import Derived, Terms, summary
from oracle.policy import Reason

SCHEMA = "plimsoll.calibration.v1"


def as_report(derived: Sequence[Derived], terms: Terms) -> dict[str, Any]:
    """Everything, as plain values."""
    return {
        "schema": SCHEMA,
        "terms": summary(terms),
        "assets": [each.as_dict() for each in derived],
    }


def as_change(derived: Sequence[Derived], terms: Terms) -> dict[str, Any]:
    """A change file: ``ape run govern propose --change change.json``."""
    tree: dict[str, Any] = {"description": f"Tier schedules calibrated {_day(terms.until)}"}
    for each in derived:
        plural = tree.setdefault(f"{each.kind}s", {})
        plural[each.symbol] = {"brackets": each.brackets}
    return tree


def as_markdown(derived: Sequence[Derived], terms: Terms) -> str:
    """Tables, and under each the reason of every number."""
    lines = [
        f"# Calibration {_day(terms.until)}",
        "",
        f"From bars complete at {_moment(terms.until)}, {terms.years} years back. Rates in ppm, "
        "bounds in USD.",
        "",
    ]
    for each in derived:
        lines += _section(each, terms)
    return "\n".join(lines) + "\n"


def write(folder: Path, derived: Sequence[Derived], terms: Terms) -> list[Path]:
    """report.json, report.md and change.json; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "report.json": json.dumps(as_report(derived, terms), indent=1) + "\n",
        "report.md": as_markdown(derived, terms),
        "change.json": json.dumps(as_change(derived, terms), indent=1) + "\n",
    }
    paths = []
    for name, text in texts.items():
        path = folder / name
        path.write_text(text)
        paths.append(path)
    return paths


def _section(each: Derived, terms: Terms) -> list[str]:
    kept = each.calibration
    kind = "margin rates" if each.kind == "market" else f"haircuts, from prices of {each.source}"
    lines = [
        f"## {each.symbol}: {kind}, rule {each.rule}",
        "",
        f"{each.estimates:,} estimates, {_moment(kept.first)} to {_moment(kept.last)}; stressed "
        f"volume {kept.volume_per_hour:,.0f} USD an hour; reference liquidity "
        f"{kept.liquidity:,.0f} USD per unit of log range.",
        "",
        *(f"- {note}" for note in each.notes),
        "",
        "| bound | IM calm | IM storm | MM calm | MM storm |",
        "|---:|---:|---:|---:|---:|",
    ]
    lines += ["| " + " | ".join(f"{value:,}" for value in row) + " |" for row in each.brackets]
    lines += ["", "Why:", ""]
    lines += [f"- {_why(k, reason, terms)}" for k, reason in enumerate(each.reasons)]
    return [*lines, ""]


def _why(k: int, reason: Reason, terms: Terms) -> str:
    share = terms.costs.participation
    storm = f"{reason.storm:.2%}, the most of history, at {_moment(reason.storm_at)}"
    storm += ", doubled" if reason.doubled else ", not doubled"
    storm += ", held at the most the chain allows" if reason.capped else ""
    return (
        f"Bracket {k}, {reason.bound:,} USD: closing it at {share:.0%} of stressed volume takes "
        f"{reason.hours:.2f} h. Calm MM is the {reason.calm_quantile:.0%} quantile of its marginal "
        f"rate, {reason.calm:.2%}; storm MM {storm}. IM: calm {reason.calm_rule}, storm "
        f"{reason.storm_rule} (call buffers {reason.calm_call:.2%} and {reason.storm_call:.2%})."
    )


def _moment(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M")


def _day(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d")
