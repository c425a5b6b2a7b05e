"""Deploys the whole protocol and remembers where it is.

    deployment = deploy(load_config("scripts/config/local.toml"), account)
    deployment.engine.report(...)
    deployment.save();  Deployment.load(chain_id)

Needs a connected Ape provider and nothing else. Each step is written to a journal as it is taken (where
one is given), so that a run that broke off is continued from there: a contract whose address has code is
not deployed again, a call whose effect is seen on the chain is not repeated. The last steps hand every
contract over to the timelock, then `verify` reads everything back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import ape
from eth_utils.crypto import keccak

from scripts.support.config import MOCK, TOKENS, WAD, Asset, Config, Token
from scripts.support.dev_keys import LOCAL_CHAIN, known_among

FOLDER: Final = Path("build/deployments")
ZERO: Final = "0x" + "00" * 20
SETTLEMENT: Final = 255  # its index in the outflow buckets
SYMBOL_LENGTH: Final = 5  # of a mock token
GATEWAY: Final = 0  # number that accounts opt in to
OWNED: Final = ("engine", "custody", "clearinghouse", "liquidator")
# Name in a deployment -> contract.
CONTRACTS: Final = {
    "settings": "RiskSettings",
    "engine": "RiskEngine",
    "settlement": "TokenMock",
    "custody": "Custody",
    "clearinghouse": "Clearinghouse",
    "gateway": "OrderGateway",
    "liquidator": "Liquidator",
    "timelock": "Timelock",
    "lens": "Lens",
}


class DeploymentError(Exception):
    """Deploying or loading went wrong. One sentence."""


@dataclass(frozen=True)
class Deployment:
    """Contracts of one deployment, as attributes named like the keys of CONTRACTS."""

    chain_id: int
    deployer: str
    block: int  # the first one to look at for events
    addresses: dict[str, str]
    code_hashes: dict[str, str]  # keccak of the code on the chain
    markets: dict[str, int]  # symbol -> asset id
    tokens: dict[str, int]  # symbol of a collateral token -> asset id
    collateral_addresses: dict[str, str]  # symbol -> contract
    fingerprint: str = ""  # of the configuration
    _instances: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __getattr__(self, name: str) -> Any:
        """The contract of that name."""
        addresses = self.__dict__.get("addresses", {})
        if name not in addresses:
            raise AttributeError(f"no contract {name!r} in this deployment")
        if name not in self._instances:
            self._instances[name] = container(CONTRACTS[name]).at(addresses[name])
        return self._instances[name]

    def collateral(self, symbol: str) -> Any:
        """The contract of a listed collateral token."""
        return container("TokenMock").at(self.collateral_addresses[symbol])

    @property
    def asset_ids(self) -> dict[str, int]:
        return self.markets | self.tokens

    # --- file -------------------------------------------------------------------------------------------

    def save(self, folder: Path = FOLDER) -> Path:
        # Not `asdict`: copying a contract instance never ends.
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "_instances"}
        path = path_of(self.chain_id, folder)
        write_json(path, values)
        return path

    @classmethod
    def load(cls, path: Path | None = None, folder: Path = FOLDER) -> Deployment:
        """The deployment on the connected chain; refuses one of another chain, or whose code is not there."""
        chain_id = ape.chain.chain_id
        path = path_of(chain_id, folder) if path is None else path
        values = read_json(path)
        if values is None:
            raise DeploymentError(
                f"There is no deployment for chain {chain_id} ({path}): run `ape run deploy` first."
            )
        try:
            deployment = cls(**values)
        except TypeError:
            raise DeploymentError(f"{path} is not a deployment of this version.") from None
        if deployment.chain_id != chain_id:
            raise DeploymentError(
                f"{path} is a deployment on chain {deployment.chain_id}, but this is chain {chain_id}."
            )
        for name, expected in deployment.code_hashes.items():
            if code_hash(deployment.addresses[name]) != expected:
                raise DeploymentError(
                    f"{path} names {deployment.addresses[name]} as the {name}, but that code is not on"
                    f" this chain: it is another chain with id {chain_id}, or it was restarted."
                )
        return deployment

    @property
    def is_live(self) -> bool:
        """Whether any of its contracts is on the connected chain."""
        return any(has_code(address) for address in self.addresses.values())


def path_of(chain_id: int, folder: Path = FOLDER) -> Path:
    return folder / f"{chain_id}.json"


def journal_path_of(chain_id: int, folder: Path = FOLDER) -> Path:
    return folder / f"{chain_id}.unfinished.json"


# --- the chain ------------------------------------------------------------------------------------------


def container(name: str) -> Any:
    return getattr(ape.project, name)


def has_contract(name: str) -> bool:
    return name in ape.project.contracts


def code_of(address: str) -> bytes:
    return bytes(ape.chain.provider.get_code(address))


def has_code(address: str) -> bool:
    return len(code_of(address)) > 0


def code_hash(address: str) -> str:
    return "0x" + keccak(code_of(address)).hex()


# --- journal --------------------------------------------------------------------------------------------


class Journal:
    """Steps taken so far; kept in memory if it has no path."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.steps: dict[str, dict[str, Any]] = {}
        self.head: dict[str, Any] = {}
        values = read_json(path) if path else None
        if values:
            self.head, self.steps = values["head"], values["steps"]

    @property
    def is_empty(self) -> bool:
        return not self.steps

    def open(self, head: Mapping[str, Any]) -> None:
        """Start, or check that what was begun is what is continued now."""
        for key, value in self.head.items():
            if head.get(key) != value:
                raise DeploymentError(
                    f"A deployment with another {key.replace('_', ' ')} is half finished ({self.path}):"
                    " finish it as it was begun, or move that file away to start anew."
                )
        self.head = dict(head)

    def note(self, step: str, **values: Any) -> None:
        self.steps[step] = self.steps.get(step, {}) | values
        if self.path:
            write_json(self.path, {"head": self.head, "steps": self.steps})

    def is_done(self, step: str) -> bool:
        return bool(self.steps.get(step, {}).get("done"))

    @property
    def count(self) -> int:
        return sum(1 for step in self.steps.values() if step.get("done"))

    def close(self) -> None:
        if self.path:
            self.path.unlink(missing_ok=True)


