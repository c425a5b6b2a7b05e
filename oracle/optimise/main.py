"""The command: tune the overlay on a folder of markets and say what was found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from oracle.backtest.data import load_jobs
from oracle.backtest.options import (
    cores,
    data_option,
    jobs_option,
    make_folder,
    market_option,
    out_option,
    progress_bar,
)
from oracle.backtest.report import MODELS_TRIED, plain
from oracle.feeds.bars import FeedError
from oracle.optimise.objective import Prepared, Setting, prepare
from oracle.optimise.search import GENERATION
from oracle.optimise.walk import Fold, Plan, decision_times, walk
from oracle.rule import Rule

OUT = Path("build/optimise")
SCHEMA = 1


@click.command()
@data_option
@out_option(OUT)
@market_option
@click.option("--hours", type=click.Choice(["1", "4", "24"]), default="24", show_default=True)
@click.option("--folds", type=click.IntRange(min=1), default=Plan.folds, show_default=True)
@click.option(
    "--evaluations",
    type=click.IntRange(min=1 + GENERATION),
    default=Plan.evaluations,
    show_default=True,
    help="Settings tried in each fold, at most.",
)
@click.option("--seed", type=click.IntRange(min=1), default=1, show_default=True)
@jobs_option
def optimise(
    data: Path,
    out: Path,
    wanted: tuple[str, ...],
    hours: str,
    folds: int,
    evaluations: int,
    seed: int,
    jobs: int,
) -> None:
    """Tune the overlay (buffer, stress weight, floor, calm quantile) by walk-forward CMA-ES.

    A new setting is accepted only if it keeps every hard constraint (coverage, 5-day rise, 20 %
    trust region) and the block-bootstrap interval of its improvement on data the search has not
    seen excludes zero. Writes report.json.
    """
    plan = Plan(folds=folds, evaluations=evaluations, seed=seed)
    rule = Rule()
    processes = cores(jobs)
    try:
        markets = _prepare(data, wanted, int(hours), plan.level, rule)
        count = len(decision_times(markets, plan))
        make_folder(out)
        with progress_bar() as progress:
            # The incumbent and the candidate are evaluated besides, and the two that are followed,
            # which the last fold has not.
            task = progress.add_task("Evaluating", total=count * (evaluations + 4) - 2)
            found = walk(markets, rule, plan, processes, lambda n: progress.advance(task, n))
    except (FeedError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    report = as_json(found, markets, plan, rule, data.resolve().name, int(hours))
    path = out / "report.json"
    text = json.dumps(plain(report), indent=1, allow_nan=False) + "\n"
    path.write_text(text, encoding="utf-8")
    _show(found, plan)
    click.echo(f"Wrote {path}")


def as_json(
    folds: Sequence[Fold],
    markets: Sequence[Prepared],
    plan: Plan,
    rule: Rule,
    source: str,
    hours: int,
) -> dict[str, Any]:
    """The report as plain values."""
    tried = sum(fold.tried for fold in folds)
    return {
        "schema": SCHEMA,
        "data": source,
        "hours": hours,
        "markets": [market.name for market in markets],
        "plan": asdict(plan),
        "start": asdict(Setting.of(rule)),
        "folds": [{**fold.as_dict(), "in_force": asdict(fold.in_force)} for fold in folds],
        "proposed": asdict(folds[-1].in_force),
        "changed": folds[-1].in_force != Setting.of(rule),
        "models_tried": tried,
        "models_tried_before": MODELS_TRIED,
    }


def _prepare(
    data: Path, wanted: Sequence[str], hours: int, level: float, rule: Rule
) -> list[Prepared]:
    with progress_bar() as progress:
        task = progress.add_task("Reading", total=None)
        jobs = load_jobs(
            data, rule, progress=lambda p: progress.update(task, description=f"Reading {p.name}")
        )
        names = {name.upper() for name in wanted}
        chosen = [job for job in jobs if not names or job.symbol in names]
        if not chosen:
            raise FeedError(f"{data.name}: none of {', '.join(wanted)} is in the folder.")
        found = []
        progress.update(task, total=len(chosen))
        for job in chosen:
            progress.update(task, advance=1, description=f"Preparing {job.name}")
            found.append(prepare(job.name, job.bars, hours, level, rule))
    known = [each for each in found if each is not None]
    if not known:
        raise FeedError(f"{data.name}: no market has enough bars for a horizon of {hours} hours.")
    return known


def _show(folds: Sequence[Fold], plan: Plan) -> None:
    console = Console()
    for number, fold in enumerate(folds, start=1):
        old, new = fold.searched
        verdict = "accepted" if fold.accepted else "kept what was in force"
        told = "the search found nothing better"
        if fold.validated is not None:
            v = fold.validated
            told = (
                f"on {v.days} days not searched J falls by {v.mean:.4f} [{v.low:.4f}, {v.high:.4f}]"
            )
            if fold.broken:
                told += f", but hard constraints are broken by {fold.broken:.3f}"
        console.print(
            f"Fold {number}: {fold.tried} settings tried, {fold.allowed} allowed, J {old:.4f} -> "
            f"{new:.4f}; {told}: {verdict}.",
            highlight=False,
            soft_wrap=True,
        )
    tried = sum(fold.tried for fold in folds)
    console.print(
        f"{tried} settings tried, seed {plan.seed}. Proposed: {folds[-1].in_force}", soft_wrap=True
    )
