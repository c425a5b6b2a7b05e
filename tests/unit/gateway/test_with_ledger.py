"""The gateway before the real ledger and engine: what the mocks of the other files stand for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple
from typing import Any

import boa
import pytest
from eth_account.signers.local import LocalAccount

from oracle.signing import Domain, Order, account_id, sign
from tests.support.world import BTC, CROSS, PPM, UNIT, WAD, World, fees

from .desk import UNLIMITED, person

MARK = 20_000 * WAD
GATEWAY = 1


class Venue:
    """A maker and a taker with a million each, who opted in to the gateway and hold nothing."""

    def __init__(self, world: World, deployer: Any) -> None:
        self.world = world
        self.maker, self.taker = person("maker"), person("taker")
        self.gateway = deployer.deploy(world.ledger.address, world.engine.address)
        with world.as_owner():
            world.ledger.set_gateway_at(GATEWAY, self.gateway.address)
        self.maker_account, self.taker_account = self.open(self.maker), self.open(self.taker)

    def open(self, owner: LocalAccount, gateways: int = 1 | 1 << GATEWAY, sub: int = 0) -> int:
        self.world.ledger.open_account(sub, CROSS, gateways, sender=owner.address)
        account = account_id(owner.address, sub)
        self.world.token.mint(owner.address, 10**6 * UNIT)
        self.world.token.approve(self.world.ledger.address, 10**6 * UNIT, sender=owner.address)
        self.world.ledger.deposit(account, 10**6 * UNIT, sender=owner.address)
        return account

    def order(self, size: int = WAD, **changes: Any) -> Order:
        terms: dict[str, Any] = {
            "account": self.maker_account,
            "market": BTC,
            "size": size,
            "limit_price": MARK,
            "max_fee": 200,
            "expiry": 2**40,
            "salt": 1,
        }
        return Order(**{**terms, **changes})

    def sign(self, order: Order, signer: LocalAccount) -> bytes:
        domain = Domain(boa.env.evm.patch.chain_id, str(self.gateway.address))
        return sign(order, domain, signer).packed

    def fill(self, order: Order, size: int, terms: tuple[int, int] | None = None) -> Any:
        arguments = (astuple(order), self.sign(order, self.maker), size, self.taker_account)
        if terms is None:
            return self.gateway.fill(*arguments, sender=self.taker.address)
        return self.gateway.fill_within(*arguments, terms, sender=self.taker.address)

    def match(self, maker: Order, taker: Order, size: int) -> Any:
        signatures = self.sign(maker, self.maker), self.sign(taker, self.taker)
        return self.gateway.match(astuple(maker), astuple(taker), *signatures, size)


@pytest.fixture
def venue(deployed_world: World, gateway_deployer: Any) -> Iterator[Venue]:
    with deployed_world.fresh() as world:
        yield Venue(world, gateway_deployer)


@pytest.mark.parametrize("sign_of", [1, -1])
def test_fill__real_ledger__moves_both_positions_and_takes_both_fees(
    venue: Venue, sign_of: int
) -> None:
    world, size = venue.world, WAD // 3
    price = MARK + sign_of * 7 * WAD
    fill = venue.fill(venue.order(sign_of * WAD, limit_price=price), size)
    assert tuple(fill) == (price, *fees(size, price))
    assert world.size(venue.maker_account) == sign_of * size
    assert world.size(venue.taker_account) == -sign_of * size


@pytest.mark.parametrize("size", [WAD, WAD // 3, 10**15 + 1])
def test_fill__fee_cap_of_the_very_rate__never_refuses_the_ledgers_rounding(
    venue: Venue, size: int
) -> None:
    price = MARK + 1
    venue.fill(venue.order(limit_price=price), size, (price, 500))


def test_fill__fee_cap_one_ppm_below_the_rate__reverts(venue: Venue) -> None:
    with boa.reverts("fee cap"):
        venue.fill(venue.order(max_fee=199), WAD)
    with boa.reverts("fee cap"):
        venue.fill(venue.order(), WAD, (MARK, 499))


def test_fill__account_that_did_not_opt_in__reverts(venue: Venue) -> None:
    other = venue.open(venue.maker, gateways=1, sub=9)
    with boa.reverts("not opted in"):
        venue.fill(venue.order(account=other), WAD)


def test_match__an_account_against_itself__reverts(venue: Venue) -> None:
    first, second = venue.order(), venue.order(-WAD)
    signatures = venue.sign(first, venue.maker), venue.sign(second, venue.maker)
    with boa.reverts("self trade"):
        venue.gateway.match(astuple(first), astuple(second), *signatures, WAD)


@pytest.mark.parametrize("side", [1, -1])
def test_fill__price_at_the_band__trades_and_one_wei_beyond__reverts(
    venue: Venue, side: int
) -> None:
    # LIQ-20, LIQ-22: no account is emptied into another at a price far from the mark.
    edge = MARK + side * MARK * 50_000 // PPM
    venue.fill(venue.order(side * WAD, limit_price=edge), WAD)
    with boa.reverts("price band"):
        venue.fill(venue.order(side * WAD, limit_price=edge + side), WAD)


def settle(venue: Venue) -> int:
    """The maker is long 2, the taker short; then a move begins the aftermath. The mark now."""
    world = venue.world
    venue.fill(venue.order(2 * WAD), 2 * WAD)
    world.tick(p0=MARK * 1_012 // 1_000)
    assert world.state(BTC) & 2
    return world.mark(BTC)


def test_fill__while_settling__reduces_at_the_mark_within_the_takers_terms(venue: Venue) -> None:
    mark = settle(venue)
    order = venue.order(-WAD, limit_price=mark - 100 * WAD)
    with boa.reverts("price limit"):
        venue.fill(order, WAD)  # the plain fill is for the order's price only
    with boa.reverts("price limit"):
        venue.fill(order, WAD, (mark - 1, UNLIMITED))
    fill = venue.fill(order, WAD, (mark, UNLIMITED))
    assert fill.price == mark
    assert venue.world.size(venue.maker_account) == WAD


def test_fill__while_settling__the_makers_limit_holds(venue: Venue) -> None:
    mark = settle(venue)
    with boa.reverts("limit"):
        venue.fill(venue.order(-WAD, limit_price=mark + 1), WAD, (UNLIMITED, UNLIMITED))
    venue.fill(venue.order(-WAD, limit_price=mark), WAD)


def test_match__while_settling__reduces_at_the_mark_between_the_limits(venue: Venue) -> None:
    mark = settle(venue)
    maker = venue.order(-WAD, limit_price=mark - 100 * WAD)
    taker = venue.order(WAD, account=venue.taker_account, max_fee=500, limit_price=mark - 1)
    with boa.reverts("price limit"):
        venue.match(maker, taker, WAD)
    taker = venue.order(WAD, account=venue.taker_account, max_fee=500, limit_price=mark)
    assert venue.match(maker, taker, WAD).price == mark


def test_fill__reduce_only_order__never_opens(venue: Venue) -> None:
    with boa.reverts("reduce only"):
        venue.fill(venue.order(reduce_only=True), WAD)
    venue.fill(venue.order(), WAD)
    venue.fill(venue.order(-WAD, reduce_only=True), WAD // 2)
    with boa.reverts("reduce only"):
        venue.fill(venue.order(-2 * WAD, reduce_only=True), WAD)


def test_fill__paused__reverts(venue: Venue) -> None:
    with venue.world.as_guardian():
        venue.world.engine.pause()
    with boa.reverts("paused"):
        venue.fill(venue.order(), WAD)


def test_fill__signed_by_a_session_key__is_bound_to_the_engines_mark(venue: Venue) -> None:
    key = person("keyholder")
    venue.gateway.set_session_key(
        venue.maker_account, key.address, 2**32 - 1, 1_000, MARK, sender=venue.maker.address
    )
    worst = MARK * 1_001 // 1_000
    for price, size, reason in (
        (worst + 1, WAD, "price limit"),
        (worst, WAD + 1, "daily notional"),
        (worst, WAD, None),
        (worst, 10**15, "daily notional"),
    ):
        order = venue.order(2 * WAD, limit_price=price)
        arguments = astuple(order), venue.sign(order, key), size, venue.taker_account
        if reason is None:
            venue.gateway.fill(*arguments, sender=venue.taker.address)
        else:
            with boa.reverts(reason):
                venue.gateway.fill(*arguments, sender=venue.taker.address)


def test_report_and_fill__signed_report__moves_the_mark_of_the_trade(venue: Venue) -> None:
    system, price = venue.world.system, MARK + 50 * WAD
    system.wait(60)
    report = venue.world.engine.report.prepare_calldata(*system.sign_report({BTC: price}))
    order = venue.order(limit_price=price)
    arguments = (astuple(order), venue.sign(order, venue.maker), WAD, venue.taker_account)
    venue.gateway.report_and_fill(report, *arguments, (price, 500), sender=venue.taker.address)
    assert venue.world.mark(BTC) == price


def test_report_and_fill__someone_reported_first__still_trades(venue: Venue) -> None:
    system, price = venue.world.system, MARK + 50 * WAD
    system.wait(60)
    signed = system.sign_report({BTC: price})
    system.send(*signed)
    order = venue.order(limit_price=price)
    venue.gateway.report_and_fill(
        venue.world.engine.report.prepare_calldata(*signed),
        astuple(order),
        venue.sign(order, venue.maker),
        WAD,
        venue.taker_account,
        (price, 500),
        sender=venue.taker.address,
    )
    assert venue.world.size(venue.maker_account) == WAD


def test_report_and_fill__report_of_a_stranger__reverts_the_trade(venue: Venue) -> None:
    system = venue.world.system
    system.wait(60)
    signers = [type(system.signers[0])(person(name)) for name in ("one", "two")]
    signers.sort(key=lambda signer: int(signer.address, 16))
    report = venue.world.engine.report.prepare_calldata(
        *system.sign_report({BTC: MARK}, signers=signers)
    )
    order = venue.order()
    with boa.reverts():
        venue.gateway.report_and_fill(
            report,
            astuple(order),
            venue.sign(order, venue.maker),
            WAD,
            venue.taker_account,
            (MARK, 500),
            sender=venue.taker.address,
        )
    assert venue.world.size(venue.maker_account) == 0


def test_deposit_with_permit__approved_amount__is_credited(venue: Venue) -> None:
    world, owner = venue.world, venue.maker.address
    world.token.mint(owner, 5 * UNIT)
    world.token.approve(world.ledger.address, 5 * UNIT, sender=owner)
    before = world.cash(venue.maker_account)
    venue.gateway.deposit_with_permit(
        venue.maker_account, 5 * UNIT, 0, 0, bytes(32), bytes(32), sender=owner
    )
    assert world.cash(venue.maker_account) == before + 5 * WAD


def test_fill__whole_transaction__within_the_gas_budget(venue: Venue) -> None:
    # A new order between accounts that hold the market; all contracts' work included.
    for salt in (1, 2):
        venue.fill(venue.order(salt=salt), WAD)
    computation = venue.gateway._computation
    calldata = sum(4 if byte == 0 else 16 for byte in computation.msg.data)
    assert 21_000 + calldata + computation.get_gas_used() <= 150_000
