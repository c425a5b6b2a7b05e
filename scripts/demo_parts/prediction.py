"""What `WaterfallLens` says a step would do, beside what the step's own events say it did.

Both are read as the same numbers by name, so that their difference is a sum of integers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from scripts.demo_parts.contracts import Happened

WAD: Final = 10**18
PPM: Final = 1_000_000
FUNDING: Final = ("reward", "deficit", "insured", "charged", "socialised")
LEG: Final = ("loss", "deficit", "insured", "charged")
Numbers = dict[str, int]


class Waterfall(NamedTuple):
    """The lens's answer. [USD wad]"""

    state: int
    equity: int
    mm: int
    elapsed: int  # [s]
    debt: int
    sales: Sequence[Sequence[int]]  # token, most, price, discount
    takes: Sequence[Sequence[int]]  # market, least, most, price, fee
    to_vault: bool
    legs: Sequence[Sequence[int]]  # market, size, payment, loss, deficit, insured, charged
    reward: int
    deficit: int
    insured: int
    charged: int
    socialised: int
    left: int


class Deleveraging(NamedTuple):
    """What every position of a side would bear. [USD wad]"""

    cut: int  # [ppm] of it
    mark: int
    charged: int
    price: int  # mark and charge together, a unit cut
    socialised: int
    insured: int


@dataclass(frozen=True)
class Comparison:
    """One step, before and after. Money in USD wad, sizes in base wad, by name."""

    account: int
    act: str
    predicted: Numbers
    happened: Numbers

    @property
    def difference(self) -> int:
        """Sum of all differences: 0."""
        names = self.predicted.keys() | self.happened.keys()
        pairs = ((self.predicted.get(name, 0), self.happened.get(name, 0)) for name in names)
        return sum(abs(before - after) for before, after in pairs)


# --- a resolution ---------------------------------------------------------------------------------


def of_resolution(lens: Waterfall) -> Numbers:
    """What `resolve` would do."""
    numbers = {"step": 2 if lens.to_vault else 3, "left": lens.left}
    numbers |= {what: getattr(lens, what) for what in FUNDING}
    for market, size, payment, *parts in lens.legs:
        numbers |= _leg(market, size, parts) | {f"payment {market}": payment}
    return numbers


def after_resolution(events: Sequence[Happened]) -> Numbers:
    """What it did."""
    legs = [each.values for each in events if each.name == "LegResolved"]
    whole = only(events, "AccountResolved")
    taken = any(leg["taken"] for leg in legs)
    numbers = {"step": 2 if taken else 3, "left": max(0, whole["cash"])}
    numbers |= {what: whole[what] for what in FUNDING}
    paid = {
        each.values["market"]: each.values["payment"] for each in events if each.name == "TakenOver"
    }
    for leg in legs:
        market = leg["market"]
        numbers |= _leg(market, leg["size"], [leg[what] for what in LEG])
        numbers[f"payment {market}"] = paid.get(market, 0)
    return numbers


# --- steps 0 and 1 --------------------------------------------------------------------------------


def of_take(lens: Waterfall, market: int, mark: int) -> Numbers:
    """The least that may be taken of a long in a market."""
    _, least, _, price, rate = next(take for take in lens.takes if take[0] == market)
    return {"size": least, "price": price, "fee": -(-_up(least * mark, WAD) * rate // PPM)}


def after_take(events: Sequence[Happened]) -> Numbers:
    """What was taken."""
    values = only(events, "TakenOver")
    return {name: values[name] for name in ("size", "price", "fee")}


def of_sale(lens: Waterfall, token: int, most: int) -> Numbers:
    """At most so much of a token."""
    sale = next(sale for sale in lens.sales if sale[0] == token)
    amount = min(most, sale[1])
    return {"amount": amount, "payment": _up(amount * sale[2], WAD)}


def after_sale(events: Sequence[Happened]) -> Numbers:
    """What was sold."""
    values = only(events, "CollateralTaken")
    return {name: values[name] for name in ("amount", "payment")}


def only(events: Sequence[Happened], name: str) -> Mapping[str, Any]:
    """Values of the event of that name."""
    return next(each.values for each in events if each.name == name)


# --- internals ------------------------------------------------------------------------------------


def _leg(market: int, size: int, parts: Sequence[int]) -> Numbers:
    return {f"size {market}": size} | {
        f"{what} {market}": part for what, part in zip(LEG, parts, strict=True)
    }


def _up(value: int, unit: int) -> int:
    return -(-value // unit)
