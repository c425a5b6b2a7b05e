"""ape run crisis: a market of many accounts through a crash, beside a ranked queue."""

from pathlib import Path

import click
from ape.logging import LogLevel, logger

from oracle.crisis.path import recorded_days
from oracle.crisis.queue import Settlement
from scripts.crisis_parts.inputs import LEVERAGE, Choices
from scripts.crisis_parts.queues import VARIANTS, Variant
from scripts.crisis_parts.run import Options, run_crisis
from scripts.support.terminal import console, in_one_sentence

FILE = click.Path(path_type=Path)


@click.command()
@click.option(
    "--day",
    default="2020-03-12",
    show_default=True,
    help=f"Recorded crash: {', '.join(recorded_days())}.",
)
@click.option("--path", type=FILE, help="Csv of prices instead: ts,price, or bars.")
@click.option("--skip", type=click.IntRange(min=0), default=0, help="Prices left out at the start.")
@click.option("--prices", type=click.IntRange(min=2), help="Replay so many prices only.")
@click.option(
    "--market", default="BTC", show_default=True, help="Market of the accounts, and of --path."
)
@click.option("--accounts", "count", default=2_000, show_default=True, help="How many are drawn.")
@click.option("--seed", type=click.IntRange(min=0), default=1, help="Of the draw.")
@click.option(
    "--notional",
    nargs=2,
    type=float,
    default=(5_000.0, 1.5),
    metavar="MEDIAN SIGMA",
    help="Lognormal: median in USD, and standard deviation of the logarithm.",
)
@click.option(
    "--leverage",
    default=LEVERAGE,
    show_default=True,
    help="VALUE:WEIGHT,... or lognormal:MEDIAN:SIGMA:MOST.",
)
@click.option("--long-share", type=float, default=0.5, help="Share of the accounts that are long.")
@click.option(
    "--table",
    type=FILE,
    help="Csv of accounts instead: side,notional,leverage,entry_price,equity and perhaps market.",
)
@click.option(
    "--initial-margin",
    type=click.FloatRange(0.2, 100),
    help="In per cent; by default what all can meet.",
)
@click.option("--liquidators", is_flag=True, help="Liquidators take part; by default none does.")
@click.option(
    "--insurance",
    type=click.FloatRange(0, 1e9),
    help="USD in each market's insurance bucket; by default 0.05 % of its accounts' notional.",
)
@click.option(
    "--backstop",
    type=click.FloatRange(0, 1e9),
    help="USD in each market's ring of the backstop vault; by default 0.2 %; 0 for none.",
)
@click.option(
    "--queue",
    type=click.Choice([settlement.value for settlement in Settlement]),
    default=VARIANTS[0].settlement.value,
    show_default=True,
    help="What the queue of the comparison pays a winner.",
)
@click.option("--out", default=Path("build/crisis"), type=FILE, help="Folder of the report.")
@click.option("--port", default=0, help="Port of the chain; by default a free one.")
@in_one_sentence
def cli(
    day: str,
    path: Path | None,
    skip: int,
    prices: int | None,
    market: str,
    count: int,
    seed: int,
    notional: tuple[float, float],
    leverage: str,
    long_share: float,
    table: Path | None,
    initial_margin: float | None,
    liquidators: bool,
    insurance: float | None,
    backstop: float | None,
    queue: str,
    out: Path,
    port: int,
) -> None:
    """Drive many accounts through a crash on the real contracts, and rank winners beside it.

    Every account is opened by signed orders on a local chain of its own, marked at each price, and
    resolved there when it fails; a ranked queue lives through the same path in Python. Nothing runs
    unless every row of the files given is good.
    """
    logger.set_level(LogLevel.ERROR)
    choices = Choices(
        market, day, path, table, count, seed, skip, prices, notional, leverage, long_share
    )
    rate = None if initial_margin is None else round(initial_margin * 10_000)
    variant = Variant(Settlement(queue), carry=True)
    options = Options(liquidators, variant, rate, insurance, backstop, port)
    run_crisis(choices, options, out, console)
