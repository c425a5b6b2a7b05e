"""Command line of the calibration: ``python -m oracle.calibrate`` and ``ape run calibrate``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from oracle.calibrate import LOOK_BACK_YEARS, as_json
from oracle.calibration.derive import Derived, Terms, derive_market, derive_token
from oracle.calibration.history import History, load_histories
from oracle.calibration.report import write
from oracle.feeds.errors import FeedError
from oracle.feeds.scenario import SPANS
from oracle.models.haircuts import PegRisk
from oracle.models.tails import RiskError
from oracle.risk import MIXTURE, TAIL, RuleName

OUT = Path("build/calibration")


def in_one_sentence(command: Callable[..., Any]) -> Callable[..., Any]:
    """Faults of the input as one line instead of a trace."""

    @functools.wraps(command)
    def wrapped(*args: Any, **options: Any) -> Any:
        try:
            return command(*args, **options)
        except (FeedError, RiskError) as error:
            raise click.ClickException(str(error)) from None

    return wrapped


@click.group()
def cli() -> None:
    """Calm and storm schedules from recorded history.

    markets makes tables of any folder of history, ready for `ape run govern propose`; scenarios
    recomputes those of the recorded replays.
    """


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--market", "chosen", multiple=True, metavar="SYMBOL", help="Only these markets.")
@click.option(
    "--token",
    "tokens",
    multiple=True,
    metavar="NAME=SYMBOL[:DISCOUNT:HOURS]",
    help="A collateral token worth SYMBOL; with a promise behind it, the worst discount on record "
    "(such as .08) and the hours until it can be redeemed.",
)
@click.option(
    "--wrong-way/--no-wrong-way",
    default=True,
    show_default=True,
    help="Raise a token's haircut by how much it falls when positions in the markets lose.",
)
@click.option("--until", metavar="DATE", help="Read nothing after this UTC day (2025-06-30).")
@click.option(
    "--rule",
    type=click.Choice([MIXTURE, TAIL]),
    default=MIXTURE,
    show_default=True,
    help="Of the markets' margins: mixture is backtested and what a live keeper runs, tail made "
    "the tables of the replays. Tokens have the tail rule.",
)
@click.option("--years", default=LOOK_BACK_YEARS, show_default=True, help="Look-back.")
@click.option(
    "--out", default=OUT, show_default=True, type=click.Path(path_type=Path), help="Where to write."
)
@in_one_sentence
def markets(
    folder: Path,
    chosen: tuple[str, ...],
    tokens: tuple[str, ...],
    wrong_way: bool,
    until: str | None,
    rule: RuleName,
    years: int,
    out: Path,
) -> None:
    """Calibrate every market of FOLDER, and the tokens named.

    FOLDER holds hourly bars as csv, csv.gz or parquet: mark_1h/SYMBOL.csv and perp_1h/SYMBOL.csv,
    or SYMBOL.csv with prices and volume; oracle/feeds/folder.py tells all forms. Writes
    report.json, report.md (why each number is what it is) and change.json, for: ape run govern
    propose --change build/calibration/change.json
    """
    named = [_token(option) for option in tokens]
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console
    ) as progress:
        task = progress.add_task("Reading", total=None)
        wanted = sorted({*chosen, *(symbol for _, symbol, _ in named)}) if chosen else []
        histories = load_histories(
            folder, wanted, lambda path: progress.update(task, description=f"Reading {path.name}")
        )
        wanted = list(chosen) or list(histories)
        progress.update(task, total=len(wanted) + len(named))
        terms = Terms(until=_end(until, histories), years=years, rule=rule)
        derived: list[Derived] = []
        for symbol in wanted:
            progress.update(task, description=f"Calibrating {symbol}")
            derived.append(derive_market(histories[symbol], terms))
            progress.advance(task)
        for name, symbol, peg in named:
            progress.update(task, description=f"Calibrating {name}")
            others = [histories[each] for each in wanted] if wrong_way else []
            if symbol not in histories:
                raise FeedError(f"{folder.name}: {symbol}, which {name} is worth, is not in it.")
            derived.append(derive_token(name, histories[symbol], terms, others, peg))
            progress.advance(task)
    for path in write(out, derived, terms):
        click.echo(f"Wrote {path}")
    click.echo(f"Next: ape run govern propose --change {out / 'change.json'}")


@cli.command()
def scenarios() -> None:
    """Print the schedules of the recorded replays, as oracle/data/calibration.json keeps them."""
    click.echo(as_json(list(SPANS)), nl=False)


def _end(day: str | None, histories: dict[str, History]) -> int:
    """Unix seconds of the end of `day`, or of the last hour that every market has."""
    if day is None:
        return min(int(h.mark.ts[-1]) + h.mark.period for h in histories.values())
    try:
        start = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise click.BadParameter(f"{day!r} is no day like 2025-06-30.") from None
    return int(start.timestamp()) + 86_400


def _token(option: str) -> tuple[str, str, PegRisk | None]:
    name, _, rest = option.partition("=")
    symbol, *promise = rest.split(":")
    try:
        if not name or not symbol or len(promise) not in (0, 2):
            raise ValueError
        peg = PegRisk(float(promise[0]), float(promise[1])) if promise else None
        if peg is not None:
            peg.addon(0.0)
    except ValueError:
        raise click.BadParameter(
            f"{option!r} is not of the form WETH=ETH or STETH=ETH:.08:72."
        ) from None
    return name, symbol, peg
