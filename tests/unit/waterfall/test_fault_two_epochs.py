"""Once a fault: a ticket of two epochs ago counts as paid but for one wei, whatever it was.

It joined when the index was almost used up, so the first end cost it little; the second left it
10^-18 of itself, which of large tickets is more than a wei. All tickets together then show more as
restored than was, and the last to collect is refused (by the twin: `restored` below zero).
"""

from __future__ import annotations

from dataclasses import replace

from oracle.engine import solvency
from oracle.engine.solvency import Reserve, Ticket

MILLION = 10**24


def join(reserve: Reserve, amount: int) -> tuple[Reserve, Ticket]:
    """A ticket of so much, as a withdrawal at h = 0 gives."""
    ticket = Ticket(left=amount, owed=0, index=reserve.index, epoch=reserve.epoch)
    return replace(reserve, tickets=reserve.tickets + amount), ticket


def restore(reserve: Reserve, amount: int) -> Reserve:
    """Of income that is there."""
    return solvency.restore(solvency.deposit(reserve, amount), amount)[0]


def test_tickets__over_two_ends_by_the_index__owe_no_more_than_was_restored() -> None:
    reserve, first = join(Reserve(), MILLION)
    # two millionths of a millionth of a millionth stay, then a ticket of a billion joins
    reserve = restore(reserve, MILLION - 2 * 10**6)
    assert reserve.epoch == 0
    reserve, second = join(reserve, 1_000 * MILLION)
    tickets = [first, second]
    reserve = restore(reserve, reserve.tickets * 6 // 10)
    assert reserve.epoch == 1
    owed = reserve.tickets
    reserve = restore(reserve, owed - owed * 9 // 10**19)
    assert reserve.epoch == 2
    shown = sum(solvency.touched(reserve, ticket).owed for ticket in tickets)
    assert shown <= reserve.restored
