"""The caller's reward: its bounds to the wei, who pays it, and that farming it loses."""

from __future__ import annotations

import boa
import pytest

from tests.support.cash import move_cash
from tests.support.world import (
    BACKSTOP,
    BTC,
    LIQUIDATION,
    PPM,
    SETTLEMENT,
    USD,
    WAD,
    World,
    address_of,
    events_of,
)
from tests.unit.fund.till import Till

CALLER = "caller"


def with_reward(world: World, most: int) -> None:
    with world.as_owner():
        world.liquidator.set_parameters((*LIQUIDATION[:6], most))


def expected(world: World, entry: int, mark: int, most: int) -> int:
    """min(f_ins, maker + taker) of a minimum position at entry or mark, an eighth of it."""
    minimum = 10**15
    rate = min(10_000 * LIQUIDATION[4] // PPM, 700)
    notional = min(entry * minimum // WAD, mark * minimum // WAD)
    return min(most, notional * rate // PPM // 8)


def fallen(world: World, usd: int, share: int) -> int:
    """A long of 1 BTC bought at 20,000 whose mark fell to a share [ppm] of it."""
    account, other = world.open("long", usd), world.open("short", 100_000)
    world.trade(account, other, WAD)
    price = 20_000 * WAD * share // PPM
    world.tick(p0=price)
    while world.mark(BTC) != price:
        world.tick()
    return account


def resolve(world: World, account: int, name: str = CALLER) -> tuple[int, ...]:
    with boa.env.prank(address_of(name)):
        world.liquidator.resolve(account)
    (event,) = events_of(world.liquidator, "AccountResolved")
    return tuple(event[3:])


@pytest.mark.parametrize("over", [-2, -1, 0, 1, 2])
def test_reward__is_the_least_of_its_bounds(world: World, over: int) -> None:
    account = fallen(world, 700, 970_000)
    natural = expected(world, 20_000 * WAD, 19_400 * WAD, 10**19)
    with_reward(world, natural + over)
    assert world.liquidator.reward_of(account) == natural + min(0, over)
    equity = world.health(account).equity
    cash, reward, deficit, *_ = resolve(world, account)
    assert reward == natural + min(0, over)
    assert (cash, deficit) == (equity - reward, 0)
    assert world.custody.waiting(SETTLEMENT, address_of(CALLER)) == reward
    assert world.cash(account) == equity - reward


@pytest.mark.parametrize("share", [1_030_000, 1_300_000])
def test_reward__of_a_short__is_counted_at_its_entry(world: World, share: int) -> None:
    """What opening paid in fees bounds it, however far the mark has risen since."""
    with_reward(world, 10**19)
    other, account = world.open("long", 100_000), world.open("short", 700)
    world.trade(other, account, WAD)
    price = 20_000 * WAD * share // PPM
    world.tick(p0=price)
    while world.mark(BTC) != price:
        world.tick()
    natural = expected(world, 20_000 * WAD, 20_000 * WAD, 10**19)
    assert world.liquidator.reward_of(account) == natural
    assert resolve(world, account)[1] == natural


@pytest.mark.parametrize("equity", [-1, 0, 1])
def test_reward__of_an_account_with_nothing__is_added_to_d(world: World, equity: int) -> None:
    with_reward(world, USD)
    account = fallen(world, 700, 970_000)
    move_cash(world.ledger, account, world.bank(), world.health(account).equity - equity)
    reward = world.liquidator.reward_of(account)
    assert reward > 1
    cash, paid, deficit, insured, charged, socialised = resolve(world, account)
    assert (cash, paid) == (equity - reward, reward)
    assert deficit == reward - equity == insured + charged + socialised
    assert world.custody.waiting(SETTLEMENT, address_of(CALLER)) == reward


@pytest.mark.parametrize("debt", [1, 2, USD - 1, USD, USD + 1, 50 * USD])
def test_reward__of_a_flat_debtor__is_at_most_what_is_missing(world: World, debt: int) -> None:
    with_reward(world, USD)
    debtor = world.open("debtor")
    move_cash(world.ledger, debtor, world.bank(), debt)
    cash, reward, deficit, *_ = resolve(world, debtor)
    assert reward == min(debt, USD)
    assert (cash, deficit) == (-debt - reward, debt + reward)
    with boa.reverts("healthy"):
        world.liquidator.resolve(debtor)


def test_reward__is_released_to_its_caller_in_whole_units(world: World) -> None:
    with_reward(world, 10**19)
    account = fallen(world, 700, 970_000)
    _, reward, *_ = resolve(world, account)
    totals = world.custody.totals()
    assert totals.waiting == reward
    held = world.token.balanceOf(world.custody.address) * 10**12
    parts = totals.tokens + totals.insurance + totals.restored + totals.waiting
    assert parts == held
    world.custody.release(SETTLEMENT, address_of(CALLER))
    assert world.token.balanceOf(address_of(CALLER)) == reward // 10**12
    assert world.custody.waiting(SETTLEMENT, address_of(CALLER)) == reward % 10**12


@pytest.mark.parametrize("who", ["owner", "manager", "staker"])
def test_reward__caller_with_an_interest__gains_no_more_than_a_stranger(
    world: World, who: str
) -> None:
    """The owner pays himself; the vault's manager and a staker get what anyone would."""
    with_reward(world, 10**19)
    till = Till(world)
    till.give(BTC, 1_000)
    account = fallen(world, 700, 970_000)
    name = {"owner": "long", "manager": "manager", "staker": "staker"}[who]
    outcomes = []
    for caller in (name, "stranger"):
        with boa.env.anchor():
            outcomes.append(resolve(world, account, caller))
            assert world.custody.waiting(SETTLEMENT, address_of(caller)) == outcomes[-1][1]
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("insured", [False, True])
def test_farming__a_minimum_position_against_oneself__loses(world: World, insured: bool) -> None:
    """The best attack known: both sides one's own, the smallest position and margin, each side
    resolved in turn, every reward collected, all cash counted. The fees exceed all rewards."""
    with_reward(world, 10**19)
    till = Till(world)
    if insured:
        till.give(BTC, 1_000)
    minimum = 10**15
    mine = [world.open("farm a", 1), world.open("farm b", 1)]
    spent = 2 * USD
    world.trade(mine[0], mine[1], minimum)
    rewards = 0
    for price in (18_000, 22_500):
        world.tick(p0=price * WAD)
        while world.mark(BTC) != price * WAD:
            world.tick()
        for account in mine:
            if world.liquidator.state(account) >= BACKSTOP:
                _, reward, *_ = resolve(world, account, "farmer")
                rewards += reward
    assert rewards > 0
    for account in mine:
        world.ledger.collect(account, BTC) if world.position(account).scaled else None
    left = sum(world.cash(account) for account in mine)
    # What bucket and others paid for the hole is not the reward's doing: it moved between the two.
    paid_by_others = 1_000 * USD * insured - world.custody.insurance() * insured
    socialised = world.custody.totals().deficit
    assert left + rewards - paid_by_others - socialised < spent
    fees = world.market(BTC).fees
    assert rewards < fees


def test_farming__fees_of_one_opening__exceed_four_rewards(world: World) -> None:
    """A position is opened once; its two accounts may be resolved up to twice each."""
    with_reward(world, 10**19)
    for size, share in ((10**15, 970_000), (WAD, 1_030_000)):
        with boa.env.anchor():
            long, short = world.open("l", 2_000), world.open("s", 2_000)
            world.trade(long, short, size)
            fees = world.market(BTC).fees
            world.tick(p0=20_000 * WAD * share // PPM)
            while world.mark(BTC) == 20_000 * WAD:
                world.tick()
            rewards = [world.liquidator.reward_of(a) for a in (long, short)]
            assert 4 * max(rewards) <= fees


def test_farming__after_the_minimum_was_raised__a_reward_is_of_the_position_itself(
    world: World,
) -> None:
    """A position opened under a smaller minimum paid less in fees: it is worth no more."""
    with_reward(world, 10**19)
    long, short = world.open("l", 1), world.open("s", 1)
    world.trade(long, short, 10**15)
    fees = world.market(BTC).fees
    world.set_config(BTC, min_size=WAD)
    assert 4 * world.liquidator.reward_of(long) <= fees


@pytest.mark.parametrize(("most", "allowed"), [(10**19, True), (10**19 + 1, False)])
def test_set_parameters__reward__bounds(world: World, most: int, allowed: bool) -> None:
    if allowed:
        with_reward(world, most)
        assert world.liquidator.parameters().reward == most
    else:
        with boa.reverts("out of range"):
            with_reward(world, most)


def test_reward__blacklisted_caller__does_not_block(world: World) -> None:
    """It waits: nothing is pushed."""
    with_reward(world, 10**19)
    account = fallen(world, 700, 970_000)
    _, reward, *_ = resolve(world, account)
    assert world.token.balanceOf(address_of(CALLER)) == 0
    assert world.custody.waiting(SETTLEMENT, address_of(CALLER)) == reward
