"""Twin of Liquidator.vy: the rules of the waterfall (DESIGN 8). Holds no money.

Step 0 sells collateral, step 1 lets a liquidator take part of a leg, step 2 hands the whole book
to the backstop vault, step 3 closes it at mark against the opposite sides; then the hole is split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from oracle.engine import auctions, liquidation, waterfall
from oracle.engine.auctions import STOPPED, AuctionClock, State
from oracle.engine.chain import Chain
from oracle.engine.clearinghouse import Book, Clearinghouse, ClosedLeg, improves
from oracle.engine.effective_time import NO_NEW_RISK, UNKNOWN
from oracle.engine.insurance import INTEREST, InsuranceFund
from oracle.engine.liquidation import AuctionTerms
from oracle.engine.margin import Basis, Margin
from oracle.engine.risk_engine import RiskEngine
from oracle.engine.rounding import mul_div_ceil, positive, wad_mul_ceil
from oracle.engine.units import PPM, WAD, Usd, require
from oracle.engine.vault import BackstopVault
from oracle.engine.waterfall import Surety

MIN_DURATION, MAX_DURATION = 60, 4 * 3_600  # [s]
MAX_TAIL = 86_400  # [s]
MIN_DEFICITS = (10**18, 10**24)  # [USD wad]
MAX_REWARD = 10**19  # [USD wad]
FEE_LIMIT = 666_666  # [ppm] of calm MMR_0
WAITS = UNKNOWN | NO_NEW_RISK
COLLATERAL_DUST = WAD  # [USD wad] of all collateral at the mark, which holds up no legs


@dataclass(frozen=True, slots=True)
class Parameters:
    """The auction's terms, and when an uncovered deficit begins an aftermath."""

    terms: AuctionTerms
    min_deficit: int = 10**20  # [USD wad]
    reward: int = 0  # [USD wad] the caller of `resolve` gets at most this


@dataclass(frozen=True, slots=True)
class Case:
    """One account under liquidation, as a call found it."""

    account: int
    now: int
    clock: AuctionClock  # as it stands now
    book: Book
    margin: Margin  # maintenance


@dataclass(frozen=True, slots=True)
class Offer:
    """A leg and what it can be taken for."""

    size: int  # [base wad] the whole leg, signed
    mark: int  # [USD wad]
    price: int  # [USD wad]
    fee: int  # [ppm]
    least: int  # [base wad]
    most: int  # [base wad]
    min_size: int  # [base wad]


@dataclass(frozen=True, slots=True)
class Sale:
    """Collateral and what it can be had for."""

    most: int  # [wad]
    price: int  # [USD wad] after the discount
    discount: int  # [ppm]
    haircut: int  # [ppm]
    debt: int  # [USD wad]


@dataclass(frozen=True, slots=True)
class Resolved:
    """Steps 2 and 3: deficit = insured + charged + socialised."""

    cash: int  # [USD wad] after the close, the vault's payment and the reward
    reward: int
    deficit: int
    insured: int
    charged: int
    socialised: int


@dataclass(slots=True)
class LiquidatorState:
    """All the liquidator stores."""

    parameters: Parameters
    clocks: dict[int, AuctionClock] = field(default_factory=dict)
    sureties: dict[tuple[int, bool], Surety] = field(default_factory=dict)  # (market, is_long)


