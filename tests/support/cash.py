"""Moves cash between accounts, whatever it leaves of either: in the ledger's storage or the twin's.

No verb of the ledger does that; it is a test's way to put an account where a rule bites.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import boa
from eth_utils import keccak

from oracle.engine.clearinghouse import Clearinghouse

CASH_BIT = 152


def move_cash(ledger: Any, giver: int, taker: int, amount: int) -> None:
    """`amount` [USD wad] in a ledger under titanoboa whose interest rate is 0."""
    assert ledger.interest().rate == 0, "J0 of negative cash is not written"
    for account, change in ((giver, -amount), (taker, amount)):
        word = ledger.account_word(account)
        cash = _cash_of(word) + change
        rest = word & (2**CASH_BIT - 1)
        _write_word(ledger, account, (cash % 2**104) << CASH_BIT | rest)


def move_twin_cash(ledger: Clearinghouse, giver: int, taker: int, amount: int) -> None:
    """The same in the reference model, at any rate."""
    for account, change in ((giver, -amount), (taker, amount)):
        ledger.state.interest_collected += ledger.interest_due(account)
        state = ledger.account(account)
        ledger.state.accounts[account] = replace(state, cash=state.cash + change)
        ledger.state.indices[account] = ledger.index_at(ledger.engine.now)


def _cash_of(word: int) -> int:
    cash: int = word >> CASH_BIT
    return cash - 2**104 if cash >> 103 else cash


def _write_word(ledger: Any, account: int, word: int) -> None:
    slot = ledger.compiler_data.storage_layout["storage_layout"]["accounts"]["words"]["slot"]
    key = keccak(slot.to_bytes(32, "big") + account.to_bytes(32, "big"))
    boa.env.set_storage(ledger.address, int.from_bytes(key, "big"), word)
