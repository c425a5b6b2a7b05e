"""ape run demo: a recorded crash, through the real contracts, on a local chain of its own."""

from pathlib import Path

import click
from ape.logging import LogLevel, logger

from oracle.feeds.scenario import SPANS
from scripts.demo_parts.errors import DemoError
from scripts.demo_parts.run import run_demo

OUT = Path("build/demo")


@click.command()
@click.option("--scenario", default="2020-03-12", help=f"One of {', '.join(SPANS)}.")
@click.option("--out", default=OUT, type=click.Path(path_type=Path), help="Folder of the report.")
@click.option("--port", default=0, help="Port of the chain; by default a free one.")
@click.option("--skip", type=click.IntRange(min=0), default=0, help="Hours left out at the start.")
@click.option("--hours", type=click.IntRange(min=1), help="Replay so many hours only.")
def cli(scenario: str, out: Path, port: int, skip: int, hours: int | None) -> None:
    """Replay a recorded crash: margins tighten, accounts are liquidated, the books close."""
    logger.set_level(LogLevel.ERROR)
    try:
        run_demo(scenario, out, port=port, skip=skip, hours=hours)
    except DemoError as error:
        raise click.ClickException(str(error)) from None
