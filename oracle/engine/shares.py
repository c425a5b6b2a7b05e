"""Shares of staked capital, in two steps each way (contracts/modules/shares.vy; ERC-4626).

Assets in token units. Virtual shares keep a first depositor from being diluted by gifts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from oracle.engine.chain import Chain
from oracle.engine.rounding import mul_div_ceil, mul_div_floor
from oracle.engine.units import require

VIRTUAL_SHARES: Final = 10**6
WINDOW: Final = 3 * 86_400  # [s] in which a request that is due may be used


@dataclass(frozen=True, slots=True)
class Delays:
    """Between a request and its use [s]."""

    deposit: int = 86_400
    redeem: int = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Request:
    """Tokens handed in, or shares locked."""

    amount: int = 0
    due: int = 0  # [Unix time]


NONE: Final = Request()


@dataclass(slots=True)
class SharesState:
    """All that is stored of shares."""

    supply: int = 0
    balances: dict[int, int] = field(default_factory=dict)
    deposits: dict[int, Request] = field(default_factory=dict)
    exits: dict[int, Request] = field(default_factory=dict)


class Shares:
    """Who owns what part of a contract's assets."""

    def __init__(self, chain: Chain, delays: Delays) -> None:
        self.chain = chain
        self.delays = delays
        self.state = SharesState()

    def balance_of(self, owner: int) -> int:
        """Shares that are not locked."""
        return self.state.balances.get(owner, 0)

    def request_deposit(self, owner: int, assets: int) -> None:
        """Hand in tokens that may become shares after a delay."""
        amount = self.state.deposits.get(owner, NONE).amount + assets
        require(0 < amount < 2**127, "amount")
        due = self.chain.timestamp + self.delays.deposit
        self.state.deposits[owner] = Request(amount, due)

    def cancel_deposit(self, owner: int) -> int:
        """Take back what is not shares yet [token units]."""
        return self.state.deposits.pop(owner, NONE).amount

    def request_redeem(self, owner: int, shares: int) -> None:
        """Lock shares, to be redeemed after a delay."""
        amount = self.state.exits.get(owner, NONE).amount + shares
        require(amount > 0, "amount")
        require(shares <= self.balance_of(owner), "balance")
        self.state.balances[owner] = self.balance_of(owner) - shares
        due = self.chain.timestamp + self.delays.redeem
        self.state.exits[owner] = Request(amount, due)

    def cancel_redeem(self, owner: int) -> None:
        """Unlock shares."""
        shares = self.state.exits.pop(owner, NONE).amount
        self.state.balances[owner] = self.balance_of(owner) + shares

    def enter(self, owner: int, assets: int, total: int) -> int:
        """Shares for tokens that are due; returns how many."""
        request = self.state.deposits.get(owner, NONE)
        require(assets <= self._due(request), "not due")
        minted = self.shares_down(assets, total)
        require(minted > 0, "amount")
        self.state.deposits[owner] = Request(request.amount - assets, request.due)
        self.state.balances[owner] = self.balance_of(owner) + minted
        self.state.supply += minted
        return minted

    def leave(self, owner: int, shares: int, total: int) -> int:
        """Burn locked shares that are due; returns what they are worth [token units]."""
        request = self.state.exits.get(owner, NONE)
        require(shares <= self._due(request), "not due")
        require(shares > 0, "amount")
        assets = self.assets_down(shares, total)
        self.state.exits[owner] = Request(request.amount - shares, request.due)
        self.state.supply -= shares
        return assets

    def shares_down(self, assets: int, total: int) -> int:
        """What assets are worth in shares, rounded down."""
        return mul_div_floor(assets, self.state.supply + VIRTUAL_SHARES, total + 1)

    def shares_up(self, assets: int, total: int) -> int:
        """What assets cost in shares, rounded up."""
        return mul_div_ceil(assets, self.state.supply + VIRTUAL_SHARES, total + 1)

    def assets_down(self, shares: int, total: int) -> int:
        """What shares are worth in assets, rounded down."""
        return mul_div_floor(shares, total + 1, self.state.supply + VIRTUAL_SHARES)

    def assets_up(self, shares: int, total: int) -> int:
        """What shares cost in assets, rounded up."""
        return mul_div_ceil(shares, total + 1, self.state.supply + VIRTUAL_SHARES)

    def _due(self, request: Request) -> int:
        now = self.chain.timestamp
        return request.amount if request.due <= now <= request.due + WINDOW else 0
