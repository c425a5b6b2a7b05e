"""What came out: goals reached or not, overview of models, JSON and csv files."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

from oracle.backtest.cells import PUSHED, Row, Scored
from oracle.rule import Rule

SCHEMA = 1
LEVEL = 0.99
"""The level the goals are about."""
MODELS_TRIED = 120
"""Settings evaluated before the published rule was chosen (docs/backtest.md lists them)."""
COVERED, INDEPENDENT, STRETCH, CHEAPER, RISE = 0.95, 0.50, 0.80, 0.08, 2.5
SECONDS, MEGABYTES, UPDATE = 600.0, 2048.0, 2.0


@dataclass(frozen=True)
class Goal:
    """One number to reach. `reached` is None where this folder cannot tell."""

    name: str
    wanted: str
    measured: str
    reached: bool | None


@dataclass(frozen=True)
class Overview:
    """One model over all cells of one level.

    Attributes:
        cells: (market, side, horizon) it could be scored in.
        covered: share of them without too many breaches; red: Basel red zones.
        independent, conditional: share with p >= .05.
        rate: mean rate of breaches.
        saving: mean by which the average margin is below the static one of equal shortfall.
        better, worse: cells in which Diebold-Mariano finds it so against the champion at 5 %.
        rise_5d: largest.
    """

    model: str
    cells: int
    covered: float
    red: int
    independent: float
    conditional: float
    rate: float
    saving: float
    saving_without_worst: float
    better: int
    worse: int
    rise_5d: float


@dataclass(frozen=True)
class Cost:
    """What the run took: wall seconds, and resident megabytes of all processes at their peaks."""

    seconds: float
    megabytes: float


def rows_of(scored: Iterable[Scored], model: str, level: float = LEVEL) -> list[Row]:
    """All rows of one model at one level."""
    return [r for s in scored for r in s.rows if r.model == model and r.level == level]


def overview(scored: Sequence[Scored], level: float = LEVEL) -> list[Overview]:
    """Every model, the pushed rates first, the rest by saving."""
    names = dict.fromkeys(row.model for s in scored for row in s.rows)
    found = [_overview(name, rows_of(scored, name, level)) for name in names]
    return sorted(found, key=lambda o: (o.model != PUSHED, -o.saving))


def _overview(model: str, rows: Sequence[Row]) -> Overview:
    decided = [r for r in rows if r.dm is not None and r.dm_p is not None and r.dm_p < 0.05]
    better = sum(1 for r in decided if r.dm is not None and r.dm < 0.0)
    return Overview(
        model=model,
        cells=len(rows),
        covered=fmean(not r.too_many for r in rows),
        red=sum(r.zone == "red" for r in rows),
        independent=fmean(r.independence_p >= 0.05 for r in rows),
        conditional=fmean(r.conditional_p >= 0.05 for r in rows),
        rate=fmean(r.rate for r in rows),
        saving=fmean(r.saving for r in rows),
        saving_without_worst=fmean(r.saving_without_worst for r in rows),
        better=better,
        worse=len(decided) - better,
        rise_5d=max(r.rise_5d for r in rows),
    )


def goals(scored: Sequence[Scored], cost: Cost) -> list[Goal]:
    """The issue's numbers, measured on this folder."""
    rows = rows_of(scored, PUSHED)
    if not rows:
        return [Goal("cells to score", "at least one", "none", None)]
    covered = fmean(not r.too_many for r in rows)
    red = [f"{r.market} {r.hours} h {r.side}" for r in rows if r.zone == "red"]
    independent = fmean(r.independence_p >= 0.05 for r in rows)
    conditional = fmean(r.conditional_p >= 0.05 for r in rows)
    saving, without = fmean(r.saving for r in rows), fmean(r.saving_without_worst for r in rows)
    rise = max(r.rise_5d for r in rows)
    update = max(s.update_seconds for s in scored)
    return [
        Goal(
            "coverage: cells without too many breaches (Kupiec 95 %)",
            f"at least {COVERED:.0%} of cells",
            f"{covered:.1%} of {len(rows)}",
            covered >= COVERED,
        ),
        Goal(
            "coverage: cells in the Basel red zone",
            "none",
            ", ".join(red) if red else "none",
            not red,
        ),
        Goal(
            "breaches do not cluster: cells with Christoffersen's independence p ≥ .05",
            f"at least {INDEPENDENT:.0%} (stretch {STRETCH:.0%})",
            f"{independent:.1%}; {_by_hours(rows)}",
            independent >= INDEPENDENT,
        ),
        Goal(
            "breaches do not cluster, by conditional coverage (also refuses too few breaches)",
            f"at least {INDEPENDENT:.0%} (stretch {STRETCH:.0%})",
            f"{conditional:.1%}",
            conditional >= INDEPENDENT,
        ),
        Goal(
            "cost: mean margin below the best static table in hindsight, equal total shortfall",
            f"at least {CHEAPER:.0%}",
            f"{saving:.1%} on average over cells (median {median(r.saving for r in rows):.1%}, "
            f"least {min(r.saving for r in rows):.1%}, "
            f"{fmean(r.saving >= CHEAPER for r in rows):.0%} of cells reach it)",
            saving >= CHEAPER,
        ),
        Goal(
            "cost, without the single worst window of each cell",
            f"at least {CHEAPER:.0%}",
            f"{without:.1%}",
            without >= CHEAPER,
        ),
        Goal(
            "largest 5-day rise on held positions",
            f"at most {RISE:g} (stretch 2.0)",
            f"{rise:.2f}",
            rise <= RISE,
        ),
        *_frontier(scored),
        Goal(
            "speed: the whole backtest",
            f"at most {SECONDS:.0f} s on 2 cores",
            f"{cost.seconds:.0f} s",
            cost.seconds <= SECONDS,
        ),
        Goal(
            "speed: one market's daily update, all models",
            f"at most {UPDATE:g} s",
            f"{update:.2f} s for the slowest market",
            update <= UPDATE,
        ),
        Goal(
            "memory",
            f"at most {MEGABYTES:.0f} MB",
            f"{cost.megabytes:.0f} MB over all processes",
            cost.megabytes <= MEGABYTES,
        ),
    ]


