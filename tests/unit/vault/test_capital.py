"""The vault's capital: rings filled and drained, exits that draw on them, and when nobody moves."""

from __future__ import annotations

import boa
import pytest

from tests.support.compiled import load
from tests.support.world import (
    BACKSTOP,
    BTC,
    DELAYS,
    ETH,
    SETTLEMENT,
    UNIT,
    USD,
    WAD,
    World,
    address_of,
)
from tests.unit.fund.till import Till


def ring_with(world: World, size: int, usd: int = 10_000, market: int = BTC) -> int:
    """A ring with a position, handed over at the mark."""
    ring = Till(world).ring(market, usd)
    giver, other = world.open("seller", 10**7), world.open("other", 10**7)
    world.trade(giver, other, size, market)
    with world.as_liquidator():
        world.ledger.take_over(giver, ring, market, size, world.mark(market), 0)
    return ring


@pytest.mark.parametrize("free", [0, 1, 9_999 * UNIT, 10_000 * UNIT, 10_001 * UNIT])
def test_fill_ring__what_is_free_up_to_the_target(world: World, free: int) -> None:
    owner = address_of("giver")
    if free:
        world.token.mint(owner, free)
        with boa.env.prank(owner):
            world.token.approve(world.vault.address, free)
            world.vault.give(free)
    with world.as_owner():
        world.vault.open_ring(BTC, 10_000 * USD)
    moved = min(free, 10_000 * UNIT)
    if moved == 0:
        with boa.reverts("amount"):
            world.vault.fill_ring(BTC)
        return
    world.vault.fill_ring(BTC)
    ring = world.vault.ring_of(BTC)
    assert world.cash(ring.account) == moved * 10**12 == ring.equity
    assert world.vault.free() == free - moved
    assert world.vault.totalAssets() == free
    if moved == 10_000 * UNIT:
        with boa.reverts("amount"):
            world.vault.fill_ring(BTC)


def test_fill_ring__while_accounts_are_short__refused(world: World) -> None:
    till = Till(world)
    till.account("saver", 10)
    till.hole(1, till.account("winner"))
    with world.as_owner():
        world.vault.open_ring(BTC, USD)
    with boa.reverts("insolvent"):
        world.vault.fill_ring(BTC)


def test_fill_ring__what_came_back__may_be_given_again(world: World) -> None:
    """`given` is net: a ring that was drained for a while is not lost for good."""
    ring = Till(world).ring(BTC, 10_000)
    for target in (4_000, 10_000):
        with world.as_owner():
            world.vault.set_target(BTC, target * USD)
        (world.vault.drain_ring if target == 4_000 else world.vault.fill_ring)(BTC)
        assert world.cash(ring) == target * USD == world.vault.ring_of(BTC).given


@pytest.mark.parametrize("over", [-1, 0, 1, 5_000 * UNIT])
def test_drain_ring__what_is_above_the_target(world: World, over: int) -> None:
    ring = Till(world).ring(BTC, 10_000)
    with world.as_owner():
        world.vault.set_target(BTC, (10_000 * UNIT - over) * 10**12)
    if over <= 0:
        with boa.reverts("amount"):
            world.vault.drain_ring(BTC)
        return
    world.vault.drain_ring(BTC)
    assert world.vault.free() == over
    assert world.cash(ring) == (10_000 * UNIT - over) * 10**12
    assert world.vault.totalAssets() == 10_000 * UNIT


def test_drain_ring__with_a_position__keeps_initial_margin(world: World) -> None:
    ring = ring_with(world, WAD)
    with world.as_owner():
        world.vault.set_target(BTC, USD)
    with boa.reverts("initial margin"):
        world.vault.drain_ring(BTC)
    assert world.cash(ring) == 10_000 * USD


def test_ring_of__no_ring__refused(world: World) -> None:
    for market in (BTC, 31, 32, 2**200):
        with boa.reverts("not opened"):
            world.vault.ring_of(market)
    with world.as_owner(), boa.reverts("market"):
        world.vault.open_ring(32, 1)


