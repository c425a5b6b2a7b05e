"""Names of stored words."""

from __future__ import annotations

from tests.stateful.stage import Stage


def place_of(stage: Stage, account: int) -> int:
    """The number of an account in the names of words."""
    return stage.everyone.index(account)


def cash_of(stage: Stage, account: int) -> int:
    """As stored [USD wad]."""
    return stage.words[f"account {place_of(stage, account)} cash"]
