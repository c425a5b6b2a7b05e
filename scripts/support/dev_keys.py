"""The keys everybody knows: see `oracle.dev_keys`."""

from oracle.dev_keys import (
    ACCOUNTS,
    LOCAL_CHAIN,
    MNEMONICS,
    dev_address,
    known_addresses,
    known_among,
)

__all__ = [
    "ACCOUNTS",
    "LOCAL_CHAIN",
    "MNEMONICS",
    "dev_address",
    "known_addresses",
    "known_among",
]
