"""What the replay showed: as the JSON of docs/crisis.md, and whether it is what it must be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from oracle.engine.units import WAD
from scripts.crisis_parts.errors import CrisisError
from scripts.crisis_parts.listing import maintenance
from scripts.crisis_parts.queues import QueueFigures

if TYPE_CHECKING:
    from scripts.crisis_parts.chain import Counts
    from scripts.crisis_parts.run import Replay

SCHEMA: Final = 1


def usd(amount: int) -> float:
    """USD wad as USD, to a millionth of a cent."""
    return round(amount / WAD, 8)


def moment(time: int) -> str:
    """ISO 8601, UTC."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def make_report(replay: Replay) -> dict[str, Any]:
    """Everything, JSON-able."""
    mirror, queue, totals = replay.mirror, replay.queue, replay.mirror.totals
    count = len(replay.case.accounts)
    losses = winner_losses(replay)
    winners = winners_of(replay, queue)
    resolutions = [each for _, each in mirror.resolved]
    resolved = [mirror.index[each.account] for each in resolutions]
    rings = {each.ring for each in replay.ladder.capital.values()}
    insured = sum(each.insured for each in resolutions)
    deficit = sum(each.deficit for each in resolutions)
    return {
        "schema": SCHEMA,
        "deficit": usd(deficit),
        "overshoot": usd(totals.overshoot),
        "queue_overshoot": usd(queue.overshoot),
        "winners": len(winners),
        "winners_touched": sum(bool(mirror.touched[i]) for i in winners),
        "queue_winners_touched": len(queue.touched & winners),
        "largest_winner_loss": usd(max(losses.values(), default=0)),
        "steps": _steps(replay),
        "conservation_error_wei": replay.closing.error,
        "seconds": replay.seconds["all"],
        "accounts": count,
        "own_accounts": len(mirror.ids) - count,
        "resolved": len(resolutions),
        "resolved_longs": sum(replay.case.accounts[i].is_long for i in resolved if i < count),
        "resolved_rings": sum(mirror.ids[i] in rings for i in resolved),
        "bankrupt": sum(each.deficit > 0 for each in resolutions),
        "unresolved": replay.unresolved,
        "deficit_wei": deficit,
        "overshoot_wei": totals.overshoot,
        "charged_wei": totals.charged,
        "taken_from_winners_wei": totals.taken,
        "charge_dust_wei": totals.dust,
        "charge_dust_bound_wei": totals.dust_bound,
        "account_losses_error_wei": totals.taken - all_losses(replay),
        "charge_error_wei": totals.charged - sum(each.charged for each in resolutions),
        "insurance_error_wei": _insurance_error(replay, insured),
        "identity_errors": sum(not each.adds_up for each in resolutions),
        "equity_mismatches": replay.mismatches,
        "deleveragings": totals.cuts,
        "capital": _capital(replay),
        "solvency": {
            "h": replay.closing.solvency,
            "tokens": usd(replay.closing.tokens),
            "socialised": usd(replay.closing.socialised),
            "dust_wei": replay.closing.dust,
            "disagreements": list(replay.closing.mismatches),
            "lens_difference_wei": replay.closing.lens_difference,
        },
        "queue": _queue(replay, queue),
        "queue_variants": [_queue(replay, each) for each in replay.queues],
        "gas": _gas(replay.ladder.chain.counts),
        "failed": dict(replay.ladder.chain.counts.failed),
        "seconds_by_part": {k: v for k, v in replay.seconds.items() if k != "all"},
        "inputs": _inputs(replay),
    }


def winners_of(replay: Replay, queue: QueueFigures) -> frozenset[int]:
    """Accounts that owned something opposite to one that left a deficit, on the chain or in the
    queue: one and the same crowd to compare both in."""
    mirror, count = replay.mirror, len(replay.case.accounts)
    return queue.winners | frozenset(int(i) for i in np.flatnonzero(mirror.winners[:count]))


def winner_losses(replay: Replay) -> dict[int, int]:
    """What charges took from each winner on the chain, by account [USD wad]."""
    mirror, count = replay.mirror, len(replay.case.accounts)
    return {int(i): mirror.loss_of(int(i)) for i in np.flatnonzero(mirror.winners[:count])}


def all_losses(replay: Replay) -> int:
    """What deleveragings took from all accounts, each from its own scaled size [USD wad]."""
    return sum(replay.mirror.loss_of(i) for i in range(len(replay.mirror.ids)))


