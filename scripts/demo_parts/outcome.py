"""What the replay showed: as the JSON of docs/demo.md, and whether it is what the demo promises."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from scripts.demo_parts.books import Books
from scripts.demo_parts.cast import SEED
from scripts.demo_parts.errors import DemoError
from scripts.demo_parts.incident import Silence
from scripts.demo_parts.node import Counts
from scripts.demo_parts.plan import HOURLY, STEP, Plan
from scripts.demo_parts.recorder import STATES, Liquidation, MarketPath, Recorder

SCHEMA: Final = 1
WAD: Final = 10**18
LEAST_TAKES: Final = 10
STEPS: Final = {0: "collateral", 1: "partial", 3: "opposite_side"}
AMOUNTS: Final = {
    0: ("notional", "payment", "discount"),
    1: ("notional", "discount", "fee"),
    3: ("notional", "loss", "deficit", "insured", "charged"),
}


def usd(amount: int) -> str:
    """USD wad as an exact decimal string."""
    text = f"{Decimal(amount).scaleb(-18):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def moment(time: int) -> str:
    """ISO 8601, UTC."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def make_report(
    plan: Plan,
    recorder: Recorder,
    books: Books,
    counts: Counts,
    *,
    names: Mapping[int, str],
    silence: Silence | None,
    turned_away: int,
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    """Everything, JSON-able.

    Args:
        names: of all accounts.
        seconds: set-up and replay.
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
                "returned": usd(each.returned),
                "deficit": usd(each.deficit),
                "insured": usd(each.insured),
                "charged": usd(each.charged),
                "socialised": usd(each.socialised),
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
        "solvency": {
            "ratio": books.solvency,
            "tokens": usd(books.tokens),
            "deficit": usd(books.deficit),
            "cash": usd(books.cash),
            "positions_value": usd(books.value),
            "fees": usd(books.fees),
            "interest": usd(books.interest),
            "positions": books.positions,
            "disagreements": list(books.mismatches),
        },
        "dust_wei": books.dust,
        "conservation_error_wei": books.error,
    }


def problems(report: Mapping[str, Any], *, whole: bool = True) -> list[str]:
    """What the demo promised and did not show, one clause each.

    Args:
        whole: the replay had its full length; of a part only the books are asked for.
    """
    found = []
    if report["conservation_error_wei"] != 0:
        found.append(f"the books are {report['conservation_error_wei']} wei off")
    if report["dust_wei"] < 0:
        found.append(f"the dust is negative ({report['dust_wei']} wei)")
    found += [f"the books disagree on {what}" for what in report["solvency"]["disagreements"]]
    if not whole:
        return found
    if all(m["severity"]["lowest"] == m["severity"]["highest"] for m in report["markets"]):
        found.append("severity did not move")
    takes = report["waterfall"]["partial"]["count"]
    if takes < LEAST_TAKES:
        found.append(f"there were {takes} partial take-overs instead of at least {LEAST_TAKES}")
    if Decimal(report["waterfall"]["opposite_side"]["charged"]) == 0:
        found.append("nothing was charged to an opposite side")
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
    totals["opposite_side"] |= {
        "accounts": len(recorder.resolutions),
        "returned": usd(sum(each.returned for each in recorder.resolutions)),
        "socialised": usd(sum(each.socialised for each in recorder.resolutions)),
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
