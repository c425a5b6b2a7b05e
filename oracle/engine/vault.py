"""Twin of BackstopVault.vy: capital that takes whole books over, a ring a market (DESIGN 8, 10).

The manager's trades go through the ledger's `trade`; their bounds are not modelled. Shares are
`oracle.engine.shares`. Tokens the vault holds are its `free` assets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from oracle.engine import solvency
from oracle.engine.clearinghouse import CROSS, ISOLATED, Clearinghouse
from oracle.engine.effective_time import NO_NEW_RISK, SETTLING
from oracle.engine.margin import ABOVE_BIT, Basis, Leg, Margin
from oracle.engine.risk_engine import RiskEngine
from oracle.engine.rounding import mul_div_ceil, mul_div_floor, positive
from oracle.engine.units import Usd, require

SLACK: Final = 10**12  # [USD wad] more than rounding takes of a book
BIDDER: Final = 32  # subaccount that takes collateral nobody bought
VAULT: Final = 0xBAC57 << 96  # its subaccount 0, where the twin is not told an address


@dataclass(frozen=True, slots=True)
class Worth:
    """What the rings are worth at the marks, and whether no market of theirs settles."""

    equity: Usd
    is_calm: bool


@dataclass(slots=True)
class VaultState:
    """All the vault stores besides shares."""

    free: int = 0  # [token units]
    targets: dict[int, int] = field(default_factory=dict)  # market with a ring -> [USD wad]
    given: dict[int, int] = field(default_factory=dict)  # [USD wad] net of what came back


class BackstopVault:
    """Rings, and what they can take."""

    def __init__(self, engine: RiskEngine, ledger: Clearinghouse, address: int = VAULT) -> None:
        self.engine = engine
        self.ledger = ledger
        self.address = address >> 96 << 96
        self.state = VaultState()
        ledger.open_account(self.address | BIDDER, CROSS, 0)

    def account_of(self, market: int) -> int:
        """A market's ring."""
        return self.address | market

    def owns(self, account: int) -> bool:
        """Whether an account is the vault's."""
        return account >> 96 == self.address >> 96

    # --- anyone ----------------------------------------------------------------------------------

    def fill_ring(self, market: int) -> int:
        """Give a ring what it was not given yet of its target; returns the units moved."""
        require(self.ledger.custody.state.reserve.deficit == 0, "insolvent")
        given = self.state.given.get(market, 0)
        gap = positive(self.state.targets.get(market, 0) - given) // self.ledger.unit
        amount = min(gap, self.state.free)
        require(amount > 0, "amount")
        self.state.free -= amount
        self.state.given[market] = given + amount * self.ledger.unit
        self.ledger.deposit(self.account_of(market), amount)
        return amount

    def drain_ring(self, market: int) -> int:
        """Bring back what a ring's cash has above its target; returns the units received."""
        self._check_open(market)
        cash = positive(self.ledger.book(self.account_of(market)).cash)
        amount = positive(cash - self.state.targets[market]) // self.ledger.unit
        require(amount > 0, "amount")
        return self._drain(market, amount)

    # --- governance ------------------------------------------------------------------------------

    def open_ring(self, market: int, target: int) -> None:
        """Let the vault take positions of a market."""
        self.ledger.open_account(self.account_of(market), ISOLATED, 1)
        self.state.targets[market] = target

    def set_target(self, market: int, target: int) -> None:
        """How much capital a ring is given [USD wad]."""
        self._check_open(market)
        self.state.targets[market] = target

    # --- views -----------------------------------------------------------------------------------

    def plan(self, legs: Sequence[Leg], equity: int, requirement: int) -> list[int]:
        """What the vault is paid for each leg, by MM; nothing where one has no room."""
        due = min(positive(equity - SLACK), 2 * requirement // 3)
        payments: list[int] = []
        for i, leg in enumerate(legs):
            if leg.market not in self.state.targets:
                return []
            alone = self._assess(Basis.MAINTENANCE, 0, (leg,))
            payment = due - sum(payments)
            if i + 1 != len(legs):
                payment = mul_div_floor(due, alone.requirement, requirement)
            if not self._has_room(leg, alone.equity, payment, is_hole=equity < 0):
                return []
            payments.append(payment)
        return payments

    def worth(self) -> Worth:
        """All rings, each at least nothing, times h."""
        equity, is_calm = 0, True
        for market in sorted(self.state.targets):
            book = self.ledger.book(self.account_of(market))
            if not book.legs:
                equity += positive(book.cash)
                continue
            margin = self._assess(Basis.MAINTENANCE, book.cash, book.legs)
            equity += positive(margin.equity)
            is_calm = is_calm and margin.state & SETTLING == 0
        return Worth(solvency.payout(self.ledger.custody.state.reserve, equity), is_calm)

    def total_assets(self) -> int:
        """[token units]"""
        return self.state.free + self.worth().equity // self.ledger.unit

    def free_up(self, assets: int) -> None:
        """Bring that many token units back from rings without a position, lowest market first."""
        for market in sorted(self.state.targets):
            book = self.ledger.book(self.account_of(market))
            if self.state.free >= assets:
                return
            if not book.legs:
                cash = positive(book.cash) // self.ledger.unit
                amount = min(cash, self._over_h(assets - self.state.free))
                if amount:
                    self._drain(market, amount)
        require(self.state.free >= assets, "not enough free")

    # --- internals -------------------------------------------------------------------------------

    def _drain(self, market: int, amount: int) -> int:
        """What waited could be released by anybody and nobody would count it: all must arrive."""
        receiver = self.address >> 96
        received = self.ledger.withdraw(self.account_of(market), amount, receiver)
        waiting = self.ledger.custody.state.waiting.get((255, receiver), 0)
        require(waiting == 0, "outflow")
        self.state.free += received // self.ledger.unit
        self.state.given[market] = positive(self.state.given.get(market, 0) - received)
        return received // self.ledger.unit

    def _over_h(self, payment: int) -> int:
        """The claim that pays at least that much."""
        reserve = self.ledger.custody.state.reserve
        if reserve.deficit == 0:
            return payment
        total = reserve.tokens + reserve.deficit
        return mul_div_ceil(payment, total, max(reserve.tokens, 1))

    def _has_room(self, leg: Leg, value: int, payment: int, *, is_hole: bool) -> bool:
        """The leg comes at the mark, so its ``value`` stays behind; new risk must be allowed."""
        book = self.ledger.book(self.account_of(leg.market))
        size, base = leg.size, leg.base
        if book.legs:
            if is_hole and (size > 0) != (book.legs[0].size > 0):
                return False  # it would leave the side that pays before that is charged
            size, base = size + book.legs[0].size, base + book.legs[0].base
        merged = Leg(leg.market, size, base, leg.open_interest)
        after = self._assess(Basis.LIVE, book.cash + payment, (merged,))
        barred = NO_NEW_RISK | 1 << (ABOVE_BIT + leg.market)
        return after.state & barred == 0 and after.equity - value >= after.requirement + SLACK

    def _assess(self, basis: Basis, cash: int, legs: Sequence[Leg]) -> Margin:
        return self.engine.assess(basis, cash, 0, tuple(legs), ())

    def _check_open(self, market: int) -> None:
        require(market in self.state.targets, "not opened")
