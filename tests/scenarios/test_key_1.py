"""KEY-1 in money: what a day of hostile pushes can cost (the bound in docs/threats.md).

The thief has a quorum of keys and pushes as far and as often as the chain lets him; prices stay
honest and stand still, so that whatever anybody loses, the pushes took. `test_mev_1.py` has what a
push does in its own block.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import boa
import pytest

from tests.support.world import (
    BACKSTOP,
    BTC,
    INITIAL,
    LIQUIDATABLE,
    LIQUIDATION,
    MAINTENANCE,
    MILLION,
    PPM,
    TOKEN_ASSETS,
    UNIT,
    USD,
    WAD,
    World,
    ceil_div,
)
from tests.unit.engine.harness import HAIRCUTS, TABLE
from tests.unit.engine.reference import tiered
from tests.unit.fund.till import Till

PRICE = 20_000 * WAD
HOUR, DAY = 3_600, 86_400
STEP_UP, STEP_DOWN, FALL, RISE, DELAY, LEAST = 50_000, 10_000, 250_000, 10_000, 3_000, 250_000
DURATION, TAIL, _, D_MAX, F_INS, *_ = LIQUIDATION
CALM_MMR = TABLE[0][3]
SIZE = 9 * WAD // 2  # of the accomplice
EVER = 2**200
AUCTION = DURATION - 1  # [s] after it the backstop, no taker
PUSHES = 1 + DAY // DELAY  # in a day
# Notional in USD, short where negative; equity in ppm of it: from a little above IM to safe.
BOOK = [
    (20_000, 21_000),
    (-40_000, 25_000),
    (90_000, 30_000),
    (-90_000, 55_000),
    (200_000, 60_000),
    (-200_000, 120_000),
    (400_000, 200_000),
    (20_000, 51_000),
]


class Honest(NamedTuple):
    """An account that does nothing all day."""

    account: int
    notional: int  # [USD wad]
    equity: int  # [USD wad] when the day begins

    @property
    def is_long(self) -> bool:
        return self.notional > 0


@pytest.fixture
def book(world: World) -> list[Honest]:
    world.set_config(BTC, price_max_age=7_200)
    world.pass_time(DELAY)  # since the listing
    bank, found = world.bank(), []
    for i, (usd, ppm) in enumerate(BOOK):
        account = world.open(f"honest {i}", abs(usd))
        size = abs(usd) * USD * WAD // PRICE
        world.trade(*((account, bank) if usd > 0 else (bank, account)), size)
        world.set_cash(account, world.account(account).cash + abs(usd) * ppm * 10**12
                       - world.health(account).equity)  # fmt: skip
        found.append(Honest(account, usd * USD, world.health(account).equity))
        assert world.surplus(account, INITIAL) >= 0
    return found


def mm_bound(notional: int, pushes: int) -> int:
    """MM after so many pushes from calm: as many steps of severity and depth [USD wad]."""
    severity, depth = min(PPM, STEP_UP * pushes), max(LEAST, PPM - FALL * pushes)
    return -int(-tiered(TABLE, 1, abs(notional), severity, depth) // 1)


def loss_bound(honest: Honest, pushes: int, *, has_takers: bool = True) -> int:
    """KEY-1: what an account may lose to so many pushes [USD wad]."""
    mm = mm_bound(honest.notional, pushes)
    if honest.equity >= mm:
        return 0
    if has_takers:  # each lot is taken once, at the largest discount
        return ceil_div(abs(honest.notional) * (D_MAX + F_INS) * CALM_MMR, PPM * PPM)
    return min(honest.equity, mm * 2 // 3)


def hostile_push(world: World, up: bool = True) -> None:
    """As far as the steward lets it go; a step beyond is refused."""
    line = world.settings.line_of(BTC)
    if up:
        severity, depth = line.severity + STEP_UP, max(LEAST, line.depth - FALL)
        too_far = (min(PPM, severity) + 1, depth)
    else:
        severity, depth = line.severity - STEP_DOWN, min(PPM, line.depth + RISE)
        too_far = (max(0, severity - 1), depth) if severity > 0 else (0, PPM + 1)
    with boa.reverts("out of bounds"):
        world.system.push({BTC: too_far})
    world.system.push({BTC: (max(0, min(PPM, severity)), depth)})


def maintenance(world: World, book: list[Honest]) -> list[int]:
    """MM of each [USD wad]."""
    return [world.health(each.account).requirement for each in book]


def take_all(
    world: World, book: list[Honest], taker: int, wait: Callable[[int], None] | None = None
) -> None:
    """As dear for the account as an auction gets: in its last second, all that may be taken."""
    for each in book:
        if world.liquidator.state(each.account) == LIQUIDATABLE:
            world.liquidator.poke(each.account)
    (wait or world.tick)(AUCTION)
    for each in book:
        if world.liquidator.state(each.account) == LIQUIDATABLE:
            most = world.liquidator.terms(each.account, BTC).most
            limit = EVER if each.is_long else 0
            with world.as_owner_of(taker):
                world.liquidator.take(each.account, BTC, most, taker, limit)


def losses(world: World, book: list[Honest]) -> list[int]:
    """By the book, the price being what it was."""
    assert world.mark(BTC) == PRICE
    return [each.equity - world.health(each.account).equity for each in book]


def push_as_often_as_allowed(
    world: World, book: list[Honest], act: Callable[[], None], pushes: int = PUSHES
) -> None:
    """After each push somebody `act`s on whoever is short, for AUCTION seconds."""
    for number in range(1, pushes + 1):
        before = maintenance(world, book)
        hostile_push(world)
        assert maintenance(world, book) == before  # nobody becomes liquidatable in its block
        world.pass_time(DELAY - AUCTION, every=DELAY)
        act()
        for mm, each in zip(maintenance(world, book), book, strict=True):
            assert mm <= mm_bound(each.notional, number)


def test_hostile_tightening_for_a_day__costs_no_more_than_discounts_on_what_is_taken(
    world: World, book: list[Honest]
) -> None:
    taker = world.open("taker", 10**7)
    begun, fees = world.health(taker).equity, world.market().fees
    push_as_often_as_allowed(world, book, lambda: take_all(world, book, taker))
    lost, bounds = losses(world, book), [loss_bound(each, PUSHES) for each in book]
    for loss, bound in zip(lost, bounds, strict=True):
        assert 0 <= loss <= bound
        assert (loss > 0) == (bound > 0)
    assert 2 <= bounds.count(0) <= len(book) - 4  # who holds storm margin loses nothing
    assert 4 * sum(lost) > sum(bounds)  # and the bound is no empty one
    gained = world.health(taker).equity - begun + world.market().fees - fees
    assert abs(sum(lost) - gained) <= 1_000  # [wei] it is the taker's and the fund's
    assert world.custody.totals().deficit == 0


def test_frozen_after_three_pushes__the_rest_of_the_day_is_bounded_by_those(
    world: World, book: list[Honest]
) -> None:
    """One transaction a key. What was pushed stays, and MM comes to it and no further."""
    taker = world.open("taker", 10**7)
    push_as_often_as_allowed(world, book, lambda: take_all(world, book, taker), pushes=3)
    with world.as_guardian():
        for signer in world.system.signers[:2]:
            world.engine.freeze_signer(signer.address)
    with boa.reverts("bad signer"):
        world.system.push({BTC: (4 * STEP_UP, LEAST)}, signers=world.system.signers[:2])
    for _ in range(21):  # without a quorum there are no prices either
        take_all(world, book, taker, world.system.wait)
        world.system.wait(HOUR - AUCTION)
        for mm, each in zip(maintenance(world, book), book, strict=True):
            assert mm <= mm_bound(each.notional, 3)
    for loss, each in zip(losses(world, book), book, strict=True):
        assert 0 <= loss <= loss_bound(each, 3)
    spared = [each for each in book if loss_bound(each, 3) == 0 < loss_bound(each, PUSHES)]
    assert len(spared) >= 3  # the freeze saved them


def test_hostile_tightening_for_a_day__nobody_takes__the_vault_is_paid_two_thirds_of_mm_at_most(
    world: World, book: list[Honest]
) -> None:
    """The worst there is: all auctions run out, and the backstop's price is what was pushed."""
    till = Till(world)
    till.stake(world.vault, "staker", 3 * MILLION * UNIT)
    world.calm()
    with world.as_owner():
        world.vault.open_ring(BTC, 2 * MILLION * USD)
    world.vault.fill_ring(BTC)

    def resolve_all() -> None:
        for each in book:
            if world.liquidator.state(each.account) == LIQUIDATABLE:
                world.liquidator.poke(each.account)
        world.tick(AUCTION + 1)
        for each in book:
            if world.liquidator.state(each.account) >= BACKSTOP:
                world.liquidator.resolve(each.account)

    push_as_often_as_allowed(world, book, resolve_all)
    lost = losses(world, book)
    bounds = [loss_bound(each, PUSHES, has_takers=False) for each in book]
    for loss, bound in zip(lost, bounds, strict=True):
        assert 0 <= loss <= bound
        assert (loss > 0) == (bound > 0)
    assert 4 * sum(lost) > sum(bounds)
    ring = int(world.vault.ring_of(BTC).account)
    assert world.size(ring) != 0
    assert world.custody.totals().deficit == 0


