"""The report as one HTML file: no script, nothing fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any, Final

from scripts.demo_parts import act_page
from scripts.demo_parts.charts import equity_chart, market_chart, payers_chart, states_chart
from scripts.demo_parts.markup import chart, dollars, section, some, table
from scripts.demo_parts.recorder import Recorder

STEP_NAMES: Final = {0: "0 collateral", 1: "1 partial", 2: "2 vault", 3: "3 opposite side"}
TITLES: Final = {
    "2020-03-12": "12 March 2020",
    "2021-05-19": "19 May 2021",
    "2026-02-05": "5 February 2026",
}
COSTS: Final = ("discount", "fee", "payment", "deficit", "insured", "charged")
HOUR: Final = 3_600
GREEN, RED, AMBER, BLUE, PURPLE = "#5b9a6f", "#c8372d", "#ec8a3a", "#1f5fa8", "#5b1331"

TERMS: Final = {
    "Severity": "how stormy the risk model finds the market: 0 % asks for the calm margins, 100 % "
    "for those of a storm. The keeper pushes it each hour, in bounded steps.",
    "Depth": "the market's liquidity against its usual. When it falls, large positions need more "
    "margin.",
    "Initial margin": "to open a position or to withdraw. Follows a rise of severity at once; "
    "while the keeper is silent for long, it is that of a storm.",
    "Maintenance margin": "to keep a position. Follows a rise along a slope, so that holders have "
    "time.",
    "Settling": "a price is unknown or was just shaken; risk may only be reduced.",
    "Dots": "liquidations: parts taken over at an auction, the whole book taken by the backstop "
    "vault (step 2) or closed against the opposite side (step 3).",
}

STYLE: Final = """
:root { --ink:#1d2733; --soft:#5d6977; --line:#e3e7ec; --paper:#fff; --wash:#f6f7f9 }
* { box-sizing:border-box }
body { margin:0; background:var(--wash); color:var(--ink);
  font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif }
main { max-width:1120px; margin:0 auto; padding:28px 24px 60px }
h1 { font-size:27px; margin:0 0 4px; letter-spacing:-.01em }
h2 { font-size:18px; margin:0 0 4px }
h3 { font-size:14px; margin:18px 0 0 }
p { margin:0 0 12px; color:var(--soft); max-width:86ch }
section { background:var(--paper); border:1px solid var(--line); border-radius:10px;
  padding:20px 22px; margin-top:18px }
.cards { display:grid; grid-template-columns:repeat(4,minmax(0,1fr)); gap:12px;
  margin-top:18px }
.card { background:var(--paper); border:1px solid var(--line); border-radius:10px;
  padding:12px 14px }
.card b { display:block; font-size:22px; font-variant-numeric:tabular-nums; white-space:nowrap }
.card span { color:var(--soft); font-size:13px }
.card.good b { color:#2f7d4f }
svg { width:100%; height:auto; display:block; margin-top:8px;
  font:12px system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif }
.terms { list-style:none; margin:0 0 14px; padding:0; display:grid; gap:4px 28px;
  grid-template-columns:1fr 1fr; font-size:13px; color:var(--soft) }
.terms b { color:var(--ink) }
.line { fill:none; stroke-width:1.6; stroke-linejoin:round }
.blue { stroke:#1f5fa8 } .red { stroke:#c8372d } .amber { stroke:#d98e04 }
.grey { stroke:#8b95a1; stroke-width:1.2 }
.grid { stroke:#edf0f3 } .day { stroke:#d5dae0 }
.silence { fill:#c8372d; opacity:.17 } .settling { fill:#d9a514; opacity:.16 }
.dot { stroke:#fff; stroke-width:.8 }
.tick { fill:#5d6977 } .note { fill:#c8372d }
.silent { fill:#c8372d } .axis { fill:#1d2733; font-weight:600 } .label { fill:#1d2733 }
.end { text-anchor:end } .middle { text-anchor:middle }
.scroll { max-height:440px; overflow:auto; border:1px solid var(--line); border-radius:6px }
table { border-collapse:collapse; width:100%; font-size:13px; font-variant-numeric:tabular-nums }
th { position:sticky; top:0; background:#eef1f4; text-align:right; font-weight:600 }
th, td { padding:5px 10px; white-space:nowrap }
td { text-align:right; border-top:1px solid var(--line) }
th:nth-child(-n+4), td:nth-child(-n+4) { text-align:left }
.two { display:grid; grid-template-columns:1fr 1fr; gap:0 28px; align-items:start;
  margin-top:12px }
.two td:first-child, .two th:first-child { text-align:left }
.two td, .two th { text-align:right }
.acts { overflow-x:auto } .acts td { white-space:normal; text-align:left; vertical-align:top }
.acts th { text-align:left } .scroll + p { margin-top:12px }
.slide { display:none; margin:8px 0 0; font-size:13px }
@media (max-width:760px) {
  main { padding:20px 12px 40px } section { padding:16px 14px }
  .two { grid-template-columns:minmax(0,1fr); gap:18px 0 } .terms { grid-template-columns:1fr }
  .cards { grid-template-columns:repeat(2,minmax(0,1fr)) } .card b { font-size:18px }
  .chart { overflow-x:auto; margin:0 -14px; padding:0 14px } .chart svg { width:760px }
  .acts { overflow-x:auto } .acts td { white-space:normal; text-align:left; vertical-align:top }
.acts th { text-align:left } .scroll + p { margin-top:12px }
.slide { display:block } .two td, .two th { white-space:normal } }
"""


def render(report: Mapping[str, Any], recorder: Recorder, names: Mapping[int, str]) -> str:
    """The whole page."""
    silence = _silence(report)
    sections = [
        *(
            _market_section(m["symbol"], recorder, silence, _terms() if i == 0 else "")
            for i, m in enumerate(report["markets"])
        ),
        section(
            "Accounts by state",
            f"The {sum(recorder.states[0])} traders at each report, before anyone acts on it. "
            "Healthy: equity of at least the initial margin. Called: less than that (a margin "
            "call), may only reduce. Liquidatable: less than maintenance margin; parts are "
            "auctioned. Backstop: less than two thirds of it, or the auction ran out; resolved in "
            "steps 2 and 3. Bankrupt: less than nothing. Liquidation takes minutes, so the last "
            "three are thin slivers.",
            chart(states_chart(recorder, silence)) + _worst_hours(recorder, silence),
        ),
        section(
            "Who paid what",
            "Step 0 sells collateral that is not cash. Step 1 sells parts of a position at an "
            "auction; the account pays discount and fee. What sank below two thirds of its "
            "maintenance margin goes in step 2 to the backstop vault, which is paid from what is "
            "left of the margin, as far as its rings have room, and in step 3 is closed against "
            "the whole opposite side at the mark. A hole is paid by the insurance fund up to the "
            "market's bucket, then charged to the opposite side as far as it is sure to own it; "
            "what is left is shared by all who withdraw. " + _outcome(report),
            chart(payers_chart(_payers(report))) + _waterfall_tables(report),
        ),
        *act_page.sections(report),
        section(
            "Largest accounts",
            "What they own at the mark, from the first deposit on. Names are cross or isolated "
            "and a number; a line that falls to zero has lost everything.",
            chart(equity_chart(recorder, names, silence)),
        ),
        section(
            f"Liquidations ({len(report['liquidations'])})",
            "Sizes are of the account's position (or of collateral sold), positive if long, in "
            "units of the market; all else in USD. The price is what the taker paid.",
            _liquidations(report["liquidations"]),
        ),
        section(
            "On the chain",
            "Whoever acts asks first whether the chain would allow it; what it would refuse is not "
            "sent, and counted with the reason.",
            _chain_tables(report),
        ),
    ]
    title = TITLES.get(report["scenario"], report["scenario"])
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Plimsoll through {escape(title)}</title><style>{STYLE}</style></head><body><main>"
        f"<h1>Plimsoll through {escape(title)}</h1>{_introduction(report)}{_cards(report)}"
        + "".join(sections)
        + "</main></body></html>\n"
    )


# --- parts --------------------------------------------------------------------------------------


def _introduction(report: Mapping[str, Any]) -> str:
    incident, parts = report["incident"], []
    falls = " and ".join(_fall(market) for market in report["markets"])
    parts.append(
        f"{falls}. Recorded prices from {_when(report['from'])} to {_when(report['to'])} UTC, "
        "replayed through Plimsoll's contracts on a local chain: every price, order, take-over and "
        "deleveraging below was a transaction. The accounts are traders drawn from a seed, market "
        "makers who quote at the mark, and a liquidation bot."
    )
    if incident:
        parts.append(
            f"From {_when(incident['from'])} no price report reached the chain for "
            f"{_duration(incident['minutes'])}: the shortest silence in which a price "
            f"({incident['market']}) fell below its lowest so far by a third more than its "
            "margin then covered."
        )
    parts.append(
        "A second act follows on the same chain, staged in a market of its own: nobody liquidates "
        "and the insurance fund is too small, so every step of the waterfall is needed."
    )
    return "".join(f"<p>{escape(part)}</p>" for part in parts)


def _fall(market: Mapping[str, Any]) -> str:
    price = market["price"]
    first, lowest = float(price["first"]), float(price["lowest"])
    return (
        f"{market['symbol']} fell from {first:,.0f} to {lowest:,.0f} USD "
        f"(−{100 * (1 - lowest / first):.0f} %)"
    )


def _cards(report: Mapping[str, Any]) -> str:
    waterfall = report["waterfall"]
    cards = [
        (f"{report['accounts']}", "accounts", ""),
        (f"{report['transactions']:,}", "transactions", ""),
        (f"{report['margin_calls']:,}", "margin calls", ""),
        (f"{waterfall['partial']['count']}", "partial take-overs", ""),
        (f"{waterfall['funding']['accounts']}", "accounts resolved in steps 2 and 3", ""),
        (dollars(waterfall["funding"]["deficit"]), "USD of deficits", ""),
        (f"{_missing(report)} wei", "missing from the books of both acts", "good"),
        (f"{report['dust_wei'] / 1e18:.6f} USD", "dust left by rounding", ""),
    ]
    return (
        '<div class="cards">'
        + "".join(
            f'<div class="card {style}"><b>{escape(value)}</b><span>{label}</span></div>'
            for value, label, style in cards
        )
        + "</div>"
    )


def _missing(report: Mapping[str, Any]) -> int:
    acts = report, report["second_act"]
    return sum(abs(int(act["conservation_error_wei"])) for act in acts)


def _market_section(
    symbol: str, recorder: Recorder, silence: tuple[int, int] | None, terms: str = ""
) -> str:
    path = recorder.paths[symbol]
    first, highest = path.severity[0] / 1e4, max(path.severity) / 1e4
    text = (
        f"Severity went from {first:.0f} % to {highest:.0f} %, the maintenance margin of the first "
        f"bracket from {path.mm[0] / 1e4:.1f} % to {max(path.mm) / 1e4:.1f} % of notional."
    )
    body = chart(market_chart(symbol, recorder, silence))
    return section(f"{symbol}: price, severity, margin", text, terms + body)


def _terms() -> str:
    """What the charts of a market show."""
    rows = (f"<li><b>{escape(term)}</b>: {escape(text)}</li>" for term, text in TERMS.items())
    return f'<ul class="terms">{"".join(rows)}</ul>'


def _worst_hours(recorder: Recorder, silence: tuple[int, int] | None) -> str:
    """The same, around the incident: there, states last minutes."""
    if silence is None:
        return ""
    window = silence[0] - 2 * HOUR, silence[1] + 4 * HOUR
    title = "<h3>The hours around the silence, UTC</h3>"
    return title + chart(states_chart(recorder, silence, window))


def _payers(report: Mapping[str, Any]) -> list[tuple[str, str, float, str]]:
    collateral, partial, vault, funding = (
        report["waterfall"][step] for step in ("collateral", "partial", "vault", "funding")
    )
    rows = [
        ("Discount on collateral", "step 0: the account, to who buys", collateral["discount"]),
        ("Discount of the auction", "step 1: the account, to who takes over", partial["discount"]),
        ("Liquidation fee", "step 1: the account, to the market", partial["fee"]),
        ("Payment to the backstop vault", "step 2: the account", vault["payment"]),
        ("Equity left after closing", "steps 2, 3: returned to the account", funding["returned"]),
        ("Insurance fund", "funding b: the market's bucket", funding["insured"]),
        ("Charge", "funding c: the opposite side", funding["charged"]),
        ("Socialised", "funding d: everybody, on withdrawal", funding["socialised"]),
    ]
    colours = (AMBER, AMBER, BLUE, AMBER, GREEN, BLUE, RED, PURPLE)
    return [
        (what, payer, float(amount), colour)
        for (what, payer, amount), colour in zip(rows, colours, strict=True)
    ]


def _outcome(report: Mapping[str, Any]) -> str:
    funding = report["waterfall"]["funding"]
    return (
        f"Here {funding['accounts']} accounts were resolved in steps 2 and 3; they owed "
        f"{dollars(funding['deficit'])} USD more than they had. Of that the fund paid "
        f"{dollars(funding['insured'])}, {dollars(funding['charged'])} were charged and "
        f"{dollars(funding['socialised'])} socialised."
    )


def _waterfall_tables(report: Mapping[str, Any]) -> str:
    rows = []
    for name, label in (
        ("collateral", "0 collateral sold"),
        ("partial", "1 partial take-overs"),
        ("vault", "2 to the backstop vault"),
        ("opposite_side", "3 against the opposite side"),
    ):
        step = report["waterfall"][name]
        rows.append([label, f"{step['count']}", dollars(step["notional"])])
    solvency = report["solvency"]
    books = [
        ["settlement tokens held", dollars(solvency["tokens"])],
        ["+ socialised deficit", dollars(solvency["deficit"])],
        ["= cash of all accounts", dollars(solvency["cash"])],
        ["+ value of all positions", dollars(solvency["positions_value"])],
        ["+ fees and interest", dollars(float(solvency["fees"]) + float(solvency["interest"]))],
        ["+ dust", f"{report['dust_wei'] / 1e18:.6f}"],
        ["missing", f"{report['conservation_error_wei']} wei"],
        ["a withdrawal pays", f"{100 * solvency['ratio']:.3f} %"],
    ]
    steps = table(["step", "acts", "notional, USD"], rows)
    return f'<div class="two">{steps}{table(["the books", "USD"], books)}</div>'


def _liquidations(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "<p>None.</p>"
    lines = []
    for row in rows:
        amounts = row["amounts"]
        lines.append(
            [
                _when(row["time"]),
                row["account"],
                STEP_NAMES[row["step"]],
                row["market"],
                f"{float(row['size']):,.4f}",
                f"{float(row['price']):,.2f}",
                f"{float(row['mark']):,.2f}",
                dollars(amounts["notional"]),
                *(some(amounts.get(key, "0")) for key in COSTS),
            ]
        )
    heads = ["time", "account", "step", "market", "size", "price", "mark", "notional"]
    return f'<div class="scroll">{table([*heads, *COSTS], lines)}</div>'


def _chain_tables(report: Mapping[str, Any]) -> str:
    gas, kinds = report["gas_by_kind"], report["transactions_by_kind"]
    sent = [[kind, f"{count:,}", f"{gas[kind]:,}"] for kind, count in kinds.items()]
    other = [[f"not sent: {reason}", f"{count:,}"] for reason, count in report["refused"].items()]
    other += [[f"reverted: {reason}", f"{count:,}"] for reason, count in report["failed"].items()]
    other += [
        ["price jumps held until confirmed", f"{report['held_jumps']}"],
        ["positions never let in", f"{report['turned_away']}"],
        ["seconds of set-up", f"{report['setup_seconds']}"],
        ["seconds of replay", f"{report['seconds']}"],
    ]
    left = table(["transaction", "count", "gas, average"], sent)
    return f'<div class="two">{left}{table(["also", "count"], other)}</div>'


# --- helpers ------------------------------------------------------------------------------------


def _silence(report: Mapping[str, Any]) -> tuple[int, int] | None:
    incident = report["incident"]
    if incident is None:
        return None
    start, end = (datetime.fromisoformat(incident[key]) for key in ("from", "to"))
    return int(start.timestamp()), int(end.timestamp())


def _when(moment: str) -> str:
    day = datetime.fromisoformat(moment)
    return f"{day.day} {day:%b %H:%M}"


def _duration(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    if not hours:
        return f"{minutes} minutes"
    return f"{hours} h {rest} min" if rest else f"{hours} hours"
