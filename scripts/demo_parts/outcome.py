"""What the replay showed: as the JSON of docs/demo.md, and whether it is what the demo promises."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from scripts.demo_parts import act_outcome
from scripts.demo_parts.books import Books
from scripts.demo_parts.cast import SEED
from scripts.demo_parts.closing import closing_problems, closing_report, moment, usd
from scripts.demo_parts.errors import DemoError
from scripts.demo_parts.incident import Silence
from scripts.demo_parts.node import Counts
from scripts.demo_parts.plan import HOURLY, STEP, Plan
from scripts.demo_parts.recorder import STATES, Liquidation, MarketPath, Recorder

SCHEMA: Final = 2
WAD: Final = 10**18
LEAST_TAKES: Final = 10
STEPS: Final = {0: "collateral", 1: "partial", 2: "vault", 3: "opposite_side"}
AMOUNTS: Final = {
    0: ("notional", "payment", "discount"),
    1: ("notional", "discount", "fee"),
    2: ("notional", "payment", "loss", "deficit", "insured", "charged"),
    3: ("notional", "loss", "deficit", "insured", "charged"),
}
FUNDING: Final = ("returned", "reward", "deficit", "insured", "charged", "socialised")


def make_report(
    plan: Plan,
    recorder: Recorder,
    books: Books,
    counts: Counts,
    *,
    second: dict[str, Any],
    names: Mapping[int, str],
    silence: Silence | None,
    turned_away: int,
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    """Everything, JSON-able.

    Args:
        counts: of the first act.
        second: the second act's report.
        names: of all accounts of the first act.
        seconds: set-up, replay and second act.
    """
    return {
        "schema": SCHEMA,
        "scenario": plan.name,
        "from": moment(recorder.times[0]),
        "to": moment(recorder.times[-1]),
        "step_seconds": STEP,
        "seed": SEED,
        "seconds": round(seconds["replay"], 1),
        "setup_seconds": round(seconds["setup"], 1),
        "act_two_seconds": round(seconds["act_two"], 1),
        "accounts": len(names),
        "markets": [
            _market(asset, symbol, recorder.paths[symbol])
            for asset, symbol in enumerate(plan.symbols)
        ],
        "incident": _incident(plan, silence),
        "transactions": counts.sent.total(),
        "transactions_by_kind": dict(counts.sent.most_common()),
        "gas_by_kind": {kind: round(counts.gas[kind] / counts.sent[kind]) for kind in counts.sent},
        "failed": dict(counts.failed.most_common()),
        "refused": dict(counts.refused.most_common()),
        "turned_away": turned_away,
        "reports": recorder.reports,
        "pushes": recorder.pushes,
        "held_jumps": recorder.held_jumps,
        "margin_calls": recorder.margin_calls,
        "liquidations": [_liquidation(each, names) for each in recorder.liquidations],
        "resolutions": [
            {
                "time": moment(each.time),
                "account": names[each.account],
                "step": each.step,
                **{what: usd(getattr(each, what)) for what in FUNDING},
            }
            for each in recorder.resolutions
        ],
        "waterfall": _waterfall(recorder),
        "severity_path": {
            symbol: _severity_path(recorder.times, path) for symbol, path in recorder.paths.items()
        },
        "states": {
            "names": list(STATES),
            "most": {name: max(row[i] for row in recorder.states) for i, name in enumerate(STATES)},
        },
        **closing_report(books),
        "second_act": second,
    }


def problems(report: Mapping[str, Any], *, whole: bool = True) -> list[str]:
    """What the demo promised and did not show, one clause each.

    Args:
        whole: the replay had its full length; of a part only the books and the second act are
            asked for, whose size follows from the fees of the first.
    """
    found = closing_problems(report)
    found += act_outcome.problems(report["second_act"], whole=whole)
    if not whole:
        return found
    if all(m["severity"]["lowest"] == m["severity"]["highest"] for m in report["markets"]):
        found.append("severity did not move")
    takes = report["waterfall"]["partial"]["count"]
    if takes < LEAST_TAKES:
        found.append(f"there were {takes} partial take-overs instead of at least {LEAST_TAKES}")
    if Decimal(report["waterfall"]["funding"]["deficit"]) == 0:
        found.append("no account had a deficit")
    return found


def check(report: Mapping[str, Any], *, whole: bool = True) -> None:
    """Raise DemoError with all of `problems`."""
    found = problems(report, whole=whole)
    if found:
        raise DemoError("The demo did not show what it must: " + "; ".join(found) + ".")


def as_json(report: Mapping[str, Any]) -> str:
    """For the file."""
    return json.dumps(report, indent=1) + "\n"


# --- internals ----------------------------------------------------------------------------------


def _market(asset: int, symbol: str, path: MarketPath) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "asset": asset,
        "price": {
            "first": usd(path.price[0]),
            "lowest": usd(min(path.price)),
            "highest": usd(max(path.price)),
            "last": usd(path.price[-1]),
        },
        "severity": {
            "first": path.severity[0],
            "lowest": min(path.severity),
            "highest": max(path.severity),
            "last": path.severity[-1],
        },
        "maintenance_ppm": {"lowest": min(path.mm), "highest": max(path.mm)},
        "initial_ppm": {"lowest": min(path.im), "highest": max(path.im)},
    }


def _incident(plan: Plan, silence: Silence | None) -> dict[str, Any] | None:
    if silence is None:
        return None
    last_known, next_known = plan.steps[silence.first][0], plan.steps[silence.until][0]
    return {
        "what": "no price report reaches the chain",
        "from": moment(last_known),
        "to": moment(next_known),
        "minutes": (next_known - last_known) // 60,
        "market": silence.symbol,
        "fall_below_lowest": round(silence.fall, 4),
        "maintenance_rate": round(silence.margin, 4),
    }


def _liquidation(each: Liquidation, names: Mapping[int, str]) -> dict[str, Any]:
    return {
        "time": moment(each.time),
        "account": names[each.account],
        "account_id": hex(each.account),
        "market": each.market,
        "step": each.step,
        "size": usd(each.size),
        "price": usd(each.price),
        "mark": usd(each.mark),
        "amounts": {name: usd(amount) for name, amount in each.amounts.items()},
    }


def _waterfall(recorder: Recorder) -> dict[str, Any]:
    totals: dict[str, Any] = {}
    for step, name in STEPS.items():
        rows = recorder.of_step(step)
        totals[name] = {"step": step, "count": len(rows)}
        for amount in AMOUNTS[step]:
            totals[name][amount] = usd(sum(row.amounts[amount] for row in rows))
    for step in (2, 3):
        totals[STEPS[step]]["accounts"] = sum(e.step == step for e in recorder.resolutions)
    totals["funding"] = {"accounts": len(recorder.resolutions)} | {
        what: usd(sum(getattr(each, what) for each in recorder.resolutions)) for what in FUNDING
    }
    return totals


def _severity_path(times: list[int], path: MarketPath) -> list[dict[str, Any]]:
    """Every hour."""
    return [
        {
            "time": moment(times[i]),
            "severity": path.severity[i],
            "depth": path.depth[i],
            "maintenance_ppm": path.mm[i],
            "initial_ppm": path.im[i],
        }
        for i in range(0, len(times), HOURLY)
    ]