def wealth(world: World, account: int) -> int:
    """Cash, positions at the mark, and tokens at their price without a haircut [USD wad]."""
    book = world.ledger.book(account)
    bare = world.engine.assess(MAINTENANCE, book.cash, 0, book.legs, [])
    return bare.equity + world.engine.collateral_value(book.holdings)[0]


@pytest.mark.parametrize(("tokens", "is_safe"), [(20, True), (8, False)])
def test_hostile_haircuts_and_rates_for_a_day__margin_in_tokens(
    world: World, tokens: int, is_safe: bool
) -> None:
    """The same with all margin in a token whose haircut is pushed as well."""
    index, token = world.list_token()
    world.set_config(BTC, price_max_age=7_200)
    world.set_config(TOKEN_ASSETS + index, price_max_age=7_200)
    world.pass_time(DELAY, every=DELAY)
    account, taker = world.open("holder", 10_000), world.open("taker", 10**7)
    world.deposit_collateral(account, index, token, tokens * WAD)
    world.trade(account, world.bank(), 10 * WAD)
    world.set_cash(account, 0)
    assert world.surplus(account, INITIAL) > 0
    asset, notional = TOKEN_ASSETS + index, 200_000 * USD
    begun = wealth(world, account)
    for number in range(1, PUSHES + 1):
        steps = min(PPM, STEP_UP * number), max(LEAST, PPM - FALL * number)
        before = world.health(account)
        world.system.push({BTC: steps, asset: steps})
        after = world.health(account)
        assert (before.equity, before.requirement) == (after.equity, after.requirement)
        world.pass_time(DELAY - AUCTION, every=DELAY)
        take_all(world, [Honest(account, notional, begun)], taker)
    value = tokens * 1_000 * USD
    least = value - tiered(HAIRCUTS, 1, value, PPM, LEAST)
    assert (least >= mm_bound(notional, PUSHES)) == is_safe
    lost = begun - wealth(world, account)
    bound = 0 if is_safe else notional * (D_MAX + F_INS) * CALM_MMR // PPM**2
    assert 0 <= lost <= bound
    assert (lost > 0) != is_safe


