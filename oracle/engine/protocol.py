"""The whole protocol as a plain Python reference model, to be run in lock-step with the contracts.

`Protocol` puts the twins of risk engine, clearinghouse, custody and liquidator together. Each verb
is a transaction: where a contract would revert it raises `Refused` and leaves everything as it was.
Who may call is not modelled. `invariants` returns the numbers of DESIGN 13.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final, TypeVar

from oracle.engine import liquidation, positions, sides, solvency
from oracle.engine import margin as margins
from oracle.engine.auctions import State
from oracle.engine.chain import Chain, Stateful, transaction
from oracle.engine.clearinghouse import Clearinghouse, Fill
from oracle.engine.custody import Custody
from oracle.engine.effective_time import SETTLING, PriceRules
from oracle.engine.insurance import InsuranceFund
from oracle.engine.liquidation import AuctionTerms, Exposure
from oracle.engine.liquidator import Liquidator, Parameters, Resolved
from oracle.engine.margin import Basis, Margin
from oracle.engine.prices import Config
from oracle.engine.risk_engine import Clocks, RiskEngine
from oracle.engine.shares import Delays, Shares
from oracle.engine.steward import LinePush, PushRules
from oracle.engine.tiers import TierRow
from oracle.engine.units import PPM, RAY, SETTLEMENT_TOKEN, WAD, Price, Size, require
from oracle.engine.vault import VAULT, BackstopVault

T = TypeVar("T")
EXTREME_G: Final = 10**28  # [USD wad per base] |P - F| is never more


STANDARD_TERMS: Final = AuctionTerms(
    discount_min=50_000, discount_max=350_000, insurance_fee=150_000, duration=600, tail=600
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a deployment fixes."""

    clocks: Clocks = field(default_factory=Clocks)
    price_rules: PriceRules = field(default_factory=PriceRules)
    push_rules: PushRules = field(default_factory=PushRules)
    parameters: Parameters = field(default_factory=lambda: Parameters(STANDARD_TERMS))
    quorum: int = 1
    settlement_unit: int = 10**12  # [USD wad] of one unit of the settlement token
    vault: int = VAULT  # the backstop vault's account 0
    delays: Delays = field(default_factory=Delays)  # of fund and vault


@dataclass(frozen=True, slots=True)
class Invariants:
    """The numbers of DESIGN 13, exact. `failures` names those that do not hold."""

    tokens: int  # [USD wad]
    deficit: int  # D_h
    cash: int  # Σ of all accounts, unbooked interest not deducted
    fees: int
    interest: int
    dust: Fraction  # tokens + D_h - all claims, at the marks
    lowest_dust: Fraction  # the least over extreme prices of each market
    market_dust: Mapping[int, Fraction]  # at the marks, by the markets' own books
    gaps: Mapping[int, Fraction]  # S_eff - L_eff
    gap_bounds: Mapping[int, int]
    unaccounted: Mapping[int, int]  # Q^ of both sides less the positions' own
    solvency: Fraction  # h
    disordered: tuple[int, ...]  # assets whose clocks are not s_mm <= s <= s_im
    inverted: tuple[int, ...]  # accounts with MM > IM

    def failures(self) -> list[str]:
        """Names of the invariants that do not hold."""
        checks = {
            "1 claims exceed tokens": self.lowest_dust < 0 or self.dust < 0,
            "2 a market's books owe": any(dust < 0 for dust in self.market_dust.values()),
            "2 books and claims differ": self.dust < sum(self.market_dust.values()),
            "3 long-short gap": any(
                not 0 <= gap <= self.gap_bounds[market] for market, gap in self.gaps.items()
            ),
            "side totals": any(self.unaccounted.values()),
            "8 clocks out of order": bool(self.disordered),
            "8 MM above IM": bool(self.inverted),
            "12 h out of range": not 0 <= self.solvency <= 1,
        }
        return [name for name, failed in checks.items() if failed]


