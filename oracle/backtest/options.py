"""What the commands that read a folder of markets have alike: options, a bar, where they write."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from oracle.feeds.scenario import DATA

data_option = click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=DATA,
    show_default="the subset in the project",
    help="Folder of csv, csv.gz or parquet files, or of folders of them (mark_1h/BTC.csv.gz, "
    "perp_4h_panel/close.csv.gz): any coins, any start, bars of an hour to a day.",
)
market_option = click.option(
    "--market", "wanted", multiple=True, metavar="SYMBOL", help="Only this coin; may be repeated."
)
jobs_option = click.option(
    "--jobs", type=int, default=-1, show_default=True, help="Processes; -1: all cores."
)


def out_option(default: Path) -> Callable[[Any], Any]:
    """Where the report goes."""
    return click.option(
        "--out",
        type=click.Path(file_okay=False, path_type=Path),
        default=default,
        show_default=True,
        help="Where to write.",
    )


def make_folder(out: Path) -> None:
    """Before minutes of work, not after them.

    Raises:
        click.ClickException: it cannot be made, or nothing can be written to it.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise click.ClickException(f"{out}: cannot be written to ({error.strerror}).") from None


def cores(jobs: int) -> int:
    """Processes to use.

    Raises:
        click.BadParameter: 0, or below -1.
    """
    if jobs == 0 or jobs < -1:
        raise click.BadParameter(f"{jobs} is no number of processes.", param_hint="--jobs")
    return (os.cpu_count() or 1) if jobs == -1 else jobs


def progress_bar() -> Progress:
    """On the error stream: what is printed can be piped."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
