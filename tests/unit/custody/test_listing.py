"""Listing tokens, their caps, and the tie to the ledger."""

from __future__ import annotations

import boa
import pytest

from tests.support.compiled import load
from tests.support.world import (
    PPM,
    WAD,
    World,
    address_of,
    deploy_token,
    events,
)


def list_one(world: World, contract: str, cap: int = WAD) -> int:
    with world.as_owner():
        return world.custody.list_token(contract, cap, WAD, 3_600)


def test_list_token__first_free_index__with_its_unit_and_bucket(world: World) -> None:
    token = deploy_token("TokenMock", 8)
    assert list_one(world, token.address, 5 * WAD) == 0
    assert events(world.custody) == [
        ("OutflowSet", 0, WAD, 3_600),
        ("TokenListed", 0, token.address, 5 * WAD),
    ]
    assert tuple(world.custody.listed(0)) == (token.address, 10**10, 5 * WAD, 0)
    assert world.custody.token_at(0) == token.address
    assert world.custody.token_count() == 1


def test_list_token__eight_are_the_most(world: World) -> None:
    for index in range(8):
        assert list_one(world, deploy_token("TokenMock", 18).address) == index
    with boa.reverts("token"):
        list_one(world, deploy_token("TokenMock", 18).address)


def test_list_token__twice_or_the_settlement_token__reverts(world: World) -> None:
    token = deploy_token("TokenMock", 18)
    list_one(world, token.address)
    for contract in (token.address, world.token.address):
        with boa.reverts("token"):
            list_one(world, contract)


def test_list_token__more_than_18_decimals_or_no_token__reverts(world: World) -> None:
    with boa.reverts("decimals"):
        list_one(world, deploy_token("TokenMock", 19).address)
    for contract in (world.ledger.address, address_of("nobody")):
        with boa.reverts():
            list_one(world, contract)


@pytest.mark.parametrize(("cap", "window"), [(2**64 * 10**12, 3_600), (1, 3_599), (1, 2_592_001)])
def test_list_token__bucket_out_of_bounds__reverts(world: World, cap: int, window: int) -> None:
    token = deploy_token("TokenMock", 18)
    with world.as_owner(), boa.reverts("outflow"):
        world.custody.list_token(token.address, WAD, cap, window)


def test_set_token_cap__below_what_is_there__keeps_it_and_bars_more(world: World) -> None:
    world.bank()
    index, token = world.list_token()
    trader = world.open("trader")
    world.deposit_collateral(trader, index, token, 5 * WAD)
    with world.as_owner():
        world.custody.set_token_cap(index, WAD)
        assert events(world.custody) == [("TokenCapSet", index, WAD)]
        with boa.reverts("token"):
            world.custody.set_token_cap(1, WAD)
    with boa.reverts("token cap"):
        world.deposit_collateral(trader, index, token, 1)
    world.withdraw_collateral(trader, index, 5 * WAD)


def test_set_collateral_multiple__up_to_ten(world: World) -> None:
    with world.as_owner():
        world.custody.set_collateral_multiple(10 * PPM)
        assert events(world.custody) == [("CollateralMultipleSet", 10 * PPM)]
        assert world.custody.collateral_multiple() == 10 * PPM
        with boa.reverts("multiple"):
            world.custody.set_collateral_multiple(10 * PPM + 1)


def test_set_ledger__once_and_a_contract(world: World) -> None:
    with world.as_owner():
        with boa.reverts("not ledger"):
            world.custody.set_ledger(world.gateway.address)
        custody = load("contracts/Custody.vy").deploy(world.engine.address, world.token.address)
        with boa.reverts("not ledger"):
            custody.set_ledger(address_of("nobody"))
        custody.set_ledger(world.ledger.address)
        assert events(custody) == [("LedgerSet", world.ledger.address)]
        with boa.reverts("not ledger"):
            custody.set_ledger(world.ledger.address)


def test_custody_of_another_ledger__cannot_note_collateral(world: World) -> None:
    """A second custody that names the same ledger has no say there."""
    with world.as_owner():
        other = load("contracts/Custody.vy").deploy(world.engine.address, world.token.address)
        other.set_ledger(world.ledger.address)
        token = deploy_token("TokenMock", 18)
        other.list_token(token.address, WAD, WAD, 3_600)
        other.set_collateral_multiple(PPM)
    trader = world.open("trader")
    owner = world.owner_of(trader)
    token.mint(owner, 1)
    with boa.env.prank(owner):
        token.approve(other.address, 1)
        with boa.reverts("not custody"):
            other.deposit(trader, 0, 1)


def test_holdings__only_the_tokens_asked_for(world: World) -> None:
    world.bank()
    trader = world.open("trader")
    for units in (1, 2, 3):
        index, token = world.list_token(price=WAD)
        world.deposit_collateral(trader, index, token, units)
    assert [tuple(h) for h in world.custody.holdings(trader, 0b101)] == [(0, 1), (2, 3)]
    assert world.custody.holdings(trader, 0) == []
    assert [tuple(h) for h in world.custody.holdings(trader, 0b10000010)] == [(1, 2), (7, 0)]
