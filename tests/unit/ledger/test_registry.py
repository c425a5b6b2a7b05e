"""Whom the ledger trusts: gateways by number, the liquidator, custody; the owner; sizes."""

from __future__ import annotations

import boa
import pytest

from tests.support.compiled import load
from tests.support.world import ISOLATED, UNIT, WAD, ZERO, World, address_of, deploy_token, events

STRANGER = address_of("stranger")


@pytest.fixture
def venue(world: World) -> str:
    """A second gateway."""
    return load("contracts/mocks/stubs/StubGateway.vy").deploy(world.ledger.address).address


def set_gateway(world: World, number: int, gateway: str) -> None:
    with world.as_owner():
        world.ledger.set_gateway_at(number, gateway)


def test_set_gateway_at__free_number__registers(world: World, venue: str) -> None:
    set_gateway(world, 5, venue)
    assert events(world.ledger) == [("GatewayRegistered", venue, 5)]
    assert world.ledger.gateway_at(5) == venue
    assert world.ledger.gateway_at(0) == world.gateway.address
    assert world.ledger.gateway_at(7) == ZERO


def test_set_gateway_at__number_in_use__reverts_and_changes_nothing(
    world: World, venue: str
) -> None:
    with boa.reverts("gateway"):
        set_gateway(world, 0, venue)
    a, b = world.open("a", 1_000), world.open("b", 1_000)
    world.trade(a, b, WAD // 100)


def test_set_gateway_at__number_once_used__takes_no_other(world: World, venue: str) -> None:
    """Accounts opted in to the gateway that had the number, not to the number."""
    set_gateway(world, 0, ZERO)
    assert events(world.ledger) == [("GatewayRegistered", ZERO, 0)]
    with boa.reverts("gateway"):
        set_gateway(world, 0, venue)
    a, b = world.open("a", 1_000), world.open("b", 1_000)
    with boa.reverts("not a gateway"):
        world.trade(a, b, WAD // 100)


def test_set_gateway_at__one_contract__has_one_number(world: World) -> None:
    with boa.reverts("gateway"):
        set_gateway(world, 1, world.gateway.address)


def test_set_gateway_at__no_code__reverts(world: World) -> None:
    with boa.reverts("no code"):
        set_gateway(world, 1, STRANGER)


@pytest.mark.parametrize("number", [8, 255, 2**256 - 1])
def test_set_gateway_at__number_beyond_eight__reverts(
    world: World, venue: str, number: int
) -> None:
    with boa.reverts():
        set_gateway(world, number, venue)


def test_set_liquidator__a_contract__replaces_the_old(world: World, venue: str) -> None:
    with world.as_owner():
        with boa.reverts("no code"):
            world.ledger.set_liquidator(STRANGER)
        world.ledger.set_liquidator(venue)
    assert events(world.ledger) == [("LiquidatorSet", venue)]
    assert world.ledger.liquidator() == venue
    saver = world.open("saver")
    with world.as_liquidator(), boa.reverts("not liquidator"):
        world.ledger.write_off(saver, 0, 0)
    with boa.env.prank(venue):
        world.ledger.write_off(saver, 0, 0)


@pytest.mark.parametrize("role", ["stranger", "guardian", "gateway", "liquidator", "custody"])
def test_setters__by_anyone_but_the_owner__revert(world: World, role: str) -> None:
    callers = {
        "stranger": STRANGER,
        "guardian": world.guardian,
        "gateway": world.gateway.address,
        "liquidator": world.liquidator.address,
        "custody": world.custody.address,
    }
    target = world.gateway.address
    with boa.env.prank(callers[role]):
        for setter in (
            lambda: world.ledger.set_gateway_at(1, target),
            lambda: world.ledger.set_liquidator(target),
            lambda: world.ledger.set_interest_rate(0),
            lambda: world.ledger.settle_market(0),
            lambda: world.ledger.hand_over(target),
            lambda: world.custody.hand_over(target),
            lambda: world.custody.set_ledger(target),
            lambda: world.custody.list_token(target, 1, 1, 3_600),
            lambda: world.custody.set_token_cap(0, 1),
            lambda: world.custody.set_collateral_multiple(1),
            lambda: world.custody.set_outflow(255, 1, 3_600),
        ):
            with boa.reverts("not owner"):
                setter()


def test_hand_over__to_a_contract__moves_every_setter(world: World, venue: str) -> None:
    for contract in (world.ledger, world.custody):
        with world.as_owner():
            for nobody in (ZERO, STRANGER, world.owner):
                with boa.reverts("no code"):
                    contract.hand_over(nobody)
            contract.hand_over(venue)
        assert contract.owner() == venue
        with world.as_owner(), boa.reverts("not owner"):
            contract.hand_over(venue)
    with boa.env.prank(venue):
        world.ledger.set_interest_rate(1)


@pytest.mark.parametrize("role", ["stranger", "owner", "liquidator", "gateway", "trader"])
def test_note_collateral__by_anyone_but_custody__reverts(world: World, role: str) -> None:
    trader = world.open("trader")
    callers = {
        "stranger": STRANGER,
        "owner": world.owner,
        "liquidator": world.liquidator.address,
        "gateway": world.gateway.address,
        "trader": world.owner_of(trader),
    }
    with boa.env.prank(callers[role]), boa.reverts("not custody"):
        world.ledger.note_collateral(trader, 1)


def test_note_collateral__by_custody__writes_the_bits_only(world: World) -> None:
    trader = world.open("trader", 10)
    bucket = world.open("trader", mode=ISOLATED, sub=1)
    before = world.account(trader)
    with boa.env.prank(world.custody.address):
        world.ledger.note_collateral(trader, 0b10000001)
        after = world.account(trader)
        assert after.tokens == 0b10000001
        assert (after.cash, after.mode, after.gateways) == (before.cash, before.mode, 1)
        with boa.reverts("mode"):
            world.ledger.note_collateral(bucket, 1)
        with boa.reverts("not opened"):
            world.ledger.note_collateral(trader | 2, 1)


def test_deployment__without_code_at_its_parts__reverts(world: World) -> None:
    ledger, custody = load("contracts/Clearinghouse.vy"), load("contracts/Custody.vy")
    engine, token = world.engine.address, world.token.address
    good = (engine, token, world.custody.address)
    for i in range(3):
        parts = list(good)
        parts[i] = STRANGER
        with boa.reverts("no code"):
            ledger.deploy(*parts)
    for parts in ((STRANGER, token), (engine, STRANGER)):
        with boa.reverts("no code"):
            custody.deploy(*parts)


def test_deployment__settlement_token_of_more_than_18_decimals__reverts(world: World) -> None:
    token = deploy_token("TokenMock", 19)
    with boa.reverts("decimals"):
        load("contracts/Custody.vy").deploy(world.engine.address, token.address)
    with boa.reverts("decimals"):
        load("contracts/Clearinghouse.vy").deploy(
            world.engine.address, token.address, world.custody.address
        )


@pytest.mark.parametrize("decimals", [0, 6, 18])
def test_settlement_token__of_any_decimals__counts_in_wad(decimals: int) -> None:
    with boa.env.anchor():
        world = World(markets={}, decimals=decimals)
        saver = world.open("saver")
        world.deposit(saver, 3)
        assert world.cash(saver) == 3 * 10 ** (18 - decimals)
        world.withdraw(saver, 2)
        assert world.cash(saver) == 10 ** (18 - decimals)
        assert world.token.balanceOf(world.owner_of(saver)) == 2


def test_views__of_the_parts(world: World) -> None:
    assert world.ledger.engine() == world.engine.address
    assert world.ledger.settlement() == world.token.address
    assert world.ledger.custody() == world.custody.address
    assert world.ledger.liquidator() == world.liquidator.address
    assert world.custody.ledger() == world.ledger.address
    assert world.ledger.owner() == world.custody.owner() == world.owner


def test_check_outflow__says_what_a_withdrawal_would(world: World) -> None:
    saver = world.open("saver", 1)
    assert world.ledger.check_outflow(saver) is True
    debtor = world.make_debtor("debtor", 1)
    with boa.reverts("cash"):
        world.ledger.check_outflow(debtor)
    long, short = world.open("long", 405), world.open("short", 10_000)
    world.trade(long, short, WAD)
    assert world.ledger.check_outflow(long)
    world.tick(p0=19_990 * WAD)
    with boa.reverts("initial margin"):
        world.ledger.check_outflow(long)
    world.system.wait(700)
    with boa.reverts("settling"):
        world.ledger.check_outflow(short)
    with world.as_guardian():
        world.engine.pause()
    with boa.reverts("paused"):
        world.ledger.check_outflow(short)


@pytest.mark.parametrize("path", ["contracts/Clearinghouse.vy", "contracts/Custody.vy"])
def test_size__is_below_the_limit(path: str) -> None:
    """GAS-5: EIP-170 with the compile flags of the source, and room to spare."""
    assert len(load(path).compiler_data.bytecode_runtime) <= 22_000


def test_accounts__of_one_owner__are_independent(world: World) -> None:
    one, two = world.open("owner", 10), world.open("owner", 20, sub=2**96 - 1)
    world.withdraw(one, 10 * UNIT)
    assert (world.cash(one), world.cash(two)) == (0, 20 * WAD)
