"""The whole-protocol model keeps DESIGN 13 under random actors, and its rules one by one."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest

from oracle.engine import liquidation, margin, positions
from oracle.engine.auctions import State
from oracle.engine.chain import copy_state
from oracle.engine.clearinghouse import CROSS
from oracle.engine.effective_time import AFTERMATH, SETTLING, UNKNOWN
from oracle.engine.margin import Basis
from oracle.engine.prices import Config
from oracle.engine.protocol import Protocol
from oracle.engine.sides import FLAT, Position, Side
from oracle.engine.tiers import TierRow
from oracle.engine.units import (
    PPM,
    RAY,
    SETTLEMENT_TOKEN,
    WAD,
    Credit,
    Ray,
    Refused,
    Scaled,
    Usd,
)
from oracle.engine.waterfall import Surety

from .world import ACCOUNTS, BANK, ISOLATED_ACCOUNT, MICRO, ROWS, TOKEN, TOKEN_ASSET, World

SEEDS = 24
STEPS = 100


def refused(verb: Callable[[], object]) -> str:
    with pytest.raises(Refused) as caught:
        verb()
    return caught.value.reason


def crowded(seed: int) -> World:
    world = World(seed)
    for account in ACCOUNTS:
        world.fund(account, world.random.randint(1_000, 300_000))
    return world


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_actors__every_step__keeps_the_invariants(seed: int) -> None:
    world = crowded(seed)
    for step in range(STEPS):
        action = world.step()
        assert world.p.invariants().failures() == [], (seed, step, action)


def test_random_actors__every_action__succeeds_often_enough_to_count() -> None:
    """The same runs, counted: a rule that never passes tests nothing."""
    tried: Counter[str] = Counter()
    done: Counter[str] = Counter()
    for seed in range(SEEDS):
        world = crowded(seed)
        for _ in range(STEPS):
            world.step()
        tried.update(world.tried)
        done.update(world.done)
    assert len(tried) >= 14
    rare = {name: (done[name], times) for name, times in tried.items() if done[name] < times / 50}
    assert rare == {}


# --- the main promise --------------------------------------------------------------------------


def crowd(seed: int) -> tuple[World, dict[int, int]]:
    """One market, no fees, every account at or above MM, then one large move."""
    rng = random.Random(seed)
    world = World(seed)
    world.p.set_config(0, Config(max_move=90_000, band=50_000))
    members = list(range(100, 100 + rng.randint(4, 9)))
    for member in members:
        world.p.open_account(member, CROSS)
        world.fund(member, rng.randint(1_000, 20_000))
    for _ in range(30):
        maker, taker = rng.sample(members, 2)
        notional = rng.randint(100, 60_000) * WAD
        try:
            world.p.trade(maker, taker, 0, notional * WAD // world.mark(0), world.mark(0))
        except Refused:
            continue
    for _ in range(5):
        world.report(p0=world.prices[0] * rng.randint(980_000, 1_020_000) // PPM)
    calm = {m: world.equity(m) for m in members if world.size(m, 0)}
    short = [m for m in calm if world.p.account_state(m) >= State.LIQUIDATABLE]
    if short:
        return world, {}
    return world, calm


def after_one_move(seed: int) -> tuple[World, dict[int, int], int]:
    """The crowd after the move, and the mark before it; nobody where the crowd was not calm."""
    world, calm = crowd(seed)
    before = world.mark(0)
    if calm:
        move = world.random.choice([-400_000, -250_000, -120_000, 120_000, 250_000, 500_000])
        world.move(0, move)
        assert world.p.engine.quote(0).state & AFTERMATH
    return world, calm, before


def reduce_somebody(world: World, members: list[int]) -> None:
    """Two solvent accounts of opposite sides close some of it against each other, at the mark."""
    maker, taker = world.random.sample(members, 2)
    size = min(abs(world.size(maker, 0)), abs(world.size(taker, 0)))
    size = size * world.random.randint(1, 100) // 100
    try:
        sign = -1 if world.size(maker, 0) > 0 else 1
        world.p.trade(maker, taker, 0, sign * size, world.mark(0))
    except Refused:
        return


def resolve_all(world: World, calm: dict[int, int], before: int) -> tuple[int, int]:
    """Resolve every bankrupt account: nobody else is bankrupted, winners are cut at a gain.

    Returns how many deficits there were, and how many were not charged in full.
    """
    worth = {m: world.equity(m) for m in calm}
    bankrupt = [m for m in calm if worth[m] < 0]
    others = [m for m in calm if worth[m] >= 0]
    deficits = left = 0
    for member in bankrupt:
        reduce_somebody(world, others)
        size = abs(world.size(member, 0))
        resolved = world.p.resolve(member)
        deficits += resolved.deficit > 0
        left += resolved.socialised > 0
        assert resolved.charged * WAD < abs(world.mark(0) - before) * size
    assert all(world.equity(m) >= 0 for m in others)
    assert world.p.invariants().failures() == []
    return deficits, left


def test_one_move__single_market_accounts__charges_equal_the_deficits() -> None:
    """The main promise (DESIGN 6): nothing is socialised while somebody won what was lost."""
    deficits = 0
    for seed in range(80):
        found, left = resolve_all(*after_one_move(seed))
        assert left == 0, seed
        deficits += found
    assert deficits > 60


def test_adverse_move__payers_lost_since_p_ref__are_not_ruined_by_the_charge() -> None:
    """What was sure at P_ref less a move against the payers (FORMULAS 2 overlooks it: fav >= 0)."""
    world = World()
    for market in (0, 1):
        world.p.set_config(market, Config(max_move=90_000))
    world.fund(1, 190)
    world.p.trade(1, BANK, 0, 10 * WAD, 100 * WAD)
    world.p.trade(1, BANK, 1, 3 * WAD // 100, 20_000 * WAD)
    for price in (97, 94, 91, 88):  # each within MMR_0: calm
        world.report(p0=price * WAD)
    world.fund(2, 90)
    world.p.trade(BANK, 2, 0, 10 * WAD, 88 * WAD)
    for price in (895, 915):
        world.report(p0=price * WAD // 10)
    margin_at_reference = world.p.margin(Basis.MAINTENANCE, 2)
    assert margin_at_reference.equity > margin_at_reference.requirement
    world.report(p0=956 * WAD // 10)  # settling from 91.5; the long is still below its entry
    world.move(1, -600_000)
    assert world.p.engine.reference_of(0).reference == 915 * WAD // 10
    assert world.equity(2) == 14 * WAD
    sure_then = 10 * 915 * WAD // 10 * world.p.engine.reference_of(0).calm_mmr // PPM
    resolved = world.p.resolve(1)
    assert sure_then > 14 * WAD
    assert resolved.socialised > 0
    assert world.equity(2) >= 0


def test_deleveraging__order_of_resolutions__changes_nobody_s_share() -> None:
    """Pro rata over a whole side: whoever is resolved first, winners end alike up to dust."""
    ends = []
    for order in ((1, 2), (2, 1)):
        world = opened({1: 10, 2: 20, 3: -12, 4: -18})
        world.move(0, -300_000)
        for account in order:
            world.p.resolve(account)
        ends.append([world.equity(account) for account in (3, 4)])
    assert all(abs(a - b) <= 10**12 for a, b in zip(*ends, strict=True))


def opened(units: dict[int, int], tenths: int = 115) -> World:
    """Accounts with base units of market 0 at 100 USD each, funded by tenths of a USD a unit."""
    world = World()
    world.p.set_config(0, Config(max_move=90_000, min_size=10**15))
    for account, size in units.items():
        world.fund(account, abs(size) * tenths // 10)
    longs = {a: s for a, s in units.items() if s > 0}
    shorts = {a: -s for a, s in units.items() if s < 0}
    for account, size in longs.items():
        left = size
        for other in shorts:
            part = min(left, shorts[other])
            if part:
                world.p.trade(account, other, 0, part * WAD, 100 * WAD)
                shorts[other] -= part
                left -= part
    return world


# --- one rule at a time ------------------------------------------------------------------------


def test_refused__any_verb__leaves_everything_as_it_was() -> None:
    world = opened({1: 10, 2: -10})
    contracts = (world.p.engine, world.p.custody, world.p.ledger, world.p.liquidator)
    before = [copy_state(contract.state) for contract in contracts]
    assert refused(lambda: world.p.trade(1, 2, 0, 100 * WAD, 100 * WAD)) == "initial margin"
    assert refused(lambda: world.p.withdraw(1, SETTLEMENT_TOKEN, 10**9, 1)) != ""
    assert refused(lambda: world.p.transfer(1, 2, 10**30)) == "cash"
    assert [contract.state for contract in contracts] == before


def test_liquidation_price__reported__is_the_border_to_the_wei() -> None:
    for account, step in ((1, -1), (2, 1)):
        world = opened({1: 10, 2: -10})
        border = world.p.liquidation_price(account, 0)
        assert border is not None
        world.report(p0=border)
        assert world.mark(0) == border
        assert world.p.account_state(account) == State.CALLED
        world.report(p0=border + step)
        assert world.p.account_state(account) == State.LIQUIDATABLE


def test_take__between_two_thirds_and_mm__restores_and_never_worsens() -> None:
    world = opened({1: 10, 2: -10})
    border = world.p.liquidation_price(1, 0)
    assert border is not None
    world.report(p0=border - border // 200)
    assert world.p.poke(1) == State.LIQUIDATABLE
    before = world.p.margin(Basis.MAINTENANCE, 1)
    offer = world.p.liquidator.terms(1, 0)
    taken = world.p.take(1, 0, 10**30, BANK, 10**30)
    after = world.p.margin(Basis.MAINTENANCE, 1)
    assert offer.least <= taken == offer.most < 10 * WAD
    assert after.equity * before.requirement > before.equity * after.requirement
    # q* lands at (1+b)·MM up to 8 wei of rounding and one of size.
    missing = Fraction(5 * after.requirement, 4) - after.equity
    assert -300 <= missing <= 8
    assert refused(lambda: world.p.take(1, 0, 1, BANK, 10**30)) == "not liquidatable"


def test_take__discount_and_fee__are_all_it_costs() -> None:
    """Self-liquidation costs the insurance fee: what the account loses is discount and fee."""
    world = opened({1: 10, 2: -10})
    border = world.p.liquidation_price(1, 0)
    assert border is not None
    world.report(p0=border - border // 200)
    world.p.poke(1)
    offer = world.p.liquidator.terms(1, 0)
    before, total = world.equity(1), world.total_value()
    size = world.p.take(1, 0, 10**30, BANK, 10**30)
    discount = size * (offer.mark - offer.price) // WAD
    fee = size * offer.mark // WAD * offer.fee // PPM
    assert abs(before - world.equity(1) - discount - fee) <= 4
    assert abs(total - world.total_value() - fee) <= 4


def test_auction__ran_out__becomes_the_backstop() -> None:
    world = opened({1: 10, 2: -10})
    border = world.p.liquidation_price(1, 0)
    assert border is not None
    world.report(p0=border - border // 1_000)
    world.p.poke(1)
    for _ in range(59):
        world.report()
    assert world.p.account_state(1) == State.LIQUIDATABLE
    world.report()
    assert world.p.account_state(1) == State.BACKSTOP
    resolved = world.p.resolve(1)
    assert (resolved.deficit, world.size(1, 0)) == (0, 0)
    assert world.p.ledger.account(1).cash > 0  # what is left stays with the trader


def test_jump__held__is_confirmed_by_the_nearer_and_freezes_meanwhile() -> None:
    world = opened({1: 10, 2: -10})
    world.report(p0=70 * WAD)
    quote = world.p.engine.quote(0)
    assert (quote.mark, quote.state & UNKNOWN) == (100 * WAD, UNKNOWN)
    # Better of stored and held, no MM: nobody is liquidatable.
    assert world.p.margin(Basis.MAINTENANCE, 1).requirement == 0
    assert world.p.account_state(1) == State.CALLED
    assert refused(lambda: world.p.resolve(1)) == "called"
    for _ in range(6):
        world.report(p0=65 * WAD)
    assert world.p.engine.quote(0).mark == 70 * WAD  # the nearer
    assert world.p.account_state(1) == State.BANKRUPT
    assert world.p.engine.reference_of(0).reference == 100 * WAD


def test_settling__opening_and_outflow__are_barred_and_reducing_is_not() -> None:
    world = opened({1: 10, 2: -10})
    world.fund(1, 5_000)
    world.fund(2, 5_000)
    world.move(0, -120_000)
    mark = world.mark(0)
    assert world.p.engine.quote(0).state & SETTLING
    assert refused(lambda: world.p.withdraw(1, SETTLEMENT_TOKEN, 1, 1)) == "settling"
    assert refused(lambda: world.p.transfer(1, 2, 1)) == "settling"
    assert refused(lambda: world.p.trade(1, 2, 0, WAD, mark)) == "reduce only"
    assert refused(lambda: world.p.trade(2, 1, 0, WAD, mark - 1)) == "limit"
    fill = world.p.trade(2, 1, 0, WAD, mark + mark // 5)
    assert fill.price == mark  # at the mark, whatever the order allowed
    assert world.size(1, 0) == 9 * WAD


def test_pause__anything_but_collateral_in__is_refused() -> None:
    world = opened({1: 10, 2: -10})
    world.p.pause()
    world.fund(1, 10)
    reasons = {
        refused(lambda: world.p.withdraw(1, SETTLEMENT_TOKEN, 1, 1)),
        refused(lambda: world.p.transfer(1, 2, 1)),
        refused(lambda: world.p.trade(2, 1, 0, WAD, 100 * WAD)),
        refused(lambda: world.p.poke(1)),
        refused(lambda: world.p.resolve(1)),
        refused(lambda: world.p.release(SETTLEMENT_TOKEN, 1)),
        refused(lambda: world.p.release(TOKEN, 1)),
        refused(lambda: world.report() and None),
    }
    assert reasons == {"paused"}
    funding = world.p.engine.quote(0).funding
    world.p.advance(5_000)
    assert world.p.engine.quote(0).funding == funding
    world.p.unpause()
    world.report()
    assert world.p.engine.quote(0).state & UNKNOWN  # grace
    assert world.p.account_state(1) in (State.HEALTHY, State.CALLED)


def test_isolated__bankrupt__touches_nobody_but_through_the_charge() -> None:
    world = World()
    world.p.set_config(0, Config(max_move=90_000))
    world.fund(ISOLATED_ACCOUNT, 1_200)
    world.fund(1, 50_000)
    world.p.trade(ISOLATED_ACCOUNT, 1, 0, 100 * WAD, 100 * WAD)
    world.fund(2, 777)
    world.move(0, -400_000)
    before, flat = world.equity(1), world.p.ledger.account(2).cash
    resolved = world.p.resolve(ISOLATED_ACCOUNT)
    assert resolved.deficit == resolved.charged > 0
    assert world.p.ledger.account(ISOLATED_ACCOUNT).cash == 0
    assert world.p.ledger.account(2).cash == flat
    assert 0 <= before - world.equity(1) - resolved.charged <= 10**12


def test_socialised__uncollectable_deficit__lowers_h_and_becomes_tickets() -> None:
    """A debt without a leg cannot be charged: D_h, and a withdrawal pays h with a ticket."""
    world = World()
    world.p.set_config(0, Config(max_move=90_000))
    world.fund(1, 50_000)
    world.fund(2, 1_200)
    world.p.trade(2, 1, 0, 100 * WAD, 100 * WAD)
    world.move(0, -600_000)
    # Pretend that the shorts were charged all they own already.
    at = world.p.engine.reference_of(0)
    world.p.liquidator.state.sureties[0, False] = Surety(at.round, -(10**40))
    resolved = world.p.resolve(2)
    assert resolved.socialised == resolved.deficit > 0
    h = world.p.invariants().solvency
    assert h < 1
    world.calm()
    free = world.p.ledger.account(1).cash // 10**12
    paid = world.p.withdraw(1, SETTLEMENT_TOKEN, free // 2, 1)
    assert paid <= free // 2 * 10**12 * h
    assert world.p.custody.ticket_of(1).left == free // 2 * 10**12 - paid
    assert world.p.invariants().solvency >= h
    assert world.p.invariants().failures() == []


def cut_market() -> World:
    """A cut market: the long 2 of 20 units against the shorts 3 and 4."""
    world = opened({1: 10, 2: 20, 3: -12, 4: -18})
    for account in (2, 3, 4):
        world.fund(account, 10_000)
    world.move(0, -300_000)
    world.p.resolve(1)
    world.calm()
    return world


def test_cut_market__its_last_pair_closes__settles() -> None:
    """The shorts hold a few wei more than the longs: nobody is left to close them against."""
    world = cut_market()
    market = world.p.ledger.market(0)
    assert (market.long.cut, market.short.cut, market.long.epoch) == (False, True, 0)
    worth = world.total_value()
    for short in (3, 4):
        size = min(world.size(2, 0), -world.size(short, 0))
        world.p.trade(2, short, 0, -size, world.mark(0))
    market = world.p.ledger.market(0)
    assert (market.long.epoch, market.short.epoch) == (1, 1)
    assert not market.long.cut
    assert not market.short.cut
    assert [world.size(account, 0) for account in (2, 3, 4)] == [0, 0, 0]
    for account in (2, 3, 4):
        if world.p.ledger.account(account).markets:
            world.p.collect(account, 0)
        assert world.p.ledger.account(account).markets == ()
    assert abs(worth - world.total_value()) <= 10**12
    assert world.p.invariants().failures() == []


def test_remainder__is_nothing_or_the_minimum__dust_only_of_a_cut_side() -> None:
    world = opened({1: 10, 2: -10, 3: 10, 4: -10})
    price = 100 * WAD
    for change in (-10 * WAD - 5, 1_000 - 10 * WAD, 999 - 10 * WAD):
        assert refused(lambda change=change: world.p.trade(1, 2, 0, change, price)) == (
            "below minimum"
        )
    market = world.p.ledger.market(0)
    cut = replace(market.long, cut=True)
    world.p.ledger.state.markets[0] = replace(market, long=cut)
    world.p.trade(1, 2, 0, 999 - 10 * WAD, price)
    assert (world.size(1, 0), world.size(2, 0)) == (999, -999)
    assert world.p.ledger.market(0).long.epoch == 0  # enough is left: it does not settle


def test_trade__market_of_no_id__is_refused() -> None:
    assert refused(lambda: World().p.trade(1, 2, 32, WAD, WAD)) == "market"


@pytest.mark.parametrize("delta", [7 * WAD, -7 * WAD])
def test_change__position_without_an_effective_size__is_closed_out_first(delta: int) -> None:
    total = Scaled(10**20)
    long = Side(Ray(RAY // 3), Credit(-5 * RAY), total, 0, cut=True)
    market = positions.Market(long=long, short=Side(Ray(RAY), Credit(0), total, 0, cut=False))
    dust = Position(Scaled(2), Usd(77), 0)
    found = positions.change(dust, market, {}, delta, 100 * WAD)
    out = positions.close_out(dust, market, {}, 100 * WAD)
    opened_ = positions.change(FLAT, out.market, {}, delta, 100 * WAD)
    assert (found.before, found.position, found.market) == (0, opened_.position, opened_.market)
    assert found.realised == out.realised + opened_.realised
    assert found.net == out.net + opened_.net


def bounded() -> Protocol:
    """1 and 3 are long 900 USD each against 2 and 4, in a market bounded at 1,000 USD a leg."""
    p = Protocol(1_700_000_000)
    row = TierRow(1_000, 100_000, 300_000, 40_000, 150_000)
    p.list_asset(0, Config(max_move=90_000, min_size=WAD), [row])
    for account in range(1, 6):
        p.open_account(account, CROSS)
        p.deposit(account, SETTLEMENT_TOKEN, 10**4 * MICRO)
    p.advance(10)
    p.report(p.chain.timestamp, [0], [[WAD << 32 | 2**31]])
    p.trade(1, 2, 0, 900 * WAD, WAD)
    p.trade(3, 4, 0, 900 * WAD, WAD)
    return p


def test_take_over__taker__keeps_the_last_bound() -> None:
    p = bounded()
    take = p.ledger.take_over
    assert refused(lambda: p._do(lambda: take(1, 3, 0, 101 * WAD, WAD, 0))) == "above last bound"
    p.pause()  # the liquidator's to know
    take(1, 3, 0, 100 * WAD, WAD, 0)
    assert (p.ledger.held(1, 0).size, p.ledger.held(3, 0).size) == (800 * WAD, 1_000 * WAD)


def test_write_off__more_than_the_debt__is_refused() -> None:
    world = World()
    world.p.deposit(1, TOKEN, 10 * WAD)
    world.fund(2, 20_000)
    world.p.trade(1, 2, 0, 20 * WAD, 100 * WAD)
    ledger = world.p.ledger
    debt = -ledger.account(1).cash
    assert debt > 0  # the fee
    assert refused(lambda: world.p._do(lambda: ledger.write_off(1, debt + 1, 0))) == "cash"
    ledger.write_off(1, debt - 1, 5)
    assert ledger.account(1).cash == -1
    assert world.p.custody.state.reserve.deficit == 5


def test_resolve__collateral_of_unknown_price__is_no_immunity() -> None:
    """D is what is missing at its last price; the rest of the debt waits for it."""
    world = World()
    world.p.set_config(0, Config(max_move=90_000))
    world.p.deposit(1, TOKEN, WAD)
    world.fund(1, 2_000)
    world.fund(2, 50_000)
    world.p.trade(1, 2, 0, 200 * WAD, 100 * WAD)
    token = world.prices.pop(TOKEN_ASSET)
    for _ in range(14):
        world.report()
    assert world.p.engine.collateral_terms(TOKEN)[2] & UNKNOWN
    world.move(0, -300_000)
    short = -world.equity(1)
    assert short > 0
    assert world.p.account_state(1) == State.BANKRUPT
    resolved = world.p.resolve(1)
    assert 0 <= resolved.deficit - short <= 2
    assert resolved.deficit < -resolved.cash
    assert world.p.ledger.account(1).cash == resolved.cash + resolved.deficit < 0
    assert 0 <= world.equity(1) <= 2
    world.prices[TOKEN_ASSET] = token
    world.report()
    assert world.p.liquidator.debt(1) == -world.p.ledger.account(1).cash
    assert world.p.invariants().failures() == []


def test_resolve__collateral_of_known_price__comes_first() -> None:
    world = World()
    world.p.set_config(0, Config(max_move=90_000))
    world.p.deposit(1, TOKEN, WAD)
    world.fund(1, 2_000)
    world.fund(2, 50_000)
    world.p.trade(1, 2, 0, 200 * WAD, 100 * WAD)
    world.move(0, -300_000)
    assert refused(lambda: world.p.resolve(1)) == "collateral first"


def test_resolve__leg_of_unknown_price__stays_and_the_rest_is_paid_for() -> None:
    world = World()
    for market in (0, 1):
        world.p.set_config(market, Config(max_move=90_000))
    world.fund(1, 3_000)
    world.fund(2, 50_000)
    world.p.trade(1, 2, 0, 200 * WAD, 100 * WAD)
    world.p.trade(1, 2, 1, WAD // 20, 20_000 * WAD)
    del world.prices[1]
    for _ in range(14):
        world.report()
    world.move(0, -300_000)
    assert world.p.engine.quote(1).state & UNKNOWN
    short = -world.equity(1)
    resolved = world.p.resolve(1)
    assert 0 <= resolved.deficit - short <= 2
    assert world.p.ledger.account(1).markets == (1,)
    assert 0 <= world.equity(1) <= 2
    assert resolved.charged == resolved.deficit
    assert world.p.invariants().failures() == []


def test_collateral_sale__below_the_haircut__never_lowers_equity() -> None:
    world = World()
    world.p.set_config(0, Config(max_move=90_000))
    world.p.deposit(1, TOKEN, 2 * WAD)  # worth 3,400 after the IM haircut
    world.fund(2, 20_000)
    world.p.trade(1, 2, 0, 200 * WAD, 100 * WAD)
    while world.p.poke(1) < State.LIQUIDATABLE:
        world.report(p0=world.prices[0] * 98 // 100)
    for _ in range(20):
        world.report()
    before, debt = world.equity(1), world.p.liquidator.debt(1)
    sale = world.p.liquidator.collateral_terms(1, TOKEN)
    amount, payment = world.p.take_collateral(1, TOKEN, 10**30, BANK, 10**30)
    assert 0 < sale.discount <= sale.haircut
    assert world.equity(1) >= before
    assert 0 < amount <= 2 * WAD
    assert 0 < payment <= debt + sale.price // WAD + 1


def test_stale_keeper__new_risk_only__feels_the_storm() -> None:
    world = opened({1: 10, 2: -10})
    before = world.p.margin(Basis.MAINTENANCE, 1), world.p.margin(Basis.LIVE, 1)
    initial = world.p.margin(Basis.INITIAL, 1)
    for _ in range(901):
        world.report()
    assert (world.p.margin(Basis.MAINTENANCE, 1), world.p.margin(Basis.LIVE, 1)) == before
    assert world.p.margin(Basis.INITIAL, 1).requirement > 2 * initial.requirement


def test_funding__long_and_short__pay_each_other_to_the_wei() -> None:
    world = opened({1: 10, 2: -10})
    for _ in range(50):
        world.report(premium=3_000)
    market = world.p.ledger.market(0)
    assert market.long.credit == market.short.credit == 0  # no funding write in the ledger
    held = [world.p.ledger.held(account, 0) for account in (1, 2)]
    g = world.p.engine.quote(0).g
    assert g < 100 * WAD
    values = [h.size * g // WAD + h.base for h in held]
    assert -2 <= sum(values) <= 0


def test_interest__on_a_loss_against_collateral__goes_to_the_protocol() -> None:
    world = World()
    world.p.deposit(1, TOKEN, 10 * WAD)
    world.fund(2, 20_000)
    world.p.trade(1, 2, 0, 20 * WAD, 100 * WAD)
    for price in (97, 94, 91):
        world.report(p0=price * WAD)
    world.calm()
    world.p.trade(2, 1, 0, 20 * WAD, 91 * WAD)
    debt = -world.p.ledger.account(1).cash
    assert debt > 180 * WAD
    world.p.advance(365 * 86_400)
    grown = -world.p.ledger.account(1).cash
    assert abs(grown - debt - debt * 3 * 31_536 // 10**6) <= debt // 10**6
    world.fund(1, 1)
    assert world.p.ledger.state.interest_collected >= grown - debt
    assert world.p.invariants().failures() == []


def test_open_interest_scaling__split_over_accounts__saves_at_most_formulas_5() -> None:
    """½·(1 - r_0)·ΔOI²/(H - L), and a wei an account."""
    config = Config(soft_cap=1_000_000, hard_cap=5_000_000)
    rate, span = 100_000, 4_000_000 * WAD
    for seed in range(200):
        rng = random.Random(seed)
        start = rng.randint(0, 5_000_000) * WAD
        pieces = [rng.randint(1, 10**6) * WAD for _ in range(rng.randint(2, 20))]
        total = sum(pieces)
        whole = with_surcharge(total, rate, start + total, config)
        split, interest = 0, start
        for piece in pieces:
            interest += piece
            split += with_surcharge(piece, rate, interest, config)
        bound = Fraction((PPM - rate) * total**2, 2 * PPM * span)
        assert whole - split <= bound + len(pieces)


def with_surcharge(notional: int, rate: int, interest: int, config: Config) -> int:
    required = notional * rate // PPM
    return required + margin.surcharge(notional - required, interest, config)


def test_open_interest__above_the_hard_cap__may_not_grow() -> None:
    world = World()
    world.p.set_config(0, Config(max_move=90_000, soft_cap=1_000, hard_cap=2_000))
    world.fund(1, 50_000)
    world.p.trade(1, BANK, 0, 20 * WAD, 100 * WAD)
    assert refused(lambda: world.p.trade(1, BANK, 0, WAD, 100 * WAD)) == "open interest"
    world.p.trade(1, BANK, 0, -WAD, 100 * WAD)


def test_tier_ramp__new_table__moves_maintenance_on_a_straight_line() -> None:
    world = opened({1: 10, 2: -10})
    before = world.p.margin(Basis.MAINTENANCE, 1).requirement
    dear = [
        type(row)(row.bound, row.im_calm * 2, min(PPM, row.im_storm * 2), row.mm_calm * 2, 400_000)
        for row in ROWS
    ]
    world.p.set_schedule(0, dear)
    seen = [world.p.margin(Basis.MAINTENANCE, 1).requirement]
    assert seen == [before]
    assert refused(lambda: world.p.set_schedule(0, ROWS)) == "ramping"
    for _ in range(360):
        world.report()
        seen.append(world.p.margin(Basis.MAINTENANCE, 1).requirement)
    assert seen[-1] == 2 * before
    assert all(0 <= b - a <= before // 360 + 1 for a, b in pairwise(seen))


def test_markets__sixteen__is_the_most_an_account_holds() -> None:
    p = Protocol(1_700_000_000)
    for market in range(17):
        p.list_asset(market, Config(max_move=90_000), ROWS)
    for account in (1, 2):
        p.open_account(account, CROSS)
        p.deposit(account, SETTLEMENT_TOKEN, 10**6 * MICRO)
    p.advance(10)
    quotes = [liquidation.WAD << 32 | 2**31] * 17
    p.report(p.chain.timestamp, range(17), [quotes])
    for market in range(16):
        p.trade(1, 2, market, WAD, WAD)
    assert refused(lambda: p.trade(1, 2, 16, WAD, WAD)) == "too many"