def problems(report: Mapping[str, Any]) -> list[str]:
    """What a replay must not show, in words."""
    zero = {
        "overshoot_wei": "wei were taken from winners beyond charge and dust",
        "conservation_error_wei": "wei are missing from the books",
        "charge_error_wei": "wei were charged to sides and to no deficit",
        "insurance_error_wei": "wei left the insurance fund and paid no deficit",
        "identity_errors": "deficits are not insured + charged + socialised",
        "equity_mismatches": "accounts have another equity on the chain",
        "unresolved": "accounts are left unresolved",
    }
    found = [f"{report[key]} {what}" for key, what in zero.items() if report[key] != 0]
    # Each loss is rounded down, each deleveraging's up.
    allowed = report["accounts"] + report["own_accounts"] + report["deleveragings"] + 1
    if not 0 <= report["account_losses_error_wei"] <= allowed:
        found.append("what accounts lost is not what was taken from their sides")
    if report["charge_dust_wei"] < 0:
        found.append("a side lost less than it was charged")
    if report["solvency"]["lens_difference_wei"] or report["solvency"]["disagreements"]:
        found.append("the lens counts otherwise")
    return found


def check(report: Mapping[str, Any]) -> None:
    """Raise CrisisError with all of `problems`."""
    found = problems(report)
    if found:
        raise CrisisError("The replay showed what must not be: " + "; ".join(found) + ".")


def as_json(report: Mapping[str, Any]) -> str:
    """For the file."""
    return json.dumps(report, indent=1) + "\n"


# --- internals -----------------------------------------------------------------------------------


def _steps(replay: Replay) -> dict[str, float]:
    """USD: notional of the steps that take positions, money of those that pay."""
    mirror, ladder = replay.mirror, replay.ladder
    resolutions = [each for _, each in mirror.resolved]
    bankrupt = {mirror.index[each.account] for each in resolutions if each.deficit}
    own = sum(mirror.brought[i] for i in bankrupt)
    return {
        "partial": usd(ladder.partial),
        "vault": usd(ladder.vault),
        "vault_payment": usd(ladder.vault_paid),
        "opposite_side": usd(replay.mirror.totals.closed),
        "account": usd(own),
        "insurance": usd(sum(each.insured for each in resolutions)),
        "charge": usd(sum(each.charged for each in resolutions)),
        "socialised": usd(sum(each.socialised for each in resolutions)),
        "reward": usd(sum(each.reward for each in resolutions)),
    }


def _insurance_error(replay: Replay, insured: int) -> int:
    """What left the buckets, by the fund's events and by custody, less what paid deficits."""
    given = sum(each.insurance for each in replay.ladder.capital.values())
    errors = (replay.ladder.covered - insured, given - replay.closing.insurance - insured)
    return max(errors, key=abs)


def _capital(replay: Replay) -> dict[str, dict[str, float]]:
    """By market: what stood behind its accounts, and what the ring is worth at the end."""
    ladder, mirror = replay.ladder, replay.mirror
    found = {}
    for market, each in ladder.capital.items():
        left = 0
        if each.ring is not None:
            left = mirror.equity_of(mirror.index[each.ring], ladder.marks[market])
        found[ladder.symbols[market]] = {
            "insurance": usd(each.insurance),
            "backstop": usd(each.backstop),
            "ring_equity": usd(left),
        }
    return found


def _queue(replay: Replay, queue: QueueFigures) -> dict[str, Any]:
    winners = winners_of(replay, queue)
    return {
        "settlement": queue.variant.settlement.value,
        "carry": queue.variant.carry,
        "deficit": usd(queue.deficit),
        "insured": usd(queue.insured),
        "overshoot": usd(queue.overshoot),
        "closed": queue.closed,
        "closed_longs": queue.closed_longs,
        "bankrupt": queue.bankrupt,
        "winners": len(winners),
        "winners_touched": len(queue.touched & winners),
        "largest_winner_loss": usd(queue.largest_loss),
        "insolvency_left": usd(queue.insolvency),
    }


def _gas(counts: Counts) -> dict[str, dict[str, int]]:
    return {
        kind: {
            "count": counts.mined[kind],
            "average": round(counts.gas[kind] / counts.mined[kind]),
            "most": counts.most[kind],
        }
        for kind in counts.mined
    }


def _inputs(replay: Replay) -> dict[str, Any]:
    case, rate = replay.case, replay.config.markets[0].brackets[0].im_calm
    return {
        **case.sources,
        "markets": list(case.markets),
        "from": moment(case.path[0].time),
        "to": moment(case.path[-1].time),
        "prices": len(case.path),
        "seed": replay.choices.seed,
        "liquidators": replay.options.liquidators,
        "initial_margin_ppm": rate,
        "maintenance_margin_ppm": maintenance(rate),
        "balancing_accounts": len(case.balancing),
    }
