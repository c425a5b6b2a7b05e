"""What the second act showed: as JSON, and whether it is what it promises.

Everybody's loss, to the wei: loss + reward + payment to the vault = own + insured + charged +
socialised, for each account that was resolved; and what was socialised came back from fees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from scripts.demo_parts.books import Books
from scripts.demo_parts.closing import closing_problems, closing_report, moment, usd
from scripts.demo_parts.prediction import Comparison
from scripts.demo_parts.scene import Act
from scripts.demo_parts.second_act import Account, SecondAct, W

# What must be seen, by kind of act, and the amount that must not be zero.
WANTED: Final = {
    "collateral": "payment",
    "last bidder": "worth",
    "partial": "notional",
    "vault": "payment",
    "opposite side": "loss",
    "account": "own",
    "insurance": "paid",
    "charge": "paid",
    "socialised": "paid",
    "withdrawal": "ticket",
    "restoration": "deficit",
    "ticket": "paid",
}
DUE: Final = ("loss", "reward", "to_vault")
PAID: Final = ("own", "insured", "charged", "socialised")
AMOUNTS: Final = (*DUE, *PAID, "deficit", "returned", "sold")


def make_report(act: SecondAct, books: Books) -> dict[str, Any]:
    """Everything, JSON-able. `books` are those after it."""
    return {
        "staged": True,
        "size": usd(act.size),
        "prices": [{"time": moment(time), "price": usd(price)} for time, price in act.prices],
        "acts": [_act(each) for each in act.acts],
        "accounts": [_account(each) for each in act.accounts],
        "totals": {
            what: usd(sum(getattr(each, what) for each in act.accounts)) for what in AMOUNTS
        },
        "one_dollar": _one_dollar(act.accounts),
        "predictions": [_comparison(each, act.names) for each in act.comparisons],
        "prediction_error_wei": sum(each.difference for each in act.comparisons),
        "waterfall_error_wei": sum(each.error for each in act.accounts),
        "solvency_path": [{"after": what, "ratio": ratio} for what, ratio in act.ratios],
        **closing_report(books),
    }


def problems(report: Mapping[str, Any], *, whole: bool = True) -> list[str]:
    """What it promised and did not show, one clause each.

    Args:
        whole: the first act's fees are all there, so they must restore everything.
    """
    found = [f"after the second act {each}" for each in closing_problems(report)]
    for kind, amount in WANTED.items():
        acts = [each for each in report["acts"] if each["kind"] == kind]
        if not any(Decimal(each["amounts"].get(amount, "0")) > 0 for each in acts):
            found.append(f"the second act did not show {kind!r}")
    if report["prediction_error_wei"]:
        found.append(f"the lens was {report['prediction_error_wei']} wei off")
    for each in report["accounts"]:
        difference = _sum(each, PAID) - _sum(each, DUE)
        if difference or _sum(each, PAID[1:]) != Decimal(each["deficit"]):
            found.append(f"the parts of {each['name']} do not sum to its loss")
    ratios = [each["ratio"] for each in report["solvency_path"]]
    if min(ratios) >= 1.0:
        found.append("h did not fall")
    if whole and ratios[-1] != 1.0:
        found.append(f"h came back to {ratios[-1]} only")
    return found


# --- internals ----------------------------------------------------------------------------------


def _act(act: Act) -> dict[str, Any]:
    return {
        "time": moment(act.time),
        "transaction": act.transaction,
        "kind": act.kind,
        "event": act.event,
        "who": act.who,
        "what": act.what,
        "amounts": {name: usd(amount) for name, amount in act.amounts.items()},
        "ratio": act.ratio,
    }


def _account(account: Account) -> dict[str, Any]:
    amounts = {what: usd(getattr(account, what)) for what in AMOUNTS}
    return {"name": account.name, "step": account.step, **amounts}


def _one_dollar(accounts: Sequence[Account]) -> list[dict[str, Any]]:
    """Of the account whose loss went through everybody's hands: who paid, and how much of each."""
    account = next(each for each in accounts if each.name == W)
    due = account.loss + account.reward + account.to_vault
    rows = (
        ("margin", "its own cash", account.own - account.sold),
        ("collateral", "what its collateral brought", account.sold),
        ("insurance", "the insurance fund, up to the market's bucket", account.insured),
        ("charge", "everybody who is short, by the same fraction", account.charged),
        ("socialised", "everybody who withdraws, until fees restore it", account.socialised),
    )
    return [
        {"payer": payer, "what": what, "amount": usd(amount), "cents": _cents(amount, due)}
        for payer, what, amount in rows
    ]


def _cents(amount: int, due: int) -> float:
    return round(100 * amount / due, 4)


def _comparison(each: Comparison, names: Mapping[int, str]) -> dict[str, Any]:
    return {
        "account": names.get(each.account, "fees"),
        "act": each.act,
        "predicted": _numbers(each.predicted),
        "happened": _numbers(each.happened),
        "difference_wei": each.difference,
    }


def _numbers(numbers: Mapping[str, int]) -> dict[str, str]:
    return {name: str(n) if name == "step" else usd(n) for name, n in numbers.items()}


def _sum(row: Mapping[str, str], names: Sequence[str]) -> Decimal:
    return sum((Decimal(row[name]) for name in names), Decimal(0))
