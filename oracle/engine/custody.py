"""Twin of Custody.vy: all tokens of the protocol, and the outflow bucket of each.

Tokens moved are not modelled: custody has what the books say and all that waits, so nobody sent
tokens to it directly.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from oracle.engine import outflow, solvency
from oracle.engine.chain import Chain
from oracle.engine.margin import Holding
from oracle.engine.outflow import Bucket
from oracle.engine.risk_engine import RiskEngine
from oracle.engine.solvency import NO_TICKET, Reserve, Ticket
from oracle.engine.units import PPM, SETTLEMENT_TOKEN, require

if TYPE_CHECKING:
    from oracle.engine.clearinghouse import Clearinghouse
    from oracle.engine.insurance import InsuranceFund

MAX_TOKENS: Final = 8


@dataclass(frozen=True, slots=True)
class Token:
    """A listed token."""

    unit: int  # wad per token unit
    cap: int  # [wad] all accounts together
    total: int  # [wad]


@dataclass(slots=True)
class CustodyState:
    """All custody stores."""

    reserve: Reserve = solvency.EMPTY  # of the settlement token
    tickets: dict[int, Ticket] = field(default_factory=dict)  # by account
    collateral_multiple: int = 0  # [ppm] of the settlement tokens held
    tokens: dict[int, Token] = field(default_factory=dict)
    balances: dict[tuple[int, int], int] = field(default_factory=dict)  # (account, token) -> [wad]
    buckets: dict[int, Bucket] = field(default_factory=dict)  # by token
    waiting: dict[tuple[int, int], int] = field(default_factory=dict)  # (token, receiver) -> [wad]


class Custody:
    """Holds all tokens; everything that leaves passes the outflow bucket here."""

    def __init__(self, chain: Chain, engine: RiskEngine, settlement_unit: int) -> None:
        self.chain = chain
        self.engine = engine
        self.settlement_unit = settlement_unit
        self.ledger: Clearinghouse
        self.fund: InsuranceFund
        self.state = CustodyState()
        self._set_bucket(SETTLEMENT_TOKEN, outflow.MAX_CAP, 86_400)

    def deposit(self, account: int, token: int, amount: int) -> None:
        """Put tokens into a CROSS account of the caller's; amount in token units."""
        listed = self._listed(token)
        outflow.check_amount(amount)
        wad = amount * listed.unit
        require(listed.total + wad <= listed.cap, "token cap")
        self.state.tokens[token] = replace(listed, total=listed.total + wad)
        self._add(account, token, wad)
        self.ledger.note_collateral(account, self.bits_of(account))
        self._check_multiple()
        held = listed.total + wad + self._waiting_of(token)
        bucket = self.state.buckets[token]
        self.state.buckets[token] = outflow.note(bucket, held, self.chain.timestamp)

    def withdraw(self, account: int, token: int, amount: int, receiver: int) -> int:
        """Take collateral out, down to initial margin. Returns what was paid [wad]."""
        listed = self._listed(token)
        outflow.check_amount(amount)
        wad = amount * listed.unit
        self._debit(account, token, wad)
        self.state.tokens[token] = replace(listed, total=listed.total - wad)
        self.ledger.note_collateral(account, self.bits_of(account))
        self.ledger.check_outflow(account)
        return self._pay(token, receiver, wad)

    def release(self, token: int, receiver: int) -> int:
        """Pay collateral that waits for a receiver, as far as the bucket has room [wad]."""
        require(not self.engine.clock()[1], "paused")
        return self._pay(token, receiver, 0)

    # --- the clearinghouse -----------------------------------------------------------------------

    def take_in(self, amount: int) -> None:
        """Settlement tokens of accounts came in [USD wad]."""
        self._set(solvency.deposit(self.state.reserve, amount))

    def pay_claim(self, account: int, receiver: int, claim: int) -> int:
        """Pay a claim times h; the rest becomes a ticket. Returns what left [USD wad]."""
        reserve, ticket, paid = solvency.withdraw(
            self.state.reserve, self._ticket(account), claim, self.settlement_unit
        )
        held = self._settlement_held()
        self._set(reserve)
        self.state.tickets[account] = ticket
        return self._take(SETTLEMENT_TOKEN, held, self.settlement_unit, receiver, paid)

    def credit(self, receiver: int, amount: int) -> None:
        """Set settlement tokens apart for a receiver, to be released [USD wad]."""
        reserve = self.state.reserve
        self._set(replace(reserve, tokens=reserve.tokens - amount))
        self._wait(SETTLEMENT_TOKEN, receiver, amount)

    def socialise(self, amount: int) -> None:
        """D_h grows [USD wad]."""
        self._set(solvency.socialise(self.state.reserve, amount))

    def distribute(self, market: int, amount: int) -> None:
        """Income restores what is owed, the rest is the insurance fund's [USD wad]."""
        reserve, rest = solvency.restore(self.state.reserve, amount)
        self._set(solvency.insure(reserve, rest))
        self.fund.note_income(market, rest)

    # --- the insurance fund ----------------------------------------------------------------------

    def add_insurance(self, amount: int) -> None:
        """Tokens from outside became the fund's [USD wad]."""
        reserve = self.state.reserve
        self._set(replace(reserve, insurance=reserve.insurance + amount))

    def use_insurance(self, amount: int) -> None:
        """Assets of the fund become the accounts', for a deficit it covers [USD wad]."""
        self._set(solvency.insure(self.state.reserve, -amount))

    def pay_insurance(self, receiver: int, amount: int) -> int:
        """Pay assets of the fund out [USD wad]; returns what left."""
        held = self._settlement_held()
        reserve = self.state.reserve
        require(amount <= reserve.insurance, "insurance")
        self._set(replace(reserve, insurance=reserve.insurance - amount))
        return self._take(SETTLEMENT_TOKEN, held, self.settlement_unit, receiver, amount)

    # --- owners of accounts ----------------------------------------------------------------------

    def collect_ticket(self, account: int, receiver: int) -> int:
        """Take what was restored of an account's withdrawals; it waits to be released [USD wad]."""
        reserve, ticket, paid = solvency.collect(
            self.state.reserve, self._ticket(account), self.settlement_unit
        )
        self._set(reserve)
        self.state.tickets[account] = ticket
        self._wait(SETTLEMENT_TOKEN, receiver, paid)
        return paid

    def ticket_of(self, account: int) -> Ticket:
        """As of now."""
        return solvency.touched(self.state.reserve, self._ticket(account))

    # --- the liquidator --------------------------------------------------------------------------

    def move(self, giver: int, taker: int, token: int, amount: int) -> None:
        """Move collateral between accounts [wad]; the liquidator sees to the payment."""
        self._debit(giver, token, amount)
        self._add(taker, token, amount)
        self.ledger.note_collateral(giver, self.bits_of(giver))
        self.ledger.note_collateral(taker, self.bits_of(taker))

    def list_token(self, unit: int, cap: int, outflow_cap: int, window: int) -> int:
        """List a token; the engine prices it as asset 32 + the index returned."""
        index = len(self.state.tokens)
        require(index < MAX_TOKENS, "token")
        self.state.tokens[index] = Token(unit=unit, cap=cap, total=0)
        self._set_bucket(index, outflow_cap, window)
        return index

    def set_token_cap(self, token: int, cap: int) -> None:
        """Bound what all accounts together may hold; what is there may stay."""
        self.state.tokens[token] = replace(self._listed(token), cap=cap)

    def set_collateral_multiple(self, multiple: int) -> None:
        """Bound all non-cash collateral by a multiple [ppm] of the settlement tokens held."""
        require(multiple <= 10 * PPM, "multiple")
        self.state.collateral_multiple = multiple

    def set_outflow(self, token: int, cap: int, window: int) -> None:
        """Bound how fast a token may leave."""
        require(token in self.state.tokens or token == SETTLEMENT_TOKEN, "token")
        self._set_bucket(token, cap, window)

    def holdings(self, account: int) -> list[Holding]:
        """What an account holds, by token."""
        return [
            Holding(token, amount)
            for token in range(MAX_TOKENS)
            if (amount := self.collateral_of(account, token))
        ]

    def collateral_of(self, account: int, token: int) -> int:
        """[wad]"""
        return self.state.balances.get((account, token), 0)

    def bits_of(self, account: int) -> int:
        """Bit t: the account holds token t."""
        return sum(1 << holding.token for holding in self.holdings(account))

    def _add(self, account: int, token: int, amount: int) -> None:
        self.state.balances[account, token] = self.collateral_of(account, token) + amount

    def _debit(self, account: int, token: int, amount: int) -> None:
        require(amount <= self.collateral_of(account, token), "balance")
        self._add(account, token, -amount)

    def _listed(self, token: int) -> Token:
        require(token in self.state.tokens, "token")
        return self.state.tokens[token]

    def _check_multiple(self) -> None:
        totals = [Holding(t, token.total) for t, token in self.state.tokens.items() if token.total]
        value, _ = self.engine.collateral_value(totals)
        limit = self.state.reserve.tokens * self.state.collateral_multiple
        require(value * PPM <= limit, "collateral cap")

    def _pay(self, token: int, receiver: int, amount: int) -> int:
        """``amount`` left the books already."""
        if token == SETTLEMENT_TOKEN:
            held, unit = self._settlement_held() + amount, self.settlement_unit
        else:
            listed = self._listed(token)
            held, unit = listed.total + self._waiting_of(token) + amount, listed.unit
        return self._take(token, held, unit, receiver, amount)

    def _take(self, token: int, held: int, unit: int, receiver: int, amount: int) -> int:
        """``held`` [wad]: tokens there before the payment."""
        due = self.state.waiting.get((token, receiver), 0) + amount
        bucket, now = self.state.buckets[token], self.chain.timestamp
        self.state.buckets[token], paid = outflow.pay(bucket, held, due, unit, now)
        self.state.waiting[token, receiver] = due - paid
        return paid

    def _wait(self, token: int, receiver: int, amount: int) -> None:
        due = self.state.waiting.get((token, receiver), 0)
        self.state.waiting[token, receiver] = due + amount

    def _settlement_held(self) -> int:
        """All settlement tokens in custody [USD wad]."""
        reserve = self.state.reserve
        held = reserve.tokens + reserve.insurance + reserve.restored
        return held + self._waiting_of(SETTLEMENT_TOKEN)

    def _ticket(self, account: int) -> Ticket:
        return self.state.tickets.get(account, NO_TICKET)

    def _set(self, reserve: Reserve) -> None:
        self.state.reserve = reserve

    def _waiting_of(self, token: int) -> int:
        return sum(wad for (at, _), wad in self.state.waiting.items() if at == token)

    def _set_bucket(self, token: int, cap: int, window: int) -> None:
        before = self.state.buckets.get(token)
        self.state.buckets[token] = outflow.reset(before, cap, window)
