"""A small venue on a driver, and beside it the Python reference model that does whatever it does.

Every verb goes to both. Where they disagree on success, or any stored word differs afterwards, the
test fails: invariant 13, and the strongest oracle there is. Three markets, one collateral token;
every owner has a CROSS and an ISOLATED account. Windows are short, so that a handful of reports
brings a market back to calm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from oracle.engine.chain import copy_state
from oracle.engine.clearinghouse import CROSS, ISOLATED
from oracle.engine.effective_time import PriceRules
from oracle.engine.liquidation import AuctionTerms
from oracle.engine.liquidator import Parameters
from oracle.engine.prices import Config
from oracle.engine.protocol import Protocol, Settings
from oracle.engine.reports import pack_quote
from oracle.engine.risk_engine import Clocks
from oracle.engine.shares import Delays
from oracle.engine.steward import LinePush, PushRules
from oracle.engine.tiers import TierRow
from oracle.engine.units import PPM, SETTLEMENT_TOKEN, WAD, Refused

from . import storage
from .driver import Artifact, Contract, Driver, Receipt, address_of, deployed
from .signing import Domain, make_signers, pack_line

START = 1_700_000_000
UNIT = 10**12  # [USD wad] of one settlement token unit
USD = 10**6  # settlement token units
CHAIN_ID = 1
QUORUM = 2
PERIOD = 10
TOKEN, TOKEN_ASSET = 0, 32
MARKETS = (0, 1, 2)
PRICES = {0: 100 * WAD, 1: 20_000 * WAD, 2: WAD // 10_000, TOKEN_ASSET: 2_000 * WAD}
NAMES = (
    "RiskSettings",
    "RiskEngine",
    "Custody",
    "Clearinghouse",
    "InsuranceFund",
    "BackstopVault",
    "Liquidator",
    "WaterfallLens",
)
INTEREST = 32  # the fund's bucket of income that is no market's
BUCKETS = {0: 60_000, 1: 15_000, INTEREST: 5_000}  # caps [USD]; market 2 has none
GIVEN = {0: 20_000, 1: 4_000}  # [USD] in them from the beginning
RINGS = {0: 120_000, 1: 40_000}  # targets [USD]; market 2 has no ring
STAKED = 130_000  # [USD] in the vault from the beginning
DELAYS = Delays(3_600, 7_200)

ROWS = (
    TierRow(100_000, 100_000, 300_000, 40_000, 150_000),
    TierRow(1_000_000, 150_000, 400_000, 60_000, 200_000),
    TierRow(100_000_000, 250_000, 600_000, 120_000, 300_000),
)
LATER_ROWS = (
    TierRow(200_000, 125_000, 300_000, 50_000, 160_000),
    TierRow(50_000_000, 260_000, 500_000, 100_000, 300_000),
)
HAIRCUTS = (
    TierRow(50_000, 150_000, 400_000, 100_000, 300_000),
    TierRow(10_000_000, 500_000, 900_000, 400_000, 800_000),
)
COMMON: dict[str, int] = {
    "band": 50_000,
    "max_move": 90_000,
    "max_deviation": 50_000,
    "funding_cap": 100_000,
    "price_max_age": 120,
    "open_max_age": 60,
    "maker_fee": 100,
    "taker_fee": 500,
}
CONFIGS = {
    0: Config(**COMMON, min_size=10**16, soft_cap=3_000_000, hard_cap=10_000_000),
    1: Config(**COMMON, min_size=10**14),
    2: Config(**COMMON, min_size=10**22, soft_cap=1_000_000, hard_cap=4_000_000),
    TOKEN_ASSET: Config(**(COMMON | {"maker_fee": 0, "taker_fee": 0})),
}
TABLES = {0: ROWS, 1: LATER_ROWS, 2: ROWS, TOKEN_ASSET: HAIRCUTS}
SETTINGS = Settings(
    clocks=Clocks(250_000, 250_000, 500_000, 500_000, 600),
    price_rules=PriceRules(PERIOD, 10_000, 20, 60, 60),
    push_rules=PushRules(50_000, 50_000, 250_000, 50_000, 60, 7_200, 250_000),
    parameters=Parameters(AuctionTerms(50_000, 350_000, 150_000, 120, 120), reward=5 * 10**16),
    quorum=QUORUM,
    delays=DELAYS,
)
OWNERS = ("trader", "hedger", "gambler", "holder")
LIQUIDATORS = ("liquidator", "backer")
RICH = 5_000_000  # USD
BOOK: tuple[tuple[str, int, int, int], ...] = (
    # who (with the subaccount), market, notional in USD (negative: short), cash in USD
    ("trader/0", 0, 400_000, 90_000),
    ("trader/0", 1, 150_000, 0),
    ("trader/0", 2, 60_000, 0),
    ("trader/1", 1, 90_000, 15_000),
    ("hedger/0", 1, -500_000, 130_000),
    ("hedger/0", 0, 120_000, 0),
    ("hedger/1", 0, -80_000, 12_000),
    ("gambler/0", 2, -250_000, 45_000),
    ("gambler/0", 0, -60_000, 0),
    ("gambler/1", 2, 80_000, 11_000),
    ("holder/0", 1, 200_000, 27_000),
    ("holder/1", 0, 70_000, 11_000),
)


@dataclass(frozen=True)
class Outcome:
    """What a verb did, by both accounts of it."""

    verb: str
    parties: tuple[int, ...]  # accounts that may change
    ok: bool
    reason: str  # the contract's
    value: Any  # the model's answer
    receipt: Receipt
    before: dict[str, int]  # stored words
    after: dict[str, int]

    @property
    def changed(self) -> bool:
        """Whether any stored word did."""
        return self.before != self.after


class Disagreement(AssertionError):
    """The contracts and the reference model differ."""


class Stage:
    """Contracts and model in lock-step."""

    def __init__(
        self, driver: Driver, artifact: Callable[[str], Artifact], *, is_compared: bool = True
    ) -> None:
        self.is_compared = is_compared
        self.predicted: tuple[Any, ...] = ()
        self.driver = driver
        self.owner, self.guardian = address_of("owner"), address_of("guardian")
        self.signers = make_signers(3)
        self.accounts: list[int] = []
        self.steps = 0
        self.max_gas: Counter[str] = Counter()
        self.odd_reasons: Counter[tuple[str, str, str]] = Counter()
        self.before: Callable[[str], None] = lambda verb: None
        self.after: Callable[[Outcome], None] = lambda outcome: None
        self._deploy(artifact)
        self.reader = storage.Reader(self)
        self.words: dict[str, int] = {}
        self._populate()

    @property
    def everyone(self) -> list[int]:
        """The vault's accounts first, then people's."""
        return [*self.rings, *self.accounts]

    # --- accounts of owners -----------------------------------------------------------------------

    def open_account(self, owner: str, sub: int, mode: int) -> Outcome:
        account = account_of(owner, sub)
        done = self._do(
            "open_account",
            (account,),
            lambda: self.ledger.send(owner, "open_account", sub, mode, 1),
            lambda: self.model.open_account(account, mode),
        )
        if done.ok and account not in self.accounts:
            self.accounts.append(account)
            done = replace(done, after=self.read())
        return done

    def configure(self, account: int, gateways: int, floor: int) -> Outcome:
        return self._do(
            "configure",
            (account,),
            lambda: self.ledger.send(owner_of(account), "configure", account, gateways, floor),
            lambda: self.model.configure(account, gateways, floor),
        )

    def deposit(self, account: int, token: int, amount: int) -> Outcome:
        args = (account, amount) if token == SETTLEMENT_TOKEN else (account, token, amount)
        contract = self.ledger if token == SETTLEMENT_TOKEN else self.custody
        return self._do(
            "deposit",
            (account,),
            lambda: contract.send(owner_of(account), "deposit", *args),
            lambda: self.model.deposit(account, token, amount),
        )

    def withdraw(self, account: int, token: int, amount: int) -> Outcome:
        to = owner_of(account)
        args = (account, amount, to) if token == SETTLEMENT_TOKEN else (account, token, amount, to)
        contract = self.ledger if token == SETTLEMENT_TOKEN else self.custody
        return self._do(
            "withdraw",
            (account,),
            lambda: contract.send(to, "withdraw", *args),
            lambda: self.model.withdraw(account, token, amount, int(to, 16)),
        )

    def transfer(self, giver: int, taker: int, amount: int) -> Outcome:
        return self._do(
            "transfer",
            (giver, taker),
            lambda: self.ledger.send(owner_of(giver), "transfer", giver, taker, amount),
            lambda: self.model.transfer(giver, taker, amount),
        )

    def trade(
        self, maker: int, taker: int, market: int, size: int, price: int, reduce: int = 0
    ) -> Outcome:
        return self._do(
            "trade",
            (maker, taker),
            lambda: self.gateway.send(
                self.owner, "trade", maker, taker, market, size, price, reduce
            ),
            lambda: self.model.trade(maker, taker, market, size, price, reduce),
        )

    # --- anyone -----------------------------------------------------------------------------------

    def poke(self, account: int) -> Outcome:
        return self._do(
            "poke",
            (account,),
            lambda: self.liquidator.send(self.owner, "poke", account),
            lambda: self.model.poke(account),
        )

    def take(self, account: int, market: int, size: int, taker: int, limit: int) -> Outcome:
        send, owner = self.liquidator.send, owner_of(taker)
        return self._do(
            "take",
            (account, taker),
            lambda: send(owner, "take", account, market, size, taker, limit),
            lambda: self.model.take(account, market, size, taker, limit),
        )

    def take_collateral(self, account: int, amount: int, taker: int, limit: int) -> Outcome:
        send, owner = self.liquidator.send, owner_of(taker)
        return self._do(
            "take_collateral",
            (account, taker),
            lambda: send(owner, "take_collateral", account, TOKEN, amount, taker, limit),
            lambda: self.model.take_collateral(account, TOKEN, amount, taker, limit),
        )

    def resolve(self, account: int) -> Outcome:
        self.predicted = self.predict(account)
        return self._do(
            "resolve",
            (account, *self.rings),
            lambda: self.liquidator.send(self.owner, "resolve", account),
            lambda: self.model.resolve(account, int(self.owner, 16)),
        )

    def predict(self, account: int) -> tuple[Any, ...]:
        """What the lens says `resolve` would do: who takes each leg, and who pays."""
        answer = self.waterfall_lens.call("waterfall", account)
        to_vault, legs, *amounts = answer[7:]
        rows = [(leg[0], leg[1], to_vault, *leg[2:]) for leg in legs]
        return rows, amounts[:5]

    def collect(self, account: int, market: int) -> Outcome:
        return self._do(
            "collect",
            (account,),
            lambda: self.ledger.send(self.owner, "collect", account, market),
            lambda: self.model.collect(account, market),
        )

    def release(self, token: int, receiver: str) -> Outcome:
        return self._do(
            "release",
            (),
            lambda: self.custody.send(self.owner, "release", token, receiver),
            lambda: self.model.release(token, int(receiver, 16)),
        )

    def sweep(self, market: int) -> Outcome:
        return self._do(
            "sweep",
            (),
            lambda: self.ledger.send(self.owner, "sweep", market),
            lambda: self.model.sweep(market),
        )

    def collect_ticket(self, account: int) -> Outcome:
        to = owner_of(account)
        return self._do(
            "collect_ticket",
            (account,),
            lambda: self.custody.send(to, "collect_ticket", account, to),
            lambda: self.model.collect_ticket(account, int(to, 16)),
        )

    # --- the insurance fund and the backstop vault ------------------------------------------------

    def give_fund(self, who: str, market: int, amount: int) -> Outcome:
        return self._do(
            "give_fund",
            (),
            lambda: self.fund.send(who, "give", market, amount),
            lambda: self.model.give_fund(market, amount),
        )

    def request_deposit(self, is_fund: bool, who: str, amount: int) -> Outcome:
        contract, shares = self._capital(is_fund)
        return self._do(
            "request_deposit",
            (),
            lambda: contract.send(who, "request_deposit", amount),
            lambda: shares.request_deposit(int(who, 16), amount),
        )

    def request_redeem(self, is_fund: bool, who: str, amount: int) -> Outcome:
        contract, shares = self._capital(is_fund)
        return self._do(
            "request_redeem",
            (),
            lambda: contract.send(who, "request_redeem", amount),
            lambda: shares.request_redeem(int(who, 16), amount),
        )

    def enter(self, is_fund: bool, who: str, amount: int) -> Outcome:
        """Tokens that were requested become shares."""
        contract, _ = self._capital(is_fund)
        verb = self.model.enter_fund if is_fund else self.model.enter_vault
        return self._do(
            "enter",
            (),
            lambda: contract.send(who, "deposit", amount, who),
            lambda: verb(int(who, 16), amount),
        )

    def leave(self, is_fund: bool, who: str, amount: int) -> Outcome:
        """Shares that were locked become tokens."""
        contract, _ = self._capital(is_fund)
        verb = self.model.leave_fund if is_fund else self.model.leave_vault
        return self._do(
            "leave",
            tuple(self.rings),
            lambda: contract.send(who, "redeem", amount, who, who),
            lambda: verb(int(who, 16), amount),
        )

    def fill_ring(self, market: int) -> Outcome:
        return self._do(
            "fill_ring",
            (self.model.vault.account_of(market),),
            lambda: self.vault.send(self.owner, "fill_ring", market),
            lambda: self.model.fill_ring(market),
        )

    def drain_ring(self, market: int) -> Outcome:
        return self._do(
            "drain_ring",
            (self.model.vault.account_of(market),),
            lambda: self.vault.send(self.owner, "drain_ring", market),
            lambda: self.model.drain_ring(market),
        )

    def _capital(self, is_fund: bool) -> tuple[Contract, Any]:
        if is_fund:
            return self.fund, self.model.fund_shares
        return self.vault, self.model.vault_shares

    # --- keepers ----------------------------------------------------------------------------------

    def report(
        self, prices: dict[int, int], premium: int = 0, spread: int = 0, observed: int | None = None
    ) -> Outcome:
        """At the latest time on the grid. The second signer's prices lie higher by `spread` ppm."""
        if observed is None:
            observed = self.time // PERIOD * PERIOD
        assets = list(prices)
        rows = [
            [pack_quote(price * (PPM + far) // PPM, premium) for price in prices.values()]
            for far in (0, spread)
        ]
        signed = [
            signer.sign(self.domain.report(observed, assets, row))
            for signer, row in zip(self.signers, rows, strict=False)
        ]
        flat = [quote for row in rows for quote in row]
        return self._do(
            "report",
            (),
            lambda: self.engine.send(self.owner, "report", observed, assets, flat, signed),
            lambda: self.model.report(observed, assets, rows),
        )

    def push(self, lines: Sequence[tuple[int, int, int, int]]) -> Outcome:
        """Lines of asset, severity, depth, nonce."""
        until = self.time + 60
        packed = [pack_line(*line) for line in lines]
        digest = self.domain.push(until, packed)
        signed = [signer.sign(digest) for signer in self.signers[:QUORUM]]
        return self._do(
            "push",
            (),
            lambda: self.engine.send(self.owner, "push", b"\x11" * 32, until, packed, signed),
            lambda: self.model.push(until, [LinePush(*line) for line in lines]),
        )

    # --- guardian and governance ------------------------------------------------------------------

    def pause(self) -> Outcome:
        return self._do(
            "pause", (), lambda: self.engine.send(self.guardian, "pause"), self.model.pause
        )

    def unpause(self) -> Outcome:
        return self._do(
            "unpause", (), lambda: self.engine.send(self.guardian, "unpause"), self.model.unpause
        )

    def set_reduce_only(self, asset: int, on: bool) -> Outcome:
        return self._do(
            "set_reduce_only",
            (),
            lambda: self.engine.send(self.owner, "set_reduce_only", asset, on),
            lambda: self.model.set_reduce_only(asset, on),
        )

    def set_settlement_doubt(self, on: bool) -> Outcome:
        return self._do(
            "set_settlement_doubt",
            (),
            lambda: self.engine.send(self.owner, "set_settlement_doubt", on),
            lambda: self.model.set_settlement_doubt(on),
        )

    def set_schedule(self, asset: int, rows: Sequence[TierRow]) -> Outcome:
        table = [row_tuple(row) for row in rows]
        return self._do(
            "set_schedule",
            (),
            lambda: self.settings.send(self.owner, "set_schedule", asset, table),
            lambda: self.model.set_schedule(asset, rows),
        )

    def set_interest_rate(self, rate: int) -> Outcome:
        return self._do(
            "set_interest_rate",
            (),
            lambda: self.ledger.send(self.owner, "set_interest_rate", rate),
            lambda: self.model.set_interest_rate(rate),
        )

    def set_outflow(self, token: int, cap: int, window: int) -> Outcome:
        return self._do(
            "set_outflow",
            (),
            lambda: self.custody.send(self.owner, "set_outflow", token, cap, window),
            lambda: self.model.custody.set_outflow(token, cap, window),
        )

    def settle_market(self, market: int) -> Outcome:
        return self._do(
            "settle_market",
            (),
            lambda: self.ledger.send(self.owner, "settle_market", market),
            lambda: self.model.settle_market(market),
        )

    # --- time -------------------------------------------------------------------------------------

    @property
    def time(self) -> int:
        return self.model.chain.timestamp

    def advance(self, seconds: int) -> None:
        self.model.chain.timestamp += seconds
        self.driver.set_time(self.model.chain.timestamp)

    def snapshot(self) -> Any:
        states = [(each, copy_state(each.state)) for each in self.model.contracts]
        return self.driver.snapshot(), states, self.time, list(self.accounts), self.words

    def restore(self, saved: Any) -> None:
        chain, states, timestamp, accounts, words = saved
        self.driver.restore(chain)
        for contract, state in states:
            contract.state = state
        self.model.chain.timestamp = timestamp
        self.accounts, self.words = accounts, words

    def would(self, verb: Callable[[], Any]) -> str | None:
        """Why the model would refuse, None where it would not; nothing happens."""
        contracts = self.model.contracts
        saved = [copy_state(contract.state) for contract in contracts]
        try:
            verb()
        except Refused as refused:
            return refused.reason
        finally:
            for contract, state in zip(contracts, saved, strict=True):
                contract.state = state
        return None

    def read(self) -> dict[str, int]:
        """All stored words, by name."""
        self.words = self.reader.contracts()
        return self.words

    # --- internals --------------------------------------------------------------------------------

    def _do(
        self,
        verb: str,
        parties: tuple[int, ...],
        send: Callable[[], Receipt],
        twin: Callable[[], Any],
    ) -> Outcome:
        self.steps += 1
        self.before(verb)
        receipt = send()
        value: Any = None
        refused = ""
        try:
            value = twin()
            ok = True
        except Refused as error:
            ok, refused = False, error.reason
        if ok != receipt.ok and self.is_compared:
            raise Disagreement(
                f"{verb}: the model {'accepts' if ok else f'refuses ({refused})'}, "
                f"the contract {'accepts' if receipt.ok else f'refuses ({receipt.reason})'}"
            )
        if not receipt.ok and not receipt.reason:
            raise Disagreement(f"{verb}: the contract reverts without a reason ({refused})")
        if refused != receipt.reason:
            self.odd_reasons[verb, refused, receipt.reason] += 1
        before = self.words
        if ok:
            self.read()
            if self.is_compared:
                self.compare(verb)
            self.max_gas[verb] = max(self.max_gas[verb], receipt.gas)
        outcome = Outcome(
            verb, parties, receipt.ok, receipt.reason, value, receipt, before, self.words
        )
        self.after(outcome)
        return outcome

    def compare(self, verb: str) -> None:
        """Every stored word against the model's."""
        expected = self.reader.model()
        if expected != self.words:
            rows = [
                f"{name}: model {expected.get(name)}, contract {self.words.get(name)}"
                for name in expected.keys() | self.words.keys()
                if expected.get(name) != self.words.get(name)
            ]
            raise Disagreement(f"after {verb}:\n" + "\n".join(sorted(rows)))

    def _deploy(self, artifact: Callable[[str], Artifact]) -> None:
        def deploy(name: str, *args: Any) -> Contract:
            return deployed(self.driver, self.owner, artifact(name), *args)

        s, owner = SETTINGS, self.owner
        self.settings = deploy("RiskSettings")
        clocks = (
            s.clocks.severity_up,
            s.clocks.severity_down,
            s.clocks.depth_down,
            s.clocks.depth_up,
            s.clocks.ramp,
        )
        self.engine = deploy("RiskEngine", self.guardian, self.settings.address, clocks)
        self.domain = Domain.of(self.engine.address, self.driver.chain_id())
        rules, pushes = fields_of(s.price_rules), fields_of(s.push_rules)
        signers = [signer.address for signer in self.signers]
        self.settings.must(owner, "bind", self.engine.address, rules, pushes, signers, QUORUM)
        self.usdc = deploy("TokenMock", "USD Coin", "USDC", 6)
        self.weth = deploy("TokenMock", "Ether", "WETH", 18)
        self.custody = deploy("Custody", self.engine.address, self.usdc.address)
        self.ledger = deploy(
            "Clearinghouse", self.engine.address, self.usdc.address, self.custody.address
        )
        self.custody.must(owner, "set_ledger", self.ledger.address)
        self.gateway = deploy("StubGateway", self.ledger.address)
        terms = s.parameters.terms
        parameters = (
            terms.duration,
            terms.tail,
            terms.discount_min,
            terms.discount_max,
            terms.insurance_fee,
            s.parameters.min_deficit,
            s.parameters.reward,
        )
        delays = (DELAYS.deposit, DELAYS.redeem)
        self.fund = deploy(
            "InsuranceFund",
            self.custody.address,
            self.ledger.address,
            self.engine.address,
            *delays,
        )
        self.custody.must(owner, "set_insurance_fund", self.fund.address)
        self.vault = deploy(
            "BackstopVault",
            self.ledger.address,
            self.engine.address,
            self.gateway.address,
            *delays,
        )
        self.liquidator = deploy(
            "Liquidator",
            self.ledger.address,
            self.engine.address,
            self.fund.address,
            self.vault.address,
            parameters,
        )
        self.waterfall_lens = deploy(
            "WaterfallLens", self.ledger.address, self.engine.address, self.liquidator.address
        )
        vault = account_of(self.vault.address, 0)
        self.model = Protocol(self.driver.time(), replace(SETTINGS, vault=vault))
        self.ledger.must(owner, "set_gateway_at", 0, self.gateway.address)
        self.ledger.must(owner, "set_liquidator", self.liquidator.address)
        self.settings.must(owner, "set_liquidator", self.liquidator.address)
        for asset, config in CONFIGS.items():
            table = [row_tuple(row) for row in TABLES[asset]]
            self.settings.must(owner, "list_asset", asset, fields_of(config), table, 0, PPM)
            self.model.list_asset(asset, config, TABLES[asset])
        limits = (10**6 * WAD, 10**3 * WAD, 86_400)
        self.custody.must(owner, "list_token", self.weth.address, *limits)
        self.model.list_token(1, *limits)
        self.custody.must(owner, "set_collateral_multiple", 10 * PPM)
        self.model.custody.set_collateral_multiple(10 * PPM)
        self._set_capital()
        for name in (*OWNERS, *LIQUIDATORS):
            person = address_of(name)
            for token in (self.usdc, self.weth):
                token.must(owner, "mint", person, 10**30)
                for spender in (self.ledger, self.custody, self.fund, self.vault):
                    token.must(person, "approve", spender.address, 2**256 - 1)

    def _set_capital(self) -> None:
        """Buckets and rings."""
        for market, cap in BUCKETS.items():
            self.fund.must(self.owner, "set_bucket_cap", market, cap * WAD)
            self.model.set_bucket_cap(market, cap * WAD)
        for market, target in RINGS.items():
            self.vault.must(self.owner, "open_ring", market, target * WAD)
            self.model.open_ring(market, target * WAD)
        vault = self.model.vault
        self.rings = [vault.account_of(market) for market in RINGS]

    def _populate(self) -> None:
        """Everyone holds something before the first rule runs."""
        self.read()
        self.advance(PERIOD)
        self.report(PRICES)
        self.set_interest_rate(3 * 10**18)
        for name in LIQUIDATORS:
            self.open_account(address_of(name), 0, CROSS)
            self.deposit(account_of(address_of(name), 0), SETTLEMENT_TOKEN, RICH * USD)
        for name in OWNERS:
            for sub, mode in ((0, CROSS), (1, ISOLATED)):
                self.open_account(address_of(name), sub, mode)
        backer = account_of(address_of("backer"), 0)
        for who, market, notional, cash in BOOK:
            name, sub = who.split("/")
            account = account_of(address_of(name), int(sub))
            if cash:
                self.deposit(account, SETTLEMENT_TOKEN, cash * USD)
            size = notional * WAD * WAD // PRICES[market]
            done = self.trade(account, backer, market, size, PRICES[market])
            assert done.ok, (who, market, done.reason)
        holder = account_of(address_of("holder"), 0)
        assert self.deposit(holder, TOKEN, 5 * WAD).ok
        self._stake()

    def _stake(self) -> None:
        """Some capital is there; not all of it is in the rings."""
        backer = address_of("backer")
        for market, usd in GIVEN.items():
            assert self.give_fund(backer, market, usd * USD).ok
        assert self.request_deposit(False, backer, STAKED * USD).ok
        self.advance(DELAYS.deposit)
        assert self.report(PRICES).ok
        assert self.enter(False, backer, STAKED * USD).ok
        for market in RINGS:
            assert self.fill_ring(market).ok


def account_of(owner: str, sub: int) -> int:
    return int(owner, 16) << 96 | sub


def owner_of(account: int) -> str:
    from eth_utils import to_checksum_address

    return to_checksum_address((account >> 96).to_bytes(20))


def row_tuple(row: TierRow) -> tuple[int, ...]:
    return (row.bound, row.im_calm, row.im_storm, row.mm_calm, row.mm_storm)


def fields_of(record: Any) -> tuple[int, ...]:
    return tuple(getattr(record, name) for name in record.__dataclass_fields__)