# --- loosening ------------------------------------------------------------------------------------


@pytest.fixture
def tightened(world: World) -> World:
    """After eleven honest steps up, IM and MM have come to them."""
    world.set_config(BTC, price_max_age=7_200)
    for number in range(11):
        world.pass_time(DELAY, every=DELAY)
        world.system.push({BTC: (STEP_UP * (number + 1), PPM)})
    world.pass_time(2 * HOUR, every=HOUR)
    return world


def day_then_crash(world: World, push: Callable[[], None]) -> tuple[int, int]:
    """A day of pushes; then somebody opens with the least margin, and the price falls by 30 per
    cent with nobody to stop it. What others pay for that, and the margin it had [USD wad]."""
    with boa.env.anchor():
        for _ in range(PUSHES):
            world.pass_time(DELAY, every=DELAY)
            push()
        accomplice, other = world.open("accomplice", 90_000), world.open("other", 200_000)
        world.trade(accomplice, other, SIZE)
        margin = world.health(accomplice, INITIAL).requirement
        world.set_cash(accomplice, world.cash(accomplice) + margin
                       - world.health(accomplice).equity)  # fmt: skip
        assert world.surplus(accomplice, INITIAL) == 0
        begun = world.health(other).equity
        world.drive(BTC, PRICE * 7 // 10)
        hole, fees = -world.health(accomplice).equity, world.market().fees
        world.liquidator.resolve(accomplice)
        charged = SIZE * PRICE * 3 // 10 // WAD - (world.health(other).equity - begun)
        paid = charged + world.custody.totals().deficit + fees - world.market().fees
        assert abs(paid - hole) <= USD // 10**6, "whoever pays it, it is that much"
    world.prices[BTC] = PRICE
    return hole, margin


def test_hostile_loosening_for_a_day__a_hole_is_larger_by_the_margin_given_up_at_most(
    tightened: World,
) -> None:
    world, begun = tightened, tightened.system.time
    high = 11 * STEP_UP
    honest, before = day_then_crash(world, lambda: world.system.push({BTC: (high, PPM)}))
    world.system.at(begun)
    hostile, after = day_then_crash(world, lambda: hostile_push(world, up=False))
    assert 0 < honest < hostile <= honest + before - after
    notional = SIZE * PRICE // WAD
    low = high - PUSHES * STEP_DOWN
    given_up = tiered(TABLE, 0, notional, high, PPM) - tiered(TABLE, 0, notional, low, PPM)
    assert before - after <= given_up + 1  # the bound, from the tables alone
    assert after >= tiered(TABLE, 0, notional, 0, PPM)  # calm is the least
