"""The command: read a folder, score every market, print tables, write the report."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from oracle.backtest import report
from oracle.backtest.cells import PUSHED, Job, Scored, process_name
from oracle.backtest.data import FROZEN, load_jobs
from oracle.backtest.options import (
    cores,
    data_option,
    jobs_option,
    make_folder,
    market_option,
    out_option,
    progress_bar,
)
from oracle.backtest.page import CELL_HEAD, MODEL_HEAD, cell_cells, model_cells, render
from oracle.backtest.run import ClusterError, score_all
from oracle.feeds.bars import FeedError
from oracle.feeds.scenario import DATA
from oracle.rule import Rule

OUT = Path("build/backtest")
WIDTH = 160


@click.command()
@data_option
@out_option(OUT)
@jobs_option
@click.option("--cluster", metavar="ADDRESS", help="Dask scheduler to run on (tcp://host:8786).")
@click.option("--fast", is_flag=True, help="Leave out what is slow to fit: GARCH and the EVT tail.")
@market_option
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="Score only windows from this UTC day on; what came before still teaches.",
)
@click.option(
    "--frozen",
    type=click.IntRange(min=2),
    default=FROZEN,
    show_default=True,
    help="Refuse so many equal bars in a row.",
)
def backtest(
    data: Path,
    out: Path,
    jobs: int,
    cluster: str | None,
    fast: bool,
    wanted: tuple[str, ...],
    since: datetime | None,
    frozen: int,
) -> None:
    """Score the margin rates as pushed on-chain, and every challenger, walk-forward.

    Writes report.html (for a person), report.json, cells.csv, brackets.csv and years.csv.
    """
    started = time.perf_counter()
    console = Console()
    try:
        todo = _read(data, fast, frozen, wanted)
        if since is not None:
            begin = int(since.replace(tzinfo=UTC).timestamp())
            todo = [replace(job, since=begin) for job in todo]
        make_folder(out)
        scored = _score(todo, cores(jobs), cluster)
    except (FeedError, ClusterError) as error:
        raise click.ClickException(str(error)) from None
    if not any(each.rows for each in scored):
        raise click.ClickException(_why_nothing(scored))
    source = "the recordings in the project" if data == DATA else data.resolve().name
    cost = report.Cost(time.perf_counter() - started, _megabytes(scored))
    found = report.as_json(scored, todo[0].rule, cost, source)
    paths = report.write(found, render(scored, cost, source), out)
    _show(console, scored, cost)
    for path in paths:
        click.echo(f"Wrote {path}")


def _read(data: Path, fast: bool, frozen: int, wanted: Sequence[str]) -> list[Job]:
    with progress_bar() as progress:
        task = progress.add_task("Reading", total=None)
        jobs = load_jobs(
            data,
            Rule(),
            fast=fast,
            frozen=frozen,
            progress=lambda path: progress.update(task, description=f"Reading {path.name}"),
        )
    chosen = [job for job in jobs if not wanted or job.symbol in {w.upper() for w in wanted}]
    if not chosen:
        raise FeedError(f"{data.name}: none of {', '.join(wanted)} is in the folder.")
    return chosen


def _score(jobs: Sequence[Job], cores: int, cluster: str | None) -> list[Scored]:
    with progress_bar() as progress:
        task = progress.add_task("Scoring", total=len(jobs))

        def done(scored: Scored) -> None:
            progress.update(task, advance=1, description=f"Scored {scored.name}")

        return score_all(jobs, cores, cluster, done)


def _why_nothing(scored: Sequence[Scored]) -> str:
    first = scored[0].note
    return first if len(scored) == 1 else f"none of {len(scored)} markets can be scored. {first}"


def _show(console: Console, scored: Sequence[Scored], cost: report.Cost) -> None:
    # A pipe has no width; tables cut to 80 columns would tell nothing.
    width = None if sys.stdout.isatty() else WIDTH
    console = Console(width=width) if width else console
    models = report.overview(scored)
    if models:
        _print(console, "Models, 99 %", MODEL_HEAD, [model_cells(each) for each in models])
        rows = report.rows_of(scored, PUSHED)
        head, cells = CELL_HEAD[:12], [cell_cells(r)[:12] for r in rows]
        _print(console, f"{PUSHED.capitalize()}, 99 %", head, cells)
    verdict = {True: "reached", False: "missed", None: "cannot tell"}
    lines = [
        (goal.name, goal.wanted, goal.measured, verdict[goal.reached])
        for goal in report.goals(scored, cost)
    ]
    _print(console, "Goals", ("goal", "wanted", "measured", ""), lines)
    for note in (each.note for each in scored if each.note):
        console.print(note, highlight=False)


def _print(
    console: Console, title: str, head: Sequence[str], rows: Sequence[Sequence[str]]
) -> None:
    table = Table(title=title, title_justify="left")
    for k, name in enumerate(head):
        table.add_column(name, justify="left" if k == 0 or title == "Goals" else "right")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _megabytes(scored: Sequence[Scored]) -> float:
    """Peak resident memory of this process and of each that worked for it."""
    peaks = {process_name(): resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0}
    for each in scored:
        peaks[each.process] = max(peaks.get(each.process, 0.0), each.megabytes)
    return sum(peaks.values())
