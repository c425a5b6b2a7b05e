"""A first honest keeper: signs prices and load lines with M of N keys and brings them to the chain.

It asks for what the model asks (`oracle.risk`), goes there in the steps the steward allows
(`policy.next_push`) and repeats an unchanged line before the chain would call it dead. Keys come
from encrypted keystores, or, on a local chain only, from the mnemonic everybody knows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eth_account import Account
from eth_account.signers.local import LocalAccount

from oracle import signing
from oracle.chain import Client, Function, Sender
from oracle.policy import Limits, inputs_hash, next_push
from oracle.risk import Ask

LOCAL_CHAIN: Final = 31_337
LOCAL_MNEMONIC: Final = "test test test test test test test test test test test junk"
VALID_FOR: Final = 600  # [s] of a push

REPORT: Final = Function("report(uint256,uint256[],uint256[],(uint256,uint256,uint256)[])")
PUSH: Final = Function("push(bytes32,uint256,uint256[],(uint256,uint256,uint256)[])")
CLOCK: Final = Function("clock()", ("uint256", "bool"))
SETTINGS: Final = Function("SETTINGS()", ("address",))
LINE_OF: Final = Function("line_of(uint256)", (f"({','.join(['uint256'] * 7)})",))


class KeeperError(Exception):
    """The keeper cannot do what it was asked. One sentence."""


@dataclass(frozen=True)
class Line:
    """The load line of an asset as last pushed."""

    severity: int  # [ppm]
    depth: int  # [ppm]
    pushed: int  # [s] effective time, and the nonce of the next push


@dataclass(frozen=True)
class Quote:
    """What is reported of one asset."""

    price: int  # [USD wad]
    premium: int = 0  # [ppm] of the perpetual over its index


class Keeper:
    """Reports and pushes to one risk engine."""

    def __init__(
        self,
        client: Client,
        engine: str,
        signers: Sequence[LocalAccount],
        sender: Sender,
        *,
        quorum: int,
        limits: Limits | None = None,
        gas: int | None = None,
    ) -> None:
        """
        Args:
            engine: checksummed address of the risk engine.
            signers: keys of at least a quorum; the first `quorum` by address sign.
            sender: pays for the transactions.
            gas: limit of a transaction; by default it is estimated, which also tells beforehand
                what the chain would refuse.

        Raises:
            KeeperError: too few distinct keys.
        """
        distinct = {signer.address: signer for signer in signers}
        if len(distinct) < quorum:
            raise KeeperError(f"{len(distinct)} keys cannot make a quorum of {quorum}.")
        ordered = sorted(distinct.values(), key=lambda signer: int(signer.address, 16))
        self.signers = tuple(ordered[:quorum])
        self.limits = limits or Limits()
        self._client = client
        self._engine = engine
        self._sender = sender
        self._gas = gas
        self._domain = signing.Domain(client.chain_id, engine)

    def report(self, observed: int, quotes: Mapping[int, Quote]) -> str:
        """Sign and send prices by asset id; returns the transaction's hash.

        Args:
            observed: Unix time the prices are of, on the grid of the engine.
        """
        return self._sender.send(self._engine, self.report_data(observed, quotes), self._gas)

    def report_data(self, observed: int, quotes: Mapping[int, Quote]) -> bytes:
        """Calldata of `report`, signed."""
        packed = tuple(signing.pack_quote(q.price, q.premium) for q in quotes.values())
        message = signing.Report(observed, tuple(quotes), packed)
        flat = packed * len(self.signers)  # every key signs the same quotes
        return REPORT.encode(observed, list(quotes), flat, self._sign(message))

    def push(self, asks: Mapping[int, Ask], time: int | None = None) -> str | None:
        """Bring the lines toward what the model asks, as far as one step goes.

        Args:
            time: [s] Unix time; the latest block's by default.

        Returns:
            The transaction's hash; None where no line is due.
        """
        latest = self._client.block_time()
        now, lines = self.lines(list(asks))
        time = latest if time is None else time
        # The engine's time runs beside block time, less pauses.
        due = due_lines(asks, lines, now + time - latest, self.limits)
        if not due:
            return None
        data = self.push_data(due, asks, time + VALID_FOR)
        return self._sender.send(self._engine, data, self._gas)

    def push_data(self, due: Sequence[signing.Line], asks: Mapping[int, Ask], until: int) -> bytes:
        """Calldata of `push`, signed; `until` is the last second it is good for."""
        inputs = inputs_hash([asks[line.asset].input_hash for line in due])
        message = signing.Push(inputs, until, tuple(due))
        rows = [line.packed for line in due]
        return PUSH.encode(inputs, until, rows, self._sign(message))

    def lines(self, assets: Sequence[int]) -> tuple[int, dict[int, Line]]:
        """The engine's effective time, and the lines on the chain."""
        now, _ = self._client.call(self._engine, CLOCK)
        settings = self._client.call(self._engine, SETTINGS)
        rows = {asset: self._client.call(settings, LINE_OF, asset) for asset in assets}
        return now, {asset: Line(*row[:3]) for asset, row in rows.items()}

    def _sign(self, message: signing.Message) -> list[tuple[int, int, int]]:
        signatures = [signing.sign(message, self._domain, signer) for signer in self.signers]
        return [(signature.v, signature.r, signature.s) for signature in signatures]


def due_lines(
    asks: Mapping[int, Ask], lines: Mapping[int, Line], now: int, limits: Limits
) -> list[signing.Line]:
    """What to push now: for each asset one allowed step toward what is asked, if it is time."""
    due = []
    for asset, ask in asks.items():
        line = lines[asset]
        step = next_push(
            line.severity,
            line.depth,
            ask.severity,
            ask.depth,
            limits,
            elapsed=now - line.pushed,
        )
        if step is not None:
            due.append(signing.Line(asset, step.severity, step.depth, line.pushed))
    return due


def open_keystore(path: Path, passphrase: str) -> LocalAccount:
    """The key in an encrypted JSON file (geth, `ape accounts`, `eth_account`).

    Raises:
        KeeperError: unreadable, no keystore, or another passphrase. Never shows the key.
    """
    try:
        key = Account.decrypt(json.loads(path.read_text()), passphrase)
    except OSError as error:
        raise KeeperError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, NotImplementedError) as error:
        wrong = "MAC mismatch" in str(error)
        what = "is not opened by that passphrase" if wrong else "is no keystore"
        raise KeeperError(f"{path} {what}.") from None
    account: LocalAccount = Account.from_key(key)
    return account


def local_account(client: Client, index: int) -> LocalAccount:
    """Account `index` of the well-known mnemonic, on a local chain.

    Raises:
        KeeperError: this is no local chain.
    """
    if client.chain_id != LOCAL_CHAIN:
        raise KeeperError(
            f"The development keys are for chain {LOCAL_CHAIN}, not for {client.chain_id}."
        )
    Account.enable_unaudited_hdwallet_features()
    account: LocalAccount = Account.from_mnemonic(
        LOCAL_MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}"
    )
    return account
