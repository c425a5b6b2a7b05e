"""The second act's stage: its own clock, its own market, and every act with what it brought about.

An act is one transaction in a block of its own. What the lens says of it is asked in the block
before, so that what is shown was shown beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from itertools import count
from typing import Any, Final

from oracle.chain import Reverted, Sender
from oracle.keeper import Keeper, Quote
from oracle.signing import Order, sign
from scripts.demo_parts.contracts import Contract, Happened
from scripts.demo_parts.errors import DemoError
from scripts.demo_parts.plan import COLLATERAL_OF
from scripts.demo_parts.prediction import Comparison, Deleveraging, Numbers, Waterfall
from scripts.demo_parts.venue import Market, Person, Totals, Venue

MINUTE: Final = 60  # [s]
AFTER_REPORT: Final = 3  # [s]
BETWEEN: Final = 4  # [s] between two acts
MOST_FEE: Final = 1_000  # [ppm]
FIRST_SALT: Final = 10**6  # beyond the first act's
Events = Sequence[Happened]


@dataclass(frozen=True)
class Act:
    """One thing that was done, and how the protocol stood after it."""

    time: int  # [s]
    transaction: str  # hash
    kind: str  # what it shows
    event: str  # that says so
    who: str
    what: str  # one sentence
    amounts: Numbers  # [USD wad] by name
    ratio: float  # h after


@dataclass
class Scene:
    """What has happened so far."""

    venue: Venue
    keeper: Keeper
    views: Mapping[str, Market]  # of the first act's markets, whose prices stand still
    start: int  # [s] on the reports' grid
    names: dict[int, str] = field(default_factory=dict)
    acts: list[Act] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    prices: list[tuple[int, int]] = field(default_factory=list)  # time, [USD wad] as reported
    _salts: count[int] = field(default_factory=lambda: count(FIRST_SALT))

    # --- time and prices -------------------------------------------------------------------------

    def report(self, minute: int, price: int) -> None:
        """The staged market at `price` [USD wad], so many minutes in; all others as they were."""
        venue, time = self.venue, self.start + minute * MINUTE
        quotes = {venue.markets[name]: Quote(view.price) for name, view in self.views.items()}
        quotes[venue.collateral_asset] = Quote(self.views[COLLATERAL_OF].price)
        quotes[venue.staged] = Quote(price)
        venue.node.note(self.keeper.report(time, quotes), "report")
        venue.node.mine(time + AFTER_REPORT)
        self.prices.append((time, price))

    def wait(self, minute: int, seconds: int = 0) -> None:
        """Until then; a block without transactions, so that questions are asked at that time."""
        self.venue.node.mine(self.start + minute * MINUTE + seconds)

    def mine(self) -> list[Happened]:
        """The next block."""
        node = self.venue.node
        failed = node.counts.failed.total()
        events = node.mine(node.time + BETWEEN)
        if node.counts.failed.total() != failed:
            raise DemoError(f"The second act stopped: {list(node.counts.failed)[-1]}.")
        return events

    # --- people ----------------------------------------------------------------------------------

    def people(self, modes: Mapping[str, int]) -> dict[str, Person]:
        """New ones with an account each, by name and mode."""
        found = {name: self.venue.person(name) for name in modes}
        for name, person in found.items():
            self.venue.open_account(person, modes[name])
            self.names[person.account] = name
        self.mine()
        return found

    def pay_in(self, amounts: Mapping[str, int], people: Mapping[str, Person]) -> None:
        """[USD wad] by name."""
        for name, amount in amounts.items():
            self.venue.deposit(people[name], amount)
        self.mine()

    # --- acts ------------------------------------------------------------------------------------

    def send(
        self, sender: Sender, contract: Contract, function: str, *args: Any, kind: str = ""
    ) -> list[Happened]:
        """One transaction in its block; refused ones stop the demo with the chain's reason."""
        node = self.venue.node
        try:
            call = contract.ask(function, *args)
            node.client.call(call.to, call.function, *args, sender=sender.address)
        except Reverted as error:
            text = f"The second act stopped: {function} was refused ({error.reason})."
            raise DemoError(text) from None
        node.send(sender, contract.address, contract.data(function, *args), kind or function)
        return self.mine()

    def refusal(self, contract: Contract, function: str, *args: Any) -> str:
        """Why the chain would refuse it; "" where it would not."""
        venue = self.venue
        try:
            call = contract.ask(function, *args)
            venue.client.call(call.to, call.function, *args, sender=venue.bank.address)
        except Reverted as error:
            return error.reason
        return ""

    def cross(self, buyer: Person, seller: Person, size: int, price: int) -> None:
        """Both sign, anyone submits, into the next block: the seller's limit is the price."""
        offer = self.order(seller, -size, price)
        bid = self.order(buyer, size, price)
        domain = self.venue.domain
        signed = [sign(offer, domain, seller.key).packed, sign(bid, domain, buyer.key).packed]
        gateway = self.venue.gateway
        data = gateway.data("match", astuple(offer), astuple(bid), *signed, abs(size))
        self.venue.node.send(self.venue.bank, gateway.address, data, "match")

    def order(self, person: Person, size: int, price: int) -> Order:
        """In the staged market, for an hour."""
        return Order(
            account=person.account,
            market=self.venue.staged,
            size=size,
            limit_price=price,
            max_fee=MOST_FEE,
            expiry=self.venue.node.time + 60 * MINUTE,
            salt=next(self._salts),
        )

    def tell(
        self, events: Events, kind: str, event: str, who: str, what: str, amounts: Numbers
    ) -> None:
        """Note an act by the event that shows it."""
        happened = next(each for each in events if each.name == event)
        self.acts.append(
            Act(
                time=happened.time,
                transaction=happened.transaction,
                kind=kind,
                event=event,
                who=who,
                what=what,
                amounts=amounts,
                ratio=self.totals().ratio,
            )
        )

    def note(self, event: str, who: str, what: str) -> None:
        """Something that did not happen."""
        act = Act(self.venue.node.time, "", "waits", event, who, what, {}, self.totals().ratio)
        self.acts.append(act)

    def compare(self, account: int, act: str, predicted: Numbers, happened: Numbers) -> None:
        """Keep both."""
        self.comparisons.append(Comparison(account, act, predicted, happened))

    # --- questions -------------------------------------------------------------------------------

    def waterfall(self, account: int) -> Waterfall:
        """What the lens says now."""
        return Waterfall(*self.venue.ask(self.venue.waterfall_lens, "waterfall", account))

    def deleveraging(self, size: int, shortfall: int) -> Deleveraging:
        """What all shorts would bear, were longs of that size closed with a shortfall."""
        args = (self.venue.staged, False, size, shortfall)
        return Deleveraging(*self.venue.ask(self.venue.waterfall_lens, "deleveraging", *args))

    def totals(self) -> Totals:
        """Of custody now."""
        return self.venue.totals()

    def size(self, account: int) -> int:
        """Of its position in the staged market [base wad]."""
        row = self.venue.ask(self.venue.lens, "position", account, self.venue.staged)
        return int(row[3])

    def cash(self, account: int) -> int:
        """Settled [USD wad]."""
        return int(self.venue.ask(self.venue.lens, "account", account)[0])
