"""The insurance fund: shares in and out on time, losses borne meanwhile, buckets to the wei."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle.engine.chain import Chain
from oracle.engine.shares import Delays, Shares
from tests.support.world import BTC, DELAYS, ETH, SETTLEMENT, UNIT, USD, WAD, World, address_of
from tests.unit.fund.till import VIRTUAL, WINDOW, Till

ROWS = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


# Seconds after a request is due, and whether it may be used.
DUE = [
    (-2, False),
    (-1, False),
    (0, True),
    (1, True),
    (WINDOW - 1, True),
    (WINDOW, True),
    (WINDOW + 1, False),
    (WINDOW + 2, False),
]


def lose(world: World, amount: int, market: int = BTC) -> int:
    """The fund covers `amount` [USD wad] of a market, as far as it can."""
    with world.as_liquidator():
        return int(world.fund.cover(market, amount))


# --- in ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["fund", "vault"])
@pytest.mark.parametrize(
    ("after", "allowed"),
    DUE,
)
def test_deposit__only_within_its_window(
    world: World, which: str, after: int, allowed: bool
) -> None:
    till, target = Till(world), getattr(world, which)
    till.request(target, "staker", 1_000 * UNIT)
    till.wait(DELAYS[0] + after)
    assert target.maxDeposit(address_of("staker")) == (1_000 * UNIT if allowed else 0)
    if allowed:
        assert till.deposit(target, "staker", 1_000 * UNIT) == 1_000 * UNIT * VIRTUAL
        assert target.totalAssets() == 1_000 * UNIT
    else:
        with boa.reverts("not due"):
            till.deposit(target, "staker", 1_000 * UNIT)
        assert target.totalAssets() == 0


@pytest.mark.parametrize("which", ["fund", "vault"])
def test_request_deposit__more__begins_anew_for_all(world: World, which: str) -> None:
    till, target = Till(world), getattr(world, which)
    till.request(target, "staker", 1_000 * UNIT)
    till.wait(DELAYS[0])
    till.request(target, "staker", 1)
    with boa.reverts("not due"):
        till.deposit(target, "staker", 1)
    till.wait(DELAYS[0])
    till.deposit(target, "staker", 1_000 * UNIT + 1)
    with boa.reverts("not due"):
        till.deposit(target, "staker", 1)


@pytest.mark.parametrize("which", ["fund", "vault"])
def test_request_deposit__missed__is_begun_anew_with_nothing_or_cancelled(
    world: World, which: str
) -> None:
    till, target = Till(world), getattr(world, which)
    till.request(target, "staker", 7)
    till.wait(DELAYS[0] + WINDOW + 1)
    with boa.env.prank(address_of("staker")):
        target.request_deposit(0)
    till.wait(DELAYS[0])
    till.deposit(target, "staker", 3)
    with boa.env.prank(address_of("staker")):
        target.cancel_deposit()
        assert world.token.balanceOf(address_of("staker")) == 4
        target.cancel_deposit()
        assert world.token.balanceOf(address_of("staker")) == 4
    with boa.env.prank(address_of("nobody")), boa.reverts("amount"):
        target.request_deposit(0)


@pytest.mark.parametrize("which", ["fund", "vault"])
def test_tokens_that_wait__earn_and_lose_nothing(world: World, which: str) -> None:
    """Nobody comes in for a gain: what was handed in is not in the assets."""
    till, target = Till(world), getattr(world, which)
    till.stake(target, "old", 1_000 * UNIT)
    till.request(target, "new", 5_000 * UNIT)
    assert target.totalAssets() == 1_000 * UNIT
    if which == "fund":
        till.give(BTC, 500)
        assert lose(world, 200 * USD) == 200 * USD
        assert target.totalAssets() == 1_300 * UNIT


# --- out -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["fund", "vault"])
@pytest.mark.parametrize(
    ("after", "allowed"),
    DUE,
)
def test_redeem__only_within_its_window(
    world: World, which: str, after: int, allowed: bool
) -> None:
    till, target = Till(world), getattr(world, which)
    shares = till.stake(target, "staker", 1_000 * UNIT)
    till.request_exit(target, "staker", shares)
    till.wait(DELAYS[1] + after)
    assert target.maxRedeem(address_of("staker")) == (shares if allowed else 0)
    if allowed:
        assert till.redeem(target, "staker", shares) == 1_000 * UNIT
        assert world.token.balanceOf(address_of("staker")) == 1_000 * UNIT
        assert target.totalSupply() == 0
    else:
        with boa.reverts("not due"):
            till.redeem(target, "staker", shares)
        assert target.totalAssets() == 1_000 * UNIT


@pytest.mark.parametrize("loss", [0, 1, 333, 10**12 - 1, 10**12, 499 * USD + 7, 1_000 * USD])
def test_exit_queue__bears_a_loss_to_the_unit(world: World, loss: int) -> None:
    """Two stakers of 1,000 and 2,000; one leaves while the fund loses up to a third."""
    till = Till(world)
    till.give(BTC, 1)
    lose(world, USD)
    with world.as_owner():
        world.fund.set_bucket_cap(ETH, 0)
    till.request(world.fund, "leaver", 1_000 * UNIT)
    till.request(world.fund, "stayer", 2_000 * UNIT)
    till.wait(DELAYS[0])
    shares = till.deposit(world.fund, "leaver", 1_000 * UNIT)
    till.deposit(world.fund, "stayer", 2_000 * UNIT)
    till.fees(2_000 * USD)  # fills the bucket; the fund's assets with it
    world.ledger.sweep(BTC)
    till.request_exit(world.fund, "leaver", shares)
    assets = world.custody.insurance()
    assert lose(world, loss) == loss
    assert world.custody.insurance() == assets - loss
    till.wait(DELAYS[1])
    till.rest()
    total, supply = world.fund.totalAssets(), world.fund.totalSupply()
    assert total == (assets - loss) // 10**12
    paid = till.redeem(world.fund, "leaver", shares)
    assert paid == shares * (total + 1) // (supply + VIRTUAL)
    assert world.token.balanceOf(address_of("leaver")) == paid
    assert world.custody.insurance() == assets - loss - paid * 10**12


@pytest.mark.parametrize("which", ["fund", "vault"])
def test_locked_shares__cannot_be_transferred_nor_locked_twice(world: World, which: str) -> None:
    till, target = Till(world), getattr(world, which)
    shares = till.stake(target, "staker", 10 * UNIT)
    till.request_exit(target, "staker", shares - 5)
    staker = address_of("staker")
    assert target.balanceOf(staker) == 5
    with boa.env.prank(staker):
        with boa.reverts():
            target.transfer(address_of("other"), 6)
        with boa.reverts():
            target.request_redeem(6)
        with boa.reverts():
            target.transferFrom(target.address, staker, 1)
        target.transfer(address_of("other"), 5)
    with boa.env.prank(address_of("other")):
        with boa.reverts("not owner"):
            target.redeem(1, address_of("other"), staker)
        with boa.reverts("not due"):
            target.redeem(5, address_of("other"), address_of("other"))
    with boa.env.prank(staker):
        target.cancel_redeem()
        assert target.balanceOf(staker) == shares - 5
        target.cancel_redeem()
        assert target.balanceOf(staker) == shares - 5


@pytest.mark.parametrize("which", ["fund", "vault"])
def test_shares__bought_from_another__wait_all_the_same(world: World, which: str) -> None:
    """A due request is the owner's: it does not go with the shares."""
    till, target = Till(world), getattr(world, which)
    shares = till.stake(target, "staker", 10 * UNIT)
    till.request_exit(target, "staker", 1)
    till.wait(DELAYS[1])
    with boa.env.prank(address_of("staker")):
        target.transfer(address_of("buyer"), shares - 1)
    with boa.reverts("not due"):
        till.redeem(target, "buyer", shares - 1)
    with boa.reverts("not due"):
        till.redeem(target, "staker", 2)


