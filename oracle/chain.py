"""The one file of the oracle that touches a chain: JSON-RPC, transactions, revert reasons.

Every failure is a `ChainError`: one sentence, no traceback of a library. A `Sender` counts its own
nonces, so that many transactions can be on their way at once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, cast

import requests
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_account.signers.local import LocalAccount
from eth_utils.abi import collapse_if_tuple
from eth_utils.crypto import keccak
from web3 import HTTPProvider
from web3.types import RPCEndpoint, RPCResponse

ERROR_STRING: Final = bytes.fromhex("08c379a0")  # Error(string)
PANIC: Final = bytes.fromhex("4e487b71")  # Panic(uint256)
POLL: Final = 0.05  # [s] between two looks for a receipt


class ChainError(Exception):
    """The node cannot be reached, or refused. One sentence."""


class Reverted(ChainError):
    """A contract refused.

    Attributes:
        reason: as short as the contract gave it, such as "too soon".
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"The contract refused: {reason}.")
        self.reason = reason


@dataclass(frozen=True)
class Function:
    """A function of a contract, by its canonical signature.

    Attributes:
        signature: such as ``clock()`` or ``take(uint256,uint256,uint256,uint256,uint256)``.
        outputs: types of what it returns.
    """

    signature: str
    outputs: tuple[str, ...] = ()

    @classmethod
    def from_abi(cls, entry: Mapping[str, Any]) -> Function:
        """From one entry of a JSON ABI."""
        inputs = ",".join(collapse_if_tuple(i) for i in entry["inputs"])
        outputs = tuple(collapse_if_tuple(o) for o in entry.get("outputs", ()))
        return cls(f"{entry['name']}({inputs})", outputs)

    @cached_property
    def selector(self) -> bytes:
        """The first four bytes of a call."""
        return bytes(keccak(text=self.signature)[:4])

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Types of the arguments."""
        return tuple(_split(self.signature[self.signature.index("(") + 1 : -1]))

    def encode(self, *args: Any) -> bytes:
        """Calldata."""
        return self.selector + encode(self.inputs, args)

    def decode(self, data: bytes) -> tuple[Any, ...]:
        """What a call returned, structs as tuples."""
        return decode(self.outputs, data)


@dataclass(frozen=True)
class Call:
    """A question to a contract, to be asked alone or in a batch."""

    to: str
    function: Function
    args: tuple[Any, ...] = ()
    sender: str | None = None

    @property
    def params(self) -> dict[str, str]:
        """As the node wants it."""
        params = {"to": self.to, "data": to_hex(self.function.encode(*self.args))}
        return params if self.sender is None else {**params, "from": self.sender}


@dataclass(frozen=True)
class Fees:
    """Of one unit of gas [wei]."""

    most: int
    tip: int


class Client:
    """A node's JSON-RPC."""

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        self.url = url
        self._provider = HTTPProvider(url, request_kwargs={"timeout": timeout})

    @cached_property
    def chain_id(self) -> int:
        """Asked once."""
        return int(self.request("eth_chainId"), 16)

    def request(self, method: str, *params: Any) -> Any:
        """One request; its result."""
        try:
            response = self._provider.make_request(RPCEndpoint(method), list(params))
        except (requests.RequestException, OSError, ValueError) as error:
            raise self._unreachable(error) from None
        return _result(response)

    def batch(self, requests_: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Several in one round trip: results in order, or the error where one failed."""
        if not requests_:
            return []
        todo = [(RPCEndpoint(method), list(params)) for method, params in requests_]
        try:
            responses = self._provider.make_batch_request(todo)
        except (requests.RequestException, OSError, ValueError) as error:
            raise self._unreachable(error) from None
        if not isinstance(responses, list):
            _result(responses)
            raise ChainError(f"The node at {self.url} does not answer batches.")
        ordered = sorted(responses, key=lambda response: int(cast(int, response["id"])))
        return [_result_or_error(response) for response in ordered]

    def call(
        self,
        to: str,
        function: Function,
        *args: Any,
        sender: str | None = None,
        block: str = "latest",
    ) -> Any:
        """Ask a contract. One output comes bare, several as a tuple.

        Raises:
            Reverted: with the contract's reason.
        """
        call = Call(to, function, args, sender)
        return _outputs(function, self.request("eth_call", call.params, block))

    def call_many(self, calls: Sequence[Call]) -> list[Any]:
        """Ask in one round trip; where a contract refused, its `Reverted`."""
        answers = self.batch([("eth_call", (call.params, "latest")) for call in calls])
        return [
            answer if isinstance(answer, ChainError) else _outputs(call.function, answer)
            for call, answer in zip(calls, answers, strict=True)
        ]

    def block_time(self) -> int:
        """Of the latest block [s]."""
        return int(self.request("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def fees(self) -> Fees:
        """What one unit of gas costs now, with room for the base fee to double."""
        block = self.request("eth_getBlockByNumber", "latest", False)
        tip = int(self.request("eth_maxPriorityFeePerGas"), 16)
        return Fees(most=2 * int(block.get("baseFeePerGas", "0x0"), 16) + tip, tip=tip)

    def receipt(self, transaction: str) -> dict[str, Any] | None:
        """None until it is mined."""
        return cast("dict[str, Any] | None", self.request("eth_getTransactionReceipt", transaction))

    def wait(self, transaction: str, timeout: float = 60.0) -> dict[str, Any]:
        """The receipt, once there is one.

        Raises:
            Reverted: it was mined and failed.
            ChainError: not mined in time.
        """
        end = time.monotonic() + timeout
        while (receipt := self.receipt(transaction)) is None:
            if time.monotonic() > end:
                raise ChainError(f"Transaction {transaction} was not mined in {timeout:g} s.")
            time.sleep(POLL)
        if int(receipt["status"], 16) != 1:
            raise Reverted(self.reason_of(transaction))
        return receipt

    def reason_of(self, transaction: str) -> str:
        """Why a mined transaction failed, found by asking again on the block before it."""
        sent = self.request("eth_getTransactionByHash", transaction)
        params = {"from": sent["from"], "to": sent["to"], "data": sent["input"]}
        try:
            self.request("eth_call", params, hex(int(sent["blockNumber"], 16) - 1))
        except Reverted as error:
            return error.reason
        return "no reason that shows when asked again"

    def _unreachable(self, error: Exception) -> ChainError:
        if isinstance(error, requests.Timeout):
            return ChainError(f"The node at {self.url} did not answer in time.")
        return ChainError(f"No node answers at {self.url}.")


class Sender:
    """One account that sends transactions, with its nonces counted here."""

    def __init__(self, client: Client, account: LocalAccount, fees: Fees | None = None) -> None:
        """
        Args:
            fees: fixed fees; by default the node is asked before each transaction.
        """
        self._client = client
        self._account = account
        self._fees = fees
        self._nonce: int | None = None

    @property
    def address(self) -> str:
        """Checksummed."""
        return str(self._account.address)

    def sign(self, to: str, data: bytes, gas: int | None = None) -> str:
        """A transaction as raw hex, taking the next nonce. Without `gas` the node estimates it.

        Raises:
            Reverted: the estimate says that it would fail.
        """
        if gas is None:
            gas = self._estimate(to, data)
        fees = self._fees or self._client.fees()
        fields: Any = {
            "type": 2,
            "chainId": self._client.chain_id,
            "nonce": self._next_nonce(),
            "to": to,
            "value": 0,
            "data": to_hex(data),
            "gas": gas,
            "maxFeePerGas": fees.most,
            "maxPriorityFeePerGas": fees.tip,
        }
        signed = self._account.sign_transaction(fields)
        return to_hex(bytes(signed.raw_transaction))

    def send(self, to: str, data: bytes, gas: int | None = None) -> str:
        """Sign and hand over to the node; the transaction's hash."""
        raw = self.sign(to, data, gas)
        try:
            return str(self._client.request("eth_sendRawTransaction", raw))
        except ChainError:
            self._nonce = None  # whether it arrived is not known: count anew
            raise

    def _estimate(self, to: str, data: bytes) -> int:
        params = {"from": self.address, "to": to, "data": to_hex(data)}
        return int(self._client.request("eth_estimateGas", params), 16) * 5 // 4

    def _next_nonce(self) -> int:
        if self._nonce is None:
            count = self._client.request("eth_getTransactionCount", self.address, "pending")
            self._nonce = int(count, 16)
        nonce = self._nonce
        self._nonce += 1
        return nonce


def revert_reason(data: bytes) -> str:
    """What a contract said when it reverted: its string, or a name for having none."""
    try:
        if data[:4] == ERROR_STRING:
            return str(decode(["string"], data[4:])[0])
        if data[:4] == PANIC:
            return f"panic 0x{decode(['uint256'], data[4:])[0]:02x}"
    except DecodingError:
        pass
    return f"error {to_hex(data[:4])}" if data else "no reason given"


def to_hex(data: bytes) -> str:
    """With the prefix 0x."""
    return "0x" + data.hex()


def _result(response: RPCResponse) -> Any:
    answer = _result_or_error(response)
    if isinstance(answer, ChainError):
        raise answer
    return answer


def _result_or_error(response: RPCResponse) -> Any:
    error = response.get("error")
    if error is None:
        return response.get("result")
    if isinstance(error, str):
        return ChainError(_sentence(error))
    data, message = error.get("data"), str(error.get("message", "unknown error"))
    if isinstance(data, str) and data.startswith("0x"):
        return Reverted(revert_reason(bytes.fromhex(data[2:])))
    if "revert" in message:
        return Reverted(message.partition("reverted")[2].strip(": ") or "no reason given")
    return ChainError(_sentence(message))


def _sentence(message: str) -> str:
    return f"The node refused: {message.strip().rstrip('.')}."


def _outputs(function: Function, answer: str) -> Any:
    data = bytes.fromhex(answer[2:])
    if not data and function.outputs:
        raise ChainError(f"There is no contract that answers {function.signature}.")
    values = function.decode(data)
    return values[0] if len(values) == 1 else values


def _split(types: str) -> list[str]:
    """At the commas outside parentheses."""
    parts, depth, start = [], 0, 0
    for i, character in enumerate(types):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append(types[start:i])
            start = i + 1
    return [*parts, types[start:]] if types else parts
