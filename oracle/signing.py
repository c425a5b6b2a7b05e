"""What is signed: orders, price reports and risk pushes as EIP-712 typed data. Pure: no chain.

The domain is ("Plimsoll", "1", chain id, contract): the order gateway for an `Order`, the risk
engine for a `Report` and a `Push`. Field names, order and types are those of the contracts; a
wallet that is shown `typed_data` signs the same bytes. Values are checked when a message is made,
because eth-account would take None for 0 and "false" for True.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, TypeAlias

from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_utils.address import is_checksum_address
from eth_utils.crypto import keccak

from oracle.engine.units import MAX_PRICE

NAME: Final = "Plimsoll"
VERSION: Final = "1"
MAX_UINT256: Final = 2**256 - 1
PREMIUM_OFFSET: Final = 2**31
SUBACCOUNT_BITS: Final = 96
LINE_BITS: Final = {"asset": 184, "severity": 20, "depth": 20, "nonce": 32}

Fields: TypeAlias = list[dict[str, str]]


def _fields(signature: str) -> Fields:
    """Type string to the list JSON wants: "uint256 a,bool b"."""
    pairs = (field.split(" ") for field in signature.split(","))
    return [{"name": name, "type": kind} for kind, name in pairs]


DOMAIN_FIELDS: Final = _fields(
    "string name,string version,uint256 chainId,address verifyingContract"
)
ORDER_FIELDS: Final = _fields(
    "uint256 account,uint256 market,int256 size,uint256 limit_price,uint256 max_fee,"
    "uint256 expiry,uint256 salt,bool reduce_only,uint256 taker"
)
REPORT_FIELDS: Final = _fields("uint256 observed,uint256[] assets,uint256[] quotes")
PUSH_FIELDS: Final = _fields("bytes32 inputs,uint256 valid_until,uint256[] lines")


class MessageError(ValueError):
    """A value no contract would take. Raised before anything is signed."""


@dataclass(frozen=True)
class Domain:
    """Where a signature counts: one contract on one chain."""

    chain_id: int
    contract: str  # checksummed

    def __post_init__(self) -> None:
        _check_uint("chain_id", self.chain_id)
        if not is_checksum_address(self.contract):
            raise MessageError(f"contract is no checksummed address: {self.contract!r}")


@dataclass(frozen=True)
class Order:
    """An offer to trade, see IOrderGateway.vyi."""

    account: int
    market: int
    size: int  # [base wad] positive buys, negative sells
    limit_price: int  # [USD wad]
    max_fee: int  # [ppm of notional]
    expiry: int  # [s] last second in which it may be filled
    salt: int
    reduce_only: bool = False
    taker: int = 0  # account on the other side; 0 lets anyone

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.name not in ("size", "reduce_only"):
                _check_uint(field.name, getattr(self, field.name))
        _check_int("size", self.size, -(2**255) + 1, 2**255 - 1)
        if type(self.reduce_only) is not bool:
            raise MessageError(f"reduce_only is no bool: {self.reduce_only!r}")


@dataclass(frozen=True)
class Report:
    """One signer's prices of several assets at one time; `quotes` packed by `pack_quote`."""

    observed: int  # [s] Unix time, a multiple of the report period
    assets: tuple[int, ...]
    quotes: tuple[int, ...]

    def __post_init__(self) -> None:
        _check_uint("observed", self.observed)
        if len(self.assets) != len(self.quotes):
            raise MessageError(f"{len(self.assets)} assets but {len(self.quotes)} quotes")
        for asset, quote in zip(self.assets, self.quotes, strict=True):
            _check_uint("asset", asset)
            _check_uint("quote", quote)


@dataclass(frozen=True)
class Line:
    """Severity and depth of one asset."""

    asset: int
    severity: int  # [ppm]
    depth: int  # [ppm]
    nonce: int  # [s] effective time of the push it builds on

    def __post_init__(self) -> None:
        for field in fields(self):
            bits = LINE_BITS[field.name]
            _check_int(field.name, getattr(self, field.name), 0, 2**bits - 1)

    @property
    def packed(self) -> int:
        """As signed and sent."""
        return self.asset << 72 | self.severity << 52 | self.depth << 32 | self.nonce


