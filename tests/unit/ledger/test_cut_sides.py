"""Trading on sides that a deleveraging cut, and with positions of ended epochs (FORMULAS 1)."""

from __future__ import annotations

import random

import boa
import pytest

from oracle.engine import sides as twin
from oracle.engine.sides import GAP_RESERVE, Position, Side
from tests.support.world import (
    BTC,
    UNIT,
    USD,
    WAD,
    WAD_PER_UNIT,
    ZERO,
    PositionState,
    SideState,
    World,
    events,
    fees,
)

PRICE = 20_000 * WAD
RAY = 10**27


def as_twin(side: SideState) -> Side:
    return Side(side.scale, side.credit, side.total, side.epoch, side.is_cut)


def deleverage(world: World, account: int, charge: int = 0) -> None:
    """As resolve does, for an account with one leg."""
    with world.as_liquidator():
        _, closed = world.ledger.close_at_mark(account, 0, ZERO, [])
        for leg in closed:
            world.ledger.deleverage(leg.market, leg.size < 0, abs(leg.size), charge, leg.g)


@pytest.fixture(params=["shorts", "longs", "both"])
def cut(world: World, request: pytest.FixtureRequest) -> dict[str, int]:
    """Two thirds of one or both sides are gone; what is left: long and short about 1 BTC."""
    names = ("loser", "long", "short", "other")
    people = {name: world.open(name, 90_000) for name in names}
    world.trade(people["long"], people["short"], WAD + 12_345)
    if request.param in ("shorts", "both"):
        world.trade(people["loser"], people["short"], 2 * WAD)
        deleverage(world, people["loser"], 3 * USD + 1)
    if request.param in ("longs", "both"):
        world.trade(people["long"], people["loser"], 2 * WAD + 7)
        deleverage(world, people["loser"], 2 * USD + 1)
    market = world.market()
    assert market.short.is_cut == (request.param != "longs")
    assert market.long.is_cut == (request.param != "shorts")
    people["counterparty"] = world.open("counterparty", 90_000)
    world.trade(people["other"], people["counterparty"], 10**16)
    return people


def test_close__whole_effective_size__takes_all_of_the_position(
    world: World, cut: dict[str, int]
) -> None:
    for name, sign in (("long", 1), ("short", -1)):
        account = cut[name]
        size = abs(world.size(account))
        position = world.position(account)
        market = world.market()
        side = as_twin(market.long if sign > 0 else market.short)
        _, left, realised = twin.close_leg(
            side, Position(position.scaled, position.z, position.epoch), size, PRICE
        )
        cash = world.cash(account)
        if sign > 0:
            world.trade(cut["other"], account, size)
        else:
            world.trade(account, cut["other"], size)
        fee = fees(size, PRICE)[1 if sign > 0 else 0]
        assert left.scaled == 0
        assert world.position(account) == PositionState(0, 0, 0)
        assert world.cash(account) == cash + realised - fee


def test_close__part__is_the_twin_and_never_gains(world: World, cut: dict[str, int]) -> None:
    for name, sign in (("long", 1), ("short", -1)):
        account, size = cut[name], 3 * 10**17 + 1
        position, market = world.position(account), world.market()
        side = as_twin(market.long if sign > 0 else market.short)
        after, left, realised = twin.close_leg(
            side, Position(position.scaled, position.z, position.epoch), size, PRICE
        )
        cash, equity = world.cash(account), world.health(account).equity
        world.gateway.trade(account, cut["other"], BTC, -sign * size, PRICE, 0)
        fee = fees(size, PRICE)[0]
        assert world.position(account) == PositionState(left.scaled, left.z, left.epoch)
        assert world.cash(account) == cash + realised - fee
        lost = equity - fee - world.health(account).equity
        assert 0 <= lost <= 2 * GAP_RESERVE + 20_001
        now = world.market().long if sign > 0 else world.market().short
        assert now.scale == after.scale
        assert now.credit == after.credit


def test_open__more__is_the_twin_and_never_gains(world: World, cut: dict[str, int]) -> None:
    for name, sign in (("long", 1), ("short", -1)):
        account, size = cut[name], 10**17 + 1
        position, market = world.position(account), world.market()
        side = as_twin(market.long if sign > 0 else market.short)
        _, opened = twin.open_leg(
            side,
            Position(position.scaled, position.z, position.epoch),
            size,
            PRICE,
            is_long=sign > 0,
        )
        equity, before = world.health(account).equity, world.size(account)
        world.gateway.trade(account, cut["other"], BTC, sign * size, PRICE, 0)
        assert world.position(account) == PositionState(opened.scaled, opened.z, opened.epoch)
        grown = abs(world.size(account)) - abs(before)
        assert grown - size in ((-1, 0) if sign > 0 else (0, 1))
        lost = equity - fees(size, PRICE)[0] - world.health(account).equity
        assert 0 <= lost <= 2 * GAP_RESERVE + 20_001


