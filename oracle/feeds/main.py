"""The feeds' command line: what exchanges say now, and whether recorded files can be used."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

from oracle.feeds.bars import FROZEN
from oracle.feeds.check import check_file
from oracle.feeds.errors import FeedError
from oracle.feeds.quotes import MIN_SOURCES, Quote, Refusal, consensus, usd


@click.group()
def main() -> None:
    """Market data: look at live exchanges, check recorded files."""


@main.command()
@click.argument("symbol")
@click.option(
    "--venues",
    default="binance,okx,bybit,kraken",
    show_default=True,
    help="Exchanges to ask, by the names here or ccxt's, comma-separated.",
)
@click.option("--min-sources", default=MIN_SOURCES, show_default=True, type=click.IntRange(3))
@click.option(
    "--max-spread",
    default=5_000,
    show_default=True,
    type=click.IntRange(1),
    help="Between the highest and the lowest quote counted, ppm of the median.",
)
@click.option("--max-age", default=60, show_default=True, type=click.IntRange(1), help="Seconds.")
@click.option(
    "--timeout", default=5.0, show_default=True, type=click.FloatRange(0.1), help="Seconds a venue."
)
@click.option(
    "--url",
    "urls",
    multiple=True,
    metavar="VENUE=URL",
    help="Ask this host instead of the exchange's own; repeatable.",
)
def show(
    symbol: str,
    venues: str,
    min_sources: int,
    max_spread: int,
    max_age: int,
    timeout: float,
    urls: tuple[str, ...],
) -> None:
    """Ask exchanges for the mark price of SYMBOL, such as BTC, and show what they agree on.

    Prints every quote, the sources that are refused and why, and the median. Exit code 1 if there
    is no price.
    """
    try:
        quotes, refused = _ask(symbol.upper(), venues.split(","), timeout, urls)
    except FeedError as error:
        raise click.ClickException(str(error)) from None
    now = int(time.time())
    try:
        price = consensus(
            quotes,
            min_sources=min_sources,
            max_spread=max_spread,
            now=now,
            max_age=max_age,
            refused=refused,
        )
    except FeedError as error:
        _print(quotes, refused, now)
        raise click.ClickException(str(error)) from None
    _print(quotes, price.refused, now)
    counted, apart = len(price.sources), price.spread
    click.echo(f"{price.symbol} {usd(price.price)} USD, median of {counted}, {apart} ppm apart.")


@main.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE..."
)
@click.option(
    "--frozen",
    default=FROZEN,
    show_default=True,
    type=click.IntRange(2),
    help="So many equal bars in a row are refused as a frozen feed.",
)
def check(files: Sequence[Path], frozen: int) -> None:
    """Check recorded FILEs (csv, csv.gz, parquet) and name the first bad row of each.

    What a file should hold follows from its header: bars, a panel, funding, open interest, option
    chains, depth or order books. Exit code 1 if a file is refused.
    """
    console = Console(stderr=True)
    bad = 0
    for path in track(files, "Checking", console=console, transient=True, disable=len(files) < 2):
        try:
            click.echo(f"{path}: {check_file(path, frozen, int(time.time()))}.")
        except FeedError as error:
            bad += 1
            click.echo(f"Error: {path.parent / str(error)}", err=True)
    if bad:
        raise click.exceptions.Exit(1)


def _ask(
    symbol: str, names: Sequence[str], timeout: float, urls: Sequence[str]
) -> tuple[list[Quote], list[Refusal]]:
    # Imported here: ccxt takes a second to load, which `--help` and `check` need not wait for.
    from oracle.feeds.venues import Venues, known_venue

    hosts = dict(_pair(url) for url in urls)
    venues = [
        replace(known_venue(name.strip()), timeout=timeout, url=hosts.get(name.strip()))
        for name in names
    ]
    with Venues(venues) as live:
        return live.quotes(symbol)


def _pair(text: str) -> tuple[str, str]:
    venue, sign, url = text.partition("=")
    if not sign or not url.startswith(("http://", "https://")):
        raise click.BadParameter(f"{text!r} is not VENUE=URL.", param_hint="--url")
    return venue, url


def _print(quotes: Sequence[Quote], refused: Sequence[Refusal], now: int) -> None:
    reasons = {refusal.source: refusal.reason for refusal in refused}
    table = Table("source", "price [USD]", "age [s]", "refused because")
    for quote in sorted(quotes, key=lambda q: q.source):
        reason = reasons.pop(quote.source, "")
        table.add_row(quote.source, usd(quote.price), str(now - quote.observed_at), reason)
    for source, reason in reasons.items():
        table.add_row(source, "", "", reason)
    Console().print(table)
