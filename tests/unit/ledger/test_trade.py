"""trade: positions of two accounts change by opposite amounts at one price; fees round up."""

from __future__ import annotations

import random

import boa
import pytest

from tests.support.world import (
    BTC,
    ETH,
    ISOLATED,
    USD,
    WAD,
    MarketState,
    PositionState,
    SideState,
    World,
    address_of,
    ceil_div,
    fees,
)

RAY = 10**27
PRICE = 20_000 * WAD


def side(total: int, epoch: int = 0) -> SideState:
    return SideState(total=total, epoch=epoch, is_cut=False, scale=RAY, credit=0)


@pytest.fixture
def pair(world: World) -> tuple[int, int]:
    return world.open("buyer", 100_000), world.open("seller", 100_000)


def test_trade__first__opens_both_sides_and_charges_both(
    world: World, pair: tuple[int, int]
) -> None:
    buyer, seller = pair
    size = WAD + 1
    maker_fee, taker_fee = fees(size, PRICE)
    fill = world.trade(buyer, seller, size)
    logs = world.gateway.get_logs()
    assert [(type(e).__name__, *e[1:]) for e in logs] == [
        ("Traded", buyer, seller, BTC, size, PRICE, maker_fee, taker_fee)
    ]
    assert tuple(fill) == (PRICE, maker_fee, taker_fee)
    assert maker_fee == ceil_div(ceil_div(size * PRICE, WAD) * 200, 10**6)
    cost = ceil_div(size * PRICE, WAD)
    assert world.position(buyer) == PositionState(size, cost, 0)
    assert world.position(seller) == PositionState(-size, -(size * PRICE // WAD), 0)
    assert world.account(buyer).markets == world.account(seller).markets == (BTC,)
    assert world.cash(buyer) == 100_000 * USD - maker_fee
    assert world.cash(seller) == 100_000 * USD - taker_fee
    net = -(cost - size * PRICE // WAD)
    expected = MarketState(side(size), side(size), net=net, fees=maker_fee + taker_fee)
    assert world.market() == expected


def test_trade__maker_sells__is_the_mirror(world: World, pair: tuple[int, int]) -> None:
    buyer, seller = pair
    fill = world.gateway.trade(seller, buyer, BTC, -WAD, PRICE, 0)
    assert tuple(fill) == (PRICE, *fees(WAD, PRICE))
    assert (world.size(buyer), world.size(seller)) == (WAD, -WAD)
    assert world.cash(seller) == 100_000 * USD - fees(WAD, PRICE)[0]


def test_trade__more_on_the_same_side__adds_cost(world: World, pair: tuple[int, int]) -> None:
    buyer, seller = pair
    world.trade(buyer, seller, WAD)
    world.trade(buyer, seller, 2 * WAD, price=20_100 * WAD)
    assert world.position(buyer) == PositionState(3 * WAD, 60_200 * USD, 0)
    assert world.position(seller) == PositionState(-3 * WAD, -60_200 * USD, 0)
    assert world.market().long == world.market().short == side(3 * WAD)


def test_trade__partial_close__realises_pro_rata(world: World, pair: tuple[int, int]) -> None:
    buyer, seller = pair
    world.trade(buyer, seller, 3 * WAD)
    cash = (world.cash(buyer), world.cash(seller))
    world.trade(seller, buyer, WAD, price=20_500 * WAD)
    maker_fee, taker_fee = fees(WAD, 20_500 * WAD)
    assert world.cash(buyer) == cash[0] + 500 * USD - taker_fee
    assert world.cash(seller) == cash[1] - 500 * USD - maker_fee
    assert world.position(buyer) == PositionState(2 * WAD, 40_000 * USD, 0)
    assert world.position(seller) == PositionState(-2 * WAD, -40_000 * USD, 0)


def test_trade__whole_close__leaves_no_trace(world: World, pair: tuple[int, int]) -> None:
    buyer, seller = pair
    world.trade(buyer, seller, 3 * WAD)
    world.trade(seller, buyer, 3 * WAD)
    for account in pair:
        assert world.ledger.position_word(account, BTC) == 0
        assert world.account(account).markets == ()
    assert world.ledger.side_word(BTC) == 0
    paid = 2 * sum(fees(3 * WAD, PRICE))
    assert world.market().fees == paid
    assert world.cash(buyer) + world.cash(seller) == 200_000 * USD - paid


def test_trade__flip__closes_at_the_price_and_opens_the_rest(
    world: World, pair: tuple[int, int]
) -> None:
    buyer, seller = pair
    world.trade(buyer, seller, 2 * WAD)
    cash = world.cash(buyer)
    world.trade(seller, buyer, 5 * WAD, price=20_100 * WAD)
    assert world.cash(buyer) == cash + 200 * USD - fees(5 * WAD, 20_100 * WAD)[1]
    assert world.position(buyer) == PositionState(-3 * WAD, -60_300 * USD, 0)
    assert world.position(seller) == PositionState(3 * WAD, 60_300 * USD, 0)
    assert world.market().long == world.market().short == side(3 * WAD)


def test_trade__third_party__nets_one_side_and_moves_the_other(
    world: World, pair: tuple[int, int]
) -> None:
    """A long sells to a new long: open interest stays."""
    buyer, seller = pair
    newcomer = world.open("newcomer", 10_000)
    world.trade(buyer, seller, 2 * WAD)
    world.trade(newcomer, buyer, WAD, price=20_200 * WAD)
    assert world.position(newcomer) == PositionState(WAD, 20_200 * USD, 0)
    assert world.position(buyer) == PositionState(WAD, 20_000 * USD, 0)
    assert world.position(seller) == PositionState(-2 * WAD, -40_000 * USD, 0)
    assert world.market().long == world.market().short == side(2 * WAD)


def test_trade__two_markets__keep_apart(world: World, pair: tuple[int, int]) -> None:
    buyer, seller = pair
    world.trade(buyer, seller, WAD, market=ETH)
    world.trade(seller, buyer, WAD, market=BTC)
    assert world.account(buyer).markets == world.account(seller).markets == (ETH, BTC)
    world.trade(seller, buyer, WAD, market=ETH)
    assert world.account(buyer).markets == (BTC,)


@pytest.mark.parametrize("size", [10**15, 10**15 + 1, 10**18 - 1, 123_456_789_012_345_678])
@pytest.mark.parametrize("price", [PRICE, PRICE + 1, 20_123_456_789_012_345_678_901])
def test_trade__odd_sizes_and_prices__fees_round_up_and_dust_is_the_protocols(
    world: World, pair: tuple[int, int], size: int, price: int
) -> None:
    buyer, seller = pair
    before = world.dust(pair)
    fill = world.trade(buyer, seller, size, price=price)
    assert tuple(fill) == (price, *fees(size, price))
    assert 0 <= world.dust(pair) - before <= RAY * WAD
    world.trade(seller, buyer, size, price=price)
    assert 0 <= world.dust(pair) - before <= 4 * RAY * WAD
    paid = 2 * sum(fees(size, price))
    gone = 200_000 * USD - world.cash(buyer) - world.cash(seller)
    assert paid <= gone <= paid + 4


def test_trade__random_history__conserves_every_wei(world: World) -> None:
    """Invariants 1 and 2: claims never exceed tokens, each trade costs a few wei of dust."""
    rng = random.Random(7)
    people = [world.open(f"trader {i}", 500_000) for i in range(4)]
    dust, done = world.dust(people), 0
    for step in range(30):
        buyer, seller = rng.sample(people, 2)
        price = PRICE + rng.randint(-(10**21), 10**21)
        size = rng.choice([10**15, rng.randint(10**15, 5 * WAD)])
        try:
            world.trade(buyer, seller, size, price=price)
        except boa.BoaError:
            continue
        done += 1
        now = world.dust(people)
        assert dust <= now <= dust + 6 * RAY * WAD, step
        dust = now
        market = world.market()
        scaled = [world.position(p).scaled for p in people]
        assert market.long.total == sum(s for s in scaled if s > 0)
        assert market.short.total == -sum(s for s in scaled if s < 0) == market.long.total
        zs = sum(world.position(p).z for p in people)
        realised = sum(world.cash(p) for p in people) - 2_000_000 * USD + market.fees
        assert market.net == realised - zs
    assert done >= 20


def test_trade__with_itself__reverts(world: World, pair: tuple[int, int]) -> None:
    with boa.reverts("self trade"):
        world.trade(pair[0], pair[0], WAD)


@pytest.mark.parametrize("size", [0, 2**110, -(2**110), 2**255 - 1, -(2**255) + 1])
def test_trade__of_nothing_or_beyond_the_range__reverts(
    world: World, pair: tuple[int, int], size: int
) -> None:
    with boa.reverts("size"):
        world.trade(*pair, size, price=PRICE)


def test_trade__of_the_least_integer__reverts_cleanly(world: World, pair: tuple[int, int]) -> None:
    with boa.reverts():
        world.trade(*pair, -(2**255), price=PRICE)


@pytest.mark.parametrize("role", ["stranger", "owner", "liquidator", "trader", "custody"])
def test_trade__by_anyone_but_a_gateway__reverts(
    world: World, pair: tuple[int, int], role: str
) -> None:
    callers = {
        "stranger": address_of("stranger"),
        "owner": world.owner,
        "liquidator": world.liquidator.address,
        "trader": world.owner_of(pair[0]),
        "custody": world.custody.address,
    }
    with boa.env.prank(callers[role]), boa.reverts("not a gateway"):
        world.ledger.trade(*pair, BTC, WAD, PRICE, 0)


def test_trade__unopened_account__reverts(world: World, pair: tuple[int, int]) -> None:
    with boa.reverts("not opened"):
        world.trade(pair[0] | 1, pair[1], WAD)
    with boa.reverts("not opened"):
        world.trade(pair[0], pair[1] | 1, WAD)


def test_trade__account_that_opted_in_to_another_gateway__reverts(world: World) -> None:
    inside, outside = world.open("inside", 1_000), world.open("outside", 1_000, gateways=0b10)
    for buyer, seller in ((inside, outside), (outside, inside)):
        with boa.reverts("not opted in"):
            world.trade(buyer, seller, WAD // 100)


def test_trade__second_gateway__trades_for_those_who_chose_it(world: World) -> None:
    other = address_of("venue")
    boa.env.set_code(other, bytes.fromhex("00"))
    with world.as_owner():
        world.ledger.set_gateway_at(7, other)
    a = world.open("a", 1_000, gateways=0b10000000)
    b = world.open("b", 1_000, gateways=0b10000001)
    with boa.env.prank(other):
        world.ledger.trade(a, b, BTC, WAD // 100, PRICE, 0)
    with boa.reverts("not opted in"):
        world.trade(a, b, WAD // 100)
    assert world.size(a) == WAD // 100


def test_trade__unlisted_market__reverts(world: World, pair: tuple[int, int]) -> None:
    for market in (2, 31):
        with boa.reverts("reduce only"):
            world.gateway.trade(*pair, market, WAD, 0, 0)
        with boa.reverts("limit"):
            world.gateway.trade(pair[1], pair[0], market, -WAD, 1, 0)


@pytest.mark.parametrize("market", [40, 63, 255, 2**255])
def test_trade__no_asset_at_all__reverts(world: World, pair: tuple[int, int], market: int) -> None:
    with boa.reverts():
        world.gateway.trade(*pair, market, WAD, PRICE, 0)


def test_trade__isolated_account__holds_one_market_only(world: World) -> None:
    bucket, other = world.open("bucket", 10_000, mode=ISOLATED), world.open("other", 100_000)
    world.trade(bucket, other, WAD)
    with boa.reverts("isolated"):
        world.trade(bucket, other, WAD, market=ETH)
    world.trade(bucket, other, WAD)
    world.trade(other, bucket, 2 * WAD)
    world.trade(bucket, other, WAD, market=ETH)
    assert world.account(bucket).markets == (ETH,)


def test_trade__cross_account__holds_sixteen_markets_not_seventeen(world: World) -> None:
    trader, other = world.open("trader", 10_000), [world.open(f"o{i}", 10_000) for i in (0, 1)]
    for market in range(2, 17):
        world.list_market(market, 100 * WAD)
    for market in range(16):
        world.trade(trader, other[0], WAD // 10, market=market)
    assert world.account(trader).markets == tuple(range(16))
    with boa.reverts("too many"):
        world.trade(trader, other[1], WAD // 10, market=16)
    with boa.reverts("too many"):
        world.trade(other[1], trader, WAD // 10, market=16)
    world.trade(trader, other[0], WAD // 10, market=7)
    world.trade(other[0], trader, WAD // 5, market=7)
    assert world.account(trader).markets == (*range(7), *range(8, 16))
    world.trade(trader, other[1], WAD // 10, market=16)
    assert world.account(trader).markets == (*range(7), *range(8, 17))


def test_trade__fee_beyond_cash__makes_a_debt_where_margin_allows(world: World) -> None:
    """Cash may be negative against collateral."""
    world.bank()
    index, token = world.list_token()
    trader = world.open("trader")
    world.deposit_collateral(trader, index, token, 10 * WAD)
    world.trade(trader, world.open("other", 10_000), WAD // 10)
    assert world.cash(trader) == -fees(WAD // 10, PRICE)[0]


def test_trade__funding__is_booked_at_price_less_f(world: World, pair: tuple[int, int]) -> None:
    buyer, seller = pair
    world.report(dict(world.prices), premium=8_000)
    world.report(dict(world.prices), wait=60)
    quote = world.engine.quote(BTC)
    assert quote.funding > 0
    world.trade(buyer, seller, WAD)
    assert world.position(buyer).z == PRICE - quote.funding
    assert world.position(seller).z == -(PRICE - quote.funding)
    assert world.health(buyer).equity == world.cash(buyer)


@pytest.mark.parametrize("premium", [8_000, -8_000])
def test_trade__funding__longs_pay_what_shorts_get(
    world: World, pair: tuple[int, int], premium: int
) -> None:
    buyer, seller = pair
    world.trade(buyer, seller, 3 * WAD)
    cash = [world.cash(a) for a in pair]
    for _ in range(5):
        world.report(dict(world.prices), wait=300, premium=premium)
    world.report(dict(world.prices), wait=60)
    funding = world.engine.quote(BTC).funding
    assert funding * premium > 0
    assert world.health(buyer).equity == cash[0] - 3 * funding
    assert world.health(seller).equity == cash[1] + 3 * funding
    world.trade(seller, buyer, 3 * WAD)
    maker_fee, taker_fee = fees(3 * WAD, PRICE)
    assert world.cash(buyer) == cash[0] - 3 * funding - taker_fee
    assert world.cash(seller) == cash[1] + 3 * funding - maker_fee
