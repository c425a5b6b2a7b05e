"""Twin of Clearinghouse.vy: the ledger. Knows who owns what; sets no rate.

Who may call is not modelled: owners, gateways' numbers and the liquidator are the caller's matter.
Accounts are any integers. Tokens moved are not modelled; amounts of the settlement token are in its
own units outside, in USD wad inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from oracle.engine import interest, outflow, positions
from oracle.engine.custody import Custody
from oracle.engine.effective_time import PAUSED, REDUCE_ONLY, SETTLING
from oracle.engine.margin import ABOVE_BIT, Basis, Holding, Leg, Margin
from oracle.engine.positions import NEW_MARKET, Change, Finals, Held, Market
from oracle.engine.risk_engine import Quote, RiskEngine
from oracle.engine.rounding import mul_div_ceil, positive, wad_mul_ceil
from oracle.engine.sides import FLAT, MIN_SIDE, Position
from oracle.engine.units import PPM, RAY, WAD, Usd, require

UNOPENED: Final = 0
CROSS: Final = 1
ISOLATED: Final = 2
MAX_MARKETS: Final = 16  # of one account
MARKET_IDS: Final = 32
SPARE: Final = 1  # bit of ranges that is kept for positions that change hands
MAX_SIZE: Final = 2**110
MAX_CASH: Final = 2**103
FLOOR_UNIT: Final = 100  # [ppm]
MAX_INTEREST: Final = 10**27 // interest.YEAR  # [ray per second] 100 % a year
INTEREST: Final = 32  # the protocol's income that is no market's
MAKER_REDUCES: Final = 1
TAKER_REDUCES: Final = 2


@dataclass(frozen=True, slots=True)
class Account:
    """One account's word."""

    cash: int = 0  # [USD wad] settled
    mode: int = UNOPENED
    floor: int = 0  # [ppm] own minimum initial margin rate
    gateways: int = 0  # bit g: gateway g may trade for the account
    tokens: int = 0  # bit t: holds collateral token t
    markets: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Book:
    """What the risk engine is asked about; cash counts interest and legs without a size."""

    cash: int
    floor: int
    mode: int
    legs: tuple[Leg, ...]
    holdings: tuple[Holding, ...]


@dataclass(frozen=True, slots=True)
class Fill:
    """A trade."""

    price: int  # [USD wad]
    maker_fee: int  # [USD wad]
    taker_fee: int  # [USD wad]


@dataclass(frozen=True, slots=True)
class ClosedLeg:
    """A leg closed at mark: what it was, and its loss."""

    market: int
    size: int  # [base wad] as it was
    loss: int  # [USD wad] w_m = max(0, -V)
    g: int  # [USD wad] mark less funding, the index it closed at


@dataclass(frozen=True, slots=True)
class PositionView:
    """A position as the ledger shows it."""

    scaled: int
    z: int
    epoch: int
    size: int
    base: int


@dataclass(frozen=True, slots=True)
class Party:
    """One account's side of a trade, kept for its gate."""

    account: int
    state: Account
    cash_before: int
    change: Change


@dataclass(frozen=True, slots=True)
class Interest:
    """The index J of interest on negative cash."""

    rate: int = 0  # [ray per second]
    index: int = 0  # [ray] J at `at`
    at: int = 0  # [s] effective


@dataclass(slots=True)
class LedgerState:
    """All the ledger stores."""

    interest: Interest = Interest()
    interest_collected: int = 0  # [USD wad]
    accounts: dict[int, Account] = field(default_factory=dict)
    indices: dict[int, int] = field(default_factory=dict)  # J0 of accounts with negative cash
    positions: dict[tuple[int, int], Position] = field(default_factory=dict)  # (account, market)
    markets: dict[int, Market] = field(default_factory=dict)
    finals: dict[int, Finals] = field(default_factory=dict)  # market -> ended epochs
    gap_bounds: dict[int, int] = field(default_factory=dict)  # of invariant 3; not the contract's