class Liquidator:
    """When an account may be acted upon, at what price, and who pays a hole."""

    def __init__(
        self,
        chain: Chain,
        engine: RiskEngine,
        ledger: Clearinghouse,
        fund: InsuranceFund,
        vault: BackstopVault,
        parameters: Parameters,
    ) -> None:
        self.chain = chain
        self.engine = engine
        self.ledger = ledger
        self.fund = fund
        self.vault = vault
        _check_parameters(parameters)
        self.state = LiquidatorState(parameters=parameters)

    # --- anyone ----------------------------------------------------------------------------------

    def poke(self, account: int) -> State:
        """Start, stop or let run the auction clock of an account; returns its state."""
        case = self._open_case(account)
        self._store_clock(account, case.clock)
        return self._state_of(case)

    def take(self, account: int, market: int, size: int, taker: int, limit_price: int) -> int:
        """Step 1: take part of a position; returns the size taken."""
        require(taker != account, "same account")
        case = self._open_case(account)
        offer = self._offer_of(case, market)
        size = min(size, offer.most)
        _check_take(size, offer)
        is_long = offer.size > 0
        within = offer.price <= limit_price if is_long else offer.price >= limit_price
        require(within, "price limit")
        fee = mul_div_ceil(wad_mul_ceil(size, offer.mark), offer.fee, PPM)
        signed = size if is_long else -size
        self.ledger.take_over(account, taker, market, signed, offer.price, fee)
        after = self.ledger.margin(Basis.MAINTENANCE, account)
        require(improves(case.margin, after), "not improved")
        self._close_case(case, after)
        return size

    def take_collateral(
        self, account: int, token: int, amount: int, taker: int, limit_price: int
    ) -> tuple[int, int]:
        """Step 0: buy collateral for cash; returns the amount [wad] and the payment [USD wad]."""
        require(taker != account, "same account")
        case = self._open_case(account)
        sale = self._sale_of(case, token)
        require(sale.price <= limit_price, "price limit")
        amount = min(amount, sale.most)
        require(amount > 0, "no collateral")
        payment = wad_mul_ceil(amount, sale.price)
        self.ledger.custody.move(account, taker, token, amount)
        self.ledger.pay_for_collateral(taker, account, payment)
        after = self.ledger.margin(Basis.MAINTENANCE, account)
        improved = after.equity >= case.margin.equity
        require(improved or sale.discount > sale.haircut, "not improved")
        self._close_case(case, after)
        return amount, payment

    def resolve(self, account: int, caller: int = 0) -> Resolved:
        """Steps 2 and 3: hand the book to the vault or close it at mark; split the deficit."""
        case = self._open_case(account)
        _check_resolvable(self._state_of(case))
        self._check_collateral(case.book)
        frozen = self._frozen_markets(case)
        is_all = not frozen and not case.book.holdings
        reward = self._reward_of(case)
        payments = self._plan(case, reward) if is_all else []
        taker = self.vault.address if payments else None
        cash, legs = self.ledger.close_at_mark(account, frozen, taker, payments)
        if reward:
            self.ledger.reward(account, caller, reward)
            cash -= reward
        deficit = self._deficit_of(case, cash, is_all=is_all)
        insured, charged = self._settle_legs(legs, deficit, is_taken=bool(payments))
        socialised = deficit - insured - charged
        if deficit > 0:
            self.ledger.write_off(account, deficit, socialised)
        if is_all:
            self._store_clock(account, STOPPED)  # nothing is left to liquidate
        else:
            self._close_case(case, self.ledger.margin(Basis.MAINTENANCE, account))
        return Resolved(cash, reward, deficit, insured, charged, socialised)

    # --- governance ------------------------------------------------------------------------------

    def set_parameters(self, parameters: Parameters) -> None:
        """Replace the auction's parameters; clocks that run keep their elapsed time."""
        _check_parameters(parameters)
        self.state.parameters = parameters

    # --- views -----------------------------------------------------------------------------------

    def account_state(self, account: int) -> State:
        """Who must act; also while paused."""
        return self._state_of(self._case_of(account))

    def auction(self, account: int) -> tuple[bool, int]:
        """Whether the clock runs, and the seconds elapsed on it."""
        clock = self._case_of(account).clock
        return clock.running, clock.elapsed

    def terms(self, account: int, market: int) -> Offer:
        """What `take` would do now."""
        return self._offer_of(self._open_case(account), market)

    def collateral_terms(self, account: int, token: int) -> Sale:
        """What `take_collateral` would do now."""
        return self._sale_of(self._open_case(account), token)

    def debt(self, account: int) -> Usd:
        """max(0, -(cash + ΣV)): what step 0 sells collateral for [USD wad]."""
        return self._debt_of(self.ledger.book(account))

    # --- internals: cases ------------------------------------------------------------------------

    def _open_case(self, account: int) -> Case:
        require(not self.engine.clock()[1], "paused")
        return self._case_of(account)

    def _case_of(self, account: int) -> Case:
        book = self.ledger.book(account)
        margin = self.ledger.assess(Basis.MAINTENANCE, book)
        now = self.engine.now
        stored = self.state.clocks.get(account, STOPPED)
        clock = auctions.touch(stored, margin, now, self.state.parameters.terms)
        return Case(account, now, clock, book, margin)

    def _close_case(self, case: Case, after: Margin) -> None:
        """Leave the clock as the margin after the step demands."""
        terms = self.state.parameters.terms
        self._store_clock(case.account, auctions.touch(case.clock, after, case.now, terms))

    def _store_clock(self, account: int, clock: AuctionClock) -> None:
        self.state.clocks[account] = clock

    def _is_over(self, case: Case) -> bool:
        return case.clock.elapsed >= self.state.parameters.terms.duration

    def _state_of(self, case: Case) -> State:
        initial = self.ledger.assess(Basis.INITIAL, case.book)
        return auctions.state_of(case.margin, initial, is_over=self._is_over(case))

    def _debt_of(self, book: Book) -> Usd:
        """Without its holdings an account's maintenance equity is cash + ΣV."""
        bare = self.ledger.assess(Basis.MAINTENANCE, replace(book, holdings=()))
        return Usd(positive(-bare.equity))

    # --- internals: step 1 -----------------------------------------------------------------------

    def _offer_of(self, case: Case, market: int) -> Offer:
        """Refused where the account is not in step 1."""
        require(auctions.is_short(case.margin), "not liquidatable")
        below = liquidation.is_backstop(case.margin.equity, case.margin.requirement)
        require(not below and not self._is_over(case), "backstop")
        size = sum(leg.size for leg in case.book.legs if leg.market == market)
        require(size != 0, "no position")
        reference = self.engine.reference_of(market)
        require(reference.state & UNKNOWN == 0, "price unknown")
        terms = self.state.parameters.terms
        rate = liquidation.discount(terms, reference.calm_mmr, case.clock.elapsed)
        fee = liquidation.insurance_fee(terms, reference.calm_mmr)
        price = liquidation.take_price(reference.mark, rate, is_long=size > 0)
        enough = self.engine.liquidation_size(
            market, size, case.margin.equity, case.margin.requirement, rate + fee
        )
        minimum = self.engine.quote(market).min_size
        return _offer(size, reference.mark, price, fee, enough, minimum)

    # --- internals: step 0 -----------------------------------------------------------------------

    def _sale_of(self, case: Case, token: int) -> Sale:
        """Refused where the account is not in step 0."""
        require(auctions.is_short(case.margin), "not liquidatable")
        haircut, price, state = self.engine.collateral_terms(token)
        require(state & WAITS == 0, "price unknown")
        duration = self.state.parameters.terms.duration
        discount = liquidation.collateral_discount(case.clock.elapsed, haircut, duration)
        price = liquidation.take_price(price, discount, is_long=True)
        debt = self._debt_of(case.book)
        require(debt > 0, "no debt")
        held = sum(h.amount for h in case.book.holdings if h.token == token)
        most = min(held, mul_div_ceil(debt, WAD, price)) if price else held
        return Sale(most, price, discount, haircut, debt)

    # --- internals: step 3 -----------------------------------------------------------------------

    def _frozen_markets(self, case: Case) -> frozenset[int]:
        """Markets of the account's legs of unknown price; not all may be."""
        if case.margin.state & UNKNOWN == 0:
            return frozenset()
        legs = [leg.market for leg in case.book.legs]
        frozen = [m for m in legs if self.engine.reference_of(m).state & UNKNOWN]
        require(len(frozen) < len(legs) or not frozen, "price unknown")
        return frozenset(frozen)

    def _check_collateral(self, book: Book) -> None:
        """Collateral of known price meets a debt before anyone else does; dust holds up no legs."""
        worth = 0
        for holding in book.holdings:
            _, price, state = self.engine.collateral_terms(holding.token)
            if not state & UNKNOWN:
                worth += mul_div_ceil(holding.amount, price, WAD)
        limit = COLLATERAL_DUST if book.legs else 0
        require(worth <= limit or self._debt_of(book) == 0, "collateral first")

    def _deficit_of(self, case: Case, cash: int, *, is_all: bool) -> Usd:
        """D = max(0, -E) after the close.

        What is left behind, legs and collateral of unknown price, counts at its best: D is what is
        missing whatever that price turns out to be, the rest waits.
        """
        if is_all:
            return Usd(positive(-cash))
        equity = self.ledger.margin(Basis.MAINTENANCE, case.account).equity
        return Usd(min(positive(-equity), positive(-cash)))

    def _reward_of(self, case: Case) -> Usd:
        """What the caller gets: so little that farming it loses."""
        most = self.state.parameters.reward
        if not case.book.legs:
            return Usd(min(most, positive(-case.margin.equity)))
        leg = case.book.legs[0]
        quote = self.engine.quote(leg.market)
        calm = self.engine.reference_of(leg.market).calm_mmr
        fee = liquidation.insurance_fee(self.state.parameters.terms, calm)
        rate = min(fee, quote.maker_fee + quote.taker_fee)
        size = min(abs(leg.size), quote.min_size)
        entry = abs(leg.base) * size // abs(leg.size)
        notional = min(entry, quote.mark * size // WAD)
        return Usd(min(most, notional * rate // PPM // 8))

    def _plan(self, case: Case, reward: int) -> list[int]:
        """Step 2: what the vault is paid for each leg, if its rings take the whole book."""
        if self.vault.owns(case.account):
            return []
        margin = case.margin
        return self.vault.plan(case.book.legs, margin.equity - reward, margin.requirement)

    def _settle_legs(
        self, legs: Sequence[ClosedLeg], deficit: int, *, is_taken: bool
    ) -> tuple[int, int]:
        """Settle each leg's part of the deficit, deleverage where nobody took it.

        Returns Σb and Σc. An aftermath begins before the charge is counted: it takes P_ref anew
        where nothing settled.
        """
        insured = charged = 0
        parts = waterfall.split_deficit(deficit, [leg.loss for leg in legs])
        for leg, part in zip(legs, parts, strict=True):
            paid = self.fund.cover(leg.market, part) if part else 0
            if part - paid > self.state.parameters.min_deficit:
                self.engine.begin_aftermath(leg.market)
            charge = self._charge(leg, part - paid) if part > paid else 0
            size = 0 if is_taken else abs(leg.size)
            if size or charge:
                self.ledger.deleverage(leg.market, size, charge, leg.g, is_long=leg.size < 0)
            insured += paid
            charged += charge
        if deficit and not any(leg.loss for leg in legs):
            insured = self.fund.cover(INTEREST, deficit)
        return insured, charged

    def _charge(self, leg: ClosedLeg, due: int) -> int:
        """c_m: at most what is due, the leg's own loss, and what the opposite side surely owns."""
        return min(due, leg.loss, self._sure_down(leg.market, is_long=leg.size < 0))

    def _sure_down(self, market: int, *, is_long: bool) -> Usd:
        """What a side is still sure to own, by its own index since P_ref (`waterfall.sure_now`)."""
        at = self.engine.reference_of(market)
        side = self.ledger.market(market).side(is_long=is_long)
        surety = self.state.sureties.get((market, is_long), Surety())
        # Kept from the first charge of a round; a side that began a new epoch begins anew.
        turn = (at.round + side.epoch) % 2**32
        if surety.round != turn:
            g = at.reference - at.funding
            owned = waterfall.surety_at(side, at.reference, g, at.calm_mmr, is_long=is_long)
            surety = Surety(turn, owned)
            self.state.sureties[market, is_long] = surety
        return waterfall.sure_now(side, surety.owned, at.mark - at.funding, is_long=is_long)


def _offer(size: int, mark: int, price: int, fee: int, enough: int, minimum: int) -> Offer:
    """Where less than the minimum would remain, the whole leg goes."""
    whole = abs(size)
    enough = min(enough, whole)
    most = whole if whole - enough < minimum else enough
    least = liquidation.least_take(enough, minimum)
    return Offer(size, mark, price, fee, least, most, minimum)


def _check_take(size: int, offer: Offer) -> None:
    """What remains is nothing or the minimum."""
    rest = abs(offer.size) - size
    valid = size > 0 and size >= offer.least
    require(valid and (rest == 0 or rest >= offer.min_size), "size too small")


def _check_resolvable(state: State) -> None:
    require(state is not State.HEALTHY, "healthy")
    require(state is not State.CALLED, "called")
    require(state is not State.LIQUIDATABLE, "auction running")


def _check_parameters(parameters: Parameters) -> None:
    terms = parameters.terms
    low, high = MIN_DEFICITS
    valid = MIN_DURATION <= terms.duration <= MAX_DURATION and 0 <= terms.tail <= MAX_TAIL
    valid = valid and 0 <= terms.discount_min <= terms.discount_max <= PPM
    valid = valid and 0 <= terms.insurance_fee <= PPM
    valid = valid and terms.discount_max + terms.insurance_fee < FEE_LIMIT
    valid = valid and 0 <= parameters.reward <= MAX_REWARD
    require(valid and low <= parameters.min_deficit <= high, "out of range")
