"""The deployed protocol as the demo's people see it, and the people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import ape
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from oracle.chain import Client, Sender
from oracle.signing import Domain, account_id
from scripts.demo_parts.contracts import Contract
from scripts.demo_parts.node import FREE, Node
from scripts.demo_parts.plan import COLLATERAL, STAGED
from scripts.support.config import Config
from scripts.support.deployed import CONTRACTS, Deployment, container
from scripts.support.deployment import deploy

WAD: Final = 10**18
UNIT: Final = 10**6  # of the settlement token, a US dollar
UNIT_WAD: Final = WAD // UNIT
CROSS, ISOLATED = 1, 2
HEALTHY, CALLED, LIQUIDATABLE, BACKSTOP, BANKRUPT = range(5)
UNKNOWN, AFTERMATH = 1, 2  # state bits of a price
BIDDER: Final = 32  # subaccount of the vault that takes collateral
SETTLEMENT: Final = 255  # token index of the settlement token
MOST_AT_ONCE: Final = 100  # accounts in one question to the lens
ENDLESS: Final = 2**256 - 1


class Health(NamedTuple):
    """Of one account."""

    equity: int  # [USD wad]
    mm: int  # [USD wad]
    state: int


class Market(NamedTuple):
    """Of one market, as the engine has it."""

    price: int  # [USD wad]
    state: int
    severity: int  # [ppm] pushed
    depth: int  # [ppm] pushed
    severity_mm: int  # [ppm] that maintenance margin has now
    severity_im: int  # [ppm] that initial margin has now


class Terms(NamedTuple):
    """Of a partial take-over now."""

    least: int
    most: int
    price: int
    fee: int
    elapsed: int


class Totals(NamedTuple):
    """What settlement tokens custody holds, and for whom. [USD wad]"""

    tokens: int  # T: for accounts
    deficit: int  # D_h
    tickets: int  # R
    insurance: int
    restored: int  # for tickets
    waiting: int  # for receivers

    @property
    def ratio(self) -> float:
        """h"""
        return self.tokens / (self.tokens + self.deficit) if self.deficit else 1.0


class Leg(NamedTuple):
    """Of an account's book."""

    market: int
    size: int
    mark: int
    value: int
    notional: int


@dataclass(frozen=True)
class Person:
    """Somebody with a key and one account."""

    name: str
    key: LocalAccount = field(repr=False)
    sender: Sender = field(repr=False)
    account: int

    @property
    def address(self) -> str:
        """Checksummed."""
        return str(self.key.address)


