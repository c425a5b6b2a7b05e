"""Anvil as the replay drives it: thousands of transactions a block, in few requests.

Senders are impersonated, so no transaction is signed; orders and price reports are, as everywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from oracle.chain import Call, ChainError, Client, Reverted, to_hex
from scripts.crisis_parts.errors import CrisisError
from scripts.demo_parts.contracts import Contract, Happened, read_events
from scripts.support.deployed import CONTRACTS, Deployment, container

GAS: Final = 2_000_000  # limit of a transaction
BLOCK: Final = 250  # transactions in a block
TOGETHER: Final = 200  # requests in one
REQUEST_TIMEOUT: Final = 120.0  # [s]


@dataclass(frozen=True)
class Sent:
    """A transaction that waits for a block."""

    sender: str
    to: str
    data: bytes
    kind: str


@dataclass
class Counts:
    """What was mined, by kind."""

    mined: Counter[str] = field(default_factory=Counter)
    gas: Counter[str] = field(default_factory=Counter)
    most: dict[str, int] = field(default_factory=dict)  # gas of the dearest one
    failed: Counter[str] = field(default_factory=Counter)  # by kind and reason

    def note(self, kind: str, gas: int) -> None:
        """One that was mined."""
        self.mined[kind] += 1
        self.gas[kind] += gas
        self.most[kind] = max(gas, self.most.get(kind, 0))


class Chain:
    """Transactions by whoever, mined at times of our choosing."""

    def __init__(self, client: Client, deployment: Deployment) -> None:
        self.client = Client(client.url, REQUEST_TIMEOUT)
        self.counts = Counts()
        self.time = client.block_time()
        self.markets = dict(deployment.markets)  # symbol -> number
        self.contracts = {
            name: Contract(name, deployment.addresses[name], _abi(CONTRACTS[name]))
            for name in CONTRACTS
        }
        self._by_address = {each.address.lower(): each for each in self.contracts.values()}
        self._waiting: list[Sent] = []
        self._nonces: Counter[str] = Counter()
        self.client.request("anvil_autoImpersonateAccount", True)
        self.client.request("evm_setAutomine", False)

    def __getitem__(self, name: str) -> Contract:
        return self.contracts[name]

    def send(self, sender: str, contract: str, data: bytes, kind: str) -> None:
        """Into the next block. Senders are used for nothing else: their nonces are counted here."""
        self._waiting.append(Sent(sender, self.contracts[contract].address, data, kind))

    @property
    def has_work(self) -> bool:
        """Whether transactions wait."""
        return bool(self._waiting)

    def mine(
        self, time: int = 0, on_block: Callable[[int], None] = lambda count: None
    ) -> list[Happened]:
        """All that waits, in as many blocks as it takes, a second apart; what happened, in order.

        Args:
            time: [s] of the first block, or as soon after as the chain allows.
            on_block: called with the number of transactions of each.
        """
        waiting, self._waiting = self._waiting, []
        events = []
        for part in _parts(waiting, BLOCK):
            kinds = {str(answer): sent.kind for sent, answer in self._hand_over(part)}
            self.pass_time(time)
            while kinds:
                events += self._collect(kinds)
                if kinds:
                    self.pass_time(time)
            on_block(len(part))
        return events

    def pass_time(self, time: int) -> None:
        """A block at that time, or a second after the last."""
        self.time = max(time, self.time + 1)
        self.client.request("evm_mine", {"timestamp": self.time})

    def ask(self, contract: str, function: str, *args: Any) -> Any:
        """One question."""
        call = self.contracts[contract].ask(function, *args)
        return self.client.call(call.to, call.function, *args)

    def ask_many(self, calls: Sequence[Call]) -> list[Any]:
        """Many questions; a refusal is an answer."""
        return [answer for part in _parts(calls, TOGETHER) for answer in self._answers(part)]

    # --- internals -------------------------------------------------------------------------------

    def _answers(self, calls: Sequence[Call]) -> list[Any]:
        return self.client.call_many(calls)

    def _hand_over(self, part: Sequence[Sent]) -> Iterator[tuple[Sent, Any]]:
        answers = self.client.batch([("eth_sendTransaction", [self._params(s)]) for s in part])
        for sent, answer in zip(part, answers, strict=True):
            if isinstance(answer, ChainError):
                raise CrisisError(f"The chain does not take a transaction ({sent.kind}): {answer}")
            yield sent, answer

    def _params(self, sent: Sent) -> dict[str, str]:
        nonce = self._nonces[sent.sender]
        self._nonces[sent.sender] += 1
        return {
            "from": sent.sender,
            "to": sent.to,
            "data": to_hex(sent.data),
            "gas": hex(GAS),
            "gasPrice": "0x0",
            "nonce": hex(nonce),
        }

    def _collect(self, kinds: dict[str, str]) -> list[Happened]:
        receipts = self.client.request("eth_getBlockReceipts", "latest")
        if not receipts:
            raise CrisisError(f"{len(kinds)} transactions do not get into a block.")
        for receipt in receipts:
            kind = kinds.pop(receipt["transactionHash"], "other")
            self.counts.note(kind, int(receipt["gasUsed"], 16))
            if int(receipt["status"], 16) != 1:
                self.counts.failed[f"{kind}: {self._reason(receipt['transactionHash'])}"] += 1
        return read_events(receipts, self._by_address, self.time)

    def _reason(self, transaction: str) -> str:
        """Asked again on the state after its block: earlier ones are not kept."""
        sent = self.client.request("eth_getTransactionByHash", transaction)
        params = {"from": sent["from"], "to": sent["to"], "data": sent["input"]}
        try:
            self.client.request("eth_call", params, "latest")
        except Reverted as error:
            return error.reason
        return "no reason that shows when asked again"


def _parts(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _abi(name: str) -> list[dict[str, Any]]:
    entries = container(name).contract_type.abi
    return [entry.model_dump(mode="json", by_alias=True) for entry in entries]
