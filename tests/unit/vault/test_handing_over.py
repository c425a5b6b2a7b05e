"""Edges of handing a whole book to the rings: cut sides, ended and spent positions, interest."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from oracle.engine.sides import GAP_RESERVE
from tests.support.cash import move_cash
from tests.support.compiled import load
from tests.support.world import BTC, ETH, ISOLATED, RAY, ZERO, World, events, events_of
from tests.unit.liquidator.stage import Stage

from .rooms import MARK, SLACK, USD, WAD, Rooms

FALLEN = 925 * USD
RATE = 10**26 // (365 * 86_400)  # 10 % a year
DAY = 86_400


def hand(rooms: Rooms, ring: int, size: int, market: int = 0) -> None:
    """A position for a ring, at the mark, from somebody rich."""
    stage = rooms.stage
    giver, other = stage.account("maker", 10**6), stage.account("maker", 10**6)
    stage.trade(giver, other, size, market)
    held = stage.size(giver, market)  # a wei less on a cut long side
    with boa.env.prank(stage.liquidator.address):
        stage.ledger.take_over(giver, ring, market, held, MARK, 0)


def cut_both_sides(rooms: Rooms, times: int) -> None:
    """Each side to about 1/10,000, `times` over: whoever holds it is cut to what the next holds."""
    stage = rooms.stage
    left = 100 * WAD + 7
    long, short = stage.account("maker", 10**9), stage.account("maker", 10**9)
    stage.trade(long, short, left)
    for _ in range(times):
        for holder, is_long in ((short, False), (long, True)):
            other = stage.account("trader", 10**9)
            size = 9_999 * left + 11
            stage.trade(holder, other, size if is_long else -size)
            with boa.env.prank(stage.liquidator.address):
                _, closed = stage.ledger.close_at_mark(other, 0, ZERO, [])
                for leg in closed:
                    stage.ledger.deleverage(0, is_long, abs(leg.size), 0, leg.g)


def waterfall(rooms: Rooms, account: int) -> Any:
    stage = rooms.stage
    lens = load("contracts/WaterfallLens.vy").deploy(stage.ledger, stage.engine, stage.liquidator)
    return lens.waterfall(account)


def epochs(stage: Stage, market: int = 0) -> tuple[int, int]:
    word = int(stage.ledger.side_word(market))
    return word >> 17 & 32767, word >> 1 & 32767


def taken_over(stage: Stage) -> list[tuple[int, int, int]]:
    """Market, size and payment of each leg handed over in the last call."""
    found = [e for e in stage.liquidator.get_logs() if type(e).__name__ == "TakenOver"]
    return [(e.market, e.size, e.payment) for e in found]


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("held", [0, 4, -10, -15])
def test_room__cut_sides__the_slack_is_more_than_the_rounding(
    rooms: Rooms, side: int, held: int
) -> None:
    """At the least cash the plan accepts the ring has IM after, with A = 1e-8."""
    stage = rooms.stage
    cut_both_sides(rooms, 2)
    for number in (0, 1):
        assert 0 < int(stage.ledger.cut_word(number)) >> 160 < 2 * RAY // 10**8
    ring = rooms.ring(0, 10**6 * USD)
    account = rooms.book({0: side * 10 * WAD}, 1_001)
    if held:
        hand(rooms, ring, side * held * WAD)
    stage.engine.set_mark(0, MARK - side * 75 * USD)
    legs, margin = stage.ledger.book(account).legs, stage.margin(account)
    low, high = -(10**6) * USD, 10**6 * USD
    while high - low > 1:
        middle = (low + high) // 2
        with boa.env.anchor():
            rooms.set_cash(ring, middle)
            has_room = bool(stage.vault.plan(legs, *margin))
        low, high = (low, middle) if has_room else (middle, high)
    rooms.set_cash(ring, high)
    seen = waterfall(rooms, account)
    resolved, _ = rooms.resolve(account)
    assert resolved[0].taken
    assert [leg.payment for leg in seen.legs] == [taken_over(stage)[0][2]]
    assert seen.left == stage.cash(account)
    equity, im = stage.margin(ring, 1)
    assert im <= equity <= im + SLACK
    assert im + SLACK - equity <= 4 * GAP_RESERVE + 10**6


def test_book__ended_and_spent_positions_between_live_legs__each_leg_its_own_payment(
    rooms: Rooms,
) -> None:
    """What has no size is paid out and takes no payment."""
    stage = rooms.stage
    account = rooms.book({0: -10 * WAD, 1: -20 * WAD, 2: 10 * WAD, 3: -5 * WAD}, 5_000)
    with boa.env.prank(stage.liquidator.address):
        for market in (0, 2):  # nobody else is left: both epochs end
            size = abs(stage.size(stage.maker, market))
            stage.ledger.deleverage(market, market == 2, size, 0, MARK)
    assert [leg.market for leg in stage.ledger.book(account).legs] == [1, 3]
    assert epochs(stage, 0) == (1, 1)
    rings = [rooms.ring(market, 10**5 * USD) for market in range(4)]
    for market in (1, 3):
        stage.engine.set_mark(market, 1_180 * USD)
    plan = stage.vault.plan(stage.ledger.book(account).legs, *stage.margin(account))
    assert len(plan) == 2
    assert plan[0] > plan[1] > 0
    seen = waterfall(rooms, account)
    cash = sum(stage.cash(a) for a in (account, *rings))
    value = stage.margin(account)[0]
    rooms.resolve(account)
    assert taken_over(stage) == [(1, -20 * WAD, plan[0]), (3, -5 * WAD, plan[1])]
    assert [leg.payment for leg in seen.legs] == plan
    assert stage.cash(account) == value - sum(plan) == seen.left
    assert stage.market_list(account) == 0
    assert [stage.cash(r) - 10**5 * USD for r in rings] == [0, plan[0], 0, plan[1]]
    assert sum(stage.cash(a) for a in (account, *rings)) < cash  # the losses of the live legs


def test_ring__with_a_position_of_an_ended_epoch__is_paid_it_and_takes_the_leg(
    rooms: Rooms,
) -> None:
    stage = rooms.stage
    ring = rooms.ring(0, 10**4 * USD)
    hand(rooms, ring, -10 * WAD)
    stage.engine.set_mark(0, 990 * USD)
    with boa.env.prank(stage.liquidator.address):
        stage.ledger.deleverage(0, True, 10 * WAD, 0, 990 * USD)
    assert epochs(stage) == (1, 1)
    assert stage.market_list(ring) == 1
    worth = stage.ledger.book(ring).cash
    assert worth > stage.cash(ring)
    stage.engine.set_mark(0, MARK)
    account = rooms.book({0: 10 * WAD}, 1_000)
    stage.engine.set_mark(0, FALLEN)
    payment = rooms.payment(*stage.margin(account))
    rooms.set_cash(ring, stage.cash(ring) + FALLEN + SLACK - payment - worth)
    with boa.env.anchor():
        rooms.set_cash(ring, stage.cash(ring) - 1)
        assert not rooms.resolve(account)[0][0].taken
    assert rooms.resolve(account)[0][0].taken
    assert (stage.size(ring), stage.cash(ring)) == (10 * WAD, FALLEN + SLACK)
    assert stage.market_list(ring) == 1


def test_book__legs_of_a_wei__are_handed_over_too(rooms: Rooms) -> None:
    """What the ledger holds may be less than a trade's minimum: a cut left it."""
    stage = rooms.stage
    stage.set_market(1, min_size=1)
    account = rooms.book({0: 10 * WAD, 1: 1}, 1_001)
    rings = [rooms.ring(market, 10**4 * USD) for market in range(2)]
    stage.engine.set_mark(0, FALLEN)
    legs = stage.ledger.book(account).legs
    plan = stage.vault.plan(legs, *stage.margin(account))
    seen = waterfall(rooms, account)
    legs, whole = rooms.resolve(account)
    assert [(leg.size, leg.taken) for leg in legs] == [(10 * WAD, True), (1, True)]
    assert [leg.payment for leg in seen.legs] == plan
    assert (stage.size(rings[1], 1), whole.deficit) == (1, 0)
    assert stage.cash(account) == SLACK


