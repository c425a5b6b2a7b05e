"""A deployment on a local chain with prices and people: for the role table and the tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import ape
from eth_account import Account
from eth_account.signers.local import LocalAccount

from oracle.signing import Domain, Line, Order, Push, Report, account_id, pack_quote, sign
from scripts.support.config import WAD, Config
from scripts.support.deployed import Deployment, chain_id
from scripts.support.deployment import deploy
from scripts.support.dev_keys import MNEMONICS, dev_address

UNIT: Final = 10**6  # of the settlement token
CROSS: Final = 1
KEEPER: Final = 5  # account of the mnemonic that sends reports
PRICES: Final = {"BTC": 20_000, "ETH": 2_000, "WETH": 2_000}


def dev_key(address: str) -> LocalAccount:
    """Of an account of the local mnemonic."""
    Account.enable_unaudited_hdwallet_features()
    for index in range(10):
        if dev_address(index) == address:
            path = f"m/44'/60'/0'/0/{index}"
            key: LocalAccount = Account.from_mnemonic(MNEMONICS[0], account_path=path)
            return key
    raise KeyError(address)


class Stage:
    """Everything `dev:0` deployed, the signers' keys, accounts of traders."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.d: Deployment = deploy(config, ape.accounts.test_accounts[0])
        self.signers = [dev_key(address) for address in config.oracle.ascending]
        self.prices = {asset: PRICES[symbol] * WAD for symbol, asset in self.d.asset_ids.items()}
        self.salt = 0
        self.report()

    # --- keeper ------------------------------------------------------------------------------

    def report(self, prices: Mapping[str, int] | None = None) -> None:
        """At the next time on the grid, prices in USD by symbol."""
        for symbol, price in (prices or {}).items():
            self.prices[self.d.asset_ids[symbol]] = price * WAD
        period = self.config.price_rules.period
        now = ape.chain.pending_timestamp
        ape.chain.mine(1, timestamp=now - now % period + period)
        arguments = self.signed_report(ape.chain.blocks.head.timestamp)
        self.d.engine.report(*arguments, sender=ape.accounts.test_accounts[KEEPER])

    def signed_report(self, observed: int) -> tuple[Any, ...]:
        """Arguments of `report`, signed by all."""
        assets = sorted(self.prices)
        quotes = tuple(pack_quote(self.prices[asset], 0) for asset in assets)
        domain = Domain(chain_id(), self.d.addresses["engine"])
        signed = [sign(Report(observed, tuple(assets), quotes), domain, s) for s in self.signers]
        return observed, assets, list(quotes) * len(signed), [(x.v, x.r, x.s) for x in signed]

    def signed_push(self, until: int, severity: int = 0) -> tuple[Any, ...]:
        """Arguments of `push`, for all markets."""
        lines = tuple(
            Line(asset, severity, 10**6, int(self.d.settings.line_of(asset).pushed))
            for asset in sorted(self.d.markets.values())
        )
        domain = Domain(chain_id(), self.d.addresses["engine"])
        signed = [sign(Push(bytes(32), until, lines), domain, s) for s in self.signers]
        rows = [x.packed for x in lines]
        return bytes(32), until, rows, [(x.v, x.r, x.s) for x in signed]

    # --- traders -----------------------------------------------------------------------------

    def open(self, trader: int, usd: int, sub: int = 0) -> int:
        """A CROSS account of account `trader` of the mnemonic, opted in to the gateway."""
        sender = ape.accounts.test_accounts[trader]
        self.d.settlement.mint(sender, usd * UNIT, sender=sender)
        self.d.settlement.approve(self.d.clearinghouse, 2**256 - 1, sender=sender)
        self.d.clearinghouse.open_account(sub, CROSS, 1, sender=sender)
        account = account_id(sender.address, sub)
        self.d.clearinghouse.deposit(account, usd * UNIT, sender=sender)
        return account

    def order(self, account: int, symbol: str, size: int) -> tuple[tuple[Any, ...], bytes]:
        """At the mark [size in base wad]."""
        self.salt += 1
        market = self.d.markets[symbol]
        order = Order(account, market, size, self.prices[market], 1_000, 2**40, self.salt)
        owner = dev_key(ape.convert((account >> 96).to_bytes(20, "big"), ape.types.AddressType))
        signature = sign(order, Domain(chain_id(), self.d.addresses["gateway"]), owner)
        values = tuple(getattr(order, name) for name in order.__dataclass_fields__)
        return values, signature.packed

    def trade(self, buyer: int, seller: int, symbol: str, size: int) -> None:
        """Two signed orders, matched by the keeper."""
        maker, maker_signature = self.order(buyer, symbol, size)
        taker, taker_signature = self.order(seller, symbol, -size)
        keeper = ape.accounts.test_accounts[KEEPER]
        signatures = (maker_signature, taker_signature)
        self.d.gateway.match(maker, taker, *signatures, size, sender=keeper)
