"""TIER-3, TIER-5: splitting saves the convexity of the tiers, never the market's caps."""

from __future__ import annotations

import boa
import pytest

from tests.support.world import BTC, CALM_IM, INITIAL, USD, WAD, World, requirement

PRICE = 20_000 * WAD


def test_ten_accounts__together__reach_the_hard_cap_and_not_a_wei_more(world: World) -> None:
    world.set_config(BTC, soft_cap=50_000, hard_cap=100_000)
    other = world.open("other", 1_000_000)
    accounts = [world.open(f"wallet {i}", 100_000) for i in range(10)]
    for account in accounts:
        world.trade(account, other, WAD // 2)
    late = world.open("late", 100_000)
    with boa.reverts("open interest"):
        world.trade(late, other, 10**15)
    total = sum(world.health(a, INITIAL).requirement for a in accounts)
    assert total == 100_000 * USD, "at the hard cap margin is the whole notional, split or not"


@pytest.mark.parametrize("parts", [2, 5, 10])
def test_splitting__saves_at_most_what_the_formula_says(world: World, parts: int) -> None:
    """FORMULAS 5: sum over brackets of (r_k - r_{k-1})·max(0, N - U_{k-1})."""
    other, size = world.open("other", 1_000_000), 100 * WAD
    accounts = [world.open(f"wallet {i}", 200_000) for i in range(parts)]
    for account in accounts:
        world.trade(account, other, size // parts)
    split = sum(world.health(a, INITIAL).requirement for a in accounts)
    whole = requirement(size, PRICE, CALM_IM)
    n = size * 20_000
    most = (40_000 - 20_000) * max(0, n - 100_000 * USD)
    most += (100_000 - 40_000) * max(0, n - 1_000_000 * USD)
    assert whole - parts <= split + most // 10**6
    assert split == parts * requirement(size // parts, PRICE, CALM_IM)


def test_splitting__with_open_interest_scaling__saves_at_most_half_the_surcharge(
    world: World,
) -> None:
    world.set_config(BTC, soft_cap=50_000, hard_cap=1_000_000)
    other = world.open("other", 3_000_000)
    with boa.env.anchor():
        one = world.open("one", 2_000_000)
        world.trade(one, other, 25 * WAD)
        whole = world.health(one, INITIAL).requirement
    spent = 0
    for i in range(5):
        account = world.open(f"wallet {i}", 2_000_000)
        world.trade(account, other, 5 * WAD)
        spent += world.health(account, INITIAL).requirement
    n = 500_000 * USD
    tiers = requirement(25 * WAD, PRICE, CALM_IM) - 5 * requirement(5 * WAD, PRICE, CALM_IM)
    scaling = (n - n * 20_000 // 10**6) * (n - 50_000 * USD) // (950_000 * USD) // 2
    assert whole - spent <= tiers + scaling + 10


def test_withdrawing_after_the_market_filled__asks_the_scaled_margin(world: World) -> None:
    """Those who came early cannot pull their margin once others filled the market."""
    world.set_config(BTC, soft_cap=50_000, hard_cap=100_000)
    early, other = world.open("early", 1_000), world.open("other", 1_000_000)
    world.trade(early, other, WAD)
    world.withdraw(early, 500 * 10**6)
    late = world.open("late", 100_000)
    world.trade(late, other, 3 * WAD)
    with boa.reverts("initial margin"):
        world.withdraw(early, 1)
    assert world.liquidator.state(early) in (0, 1)