# --- interest ------------------------------------------------------------------------------------


@pytest.fixture
def debtor(world: World) -> tuple[World, int, int]:
    """A ring 1,000 in debt for a day at 10 % a year, an account long 1, and its short."""
    trader, short = world.open("trader", 50_000), world.open("short", 50_000)
    ring = world.open("ring", 50_000, sub=BTC, mode=ISOLATED)
    world.trade(trader, short, WAD)
    move_cash(world.ledger, ring, world.bank(), 51_000 * USD)
    with world.as_owner():
        world.ledger.set_interest_rate(RATE)
    world.pass_time(DAY, every=3_600)
    return world, trader, ring


@pytest.mark.parametrize("payment", [0, 1_000 * USD, 1_001 * USD, 5_000 * USD])
def test_payment__to_a_ring_in_debt__interest_first(
    debtor: tuple[World, int, int], payment: int
) -> None:
    world, trader, ring = debtor
    owed = world.ledger.book(ring).cash
    with world.as_liquidator():
        world.ledger.close_at_mark(trader, 0, world.owner_of(ring), [payment])
    interest = world.ledger.interest_collected()
    assert RATE * DAY <= interest * RAY // (1_000 * USD) <= RATE * (DAY + 3_600)
    assert owed == -1_000 * USD - interest
    assert world.cash(ring) == owed + payment
    assert world.ledger.book(ring).cash == world.cash(ring), "none for the same second"


def test_netting_into_debt__interest_runs_from_now(world: World) -> None:
    """A ring whose loss becomes cash owes nothing for the time before."""
    trader, short = world.open("trader", 50_000), world.open("short", 50_000)
    world.trade(trader, short, WAD)
    move_cash(world.ledger, short, world.bank(), world.cash(short) - 50 * USD)
    with world.as_owner():
        world.ledger.set_interest_rate(RATE)
    world.tick(p0=20_100 * WAD)
    world.pass_time(DAY, every=3_600)
    with world.as_liquidator():
        world.ledger.close_at_mark(trader, 0, world.owner_of(short), [0])
    assert world.size(short) == 0
    assert world.ledger.book(short).cash == world.cash(short) == -50 * USD
    assert world.ledger.interest_collected() == 0
    world.pass_time(DAY, every=3_600)
    assert world.ledger.book(short).cash < -50 * USD


def test_two_legs__cash_follows_from_the_events(
    world: World,
) -> None:
    """Cash of all parties is what the events say, in their order."""
    trader, short = world.open("trader", 50_000), world.open("short", 90_000)
    world.trade(trader, short, WAD)
    world.trade(short, trader, 5 * WAD, market=ETH)
    rings = [world.open("ring", 100, sub=m, mode=ISOLATED) for m in (BTC, ETH)]
    world.tick(p0=19_900 * WAD, p1=2_010 * WAD)
    cash = [world.cash(a) for a in (trader, *rings)]
    with world.as_liquidator():
        world.ledger.close_at_mark(trader, 0, world.owner_of(rings[0]), [USD, 2 * USD])
    moved = events_of(world.ledger, "TakenOver")
    assert moved == events(world.ledger)
    assert [world.cash(a) for a in (trader, *rings)] == [
        cash[0] - 100 * USD - 50 * USD - 3 * USD,
        cash[1] + USD,
        cash[2] + 2 * USD,
    ]
