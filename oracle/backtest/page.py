"""report.html: the summary, then the pictures, then the tables. One file, nothing fetched."""

from __future__ import annotations

import base64
import io
from collections import defaultdict
from collections.abc import Sequence
from html import escape
from typing import Any

import matplotlib
import numpy as np

from oracle.backtest.cells import HOURS, PICTURED, PUSHED, Picture, Row, Scored
from oracle.backtest.challengers import CHAMPION, HINDSIGHT, YEARLY
from oracle.backtest.report import (
    LEVEL,
    MODELS_TRIED,
    Cost,
    Goal,
    Overview,
    goals,
    overview,
    rows_of,
)

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

LOSS, MARGIN, BREACH, CALM = "#7c8aa5", "#1d4e89", "#c1121f", "#b8b08d"
COLOURS = {PUSHED: MARGIN, CHAMPION: CALM, YEARLY: "#8c6d31"}
MOST_PATHS = 6
STYLE = """
body{font:16px/1.5 system-ui,sans-serif;color:#1c2430;background:#fff;margin:0}
main{max-width:1200px;margin:0 auto;padding:24px}
h1{font-size:1.7em;margin:.2em 0}h2{margin-top:2em;border-bottom:1px solid #d8dde6}
table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:3px 8px;border-bottom:1px solid #e8ebf0}
th{background:#f4f6f9;position:sticky;top:0}td:first-child,th:first-child{text-align:left}
.goals td{text-align:left;vertical-align:top}.goals th{text-align:left}
.yes{color:#1b7a3d;font-weight:600}.no{color:#c1121f;font-weight:600}
img{width:100%;height:auto}figcaption{color:#55607a;font-size:14px}figure{margin:1.2em 0}
.wide{overflow-x:auto}.wide td{white-space:nowrap}.red td{background:#fdecec}
"""


def render(scored: Sequence[Scored], cost: Cost, source: str) -> str:
    """The whole page."""
    reached = goals(scored, cost)
    models = overview(scored)
    parts = [
        f"<h1>Backtest of the margin rates: {escape(source)}</h1>",
        _summary(scored, reached),
        _goal_table(reached),
    ]
    if models:
        parts += [
            "<h2>Pictures</h2>",
            _figure(
                _years_picture(scored),
                "Breaches of the 99 % margin by calendar year, all markets and both sides "
                "together. A margin that is right lies on the line; above it people were "
                "covered less than promised.",
            ),
            _figure(
                _cost_picture(models),
                "Average margin against the static rate of the same total shortfall. Bars to the "
                "left are dearer than never changing the rate at all.",
            ),
            _figure(
                _rise_picture(scored, models),
                "Procyclicality: the largest rise of the rate within 1, 5 and 30 days. 1 never "
                "moves; the goal for 5 days is 2.5.",
            ),
            *_paths(scored),
            "<h2>Models at 99 %</h2>",
            _model_table(models),
            "<h2>Rates as pushed, every cell at 99 %</h2>",
            _cell_table(rows_of(scored, PUSHED)),
            "<h2>Larger positions under one severity</h2>",
            "<p>Severity is solved for the smallest position. A larger one takes longer to close; "
            "its brackets must cover the longer horizon.</p>",
            _bracket_table(scored),
        ]
    parts.append("<h2>Markets</h2>" + _market_table(scored))
    body = "".join(parts)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Backtest of the margin rates</title><style>{STYLE}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


# --- summary ------------------------------------------------------------------------------------


def _summary(scored: Sequence[Scored], reached: Sequence[Goal]) -> str:
    counted = [goal for goal in reached if goal.reached is not None]
    missed = [goal.name for goal in counted if not goal.reached]
    rows = rows_of(scored, PUSHED)
    bars = sum(s.bars for s in scored)
    verdict = f"{len(counted) - len(missed)} of {len(counted)} goals reached."
    if missed:
        verdict += " Not reached: " + "; ".join(missed) + "."
    return (
        f"<p><strong>{escape(verdict)}</strong></p>"
        f"<p>{len(scored)} markets, {bars:,} bars, {len(rows)} cells (market, side, horizon) at "
        "99 %. Every margin was computed from what was known before its window opened; the rates "
        "are those the chain would have held, after the steward's steps, the one-hour clock and "
        "the voted calm and storm rates. A loss is the worst moment of its window, not its "
        f"end. {MODELS_TRIED} settings were tried before this one was chosen.</p>"
    )


