"""ape run demo: a recorded crash, through the real contracts, on a local chain of its own."""

from pathlib import Path

import click
from ape.logging import LogLevel, logger

from oracle.feeds.scenario import SPANS
from scripts.demo_parts.run import run_demo
from scripts.support.terminal import console, in_one_sentence

OUT = Path("build/demo")


@click.command()
@click.option("--scenario", default="2020-03-12", help=f"One of {', '.join(SPANS)}.")
@click.option("--out", default=OUT, type=click.Path(path_type=Path), help="Folder of the report.")
@click.option("--port", default=0, help="Port of the chain; by default a free one.")
@click.option("--skip", type=click.IntRange(min=0), default=0, help="Hours left out at the start.")
@click.option("--hours", type=click.IntRange(min=1), help="Replay so many hours only.")
@in_one_sentence
def cli(scenario: str, out: Path, port: int, skip: int, hours: int | None) -> None:
    """Replay a recorded crash: margins tighten, accounts are liquidated, the books close."""
    logger.set_level(LogLevel.ERROR)
    run_demo(scenario, out, port=port, skip=skip, hours=hours, terminal=console)
