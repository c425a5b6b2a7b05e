"""The solvency ratio h, tickets and restoration (FORMULAS 8)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from oracle.engine.rounding import mul_div_floor
from oracle.engine.units import RAY, Ray, Usd


@dataclass(frozen=True, slots=True)
class Custody:
    """What the ledger holds and owes beyond it."""

    tokens: Usd  # T: settlement tokens held for accounts, in USD wad
    deficit: Usd  # D_h, socialised
    tickets: Usd  # R, the unpaid part of withdrawals
    index: Ray  # restored per unit of ticket


EMPTY: Final = Custody(tokens=Usd(0), deficit=Usd(0), tickets=Usd(0), index=Ray(0))


def ratio(custody: Custody) -> Fraction:
    """h = T/(T + D_h), exact; 1 where nothing is owed."""
    if custody.deficit == 0:
        return Fraction(1)
    return Fraction(custody.tokens, custody.tokens + custody.deficit)


def payout(custody: Custody, claim: int) -> Usd:
    """y = floor(x·T/(T + D_h)): what a withdrawal of claim x is paid [USD wad]."""
    if custody.deficit == 0:
        return Usd(claim)
    return Usd(mul_div_floor(claim, custody.tokens, custody.tokens + custody.deficit))


def withdraw(custody: Custody, claim: int) -> tuple[Custody, Usd]:
    """Pay a claim; the unpaid part becomes a ticket. h is not lower after it (20,000 runs)."""
    paid = payout(custody, claim)
    unpaid = claim - paid
    after = replace(
        custody,
        tokens=Usd(custody.tokens - paid),
        deficit=Usd(custody.deficit - unpaid),
        tickets=Usd(custody.tickets + unpaid),
    )
    return after, paid


def deposit(custody: Custody, amount: int) -> Custody:
    """Deposits credit face."""
    return replace(custody, tokens=Usd(custody.tokens + amount))


def socialise(custody: Custody, amount: int) -> Custody:
    """D_h grows by d."""
    return replace(custody, deficit=Usd(custody.deficit + amount))


def restore(custody: Custody, amount: int) -> tuple[Custody, Usd, Usd]:
    """Share a restoration F between those who stayed and the tickets, alike.

    Returns the custody, the part that fills D_h and the part for the tickets; what is left of F
    (when both are made whole) is the caller's. The stayers' part rounds up.
    """
    owed = custody.deficit + custody.tickets
    used = min(amount, owed)
    if used == 0:
        return custody, Usd(0), Usd(0)
    for_tickets = mul_div_floor(used, custody.tickets, owed)
    for_deficit = min(used - for_tickets, custody.deficit)
    gain = mul_div_floor(for_tickets, RAY, custody.tickets) if custody.tickets else 0
    after = replace(
        custody,
        tokens=Usd(custody.tokens + for_deficit),
        deficit=Usd(custody.deficit - for_deficit),
        tickets=Usd(custody.tickets - for_tickets),
        index=Ray(custody.index + gain),
    )
    return after, Usd(for_deficit), Usd(for_tickets)