def test_redeem__draws_on_flat_rings_and_leaves_those_with_positions(world: World) -> None:
    """8,000 staked: 3,000 in BTC (a position), 4,000 in ETH (flat), 1,000 free."""
    till, vault = Till(world), world.vault
    shares = till.stake(vault, "staker", 8_000 * UNIT)
    world.calm()
    for market, usd in ((BTC, 3_000), (ETH, 4_000)):
        with world.as_owner():
            vault.open_ring(market, usd * USD)
        vault.fill_ring(market)
    ring, flat = (int(vault.ring_of(m).account) for m in (BTC, ETH))
    giver, other = world.open("seller", 10**7), world.open("other", 10**7)
    world.trade(giver, other, WAD // 100)
    with world.as_liquidator():
        world.ledger.take_over(giver, ring, BTC, WAD // 100, world.mark(BTC), 0)
    till.request_exit(vault, "staker", shares)
    till.wait(DELAYS[1])
    world.calm()
    world.calm(ETH)
    per_unit = shares // (8_000 * UNIT)
    with boa.reverts("not enough free"):
        till.redeem(vault, "staker", 5_001 * UNIT * per_unit)
    assert till.redeem(vault, "staker", 5_000 * UNIT * per_unit) == 5_000 * UNIT
    assert vault.free() == 0
    assert world.cash(flat) == 0
    assert world.cash(ring) == 3_000 * USD
    assert world.token.balanceOf(address_of("staker")) == 5_000 * UNIT


@pytest.mark.parametrize("move", ["enter", "leave"])
def test_nobody_moves__while_a_market_of_a_ring_settles(world: World, move: str) -> None:
    till, vault = Till(world), world.vault
    shares = till.stake(vault, "staker", 1_000 * UNIT)
    till.request_exit(vault, "staker", shares)
    till.wait(DELAYS[1] - DELAYS[0])
    till.request(vault, "new", 1_000 * UNIT)
    till.wait(DELAYS[0])
    world.calm()
    world.calm(ETH)
    ring_with(world, WAD // 10)

    def act() -> int:
        if move == "enter":
            return till.deposit(vault, "new", 1_000 * UNIT)
        return till.redeem(vault, "staker", shares // 20)

    world.tick(p1=1_900 * WAD)  # another market's
    assert world.state(ETH) & 3
    with boa.env.anchor():
        assert act() > 0
    world.tick(p0=19_000 * WAD)
    assert world.state(BTC) & 3
    with boa.reverts("settling"):
        act()
    world.calm()
    assert act() > 0


@pytest.mark.parametrize("price", [18_000, 20_000, 22_000])
def test_total_assets__counts_rings_at_the_mark_never_below_nothing(
    world: World, price: int
) -> None:
    ring = ring_with(world, WAD, 1_500)
    world.tick(p0=price * WAD)
    while world.mark(BTC) != price * WAD:
        world.tick()
    equity = 1_500 + price - 20_000
    assert world.health(ring).equity == equity * USD
    assert world.vault.totalAssets() == max(0, equity) * UNIT


# --- collateral nobody bought --------------------------------------------------------------------


def test_take_last__only_when_the_price_is_nothing(world: World) -> None:
    """At T + T the discount is all of it: the vault takes the rest without money of its own."""
    till = Till(world)
    debtor = world.make_debtor("debtor", 50_000 * USD)
    token = load("contracts/mocks/TokenMock.vy").at(world.custody.token_at(0))
    world.tick(p32=400 * WAD)
    while world.engine.collateral_terms(0)[1] != 400 * WAD:
        world.tick()
    world.liquidator.poke(debtor)
    with boa.reverts("price limit"):
        world.vault.take_last(debtor, 0)
    world.pass_time(1_200 - 60, every=60)
    with boa.reverts("price limit"):
        world.vault.take_last(debtor, 0)
    world.pass_time(120, every=60)
    assert world.liquidator.collateral_terms(debtor, 0).price == 0
    assets = world.vault.totalAssets()
    world.vault.take_last(debtor, 0)
    bidder = int(world.vault.address, 16) << 96 | 32
    assert world.custody.collateral_of(bidder, 0) == 100 * WAD
    assert world.custody.collateral_of(debtor, 0) == 0
    assert world.vault.totalAssets() == assets, "counted when it is sold"
    world.liquidator.resolve(debtor)
    assert till.totals().deficit == 50_000 * USD
    with world.as_owner():
        world.vault.sell(0, 100 * WAD, address_of("buyer"))
    assert token.balanceOf(address_of("buyer")) == 100 * WAD


# --- payees --------------------------------------------------------------------------------------


def test_drain__when_the_outflow_bucket_is_full__refused_and_nothing_is_lost(world: World) -> None:
    """Tokens that waited could be released to the vault by anybody, and nobody would count them."""
    till = Till(world)
    ring = till.ring(BTC, 10_000)
    till.release(address_of("nobody"))
    till.wait(86_400)
    till.release(address_of("nobody"))
    with world.as_owner():
        world.custody.set_outflow(SETTLEMENT, 4_000 * USD, 3_600)
        world.vault.set_target(BTC, 0)
    with boa.reverts("outflow"):
        world.vault.drain_ring(BTC)
    assert world.cash(ring) == 10_000 * USD
    assert world.vault.totalAssets() == 10_000 * UNIT
    with world.as_owner():
        world.vault.set_target(BTC, 6_000 * USD)
    world.vault.drain_ring(BTC)
    assert world.vault.free() == 4_000 * UNIT


def test_something_waits_for_the_vault__a_drain_brings_it_too(world: World) -> None:
    """A stranger makes tokens wait for the vault: they come with the next drain."""
    till = Till(world)
    till.ring(BTC, 10_000)
    stranger = till.account("stranger", 100)
    till.release(address_of("nobody"))
    till.wait(86_400)
    till.release(address_of("nobody"))
    with world.as_owner():
        world.custody.set_outflow(SETTLEMENT, 0, 3_600)
        world.vault.set_target(BTC, 5_000 * USD)
    world.withdraw(stranger, 100 * UNIT, world.vault.address)
    assert world.custody.waiting(SETTLEMENT, world.vault.address) == 100 * USD
    with boa.reverts("outflow"):
        world.vault.drain_ring(BTC)
    with world.as_owner():
        world.custody.set_outflow(SETTLEMENT, 10**6 * USD, 3_600)
    world.vault.drain_ring(BTC)
    assert world.vault.free() == 5_100 * UNIT
    assert world.token.balanceOf(world.vault.address) == 5_100 * UNIT


def test_verbs_of_governance__anyone_else__refused(world: World) -> None:
    vault = world.vault
    with boa.env.prank(address_of("stranger")):
        for call in (
            lambda: vault.open_ring(BTC, 1),
            lambda: vault.set_target(BTC, 1),
            lambda: vault.set_manager(address_of("stranger")),
            lambda: vault.set_limits(1, 1),
            lambda: vault.sell(0, 1, address_of("stranger")),
        ):
            with boa.reverts("not owner"):
                call()


def test_positions_of_a_ring__cannot_be_opened_by_anyone(world: World) -> None:
    """A ring opted in to the gateway, where only the vault may act for it."""
    ring = Till(world).ring(BTC, 10_000)
    with boa.env.prank(address_of("stranger")):
        for call in (
            lambda: world.ledger.withdraw(ring, 1, address_of("stranger")),
            lambda: world.ledger.transfer(ring, world.bank(), 1),
            lambda: world.ledger.configure(ring, 255, 0),
        ):
            with boa.reverts("not your account"):
                call()


@pytest.mark.parametrize(("held", "is_taken"), [(300, True), (460, False)])
def test_ring__above_the_last_bound__takes_no_more(world: World, held: int, is_taken: bool) -> None:
    """The table ends at 10 million USD: what nobody may open, the vault is not handed either."""
    ring = ring_with(world, held * WAD, 20_000_000)
    loser = world.open("loser", 10**7)
    world.trade(loser, world.open("third", 10**7), 100 * WAD)
    world.set_cash(loser, world.health(loser, 0).requirement)
    while world.liquidator.state(loser) < BACKSTOP:
        world.tick(p0=world.mark(BTC) * 998 // 1_000)
    world.liquidator.resolve(loser)
    assert world.size(loser) == 0
    assert world.size(ring) == (held + 100 * is_taken) * WAD


def test_redeem__from_a_ring_while_h_is_below_one__draws_the_claim_that_pays_it(
    world: World,
) -> None:
    """All of the vault's capital is a claim on the ledger, worth h: half of it is half of that."""
    till = Till(world)
    shares = till.stake(world.vault, "staker", 10_000 * UNIT)
    with world.as_owner():
        world.vault.open_ring(BTC, 10_000 * USD)
    world.vault.fill_ring(BTC)
    till.account("saver", 10_000)
    till.hole(5_000 * USD, till.account("winner"))
    worth = world.vault.totalAssets()
    assert 7_990 * UNIT < worth < 8_010 * UNIT
    till.request_exit(world.vault, "staker", shares // 2)
    till.wait(DELAYS[1])
    till.rest()
    paid = till.redeem(world.vault, "staker", shares // 2)
    assert abs(paid - worth // 2) <= 2
    assert abs(world.vault.totalAssets() - (worth - paid)) <= 2
