"""The ranked queue along the same path, in every variant, off the chain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from oracle.crisis.queue import Settlement
from oracle.crisis.venue import RankedVenue, Rules
from scripts.crisis_parts.inputs import Case
from scripts.crisis_parts.ladder import Ladder, Moment


@dataclass(frozen=True)
class Variant:
    """What a winner is paid, and whether what one bankrupt account did not need serves the next."""

    settlement: Settlement
    carry: bool

    @property
    def name(self) -> str:
        """In words."""
        return f"{self.settlement.value}, {'carried' if self.carry else 'each alone'}"


VARIANTS: Final = (  # the first is compared with by default: the one of the published estimate
    Variant(Settlement.PROFIT, carry=True),
    Variant(Settlement.BANKRUPTCY, carry=True),
    Variant(Settlement.BANKRUPTCY, carry=False),
    Variant(Settlement.PREVIOUS, carry=True),
    Variant(Settlement.MARK, carry=True),
)


@dataclass(frozen=True)
class QueueFigures:
    """Of one variant over all markets. Money is USD wad; losses by account."""

    variant: Variant
    deficit: int
    insured: int
    overshoot: int
    insolvency: int
    closed: int
    closed_longs: int
    bankrupt: int
    largest_loss: int
    losses: tuple[int, ...]
    winners: frozenset[int]  # by account: opposite to one that left a deficit, with E >= 0
    touched: frozenset[int]  # by account: closed or charged


class Queue:
    """One variant, a venue for each market."""

    def __init__(
        self, case: Case, rules: Rules, variant: Variant, insurance: Mapping[str, int]
    ) -> None:
        self.variant = variant
        self._count = len(case.table)
        self._is_long = [account.is_long for account in case.table]
        self._members = {
            market: [i for i, account in enumerate(case.table) if account.market == market]
            for market in case.markets
        }
        self._place = {
            i: (market, k)
            for market, members in self._members.items()
            for k, i in enumerate(members)
        }
        self._venues = {
            market: RankedVenue(
                [case.table[i] for i in members],
                rules,
                variant.settlement,
                carry=variant.carry,
                insurance=insurance[market],
            )
            for market, members in self._members.items()
        }
        self._marks = {market: case.path[0].prices[market] for market in case.markets}

    def follow(self, moment: Moment, symbols: dict[int, str]) -> None:
        """What the vault took at a moment's marks, the marks, and what liquidators took.

        The vault comes before the queue, as on the chain; it takes no bankrupt account here.
        """
        for taking in moment.handed:
            if taking.i in self._place:
                market, k = self._place[taking.i]
                self._venues[market].hand_over(k, taking.mark, taking.cost)
        for number, mark in moment.marks.items():
            market = symbols[number]
            self._venues[market].step(moment.time, mark, self._marks[market])
            self._marks[market] = mark
        for taking in moment.takings:
            if taking.i in self._place:
                market, k = self._place[taking.i]
                self._venues[market].reduce(k, taking.size, taking.mark, taking.cost)

    def figures(self) -> QueueFigures:
        """At the end."""
        tallies = [venue.tally for venue in self._venues.values()]
        losses = [0] * self._count
        winners: set[int] = set()
        touched: set[int] = set()
        closed: set[int] = set()
        for market, members in self._members.items():
            tally = self._venues[market].tally
            for k, i in enumerate(members):
                losses[i] = tally.losses.get(k, 0)
            winners |= {members[k] for k in tally.winners}
            touched |= {members[k] for k in tally.touched}
            closed |= {members[k] for k in tally.closed}
        return QueueFigures(
            variant=self.variant,
            deficit=sum(tally.deficit for tally in tallies),
            insured=sum(tally.insured for tally in tallies),
            overshoot=sum(tally.overshoot for tally in tallies),
            insolvency=sum(tally.insolvency for tally in tallies),
            closed=len(closed),
            closed_longs=sum(self._is_long[i] for i in closed),
            bankrupt=sum(len(tally.bankrupt) for tally in tallies),
            largest_loss=max(tally.largest_loss for tally in tallies),
            losses=tuple(losses),
            winners=frozenset(winners),
            touched=frozenset(touched),
        )


def run_queues(
    case: Case,
    rules: Rules,
    moments: Sequence[Moment],
    ladder: Ladder,
    variants: Iterable[Variant] = VARIANTS,
) -> list[QueueFigures]:
    """Every variant through the moments of the chain, with the same insurance."""
    found = []
    symbols = ladder.symbols
    insurance = {symbols[market]: each.insurance for market, each in ladder.capital.items()}
    for variant in variants:
        queue = Queue(case, rules, variant, insurance)
        for moment in moments:
            queue.follow(moment, symbols)
        found.append(queue.figures())
    return found