def test_redeem__while_an_insured_market_settles__barred(world: World) -> None:
    till = Till(world)
    shares = till.stake(world.fund, "staker", 1_000 * UNIT)
    till.request_exit(world.fund, "staker", shares)
    till.wait(DELAYS[1])
    till.rest()
    till.rest(ETH)
    world.tick(p0=19_000 * WAD)
    assert world.state(BTC) & 3 != 0
    with boa.env.anchor():  # no bucket: the fund has nothing at stake there
        assert till.redeem(world.fund, "staker", shares) == 1_000 * UNIT
    till.give(BTC, 1)
    with boa.reverts("settling"):
        till.redeem(world.fund, "staker", shares)
    with boa.env.anchor(), world.as_owner():
        world.fund.set_bucket_cap(BTC, 0)
        assert till.redeem(world.fund, "staker", shares) == 1_001 * UNIT - 1
    till.rest()
    assert till.redeem(world.fund, "staker", shares) == 1_001 * UNIT - 1


# --- rounding ------------------------------------------------------------------------------------


@given(
    gifts=st.lists(st.integers(0, 10**9), min_size=2, max_size=2),
    first=st.integers(1, 10**10),
    second=st.integers(1, 10**10),
    loss=st.integers(0, 10**22),
)
@settings(ROWS, max_examples=20)
def test_round_trip__never_gains(
    world: World, gifts: list[int], first: int, second: int, loss: int
) -> None:
    """In and out at once, whatever the price of a share: at most what was put in."""
    with boa.env.anchor():
        till, fund = Till(world), world.fund
        till.give(BTC, 10**4)
        lose(world, 10**4 * USD)
        till.stake(fund, "first", first)
        if gifts[0]:
            owner = address_of("giver")
            world.token.mint(owner, gifts[0])
            with boa.env.prank(owner):
                fund.give(BTC, gifts[0])
        lose(world, loss)
        till.request(fund, "second", second)
        till.wait(DELAYS[0])
        expected = second * (fund.totalSupply() + VIRTUAL) // (fund.totalAssets() + 1)
        assert fund.previewDeposit(second) == expected
        if expected == 0:
            with boa.reverts("amount"):
                till.deposit(fund, "second", second)
            return
        shares = till.deposit(fund, "second", second)
        assert shares == expected
        assert fund.convertToAssets(shares) <= second
        till.request_exit(fund, "second", shares)
        till.wait(DELAYS[1])
        till.rest()
        assert till.redeem(fund, "second", shares) <= second
        assert till.held() == till.totals().tokens + till.totals().insurance


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["deposit", "mint", "redeem", "withdraw", "give", "lose"]),
            st.integers(1, 10**9),
        ),
        min_size=3,
        max_size=10,
    )
)
@settings(ROWS, max_examples=12)
def test_any_story__shares_agree_with_the_twin(world: World, story: list[tuple[str, int]]) -> None:
    with boa.env.anchor():
        till, fund = Till(world), world.fund
        owner, person = address_of("staker"), 1
        chain = Chain(world.system.time)
        twin = Shares(chain, Delays(*DELAYS))
        till.give(BTC, 1)
        till.request(fund, "staker", 10**11)
        twin.request_deposit(person, 10**11)
        till.wait(DELAYS[0])
        assets = UNIT
        for verb, amount in [("deposit", 10**9), *story]:
            chain.timestamp = world.system.time
            with boa.env.prank(owner):
                if verb == "deposit" and twin.shares_down(amount, assets):
                    assert fund.deposit(amount, owner) == twin.enter(person, amount, assets)
                    assets += amount
                elif verb == "mint":
                    shares = amount * VIRTUAL + 1
                    cost = twin.shares_up(0, 0) + twin.assets_up(shares, assets)
                    assert fund.previewMint(shares) == cost
                    if cost <= fund.maxDeposit(owner):
                        assert fund.mint(shares, owner) == cost
                        twin.state.supply += shares
                        twin.state.balances[person] = twin.balance_of(person) + shares
                        assets += cost
                elif verb in ("redeem", "withdraw"):
                    shares = min(amount * VIRTUAL, fund.balanceOf(owner))
                    paid = twin.assets_down(shares, assets)
                    if verb == "withdraw":
                        shares = twin.shares_up(paid, assets)
                    if shares == 0 or paid == 0:
                        continue
                    fund.request_redeem(shares)
                    twin.request_redeem(person, shares)
                    world.system.wait(DELAYS[1])
                    world.calm()
                    chain.timestamp = world.system.time
                    if verb == "redeem":
                        assert fund.redeem(shares, owner, owner) == paid
                        assert twin.leave(person, shares, assets) == paid
                    else:
                        assert fund.withdraw(paid, owner, owner) == shares
                        twin.leave(person, shares, assets)
                    assets -= paid
                    fund.request_deposit(0)
                    world.system.wait(DELAYS[0])
                    twin.state.deposits[person] = type(twin.state.deposits[person])(
                        twin.state.deposits[person].amount, world.system.time
                    )
                elif verb == "give":
                    world.token.mint(owner, amount)
                    fund.give(BTC, amount)
                    assets += amount
            if verb == "lose":
                assets -= lose(world, amount * 10**12) // 10**12
            assert fund.totalAssets() == assets
            assert fund.totalSupply() == twin.state.supply
            assert fund.balanceOf(owner) == twin.balance_of(person)