@dataclass(frozen=True)
class Push:
    """New load lines, whole or not at all; `inputs` is the hash of the data they follow from."""

    inputs: bytes
    valid_until: int  # [s]
    lines: tuple[Line, ...]

    def __post_init__(self) -> None:
        if type(self.inputs) is not bytes or len(self.inputs) != 32:
            raise MessageError("inputs is not 32 bytes")
        _check_uint("valid_until", self.valid_until)


Message: TypeAlias = Order | Report | Push

STRUCTS: Final[Mapping[type[Message], Mapping[str, Fields]]] = {
    Order: {"Order": ORDER_FIELDS},
    Report: {"Report": REPORT_FIELDS},
    Push: {"Push": PUSH_FIELDS},
}


@dataclass(frozen=True)
class Signature:
    """An ECDSA signature: v is 27 or 28, s in the lower half."""

    v: int
    r: int
    s: int

    @property
    def packed(self) -> bytes:
        """r, s, v in 65 bytes, as the order gateway takes it."""
        return self.r.to_bytes(32, "big") + self.s.to_bytes(32, "big") + bytes([self.v])


def typed_data(message: Message, domain: Domain) -> dict[str, Any]:
    """The full EIP-712 message, as `eth_signTypedData_v4` takes it; integers are Python's."""
    structs = STRUCTS[type(message)]
    values = asdict(message)
    for name, value in values.items():
        if isinstance(value, tuple):
            values[name] = list(value)
    if isinstance(message, Push):
        values["lines"] = [line.packed for line in message.lines]
    return {
        "domain": {
            "name": NAME,
            "version": VERSION,
            "chainId": domain.chain_id,
            "verifyingContract": domain.contract,
        },
        "types": {"EIP712Domain": DOMAIN_FIELDS, **structs},
        "primaryType": type(message).__name__,
        "message": values,
    }


def digest(message: Message, domain: Domain) -> bytes:
    """The 32 bytes that are signed, `digest_of` of the contracts."""
    signable = encode_typed_data(full_message=typed_data(message, domain))
    return bytes(keccak(b"\x19" + signable.version + signable.header + signable.body))


def sign(message: Message, domain: Domain, signer: LocalAccount) -> Signature:
    """Sign deterministically (RFC 6979): the same message gives the same bytes."""
    signed = signer.sign_typed_data(full_message=typed_data(message, domain))
    return Signature(v=signed.v, r=signed.r, s=signed.s)


def account_id(owner: str, subaccount: int = 0) -> int:
    """owner (160 bits) | subaccount (96 bits)."""
    if not is_checksum_address(owner):
        raise MessageError(f"owner is no checksummed address: {owner!r}")
    _check_int("subaccount", subaccount, 0, 2**SUBACCOUNT_BITS - 1)
    return int(owner, 16) << SUBACCOUNT_BITS | subaccount


def pack_quote(price: int, premium: int = 0) -> int:
    """One asset's quote in a report.

    Args:
        price: [USD wad], positive.
        premium: [ppm] of the perpetual over its index, for funding.
    """
    _check_int("price", price, 1, MAX_PRICE)
    _check_int("premium", premium, -PREMIUM_OFFSET, PREMIUM_OFFSET - 1)
    return price << 32 | (premium + PREMIUM_OFFSET)


def _check_uint(name: str, value: int) -> None:
    _check_int(name, value, 0, MAX_UINT256)


def _check_int(name: str, value: int, low: int, high: int) -> None:
    # bool is an int to isinstance, and would be signed as 0 or 1.
    if type(value) is not int or not low <= value <= high:
        raise MessageError(f"{name} is no integer from {low} to {high}: {value!r}")
