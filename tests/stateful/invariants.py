"""The invariants of DESIGN 13, as checks on what the contracts store and did. Numbers are DESIGN's.

`Checks` is called before and after every transaction; `check_books` after every rule. Margins are
the model's: its words equal the contracts' (13), and `check_views` compares the answers themselves,
a few at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from oracle.engine.auctions import State
from oracle.engine.effective_time import PAUSED, SETTLING, UNKNOWN
from oracle.engine.margin import Basis, Margin
from oracle.engine.units import RAY, WAD

from .driver import Reverted
from .stage import CONFIGS, MARKETS, TOKEN, Outcome, Stage

GAS = 15_000_000
# Everything a long run must have seen; a short one may miss what is rare.
EVENTS = (
    "taken",
    "resolved",
    "vaulted",
    "deleveraged",
    "insured",
    "charged",
    "socialised",
    "rewarded",
    "restored",
    "ticketed",
)
EXTREME_G = 10**28  # |P - F| is never more
UNIT = RAY * WAD
CUT_DUST = 10**12  # [USD wad] what a cut of every market of an account may cost it
# What works while paused (11): collateral in, one's own settings, and governance.
WORKS_PAUSED = {
    "deposit",
    "configure",
    "open_account",
    "unpause",
    "set_reduce_only",
    "set_settlement_doubt",
    "set_schedule",
    "set_interest_rate",
    "set_outflow",
    "collect",
    "collect_ticket",
    "sweep",
    "give_fund",
    "request_deposit",
    "request_redeem",
    "enter",
    "fill_ring",
}


@dataclass(frozen=True)
class Health:
    """E, MM and E_im, IM of an account."""

    maintenance: Margin
    initial: Margin

    @property
    def is_short(self) -> bool:
        return self.maintenance.equity < self.maintenance.requirement


class Checks:
    """What must hold of every transaction."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.turn = 0
        self.seen: tuple[int, int] = (-1, -1)
        self.health: dict[int, Health] = {}
        self.states: dict[int, State] = {}
        self.was_paused = False
        self.solvency = Fraction(1)
        self.amounts = dict.fromkeys(EVENTS, 0)
        stage.before, stage.after = self.before, self.after

    # --- a transaction ----------------------------------------------------------------------------

    def before(self, verb: str) -> None:
        stage = self.stage
        at = (stage.steps, stage.time)
        if self.seen != (at[0] - 1, at[1]) or len(self.health) != len(stage.everyone):
            self.health = self._health()
        self.states = {}
        if verb in ("take", "take_collateral", "resolve"):
            self.states = {a: stage.model.account_state(a) for a in stage.everyone}
        self.was_paused = stage.model.engine.clock()[1]

    def after(self, done: Outcome) -> None:
        if not done.ok:
            self.seen = (self.stage.steps, self.stage.time)
            return
        before = self.health
        self.health = self._health()
        self.seen = (self.stage.steps, self.stage.time)
        assert not self.was_paused or done.verb in WORKS_PAUSED, f"11: {done.verb} while paused"
        self._check_strangers(done, before)
        check = getattr(self, f"_check_{done.verb}", None)
        if check:
            check(done, before)

    def _health(self) -> dict[int, Health]:
        margin = self.stage.model.margin
        return {
            account: Health(margin(Basis.MAINTENANCE, account), margin(Basis.INITIAL, account))
            for account in self.stage.everyone
        }

    def _check_strangers(self, done: Outcome, before: dict[int, Health]) -> None:
        """6, 10, 14: words of others stay, and nobody becomes liquidatable by another's act."""
        accounts = self.stage.everyone
        mine = {accounts.index(a) for a in done.parties if a in accounts}
        for name, value in done.before.items():
            kind, _, rest = name.partition(" ")
            if kind in ("account", "index", "ticket", "collateral", "auction", "position"):
                owner = int(rest.split(" ")[0])
                assert owner in mine or done.after[name] == value, f"6: {done.verb} moves {name}"
        if done.verb == "report" or (done.verb == "resolve" and self._charged(done)):
            return
        # A cut without a charge is at mark: it costs rounding and a reserve a wei of gap, no more.
        dust = CUT_DUST if done.verb == "resolve" else 0
        for account, was in before.items():
            if account not in done.parties and not was.is_short:
                now = self.health[account].maintenance
                is_sound = now.equity + dust >= now.requirement
                assert is_sound, f"14: {done.verb} makes {account} liquidatable: {now}"

    def _charged(self, done: Outcome) -> int:
        (end,) = self.stage.liquidator.logs(done.receipt, "AccountResolved")
        return int(end["charged"])

    # 4, 12

    def _check_withdraw(self, done: Outcome, before: dict[int, Health]) -> None:
        self._check_left(done.parties[0])
        tokens, deficit = done.before["vault tokens"], done.before["owing deficit"]
        (log,) = self.stage.ledger.logs(done.receipt, "Withdrawn") or [None]
        if log:
            unpaid = done.after["owing tickets"] - done.before["owing tickets"]
            paid = log["claim"] - unpaid
            assert paid * (tokens + deficit) <= log["claim"] * tokens, "12: pays above h"
        assert self._ratio(done.after) >= self._ratio(done.before), "12: h falls"

    def _check_transfer(self, done: Outcome, before: dict[int, Health]) -> None:
        self._check_left(done.parties[0])
        assert self._ratio(done.after) == self._ratio(done.before)

    def _check_left(self, account: int) -> None:
        now = self.health[account]
        assert now.initial.equity >= now.initial.requirement, "4: outflow below IM"
        assert not now.is_short, "4: outflow below MM"
        assert now.initial.state & (SETTLING | PAUSED) == 0, "12: outflow while settling"
        assert self.stage.model.ledger.account(account).cash >= 0

    def _check_trade(self, done: Outcome, before: dict[int, Health]) -> None:
        for market in MARKETS:
            was, now = (self._open_interest(words, market) for words in (done.before, done.after))
            cap = CONFIGS[market].hard_cap * WAD * WAD
            if now > was and cap:
                assert now * done.after[f"prices {market} price"] <= cap, "open interest above H"
        for account in done.parties:
            was, now = before[account], self.health[account]
            if now.initial.equity >= now.initial.requirement:
                assert not now.is_short, "4: opened and liquidatable"
            else:
                # Only a reduction may stay below IM, and only where it improves E/MM.
                e, mm = was.maintenance.equity, was.maintenance.requirement
                e2, mm2 = now.maintenance.equity, now.maintenance.requirement
                assert self._reduced(done, account), "4: raised risk below IM"
                assert e2 >= 0, "4: reduced to E < 0"
                assert e2 * mm >= e * mm2, "4: reduced to less E/MM"

    @staticmethod
    def _open_interest(words: dict[str, int], market: int) -> int:
        scale = words[f"cut {market} 1 scale"] if words[f"sides {market} short cut"] else RAY
        return -(-words[f"sides {market} short total"] * scale // RAY)

    def _reduced(self, done: Outcome, account: int) -> bool:
        i = self.stage.everyone.index(account)
        moved = [
            (done.before[name], done.after[name])
            for name in (f"position {i} {m} scaled" for m in MARKETS)
            if done.before[name] != done.after[name]
        ]
        return all(abs(b) < abs(a) and (b == 0 or (a > 0) == (b > 0)) for a, b in moved)

    # 5, 7

    def _check_take(self, done: Outcome, before: dict[int, Health]) -> None:
        account, taker = done.parties
        was, now = before[account].maintenance, self.health[account].maintenance
        assert self.states[account] is State.LIQUIDATABLE, "5: took from a sound account"
        assert now.equity >= 0, "5: take leaves E < 0"
        assert now.equity * was.requirement >= was.equity * now.requirement, "5: E/MM falls"
        live = self.stage.model.margin(Basis.LIVE, taker)
        assert live.equity >= live.requirement, "4: taker below IM"
        self.amounts["taken"] += 1

    def _check_take_collateral(self, done: Outcome, before: dict[int, Health]) -> None:
        account, taker = done.parties
        was, now = before[account].maintenance, self.health[account].maintenance
        assert before[account].is_short, "5: sold a sound account's collateral"
        clock = self.stage.model.liquidator.auction(account)
        if clock[1] <= self.stage.model.liquidator.state.parameters.terms.duration:
            assert now.equity >= was.equity, "5: step 0 lowers E"
        live = self.stage.model.margin(Basis.LIVE, taker)
        assert live.equity >= live.requirement, "4: taker below IM"

    def _check_resolve(self, done: Outcome, before: dict[int, Health]) -> None:
        account = done.parties[0]
        stage = self.stage
        assert self.states[account] >= State.BACKSTOP, "5: resolved too early"
        assert done.receipt.gas <= GAS, "15: gas"
        (end,) = stage.liquidator.logs(done.receipt, "AccountResolved")
        parts = end["insured"] + end["charged"] + end["socialised"]
        assert end["deficit"] == parts, "7: D is not the sum of its parts"
        assert self._grown(done, "owing deficit") == end["socialised"], "7: D_h"
        assert -self._grown(done, "apart insurance") == end["insured"], "7: b"
        assert self._grown(done, "waiting total") == end["reward"], "7: reward"
        assert max(0, -end["cash"]) == end["deficit"] or done.value.deficit == end["deficit"]
        legs = stage.liquidator.logs(done.receipt, "LegResolved")
        self._check_legs(done, legs, end)
        moved = stage.ledger.logs(done.receipt, "TakenOver")
        payments = {move["market"]: move["payment"] for move in moved}
        parts = ("loss", "deficit", "insured", "charged")
        rows = []
        for leg in legs:
            what = (leg["market"], leg["size"], leg["taken"], payments.get(leg["market"], 0))
            rows.append(what + tuple(leg[name] for name in parts))
        paid = [end[name] for name in ("reward", "deficit", "insured", "charged", "socialised")]
        assert stage.predicted == (rows, paid), f"lens: {stage.predicted} for {rows}, {paid}"
        if legs and legs[0]["taken"]:
            self._check_rings(legs)
        self._count(legs, end)
        if before[account].maintenance.state & UNKNOWN == 0:
            state = stage.model.ledger.account(account)
            assert not state.markets, "5: resolution leaves a leg"
            assert state.cash >= 0 or state.tokens, "5: resolution leaves E < 0"

    def _check_legs(self, done: Outcome, legs: list[Any], end: Any) -> None:
        cuts = self.stage.ledger.logs(done.receipt, "Deleveraged")
        assert sum(cut["charge"] for cut in cuts) == end["charged"], "7: charges"
        cut_legs = [leg for leg in legs if not leg["taken"] or leg["charged"]]
        for leg, cut in zip(cut_legs, cuts, strict=True):
            assert leg["charged"] == cut["charge"] <= leg["loss"], "7: charge above the loss"
            assert cut["size"] == (0 if leg["taken"] else abs(leg["size"]))
            assert cut["is_long"] == (leg["size"] < 0)
        for leg in legs:
            assert leg["charged"] + leg["insured"] <= leg["deficit"], "7: leg above its share"
            bucket = done.before[f"fund {leg['market']} filled"]
            assert leg["insured"] <= bucket, "7: fund above the bucket"
            exhausted = leg["insured"] in (leg["deficit"], bucket)
            empty = done.after["apart insurance"] == 0
            assert exhausted or empty, "7: charged before the bucket was empty"

    def _check_rings(self, legs: list[Any]) -> None:
        """4: what the vault took leaves its ring with IM at the live severity."""
        for leg in legs:
            ring = self.stage.model.vault.account_of(leg["market"])
            live = self.stage.model.margin(Basis.LIVE, ring)
            assert live.equity >= live.requirement, "4: ring below IM"

    def _count(self, legs: list[Any], end: Any) -> None:
        for leg in legs:
            self.amounts["vaulted" if leg["taken"] else "deleveraged"] += 1
        for name in ("insured", "charged", "socialised"):
            self.amounts[name] += end[name] > 0
        self.amounts["rewarded"] += end["reward"] > 0
        self.amounts["resolved"] += 1

    @staticmethod
    def _grown(done: Outcome, word: str) -> int:
        return done.after[word] - done.before[word]

    def _check_sweep(self, done: Outcome, before: dict[int, Health]) -> None:
        """Fees restore what is owed first; h does not fall."""
        owed = done.after["owing deficit"] + done.after["owing tickets"]
        gained = self._grown(done, "apart insurance")
        assert owed == 0 or gained == 0, "fund before what is owed"
        restored = -self._grown(done, "owing deficit") - self._grown(done, "owing tickets")
        assert restored >= self._grown(done, "restored") >= 0
        self.amounts["restored"] += restored > 0
        assert self._ratio(done.after) >= self._ratio(done.before), "12: h falls"

    def _check_collect_ticket(self, done: Outcome, before: dict[int, Health]) -> None:
        paid = self._grown(done, "waiting total")
        assert paid == -self._grown(done, "restored") >= 0
        self.amounts["ticketed"] += paid > 0

    def _check_leave(self, done: Outcome, before: dict[int, Health]) -> None:
        assert self._ratio(done.after) >= self._ratio(done.before), "12: h falls"

    # --- after a rule -----------------------------------------------------------------------------

    def check_books(self) -> None:
        """1, 2, 3, 12 on the contracts' words."""
        words = self.stage.words
        marks = {m: words[f"prices {m} price"] - words[f"prices {m} funding"] for m in MARKETS}
        mixed = {m: g // 2 if m % 2 else 3 * g for m, g in marks.items()}
        books = [Books(words, market, len(self.stage.everyone)) for market in MARKETS]
        for vector in (marks, mixed, dict.fromkeys(MARKETS, 7 * WAD)):
            dust = self._dust(books, vector)
            assert dust >= 0, f"1: claims exceed tokens by {-dust} at {vector}"
        for book in books:
            for g in (marks[book.market], -EXTREME_G, EXTREME_G):
                assert book.dust(g) >= 0, f"2: market {book.market} owes {-book.dust(g)} at {g}"
            bound = self.stage.model.ledger.state.gap_bounds.get(book.market, 0)
            assert 0 <= book.gap <= bound, f"3: gap {book.gap} of {bound} in {book.market}"
            assert book.unaccounted == 0, f"sums of side {book.market}"
        own = sum(book.dust(marks[book.market]) for book in books)
        assert self._dust(books, marks) >= own, "2: books and claims differ"
        assert 0 <= self._ratio(words) <= 1

    def _dust(self, books: list[Books], g: dict[int, int]) -> Fraction:
        words = self.stage.words
        claims = sum(words[f"account {i} cash"] for i in range(len(self.stage.everyone)))
        claims += words["collected"] + sum(words[f"tally {m} fees"] for m in MARKETS)
        claims += sum(book.claims(g[book.market]) for book in books)
        return words["vault tokens"] + words["owing deficit"] - claims

    @staticmethod
    def _ratio(words: dict[str, int]) -> Fraction:
        tokens, deficit = words["vault tokens"], words["owing deficit"]
        return Fraction(tokens, tokens + deficit) if deficit else Fraction(1)

    def check_views(self, accounts: int = 1) -> None:
        """8, 13, 15: answers of the contracts, some accounts and one asset a turn."""
        stage = self.stage
        for _ in range(accounts):
            self.turn += 1
            account = stage.everyone[self.turn % len(stage.everyone)]
            self._check_answers(account)
            self._check_resolvable(account)
        asset = list(CONFIGS)[self.turn % len(CONFIGS)]
        s_mm, s_im, d_mm, d_im = stage.engine.call("severity_now", asset)
        at = stage.model.engine.line_of(asset)
        assert (s_mm, s_im, d_mm, d_im) == (
            at.severity_mm,
            at.severity_im,
            at.depth_mm,
            at.depth_im,
        ), "13: clocks"
        assert s_mm <= at.severity <= s_im, "8: severities out of order"
        assert d_im <= at.depth <= d_mm, "8: depths out of order"

    def _check_answers(self, account: int) -> None:
        """13: the book, all three margins and the state."""
        stage, model = self.stage, self.stage.model
        cash, floor, mode, legs, holdings = stage.ledger.call("book", account)
        book = model.ledger.book(account)
        own = tuple((leg.market, leg.size, leg.base, leg.open_interest) for leg in book.legs)
        held = tuple((holding.token, holding.amount) for holding in book.holdings)
        assert (cash, floor, mode, legs, holdings) == (book.cash, book.floor, book.mode, own, held)
        margins = []
        for basis in Basis:
            answer = stage.engine.call("assess", int(basis), cash, floor, legs, holdings)
            margin = model.ledger.assess(basis, book)
            assert answer == fields(margin), f"13: {basis.name} of {account}: {answer}, {margin}"
            margins.append(margin)
        initial, live, maintenance = margins
        assert maintenance.requirement <= live.requirement <= initial.requirement, "8: MM > IM"
        assert stage.liquidator.call("state", account) == model.account_state(account)
        self._check_terms(account)

    def _check_terms(self, account: int) -> None:
        """13: what the auction would do now, reverts included."""
        stage, model = self.stage, self.stage.model
        for market in model.ledger.account(account).markets:
            reason = stage.would(lambda market=market: model.liquidator.terms(account, market))
            if reason is None:
                offer = model.liquidator.terms(account, market)
                elapsed = model.liquidator.auction(account)[1]
                expected = (offer.least, offer.most, offer.price, offer.fee, elapsed)
                assert stage.liquidator.call("terms", account, market) == expected
            else:
                assert refusal(stage, "terms", account, market) == reason

    def _check_resolvable(self, account: int) -> None:
        """15.

        Whoever is past the auction is resolved by anyone, without capital, in half a block.
        """
        stage, model = self.stage, self.stage.model
        _, paused = model.engine.clock()
        if paused or model.account_state(account) < State.BACKSTOP:
            return
        book = model.ledger.book(account)
        if book.holdings and model.liquidator.debt(account) > 0:
            self._check_sellable(account)
            return  # step 0 first
        states = [model.engine.reference_of(leg.market).state & UNKNOWN for leg in book.legs]
        if states and all(states):
            return  # waits for a price
        saved = stage.snapshot()
        receipt = stage.liquidator.send(stage.owner, "resolve", account)
        stage.restore(saved)
        assert receipt.ok, f"15: {account} cannot be resolved: {receipt.reason!r}"
        assert receipt.gas <= GAS, f"15: resolving takes {receipt.gas}"

    def _check_sellable(self, account: int) -> None:
        """15: at twice the auction's length the vault has it for nothing, at anyone's call."""
        stage, model = self.stage, self.stage.model
        if stage.would(lambda: model.liquidator.collateral_terms(account, TOKEN)) is not None:
            return  # waits for a price
        if model.liquidator.collateral_terms(account, TOKEN).price:
            return
        saved = stage.snapshot()
        receipt = stage.vault.send(stage.owner, "take_last", account, TOKEN)
        stage.restore(saved)
        assert receipt.ok, f"15: collateral of {account} cannot be had: {receipt.reason!r}"


class Books:
    """One market from its words, in units of 1/(RAY·WAD) USD wad."""

    def __init__(self, words: dict[str, int], market: int, accounts: int) -> None:
        self.market = market
        self.net = words[f"tally {market} net"]
        self.totals, self.scales, self.credits = [0, 0], [RAY, RAY], [0, 0]
        epochs = [0, 0]
        for short, name in enumerate(("long", "short")):
            self.totals[short] = words[f"sides {market} {name} total"]
            epochs[short] = words[f"sides {market} {name} epoch"]
            if words[f"sides {market} {name} cut"]:
                self.scales[short] = words[f"cut {market} {short} scale"]
                self.credits[short] = words[f"cut {market} {short} credit"]
        self.z = 0  # of live positions
        self.ended = 0  # what ended epochs owe
        sums = [0, 0]
        for i in range(accounts):
            scaled = words[f"position {i} {market} scaled"]
            z, epoch = words[f"position {i} {market} z"], words[f"position {i} {market} epoch"]
            if scaled == 0:
                continue
            short = scaled < 0
            if epoch == epochs[short]:
                sums[short] += abs(scaled)
                self.z += z
            else:
                final = words[f"final {market} {int(short)} {epoch}"]
                self.ended += abs(scaled) * final // RAY - z
        self.unaccounted = self.totals[0] - sums[0] or self.totals[1] - sums[1]

    def sides(self, g: int) -> Fraction:
        """Q^·X of both sides."""
        long = self.totals[0] * (self.credits[0] * WAD + self.scales[0] * g)
        short = self.totals[1] * (self.credits[1] * WAD - self.scales[1] * g)
        return Fraction(long + short, UNIT)

    def claims(self, g: int) -> Fraction:
        return self.sides(g) - self.z + self.ended

    def dust(self, g: int) -> Fraction:
        return -(self.net + self.sides(g))

    @property
    def gap(self) -> Fraction:
        long, short = (self.totals[i] * self.scales[i] for i in (0, 1))
        return Fraction(short - long, RAY)


def refusal(stage: Stage, method: str, *args: Any) -> str:
    """The reason a view of the liquidator reverts with."""
    try:
        stage.liquidator.call(method, *args)
    except Reverted as reverted:
        return str(reverted)
    return "accepted"


def fields(record: Any) -> tuple[Any, ...]:
    return tuple(getattr(record, name) for name in record.__dataclass_fields__)
