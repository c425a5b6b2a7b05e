"""The solvency ratio h, tickets and restoration (FORMULAS 8; contracts/modules/reserve.vy)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from oracle.engine.rounding import mul_div_ceil, mul_div_floor
from oracle.engine.units import RAY, Usd, require

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
    finals: tuple[int, ...] = ()  # [ray] A at the end of each epoch

    @property
    def epoch(self) -> int:
        """Of the tickets."""
        return len(self.finals)


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

    A remainder of the unit that D_h no longer covers is the insurance fund's. Claims of more than
    there is wait until those who owe have paid.
    """
    require(claim <= reserve.tokens + reserve.deficit, "reserve")
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


def restore(reserve: Reserve, claim: int) -> tuple[Reserve, Usd]:
    """Share income, a claim on T that ends, between those who stayed and the tickets, alike.

    The claim is worth as much as any other: it is paid y times h, and y restores. Returns the
    reserve after and what is left of y when both are whole; T still has that. The stayers' part
    rounds up.
    """
    income, deficit = payout(reserve, claim), reserve.deficit
    deficit -= claim - income
    owed = deficit + reserve.tickets
    used = min(income, owed)
    for_tickets = mul_div_floor(used, reserve.tickets, owed) if reserve.tickets else 0
    after = replace(
        reserve,
        tokens=reserve.tokens - for_tickets,
        deficit=deficit - (used - for_tickets),
        restored=reserve.restored + for_tickets,
    )
    if for_tickets:
        after = _shrunk(after, for_tickets)
    return after, Usd(income - used)


def touched(reserve: Reserve, ticket: Ticket) -> Ticket:
    """A ticket as of now. What is left rounds up: no more is owed than was restored."""
    left = _left(reserve, ticket)
    return Ticket(left, ticket.owed + ticket.left - left, reserve.index, reserve.epoch)


def _left(reserve: Reserve, ticket: Ticket) -> int:
    if ticket.left == 0:
        return 0
    if ticket.epoch == reserve.epoch:
        return mul_div_ceil(ticket.left, reserve.index, ticket.index)
    if ticket.epoch + 1 < reserve.epoch:
        return 1  # two epochs shrink any ticket to less than a wei
    ended = mul_div_ceil(ticket.left, reserve.finals[ticket.epoch], ticket.index)
    return mul_div_ceil(ended, reserve.index, RAY)


def collect(reserve: Reserve, ticket: Ticket, unit: int) -> tuple[Reserve, Ticket, Usd]:
    """Take what was restored of a ticket, in whole token units [USD wad]."""
    ticket = touched(reserve, ticket)
    paid = ticket.owed // unit * unit
    after = replace(reserve, restored=reserve.restored - paid)
    return after, replace(ticket, owed=ticket.owed - paid), Usd(paid)


def insure(reserve: Reserve, amount: int) -> Reserve:
    """A claim on T becomes the insurance fund's."""
    return replace(
        reserve,
        tokens=reserve.tokens - amount,
        insurance=reserve.insurance + amount,
    )


def _shrunk(reserve: Reserve, for_tickets: int) -> Reserve:
    """R falls. Where A is too small to count with, the next epoch begins at 1."""
    left = reserve.tickets - for_tickets
    index = mul_div_ceil(reserve.index, left, reserve.tickets)
    if index >= LEAST_INDEX:
        return replace(reserve, tickets=left, index=index)
    return replace(reserve, tickets=left, index=RAY, finals=(*reserve.finals, index))
