"""The second act on the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any, Final

from scripts.demo_parts.charts import waterfall_chart
from scripts.demo_parts.markup import chart, dollars, section, table

COLOURS: Final = {
    "margin": "#5b9a6f",
    "collateral": "#8fbf9d",
    "insurance": "#1f5fa8",
    "charge": "#c8372d",
    "socialised": "#5b1331",
}
LABELS: Final = {
    "margin": "a its own cash",
    "collateral": "a its collateral, sold",
    "insurance": "b insurance bucket",
    "charge": "c charge",
    "socialised": "d socialised",
}
PARTS: Final = {
    "loss": "loss",
    "reward": "+ reward",
    "to_vault": "+ to the vault",
    "own": "= own (a)",
    "insured": "+ insurance (b)",
    "charged": "+ charge (c)",
    "socialised": "+ socialised (d)",
    "returned": "the account keeps",
}
STEPS: Final = {2: "2 vault", 3: "3 opposite side"}
AMOUNT_NAMES: Final = {
    "deficit": "to D_h",
    "ended": "D_h that ends with the claim",
    "tickets": "to tickets",
    "fund": "to the fund",
}
STORY: Final = (
    "STAGED, and so labelled: with liquidators awake the end of the ladders is hardly ever needed, "
    "so this act is invented. Its market was listed for it at calm margins; its price falls from "
    "100 to 94 and then, between two reports, to 60. The rest is real: the same contracts on the "
    "same chain after the first act, whose people went home and whose fees are still there. One "
    "liquidator has money for one take and for most of one collateral sale; after that nobody "
    "liquidates, and anybody calls resolve for its reward. The insurance bucket and the vault's "
    "ring are too small. Every row is an event of the transaction named; h is what a withdrawal "
    "pays of each dollar after it."
)
DOLLAR: Final = (
    "{name} is the account whose loss goes through every hand. Its collateral had to be sold "
    "before it could be resolved, and nobody bid: in these twenty minutes the shorts who had "
    "earned its loss took their profit and left. Who was short when it was closed owned little "
    "that could be charged, so most was socialised, until fees paid it back."
)


def sections(report: Mapping[str, Any]) -> list[str]:
    """All of them."""
    act = report["second_act"]
    account = _longest(act)
    return [
        section("Second act: nobody liquidates, the fund is too small", STORY, _acts(act["acts"])),
        section(
            "One dollar of loss, from event to event",
            DOLLAR.format(name=account["name"]),
            chart(_waterfall(act, account)) + _trail(act, account["name"]),
        ),
        section(
            "Second act: everybody's loss, to the wei",
            "Loss, reward of the caller and payment to the vault are what was due; own cash (its "
            "sold collateral among it), insurance, charge and what was socialised paid it. "
            f"What does not add up: {act['waterfall_error_wei']} wei.",
            _sums(act),
        ),
        section(
            "What WaterfallLens said before, and what happened",
            "Asked in the block before each transaction. Withdrawal, sweeps and ticket beside the "
            f"formula. The difference of all of them: {act['prediction_error_wei']} wei.",
            _predictions(act["predictions"]) + _books(act),
        ),
    ]


def _acts(acts: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            _clock(each["time"]),
            each["who"],
            each["event"],
            each["what"],
            _amounts(each["amounts"]),
            f"{each['ratio']:.6f}",
            each["transaction"][:10],
        ]
        for each in acts
    ]
    heads = ["time", "who", "event", "what", "USD", "h", "transaction"]
    return f'<div class="acts">{table(heads, rows)}</div>'


def _longest(act: Mapping[str, Any]) -> Mapping[str, Any]:
    """The account with something socialised."""
    accounts: Sequence[Mapping[str, Any]] = act["accounts"]
    return max(accounts, key=lambda each: float(each["socialised"]))


def _waterfall(act: Mapping[str, Any], account: Mapping[str, Any]) -> str:
    total = sum(float(account[what]) for what in ("loss", "reward", "to_vault"))
    rows = [
        (LABELS[each["payer"]], float(each["amount"]), COLOURS[each["payer"]])
        for each in act["one_dollar"]
    ]
    return waterfall_chart((f"loss of {account['name']}", total), rows)


def _trail(act: Mapping[str, Any], name: str) -> str:
    """The events a dollar passes, in order, with its cents."""
    cents = {each["payer"]: each for each in act["one_dollar"]}
    hashes = {each["kind"]: each["transaction"][:10] for each in _of(act, name)}
    events = {"margin": "AccountResolved", "collateral": "CollateralTaken"}
    events |= {"insurance": "ShortfallCovered", "charge": "Deleveraged"}
    events |= {"socialised": "Socialised"}
    kinds = {"margin": "account"}
    rows = [
        [
            events[payer],
            each["what"],
            f"{each['cents']:.2f} ¢",
            _cents(each["amount"]),
            hashes.get(kinds.get(payer, payer), ""),
        ]
        for payer, each in cents.items()
    ]
    rows += list(_back(act, cents["socialised"]["cents"]))
    heads = ["event", "who pays", "of the dollar", "USD", "transaction"]
    return f'<div class="acts">{table(heads, rows)}</div>'


def _back(act: Mapping[str, Any], cents: float) -> Iterator[list[str]]:
    """Restorations: what fees gave back of what was socialised."""
    shares = [each for each in act["acts"] if each["kind"] == "restoration"]
    whole = sum(_restored(each) for each in shares) or 1.0
    for each in shares:
        amount = _restored(each)
        what = f"fees of {each['who']} give back to those who stayed and to tickets"
        back = f"−{cents * amount / whole:.2f} ¢"
        yield [each["event"], what, back, f"{amount:,.2f}", each["transaction"][:10]]


def _restored(act: Mapping[str, Any]) -> float:
    return sum(float(act["amounts"][part]) for part in ("deficit", "ended", "tickets"))


def _of(act: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    return [each for each in act["acts"] if each["who"] == name]


def _sums(act: Mapping[str, Any]) -> str:
    """A column an account, every digit."""
    accounts = act["accounts"]
    rows = [["step", *(STEPS[each["step"]] for each in accounts), ""]]
    rows += [
        [label, *(each[part] for each in accounts), act["totals"][part]]
        for part, label in PARTS.items()
    ]
    heads = ["USD", *(each["name"] for each in accounts), "all"]
    return f'<div class="acts">{table(heads, rows)}</div>'


def _predictions(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = []
    for row in rows:
        for name, value in row["predicted"].items():
            happened = row["happened"].get(name, "0")
            if value == happened == "0":
                continue
            lines.append([row["act"], row["account"], name, value, happened])
    table_of = table(["act", "account", "what", "said before", "happened"], lines)
    return f'<div class="scroll acts">{table_of}</div>'


def _books(act: Mapping[str, Any]) -> str:
    solvency = act["solvency"]
    return (
        f"<p>The books after the second act: {escape(dollars(solvency['tokens']))} USD for "
        f"accounts, {escape(dollars(solvency['insurance']))} for the insurance fund; "
        f"{act['conservation_error_wei']} wei missing.</p>"
    )


def _amounts(amounts: Mapping[str, str]) -> str:
    """Those that are not zero, in cents; less than that in full."""
    pairs = [(AMOUNT_NAMES.get(name, name), amount) for name, amount in amounts.items()]
    return ", ".join(f"{name} {_cents(amount)}" for name, amount in pairs if amount != "0")


def _cents(amount: str) -> str:
    return f"{float(amount):,.2f}" if float(amount) >= 0.01 else amount


def _clock(moment: str) -> str:
    return f"{datetime.fromisoformat(moment):%H:%M:%S}"
