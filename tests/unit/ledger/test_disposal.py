"""The liquidator's verbs: who may call them, what they move, what they leave behind."""

from __future__ import annotations

from collections.abc import Callable

import boa
import pytest

from oracle.engine import positions as twin
from oracle.engine.sides import Side
from tests.support.world import (
    BTC,
    ETH,
    ISOLATED,
    LIVE,
    SETTLEMENT,
    USD,
    WAD,
    WAD_PER_UNIT,
    ZERO,
    PositionState,
    World,
    address_of,
    events,
    requirement,
)

PRICE = 20_000 * WAD
RESERVE = 2 * 10**10
RAY = 10**27
IM = [(100_000, 20_000), (1_000_000, 40_000), (10_000_000, 100_000)]


@pytest.fixture
def pair(world: World) -> tuple[int, int]:
    """Long and short 3 BTC."""
    long, short = world.open("long", 50_000), world.open("short", 50_000)
    world.trade(long, short, 3 * WAD)
    return long, short


VERBS: dict[str, Callable[[World, int, int], None]] = {
    "take_over": lambda w, a, b: w.ledger.take_over(a, b, BTC, WAD, PRICE, 0),
    "pay_for_collateral": lambda w, a, b: w.ledger.pay_for_collateral(a, b, 1),
    "close_at_mark": lambda w, a, _: w.ledger.close_at_mark(a, 0, ZERO, []),
    "reward": lambda w, a, _: w.ledger.reward(a, w.owner, 1),
    "deleverage": lambda w, *_: w.ledger.deleverage(BTC, True, 0, 0, 0),
    "write_off": lambda w, a, _: w.ledger.write_off(a, 0, 0),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("role", ["stranger", "owner", "guardian", "gateway", "custody", "trader"])
def test_verb__by_anyone_but_the_liquidator__reverts(
    world: World, pair: tuple[int, int], verb: str, role: str
) -> None:
    callers = {
        "stranger": address_of("stranger"),
        "owner": world.owner,
        "guardian": world.guardian,
        "gateway": world.gateway.address,
        "custody": world.custody.address,
        "trader": world.owner_of(pair[0]),
    }
    with boa.env.prank(callers[role]), boa.reverts("not liquidator"):
        VERBS[verb](world, *pair)


# --- take_over ------------------------------------------------------------------------------------


def test_take_over__part_of_a_long__moves_at_the_price_with_the_fee(
    world: World, pair: tuple[int, int]
) -> None:
    long, short = pair
    taker = world.open("taker", 10_000)
    before = world.cash(long)
    fees = world.market().fees
    with world.as_liquidator():
        world.ledger.take_over(long, taker, BTC, WAD, 19_900 * WAD, 7 * USD)
    assert events(world.ledger) == [
        ("TakenOver", long, taker, BTC, WAD, 19_900 * WAD, 7 * USD, 0),
    ]
    assert world.position(long) == PositionState(2 * WAD, 40_000 * USD, 0)
    assert world.position(taker) == PositionState(WAD, 19_900 * USD, 0)
    assert world.position(short).scaled == -3 * WAD
    assert world.cash(long) == before - 107 * USD
    assert world.cash(taker) == 10_000 * USD
    assert world.market().fees == fees + 7 * USD
    assert world.market().long.total == world.market().short.total == 3 * WAD
    assert world.account(taker).markets == (BTC,)


def test_take_over__all_of_a_short__leaves_it_flat(world: World, pair: tuple[int, int]) -> None:
    _, short = pair
    taker = world.open("taker", 10_000)
    before = world.cash(short)
    with world.as_liquidator():
        world.ledger.take_over(short, taker, BTC, -3 * WAD, 20_100 * WAD, 0)
    assert world.position(taker) == PositionState(-3 * WAD, -60_300 * USD, 0)
    assert world.ledger.position_word(short, BTC) == 0
    assert world.account(short).markets == ()
    assert world.cash(short) == before - 300 * USD


@pytest.mark.parametrize("size", [3 * WAD + 1, -1, -WAD])
def test_take_over__more_than_there_is_or_the_wrong_way__reverts(
    world: World, pair: tuple[int, int], size: int
) -> None:
    taker = world.open("taker", 100_000)
    with world.as_liquidator(), boa.reverts("size"):
        world.ledger.take_over(pair[0], taker, BTC, size, PRICE, 0)


def test_take_over__nothing_to_take__reverts(world: World, pair: tuple[int, int]) -> None:
    taker = world.open("taker", 100_000)
    with world.as_liquidator():
        for size, reason in ((0, "size"), (2**110, "too large")):
            with boa.reverts(reason):
                world.ledger.take_over(pair[0], taker, BTC, size, PRICE, 0)
        with boa.reverts("size"):
            world.ledger.take_over(pair[0], taker, ETH, WAD, 2_000 * WAD, 0)
        with boa.reverts("self trade"):
            world.ledger.take_over(pair[0], pair[0], BTC, WAD, PRICE, 0)
        with boa.reverts("not opened"):
            world.ledger.take_over(pair[0], taker | 1, BTC, WAD, PRICE, 0)


@pytest.mark.parametrize("spare", [0, -1])
def test_take_over__taker__keeps_margin_at_the_live_severity(world: World, spare: int) -> None:
    """A stale keeper (IM at storm) and open-interest scaling do not bind a take-over."""
    long, short = world.open("long", 50_000), world.open("short", 50_000)
    taker = world.open("taker", 10_000)
    world.set_config(BTC, soft_cap=1_000, hard_cap=100_000)
    world.trade(long, short, 3 * WAD)
    world.pass_time(10_860, every=600)
    world.set_cash(taker, requirement(WAD, PRICE, IM) + 50 * USD + spare)
    with world.as_liquidator():
        if spare < 0:
            with boa.reverts("initial margin"):
                world.ledger.take_over(long, taker, BTC, WAD, PRICE + 50 * WAD, 0)
        else:
            world.ledger.take_over(long, taker, BTC, WAD, PRICE + 50 * WAD, 0)
            assert world.surplus(taker, LIVE) == 0 > world.surplus(taker, 0)


def test_take_over__gain_of_the_price__counts_for_the_taker(world: World) -> None:
    long, short = world.open("long", 50_000), world.open("short", 50_000)
    world.trade(long, short, WAD)
    taker = world.open("taker", 300)
    with world.as_liquidator():
        with boa.reverts("initial margin"):
            world.ledger.take_over(long, taker, BTC, WAD, PRICE, 0)
        world.ledger.take_over(long, taker, BTC, WAD, PRICE - 100 * WAD, 0)
    assert world.size(taker) == WAD


def test_take_over__isolated_taker__holds_one_market(world: World, pair: tuple[int, int]) -> None:
    taker = world.open("taker", 10_000, mode=ISOLATED)
    world.trade(taker, pair[0], WAD, market=ETH)
    with world.as_liquidator(), boa.reverts("isolated"):
        world.ledger.take_over(pair[0], taker, BTC, WAD, PRICE, 0)


def test_take_over__by_the_opposite_side__reduces_both(world: World, pair: tuple[int, int]) -> None:
    long, short = pair
    with world.as_liquidator():
        world.ledger.take_over(long, short, BTC, WAD, PRICE, 0)
    assert (world.size(long), world.size(short)) == (2 * WAD, -2 * WAD)
    assert world.market().long.total == world.market().short.total == 2 * WAD


@pytest.mark.parametrize("state", ["settling", "reduce only"])
def test_take_over__while_the_market_settles_or_only_reduces__is_admitted(
    world: World, pair: tuple[int, int], state: str
) -> None:
    taker = world.open("taker", 10_000)
    if state == "settling":
        world.tick(p0=20_250 * WAD)
    else:
        with world.as_guardian():
            world.engine.set_reduce_only(BTC, True)
    with world.as_liquidator():
        world.ledger.take_over(pair[0], taker, BTC, WAD, PRICE, 0)
    assert world.size(taker) == WAD


def test_take_over__less_than_the_minimum__is_admitted(world: World, pair: tuple[int, int]) -> None:
    """Where less than the minimum restores an account, the taker's piece is that small."""
    taker = world.open("taker", 10_000)
    with world.as_liquidator():
        world.ledger.take_over(pair[0], taker, BTC, 10**15 - 1, PRICE, 0)
    assert world.size(taker) == 10**15 - 1
    world.trade(taker, pair[1], 1)
    assert world.size(taker) == 10**15


def test_take_over__above_the_last_bound__reverts(world: World) -> None:
    long, short = world.open("long", 2_000_000), world.open("short", 2_000_000)
    taker = world.open("taker", 2_000_000)
    world.trade(long, short, 500 * WAD)
    world.tick(p0=20_100 * WAD)
    with world.as_liquidator():
        with boa.reverts("above last bound"):
            world.ledger.take_over(long, taker, BTC, 498 * WAD, 20_100 * WAD, 0)
        world.ledger.take_over(long, taker, BTC, 497 * WAD, 20_100 * WAD, 0)


# --- pay_for_collateral ---------------------------------------------------------------------------


def test_pay_for_collateral__moves_cash_of_the_buyer(world: World) -> None:
    buyer, seller = world.open("buyer", 10), world.open("seller")
    with world.as_liquidator():
        world.ledger.pay_for_collateral(buyer, seller, 10 * USD)
    assert events(world.ledger) == [("Transferred", buyer, seller, 10 * USD)]
    assert (world.cash(buyer), world.cash(seller)) == (0, 10 * USD)


def test_pay_for_collateral__more_than_the_buyer_has__reverts(world: World) -> None:
    buyer, seller = world.open("buyer", 10), world.open("seller")
    with world.as_liquidator(), boa.reverts("cash"):
        world.ledger.pay_for_collateral(buyer, seller, 10 * USD + 1)


def test_pay_for_collateral__isolated_buyer__reverts(world: World) -> None:
    buyer, seller = world.open("buyer", 10, mode=ISOLATED), world.open("seller")
    with world.as_liquidator(), boa.reverts("mode"):
        world.ledger.pay_for_collateral(buyer, seller, 1)


@pytest.mark.parametrize("spare", [0, -1])
def test_pay_for_collateral__buyer__keeps_live_margin(world: World, spare: int) -> None:
    buyer, seller = world.open("buyer", 10_000), world.open("seller", 10_000)
    world.trade(buyer, world.open("other", 10_000), WAD)
    payment = world.cash(buyer) - 400 * USD - spare
    with world.as_liquidator():
        if spare < 0:
            with boa.reverts("initial margin"):
                world.ledger.pay_for_collateral(buyer, seller, payment)
        else:
            world.ledger.pay_for_collateral(buyer, seller, payment)


def test_pay_for_collateral__to_itself_or_nobody__reverts(world: World) -> None:
    buyer = world.open("buyer", 10)
    with world.as_liquidator():
        with boa.reverts("same account"):
            world.ledger.pay_for_collateral(buyer, buyer, 1)
        with boa.reverts("not opened"):
            world.ledger.pay_for_collateral(buyer, buyer | 1, 1)


# --- reward --------------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", [1, 5 * USD])
def test_reward__leaves_the_accounts_and_waits_in_custody(world: World, amount: int) -> None:
    saver, keeper = world.open("saver", 10), address_of("keeper")
    empty = world.open("empty")
    before = world.custody.totals()
    with world.as_liquidator():
        world.ledger.reward(saver, keeper, amount)
        world.ledger.reward(empty, keeper, amount)
    assert (world.cash(saver), world.cash(empty)) == (10 * USD - amount, -amount)
    after = world.custody.totals()
    assert (after.tokens, after.waiting) == (before.tokens - 2 * amount, 2 * amount)
    assert world.custody.waiting(SETTLEMENT, keeper) == 2 * amount
    world.custody.release(SETTLEMENT, keeper)
    units = 2 * amount // WAD_PER_UNIT
    assert world.token.balanceOf(keeper) == units
    assert world.custody.waiting(SETTLEMENT, keeper) == 2 * amount - units * WAD_PER_UNIT


# --- close_at_mark and deleverage -----------------------------------------------------------------


def test_close_at_mark__all_legs__into_cash_and_a_list_of_what_they_were(world: World) -> None:
    trader, other = world.open("trader", 50_000), world.open("other", 90_000)
    world.trade(trader, other, 3 * WAD)
    world.trade(other, trader, 5 * WAD, market=ETH)
    world.tick(p0=19_900 * WAD, p1=2_010 * WAD)
    cash = world.cash(trader)
    with world.as_liquidator():
        left, closed = world.ledger.close_at_mark(trader, 0, ZERO, [])
    assert [tuple(leg) for leg in closed] == [
        (BTC, 3 * WAD, 300 * USD, 19_900 * WAD),
        (ETH, -5 * WAD, 50 * USD, 2_010 * WAD),
    ]
    assert events(world.ledger) == [
        ("ClosedAtMark", trader, BTC, 3 * WAD, -300 * USD),
        ("ClosedAtMark", trader, ETH, -5 * WAD, -50 * USD),
    ]
    assert left == world.cash(trader) == cash - 350 * USD
    assert world.account(trader).markets == ()
    assert world.market(BTC).long.total == 0
    assert world.market(BTC).short.total == 3 * WAD, "out of balance until deleverage"


def test_close_at_mark__a_winning_leg__has_no_loss(world: World, pair: tuple[int, int]) -> None:
    world.tick(p0=19_900 * WAD)
    with world.as_liquidator():
        _, closed = world.ledger.close_at_mark(pair[1], 0, ZERO, [])
    assert [tuple(leg) for leg in closed] == [(BTC, -3 * WAD, 0, 19_900 * WAD)]


def test_close_at_mark__legs_to_keep__stay(world: World) -> None:
    trader, other = world.open("trader", 50_000), world.open("other", 90_000)
    world.trade(trader, other, WAD)
    world.trade(trader, other, WAD, market=ETH)
    with world.as_liquidator():
        _, closed = world.ledger.close_at_mark(trader, 1 << BTC, ZERO, [])
    assert [leg.market for leg in closed] == [ETH]
    assert world.account(trader).markets == (BTC,)
    with world.as_liquidator():
        _, closed = world.ledger.close_at_mark(trader, 2**256 - 1, ZERO, [])
    assert closed == []


def test_close_at_mark__for_an_owner__his_accounts_take_the_legs_and_are_paid(
    world: World,
) -> None:
    trader, short = world.open("trader", 50_000), world.open("short", 90_000)
    world.trade(trader, short, 3 * WAD)
    world.trade(short, trader, 5 * WAD, market=ETH)
    rings = [world.open("ring", 0, sub=market, mode=ISOLATED) for market in (BTC, ETH)]
    world.tick(p0=19_900 * WAD, p1=2_010 * WAD)
    totals = [(world.market(m).long.total, world.market(m).short.total) for m in (BTC, ETH)]
    cash, owner = world.cash(trader), world.owner_of(rings[0])
    with world.as_liquidator():
        left, closed = world.ledger.close_at_mark(trader, 0, owner, [40 * USD + 1, 0])
    assert events(world.ledger) == [
        ("TakenOver", trader, rings[0], BTC, 3 * WAD, 19_900 * WAD, 0, 40 * USD + 1),
        ("TakenOver", trader, rings[1], ETH, -5 * WAD, 2_010 * WAD, 0, 0),
    ]
    assert [tuple(leg) for leg in closed] == [
        (BTC, 3 * WAD, 300 * USD, 19_900 * WAD),
        (ETH, -5 * WAD, 50 * USD, 2_010 * WAD),
    ]
    assert left == world.cash(trader) == cash - 350 * USD - 40 * USD - 1
    assert world.account(trader).markets == ()
    assert [world.cash(ring) for ring in rings] == [40 * USD + 1, 0]
    assert [world.size(r, m) for r, m in zip(rings, (BTC, ETH), strict=True)] == [
        3 * WAD,
        -5 * WAD,
    ]
    assert [world.health(ring).equity for ring in rings] == [40 * USD + 1, 0]
    now = [(world.market(m).long.total, world.market(m).short.total) for m in (BTC, ETH)]
    assert now == totals  # nobody is to be deleveraged


def test_close_at_mark__for_an_owner__nets_in_his_account(
    world: World, pair: tuple[int, int]
) -> None:
    long, short = pair
    world.tick(p0=19_900 * WAD)
    cash = world.cash(short)
    with world.as_liquidator():
        # The trader is the account that holds the other side of all of it.
        world.ledger.close_at_mark(long, 0, world.owner_of(short), [7 * USD])
    assert world.size(short) == world.size(long) == 0
    assert world.cash(short) == cash + 300 * USD + 7 * USD
    assert world.market().long.total == world.market().short.total == 0


def test_close_at_mark__for_an_owner__who_cannot_take(world: World, pair: tuple[int, int]) -> None:
    long = pair[0]
    stranger = address_of("stranger")
    with world.as_liquidator():
        with boa.reverts("not opened"):
            world.ledger.close_at_mark(long, 0, stranger, [0])
        with boa.reverts("self trade"):
            world.ledger.close_at_mark(long, 0, world.owner_of(long), [0])
        with boa.reverts():  # a payment for each leg
            world.ledger.close_at_mark(long, 0, world.owner_of(pair[1]), [])


def test_close_at_mark__flat_or_unopened(world: World) -> None:
    saver = world.open("saver", 10)
    with world.as_liquidator():
        assert world.ledger.close_at_mark(saver, 0, ZERO, []) == (10 * USD, [])
        with boa.reverts("not opened"):
            world.ledger.close_at_mark(saver | 1, 0, ZERO, [])


def market_twin(world: World, market: int = BTC) -> twin.Market:
    m = world.market(market)
    return twin.Market(
        long=Side(m.long.scale, m.long.credit, m.long.total, m.long.epoch, m.long.is_cut),
        short=Side(m.short.scale, m.short.credit, m.short.total, m.short.epoch, m.short.is_cut),
        net=m.net,
        fees=m.fees,
    )


@pytest.mark.parametrize("charge", [0, 1, 100 * USD])
@pytest.mark.parametrize("is_long", [True, False])
def test_deleverage__cuts_every_opposite_position_by_the_same_fraction(
    world: World, is_long: bool, charge: int
) -> None:
    """One write; the same as the twin to the wei, and nobody gains by it."""
    loser, friend = world.open("loser", 50_000), world.open("friend", 50_000)
    others = [world.open(f"opposite {i}", 50_000) for i in range(3)]
    sign = 1 if is_long else -1
    deals = [(loser, 0, WAD), (loser, 1, 2 * WAD), (friend, 2, 10**16 + 7)]
    for account, i, size in deals:
        world.gateway.trade(account, others[i], BTC, sign * size, PRICE, 0)
    people = [loser, friend, *others]
    dust = world.dust(people)
    values = [world.health(other).equity for other in others]
    held = [size for _, _, size in deals]
    with world.as_liquidator():
        _, closed = world.ledger.close_at_mark(loser, 0, ZERO, [])
        expected, finals = twin.cut(market_twin(world), 3 * WAD, charge, PRICE, is_long=not is_long)
        world.ledger.deleverage(BTC, not is_long, 3 * WAD, charge, world.index())
        emitted = events(world.ledger)
    side = world.market().short if is_long else world.market().long
    assert emitted == [("Deleveraged", BTC, not is_long, 3 * WAD, charge, side.scale, side.credit)]
    assert (closed[0].size, closed[0].loss) == (sign * 3 * WAD, 0)
    assert (market_twin(world), finals) == (expected, {})
    left = sum(held) - 3 * WAD
    for other, before, value in zip(others, held, values, strict=True):
        assert abs(world.size(other)) - before * left // sum(held) in (-1, 0, 1)
        lost = value - world.health(other).equity
        assert 0 <= lost - charge * before // sum(held) <= 4 * RESERVE
    # the charge pays for cash that is forgiven; until then it is the market's
    assert world.dust(people) >= dust + charge * RAY * WAD


def test_deleverage__side_left_with_a_thousand_wei__goes_on_with_less_it_settles(
    world: World,
) -> None:
    loser, rest = world.open("loser", 50_000), world.open("rest", 50_000)
    short = world.open("short", 90_000)
    world.trade(loser, short, 3 * WAD)
    world.trade(rest, short, 10**15)
    with world.as_liquidator():
        world.ledger.close_at_mark(loser, 0, ZERO, [])
        with boa.env.anchor():
            world.ledger.deleverage(BTC, False, 3 * WAD, 0, world.index())
            assert world.market().short.epoch == 0
        # as if more had been closed: the shorts keep 1,000 and 999 wei
        with boa.env.anchor():
            world.ledger.deleverage(BTC, False, 3 * WAD + 10**15 - 10**10, 0, world.index())
            assert world.market().short.epoch == 0
        world.ledger.deleverage(BTC, False, 3 * WAD + 10**15 - 999, 0, world.index())
    market = world.market()
    assert (market.long.epoch, market.short.epoch) == (1, 1)
    assert (market.long.total, market.short.total) == (0, 0)
    assert not market.long.is_cut
    assert not market.short.is_cut


def test_deleverage__scale_below_its_least__settles_the_market(world: World) -> None:
    """A < 1e18 after a cut to less than 1e-9 of the side."""
    loser, short = world.open("loser", 400_000), world.open("short", 400_000)
    rest = world.open("rest", 10_000)
    world.trade(loser, short, 100 * WAD)
    world.trade(rest, short, 10**15)
    keep = 100 * WAD // 10**9 + 10**6
    with world.as_liquidator():
        world.ledger.close_at_mark(loser, 0, ZERO, [])
        with boa.env.anchor():
            world.ledger.deleverage(BTC, False, 100 * WAD + 10**15 - keep, 0, world.index())
            assert world.market().short.epoch == 0
            assert world.market().short.scale >= 10**18
        world.ledger.deleverage(
            BTC, False, 100 * WAD + 10**15 - keep + 2 * 10**6 + 1_000_000, 0, world.index()
        )
    assert world.market().short.epoch == 1


def test_deleverage__everyone__ends_both_epochs_at_the_mark(
    world: World, pair: tuple[int, int]
) -> None:
    long, short = pair
    world.tick(p0=19_900 * WAD)
    value = world.health(short).equity
    with world.as_liquidator():
        world.ledger.close_at_mark(long, 0, ZERO, [])
        world.ledger.deleverage(BTC, False, 3 * WAD, 60 * USD, world.index())
    names = [event[0] for event in events(world.ledger)]
    assert names == ["Deleveraged", "MarketSettled"]
    assert world.health(short).requirement == 0
    assert value - 60 * USD - world.health(short).equity in range(4 * RESERVE)
    world.ledger.collect(short, BTC)
    assert world.cash(short) == world.health(short).equity
    assert world.account(short).markets == ()


def test_deleverage__empty_opposite_side__settles_and_charges_nobody(world: World) -> None:
    with world.as_liquidator():
        world.ledger.deleverage(BTC, False, WAD, 0, world.index())
    assert world.market().long.epoch == 1
    assert world.market().net == 0


# --- write_off ------------------------------------------------------------------------------------


def test_write_off__all_of_a_debt__is_forgiven_and_d_h_grows(world: World) -> None:
    debtor = world.make_debtor("debtor", 100 * USD)
    with world.as_liquidator():
        world.ledger.write_off(debtor, 100 * USD, 30 * USD)
    assert events(world.ledger) == [
        ("Socialised", 30 * USD, 30 * USD),
        ("WrittenOff", debtor, 100 * USD, 30 * USD),
    ]
    assert world.cash(debtor) == 0
    assert world.custody.totals().deficit == 30 * USD


def test_write_off__part_of_a_debt__leaves_the_rest(world: World) -> None:
    debtor = world.make_debtor("debtor", 100 * USD)
    with world.as_liquidator():
        world.ledger.write_off(debtor, 40 * USD, 0)
        assert world.cash(debtor) == -60 * USD
        with boa.reverts("cash"):
            world.ledger.write_off(debtor, 60 * USD + 1, 0)
        world.ledger.write_off(debtor, 60 * USD, 0)
    assert world.cash(debtor) == 0


def test_write_off__after_the_close__forgives_the_interest_booked_by_it(world: World) -> None:
    debtor = world.make_debtor("debtor", 100 * USD)
    with world.as_owner():
        world.ledger.set_interest_rate(10**27 // (365 * 86_400))
    world.pass_time(600)
    owed = -world.ledger.book(debtor).cash
    assert owed > 100 * USD
    with world.as_liquidator():
        assert world.ledger.close_at_mark(debtor, 0, ZERO, [])[0] == -owed
        world.ledger.write_off(debtor, owed, 0)
    assert world.cash(debtor) == 0
    assert world.ledger.interest_collected() == owed - 100 * USD


def test_write_off__of_cash_that_is_not_negative__reverts(
    world: World, pair: tuple[int, int]
) -> None:
    saver = world.open("saver")
    world.set_cash(saver, 1)
    with world.as_liquidator():
        for account in (*pair, saver):
            with boa.reverts("cash"):
                world.ledger.write_off(account, 0, 0)