@dataclass
class Venue:
    """Contracts of one deployment, with a client that asks them."""

    client: Client
    node: Node
    engine: Contract
    settings: Contract
    ledger: Contract
    gateway: Contract
    liquidator: Contract
    custody: Contract
    fund: Contract
    vault: Contract
    lens: Contract
    waterfall_lens: Contract
    cash: Contract  # the settlement token
    collateral: Contract
    markets: dict[str, int]  # symbol -> asset id, of the scenario's
    staged: int  # asset id of the second act's market
    collateral_asset: int
    bank: Sender = field(repr=False)  # mints the mock tokens, submits for others

    @property
    def domain(self) -> Domain:
        """Orders are signed for it."""
        return Domain(self.client.chain_id, self.gateway.address)

    @property
    def listed(self) -> dict[str, int]:
        """All markets: the scenario's and the second act's."""
        return self.markets | {STAGED: self.staged}

    @property
    def symbols(self) -> dict[int, str]:
        """Of the markets."""
        return {asset: symbol for symbol, asset in self.markets.items()}

    def ask(self, contract: Contract, function: str, *args: Any) -> Any:
        """One question."""
        call = contract.ask(function, *args)
        return self.client.call(call.to, call.function, *args)

    # --- capital ---------------------------------------------------------------------------------

    def ring(self, market: int) -> int:
        """The account of the vault's ring for a market."""
        return account_id(self.vault.address, market)

    @property
    def own_accounts(self) -> dict[int, str]:
        """Of the vault, by account: its rings, and the bidder for collateral."""
        rings = {self.ring(market): f"ring-{name}" for name, market in self.listed.items()}
        return rings | {account_id(self.vault.address, BIDDER): "vault-bidder"}

    def ring_size(self, market: int) -> int:
        """Position of a ring [base wad]."""
        return int(self.ask(self.lens, "position", self.ring(market), market)[3])

    def give(self, to: Contract, units: int, *market: int) -> None:
        """A gift of the bank's to the vault, or to a market's bucket of the fund [token units]."""
        mint = self.cash.data("mint", self.bank.address, units)
        self.node.send(self.bank, self.cash.address, mint, "mint")
        approve = self.cash.data("approve", to.address, units)
        self.node.send(self.bank, self.cash.address, approve, "approve")
        self.node.send(self.bank, to.address, to.data("give", *market, units), "give")

    def deposit_to(self, account: int, units: int) -> None:
        """Of the bank's, into anybody's account [token units]."""
        mint = self.cash.data("mint", self.bank.address, units)
        self.node.send(self.bank, self.cash.address, mint, "mint")
        approve = self.cash.data("approve", self.ledger.address, units)
        self.node.send(self.bank, self.cash.address, approve, "approve")
        data = self.ledger.data("deposit", account, units)
        self.node.send(self.bank, self.ledger.address, data, "deposit")

    # --- people ----------------------------------------------------------------------------------

    def person(self, name: str) -> Person:
        """Their key follows from their name: for a local chain only."""
        key: LocalAccount = Account.from_key(keccak(text=f"plimsoll demo: {name}"))
        return Person(name, key, Sender(self.client, key, FREE), account_id(key.address))

    def open_account(self, person: Person, mode: int) -> None:
        """With the order gateway; tokens are approved for good."""
        data = self.ledger.data("open_account", 0, mode, 1)
        self.node.send(person.sender, self.ledger.address, data, "open account")
        data = self.cash.data("approve", self.ledger.address, ENDLESS)
        self.node.send(person.sender, self.cash.address, data, "approve")

    def deposit(self, person: Person, amount: int) -> None:
        """Mint and put in; amount in USD wad, rounded up to token units."""
        units = -(-amount // UNIT_WAD)
        data = self.cash.data("mint", person.address, units)
        self.node.send(self.bank, self.cash.address, data, "mint")
        data = self.ledger.data("deposit", person.account, units)
        self.node.send(person.sender, self.ledger.address, data, "deposit")

    def deposit_collateral(self, person: Person, amount: int) -> None:
        """Mint and put in; amount in wad of tokens."""
        token = self.collateral
        self.node.send(self.bank, token.address, token.data("mint", person.address, amount), "mint")
        data = token.data("approve", self.custody.address, amount)
        self.node.send(person.sender, token.address, data, "approve")
        data = self.custody.data("deposit", person.account, 0, amount)
        self.node.send(person.sender, self.custody.address, data, "deposit collateral")

    # --- questions -------------------------------------------------------------------------------

    def health(self, accounts: Sequence[int]) -> dict[int, Health]:
        """Of many accounts, as few questions as the lens allows."""
        parts = [accounts[i : i + MOST_AT_ONCE] for i in range(0, len(accounts), MOST_AT_ONCE)]
        answers = [row for part in parts for row in self.ask(self.lens, "health", list(part))]
        return {account: Health(*row) for account, row in zip(accounts, answers, strict=True)}

    def look(self) -> dict[str, Market]:
        """At every market."""
        calls = []
        for asset in self.markets.values():
            calls.append(self.engine.ask("price_of", asset))
            calls.append(self.settings.ask("line_of", asset))
        answers = iter(self.client.call_many(calls))
        found = {}
        for symbol in self.markets:
            price, line = next(answers), next(answers)
            found[symbol] = Market(price[0], price[2], line[0], line[1], line[3], line[5])
        return found

    def totals(self) -> Totals:
        """Of custody."""
        return Totals(*self.ask(self.custody, "totals"))

    def legs(self, account: int) -> list[Leg]:
        """Largest first."""
        summary = self.ask(self.lens, "account_summary", account)
        legs = [Leg(*leg) for leg in summary[-1]]
        return sorted((leg for leg in legs if leg.size), key=lambda leg: -leg.notional)

    def initial_margin(self, symbol: str, size: int) -> int:
        """Of a single position at the mark [USD wad]."""
        return int(self.ask(self.engine, "tier_requirement", self.markets[symbol], size, 0))


def deploy_venue(config: Config, client: Client, on_step: Callable[[str], None]) -> Venue:
    """Everything, by the deployment script's own steps."""
    deployer = ape.accounts.test_accounts[0]
    return venue_of(deploy(config, deployer, on_step=on_step), client)


def venue_of(deployment: Deployment, client: Client) -> Venue:
    """The contracts of a deployment, watched by a node."""
    node = Node(client)
    contracts = {name: _contract(name, deployment.addresses[name]) for name in CONTRACTS}
    collateral = deployment.collateral_addresses[COLLATERAL]
    token = Contract("collateral", collateral, _abi("TokenMock"))
    for name in ("engine", "clearinghouse", "custody", "liquidator", "fund", "vault"):
        node.watch(contracts[name])
    bank: LocalAccount = Account.from_key(keccak(text="plimsoll demo: bank"))
    return Venue(
        client=client,
        node=node,
        engine=contracts["engine"],
        settings=contracts["settings"],
        ledger=contracts["clearinghouse"],
        gateway=contracts["gateway"],
        liquidator=contracts["liquidator"],
        custody=contracts["custody"],
        fund=contracts["fund"],
        vault=contracts["vault"],
        lens=contracts["lens"],
        waterfall_lens=contracts["waterfall_lens"],
        cash=contracts["settlement"],
        collateral=token,
        markets={name: market for name, market in deployment.markets.items() if name != STAGED},
        staged=deployment.markets[STAGED],
        collateral_asset=deployment.tokens[COLLATERAL],
        bank=Sender(client, bank, FREE),
    )


def _contract(name: str, address: str) -> Contract:
    return Contract(name, address, _abi(CONTRACTS[name]))


def _abi(name: str) -> list[dict[str, Any]]:
    entries = container(name).contract_type.abi
    return [entry.model_dump(mode="json", by_alias=True) for entry in entries]