def read_json(path: Path) -> Any:
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise DeploymentError(f"{path} cannot be read: {error}.") from None


def write_json(path: Path, values: Any) -> None:
    """All or nothing: a crash leaves the file as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(values, indent=2) + "\n")
    draft.replace(path)


# --- deploying ------------------------------------------------------------------------------------------

OnStep = Callable[[str], None]


def deploy(
    config: Config,
    account: Any,
    journal: Journal | None = None,
    on_step: OnStep = lambda step: None,
) -> Deployment:
    """Deploy everything, hand it over to the timelock, verify. `account` is an Ape account."""
    check_before(config, account.address)
    return Deployer(config, account, journal or Journal(), on_step).run()


def check_before(config: Config, deployer: str) -> None:
    """What can be refused before anything is sent."""
    chain_id = ape.chain.chain_id
    if config.chain_id != chain_id:
        raise DeploymentError(
            f"The configuration is for chain {config.chain_id}, but this is chain {chain_id}."
        )
    known = known_among([deployer, *config.people], chain_id)
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
    mocks = sum(
        1 for a in [config.settlement.token, *(t.address for t in config.tokens)] if a == MOCK
    )
    contracts = 8 if has_contract("Lens") else 7
    options = sum(
        map(bool, [config.interest_rate, config.collateral_multiple, config.sequencer_feed])
    )
    feeds = sum(1 for asset in assets if asset.feed)
    wiring = 6  # bind, set_ledger, set_gateway_at, 2 set_liquidator, set_outflow
    return (
        contracts + mocks + wiring + options + feeds + len(assets) + len(config.tokens) + len(OWNED)
    )


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
                "chain_id": ape.chain.chain_id,
                "genesis": ape.chain.provider.get_block(0).hash.hex(),
                "deployer": self.account.address,
                "configuration": self.config.fingerprint,
                "code": self.code_fingerprint(),
            }
        )
        block = self.journal.steps.get("start", {}).get("block", ape.chain.blocks.height)
        self.journal.note("start", block=block)
        self.deploy_engine()
        self.deploy_ledger()
        self.deploy_rules()
        self.wire()
        self.set_limits()
        self.list_tokens()
        self.list_assets()
        self.hand_over()
        deployment = self.result(block)
        verify(deployment, self.config)
        return deployment

    # --- contracts --------------------------------------------------------------------------------------

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
        self.contract("gateway", ledger, engine)
        self.contract("liquidator", ledger, engine, self.config.liquidation.tuple())
        self.contract("timelock", roles.timelock_delay, roles.proposers, roles.executors, engine)
        if has_contract("Lens"):
            self.contract("lens", *self.lens_arguments())

    def lens_arguments(self) -> list[Any]:
        """By name: what the lens looks at."""
        named = {
            "_clearinghouse": "clearinghouse",
            "_ledger": "clearinghouse",
            "_engine": "engine",
            "_risk_engine": "engine",
            "_liquidator": "liquidator",
            "_custody": "custody",
            "_settings": "settings",
            "_gateway": "gateway",
        }
        inputs = container("Lens").contract_type.constructor.inputs
        return [self.instances[named[each.name]] for each in inputs]

    # --- wiring -----------------------------------------------------------------------------------------

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

    # --- assets -----------------------------------------------------------------------------------------

    def list_tokens(self) -> None:
        custody = self.instances["custody"]
        for index, token in enumerate(self.config.tokens):
            address = self.token_address(token)
            self.collateral[token.symbol] = address
            self.call(
                f"list_token {token.symbol}",
                lambda index=index: custody.token_count() > index,
                custody.list_token,
                address,
                token.cap * WAD,
                token.outflow_cap * WAD,
                token.outflow_window,
            )

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

    # --- end --------------------------------------------------------------------------------------------

    def hand_over(self) -> None:
        timelock = self.instances["timelock"]
        for name in OWNED:
            contract = self.instances[name]
            self.call(
                f"hand_over {name}",
                lambda contract=contract: contract.owner() == timelock.address,
                contract.hand_over,
                timelock,
            )

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

    # --- steps ------------------------------------------------------------------------------------------

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

    def code_fingerprint(self) -> str:
        """Of the code of all contracts as compiled."""
        parts = [
            str(container(name).contract_type.deployment_bytecode.bytecode)
            for name in CONTRACTS.values()
            if has_contract(name)
        ]
        return keccak(text="".join(parts)).hex()[:16]


class explained:  # noqa: N801 - reads as a verb
    """Turns a revert into a sentence that names the step."""

    def __init__(self, step: str) -> None:
        self.step = step

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, ape.exceptions.ApeException):
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DeploymentError(f"The step {self.step!r} failed: {reason}.") from error


# --- verifying ------------------------------------------------------------------------------------------


def verify(deployment: Deployment, config: Config) -> None:
    """Read everything back; raise with all that is wrong."""
    wrong = [what for what, ok in checks(deployment, config) if not ok]
    if wrong:
        raise DeploymentError("The deployment is not as it should be: " + "; ".join(wrong) + ".")


def checks(deployment: Deployment, config: Config) -> Iterator[tuple[str, bool]]:
    """Each thing that must hold, and whether it does."""
    yield from wiring_checks(deployment)
    yield from role_checks(deployment, config)
    yield from asset_checks(deployment, config)


def wiring_checks(d: Deployment) -> Iterator[tuple[str, bool]]:
    at = d.addresses
    yield "the engine's settings", d.engine.SETTINGS() == at["settings"]
    yield "the settings' engine", d.settings.engine() == at["engine"]
    yield "custody's ledger", d.custody.ledger() == at["clearinghouse"]
    yield "the ledger's engine", d.clearinghouse.engine() == at["engine"]
    yield "the ledger's settlement token", d.clearinghouse.settlement() == at["settlement"]
    yield "the ledger's custody", d.clearinghouse.custody() == at["custody"]
    yield "the ledger's liquidator", d.clearinghouse.liquidator() == at["liquidator"]
    yield "the ledger's gateway", d.clearinghouse.gateway_at(GATEWAY) == at["gateway"]
    for number in range(1, 8):
        yield f"gateway {number} is not empty", d.clearinghouse.gateway_at(number) == ZERO
    yield "the engine's liquidator", word_address(d, "LIQUIDATOR") == at["liquidator"]
    yield "the gateway's ledger", d.gateway.clearinghouse() == at["clearinghouse"]
    yield "the gateway's engine", d.gateway.risk_engine() == at["engine"]
    yield "the liquidator's ledger", d.liquidator.LEDGER() == at["clearinghouse"]
    yield "the liquidator's engine", d.liquidator.ENGINE() == at["engine"]
    yield "the timelock's engine", d.timelock.ENGINE() == at["engine"]
    allowance = d.settlement.allowance(at["clearinghouse"], at["custody"])
    yield "custody's allowance", allowance > 2**255


# Numbers of `engine_tables` and `engine_scalars`.
SCALAR_TABLE: Final = 10
SCALARS: Final = {"SEQUENCER": 2, "LIQUIDATOR": 3}


def word_address(d: Deployment, scalar: str) -> str:
    word = d.engine.word_at(SCALAR_TABLE, SCALARS[scalar])
    return str(ape.convert(word.to_bytes(20, "big"), ape.types.AddressType))


def role_checks(d: Deployment, config: Config) -> Iterator[tuple[str, bool]]:
    roles, timelock = config.roles, d.timelock
    for name in OWNED:
        yield f"the owner of the {name}", getattr(d, name).owner() == timelock.address
    yield "the guardian", d.engine.guardian() == roles.guardian
    names = ("PROPOSER_ROLE", "CANCELLER_ROLE", "EXECUTOR_ROLE", "DEFAULT_ADMIN_ROLE")
    ids = {name: getattr(timelock, name)() for name in names}
    for name, role in ids.items():
        yield f"the deployer has {name}", not timelock.hasRole(role, d.deployer)
    admin = ids["DEFAULT_ADMIN_ROLE"]
    yield "the timelock administers itself", timelock.hasRole(admin, timelock.address)
    for person in config.people:
        yield f"{person} administers the timelock", not timelock.hasRole(admin, person)
    for proposer in roles.proposers:
        yield f"{proposer} cannot propose", timelock.hasRole(ids["PROPOSER_ROLE"], proposer)
    for executor in roles.executors:
        yield f"{executor} cannot execute", timelock.hasRole(ids["EXECUTOR_ROLE"], executor)
    yield "the delay", timelock.get_minimum_delay() == roles.timelock_delay
    yield "the delay's floor", timelock.DELAY_FLOOR() == roles.timelock_delay
    signers, quorum = d.settings.signers()
    yield "the signers", list(signers) == config.oracle.ascending
    yield "the quorum", quorum == config.oracle.quorum


def asset_checks(d: Deployment, config: Config) -> Iterator[tuple[str, bool]]:
    yield "price rules", tuple(d.settings.price_rules()) == config.price_rules.tuple()
    yield "push rules", tuple(d.settings.push_rules()) == config.push_rules.tuple()
    yield "clocks", tuple(d.engine.clocks()) == config.clocks.tuple()
    yield "liquidation", tuple(d.liquidator.parameters()) == config.liquidation.tuple()
    yield "interest", d.clearinghouse.interest().rate == config.interest_per_second
    yield "collateral multiple", d.custody.collateral_multiple() == config.collateral_multiple
    yield "sequencer", word_address(d, "SEQUENCER") == (config.sequencer_feed or ZERO)
    yield "collateral tokens", d.custody.token_count() == len(config.tokens)
    for index, token in enumerate(config.tokens):
        expected = d.collateral_addresses[token.symbol]
        yield f"collateral {token.symbol}", d.custody.token_at(index) == expected
        yield f"cap of {token.symbol}", d.custody.listed(index).cap == token.cap * WAD
    for asset in [*config.markets, *config.tokens]:
        number = d.asset_ids[asset.symbol]
        stored = [tuple(row) for row in d.settings.brackets(number)]
        yield f"brackets of {asset.symbol}", stored == asset.rows
        expected_config = asset.config.tuple()
        yield f"config of {asset.symbol}", tuple(d.settings.config_of(number)) == expected_config
