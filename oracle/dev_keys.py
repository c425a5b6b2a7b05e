"""The keys everybody knows. They are good on a local chain only."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Final

from eth_account import Account

LOCAL_CHAIN: Final = 31_337
# Anvil's, Hardhat's and Ape's; Ganache's; Truffle's.
MNEMONICS: Final = (
    "test test test test test test test test test test test junk",
    "myth like bonus scare over problem client lizard pioneer submit female collect",
    "candy maple cake sugar pudding cream honey rich smooth crumble sweet treat",
)
ACCOUNTS: Final = 20  # of each


@cache
def dev_address(index: int) -> str:
    """Account `index` of Anvil's mnemonic."""
    return _derive(MNEMONICS[0], index)


@cache
def known_addresses() -> frozenset[str]:
    """Checksummed addresses whose private keys are public knowledge."""
    derived = {_derive(phrase, i) for phrase in MNEMONICS for i in range(ACCOUNTS)}
    small = {Account.from_key(key.to_bytes(32, "big")).address for key in range(1, ACCOUNTS)}
    return frozenset(derived | small)


def known_among(addresses: Iterable[str], chain_id: int) -> list[str]:
    """Those that must not be used on this chain."""
    if chain_id == LOCAL_CHAIN:
        return []
    return sorted(set(addresses) & known_addresses())


def _derive(phrase: str, index: int) -> str:
    Account.enable_unaudited_hdwallet_features()
    path = f"m/44'/60'/0'/0/{index}"
    return str(Account.from_mnemonic(phrase, account_path=path).address)
