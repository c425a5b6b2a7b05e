"""The demo from beginning to end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from oracle.chain import ChainError, Client
from oracle.keeper import KeeperError
from oracle.signing import MessageError
from scripts.demo_parts import act_outcome, books, cast, console, outcome, page
from scripts.demo_parts.errors import DemoError
from scripts.demo_parts.plan import Plan, deployment_config, find_silence, make_plan
from scripts.demo_parts.replay import EARLY, Stage, play, play_staged, set_stage
from scripts.demo_parts.venue import Market, deploy_venue
from scripts.support.anvil import connected, running_anvil
from scripts.support.bars import Bars, progress
from scripts.support.compilation import refresh
from scripts.support.config import Config
from scripts.support.deployed import CONTRACTS
from scripts.support.deployment import step_count
from scripts.support.files import prepare_folder, write

DEPLOYED_BEFORE = 3_600  # [s] before the accounts are opened


@dataclass(frozen=True)
class Result:
    """What was written."""

    report: dict[str, Any]
    html: str


def run_demo(
    scenario: str,
    out: Path,
    *,
    port: int = 0,
    skip: int = 0,
    hours: int | None = None,
    terminal: Console | None = None,
) -> dict[str, Any]:
    """Replay a scenario and write its report; returns it.

    Args:
        skip, hours: replay a part only, counted from the beginning.
        terminal: where progress and summary go.

    Raises:
        ScriptError: anything that stops it, or something it must show and did not.
    """
    terminal = terminal or Console()
    prepare_folder(out)
    try:
        result = _run(make_plan(scenario, skip, hours), port, terminal)
    except (ChainError, KeeperError, MessageError) as error:
        raise DemoError(str(error)) from None
    write(out / "report.json", outcome.as_json(result.report))
    write(out / "report.html", result.html)
    terminal.print(console.summary(result.report))
    terminal.print(console.files(out), soft_wrap=True)
    outcome.check(result.report, whole=skip == 0 and hours is None)
    return result.report


# --- internals ----------------------------------------------------------------------------------


def _run(plan: Plan, port: int, terminal: Console) -> Result:
    began = time.monotonic()
    with progress(terminal) as screen:
        screen.begin("Compiling", None)
        refresh(CONTRACTS.values())
        config = deployment_config(plan)
        begin = plan.start - EARLY - DEPLOYED_BEFORE
        with running_anvil(begin, port) as client, connected(client):
            stage = _set_up(plan, config, client, screen)
            ready = time.monotonic()
            _replay(stage, screen)
            screen.begin("Counting", None)
            counted = books.close_books(stage.venue, stage.accounts)
            sent = stage.venue.node.counts.copy()
            replayed = time.monotonic()
            screen.begin("Act two", None)
            second = play_staged(stage)
            everybody = [*stage.accounts, *second.names]
            last = books.close_books(stage.venue, everybody)
    names = stage.names
    report = outcome.make_report(
        plan,
        stage.recorder,
        counted,
        sent,
        second=act_outcome.make_report(second, last),
        names=names,
        silence=stage.silence,
        turned_away=stage.crowd.turned_away,
        seconds={
            "setup": ready - began,
            "replay": replayed - ready,
            "act_two": time.monotonic() - replayed,
        },
    )
    return Result(report, page.render(report, stage.recorder, names))


def _set_up(plan: Plan, config: Config, client: Client, screen: Bars) -> Stage:
    screen.begin("Deploying", step_count(config))
    venue = deploy_venue(config, client, lambda step: screen.advance(step))
    screen.begin("Opening", None)
    people = cast.make_cast(plan.symbols)
    return set_stage(plan, config, venue, people, find_silence(plan, config))


def _replay(stage: Stage, screen: Bars) -> None:
    screen.begin("Replaying", len(stage.plan.steps))

    def show(step: int, now: int, views: Mapping[str, Market]) -> None:
        screen.advance(console.describe(now, views, len(stage.recorder.liquidations)))

    play(stage, show)
