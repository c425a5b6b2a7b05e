"""GAS-2 (Hubble H-1): no queue has a head that blocks it; a refusing payee stops only himself."""

from __future__ import annotations

from collections.abc import Iterator

import boa
import pytest

from tests.support.world import BACKSTOP, BTC, SETTLEMENT, UNIT, WAD, World, address_of
from tests.unit.fund.till import DELAYS, Till


@pytest.fixture(scope="session")
def deployed_blacklist(deployed_world: World) -> World:
    return World(settlement="BlacklistTokenMock")


@pytest.fixture
def strict(deployed_blacklist: World) -> Iterator[World]:
    """The protocol on a settlement token with a blacklist."""
    with deployed_blacklist.fresh():
        yield deployed_blacklist


def test_exits__a_blacklisted_staker_first__others_leave(strict: World) -> None:
    till = Till(strict)
    shares = {}
    for name in ("barred", "other"):
        till.request(strict.fund, name, 1_000 * UNIT)
    till.wait(DELAYS[0])
    for name in ("barred", "other"):
        shares[name] = till.deposit(strict.fund, name, 1_000 * UNIT)
        till.request_exit(strict.fund, name, shares[name])
    till.wait(DELAYS[1])
    strict.token.set_blacklisted(address_of("barred"), True)
    with boa.reverts("blacklisted"):
        till.redeem(strict.fund, "barred", shares["barred"])
    assert till.redeem(strict.fund, "other", shares["other"]) == 1_000 * UNIT
    strict.token.set_blacklisted(address_of("barred"), False)
    assert till.redeem(strict.fund, "barred", shares["barred"]) == 1_000 * UNIT


def test_waiting__a_blacklisted_receiver__holds_nobody_up(strict: World) -> None:
    till = Till(strict)
    account = till.account("payer", 1_000)
    with strict.as_liquidator():
        for name in ("barred", "other"):
            strict.ledger.reward(account, address_of(name), 100 * 10**18)
    strict.token.set_blacklisted(address_of("barred"), True)
    with boa.reverts("blacklisted"):
        till.release(address_of("barred"))
    till.release(address_of("other"))
    assert strict.token.balanceOf(address_of("other")) == 100 * UNIT
    assert strict.custody.waiting(SETTLEMENT, address_of("barred")) == 100 * 10**18


@pytest.mark.parametrize("barred", ["trader", "winner", "caller", "vault", "fund"])
def test_resolution__whoever_is_blacklisted__goes_through(strict: World, barred: str) -> None:
    till = Till(strict)
    till.ring(BTC, 10_000)
    till.give(BTC, 100)
    trader, winner = strict.open("trader", 700), strict.open("winner", 100_000)
    strict.trade(trader, winner, WAD)
    who = {
        "vault": strict.vault.address,
        "fund": strict.fund.address,
    }.get(barred, address_of(barred))
    strict.token.set_blacklisted(who, True)
    while strict.liquidator.state(trader) < BACKSTOP:
        strict.tick(p0=strict.mark(BTC) * 998 // 1_000)
    with boa.env.prank(address_of("caller")):
        strict.liquidator.resolve(trader)
    assert strict.size(trader) == 0
    assert strict.cash(trader) >= 0
