"""What is brought to the engine: calldata of reports and pushes, from what signers signed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eth_account import Account

from oracle import signing
from oracle.keeper import PUSH, REPORT, VALID_FOR, due_lines, inputs_hash
from oracle.keeper import Line as Pushed
from oracle.policy import Limits
from oracle.risk import Ask

__all__ = ["VALID_FOR", "PushTerms", "Signed", "propose", "push_data", "recovered", "report_data"]


@dataclass(frozen=True)
class Signed:
    """One signer's part of a message.

    Attributes:
        signer: address that signed.
        quotes: of a report, in the order of its assets; of a push empty.
    """

    signer: str
    signature: signing.Signature
    quotes: tuple[int, ...] = ()


@dataclass(frozen=True)
class PushTerms:
    """A proposed push: what signers are asked to sign.

    Attributes:
        asks: by asset, what it steps toward; their hashes make `inputs`.
    """

    valid_until: int
    lines: tuple[signing.Line, ...]
    asks: Mapping[int, Ask]

    @property
    def message(self) -> signing.Push:
        """As signed."""
        hashes = [self.asks[line.asset].input_hash for line in self.lines]
        return signing.Push(inputs_hash(hashes), self.valid_until, self.lines)

    def only(self, assets: Sequence[int]) -> PushTerms:
        """The same push of fewer assets."""
        lines = tuple(line for line in self.lines if line.asset in assets)
        return PushTerms(self.valid_until, lines, self.asks)


def propose(
    asks: Mapping[int, Ask],
    lines: Mapping[int, Pushed],
    now: int,
    valid_until: int,
    limits: Limits,
) -> PushTerms | None:
    """One allowed step toward what is asked, of each asset whose time it is.

    Args:
        now: effective time [s].
        valid_until: Unix time [s].
    """
    ordered = {asset: asks[asset] for asset in sorted(asks) if lines[asset].pushed}
    due = due_lines(ordered, lines, now, limits)
    return PushTerms(valid_until, tuple(due), dict(asks)) if due else None


def report_data(observed: int, assets: Sequence[int], signed: Sequence[Signed]) -> bytes:
    """Calldata; every signer's own quotes, signers ascending."""
    ordered = ascending(signed)
    quotes = [quote for part in ordered for quote in part.quotes]
    return REPORT.encode(observed, list(assets), quotes, rows(ordered))


def push_data(terms: PushTerms, signed: Sequence[Signed]) -> bytes:
    """Calldata; signers ascending."""
    message = terms.message
    packed = [line.packed for line in message.lines]
    return PUSH.encode(message.inputs, message.valid_until, packed, rows(ascending(signed)))


def ascending(signed: Sequence[Signed]) -> list[Signed]:
    """As the engine wants signatures."""
    return sorted(signed, key=lambda part: int(part.signer, 16))


def rows(signed: Sequence[Signed]) -> list[tuple[int, int, int]]:
    """Signatures as the engine takes them."""
    return [(part.signature.v, part.signature.r, part.signature.s) for part in signed]


def recovered(
    message: signing.Message, domain: signing.Domain, signature: signing.Signature
) -> str:
    """Address of who signed; the empty string if nobody could have."""
    try:
        digest = signing.digest(message, domain)
        vrs = (signature.v, signature.r, signature.s)
        return str(Account._recover_hash(digest, vrs=vrs))
    except Exception:  # whatever a library says of bytes from a stranger
        return ""
