"""All that the replay reads of balances: words of accounts and sides, and whether the books close.

The one file to change when the ledger's getters do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from oracle.engine.positions import Market
from oracle.engine.sides import Position
from scripts.crisis_parts.chain import Chain
from scripts.demo_parts.books import (
    Apart,
    Words,
    count,
    unpack_cash,
    unpack_market,
    unpack_position,
)
from scripts.demo_parts.contracts import Happened

UNIT_WAD: Final = 10**12
AT_ONCE: Final = 100  # accounts in one question to the lens


@dataclass(frozen=True)
class Closing:
    """The books at the end. USD wad."""

    error: int  # tokens + D_h less all claims and counted dust: 0
    dust: int
    tokens: int  # held for accounts
    socialised: int  # D_h
    insurance: int  # left in the fund
    lens_difference: int  # the lens's figure of tokens less what is really held: 0
    mismatches: tuple[str, ...]

    @property
    def solvency(self) -> float:
        """h = T/(T + D_h)"""
        return self.tokens / (self.tokens + self.socialised) if self.socialised else 1.0


@dataclass(frozen=True)
class Resolved:
    """Who paid what for one account. USD wad."""

    account: int
    cash: int
    reward: int
    deficit: int
    insured: int
    charged: int
    socialised: int

    @property
    def adds_up(self) -> bool:
        """D = b + sum of c + d."""
        return self.deficit == self.insured + self.charged + self.socialised


def resolved_of(event: Happened) -> Resolved:
    """From `AccountResolved`."""
    return Resolved(
        **{name: event.values[name] for name in Resolved.__dataclass_fields__},
    )


def read_holdings(
    chain: Chain, accounts: Sequence[int], markets: Sequence[int]
) -> list[tuple[int, Position]]:
    """Cash [USD wad] and position of each account in its market."""
    cash, held = _words(chain, accounts, markets)
    return [(unpack_cash(c), unpack_position(p)) for c, p in zip(cash, held, strict=True)]


def read_market(chain: Chain, market: int) -> Market:
    """Both sides and the market's own books."""
    ledger = chain["clearinghouse"]
    calls = [
        ledger.ask("side_word", market),
        ledger.ask("cut_word", 2 * market),
        ledger.ask("cut_word", 2 * market + 1),
        ledger.ask("tally_word", market),
    ]
    sides, long_cut, short_cut, tally = chain.ask_many(calls)
    return unpack_market(sides, (long_cut, short_cut), tally)


def read_health(chain: Chain, accounts: Sequence[int]) -> list[tuple[int, int, int]]:
    """E and MM [USD wad] and the state of each account."""
    lens = chain["lens"]
    calls = [
        lens.ask("health", list(accounts[i : i + AT_ONCE]))
        for i in range(0, len(accounts), AT_ONCE)
    ]
    return [row for rows in chain.ask_many(calls) for row in rows]


def close_books(
    chain: Chain, accounts: Sequence[int], markets: Sequence[int], marks: Mapping[int, int]
) -> Closing:
    """Count every claim, word by word, against the tokens held.

    Args:
        markets: of each account.
        marks: g by market [USD wad].
    """
    cash, held = _words(chain, accounts, markets)
    lens = chain.ask("lens", "solvency")
    found = {market: read_market(chain, market) for market in marks}
    custody = chain["custody"]
    apart = Apart(*chain.ask("custody", "totals")[1:])
    words = Words(
        accounts=dict(zip(accounts, cash, strict=True)),
        positions=dict(zip(zip(accounts, markets, strict=True), held, strict=True)),
        markets=found,
        finals={market: _finals(chain, market, state) for market, state in found.items()},
        g=dict(marks),
        held=chain.ask("settlement", "balanceOf", custody.address) * UNIT_WAD,
        apart=apart,
        interest=chain.ask("clearinghouse", "interest_collected"),
    )
    books = count(words)
    disagreements = [] if Apart(*lens[1:6]) == apart else ["what is held apart by the lens"]
    return Closing(
        error=books.error,
        dust=books.dust,
        tokens=words.tokens,
        socialised=apart.deficit,
        insurance=apart.insurance,
        lens_difference=lens[0] - words.tokens,
        mismatches=(*books.mismatches, *disagreements),
    )


# --- internals -----------------------------------------------------------------------------------


def _words(
    chain: Chain, accounts: Sequence[int], markets: Sequence[int]
) -> tuple[list[int], list[int]]:
    """Words of the accounts, and of their positions."""
    ledger = chain["clearinghouse"]
    calls = [ledger.ask("account_word", account) for account in accounts]
    calls += [ledger.ask("position_word", *pair) for pair in zip(accounts, markets, strict=True)]
    words = chain.ask_many(calls)
    return words[: len(accounts)], words[len(accounts) :]


def _finals(chain: Chain, market: int, state: Market) -> dict[tuple[bool, int], Any]:
    keys = [
        (is_long, epoch)
        for is_long in (True, False)
        for epoch in range(state.side(is_long=is_long).epoch)
    ]
    ledger = chain["clearinghouse"]
    calls = [
        ledger.ask("final_credit", 2 * market + (not is_long), epoch) for is_long, epoch in keys
    ]
    return dict(zip(keys, chain.ask_many(calls), strict=True))
