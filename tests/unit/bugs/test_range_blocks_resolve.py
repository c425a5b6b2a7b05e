# BUG: the vault's plan said yes, the ledger's ranges of an opening (a trade's size, a side's total)
# said no, and `resolve` reverted though the opposite side could have taken the book: a leg of 2^110
# wei, or a side of a cut market that somebody had filled to the last bit. Cure: what changes hands
# is bound by no trade's size, and totals and z have a bit to spare for it. Found by attack.
from __future__ import annotations

import boa
import pytest

from tests.unit.liquidator.stage import USD, WAD, Stage
from tests.unit.vault.rooms import Rooms

PRICE = 10**9  # [USD wad] a market quoted in single coins worth a billionth
CHEAP = WAD // 1_000  # [USD wad]


@pytest.mark.parametrize("less", [1, 0])
def test_resolve__leg_larger_than_a_trade_may_be(rooms: Rooms, less: int) -> None:
    stage = rooms.stage
    stage.set_market(0, mark=PRICE)
    account = stage.account("trader", 200_000)
    for size in (2**109, 2**109 - less):
        stage.trade(account, stage.maker, size, 0, PRICE)
    stage.engine.set_mark(0, PRICE * 87 // 100)
    rooms.ring(0, 10**7 * USD)
    legs, _ = rooms.resolve(account)
    assert legs[0].taken


def test_resolve__short_of_a_cut_side_that_is_full(rooms: Rooms) -> None:
    """A = 1e-6: the ring's short has a larger scaled size than what closed; the side is full."""
    stage = rooms.stage
    _, scale = cut_shorts(stage)
    loser = stage.account("trader", 100)
    stage.trade(stage.maker, loser, 10**5 * WAD, 0, CHEAP)
    room = 2**111 - 1 - shorts(stage)
    stage.trade(stage.maker, stage.taker, room * scale // 10**27, 0, CHEAP)
    room = 2**111 - 1 - shorts(stage)
    stage.engine.set_mark(0, CHEAP * 195 // 100)
    rooms.ring(0, 10**7 * USD)
    legs, _ = rooms.resolve(loser)
    assert legs[0].taken


def cut_shorts(stage: Stage) -> tuple[int, int]:
    """Shorts cut to a millionth; one of them, and the scale of the side."""
    stage.set_market(0, mark=CHEAP)
    big, rest = stage.account("trader", 10**8), stage.account("trader", 10**3)
    short = stage.account("trader", 10**8)
    stage.trade(big, short, 10**9 * WAD, 0, CHEAP)
    stage.trade(rest, short, 1_000 * WAD, 0, CHEAP)
    with boa.env.prank(stage.liquidator.address):
        _, closed = stage.ledger.close_at_mark(big, 0, "0x" + 40 * "0", [])
        stage.ledger.deleverage(0, False, closed[0].size, 0, closed[0].g)
    return short, int(stage.ledger.cut_word(1)) >> 160


def shorts(stage: Stage) -> int:
    """Scaled, as stored."""
    return int(stage.ledger.side_word(0)) >> 32 & (2**112 - 1)


def test_hand_over__all_of_a_full_side_to_one_account__never_wraps(rooms: Rooms) -> None:
    """A side may have the spare bit, a single position may not: its word has no room for it."""
    stage = rooms.stage
    short, scale = cut_shorts(stage)
    room = 2**111 - 1 - shorts(stage)
    stage.trade(stage.maker, stage.taker, room * scale // 10**27, 0, CHEAP)
    ring = rooms.ring(0, 10**7 * USD)
    vault = stage.vault.address
    with boa.env.prank(stage.liquidator.address):
        stage.ledger.close_at_mark(short, 0, vault, [0])
        with boa.reverts("too large"):
            stage.ledger.close_at_mark(stage.taker, 0, vault, [0])
    assert stage.size(ring) < 0
