"""The one file of the oracle that touches a chain: JSON-RPC, transactions, revert reasons.

Every failure is a `ChainError`: one sentence, no traceback of a library. A `Sender` counts its own
nonces, so that many transactions can be on their way at once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any, Final, cast
from urllib.parse import urlsplit

import requests
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_account.signers.local import LocalAccount
from eth_utils.abi import collapse_if_tuple
from eth_utils.crypto import keccak

from oracle.answers import whole_body

ERROR_STRING: Final = bytes.fromhex("08c379a0")  # Error(string)
PANIC: Final = bytes.fromhex("4e487b71")  # Panic(uint256)
POLL: Final = 0.05  # [s] between two looks for a receipt
NONSENSE: Final = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)


class ChainError(Exception):
    """The node cannot be reached, or refused. One sentence."""


class Unreachable(ChainError):
    """No usable answer came: whether a transaction arrived is not known."""


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


@dataclass(frozen=True)
class Head:
    """A block."""

    number: int
    hash: str
    time: int  # [s] Unix time
    base_fee: int  # [wei]

    @classmethod
    def from_block(cls, block: Mapping[str, Any]) -> Head:
        """From what the node says of it."""
        return cls(
            number=int(block["number"], 16),
            hash=str(block["hash"]),
            time=int(block["timestamp"], 16),
            base_fee=int(block.get("baseFeePerGas") or "0x0", 16),
        )


class Client:
    """A node's JSON-RPC. Every answer is checked to be one, and to belong to its question."""

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        """
        Args:
            timeout: [s] of one question, to the last byte of its answer.
        """
        self.url = url
        self._timeout = timeout
        self._session = requests.Session()
        self._ids = count(1)

    @cached_property
    def name(self) -> str:
        """Of the node, for people: a path or a user name in an URL may be somebody's key."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    @cached_property
    def chain_id(self) -> int:
        """Asked once."""
        with self.sense():
            return int(self.request("eth_chainId"), 16)

    @contextmanager
    def sense(self) -> Iterator[None]:
        """What is read here is the node's: where it cannot be read, the answer is none.

        Raises:
            Unreachable: instead of what reading nonsense raises.
        """
        try:
            yield
        except (*NONSENSE, DecodingError):
            raise self._nonsense() from None

    def request(self, method: str, *params: Any) -> Any:
        """One request; its result.

        Raises:
            Unreachable: no answer, or nothing that is one.
        """
        body = self._body(method, params)
        answer = self._post(body)
        if not isinstance(answer, dict) or not _is_answer(answer):
            raise self._nonsense()
        if answer.get("id") != body["id"] and not (answer.get("id") is None and "error" in answer):
            raise Unreachable(f"The node at {self.name} answered another question.")
        return _result(answer)

    def batch(self, requests_: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Several in one round trip: results in order, or the error where one failed.

        Raises:
            Unreachable: as `request`.
        """
        if not requests_:
            return []
        bodies = [self._body(method, params) for method, params in requests_]
        answers = self._post(bodies)
        if isinstance(answers, dict) and _is_answer(answers):
            _result(answers)
            raise ChainError(f"The node at {self.name} does not answer batches.")
        if not isinstance(answers, list) or not all(
            isinstance(answer, dict) and _is_answer(answer) for answer in answers
        ):
            raise self._nonsense()
        by_id = {answer.get("id"): answer for answer in answers}
        if set(by_id) != {body["id"] for body in bodies}:
            raise Unreachable(f"The node at {self.name} answered another question.")
        return [_result_or_error(by_id[body["id"]]) for body in bodies]

    def head(self) -> Head:
        """The latest block."""
        with self.sense():
            return Head.from_block(self.request("eth_getBlockByNumber", "latest", False))

    def code_hash(self, address: str) -> str:
        """keccak of the code at an address."""
        with self.sense():
            return to_hex(keccak(bytes.fromhex(self.request("eth_getCode", address, "latest")[2:])))

    def nonces(self, address: str) -> tuple[int, int]:
        """Of the next transaction: after what is mined, and after what is known to wait as well."""
        asked = [("eth_getTransactionCount", (address, block)) for block in ("latest", "pending")]
        latest, pending = self.batch(asked)
        for answer in (latest, pending):
            if isinstance(answer, ChainError):
                raise answer
        with self.sense():
            return int(latest, 16), int(pending, 16)

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
        answer = self.request("eth_call", call.params, block)
        with self.sense():
            return _outputs(function, answer)

    def call_many(self, calls: Sequence[Call]) -> list[Any]:
        """Ask in one round trip; where a contract refused, its `Reverted`."""
        answers = self.batch([("eth_call", (call.params, "latest")) for call in calls])
        return [
            answer if isinstance(answer, ChainError) else _outputs(call.function, answer)
            for call, answer in zip(calls, answers, strict=True)
        ]

    def head_and(self, calls: Sequence[Call]) -> tuple[Head, list[Any]]:
        """The latest block and answers of its contracts, in one round trip.

        Raises:
            ChainError: one of them was refused.
        """
        asked: list[tuple[str, Sequence[Any]]] = [("eth_getBlockByNumber", ("latest", False))]
        asked += [("eth_call", (call.params, "latest")) for call in calls]
        block, *answers = self.batch(asked)
        for answer in (block, *answers):
            if isinstance(answer, ChainError):
                raise answer
        with self.sense():
            found = [_outputs(c.function, a) for c, a in zip(calls, answers, strict=True)]
            return Head.from_block(block), found

    def block_time(self) -> int:
        """Of the latest block [s]."""
        with self.sense():
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
        with self.sense():
            params = {"from": sent["from"], "to": sent["to"], "data": sent["input"]}
            before = hex(int(sent["blockNumber"], 16) - 1)
        try:
            self.request("eth_call", params, before)
        except Reverted as error:
            return error.reason
        return "no reason that shows when asked again"

    def _body(self, method: str, params: Sequence[Any]) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(params)}

    def _post(self, body: Any) -> Any:
        try:
            status, text = post(self._session, self.url, body, self._timeout)
        except (requests.RequestException, OSError, ValueError) as error:
            raise self._unreachable(error) from None
        try:
            answer = json.loads(text)
        except (ValueError, RecursionError):
            answer = None
        # Some nodes refuse with an HTTP status and say why in JSON.
        if status >= 429 or (status >= 400 and not isinstance(answer, dict | list)):
            raise Unreachable(f"The node at {self.name} answered with status {status}.")
        if answer is None:
            raise self._nonsense()
        return answer

    def _nonsense(self) -> Unreachable:
        return Unreachable(f"The node at {self.name} sent something that is no answer.")

    def _unreachable(self, error: Exception) -> Unreachable:
        if isinstance(error, requests.Timeout):
            return Unreachable(f"The node at {self.name} did not answer in time.")
        return Unreachable(f"No node answers at {self.name}.")