# --- inflation (ACC-3) ---------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["fund", "vault"])
def test_tokens_sent_directly__change_no_price(world: World, which: str) -> None:
    till, target = Till(world), getattr(world, which)
    till.stake(target, "attacker", 1)
    for holder in (target.address, world.custody.address):
        world.token.mint(holder, 10**18)
    assert target.totalAssets() == 1
    assert till.stake(target, "victim", 1_000 * UNIT) == 1_000 * UNIT * VIRTUAL
    assert target.convertToAssets(1_000 * UNIT * VIRTUAL) == 1_000 * UNIT


@pytest.mark.parametrize("gift", [1, 10**6, 10**12, 10**13])
@pytest.mark.parametrize("which", ["fund", "vault"])
def test_first_depositor__who_gives_to_raise_the_price__loses_more_than_the_victim(
    world: World, which: str, gift: int
) -> None:
    """One unit in, up to ten million USD given, a victim of 10,000 USD after it."""
    till, target = Till(world), getattr(world, which)
    mine = till.stake(target, "attacker", 1)
    attacker, victim = address_of("attacker"), 10_000 * UNIT
    world.token.mint(attacker, gift)
    with boa.env.prank(attacker):
        target.give(*([BTC] if which == "fund" else []), gift)
    shares = till.stake(target, "victim", victim)
    lost = victim - target.convertToAssets(shares)
    gained = target.convertToAssets(mine) - 1 - gift
    assert lost <= (gift + victim) // (2 * VIRTUAL) + 2, "a share at most"
    assert gained <= -(gift // 2) + lost + 1


@pytest.mark.parametrize("units", [1, 10**6, 10**12])
def test_total_loss__then_a_new_depositor__owns_nearly_all(world: World, units: int) -> None:
    till, fund = Till(world), world.fund
    old = till.stake(fund, "old", units)
    with world.as_owner():
        fund.set_bucket_cap(BTC, 10**33)
    with boa.env.prank(world.custody.address):
        fund.note_income(BTC, 10**33)  # filled by fees whose stakers left since
    assert lose(world, 10**33) == units * 10**12
    assert fund.totalAssets() == 0
    assert fund.convertToAssets(old) == 0
    new = till.stake(fund, "new", 10**9)
    assert fund.convertToAssets(new) >= 10**9 - 1
    assert fund.convertToAssets(old) <= 1


# --- buckets -------------------------------------------------------------------------------------


@pytest.mark.parametrize("beyond", [-2, -1, 0, 1, 2])
def test_bucket__is_filled_by_its_own_fees_up_to_its_cap(world: World, beyond: int) -> None:
    till, fund = Till(world), world.fund
    till.fees(1)
    world.ledger.sweep(BTC)
    with world.as_owner():
        fund.set_bucket_cap(BTC, 100 * USD)
        fund.set_bucket_cap(ETH, 100 * USD)
    before = world.custody.insurance()
    till.fees(100 * USD + beyond)
    world.ledger.sweep(BTC)
    assert fund.bucket_of(BTC) == 100 * USD + min(0, beyond)
    assert fund.bucket_of(ETH) == 0
    assert world.custody.insurance() - before == 100 * USD + beyond
    assert fund.cap_of(BTC) == 100 * USD


@pytest.mark.parametrize("bound", ["due", "bucket", "assets"])
@pytest.mark.parametrize("gap", [-2, -1, 0, 1, 2])
def test_cover__is_the_least_of_due_bucket_and_assets(world: World, bound: str, gap: int) -> None:
    """The named bound is 100 USD, the next one that much and a few wei."""
    till, fund = Till(world), world.fund
    least, other = 100 * USD, 100 * USD + gap
    with world.as_owner():
        fund.set_bucket_cap(BTC, 10**30)
    till.account("saver", 2 * 10**6)
    with boa.env.prank(fund.address):
        world.custody.add_insurance(least if bound == "assets" else 10**24)
    with boa.env.prank(world.custody.address):
        fund.note_income(BTC, least if bound == "bucket" else other)
    due = least if bound == "due" else 10**24
    if bound == "assets":
        due = other
    expected = min(due, fund.bucket_of(BTC), world.custody.insurance())
    assert expected in (least, min(least, other))
    assets, bucket = world.custody.insurance(), fund.bucket_of(BTC)
    assert fund.coverable(BTC, due) == expected
    assert lose(world, due) == expected
    assert world.custody.insurance() == assets - expected
    assert fund.bucket_of(BTC) == bucket - expected


def test_cap_lowered__what_is_above_is_so_no_more__and_stays_the_funds(world: World) -> None:
    till, fund = Till(world), world.fund
    till.give(BTC, 100)
    with world.as_owner():
        fund.set_bucket_cap(BTC, 60 * USD + 1)
        assert fund.bucket_of(BTC) == 60 * USD + 1
        fund.set_bucket_cap(BTC, 10**30)
    assert fund.bucket_of(BTC) == 60 * USD + 1
    assert world.custody.insurance() == 100 * USD
    assert lose(world, 100 * USD) == 60 * USD + 1


@pytest.mark.parametrize(("cap", "allowed"), [(2**112 - 1, True), (2**112, False)])
def test_set_bucket_cap__bounds(world: World, cap: int, allowed: bool) -> None:
    with world.as_owner():
        if allowed:
            world.fund.set_bucket_cap(32, cap)
            assert world.fund.cap_of(32) == cap
        else:
            with boa.reverts("amount"):
                world.fund.set_bucket_cap(32, cap)
        with boa.reverts():
            world.fund.set_bucket_cap(33, 1)


def test_verbs_of_the_protocol__anyone_else__refused(world: World) -> None:
    strangers: list[Any] = [world.owner, world.ledger.address, address_of("staker")]
    for caller in [*strangers, world.custody.address]:
        with boa.env.prank(caller), boa.reverts("not liquidator"):
            world.fund.cover(BTC, 1)
    for caller in [*strangers, world.liquidator.address]:
        with boa.env.prank(caller), boa.reverts("not custody"):
            world.fund.note_income(BTC, 1)
    with boa.env.prank(address_of("staker")), boa.reverts():
        world.fund.set_bucket_cap(BTC, 1)


def test_give__nothing__refused(world: World) -> None:
    with boa.reverts("amount"):
        world.fund.give(BTC, 0)


# --- payees --------------------------------------------------------------------------------------


def test_redeem__more_than_the_outflow_bucket_holds__waits(world: World) -> None:
    till, fund = Till(world), world.fund
    shares = till.stake(fund, "staker", 1_000 * UNIT)
    till.request_exit(fund, "staker", shares)
    till.account("saver", 1)
    till.release(address_of("nobody"))  # takes note of what is held
    till.wait(DELAYS[1])
    till.rest()
    till.release(address_of("nobody"))
    with world.as_owner():
        world.custody.set_outflow(SETTLEMENT, 400 * USD, 3_600)
    assert till.redeem(fund, "staker", shares) == 1_000 * UNIT
    paid = world.token.balanceOf(address_of("staker"))
    assert paid * 10**12 + world.custody.waiting(SETTLEMENT, address_of("staker")) == 1_000 * USD
    assert world.custody.insurance() == 0
    assert fund.totalAssets() == 0
