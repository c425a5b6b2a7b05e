"""The second act, staged: nobody liquidates, the insurance fund is too small, every step is needed.

The recorded crash shows the first steps at work; with liquidators awake the last ones hardly ever
come. So this act is invented, and says so: a market of its own (`STAGED`, listed for it at calm
margins) falls by 6 %, then by 36 % between two reports. Everything else is real: the same contracts
on the same chain after the first act, with its capital, its tokens and the fees it earned.

minute  0  five longs and two shorts trade at 100
        5  94: the last liquidator takes the least it may of A                        step 1
       15  the auction has run out: the vault takes A's book, what is left is A's     step 2, a
       23  60: C is bankrupt, the ring has no room: closed at mark                    step 3, b, c
           the liquidator buys most of W's collateral with the rest of its purse      step 0
       34  the shorts take their profit and leave; others open shorts at 60
       44  nobody bid for the rest of W's collateral: the vault takes it last         step 0
           W is closed: who is short now did not earn its loss                step 3, b, c, d
           somebody withdraws at h < 1 and gets a ticket; fees restore D_h and ticket

Before it most people went home (`intermission.py`). Sizes are such that what is socialised is
about half of the fees the first act brought in, which are what restores it. Amounts are per unit
of Q, the size of W's position.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Final

from oracle.chain import Sender
from oracle.keeper import Keeper
from oracle.signing import sign
from scripts.demo_parts.contracts import Happened
from scripts.demo_parts.desk import SIZE_UNIT
from scripts.demo_parts.intermission import INTEREST, fees_in, pots
from scripts.demo_parts.prediction import (
    Comparison,
    Deleveraging,
    Numbers,
    after_resolution,
    after_sale,
    after_take,
    of_resolution,
    of_sale,
    of_take,
    only,
)
from scripts.demo_parts.scene import Act, Scene
from scripts.demo_parts.venue import (
    CROSS,
    ISOLATED,
    SETTLEMENT,
    UNIT_WAD,
    WAD,
    Market,
    Person,
    Totals,
    Venue,
)

FIRST, SECOND, LAST = 100 * WAD, 94 * WAD, 60 * WAD  # [USD wad] prices
FEES_PER_SIZE: Final = 45  # [USD] of the first act's fees for each unit of Q
LEAST: Final = 10 * WAD  # Q
TOKEN: Final = 0  # of custody: the collateral
A, C, W = "act2-A", "act2-C", "act2-W"
HOLDER, LIQUIDATOR, SAVER = "act2-holder", "act2-liquidator", "act2-saver"
WINNERS: Final = ("act2-winner-1", "act2-winner-2")
LATECOMERS: Final = ("act2-late-1", "act2-late-2")
ISOLATED_ONES: Final = (A, C, HOLDER)
CROSS_ONES: Final = (W, LIQUIDATOR, SAVER, *WINNERS, *LATECOMERS)
MODES: Final = dict.fromkeys(ISOLATED_ONES, ISOLATED) | dict.fromkeys(CROSS_ONES, CROSS)
# Thousandths of Q: long (positive) at the first price.
SIZES: Final = {A: 250, C: 750, W: 1_000, HOLDER: 500}
# Thousandths of a dollar for each unit of Q.
CASH: Final = {
    A: 2_590,  # 10.36 a unit of its own: a little more than initial margin
    C: 9_000,  # 12
    W: 8_000,  # and collateral
    HOLDER: 30_000,  # 60: it is there to stay
    WINNERS[0]: 90_000,
    WINNERS[1]: 60_000,
    LATECOMERS[0]: 8_500,  # more than 7 for each they will be short
    LATECOMERS[1]: 2_500,
    LIQUIDATOR: 6_000,
    SAVER: 100_000,
}
COLLATERAL_WORTH: Final = 6_000  # of W
BUCKET: Final = 5_000  # given to the fund for this market
RING: Final = 2_000  # given to the vault for this market
SOLD: Final = 800  # thousandths of W's collateral that the last liquidator can pay for
CUT: Final = ("insured", "charged", "socialised")
WITHDRAWN: Final = 500  # thousandths of what the saver has


@dataclass(frozen=True)
class Account:
    """Who paid the loss of one that was resolved. [USD wad]

    loss + reward + to_vault = own + deficit, deficit = insured + charged + socialised
    """

    name: str
    step: int
    loss: int
    reward: int  # of who called `resolve`
    to_vault: int  # payment for taking the book over
    own: int  # its own cash, proceeds of its collateral among it
    sold: int  # of that: what its collateral brought
    returned: int  # what it kept
    deficit: int  # D
    insured: int  # b
    charged: int  # sum of c
    socialised: int  # d

    @property
    def error(self) -> int:
        """What does not add up in either line: 0."""
        due = self.loss + self.reward + self.to_vault
        parts = self.insured + self.charged + self.socialised
        return abs(self.own + self.deficit - due) + abs(parts - self.deficit)


@dataclass(frozen=True)
class SecondAct:
    """All that is told of it."""

    size: int  # Q [base wad]
    prices: list[tuple[int, int]]
    acts: list[Act]
    comparisons: list[Comparison]
    accounts: list[Account]
    names: dict[int, str]
    ratios: list[tuple[str, float]]  # h: after what, how much


def play_second_act(
    venue: Venue, keeper: Keeper, manager: Sender, views: dict[str, Market], start: int
) -> SecondAct:
    """From the chain as the first act left it.

    Args:
        views: of the first act's markets.
        start: [s] on the reports' grid, after the last block.

    Raises:
        DemoError: the chain refused what was to be shown.
    """
    return _Play(Scene(venue, keeper, views, start), manager).run()


class _Play:
    """The sequence; a method a scene."""

    def __init__(self, scene: Scene, manager: Sender) -> None:
        self.scene = scene
        self.venue = scene.venue
        self.manager = manager
        fees = sum(fees_in(self.venue, market) for market in pots(self.venue))
        unit = fees // FEES_PER_SIZE // SIZE_UNIT * SIZE_UNIT
        self.size = max(unit, LEAST)
        self.accounts: list[Account] = []
        self.ratios = [("before", scene.totals().ratio)]
        self.sold: dict[str, int] = {}
        self.people: dict[str, Person] = {}

    def run(self) -> SecondAct:
        """All scenes."""
        for scene in (
            self.open,
            self.partial,
            self.vault,
            self.manager_sells,
            self.gap,
            self.winners_leave,
            self.last_bidder,
            self.socialise,
            self.withdraw,
            self.restore,
            self.collect,
        ):
            scene()
        return SecondAct(
            size=self.size,
            prices=self.scene.prices,
            acts=self.scene.acts,
            comparisons=self.scene.comparisons,
            accounts=self.accounts,
            names=self.scene.names,
            ratios=self.ratios,
        )

    # --- scenes ----------------------------------------------------------------------------------

    def open(self) -> None:
        """Capital, accounts, positions."""
        scene, venue = self.scene, self.venue
        scene.report(0, FIRST)
        venue.give(venue.fund, self.dollars(BUCKET) // UNIT_WAD, venue.staged)
        venue.deposit_to(venue.ring(venue.staged), self.dollars(RING) // UNIT_WAD)
        self.people = scene.people(MODES)
        scene.pay_in({name: self.dollars(cash) for name, cash in CASH.items()}, self.people)
        price = scene.views["ETH"].price
        worth = self.dollars(COLLATERAL_WORTH)
        venue.deposit_collateral(self.people[W], worth * WAD // price)
        scene.mine()
        first, second = (self.people[name] for name in WINNERS)
        for name, seller in ((A, first), (C, first), (W, first), (HOLDER, second)):
            scene.cross(self.people[name], seller, self.part(SIZES[name]), FIRST)
        scene.mine()

    def partial(self) -> None:
        """Step 1: the least, and no more."""
        scene, account = self.scene, self.people[A].account
        scene.report(5, SECOND)
        scene.wait(5, 20)
        lens, market = scene.waterfall(account), self.venue.staged
        predicted = of_take(lens, market, SECOND)
        taker = self.people[LIQUIDATOR]
        events = scene.send(
            taker.sender,
            self.venue.liquidator,
            "take",
            account,
            market,
            predicted["size"],
            taker.account,
            SECOND,
        )
        happened = after_take(events)
        scene.compare(account, "partial", predicted, happened)
        notional = happened["size"] * SECOND // WAD
        discount = notional - happened["size"] * happened["price"] // WAD
        scene.tell(
            events,
            "partial",
            "TakenOver",
            A,
            "Step 1. The last liquidator takes the least it may of A at the auction's first price.",
            {"notional": notional, "discount": discount, "fee": happened["fee"]},
        )

    def vault(self) -> None:
        """Step 2: the auction ran out, the ring has room; A keeps what is left."""
        self.scene.report(10, SECOND)
        self.scene.report(15, SECOND)
        self.scene.wait(15, 40)
        self.resolve(A, "vault", "Step 2. Nobody else came; A's book goes to the vault's ring.")

    def manager_sells(self) -> None:
        """The vault's manager passes the position on, so that the ring is flat before the gap."""
        scene, venue = self.scene, self.venue
        ring = venue.ring(venue.staged)
        size = scene.size(ring)
        buyer = self.people[WINNERS[0]]
        order = scene.order(buyer, size, SECOND)
        signature = sign(order, venue.domain, buyer.key).packed
        args = (astuple(order), signature, size)
        events = scene.send(self.manager, venue.vault, "reduce", *args, kind="reduce ring")
        values = only(events, "PositionReduced")
        scene.tell(
            events,
            "vault sells",
            "PositionReduced",
            "vault",
            "The vault's manager sells what the ring took over, near the mark.",
            {"notional": size * SECOND // WAD, "loss": values["loss"]},
        )

    def gap(self) -> None:
        """The price falls by 36 % between two reports; C is closed, W's collateral is sold."""
        scene = self.scene
        scene.report(20, LAST)  # held: more than one report may move
        scene.report(23, LAST)  # confirmed
        scene.wait(23, 20)
        self.resolve(
            C,
            "opposite side",
            "Step 3. The ring has no room for C: closed at mark against all who are short.",
        )
        self.sell_collateral()

    def sell_collateral(self) -> None:
        """Step 0: the auction begins with the mark, and the last purse is spent."""
        scene, venue = self.scene, self.venue
        account, buyer = self.people[W].account, self.people[LIQUIDATOR]
        held = venue.ask(venue.custody, "collateral_of", account, TOKEN)
        amount = held * SOLD // 1_000
        predicted = of_sale(scene.waterfall(account), TOKEN, amount)
        args = (account, TOKEN, amount, buyer.account, scene.views["ETH"].price)
        events = scene.send(buyer.sender, venue.liquidator, "take_collateral", *args)
        happened = after_sale(events)
        scene.compare(account, "collateral", predicted, happened)
        self.sold[W] = happened["payment"]
        scene.tell(
            events,
            "collateral",
            "CollateralTaken",
            W,
            "Step 0. W's collateral comes first; the liquidator buys what its purse allows.",
            {"payment": happened["payment"]},
        )
        refused = scene.refusal(venue.liquidator, "resolve", account)
        scene.note("resolve refused", W, f"W cannot be resolved yet: “{refused}”, for 20 minutes.")

    def winners_leave(self) -> None:
        """The move's settling is over: the shorts close with latecomers and withdraw."""
        scene = self.scene
        for minute in (28, 33, 35):
            scene.report(minute, LAST)
        scene.wait(35, 20)
        sizes = [-scene.size(self.people[name].account) for name in WINNERS]
        for winner, latecomer, size in zip(WINNERS, LATECOMERS, sizes, strict=True):
            scene.cross(self.people[winner], self.people[latecomer], size, LAST)
        scene.mine()
        for name in WINNERS:
            person = self.people[name]
            units = scene.cash(person.account) // UNIT_WAD
            args = (person.account, units, person.address)
            events = scene.send(person.sender, self.venue.ledger, "withdraw", *args)
            claim = only(events, "Withdrawn")["claim"]
            scene.tell(
                events,
                "profit leaves",
                "Withdrawn",
                name,
                "Settling is over: the winner closes with a latecomer and is paid in full.",
                {"claim": claim, "paid": only(events, "Paid")["paid"]},
            )
        self.sweep(self.venue.staged, "STAGED")

    def last_bidder(self) -> None:
        """Step 0 ends: at twice the auction's length what nobody bought costs nothing."""
        scene, venue = self.scene, self.venue
        scene.report(40, LAST)
        scene.report(44, LAST)
        scene.wait(44, 20)
        account = self.people[W].account
        predicted = of_sale(scene.waterfall(account), TOKEN, 2**255)
        events = scene.send(venue.bank, venue.vault, "take_last", account, TOKEN)
        happened = after_sale(events)
        scene.compare(account, "last bidder", predicted, happened)
        scene.tell(
            events,
            "last bidder",
            "CollateralTaken",
            W,
            "Step 0. Nobody bid for the rest; the vault, last bidder, takes it for what it costs.",
            {
                "worth": happened["amount"] * scene.views["ETH"].price // WAD,
                "payment": happened["payment"],
            },
        )
        self.sold[W] += happened["payment"]

    def socialise(self) -> None:
        """Step 3 again, and the last resort."""
        self.resolve(
            W,
            "opposite side",
            "Step 3. W is closed at mark against the latecomers, who never had its loss as a gain.",
        )

    def withdraw(self) -> None:
        """At h: the unpaid part becomes a ticket."""
        scene, person = self.scene, self.people[SAVER]
        claim = self.dollars(CASH[SAVER]) * WITHDRAWN // 1_000 // UNIT_WAD * UNIT_WAD
        totals = scene.totals()
        paid = claim * totals.tokens // (totals.tokens + totals.deficit) // UNIT_WAD * UNIT_WAD
        args = (person.account, claim // UNIT_WAD, person.address)
        events = scene.send(person.sender, self.venue.ledger, "withdraw", *args)
        happened = {
            "paid": only(events, "Paid")["paid"],
            "ticket": only(events, "TicketIssued")["unpaid"],
        }
        predicted = {"paid": paid, "ticket": claim - paid}
        scene.compare(person.account, "withdrawal", predicted, happened)
        scene.tell(
            events,
            "withdrawal",
            "TicketIssued",
            SAVER,
            "Somebody who traded nothing withdraws at h < 1 and gets a ticket for the rest.",
            {"claim": claim, **happened},
        )
        self.ratios.append(("a withdrawal", scene.totals().ratio))

    def restore(self) -> None:
        """Fees first restore D_h and tickets alike, then the fund: the smallest pot first."""
        venue = self.venue
        names = venue.symbols | {INTEREST: "interest"}
        for market in pots(venue):
            self.sweep(market, names[market])

    def collect(self) -> None:
        """The ticket is paid."""
        scene, venue, person = self.scene, self.venue, self.people[SAVER]
        left, owed = venue.ask(venue.custody, "ticket_of", person.account)
        scene.compare(person.account, "ticket left", {"left": 0}, {"left": left})
        args = (person.account, person.address)
        events = scene.send(person.sender, venue.custody, "collect_ticket", *args)
        amount = only(events, "TicketPaid")["amount"]
        scene.compare(person.account, "ticket", {"amount": owed}, {"amount": amount})
        scene.send(venue.bank, venue.custody, "release", SETTLEMENT, person.address)
        scene.tell(
            events,
            "ticket",
            "TicketPaid",
            SAVER,
            "Who left collects what was restored to the ticket.",
            {"paid": amount},
        )

    # --- parts of scenes -------------------------------------------------------------------------

    def resolve(self, name: str, kind: str, what: str) -> None:
        """Anybody calls; what the lens said is compared, who paid is noted."""
        scene, venue = self.scene, self.venue
        account = self.people[name].account
        lens, cash = scene.waterfall(account), scene.cash(account)
        size = 0 if lens.to_vault else scene.size(account)
        cut = scene.deleveraging(size, lens.deficit)
        events = scene.send(venue.bank, venue.liquidator, "resolve", account)
        happened = after_resolution(events)
        scene.compare(account, kind, of_resolution(lens), happened)
        market = venue.staged
        paid = Account(
            name=name,
            step=happened["step"],
            loss=happened[f"loss {market}"],
            reward=happened["reward"],
            to_vault=happened[f"payment {market}"],
            own=cash - happened["left"],
            sold=self.sold.get(name, 0),
            returned=happened["left"],
            deficit=happened["deficit"],
            insured=happened["insured"],
            charged=happened["charged"],
            socialised=happened["socialised"],
        )
        self.accounts.append(paid)
        said = {part: getattr(cut, part) for part in CUT}
        scene.compare(account, "deleveraging", said, {part: getattr(paid, part) for part in CUT})
        self.tell_resolution(events, kind, what, paid, cut)
        self.ratios.append((f"{name} is resolved", scene.totals().ratio))

    def tell_resolution(
        self, events: list[Happened], kind: str, what: str, paid: Account, cut: Deleveraging
    ) -> None:
        """The step, then each payer by the event that shows it."""
        scene = self.scene
        disposed = {"loss": paid.loss, "payment": paid.to_vault, "reward": paid.reward}
        scene.tell(events, kind, "LegResolved", paid.name, what, disposed)
        own = {"own": paid.own, "returned": paid.returned}
        text = "Funding a. The account itself pays first; what is left stays its own."
        scene.tell(events, "account", "AccountResolved", paid.name, text, own)
        rows = (
            ("insurance", "ShortfallCovered", "b. The fund pays, up to the bucket.", paid.insured),
            ("charge", "Deleveraged", _charge_of(cut), paid.charged),
            ("socialised", "Socialised", "d. What is left becomes D_h.", paid.socialised),
        )
        for each, event, text, amount in rows:
            if amount:
                scene.tell(events, each, event, paid.name, f"Funding {text}", {"paid": amount})

    def sweep(self, market: int, name: str) -> None:
        """Fees of a market; what they restore is what FORMULAS 8 says."""
        scene, venue = self.scene, self.venue
        before = scene.totals()
        income = fees_in(venue, market)
        events = scene.send(venue.bank, venue.ledger, "sweep", market)
        predicted, happened = restored(before, income), _restored(events)
        after = scene.totals()
        happened["fund"] = after.insurance - before.insurance
        happened["ended"] = before.deficit - after.deficit - happened["deficit"]
        scene.compare(0, f"sweep {name}", predicted, happened)
        is_owed = before.deficit + before.tickets > 0
        scene.tell(
            events,
            "restoration" if is_owed else "fees",
            "Restored" if is_owed else "IncomeNoted",
            name,
            "Fees are swept, worth h: first to D_h and tickets, alike, then to the insurance fund."
            if is_owed
            else "Fees are swept: nothing is owed, so they fill the market's bucket.",
            happened,
        )
        self.ratios.append((f"fees of {name} are swept", scene.totals().ratio))

    def dollars(self, thousandths: int) -> int:
        """[USD wad] for each unit of Q, whole token units."""
        return self.size * thousandths // 1_000 // UNIT_WAD * UNIT_WAD

    def part(self, thousandths: int) -> int:
        """Of Q [base wad]."""
        return self.size * thousandths // 1_000 // SIZE_UNIT * SIZE_UNIT


def _charge_of(cut: Deleveraging) -> str:
    """What every short bears alike."""
    return (
        f"c. Every short is cut by {cut.cut / 1e4:.1f} % at the mark and charged, which makes "
        f"{cut.price / WAD:.2f} a unit."
    )


def restored(before: Totals, claim: int) -> Numbers:
    """What sweeping fees does (FORMULAS 8). [USD wad]

    Fees are a claim like any other and worth as much, F = claim·h: the rest of the claim ends, and
    D_h with it. F·R/(D_h + R) goes to the tickets, the rest to D_h, what is over to the fund.
    """
    income, deficit = claim, before.deficit
    if deficit:
        income = claim * before.tokens // (before.tokens + deficit)
        deficit -= claim - income
    owed = deficit + before.tickets
    used = min(income, owed)
    tickets = used * before.tickets // owed if used else 0
    fund = income - used
    return {"deficit": used - tickets, "tickets": tickets, "fund": fund, "ended": claim - income}


def _restored(events: list[Happened]) -> Numbers:
    values = [each.values for each in events if each.name == "Restored"]
    return {
        "deficit": sum(each["deficit"] for each in values),
        "tickets": sum(each["tickets"] for each in values),
    }
