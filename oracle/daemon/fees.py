"""What a transaction may cost and how long it may wait. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from oracle.chain import Fees
from oracle.daemon.alarms import DaemonError, Exit

GWEI: Final = 10**9
ETHER: Final = 10**18


@dataclass(frozen=True)
class Patience:
    """How long, and how dear.

    Attributes:
        confirmations: blocks on top, the own included, until a transaction counts.
        bump_after: [s] without being mined before it is replaced.
        deadline: [s] after which it is cancelled: its data are stale.
        missing_after: [s] after which one that no node knows is given up.
        tip, most: [wei] of one unit of gas.
        balance: [wei] at which gas money is a warning, an error, critical.
    """

    confirmations: int = 2
    bump_after: float = 24.0
    deadline: float = 120.0
    missing_after: float = 3.0
    tip: int = GWEI
    most: int = 200 * GWEI
    balance: tuple[int, int, int] = (ETHER // 2, ETHER // 5, ETHER // 20)


def fees_for(base_fee: int, tip: int, cap: int, before: Fees | None = None) -> Fees | None:
    """What to offer: room for the base fee to double, at least 12.5 % more than before in both.

    Args:
        base_fee, tip, cap: [wei] of one unit of gas.
        before: of the transaction that is to be replaced.

    Returns:
        None where the cap does not allow the base fee, or the replacement.
    """
    if base_fee + tip > cap:
        return None
    most, offered = min(cap, 2 * base_fee + tip), tip
    if before is not None:
        most, offered = max(most, bumped(before.most)), max(tip, bumped(before.tip))
        most = max(most, offered)
        if most > cap:
            return None
    return Fees(most, offered)


def bumped(fee: int) -> int:
    """12.5 % more, rounded up, as nodes demand of a replacement."""
    return max(-(-fee * 9 // 8), fee + 1)


def gas_level(balance: int, levels: tuple[int, int, int]) -> str | None:
    """``warning``, ``error`` or ``critical``; None above all of them."""
    warning, error, critical = levels
    if balance < critical:
        return "critical"
    return "error" if balance < error else "warning" if balance < warning else None


def check_patience(patience: Patience, period: int) -> None:
    """
    Raises:
        DaemonError: a transaction would be replaced after it is cancelled, or cancelled too late.
    """
    if not 0 < patience.bump_after < patience.deadline:
        raise DaemonError("bump_after is not between 0 and deadline.", Exit.CONFIG)
    if patience.deadline > 10 * period:
        what = f"A deadline of {patience.deadline:g} s keeps data older than ten report periods."
        raise DaemonError(what, Exit.CONFIG)