def _goal_table(reached: Sequence[Goal]) -> str:
    rows = []
    for goal in reached:
        mark = {True: '<span class="yes">reached</span>', False: '<span class="no">missed</span>'}
        verdict = mark.get(goal.reached, "") if goal.reached is not None else "cannot tell"
        cells = (escape(goal.name), escape(goal.wanted), escape(goal.measured), verdict)
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    head = "<tr><th>goal</th><th>wanted</th><th>measured</th><th></th></tr>"
    return f'<table class="goals">{head}{"".join(rows)}</table>'


# --- pictures -----------------------------------------------------------------------------------


def _figure(figure: Figure, caption: str) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight")
    plt.close(figure)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return (
        f'<figure><img alt="{escape(caption)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _years_picture(scored: Sequence[Scored]) -> Figure:
    hours = sorted({y["hours"] for s in scored for y in s.years})
    figure, axes = plt.subplots(1, len(hours), figsize=(11, 3.2), sharey=True, squeeze=False)
    for axis, horizon in zip(axes[0], hours, strict=True):
        for k, model in enumerate(PICTURED):
            counts: dict[int, list[int]] = defaultdict(lambda: [0, 0])
            for year in (y for s in scored for y in s.years):
                if (year["hours"], year["level"], year["model"]) == (horizon, LEVEL, model):
                    counts[year["year"]][0] += year["breaches"]
                    counts[year["year"]][1] += year["windows"]
            years = sorted(counts)
            rates = [100.0 * counts[y][0] / counts[y][1] for y in years]
            places = np.arange(len(years)) + 0.27 * (k - 1)
            axis.bar(places, rates, 0.25, color=COLOURS[model], label=model)
            axis.set_xticks(np.arange(len(years)), [str(y) for y in years], fontsize=8)
        axis.axhline(100.0 * (1.0 - LEVEL), color=BREACH, linewidth=1)
        axis.set_title(f"{horizon} h", fontsize=10)
    axes[0][0].set_ylabel("breaches, % of windows")
    axes[0][-1].legend(fontsize=8, frameon=False)
    return figure


def _cost_picture(models: Sequence[Overview]) -> Figure:
    shown = [m for m in models if m.model != HINDSIGHT and m.saving > -1.0][::-1]
    figure, axis = plt.subplots(figsize=(11, 0.32 * len(shown) + 1))
    colours = [MARGIN if m.model == PUSHED else CALM for m in shown]
    axis.barh([m.model for m in shown], [100.0 * m.saving for m in shown], color=colours)
    axis.axvline(0.0, color="#1c2430", linewidth=1)
    axis.axvline(8.0, color=BREACH, linewidth=1, linestyle="--")
    axis.set_xlabel("% below the static rate of equal shortfall, mean over cells (dashed: goal)")
    return figure


def _rise_picture(scored: Sequence[Scored], models: Sequence[Overview]) -> Figure:
    shown = [m.model for m in models if m.model != HINDSIGHT]
    figure, axis = plt.subplots(figsize=(11, 3.4))
    for k, days in enumerate((1, 5, 30)):
        values = []
        for model in shown:
            rows = rows_of(scored, model)
            values.append(float(np.median([getattr(r, f"rise_{days}d") for r in rows])))
        places = np.arange(len(shown)) + 0.27 * (k - 1)
        axis.bar(
            places,
            values,
            0.25,
            label="1 day" if days == 1 else f"{days} days",
            color=(CALM, MARGIN, LOSS)[k],
        )
    axis.set_xticks(np.arange(len(shown)), shown, rotation=40, ha="right", fontsize=8)
    axis.axhline(2.5, color=BREACH, linewidth=1, linestyle="--")
    axis.set_yscale("log")
    axis.set_ylabel("largest rise, median of cells")
    axis.legend(fontsize=8, frameon=False)
    return figure


def _paths(scored: Sequence[Scored]) -> list[str]:
    found = []
    longest = sorted((s for s in scored if s.pictures), key=lambda s: -s.bars)
    for each in longest[:MOST_PATHS]:
        hours = max(each.pictures)
        found.append(
            _figure(
                _path_picture(each.pictures[hours]),
                f"{each.name}, {hours} h: the worst moment of each window, longs up and shorts "
                "down, the 99 % margin as pushed, and its breaches.",
            )
        )
    return found


def _path_picture(picture: Picture) -> Figure:
    figure, axis = plt.subplots(figsize=(11, 3.4))
    times = picture.ts.astype("datetime64[s]")
    for row, sign in zip(picture.losses, (1.0, -1.0), strict=True):
        axis.vlines(times, 0.0, 100.0 * sign * row, color=LOSS, linewidth=0.5)
        beyond = row > picture.margin
        axis.plot(times[beyond], 100.0 * sign * row[beyond], "o", color=BREACH, markersize=3.5)
        # A hole in the recording is a hole in the line.
        margin = np.where(np.diff(picture.ts, prepend=picture.ts[0]) > 30 * 86_400, np.nan, 1.0)
        axis.plot(times, 100.0 * sign * picture.margin * margin, color=MARGIN, linewidth=1)
    axis.axhline(0.0, color="#1c2430", linewidth=0.6)
    axis.set_ylabel("% of notional")
    return figure


# --- tables -------------------------------------------------------------------------------------


def _table(head: Sequence[str], rows: Sequence[tuple[Sequence[str], str]]) -> str:
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(
        f'<tr class="{css}">' + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
        for cells, css in rows
    )
    return f'<div class="wide"><table><tr>{top}</tr>{body}</table></div>'


MODEL_HEAD = (
    "model",
    "cells",
    "not too many",
    "red",
    "independent",
    "conditional",
    "breaches",
    "cheaper than static",
    "without worst",
    "DM better / worse",
    "5-day rise",
)


def model_cells(each: Overview) -> tuple[str, ...]:
    """One line of the table of models."""
    return (
        each.model,
        str(each.cells),
        f"{each.covered:.0%}",
        str(each.red),
        f"{each.independent:.0%}",
        f"{each.conditional:.0%}",
        f"{each.rate:.2%}",
        f"{each.saving:z.1%}",
        f"{each.saving_without_worst:z.1%}",
        f"{each.better} / {each.worse}",
        f"{each.rise_5d:.1f}",
    )


def _model_table(models: Sequence[Overview]) -> str:
    return _table(MODEL_HEAD, [(model_cells(m), "") for m in models])


CELL_HEAD = (
    "cell",
    "windows",
    "breaches",
    "most",
    "Kupiec p",
    "indep. p",
    "cond. p",
    "zone",
    "Z2 (critical)",
    "average",
    "cheaper",
    "without worst",
    "rise 1/5/30 d",
    "worst",
    "every bar",
)


def cell_cells(r: Row) -> tuple[str, ...]:
    """One line of the table of cells."""
    z2 = "" if r.z2 is None or r.z2_critical is None else f"{r.z2:.2f} ({r.z2_critical:.2f})"
    return (
        f"{r.market} {r.hours} h {r.side}",
        f"{r.windows:,}",
        str(r.breaches),
        str(r.most),
        f"{r.kupiec_p:.3f}",
        f"{r.independence_p:.3f}",
        f"{r.conditional_p:.3f}",
        r.zone,
        z2,
        f"{r.average:.2%}",
        f"{r.saving:z.1%}",
        f"{r.saving_without_worst:z.1%}",
        f"{r.rise_1d:.1f} / {r.rise_5d:.1f} / {r.rise_30d:.1f}",
        f"{r.worst:.1%}",
        f"{r.rate_every_bar:.2%}",
    )


def _cell_table(rows: Sequence[Row]) -> str:
    ordered = sorted(rows, key=lambda r: (r.market, HOURS.index(r.hours), r.side))
    bad = ["red" if r.too_many or r.zone == "red" else "" for r in ordered]
    return _table(CELL_HEAD, [(cell_cells(r), css) for r, css in zip(ordered, bad, strict=True)])


def _bracket_table(scored: Sequence[Scored]) -> str:
    head = ("market, side", "size", "closes in", "windows", "breaches", "most", "zone", "average")
    rows: list[tuple[Sequence[str], str]] = []
    for b in (b for s in scored for b in s.brackets if b["level"] == LEVEL):
        rows.append((_bracket_cells(b), "red" if b["too_many"] else ""))
    return _table(head, rows)


def _bracket_cells(b: dict[str, Any]) -> tuple[str, ...]:
    return (
        f"{b['market']} {b['side']}",
        f"{b['size']:g}",
        f"{b['hours']} h",
        f"{b['windows']:,}",
        str(b["breaches"]),
        str(b["most"]),
        b["zone"],
        f"{b['average']:.2%}",
    )


def _market_table(scored: Sequence[Scored]) -> str:
    head = ("market", "bars", "pushes", "beyond storm", "seconds", "update, s", "note")
    rows: list[tuple[Sequence[str], str]] = []
    for s in scored:
        beyond = f"{s.saturated / s.pushes:.2%}" if s.pushes else ""
        cells = (s.name, f"{s.bars:,}", f"{s.pushes:,}", beyond)
        rows.append(((*cells, f"{s.seconds:.0f}", f"{s.update_seconds:.2f}", s.note), ""))
    return _table(head, rows)