def _by_hours(rows: Sequence[Row]) -> str:
    hours = sorted({r.hours for r in rows})
    shares = (fmean(r.independence_p >= 0.05 for r in rows if r.hours == h) for h in hours)
    return ", ".join(f"{h} h {share:.0%}" for h, share in zip(hours, shares, strict=True))


def _frontier(scored: Sequence[Scored]) -> list[Goal]:
    """The three together, on BTC by the day, either side, where the folder has BTC."""
    found = next((s.either for s in scored if s.either and s.name.startswith("BTC ")), None)
    if found is None:
        return []
    average, rise, p = found["average"], found["rise_5d"], found["conditional_p"]
    return [
        Goal(
            "the three together, BTC by the day, either side",
            "average ≤ 17.5 %, 5-day rise ≤ 2.3, Christoffersen p ≥ .05",
            f"average {average:.1%} (static of equal shortfall {found['static_equal']:.1%}), "
            f"rise {rise:.2f}, p {found['independence_p']:.2f} (independence) and {p:.2f} "
            f"(conditional), {found['breaches']} breaches in {found['windows']} days",
            average <= 0.175 and rise <= 2.3 and min(p, found["independence_p"]) >= 0.05,
        )
    ]


def as_json(scored: Sequence[Scored], rule: Rule, cost: Cost, source: str) -> dict[str, Any]:
    """Everything, as plain values; NaN and infinity become null."""
    report = {
        "schema": SCHEMA,
        "data": source,
        "models_tried": MODELS_TRIED,
        "rule": asdict(rule),
        "cost": asdict(cost),
        "goals": [asdict(goal) for goal in goals(scored, cost)],
        "models": {
            f"{level:g}": [asdict(each) for each in overview(scored, level)]
            for level in sorted({row.level for s in scored for row in s.rows})
        },
        "markets": [
            {
                "name": s.name,
                "bars": s.bars,
                "pushes": s.pushes,
                "saturated_pushes": s.saturated,
                "early_votes": s.early,
                "seconds": s.seconds,
                "daily_update_seconds": s.update_seconds,
                "either_side_by_the_day": s.either,
                "note": s.note,
            }
            for s in scored
        ],
        "cells": [row.as_dict() for s in scored for row in s.rows],
        "brackets": [each for s in scored for each in s.brackets],
        "years": [each for s in scored for each in s.years],
    }
    found: dict[str, Any] = plain(report)
    return found


def write(report: Mapping[str, Any], page: str, out: Path) -> list[Path]:
    """report.json, cells.csv, brackets.csv, years.csv and report.html in `out`."""
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    (out / "report.json").write_text(text, encoding="utf-8")
    (out / "report.html").write_text(page, encoding="utf-8")
    paths = [out / "report.html", out / "report.json"]
    for name in ("cells", "brackets", "years"):
        path = out / f"{name}.csv"
        _write_csv(report[name], path)
        paths.append(path)
    return paths


def _write_csv(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        if rows:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def plain(value: Any) -> Any:
    """The value with None in place of NaN and infinity, which JSON has not."""
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
