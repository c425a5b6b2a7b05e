"""The solvency ratio h, tickets and restoration (FORMULAS 8; contracts/modules/reserve.vy)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from oracle.engine.rounding import mul_div_ceil, mul_div_floor
from oracle.engine.units import RAY, Usd

LEAST_INDEX: Final = 10**9  # below it an epoch of tickets ends


@dataclass(frozen=True, slots=True)
class Reserve:
    """What custody holds of the settlement token for whom, and what is owed beyond that."""

    tokens: int = 0  # [USD wad] T: held for accounts
    deficit: int = 0  # [USD wad] D_h, socialised
    tickets: int = 0  # [USD wad] R, the unpaid part of withdrawals
    insurance: int = 0  # [USD wad] held for the insurance fund
    restored: int = 0  # [USD wad] held for tickets
    index: int = RAY  # [ray] A: what is left of a ticket, per unit of it when the epoch began
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Ticket:
    """An account's unpaid claims."""

    left: int = 0  # [USD wad] unpaid, at `index`
    owed: int = 0  # [USD wad] restored and not collected yet
    index: int = 0  # [ray]
    epoch: int = 0


EMPTY: Final = Reserve()
NO_TICKET: Final = Ticket()


def ratio(reserve: Reserve) -> Fraction:
    """h = T/(T + D_h), exact; 1 where nothing is owed."""
    if reserve.deficit == 0:
        return Fraction(1)
    return Fraction(reserve.tokens, reserve.tokens + reserve.deficit)


def payout(reserve: Reserve, claim: int, unit: int = 1) -> Usd:
    """y = floor(x·T/(T + D_h)): what a withdrawal of claim x is paid, in whole units [USD wad]."""
    if reserve.deficit == 0:
        return Usd(claim)
    paid = mul_div_floor(claim, reserve.tokens, reserve.tokens + reserve.deficit)
    return Usd(paid // unit * unit)


def withdraw(
    reserve: Reserve, ticket: Ticket, claim: int, unit: int = 1
) -> tuple[Reserve, Ticket, Usd]:
    """Pay a claim; the unpaid part becomes a ticket. h is not lower after it (20,000 runs).

    A remainder of the unit that D_h no longer covers is the insurance fund's.
    """
    paid = payout(reserve, claim, unit)
    unpaid = claim - paid
    covered = min(unpaid, reserve.deficit)
    after = replace(
        reserve,
        tokens=reserve.tokens - paid - (unpaid - covered),
        deficit=reserve.deficit - covered,
        tickets=reserve.tickets + unpaid,
        insurance=reserve.insurance + unpaid - covered,
    )
    if reserve.deficit == 0:
        return after, ticket, paid
    ticket = touched(reserve, ticket)
    return after, replace(ticket, left=ticket.left + unpaid), paid


def deposit(reserve: Reserve, amount: int) -> Reserve:
    """Deposits credit face."""
    return replace(reserve, tokens=reserve.tokens + amount)


def socialise(reserve: Reserve, amount: int) -> Reserve:
    """D_h grows by d."""
    return replace(reserve, deficit=reserve.deficit + amount)


def restore(reserve: Reserve, amount: int) -> tuple[Reserve, Usd]:
    """Share income F, a claim on T until now, between those who stayed and the tickets, alike.

    Returns the reserve after and what is left of F when both are whole; the claim on that stays.
    The stayers' part rounds up.
    """
    owed = reserve.deficit + reserve.tickets
    used = min(amount, owed)
    if used == 0:
        return reserve, Usd(amount)
    for_tickets = mul_div_floor(used, reserve.tickets, owed)
    after = replace(
        reserve,
        tokens=reserve.tokens - for_tickets,
        deficit=reserve.deficit - (used - for_tickets),
        restored=reserve.restored + for_tickets,
    )
    if for_tickets:
        after = _shrunk(after, for_tickets)
    return after, Usd(amount - used)


def touched(reserve: Reserve, ticket: Ticket) -> Ticket:
    """A ticket as of now."""
    left = 0
    if ticket.epoch == reserve.epoch and ticket.left:
        left = mul_div_ceil(ticket.left, reserve.index, ticket.index)
    return Ticket(left, ticket.owed + ticket.left - left, reserve.index, reserve.epoch)


def insure(reserve: Reserve, amount: int) -> Reserve:
    """A claim on T becomes the insurance fund's."""
    return replace(
        reserve,
        tokens=reserve.tokens - amount,
        insurance=reserve.insurance + amount,
    )


def _shrunk(reserve: Reserve, for_tickets: int) -> Reserve:
    """R falls. A rounds up: what is shown as paid never exceeds what was."""
    left = reserve.tickets - for_tickets
    index = mul_div_ceil(reserve.index, left, reserve.tickets)
    if left == 0 or index < LEAST_INDEX:
        return replace(reserve, tickets=0, index=RAY, epoch=reserve.epoch + 1)
    return replace(reserve, tickets=left, index=index)
