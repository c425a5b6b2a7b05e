"""EIP-712 signatures of reports and pushes, made by hand: a report costs microseconds.

tests/unit/oracle_signing checks the typed data against eth-account and wallets; here only speed
counts. The nonce of each signature is fixed, which gives these keys away: they guard nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi import encode
from eth_keys import keys
from eth_utils import keccak

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
NONCE = 0x1234567890ABCDEF1234567890ABCDEF1234567890ABCDEF1234567890ABCDEF
POINT = keys.PrivateKey(NONCE.to_bytes(32)).public_key.to_bytes()
R = int.from_bytes(POINT[:32]) % ORDER
IS_ODD = POINT[63] & 1
INVERSE = pow(NONCE, -1, ORDER)

DOMAIN = keccak(
    text="EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
REPORT = keccak(text="Report(uint256 observed,uint256[] assets,uint256[] quotes)")
PUSH = keccak(text="Push(bytes32 inputs,uint256 valid_until,uint256[] lines)")
INPUTS = b"\x11" * 32
Signature = tuple[int, int, int]


@dataclass(frozen=True)
class Signer:
    """One key."""

    secret: int

    @property
    def address(self) -> str:
        address: str = keys.PrivateKey(self.secret.to_bytes(32)).public_key.to_checksum_address()
        return address

    def sign(self, digest: bytes) -> Signature:
        s = INVERSE * (int.from_bytes(digest) + R * self.secret) % ORDER
        if s > ORDER // 2:
            return 27 + (1 - IS_ODD), R, ORDER - s
        return 27 + IS_ODD, R, s


def pack_line(asset: int, severity: int, depth: int, nonce: int) -> int:
    """One asset's part of a push."""
    return asset << 72 | severity << 52 | depth << 32 | nonce


def make_signers(count: int) -> list[Signer]:
    """In ascending order of address, as the engine wants them."""
    return sorted((Signer(1000 + i) for i in range(count)), key=lambda s: int(s.address, 16))


@dataclass(frozen=True)
class Domain:
    """Messages of one engine on one chain."""

    separator: bytes

    @classmethod
    def of(cls, engine: str, chain_id: int) -> Domain:
        names = keccak(text="Plimsoll"), keccak(text="1")
        kinds = ["bytes32", "bytes32", "bytes32", "uint256", "address"]
        return cls(keccak(encode(kinds, [DOMAIN, *names, chain_id, engine])))

    def report(self, observed: int, assets: Sequence[int], quotes: Sequence[int]) -> bytes:
        """Digest of one signer's report."""
        return self._digest(REPORT, observed, _array(assets), _array(quotes))

    def push(self, valid_until: int, lines: Sequence[int]) -> bytes:
        """Digest of a push of packed lines."""
        return self._digest(PUSH, INPUTS, valid_until, _array(lines))

    def _digest(self, kind: bytes, *fields: Any) -> bytes:
        words = (f if isinstance(f, bytes) else f.to_bytes(32) for f in fields)
        return keccak(b"\x19\x01" + self.separator + keccak(kind + b"".join(words)))


def _array(values: Sequence[int]) -> bytes:
    return keccak(b"".join(value.to_bytes(32) for value in values))