class Clearinghouse:
    """Collateral, cash, positions, side indices."""

    def __init__(self, engine: RiskEngine, custody: Custody) -> None:
        self.engine = engine
        self.custody = custody
        self.unit = custody.settlement_unit  # [USD wad] of one unit of the settlement token
        custody.ledger = self
        self.state = LedgerState()

    # --- owners of accounts ----------------------------------------------------------------------

    def open_account(self, account: int, mode: int, gateways: int = 1) -> None:
        """Open a subaccount, or change the mode of an empty one."""
        require(mode in (CROSS, ISOLATED), "mode")
        state = self._load(account)
        is_empty = state.cash == 0 and state.tokens == 0 and not state.markets
        require(is_empty, "not empty")
        self._configure(account, replace(state, mode=mode), gateways, 0)

    def configure(self, account: int, gateways: int, floor: int) -> None:
        """Which gateways may trade (bits), and the least initial margin asked of oneself [ppm]."""
        self._configure(account, self._load_open(account), gateways, floor)

    def deposit(self, account: int, amount: int) -> None:
        """Put settlement tokens into any opened account; credits face."""
        state = self._load_open(account)
        outflow.check_amount(amount)
        wad = amount * self.unit
        self._store(account, replace(state, cash=state.cash + wad))
        self.custody.take_in(wad)

    def withdraw(self, account: int, amount: int, receiver: int) -> int:
        """Take settled cash out, down to initial margin.

        Returns what left [USD wad]: the claim times h, as far as the outflow bucket has room.
        """
        state = self._load_open(account)
        outflow.check_amount(amount)
        claim = amount * self.unit
        state = replace(state, cash=state.cash - claim)
        self._store(account, state)
        self._check_outflow(account, state)
        return self.custody.pay_claim(account, receiver, claim)

    def transfer(self, giver: int, taker: int, amount: int) -> None:
        """Move settled cash between accounts, down to initial margin [USD wad]."""
        state = self._load_open(giver)
        outflow.check_amount(amount)
        self._check_outflow(giver, self._move_cash(giver, state, taker, amount))

    # --- anyone ----------------------------------------------------------------------------------

    def sweep(self, market: int) -> None:
        """Pass a market's fees on, or the interest collected (32)."""
        if market == INTEREST:
            income, self.state.interest_collected = self.state.interest_collected, 0
        else:
            stored = self.market(market)
            income = stored.fees
            self.state.markets[market] = replace(stored, fees=Usd(0))
        self.custody.distribute(market, income)

    def collect(self, account: int, market: int) -> None:
        """Pay out a position of an ended epoch, or one too small to have a size, into cash."""
        state = self._load_open(account)
        change = self._close_out(account, market, 0)
        require(change.before == 0, "size")
        state = _without_market(state, market)
        self._store(account, replace(state, cash=state.cash + change.realised))

    # --- gateways --------------------------------------------------------------------------------

    def trade(
        self,
        maker: int,
        taker: int,
        market: int,
        size: int,
        price: int,
        reduce: int = 0,
        gateway: int = 0,
    ) -> Fill:
        """The maker's position changes by ``size`` (signed), the taker's by the opposite.

        reduce bits: 1 the maker only reduces, 2 the taker only reduces.
        """
        _check_size(maker, taker, size)
        require(0 <= market < MARKET_IDS, "market")
        quote = self.engine.quote(market)
        require(quote.state & PAUSED == 0, "paused")
        price = _price_of(quote, price, maker_buys=size > 0)
        notional = wad_mul_ceil(abs(size), price)
        maker_fee = mul_div_ceil(notional, quote.maker_fee, PPM)
        taker_fee = mul_div_ceil(notional, quote.taker_fee, PPM)
        before = positions.open_interest(self.market(market))
        g = price - quote.funding
        buyer = self._move(maker, gateway, market, size, g, maker_fee)
        seller = self._move(taker, gateway, market, -size, g, taker_fee)
        after = positions.open_interest(self.market(market))
        self._put_market(market, *positions.settle_if_spent(self.market(market), g))
        if quote.state & ~PAUSED:
            reduce = MAKER_REDUCES | TAKER_REDUCES
        self._check_party(buyer, market, quote, must_reduce=bool(reduce & MAKER_REDUCES))
        self._check_party(seller, market, quote, must_reduce=bool(reduce & TAKER_REDUCES))
        _check_open_interest(before, after, quote)
        return Fill(price, maker_fee, taker_fee)

    # --- custody ---------------------------------------------------------------------------------

    def note_collateral(self, account: int, tokens: int) -> None:
        """Which tokens an account holds now, as bits."""
        state = self._load_open(account)
        require(state.mode == CROSS, "mode")
        self._store(account, replace(state, tokens=tokens))

    def check_outflow(self, account: int) -> None:
        """Refuse unless value may leave the account as it stands."""
        self._check_outflow(account, self.account(account))

    # --- the liquidator --------------------------------------------------------------------------

    def take_over(
        self, giver: int, taker: int, market: int, size: int, price: int, fee: int
    ) -> int:
        """Move part of a leg to another account at a price; the giver pays the market a fee.

        Returns what the giver realised, before the fee [USD wad].
        """
        quote = self.engine.quote(market)
        g = price - quote.funding
        gone = self._change(giver, self._load_open(giver), market, -size, g, fee, SPARE).change
        require(_reduces(gone), "size")
        party = self._pass_on(giver, taker, market, size, g, 0)
        margin = self.assess(Basis.LIVE, self._book(taker, party.state))
        _check_bound(margin, market)
        _check_initial(margin)
        return gone.realised

    def pay_for_collateral(self, buyer: int, seller: int, payment: int) -> None:
        """Move cash of a buyer of collateral to its seller; the buyer keeps initial margin."""
        state = self._load_open(buyer)
        require(state.mode == CROSS, "mode")
        state = self._move_cash(buyer, state, seller, payment)
        require(state.cash >= 0, "cash")
        _check_initial(self.assess(Basis.LIVE, self._book(buyer, state)))

    def reward(self, account: int, receiver: int, amount: int) -> None:
        """Set a part of an account's cash apart for who resolved it [USD wad]."""
        state = self.state.accounts[account]
        self._store_closing(account, replace(state, cash=state.cash - amount))
        self.custody.credit(receiver, amount)

    def close_at_mark(
        self,
        account: int,
        keep: frozenset[int],
        owner: int | None = None,
        payments: Sequence[int] = (),
    ) -> tuple[int, list[ClosedLeg]]:
        """Close legs at mark into cash; the sides are out of balance until `deleverage`.

        Markets to ``keep`` stay. An ``owner`` (his first account) takes the legs over instead, that
        of market m into his account m, and is paid for each [USD wad]. Returns the account's cash
        after, and what was closed.
        """
        state = self._load_open(account)
        closed: list[ClosedLeg] = []
        for market in state.markets:
            if market in keep:
                continue
            g = self.engine.quote(market).g
            change = self._close_out(account, market, g)
            state = _without_market(state, market)
            state = replace(state, cash=state.cash + change.realised)
            if change.before == 0:
                continue
            if owner is not None:
                payment = payments[len(closed)]
                state = replace(state, cash=state.cash - payment)
                self._pass_on(account, owner | market, market, change.before, g, payment)
            closed.append(_closed_leg(market, change, g))
        self._store_closing(account, state)
        return state.cash, closed

    def deleverage(self, market: int, size: int, charge: int, g: int, *, is_long: bool) -> None:
        """Cut a side by the ``size`` of legs closed at g (0: none), and charge it."""
        before = self.market(market)
        cut, finals = positions.cut(before, size, charge, g, is_long=is_long)
        self._put_market(market, cut, finals)
        self._allow_gap(market, before.side(is_long=is_long).total // RAY + 1)

    def write_off(self, account: int, forgiven: int, socialised: int) -> None:
        """Forgive cash of an account just closed; ``socialised`` becomes D_h [USD wad]."""
        state = self.state.accounts[account]
        state = replace(state, cash=state.cash + forgiven)
        require(state.cash <= 0, "cash")
        self._store(account, state)
        if socialised:
            self.custody.socialise(socialised)

    # --- governance ------------------------------------------------------------------------------

    def settle_market(self, market: int) -> None:
        """End both epochs of a reduce-only market at its mark."""
        quote = self.engine.quote(market)
        require(quote.state == REDUCE_ONLY, "not reduce-only")
        settled, finals = positions.settle(self.market(market), quote.g)
        self._put_market(market, settled, finals)

    def set_interest_rate(self, rate: int) -> None:
        """Rate on negative cash [ray per second]."""
        require(rate <= MAX_INTEREST, "rate")
        now = self.engine.now
        self.state.interest = Interest(rate=rate, index=self.index_at(now), at=now)

    # --- views -----------------------------------------------------------------------------------

    def account(self, account: int) -> Account:
        """An account as of now, interest included."""
        state = self.state.accounts.get(account, Account())
        return replace(state, cash=state.cash - self.interest_due(account))

    def book(self, account: int) -> Book:
        """What the risk engine is asked about."""
        return self._book(account, self.account(account))

    def held(self, account: int, market: int) -> Held:
        """A position as it stands."""
        position = self.state.positions.get((account, market), FLAT)
        return positions.held(position, self.market(market), self.finals(market))

    def position(self, account: int, market: int) -> PositionView:
        """A position as the contract shows it."""
        held = self.held(account, market)
        position = held.position
        return PositionView(position.scaled, position.z, position.epoch, held.size, held.base)

    def market(self, market: int) -> Market:
        """Both sides of a market."""
        return self.state.markets.get(market, NEW_MARKET)

    def finals(self, market: int) -> Finals:
        """K at the end of each ended epoch of a market."""
        return self.state.finals.get(market, {})

    def assess(self, basis: Basis, book: Book) -> Margin:
        """The engine's answer for a book."""
        return self.engine.assess(basis, book.cash, book.floor, book.legs, book.holdings)

    def margin(self, basis: Basis, account: int) -> Margin:
        """The engine's answer for an account."""
        return self.assess(basis, self.book(account))

    def index_at(self, now: int) -> int:
        """J [ray]"""
        accrued = self.state.interest
        return interest.accrued_index(accrued.index, accrued.rate, now - accrued.at)

    def interest_due(self, account: int) -> Usd:
        """Interest an account owes and has not booked yet [USD wad]."""
        cash = self.state.accounts.get(account, Account()).cash
        if cash >= 0:
            return Usd(0)
        return interest.owed(cash, self.index_at(self.engine.now), self.state.indices[account])

    # --- internals: accounts ---------------------------------------------------------------------

    def _load(self, account: int) -> Account:
        """Accrues: the interest moves from the account to the protocol."""
        self.state.interest_collected += self.interest_due(account)
        return self.account(account)

    def _load_open(self, account: int) -> Account:
        state = self._load(account)
        require(state.mode != UNOPENED, "not opened")
        return state

    def _configure(self, account: int, state: Account, gateways: int, floor: int) -> None:
        require(0 <= gateways < 256, "gateway")
        require(0 <= floor <= PPM and floor % FLOOR_UNIT == 0, "floor")
        self._store(account, replace(state, gateways=gateways, floor=floor))

    def _store(self, account: int, state: Account) -> None:
        if state.cash < 0:
            self.state.indices[account] = self.index_at(self.engine.now)
        self._store_word(account, state)

    def _store_closing(self, account: int, state: Account) -> None:
        """Negative cash where nothing else is left is forgiven before the call ends."""
        if state.markets or state.tokens:
            self._store(account, state)
        else:
            self._store_word(account, state)

    def _store_word(self, account: int, state: Account) -> None:
        """Without J0: where negative cash is forgiven before the call ends."""
        require(-MAX_CASH <= state.cash < MAX_CASH, "cash range")
        self.state.accounts[account] = state

    def _book(self, account: int, state: Account) -> Book:
        cash, legs = state.cash, []
        for market in state.markets:
            held = self.held(account, market)
            if held.size == 0:
                cash += held.base
            else:
                interest_ = positions.open_interest(self.market(market))
                legs.append(Leg(market, held.size, held.base, interest_))
        holdings = self.custody.holdings(account) if state.tokens else []
        return Book(cash, state.floor, state.mode, tuple(legs), tuple(holdings))

    def _check_outflow(self, account: int, state: Account) -> None:
        """After value left: E_im >= IM, nothing it holds settles, cash is not negative."""
        require(state.cash >= 0, "cash")
        margin = self.assess(Basis.INITIAL, self._book(account, state))
        require(margin.state & PAUSED == 0, "paused")
        require(margin.state & SETTLING == 0, "settling")
        _check_initial(margin)

    # --- internals: cash -------------------------------------------------------------------------

    def _move_cash(self, giver: int, state: Account, taker: int, amount: int) -> Account:
        """Returns the giver's state; the gate is the caller's."""
        require(giver != taker, "same account")
        state = replace(state, cash=state.cash - amount)
        self._store(giver, state)
        other = self._load_open(taker)
        self._store(taker, replace(other, cash=other.cash + amount))
        return state

    # --- internals: positions --------------------------------------------------------------------

    def _put_market(self, market: int, state: Market, finals: Finals) -> None:
        self.state.markets[market] = state
        if finals:
            self.state.finals[market] = {**self.finals(market), **finals}

    def _allow_gap(self, market: int, wei: int) -> None:
        self.state.gap_bounds[market] = self.state.gap_bounds.get(market, 0) + wei

    def _move(self, account: int, gateway: int, market: int, delta: int, g: int, fee: int) -> Party:
        state = self._load_open(account)
        require(state.gateways >> gateway & 1 == 1, "not opted in")
        return self._change(account, state, market, delta, g, fee)

    def _change(
        self,
        account: int,
        state: Account,
        market: int,
        delta: int,
        g: int,
        fee: int,
        spare: int = 0,
    ) -> Party:
        """Writes position, market and account."""
        position = self.state.positions.get((account, market), FLAT)
        change = positions.change(
            position, self.market(market), self.finals(market), delta, g, spare
        )
        self.state.positions[account, market] = change.position
        self.state.markets[market] = change.market.booked(change.net, fee)
        self._allow_gap(market, 2)
        after = _without_market(state, market)
        if change.position.scaled != 0:
            after = _with_market(state, market)
        after = replace(after, cash=state.cash + change.realised - fee)
        self._store(account, after)
        return Party(account, after, state.cash, change)

    def _close_out(self, account: int, market: int, g: int) -> Change:
        position = self.state.positions.get((account, market), FLAT)
        change = positions.close_out(position, self.market(market), self.finals(market), g)
        self.state.positions[account, market] = FLAT
        self.state.markets[market] = change.market.booked(change.net, 0)
        self._allow_gap(market, 1)
        return change

    def _pass_on(
        self, giver: int, taker: int, market: int, size: int, g: int, payment: int
    ) -> Party:
        """What the giver gave up opens for the taker, who is paid to take it.

        Netting may take the last pair of a cut market.
        """
        require(giver != taker, "self trade")
        state = self._load_open(taker)
        state = replace(state, cash=state.cash + payment)
        party = self._change(taker, state, market, size, g, 0, SPARE)
        if party.change.before * size < 0:
            self._put_market(market, *positions.settle_if_spent(self.market(market), g))
        return party

    # --- internals: gates ------------------------------------------------------------------------

    def _check_party(self, party: Party, market: int, quote: Quote, *, must_reduce: bool) -> None:
        """E_im >= IM, or reduced without flipping with E' >= 0 and E'·MM >= E·MM'."""
        reduces = _reduces(party.change)
        sides = party.change.market
        is_cut = sides.long.cut or sides.short.cut
        _check_minimum(party.change.after, quote.min_size, may_leave_dust=reduces and is_cut)
        book = self._book(party.account, party.state)
        margin = self.assess(Basis.INITIAL, book)
        if not reduces:
            require(not must_reduce, "reduce only")
            require(margin.state & SETTLING == 0, "settling")
            _check_bound(margin, market)
            _check_initial(margin)
        elif margin.equity < margin.requirement:
            self._check_reduction(party, book, market)

    def _check_reduction(self, party: Party, book: Book, market: int) -> None:
        """Puts the leg back as it was to learn E and MM before."""
        after = self.assess(Basis.MAINTENANCE, book)
        leg = Leg(market, party.change.before, party.change.base_before, 0)
        others = tuple(other for other in book.legs if other.market != market)
        cash = book.cash + party.cash_before - party.state.cash
        before = self.assess(Basis.MAINTENANCE, replace(book, cash=cash, legs=(*others, leg)))
        require(improves(before, after), "margin")


def improves(before: Margin, after: Margin) -> bool:
    """E' >= 0 and E'·MM >= E·MM' (FORMULAS 5)."""
    return (
        after.equity >= 0 and after.equity * before.requirement >= before.equity * after.requirement
    )


def _check_initial(margin: Margin) -> None:
    require(margin.equity >= margin.requirement, "initial margin")


def _check_bound(margin: Margin, market: int) -> None:
    require(margin.state >> (ABOVE_BIT + market) & 1 == 0, "above last bound")


def _reduces(change: Change) -> bool:
    """Towards zero, not through it."""
    same_side = change.after == 0 or (change.after > 0) == (change.before > 0)
    return abs(change.after) < abs(change.before) and same_side


def _check_minimum(size: int, min_size: int, *, may_leave_dust: bool) -> None:
    """What remains is nothing, what rounding on a cut market left, or at least the minimum."""
    least = MIN_SIDE if may_leave_dust else 1
    require(abs(size) < least or abs(size) >= min_size, "below minimum")


def _check_size(maker: int, taker: int, size: int) -> None:
    require(size != 0 and abs(size) < MAX_SIZE, "size")
    require(maker != taker, "self trade")


def _check_open_interest(before: int, after: int, quote: Quote) -> None:
    """OI' <= max(OI, H), USD at mark."""
    if after > before and quote.open_interest_cap is not None:
        require(after * quote.mark <= quote.open_interest_cap * WAD, "open interest")


def _price_of(quote: Quote, price: int, *, maker_buys: bool) -> int:
    """The order's price within the band; while settling the mark, if the order allows it."""
    if quote.state & SETTLING:
        require(price == quote.mark or (price > quote.mark) == maker_buys, "limit")
        return quote.mark
    require(abs(price - quote.mark) * PPM <= quote.mark * quote.band, "price band")
    return price


def _closed_leg(market: int, change: Change, g: int) -> ClosedLeg:
    return ClosedLeg(market, change.before, positive(-positions.value_of(change, g)), g)


def _with_market(state: Account, market: int) -> Account:
    """Appends; unchanged where the list has it."""
    markets = state.markets if market in state.markets else (*state.markets, market)
    require(len(markets) <= MAX_MARKETS, "too many")
    require(state.mode != ISOLATED or len(markets) == 1, "isolated")
    return replace(state, markets=markets)


def _without_market(state: Account, market: int) -> Account:
    """The order of the others stays."""
    return replace(state, markets=tuple(m for m in state.markets if m != market))
