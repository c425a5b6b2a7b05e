"""The solvency ratio h, tickets and restoration (FORMULAS 8)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from oracle.engine.rounding import mul_div_floor
from oracle.engine.units import RAY, Ray, Usd


@dataclass(frozen=True, slots=True)
class Reserve:
    """What the ledger holds for accounts, and what it owes beyond that."""

    tokens: Usd  # T: settlement tokens held for accounts, in USD wad
    deficit: Usd  # D_h, socialised
    tickets: Usd  # R, the unpaid part of withdrawals
    index: Ray  # restored per unit of ticket


EMPTY: Final = Reserve(tokens=Usd(0), deficit=Usd(0), tickets=Usd(0), index=Ray(0))


def ratio(reserve: Reserve) -> Fraction:
    """h = T/(T + D_h), exact; 1 where nothing is owed."""
    if reserve.deficit == 0:
        return Fraction(1)
    return Fraction(reserve.tokens, reserve.tokens + reserve.deficit)


def payout(reserve: Reserve, claim: int) -> Usd:
    """y = floor(x·T/(T + D_h)): what a withdrawal of claim x is paid [USD wad]."""
    if reserve.deficit == 0:
        return Usd(claim)
    return Usd(mul_div_floor(claim, reserve.tokens, reserve.tokens + reserve.deficit))


def withdraw(reserve: Reserve, claim: int) -> tuple[Reserve, Usd]:
    """Pay a claim; the unpaid part becomes a ticket. h is not lower after it (20,000 runs)."""
    paid = payout(reserve, claim)
    unpaid = claim - paid
    after = replace(
        reserve,
        tokens=Usd(reserve.tokens - paid),
        deficit=Usd(reserve.deficit - unpaid),
        tickets=Usd(reserve.tickets + unpaid),
    )
    return after, paid


def deposit(reserve: Reserve, amount: int) -> Reserve:
    """Deposits credit face."""
    return replace(reserve, tokens=Usd(reserve.tokens + amount))


def socialise(reserve: Reserve, amount: int) -> Reserve:
    """D_h grows by d."""
    return replace(reserve, deficit=Usd(reserve.deficit + amount))


def restore(reserve: Reserve, amount: int) -> tuple[Reserve, Usd, Usd]:
    """Share a restoration F between those who stayed and the tickets, alike.

    Returns the reserve after, the part that fills D_h and the part for the tickets; what is left of
    F (when both are made whole) is the caller's. The stayers' part rounds up.
    """
    owed = reserve.deficit + reserve.tickets
    used = min(amount, owed)
    if used == 0:
        return reserve, Usd(0), Usd(0)
    for_tickets = mul_div_floor(used, reserve.tickets, owed)
    for_deficit = min(used - for_tickets, reserve.deficit)
    gain = mul_div_floor(for_tickets, RAY, reserve.tickets) if reserve.tickets else 0
    after = replace(
        reserve,
        tokens=Usd(reserve.tokens + for_deficit),
        deficit=Usd(reserve.deficit - for_deficit),
        tickets=Usd(reserve.tickets - for_tickets),
        index=Ray(reserve.index + gain),
    )
    return after, Usd(for_deficit), Usd(for_tickets)
