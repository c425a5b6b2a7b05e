"""The report as one HTML file: no script, nothing fetched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any, Final

from oracle.engine.units import WAD
from scripts.crisis_parts.charts import histogram, loss_chart, price_chart, taking_chart
from scripts.crisis_parts.outcome import winner_losses, winners_of
from scripts.crisis_parts.table import comparison_rows, variant_rows
from scripts.demo_parts.page import STYLE

if TYPE_CHECKING:
    from scripts.crisis_parts.run import Replay

MORE_STYLE: Final = """
th:nth-child(-n+4), td:nth-child(-n+4) { text-align:right }
th:first-child, td:first-child { text-align:left }
@media (max-width:760px) { .narrow th, .narrow td { white-space:normal; padding:5px 4px } }
.narrow { max-width:760px }
"""
SETTLEMENTS: Final = {
    "bankruptcy": "A winner is closed at the bankruptcy price of the account it is matched with "
    "(BitMEX, Binance).",
    "previous": "A winner is closed at the mark before the last move (Hyperliquid).",
    "profit": "A winner gives up all of its profit, until the deficit is met (Chitra, arXiv "
    "2512.01112, who estimates the overshoot of 10 October 2025 so).",
    "mark": "A winner is closed at the mark, and nobody pays the deficit.",
}


def render(replay: Replay, report: Mapping[str, Any]) -> str:
    """The whole page."""
    inputs = report["inputs"]
    title = f"{report['accounts']:,} accounts, {inputs['path']}"
    sections = [
        _section(
            "Beside a ranked queue",
            "The same accounts, prices, margin and insurance; the vault takes from both. On the "
            "left the real contracts, which cut and charge the whole other side by one fraction; "
            "on the right a venue that closes whole positions of the highest profit times leverage "
            "first. " + SETTLEMENTS[report["queue"]["settlement"]],
            _table(("", "Plimsoll", "ranked queue"), comparison_rows(report)),
        ),
        *(
            _section(
                f"{symbol}: price and resolutions",
                "Every dot is a report after which accounts were resolved.",
                price_chart(replay, number, symbol),
            )
            for number, symbol in replay.ladder.symbols.items()
        ),
        _section(
            "Who took the positions",
            "Notional at the mark. Liquidators take parts, while an account can still be restored; "
            "then the backstop vault takes whole books, as long as its ring has initial margin for "
            "them; what is left is closed against everybody on the other side, by one fraction."
            + _vault_words(report),
            taking_chart(report),
        ),
        _section(
            "Who bore the loss of the bankrupt accounts",
            "Their own money first, all of it. The rest is the deficit: insured up to the market's "
            "bucket, charged to the other side as far as it is sure to own it, and what is left "
            "socialised.",
            loss_chart(report),
        ),
        _section(
            "What it cost the winners",
            "Winners are the accounts that owned something opposite to one that left a deficit. "
            "Their loss at the mark, in per cent of their notional at the first price.",
            histogram(*_shares(replay)),
        ),
        _section(
            "The queue, by what a winner is paid",
            "The deficit differs where a rule decided who was still there for the next fall.",
            _table(
                (
                    "settlement",
                    "deficit",
                    "overshoot",
                    "winners touched",
                    "largest loss",
                    "nobody paid",
                ),
                variant_rows(report),
            ),
        ),
        _section("What was replayed", "", _table((), _inputs(report))),
        _section(
            "On the chain",
            "Gas by kind of transaction.",
            _table(("", "count", "average", "most"), _gas(report)),
        ),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Crisis replay: {escape(title)}</title><style>{STYLE}{MORE_STYLE}</style></head>"
        f"<body><main><h1>Crisis replay</h1><p>{escape(title)}, {escape(inputs['from'])} to "
        f"{escape(inputs['to'])}</p>{_cards(report)}{''.join(sections)}</main></body></html>\n"
    )


# --- internals -----------------------------------------------------------------------------------


def _cards(report: Mapping[str, Any]) -> str:
    cards = (
        (f"{report['deficit']:,.0f} USD", "deficit of bankrupt accounts", ""),
        (f"{report['overshoot']:,.2f} USD", "taken from winners beyond it", "good"),
        (f"{report['queue_overshoot']:,.0f} USD", "taken beyond it by the queue", ""),
        (f"{report['conservation_error_wei']} wei", "missing from the books", "good"),
    )
    return (
        '<div class="cards">'
        + "".join(
            f'<div class="card {style}"><b>{value}</b><span>{label}</span></div>'
            for value, label, style in cards
        )
        + "</div>"
    )


def _vault_words(report: Mapping[str, Any]) -> str:
    """What the vault put in and has left; nothing where there is none."""
    backstop = sum(each["backstop"] for each in report["capital"].values())
    if not backstop:
        return ""
    left = sum(each["ring_equity"] for each in report["capital"].values())
    return (
        f" The vault brought {backstop:,.0f} USD, was paid "
        f"{report['steps']['vault_payment']:,.0f} USD for what it took, and is worth "
        f"{left:,.0f} USD at the end."
    )


def _section(title: str, words: str, content: str) -> str:
    text = f"<p>{escape(words)}</p>" if words else ""
    return f'<section><h2>{escape(title)}</h2>{text}<div class="chart">{content}</div></section>'


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    cells = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    top = f"<thead><tr>{cells}</tr></thead>" if cells else ""
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f'<table class="narrow">{top}<tbody>{body}</tbody></table>'


def _shares(replay: Replay) -> tuple[list[float], list[float]]:
    """Loss of each winner over its notional [per cent], on the chain and in the queue."""
    accounts, queue = replay.case.accounts, replay.queue
    notional = [account.size * account.entry / WAD for account in accounts]
    losses = winner_losses(replay)
    winners = winners_of(replay, queue)
    ours = [100 * losses.get(i, 0) / notional[i] for i in winners]
    theirs = [100 * queue.losses[i] / notional[i] for i in winners]
    return ours, theirs


def _inputs(report: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    inputs = report["inputs"]
    yield "accounts", inputs["accounts"]
    yield "prices", f"{inputs['prices']:,} of {inputs['path']}"
    yield "markets", ", ".join(inputs["markets"])
    yield "initial margin", f"{inputs['initial_margin_ppm'] / 1e4:g} %"
    yield "maintenance margin", f"{inputs['maintenance_margin_ppm'] / 1e4:g} %"
    yield "liquidators", "take part" if inputs["liquidators"] else "absent"
    for market, each in report["capital"].items():
        yield f"insurance bucket of {market}", f"{each['insurance']:,.2f} USD"
        yield f"backstop ring of {market}", f"{each['backstop']:,.2f} USD"
    yield "accounts added to balance the sides", str(inputs["balancing_accounts"])
    yield "seconds", str(report["seconds"])


def _gas(report: Mapping[str, Any]) -> Iterable[tuple[str, ...]]:
    for kind, gas in report["gas"].items():
        yield (kind, *(f"{gas[name]:,}" for name in ("count", "average", "most")))
