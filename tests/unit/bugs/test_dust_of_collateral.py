# BUG: a wei of a listed token, at a known price, keeps a bankrupt account from being resolved
# ("collateral first") until nobody bought it for nothing, 2T later. The aftermath is over by then:
# P_ref is the mark of now, next to nothing may be charged, and who won has left. Who holds both
# sides gains the whole hole; everybody else pays it through h. The owner may also deposit another
# wei before each call. DESIGN 13.15 and 13.16.
from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.support.world import BANKRUPT, BTC, ETH, USD, WAD, World, events_of

TOKEN_PRICE = 1_000
MARGIN, RIVAL = 1_500, 3_000  # [USD]


@pytest.fixture
def token(world: World) -> Any:
    world.bank()
    return world.list_token(TOKEN_PRICE * WAD)[1]


def crash(world: World, token: Any, amount: int) -> tuple[int, int]:
    """Both sides are one owner's; the long fails by a gap to 17,000 and holds so many tokens."""
    long, short = world.open("both", MARGIN), world.open("both", RIVAL, sub=1)
    world.trade(long, short, WAD)
    world.deposit_collateral(long, 0, token, amount)
    world.tick(p0=17_000 * WAD)
    while world.mark(BTC) != 17_000 * WAD:
        world.tick()
    assert world.liquidator.state(long) == BANKRUPT
    return long, short


@pytest.mark.parametrize("amount", [1, WAD // TOKEN_PRICE])
def test_resolve__with_dust_of_collateral__in_the_aftermath_without_capital(
    world: World, token: Any, amount: int
) -> None:
    long, short = crash(world, token, amount)
    left = world.health(long).equity
    world.liquidator.resolve(long)
    (event,) = events_of(world.liquidator, "AccountResolved")
    deficit, insured, charged, socialised = event[-4:]
    assert deficit == -left == charged
    assert insured == socialised == 0
    assert world.size(long) == 0
    assert world.custody.collateral_of(long, 0) == amount, "what counted stays"
    assert world.health(long).equity in (0, 1)
    assert world.liquidator.state(long) < BANKRUPT
    world.ledger.collect(short, BTC)
    assert world.cash(short) <= (MARGIN + RIVAL) * USD, "the pair gains nothing"


def test_resolve__more_than_dust__collateral_comes_first(world: World, token: Any) -> None:
    long, _ = crash(world, token, WAD // TOKEN_PRICE + 1)
    with boa.reverts("collateral first"):
        world.liquidator.resolve(long)


def test_resolve__another_wei_before_each_call__does_not_matter(world: World, token: Any) -> None:
    long, _ = crash(world, token, 1)
    for _ in range(3):
        world.deposit_collateral(long, 0, token, 1)
    world.liquidator.resolve(long)
    assert world.size(long) == 0


def test_resolve__dust_of_a_debtor_without_legs__is_sold_first(world: World) -> None:
    """He has nothing open that would wait: step 0, then the rest."""
    debtor = world.make_debtor("debtor", 8_500 * USD, tokens=10)
    world.drive(32, 840 * WAD, step=14_000)
    with world.as_liquidator():
        world.custody.move(debtor, world.bank(), 0, 10 * WAD - 1)
    assert world.liquidator.state(debtor) == BANKRUPT
    with boa.reverts("collateral first"):
        world.liquidator.resolve(debtor)
    assert world.size(debtor, ETH) == 0