def post(session: requests.Session, url: str, body: Any, timeout: float) -> tuple[int, bytes]:
    """JSON sent, status and body of the answer.

    Raises:
        requests.RequestException, OSError: no whole answer within `timeout` seconds, or a longer
            one than anybody needs.
    """
    deadline = time.monotonic() + timeout
    with session.post(url, json=body, timeout=timeout, stream=True) as response:
        return response.status_code, whole_body(response, deadline)


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

    def sign(self, to: str, data: bytes, gas: int | None = None, nonce: int | None = None) -> str:
        """A transaction as raw hex, taking the next nonce. Without `gas` the node estimates it.

        Args:
            nonce: of another one that it replaces.

        Raises:
            Reverted: the estimate says that it would fail.
        """
        if gas is None:
            gas = self._estimate(to, data)
        fees = self._fees or self._client.fees()
        fields: Any = {
            "type": 2,
            "chainId": self._client.chain_id,
            "nonce": self._next_nonce() if nonce is None else nonce,
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


SETTLEMENT = 255  # custody's index of the settlement token


def release_call(addresses: Mapping[str, str], receiver: str) -> tuple[str, bytes]:
    """To whom and what: pay what waits for a receiver in settlement tokens.

    Releasing nothing makes the outflow bucket take note of what is held, which a deposit of
    settlement tokens does not.

    Args:
        addresses: of a deployment, by name.
    """
    return addresses["custody"], Function("release(uint256,address)").encode(SETTLEMENT, receiver)


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


def _is_answer(answer: Mapping[str, Any]) -> bool:
    return "result" in answer or isinstance(answer.get("error"), dict | str)


def _result(response: Mapping[str, Any]) -> Any:
    answer = _result_or_error(response)
    if isinstance(answer, ChainError):
        raise answer
    return answer


def _result_or_error(response: Mapping[str, Any]) -> Any:
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
