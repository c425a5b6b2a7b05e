"""Where actions go: to the chain, written down first, or onto the screen."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from oracle.bot.journal import Journal, Key, Sent
from oracle.bot.logs import Log, usd
from oracle.bot.protocol import is_refusal, short_id
from oracle.chain import ChainError, Client, Fees, Function, Reverted, Sender, to_hex

MISSING_AFTER: Final = 60.0  # [s] a transaction that the node does not know is given up
SLOW_AFTER: Final = 30.0  # [s] one that waits so long is sent again with the fees of now
LEAST_RISE: Final = (9, 8)  # of both fees, or nodes refuse a replacement
GAS_ROOM: Final = (5, 4)
PAID: Final = ("take", "take_collateral")
PLAIN_GAS: Final = 21_000
FEES: Final = ("maxFeePerGas", "maxPriorityFeePerGas")


@dataclass(frozen=True)
class Action:
    """One that the chain would allow now.

    Attributes:
        size: taken, base wad or token wad; 0 where nothing is.
        gas: estimated.
        profit: USD wad, after gas; of an action without a discount its reward less the gas.
        to: contract; the liquidator where none is named.
    """

    key: Key
    function: Function
    args: tuple[Any, ...]
    size: int
    gas: int
    profit: int
    to: str = ""

    @property
    def values(self) -> dict[str, Any]:
        """For a log."""
        values: dict[str, Any] = {"account": short_id(self.key.account)}
        if self.key.item >= 0:
            values |= {"item": self.key.item, "size": self.size}
        return {**values, "profit_usd": usd(self.profit)}


class Outbox(Protocol):
    """Takes what is to be done."""

    def put(self, action: Action) -> None:
        """Do it, or say that it would be done."""


class DryRun:
    """Prints, and sends nothing."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def put(self, action: Action) -> None:
        """One line."""
        text = " ".join(f"{key}={value}" for key, value in action.values.items())
        self._say(f"would {action.key.step} {text}")


class Live:
    """Sends, and finds out what became of it."""

    def __init__(
        self,
        client: Client,
        account: LocalAccount,
        liquidator: str,
        journal: Journal,
        log: Log,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._account = account
        self._liquidator = liquidator
        self._journal = journal
        self._log = log
        self._now = now
        self._sender = Sender(client, account)

    def put(self, action: Action) -> None:
        """Write down, then send.

        Raises:
            ChainError: whether it arrived is not known; a later round finds out.
        """
        more, than = GAS_ROOM
        data = action.function.encode(*action.args)
        raw = self._sender.sign(action.to or self._liquidator, data, action.gas * more // than)
        transaction = to_hex(keccak(bytes.fromhex(raw[2:])))
        self._journal.open(action.key, transaction, self._now())
        try:
            self._client.request("eth_sendRawTransaction", raw)
        except ChainError:
            self._sender = Sender(self._client, self._account)  # its nonce may be free
            raise
        self._log.info("sent", step=action.key.step, **action.values, transaction=transaction)

    def settle(self) -> None:
        """See what was mined, what failed and what got lost. Nonces are counted anew."""
        self._sender = Sender(self._client, self._account)
        pending = self._journal.pending()
        asked = [("eth_getTransactionReceipt", (sent.hash,)) for sent in pending]
        for sent, receipt in zip(pending, self._client.batch(asked), strict=True):
            if isinstance(receipt, ChainError):
                raise receipt
            if receipt is None:
                self._look_for(sent)
            else:
                self._close(sent, int(receipt["blockNumber"], 16), int(receipt["status"], 16) == 1)

    def _close(self, sent: Sent, block: int, is_done: bool) -> None:
        values = _values(sent)
        if is_done:
            self._journal.settle(sent, "done", block)
            self._log.info("mined", **values, block=block)
            return
        try:
            reason = self._client.reason_of(sent.hash)
        except ChainError as error:
            reason = error.reason if isinstance(error, Reverted) else "not known"
        self._journal.settle(sent, "failed", block, reason)
        self._log.warning("failed", **values, block=block, reason=reason)

    def _look_for(self, sent: Sent) -> None:
        age = self._now() - sent.sent
        waiting = self._client.request("eth_getTransactionByHash", sent.hash)
        if waiting is not None:
            if age > SLOW_AFTER:
                self._raise_fees(sent, waiting)
        elif age > MISSING_AFTER:
            self._journal.settle(sent, "dropped", None)
            self._log.warning("dropped", **_values(sent))

    def _raise_fees(self, sent: Sent, waiting: Mapping[str, Any]) -> None:
        """Of one that fees left behind: all after it wait for its nonce. What was to pay is
        cancelled, as its gas would eat the gain; a later round counts anew."""
        before = Fees(*(int(waiting[key], 16) for key in FEES))
        now = self._client.fees()
        if now.most <= before.most:
            self._log.warning("waiting", **_values(sent), gwei=before.most // 10**9)
            return
        fees = Fees(max(now.most, risen(before.most)), max(now.tip, risen(before.tip)))
        key, to, data = sent.key, str(waiting["to"]), bytes.fromhex(waiting["input"][2:])
        gas, nonce = int(waiting["gas"], 16), int(waiting["nonce"], 16)
        if key.step in PAID:
            key, to, data, gas = replace(key, step="cancel"), self._account.address, b"", PLAIN_GAS
        raw = Sender(self._client, self._account, fees).sign(to, data, gas, nonce)
        transaction = to_hex(keccak(bytes.fromhex(raw[2:])))
        self._journal.replace(key, transaction, self._now())
        try:
            self._client.request("eth_sendRawTransaction", raw)
        except ChainError as error:
            if not is_refusal(error):
                raise
            self._log.warning("not replaced", **_values(sent), reason=str(error))
            return
        self._log.warning("replaced", **_values(sent), by=transaction, gwei=fees.most // 10**9)


def risen(fee: int) -> int:
    """The least that a node takes instead of a fee [wei]."""
    more, than = LEAST_RISE
    return -(-fee * more // than)


def _values(sent: Sent) -> dict[str, Any]:
    return {
        "step": sent.key.step,
        "account": short_id(sent.key.account),
        "transaction": sent.hash,
    }