class Protocol:
    """The contracts' verbs on one chain."""

    def __init__(self, timestamp: int, settings: Settings | None = None) -> None:
        settings = settings or Settings()
        self.chain = Chain(timestamp)
        self.engine = RiskEngine(
            self.chain,
            settings.clocks,
            settings.price_rules,
            settings.push_rules,
            settings.quorum,
        )
        self.custody = Custody(self.chain, self.engine, settings.settlement_unit)
        self.ledger = Clearinghouse(self.engine, self.custody)
        self.fund = InsuranceFund(self.custody)
        self.fund_shares = Shares(self.chain, settings.delays)
        self.vault = BackstopVault(self.engine, self.ledger, settings.vault)
        self.vault_shares = Shares(self.chain, settings.delays)
        self.liquidator = Liquidator(
            self.chain,
            self.engine,
            self.ledger,
            self.fund,
            self.vault,
            settings.parameters,
        )

    @property
    def contracts(self) -> tuple[Stateful, ...]:
        """All that has a state."""
        return (
            self.engine,
            self.custody,
            self.ledger,
            self.liquidator,
            self.fund,
            self.fund_shares,
            self.vault,
            self.vault_shares,
        )

    def advance(self, seconds: int) -> None:
        """Let block time pass."""
        self.chain.timestamp += seconds

    # --- owners of accounts ----------------------------------------------------------------------

    def open_account(self, account: int, mode: int, gateways: int = 1) -> None:
        """1 CROSS, 2 ISOLATED; gateways as bits."""
        self._do(lambda: self.ledger.open_account(account, mode, gateways))

    def configure(self, account: int, gateways: int, floor: int) -> None:
        """Gateways as bits; own minimum initial margin rate [ppm]."""
        self._do(lambda: self.ledger.configure(account, gateways, floor))

    def deposit(self, account: int, token: int, amount: int) -> None:
        """Token units; 255 is the settlement token."""
        if token == SETTLEMENT_TOKEN:
            self._do(lambda: self.ledger.deposit(account, amount))
        else:
            self._do(lambda: self.custody.deposit(account, token, amount))

    def withdraw(self, account: int, token: int, amount: int, receiver: int) -> int:
        """Token units in; returns what left [wad], the rest waits for the receiver."""
        if token == SETTLEMENT_TOKEN:
            return self._do(lambda: self.ledger.withdraw(account, amount, receiver))
        return self._do(lambda: self.custody.withdraw(account, token, amount, receiver))

    def transfer(self, giver: int, taker: int, amount: int) -> None:
        """Settled cash [USD wad]."""
        self._do(lambda: self.ledger.transfer(giver, taker, amount))

    # --- anyone ----------------------------------------------------------------------------------

    def release(self, token: int, receiver: int) -> int:
        """Pay what waits for a receiver [wad]."""
        return self._do(lambda: self.custody.release(token, receiver))

    def collect(self, account: int, market: int) -> None:
        """Pay out a position of an ended epoch."""
        self._do(lambda: self.ledger.collect(account, market))

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
        """The maker's position changes by ``size`` [base wad, signed]."""
        return self._do(
            lambda: self.ledger.trade(maker, taker, market, size, price, reduce, gateway)
        )

    def poke(self, account: int) -> State:
        """Touch an account's auction clock."""
        return self._do(lambda: self.liquidator.poke(account))

    def take(self, account: int, market: int, size: int, taker: int, limit_price: int) -> int:
        """Step 1."""
        return self._do(lambda: self.liquidator.take(account, market, size, taker, limit_price))

    def take_collateral(
        self, account: int, token: int, amount: int, taker: int, limit_price: int
    ) -> tuple[int, int]:
        """Step 0."""
        return self._do(
            lambda: self.liquidator.take_collateral(account, token, amount, taker, limit_price)
        )

    def resolve(self, account: int, caller: int = 0) -> Resolved:
        """Steps 2 and 3, with what is insured, charged and socialised."""
        return self._do(lambda: self.liquidator.resolve(account, caller))

    def sweep(self, market: int) -> None:
        """Pass a market's fees on; 32 for the interest."""
        self._do(lambda: self.ledger.sweep(market))

    def collect_ticket(self, account: int, receiver: int) -> int:
        """What was restored of an account's withdrawals, to be released [USD wad]."""
        return self._do(lambda: self.custody.collect_ticket(account, receiver))

    # --- the insurance fund and the backstop vault -----------------------------------------------

    def give_fund(self, market: int, amount: int) -> None:
        """Tokens for a market's bucket [token units]."""
        self._do(lambda: self.fund.give(market, amount))

    def enter_fund(self, owner: int, assets: int) -> int:
        """Shares for tokens that were requested; returns how many."""

        def verb() -> int:
            minted = self.fund_shares.enter(owner, assets, self._fund_assets())
            self.custody.add_insurance(assets * self.custody.settlement_unit)
            return minted

        return self._do(verb)

    def leave_fund(self, owner: int, shares: int) -> int:
        """Burn shares that were locked; returns what left [USD wad]."""

        def verb() -> int:
            require(not self.engine.clock()[1], "paused")
            for market, bucket in self.fund.state.buckets.items():
                calm = market == 32 or not bucket.filled or not self._settles(market)
                require(calm, "settling")
            assets = self.fund_shares.leave(owner, shares, self._fund_assets())
            return self.custody.pay_insurance(owner, assets * self.custody.settlement_unit)

        return self._do(verb)

    def enter_vault(self, owner: int, assets: int) -> int:
        """Shares for tokens that were requested; returns how many."""

        def verb() -> int:
            require(self.vault.worth().is_calm, "settling")
            minted = self.vault_shares.enter(owner, assets, self.vault.total_assets())
            self.vault.state.free += assets
            return minted

        return self._do(verb)

    def leave_vault(self, owner: int, shares: int) -> int:
        """Burn shares that were locked; returns the token units paid."""

        def verb() -> int:
            require(self.vault.worth().is_calm, "settling")
            require(not self.engine.clock()[1], "paused")
            assets = self.vault_shares.leave(owner, shares, self.vault.total_assets())
            self.vault.free_up(assets)
            self.vault.state.free -= assets
            return assets

        return self._do(verb)

    def give_vault(self, amount: int) -> None:
        """Tokens for no shares [token units]."""
        require(amount > 0, "amount")
        self.vault.state.free += amount

    def fill_ring(self, market: int) -> int:
        """Returns the token units moved."""
        return self._do(lambda: self.vault.fill_ring(market))

    def drain_ring(self, market: int) -> int:
        """Returns the token units received."""
        return self._do(lambda: self.vault.drain_ring(market))

    # --- keepers ---------------------------------------------------------------------------------

    def report(
        self, observed: int, assets: Sequence[int], quotes: Sequence[Sequence[int]]
    ) -> list[int]:
        """Packed quotes, one row a signer; returns the accepted prices (or 0)."""
        return self._do(lambda: self.engine.report(observed, assets, quotes))

    def push(self, valid_until: int, lines: Sequence[LinePush]) -> None:
        """Severity and depth."""
        self._do(lambda: self.engine.push(valid_until, lines))

    # --- guardian and governance -----------------------------------------------------------------

    def pause(self) -> None:
        """Stop everything but collateral in."""
        self._do(self.engine.pause)

    def unpause(self) -> None:
        """Lift the pause."""
        self._do(self.engine.unpause)

    def set_reduce_only(self, asset: int, reduce_only: bool) -> None:
        """Bar new risk in an asset."""
        self._do(lambda: self.engine.set_reduce_only(asset, reduce_only))

    def set_settlement_doubt(self, in_doubt: bool) -> None:
        """The settlement token may not be worth its face."""
        self._do(lambda: self.engine.set_settlement_doubt(in_doubt))

    def list_asset(
        self,
        asset: int,
        config: Config,
        rows: Sequence[TierRow],
        severity: int = 0,
        depth: int = PPM,
    ) -> None:
        """A market (0..31) or the price of a collateral token (32 + index)."""
        self._do(lambda: self.engine.list_asset(asset, config, rows, severity, depth))

    def list_token(self, unit: int, cap: int, outflow_cap: int, window: int) -> int:
        """A collateral token; returns its index."""
        return self._do(lambda: self.custody.list_token(unit, cap, outflow_cap, window))

    def set_config(self, asset: int, config: Config) -> None:
        """Guards, fees, ages and caps of an asset."""
        self._do(lambda: self.engine.set_config(asset, config))

    def set_schedule(self, asset: int, rows: Sequence[TierRow]) -> None:
        """A new table, blending in over the ramp."""
        self._do(lambda: self.engine.set_schedule(asset, rows))

    def open_ring(self, market: int, target: int) -> None:
        """Let the vault take positions of a market."""
        self._do(lambda: self.vault.open_ring(market, target))

    def set_bucket_cap(self, market: int, cap: int) -> None:
        """What a market may ever cost the fund."""
        self._do(lambda: self.fund.set_bucket_cap(market, cap))

    def set_interest_rate(self, rate: int) -> None:
        """On negative cash [ray per second]."""
        self._do(lambda: self.ledger.set_interest_rate(rate))

    def settle_market(self, market: int) -> None:
        """Delist: end both epochs at the mark."""
        self._do(lambda: self.ledger.settle_market(market))

    # --- views -----------------------------------------------------------------------------------

    def margin(self, basis: Basis, account: int) -> Margin:
        """The engine's answer for an account."""
        return self.ledger.margin(basis, account)

    def account_state(self, account: int) -> State:
        """Who must act."""
        return self.liquidator.account_state(account)

    def liquidation_price(self, account: int, market: int) -> Price | None:
        """Where E = MM if only this market moves; None if no price is the border."""
        book = self.ledger.book(account)
        own = [leg for leg in book.legs if leg.market == market and leg.size != 0]
        if not own:
            return None
        others = tuple(leg for leg in book.legs if leg.market != market)
        rest = self.engine.assess(Basis.MAINTENANCE, book.cash, 0, others, book.holdings)
        asset = self.engine.asset(market)
        exposure = Exposure(
            size=own[0].size,
            base=own[0].base,
            funding=self.engine.funding_of(asset),
            other_equity=rest.equity,
            other_requirement=rest.requirement,
            load=margins.load_of(asset, self.engine.context(Basis.MAINTENANCE, 0)),
        )
        return liquidation.liquidation_price(exposure)

    def open_interest(self, market: int) -> Size:
        """[base wad]"""
        return positions.open_interest(self.ledger.market(market))

    def invariants(self) -> Invariants:
        """The numbers of DESIGN 13 now."""
        state = self.ledger.state
        reserve = self.custody.state.reserve
        marks = {market: self.engine.quote(market).g for market in state.markets}
        cash = sum(account.cash for account in state.accounts.values())
        return Invariants(
            tokens=reserve.tokens,
            deficit=reserve.deficit,
            cash=cash,
            fees=sum(market.fees for market in state.markets.values()),
            interest=state.interest_collected,
            dust=self.dust(marks),
            lowest_dust=self.dust({m: self._worst_g(m) for m in state.markets}),
            market_dust={m: self._book_dust(m, marks[m]) for m in state.markets},
            gaps={m: self._gap(m) for m in state.markets},
            gap_bounds={m: state.gap_bounds.get(m, 0) for m in state.markets},
            unaccounted={m: self._unaccounted(m) for m in state.markets},
            solvency=solvency.ratio(reserve),
            disordered=tuple(a for a in self.engine.state.assets if self._is_disordered(a)),
            inverted=tuple(a for a in state.accounts if self._is_inverted(a)),
        )

    def dust(self, prices: Mapping[int, int]) -> Fraction:
        """Tokens + D_h less every claim, at funding-adjusted prices g of each market [USD wad]."""
        state = self.ledger.state
        claims = Fraction(sum(account.cash for account in state.accounts.values()))
        claims += sum(market.fees for market in state.markets.values())
        claims += state.interest_collected
        for market, stored in state.markets.items():
            claims += _sides_value(stored, prices[market])
        for (account, market), position in state.positions.items():
            held = self.ledger.held(account, market)
            claims += held.base if held.is_ended else -position.z
        reserve = self.custody.state.reserve
        return reserve.tokens + reserve.deficit - claims

    # --- internals -------------------------------------------------------------------------------

    def _do(self, verb: Callable[[], T]) -> T:
        with transaction(*self.contracts):
            return verb()

    def _fund_assets(self) -> int:
        return self.custody.state.reserve.insurance // self.custody.settlement_unit

    def _settles(self, market: int) -> bool:
        return bool(self.engine.quote(market).state & SETTLING)

    def _worst_g(self, market: int) -> int:
        """Claims are linear in g: they are largest at one of the two ends."""
        longs_and_shorts = self.ledger.market(market)
        ends = (-EXTREME_G, EXTREME_G)
        return max(ends, key=lambda g: _sides_value(longs_and_shorts, g))

    def _book_dust(self, market: int, g: int) -> Fraction:
        stored = self.ledger.market(market)
        return -(stored.net + _sides_value(stored, g))

    def _gap(self, market: int) -> Fraction:
        stored = self.ledger.market(market)
        longs = stored.long.total * stored.long.scale
        return Fraction(stored.short.total * stored.short.scale - longs, RAY)

    def _unaccounted(self, market: int) -> int:
        stored = self.ledger.market(market)
        total = stored.long.total + stored.short.total
        live = (
            position
            for (_, at), position in self.ledger.state.positions.items()
            if at == market and position.epoch == stored.long.epoch
        )
        return total - sum(abs(position.scaled) for position in live)

    def _is_disordered(self, asset: int) -> bool:
        at = self.engine.line_of(asset)
        severity = at.severity_mm <= at.severity <= at.severity_im
        return not (severity and at.depth_im <= at.depth <= at.depth_mm)

    def _is_inverted(self, account: int) -> bool:
        initial = self.margin(Basis.INITIAL, account)
        return self.margin(Basis.MAINTENANCE, account).requirement > initial.requirement


def _sides_value(market: positions.Market, g: int) -> Fraction:
    """Q^_L·X_L + Q^_S·X_S [USD wad], exact."""
    value = sides.side_value(market.long, g, is_long=True)
    value += sides.side_value(market.short, g, is_long=False)
    return Fraction(value, RAY * WAD)


def signed_quotes(quotes: Iterable[int], signers: int) -> list[list[int]]:
    """The same packed quotes from every signer of a quorum."""
    return [list(quotes)] * signers
