"""What the bot asks and sends, by canonical signature, and where: one deployment's addresses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from eth_utils.address import is_address, to_checksum_address
from eth_utils.crypto import keccak

from oracle.bot.errors import BotError
from oracle.chain import ChainError, Client, Function, to_hex

WAD: Final = 10**18
HEALTHY, CALLED, LIQUIDATABLE, BACKSTOP, BANKRUPT = range(5)
NEEDED: Final = ("engine", "clearinghouse", "custody", "liquidator", "vault", "lens")

# --- topics of events, each with the account as its first indexed value --------------------------

CONFIGURED: Final = to_hex(keccak(text="AccountConfigured(uint256,uint256,uint256,uint256)"))
STARTED: Final = to_hex(keccak(text="AuctionStarted(uint256)"))
ENDED: Final = to_hex(keccak(text="AuctionEnded(uint256)"))

# --- the ledger, the engine, the lens ------------------------------------------------------------

BOOK: Final = Function(
    "book(uint256)",
    ("(int256,uint256,uint256,(uint256,int256,int256,uint256)[],(uint256,uint256)[])",),
)
REFERENCE_OF: Final = Function(
    "reference_of(uint256)", ("(uint256,int256,uint256,uint256,uint256,uint256)",)
)
COLLATERAL_PRICE: Final = Function("collateral_terms(uint256)", ("uint256", "uint256", "uint256"))
PRICE_OF: Final = Function("price_of(uint256)", ("(uint256,uint256,uint256,int256,int256)",))
HEALTH: Final = Function("health(uint256[])", ("(int256,uint256,uint256)[]",))
MAX_TRADE: Final = Function("max_trade(uint256,uint256,bool,uint256,bool)", ("uint256",))

# --- the liquidator ------------------------------------------------------------------------------

TERMS: Final = Function("terms(uint256,uint256)", (f"({','.join(['uint256'] * 5)})",))
COLLATERAL_TERMS: Final = Function(
    "collateral_terms(uint256,uint256)", (f"({','.join(['uint256'] * 5)})",)
)
POKE: Final = Function("poke(uint256)", ("uint256",))
TAKE: Final = Function("take(uint256,uint256,uint256,uint256,uint256)", ("uint256",))
TAKE_COLLATERAL: Final = Function(
    "take_collateral(uint256,uint256,uint256,uint256,uint256)", ("uint256", "uint256")
)
RESOLVE: Final = Function("resolve(uint256)")
REWARD_OF: Final = Function("reward_of(uint256)", ("uint256",))

# --- the vault, and custody, which holds the bot's rewards ---------------------------------------

SETTLEMENT: Final = 255  # custody's index of the settlement token
TAKE_LAST: Final = Function("take_last(uint256,uint256)")
WAITING: Final = Function("waiting(uint256,address)", ("uint256",))
RELEASE: Final = Function("release(uint256,address)")


class Terms(NamedTuple):
    """Of a partial take-over now."""

    least: int  # [base wad]
    most: int  # [base wad]
    price: int  # [USD wad]
    fee: int  # [ppm] paid by the account
    elapsed: int  # [s]


class CollateralTerms(NamedTuple):
    """Of a sale of collateral now."""

    most: int  # [wad]
    price: int  # [USD wad] after the discount
    discount: int  # [ppm]
    debt: int  # [USD wad]
    elapsed: int  # [s]


@dataclass(frozen=True)
class Deployment:
    """What the bot needs to know of one."""

    chain_id: int
    start: int  # first block with events
    engine: str
    ledger: str
    liquidator: str
    lens: str
    assets: Mapping[str, int]  # symbol -> asset id, of markets and collateral
    code_hashes: Mapping[str, str]  # address -> keccak of the code there
    custody: str = ""
    vault: str = ""

    @classmethod
    def load(cls, path: Path) -> Deployment:
        """From the file that `ape run deploy` writes.

        Raises:
            BotError: unreadable, or no deployment.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise BotError(f"{path} cannot be read: {error.strerror}.") from None
        except ValueError:
            raise BotError(f"{path} is no deployment: it is not JSON.") from None
        try:
            return cls._from(values)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise BotError(f"{path} is no deployment: see `ape run deploy`.") from None

    @classmethod
    def _from(cls, values: Mapping[str, Any]) -> Deployment:
        addresses = {name: values["addresses"][name] for name in NEEDED}
        if not all(is_address(address) for address in addresses.values()):
            raise ValueError
        hashes = values.get("code_hashes", {})
        return cls(
            chain_id=int(values["chain_id"]),
            start=int(values["block"]),
            engine=to_checksum_address(addresses["engine"]),
            ledger=to_checksum_address(addresses["clearinghouse"]),
            liquidator=to_checksum_address(addresses["liquidator"]),
            lens=to_checksum_address(addresses["lens"]),
            custody=to_checksum_address(addresses["custody"]),
            vault=to_checksum_address(addresses["vault"]),
            assets={**values.get("markets", {}), **values.get("tokens", {})},
            code_hashes={addresses[name]: hashes[name] for name in NEEDED if name in hashes},
        )

    def check(self, client: Client) -> None:
        """Refuse to be used on another chain.

        Raises:
            BotError: another chain, or another code.
        """
        if client.chain_id != self.chain_id:
            raise BotError(
                f"The deployment is on chain {self.chain_id}, the node on chain {client.chain_id}."
            )
        for address, expected in self.code_hashes.items():
            code = bytes.fromhex(client.request("eth_getCode", address, "latest")[2:])
            if to_hex(keccak(code)) != expected:
                raise BotError(f"The contract of the deployment at {address} is not on this chain.")


def is_refusal(error: ChainError) -> bool:
    """Whether node or contract answered, and said no; otherwise the node cannot be reached."""
    return str(error).startswith(("The node refused", "The contract refused"))


def short_id(account: int) -> str:
    """For logs: the owner's address, and the subaccount unless it is 0."""
    owner, subaccount = f"0x{account >> 96:040x}", account & (2**96 - 1)
    return f"{owner}/{subaccount}" if subaccount else owner