def test_flip__through_a_cut_side__closes_all_and_opens_the_rest(
    world: World, cut: dict[str, int]
) -> None:
    for name, sign in (("long", 1), ("short", -1)):
        account = cut[name]
        size = abs(world.size(account))
        world.gateway.trade(account, cut["other"], BTC, -sign * (size + WAD), PRICE, 0)
        assert abs(-world.size(account) * sign - WAD) <= 1


def test_close__to_dust__is_allowed_here(world: World, cut: dict[str, int]) -> None:
    """Up to 999 wei, what rounding may leave; that may only be closed."""
    long, other = cut["long"], cut["other"]
    size = world.size(long)
    with boa.reverts("below minimum"):
        world.trade(other, long, size - 1_010)
    world.trade(other, long, size - 900)
    assert 880 < world.size(long) <= 900
    with boa.reverts("below minimum"):
        world.trade(long, other, 10)
    world.trade(other, long, world.size(long))
    assert world.account(long).markets == ()


def test_cut_side__history__claims_never_exceed_tokens(world: World, cut: dict[str, int]) -> None:
    """Invariants 1 and 3 while trading on: dust only grows, the gap stays a few wei."""
    rng = random.Random(3)
    people = list(cut.values())
    everyone = [*people, world.bank()]
    lost, done = world.dust(everyone), 0
    for _ in range(15):
        a, b = rng.sample(people, 2)
        size = rng.choice([10**15, rng.randint(10**15, 2 * WAD), abs(world.size(a)) or 10**15])
        try:
            world.trade(a, b, size, price=PRICE + rng.randint(-(10**20), 10**20))
        except boa.BoaError:
            continue
        done += 1
        now = world.dust(everyone)
        assert now >= lost
        lost = now
        market = world.market()
        longs = market.long.total * market.long.scale
        shorts = market.short.total * market.short.scale
        assert 0 <= shorts - longs <= 60 * RAY
    assert done >= 8


# --- ended epochs ---------------------------------------------------------------------------------


@pytest.fixture
def ended(world: World) -> dict[str, int]:
    """A market settled by the loss of its only long; the short has not collected."""
    people = {name: world.open(name, 50_000) for name in ("long", "short", "other")}
    world.trade(people["long"], people["short"], WAD)
    world.tick(p0=19_900 * WAD)
    deleverage(world, people["long"])
    assert world.market().short.epoch == 1
    assert world.position(people["short"]).epoch == 0
    return people


def test_ended__position__counts_as_cash_without_margin(
    world: World, ended: dict[str, int]
) -> None:
    book = world.ledger.book(ended["short"])
    assert book.legs == []
    gain = book.cash - world.cash(ended["short"])
    assert 0 <= 100 * USD - gain <= 3 * GAP_RESERVE
    assert world.health(ended["short"]).requirement == 0


