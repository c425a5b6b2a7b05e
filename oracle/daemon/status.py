"""What a person wants to know of a running keeper: the chain's view beside the journal's."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from oracle.daemon.alarms import DaemonError, Exit
from oracle.daemon.files import read_mapping
from oracle.daemon.journal import Journal
from oracle.daemon.service import Parts
from oracle.daemon.view import View

PERIODS = 250
WAD = 10**18


@dataclass(frozen=True)
class AssetStatus:
    """Of one asset. Rates, severity and depth in ppm, times in seconds.

    Attributes:
        covered, periods: of the last hours the keeper saw, those in which prices stayed within the
            maintenance rate of bracket 0 in force when the hour began, and how many it saw.
    """

    symbol: str
    asset: int
    price: str
    price_age: int
    last_push: int
    push_age: int
    severity: int
    severity_mm: int
    severity_im: int
    severity_asked: int | None
    depth: int
    depth_asked: int | None
    covered: int
    periods: int
    is_stale: bool


@dataclass(frozen=True)
class Status:
    """Of the whole keeper."""

    chain_id: int
    block: int
    quorum: int
    signers: list[str]
    last_signers: list[str]
    waiting: int
    latency_ms: float | None
    heartbeat_age: float | None
    paused: bool
    assets: list[AssetStatus]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def read_status(parts: Parts, journal: Journal | None, heartbeat: Path) -> Status:
    """From the chain, and from the journal where there is one."""
    view = parts.view()
    last_signers: list[str] = []
    latencies: list[float] = []
    waiting = 0
    if journal is not None:
        report = journal.last("report", ("signed",))
        last_signers = report[2].get("signers", []) if report else []
        latencies = journal.latencies()
        waiting = len([f for f in journal.flights(2**62) if f.block is None])
    return Status(
        chain_id=parts.deployment.chain_id,
        block=view.head.number,
        quorum=view.quorum,
        signers=list(view.signers),
        last_signers=[address.lower() for address in last_signers],
        waiting=waiting,
        latency_ms=median(latencies) if latencies else None,
        heartbeat_age=_age(heartbeat),
        paused=view.paused,
        assets=[_asset(parts, view, journal, asset) for asset in parts.assets],
    )


def _asset(parts: Parts, view: View, journal: Journal | None, asset: int) -> AssetStatus:
    line, price, loads = view.lines[asset], view.prices[asset], view.loads[asset]
    covered, periods = journal.coverage(asset, PERIODS) if journal else (0, 0)
    severity, depth = (journal.asked(asset) if journal else None) or (None, None)
    age = view.now - line.pushed
    return AssetStatus(
        symbol=parts.infos[asset].symbol,
        asset=asset,
        price=f"{price.price / WAD:.2f}",
        price_age=view.now - price.observed if price.observed else -1,
        last_push=line.pushed + view.head.time - view.now,
        push_age=age,
        severity=line.severity,
        severity_mm=loads[0],
        severity_im=loads[1],
        severity_asked=severity,
        depth=line.depth,
        depth_asked=depth,
        covered=covered,
        periods=periods,
        is_stale=age > view.max_age,
    )


def open_for_reading(path: Path, identity: str) -> Journal | None:
    """The journal of a keeper that may be running; None if there is none."""
    if not path.exists():
        return None
    try:
        return Journal(path, identity, read_only=True)
    except sqlite3.Error as error:
        raise DaemonError(f"The journal {path} cannot be read: {error}.", Exit.JOURNAL) from None


def render(status: Status) -> Group:
    """For a terminal; severity and depth in per cent."""
    title = f"Load lines on chain {status.chain_id}, block {status.block:,} (severity, depth in %)"
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    for name in ("asset", "price", "pushed", "age"):
        table.add_column(name, no_wrap=True)
    for name in ("sever.", "MM", "IM", "asked", "depth", "asked", "covered"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in status.assets:
        pushed = time.strftime("%m-%d %H:%M", time.gmtime(row.last_push))
        table.add_row(
            row.symbol,
            _short(row.price),
            pushed,
            _seconds(row.push_age),
            _share(row.severity),
            _share(row.severity_mm),
            _share(row.severity_im),
            _share(row.severity_asked),
            _share(row.depth),
            _share(row.depth_asked),
            f"{row.covered}/{row.periods}" if row.periods else "-",
            style="red" if row.is_stale else None,
        )
    return Group(table, *(Text(line) for line in _lines(status)))


def _lines(status: Status) -> list[str]:
    signed = set(status.last_signers)
    people = [f"  {a}{' signed the last report' if a in signed else ''}" for a in status.signers]
    beat = "never" if status.heartbeat_age is None else f"{status.heartbeat_age:.0f} s ago"
    latency = "-" if status.latency_ms is None else f"{status.latency_ms:.0f} ms"
    state = "PAUSED, " if status.paused else ""
    return [
        f"Signers, {status.quorum} of {len(status.signers)}:",
        *people,
        f"Covered: of the last {PERIODS} hours seen, those whose prices stayed within the"
        " maintenance rate.",
        f"{state}heartbeat {beat}, {status.waiting} transactions waiting, tick to submitted"
        f" {latency} (median).",
    ]


def _age(heartbeat: Path) -> float | None:
    if not heartbeat.exists():
        return None
    try:
        return time.time() - float(read_mapping(heartbeat)["at"])
    except (DaemonError, KeyError, TypeError, ValueError):
        return None


def _short(price: str) -> str:
    """Without cents where nobody misses them."""
    return price.partition(".")[0] if float(price) >= 1_000 else price


def _share(ppm: int | None) -> str:
    return "-" if ppm is None else f"{ppm / 10_000:.1f}"


def _seconds(age: int) -> str:
    if age < 0:
        return "-"
    return f"{age}s" if age < 600 else f"{age / 3_600:.1f}h"
