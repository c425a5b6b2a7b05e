"""Deploys the whole protocol.

    deployment = deploy(load_config("scripts/config/local.toml"), account)
    deployment.engine.report(...)
    deployment.save()
    deployment = Deployment.load()

Needs a connected Ape provider and nothing else. Each step is written to a journal as it is taken
(where one is given), so that a run that broke off is continued from there: a contract whose address
has code is not deployed again, a call whose effect is seen on the chain is not repeated. The last
steps hand every contract over to the timelock; then `verify` reads everything back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import ape
from eth_utils.crypto import keccak

from scripts.support.compilation import refresh
from scripts.support.config import MOCK, TOKENS, WAD, Asset, Config, Token
from scripts.support.deployed import (
    CONTRACTS,
    GATEWAY,
    OWNED,
    ZERO,
    Deployment,
    DeploymentError,
    chain_id,
    code_hash,
    container,
    has_code,
)
from scripts.support.dev_keys import LOCAL_CHAIN, known_among
from scripts.support.journal import Journal
from scripts.support.verification import verify

__all__ = ["Deployer", "Deployment", "DeploymentError", "Journal", "deploy", "step_count", "verify"]

SETTLEMENT: Final = 255  # its index in the outflow buckets
SYMBOL_LENGTH: Final = 5  # of a mock token

OnStep = Callable[[str], None]


def deploy(
    config: Config,
    account: Any,
    journal: Journal | None = None,
    on_step: OnStep = lambda step: None,
) -> Deployment:
    """Deploy everything, hand it over to the timelock, verify. `account` is an Ape account."""
    check_before(config, account.address)
    refresh(CONTRACTS.values())
    return Deployer(config, account, journal or Journal(), on_step).run()


def check_before(config: Config, deployer: str) -> None:
    """What can be refused before anything is sent."""
    connected = chain_id()
    if config.chain_id != connected:
        raise DeploymentError(
            f"The configuration is for chain {config.chain_id}, but this is chain {connected}."
        )
    known = known_among([deployer, *config.people], connected)
    if known:
        raise DeploymentError(
            f"{known[0]} is a well-known development account, which must not be used off the local"
            f" chain ({LOCAL_CHAIN})."
        )
    if deployer in config.people:
        raise DeploymentError(f"The deployer {deployer} must not have a role in the configuration.")
    for what, address in external_contracts(config):
        if not has_code(address):
            raise DeploymentError(f"There is no contract at {address}, the {what}.")


def external_contracts(config: Config) -> Iterator[tuple[str, str]]:
    """Contracts that must be there already."""
    if config.settlement.token != MOCK:
        yield "settlement token", config.settlement.token
    if config.sequencer_feed:
        yield "sequencer feed", config.sequencer_feed
    for token in config.tokens:
        if token.address != MOCK:
            yield f"collateral token {token.symbol}", token.address
    for asset in [*config.markets, *config.tokens]:
        if asset.feed:
            yield f"reference feed of {asset.symbol}", asset.feed.feed


def step_count(config: Config) -> int:
    """For a progress bar."""
    assets = [*config.markets, *config.tokens]
    wiring = ["bind", "ledger", "gateway", "ledger's liquidator", "engine's liquidator", "outflow"]
    wiring.append("fund")
    options = [config.interest_rate, config.collateral_multiple, config.sequencer_feed]
    options += [config.backstop.manager, config.backstop.manager]  # its limits
    capital = [each for market in config.markets for each in (market.bucket_cap, market.ring)]
    optional = [*options, *capital, *(asset.feed for asset in assets)]
    mocks = sum(token.address == MOCK for token in config.tokens)
    own_token = 0 if config.settlement.token == MOCK else 1
    contracts = len(CONTRACTS) - own_token + mocks
    listing = len(assets) + len(config.tokens)
    return contracts + len(wiring) + sum(map(bool, optional)) + listing + len(OWNED)


class Deployer:
    """One run. Steps are named; a name in the journal is a step taken."""

    def __init__(self, config: Config, account: Any, journal: Journal, on_step: OnStep) -> None:
        self.config = config
        self.account = account
        self.journal = journal
        self.on_step = on_step
        self.instances: dict[str, Any] = {}
        self.collateral: dict[str, str] = {}

    def run(self) -> Deployment:
        self.journal.open(
            {
                "chain": self.config.chain_id,
                "genesis": genesis(),
                "deployer": self.account.address,
                "configuration": self.config.fingerprint,
                "code": code_fingerprint(),
            }
        )
        self.check_continuation()
        block = self.journal.steps.get("start", {}).get("block", ape.chain.blocks.height)
        self.journal.note("start", block=block)
        self.deploy_engine()
        self.deploy_ledger()
        self.deploy_rules()
        self.wire()
        self.set_limits()
        self.list_tokens()
        self.list_assets()
        self.set_capital()
        self.hand_over()
        deployment = self.result(block)
        verify(deployment, self.config)
        return deployment

    def check_continuation(self) -> None:
        """What the journal says was deployed must be there."""
        for step, values in self.journal.steps.items():
            if values.get("done") and "address" in values and not has_code(values["address"]):
                raise DeploymentError(
                    f"{self.journal.path} says {step!r} was done at {values['address']}, where"
                    " there is no code: the chain was reset; move that file away to start anew."
                )

    # --- contracts -------------------------------------------------------------------------------

    def deploy_engine(self) -> None:
        settings = self.contract("settings")
        clocks = self.config.clocks.tuple()
        engine = self.contract("engine", self.config.roles.guardian, settings, clocks)
        oracle = self.config.oracle
        self.call(
            "bind settings to engine",
            lambda: settings.engine() != ZERO,
            settings.bind,
            engine,
            self.config.price_rules.tuple(),
            self.config.push_rules.tuple(),
            oracle.ascending,
            oracle.quorum,
        )

    def deploy_ledger(self) -> None:
        engine = self.instances["engine"]
        address = self.config.settlement.token
        if address == MOCK:
            token = self.contract("settlement", "USD Coin", "USDC", 6)
        else:
            token = container("TokenMock").at(address)
            self.instances["settlement"] = token
        custody = self.contract("custody", engine, token)
        ledger = self.contract("clearinghouse", engine, token, custody)
        self.call(
            "set_ledger", lambda: custody.ledger() == ledger.address, custody.set_ledger, ledger
        )

    def deploy_rules(self) -> None:
        ledger, engine = self.instances["clearinghouse"], self.instances["engine"]
        roles = self.config.roles
        gateway = self.contract("gateway", ledger, engine)
        fund, vault = self.deploy_capital(ledger, engine, gateway)
        rules = self.config.liquidation.tuple()
        liquidator = self.contract("liquidator", ledger, engine, fund, vault, rules)
        self.contract("timelock", roles.timelock_delay, roles.proposers, roles.executors, engine)
        self.contract("lens", ledger, engine, liquidator)
        self.contract("waterfall_lens", ledger, engine, liquidator)

    def deploy_capital(self, ledger: Any, engine: Any, gateway: Any) -> tuple[Any, Any]:
        custody = self.instances["custody"]
        delays = self.config.insurance
        fund = self.contract(
            "fund", custody, ledger, engine, delays.deposit_delay, delays.redeem_delay
        )
        self.call(
            "set_insurance_fund",
            lambda: custody.insurance_fund() == fund.address,
            custody.set_insurance_fund,
            fund,
        )
        delays = self.config.backstop
        vault = self.contract(
            "vault", ledger, engine, gateway, delays.deposit_delay, delays.redeem_delay
        )
        return fund, vault

    # --- wiring ----------------------------------------------------------------------------------

    def wire(self) -> None:
        ledger, settings = self.instances["clearinghouse"], self.instances["settings"]
        gateway, liquidator = self.instances["gateway"], self.instances["liquidator"]
        self.call(
            "set_gateway_at",
            lambda: ledger.gateway_at(GATEWAY) == gateway.address,
            ledger.set_gateway_at,
            GATEWAY,
            gateway,
        )
        self.call(
            "set_liquidator of the ledger",
            lambda: ledger.liquidator() == liquidator.address,
            ledger.set_liquidator,
            liquidator,
        )
        self.call("set_liquidator of the engine", None, settings.set_liquidator, liquidator)

    def set_limits(self) -> None:
        config, custody = self.config, self.instances["custody"]
        limits = config.settlement
        self.call(
            "set_outflow",
            None,
            custody.set_outflow,
            SETTLEMENT,
            limits.outflow_cap * WAD,
            limits.outflow_window,
        )
        if config.interest_rate:
            set_rate = self.instances["clearinghouse"].set_interest_rate
            self.call("set_interest_rate", None, set_rate, config.interest_per_second)
        if config.collateral_multiple:
            set_multiple = custody.set_collateral_multiple
            self.call("set_collateral_multiple", None, set_multiple, config.collateral_multiple)
        if config.sequencer_feed:
            set_feed = self.instances["settings"].set_sequencer_feed
            self.call("set_sequencer_feed", None, set_feed, config.sequencer_feed)

    # --- assets ----------------------------------------------------------------------------------

    def list_tokens(self) -> None:
        custody = self.instances["custody"]
        for index, token in enumerate(self.config.tokens):
            address = self.token_address(token)
            self.collateral[token.symbol] = address
            self.call(
                f"list_token {token.symbol}",
                partial(self.has_tokens, index + 1),
                custody.list_token,
                address,
                token.cap * WAD,
                token.outflow_cap * WAD,
                token.outflow_window,
            )

    def has_tokens(self, count: int) -> bool:
        return bool(self.instances["custody"].token_count() >= count)

    def token_address(self, token: Token) -> str:
        if token.address != MOCK:
            return token.address
        symbol = token.symbol[:SYMBOL_LENGTH]
        mock = self.contract(f"token {token.symbol}", token.symbol, symbol, token.decimals)
        return str(mock.address)

    def list_assets(self) -> None:
        for market in self.config.markets:
            self.list_asset(market, market.asset)
        for index, token in enumerate(self.config.tokens):
            self.list_asset(token, TOKENS + index)

    def list_asset(self, asset: Asset, number: int) -> None:
        settings = self.instances["settings"]
        self.call(
            f"list_asset {asset.symbol}",
            lambda: settings.config_of(number).band != 0,
            settings.list_asset,
            number,
            asset.config.tuple(),
            asset.rows,
            asset.severity,
            asset.depth,
        )
        if asset.feed:
            self.call(
                f"set_feed {asset.symbol}", None, settings.set_feed, number, asset.feed.tuple()
            )

    def set_capital(self) -> None:
        """What the insurance fund and the backstop vault stand for."""
        fund, vault = self.instances["fund"], self.instances["vault"]
        for market in self.config.markets:
            if market.bucket_cap:
                cap = market.bucket_cap * WAD
                step = f"set_bucket_cap {market.symbol}"
                self.call(step, None, fund.set_bucket_cap, market.asset, cap)
            if market.ring:
                self.call(
                    f"open_ring {market.symbol}",
                    partial(self.has_ring, market.asset),
                    vault.open_ring,
                    market.asset,
                    market.ring * WAD,
                )
        backstop = self.config.backstop
        if backstop.manager:
            self.call("set_manager", None, vault.set_manager, backstop.manager)
            loss = backstop.daily_loss * WAD
            self.call("set_limits", None, vault.set_limits, backstop.distance, loss)

    def has_ring(self, market: int) -> bool:
        return bool(self.instances["vault"].has_ring(market))

    # --- end -------------------------------------------------------------------------------------

    def hand_over(self) -> None:
        timelock = self.instances["timelock"]
        for name in OWNED:
            contract = self.instances[name]
            self.call(
                f"hand_over {name}",
                partial(self.is_owned, contract),
                contract.hand_over,
                timelock,
            )

    def is_owned(self, contract: Any) -> bool:
        return bool(contract.owner() == self.instances["timelock"].address)

    def result(self, block: int) -> Deployment:
        addresses = {
            name: str(self.instances[name].address) for name in CONTRACTS if name in self.instances
        }
        return Deployment(
            chain_id=self.config.chain_id,
            deployer=self.account.address,
            block=block,
            addresses=addresses,
            code_hashes={name: code_hash(address) for name, address in addresses.items()},
            markets={market.symbol: market.asset for market in self.config.markets},
            tokens={token.symbol: TOKENS + i for i, token in enumerate(self.config.tokens)},
            collateral_addresses=self.collateral,
            fingerprint=self.config.fingerprint,
        )

    # --- steps -----------------------------------------------------------------------------------

    def contract(self, name: str, *arguments: Any) -> Any:
        """Deploy, unless the journal knows an address that has code."""
        step = f"deploy {name}"
        kind = container(CONTRACTS.get(name, "TokenMock"))
        self.on_step(step)
        recorded = self.journal.steps.get(step, {}).get("address")
        if recorded is None or not has_code(recorded):
            # The address is noted before: if the run breaks off in between, the next one finds it.
            address = self.account.get_deployment_address()
            self.journal.note(step, address=address)
            with explained(step):
                recorded = self.account.deploy(kind, *arguments).address
            if recorded != address:
                raise DeploymentError(f"The {name} is at {recorded}, not at {address} as computed.")
        self.journal.note(step, address=str(recorded), done=True)
        self.instances[name] = kind.at(recorded)
        return self.instances[name]

    def call(
        self, step: str, is_done: Callable[[], bool] | None, method: Any, *arguments: Any
    ) -> None:
        """Call, unless the journal or the chain says it was done."""
        self.on_step(step)
        if self.journal.is_done(step):
            return
        if is_done is None or not is_done():
            with explained(step):
                method(*arguments, sender=self.account)
        self.journal.note(step, done=True)


def genesis() -> str:
    """Which chain this is, if ids are shared."""
    return str(ape.chain.provider.get_block(0).hash.hex())


def code_fingerprint() -> str:
    """Of the code of all contracts as compiled."""
    parts = [
        str(container(name).contract_type.deployment_bytecode.bytecode)
        for name in CONTRACTS.values()
    ]
    return keccak(text="".join(parts)).hex()[:16]


class explained:
    """Turns a revert into a sentence that names the step."""

    def __init__(self, step: str) -> None:
        self.step = step

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, ape.exceptions.ApeException):
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DeploymentError(f"The step {self.step!r} failed: {reason}.") from error
