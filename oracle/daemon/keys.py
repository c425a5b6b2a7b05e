"""Keys come from encrypted keystores that only their owner can read, and are shown to nobody.

A passphrase comes from a file (mode 600 or stricter), from a file descriptor, or is typed; never
from the environment. The keys everybody knows are refused off the local chain.
"""

from __future__ import annotations

import json
import os
import resource
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
from eth_account import Account
from eth_account.signers.local import LocalAccount

from oracle import signing
from oracle.chain import to_hex
from oracle.daemon.alarms import DaemonError, Exit
from oracle.daemon.logs import hide
from oracle.dev_keys import LOCAL_CHAIN, MNEMONICS, known_among
from oracle.keeper import KeeperError, open_keystore

OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class Key:
    """A key that can sign; nothing shows it, also `repr` and pickles do not."""

    address: str
    _account: LocalAccount

    @classmethod
    def of(cls, account: LocalAccount) -> Key:
        """From now on its digits appear in no log."""
        hide([to_hex(bytes(account.key))])
        return cls(str(account.address), account)

    def __repr__(self) -> str:
        return f"Key({self.address})"

    def __reduce__(self) -> Any:
        raise TypeError("a key is not to be written anywhere")

    def sign_message(self, message: signing.Message, domain: signing.Domain) -> signing.Signature:
        """EIP-712."""
        return signing.sign(message, domain, self._account)

    def sign_transaction(self, fields: dict[str, Any]) -> tuple[str, str]:
        """Raw transaction and its hash, as hex."""
        signed = self._account.sign_transaction(fields)
        return to_hex(bytes(signed.raw_transaction)), to_hex(bytes(signed.hash))


def open_key(path: Path, passphrase: str) -> Key:
    """The key in a keystore.

    Raises:
        DaemonError: unreadable, readable by others, no keystore, or another passphrase.
    """
    check_mode(path)
    hide([passphrase])
    try:
        return Key.of(open_keystore(path, passphrase))
    except KeeperError as error:
        raise DaemonError(str(error), Exit.KEYS) from None


def check_mode(path: Path) -> None:
    """Refuse a file that others than its owner may read or write.

    Raises:
        DaemonError: they may, or the file cannot be looked at.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise DaemonError(f"{path} cannot be read: {error.strerror}.", Exit.KEYS) from None
    if mode & OTHERS:
        what = f"{path} has mode {stat.S_IMODE(mode):03o}: others may read it; chmod 600 it."
        raise DaemonError(what, Exit.KEYS)


def passphrase_of(file: Path | None, descriptor: int | None, what: str) -> str:
    """From a file or a file descriptor, else typed.

    Args:
        what: it opens, for the prompt.

    Raises:
        DaemonError: none of them is possible.
    """
    if file is not None:
        check_mode(file)
        return _line(file.read_text(encoding="utf-8"), str(file))
    if descriptor is not None:
        try:
            with os.fdopen(os.dup(descriptor), encoding="utf-8") as stream:
                return _line(stream.readline(), f"file descriptor {descriptor}")
        except OSError as error:
            text = f"File descriptor {descriptor} cannot be read: {error.strerror}."
            raise DaemonError(text, Exit.KEYS) from None
    if not os.isatty(0):
        text = f"There is no passphrase for {what}: name a passphrase_file or a passphrase_fd."
        raise DaemonError(text, Exit.KEYS)
    return str(click.prompt(f"Passphrase of {what}", hide_input=True, err=True))


def make_keystore(path: Path, passphrase: str) -> str:
    """A new key, encrypted, in a file only its owner can read; its address.

    Raises:
        DaemonError: the file exists or cannot be written, or the passphrase is too short.
    """
    if len(passphrase) < 12:
        raise DaemonError("A passphrase has at least 12 characters.", Exit.KEYS)
    account: LocalAccount = Account.create()
    content = json.dumps(Account.encrypt(account.key, passphrase))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(content)
    except OSError as error:
        raise DaemonError(f"{path} cannot be written: {error.strerror}.", Exit.KEYS) from None
    return str(account.address)


def forbid_core_dumps() -> None:
    """The kernel writes no memory of this process to a disk."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def dev_key(index: int, chain_id: int) -> Key:
    """Account `index` of the mnemonic everybody knows, on the local chain.

    Raises:
        DaemonError: another chain.
    """
    if chain_id != LOCAL_CHAIN:
        what = f"The development keys are for chain {LOCAL_CHAIN}, not for {chain_id}."
        raise DaemonError(what, Exit.KEYS)
    Account.enable_unaudited_hdwallet_features()
    account_path = f"m/44'/60'/0'/0/{index}"
    return Key.of(Account.from_mnemonic(MNEMONICS[0], account_path=account_path))


def refuse_known(addresses: list[str], chain_id: int) -> None:
    """Keys everybody knows are good on the local chain only.

    Raises:
        DaemonError: naming the first of them.
    """
    known = known_among(addresses, chain_id)
    if known:
        what = f"{known[0]} is a well-known development key, which signs on chain {LOCAL_CHAIN}"
        raise DaemonError(f"{what} only; this is chain {chain_id}.", Exit.KEYS)


def _line(text: str, source: str) -> str:
    line = text.splitlines()[0] if text else ""
    if not line:
        raise DaemonError(f"There is no passphrase in {source}.", Exit.KEYS)
    return line