def test_ended__collect__by_anyone_pays_it_into_cash(world: World, ended: dict[str, int]) -> None:
    short = ended["short"]
    book, cash = world.ledger.book(short).cash, world.cash(short)
    world.ledger.collect(short, BTC)
    assert events(world.ledger) == [("ClosedAtMark", short, BTC, 0, book - cash)]
    assert world.cash(short) == book
    assert world.account(short).markets == ()
    assert world.position(short) == PositionState(0, 0, 0)
    world.ledger.collect(short, BTC)
    assert world.cash(short) == book, "once"
    world.withdraw(short, book // WAD_PER_UNIT)


def test_ended__next_trade_in_the_market__pays_it_out_first(
    world: World, ended: dict[str, int]
) -> None:
    short, other = ended["short"], ended["other"]
    book = world.ledger.book(short).cash
    world.calm()
    world.trade(short, other, WAD)
    assert world.position(short) == PositionState(WAD, 19_900 * USD, 1)
    assert world.cash(short) == book - fees(WAD, 19_900 * WAD)[0]
    assert world.market().long.total == world.market().short.total == WAD


def test_ended__trade_of_the_old_sign__is_an_open_not_a_close(
    world: World, ended: dict[str, int]
) -> None:
    short, other = ended["short"], ended["other"]
    world.calm()
    with boa.reverts("reduce only"):
        world.trade(short, other, WAD, reduce=1)
    world.trade(other, short, WAD)
    assert world.position(short).scaled == -WAD


def test_ended__close_at_mark__pays_it_and_lists_no_leg(
    world: World, ended: dict[str, int]
) -> None:
    short = ended["short"]
    book = world.ledger.book(short).cash
    with world.as_liquidator():
        assert world.ledger.close_at_mark(short, 0, ZERO, []) == (book, [])


def test_ended__many_epochs__each_value_stays_to_be_had(world: World) -> None:
    people = [world.open(f"short {i}", 50_000) for i in range(3)]
    for i, short in enumerate(people):
        long = world.open(f"long {i}", 50_000)
        world.trade(long, short, WAD)
        deleverage(world, long)
        assert world.market().long.epoch == i + 1
        assert world.position(short).epoch == i
    for short in reversed(people):
        book = world.ledger.book(short).cash
        world.ledger.collect(short, BTC)
        assert world.cash(short) == book
        assert 0 <= 50_000 * USD - 10 * USD - book <= 3 * GAP_RESERVE


# --- collect --------------------------------------------------------------------------------------


def test_collect__a_position_of_the_running_epoch__reverts(world: World) -> None:
    long, short = world.open("long", 50_000), world.open("short", 50_000)
    world.trade(long, short, WAD)
    for account in (long, short):
        with boa.reverts("size"):
            world.ledger.collect(account, BTC)


def test_collect__unopened__reverts(world: World) -> None:
    with boa.reverts("not opened"):
        world.ledger.collect(1, BTC)


def test_collect__nothing__changes_nothing(world: World) -> None:
    saver = world.open("saver", 10)
    word = world.ledger.account_word(saver)
    for market in (0, 1, 31):
        world.ledger.collect(saver, market)
    assert world.ledger.account_word(saver) == word
    assert world.ledger.side_word(0) == 0
    world.withdraw(saver, 10 * UNIT)


# --- settle_market --------------------------------------------------------------------------------


def reduce_only(world: World) -> None:
    with world.as_guardian():
        world.engine.set_reduce_only(BTC, True)


def test_settle_market__reduce_only__ends_both_epochs_at_the_mark(world: World) -> None:
    long, short = world.open("long", 50_000), world.open("short", 50_000)
    world.trade(long, short, 3 * WAD)
    world.tick(p0=20_100 * WAD)
    reduce_only(world)
    values = [world.health(a).equity for a in (long, short)]
    with world.as_owner():
        world.ledger.settle_market(BTC)
    assert events(world.ledger) == [("MarketSettled", BTC, 20_100 * WAD, 0)]
    assert world.ledger.final_credit(2 * BTC, 0) == 20_100 * RAY
    assert world.ledger.final_credit(2 * BTC + 1, 0) == -20_100 * RAY
    for account, value in zip((long, short), values, strict=True):
        world.ledger.collect(account, BTC)
        assert world.cash(account) == value
    market = world.market()
    assert (market.long.total, market.long.epoch, market.short.epoch) == (0, 1, 1)


def test_settle_market__unless_exactly_reduce_only__reverts(world: World) -> None:
    with world.as_owner():
        with boa.reverts("not reduce-only"):
            world.ledger.settle_market(BTC)
        reduce_only(world)
        world.system.wait(130)
        with boa.reverts("not reduce-only"):
            world.ledger.settle_market(BTC)
        world.refresh()
        world.ledger.settle_market(BTC)


def test_settle_market__by_anyone_but_the_owner__reverts(world: World) -> None:
    reduce_only(world)
    for caller in (world.guardian, world.liquidator.address, world.gateway.address):
        with boa.env.prank(caller), boa.reverts("not owner"):
            world.ledger.settle_market(BTC)


def test_settle_market__funding_included(world: World) -> None:
    long, short = world.open("long", 50_000), world.open("short", 50_000)
    world.trade(long, short, 3 * WAD)
    for _ in range(3):
        world.report(dict(world.prices), wait=300, premium=8_000)
    reduce_only(world)
    world.report(dict(world.prices), wait=60)
    funding = world.engine.quote(BTC).funding
    assert funding > 0
    cash = world.cash(long)
    with world.as_owner():
        world.ledger.settle_market(BTC)
    world.ledger.collect(long, BTC)
    assert world.cash(long) == cash - 3 * funding
