"""Accounts whose owner is a contract: ERC-1271, honest and hostile."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import boa
import pytest

from oracle.signing import account_id

from .desk import MARKET, WAD, Desk

WALLET_GAS = 400_000
MARGIN = 200_000  # the fill, the trade the mock stores, and the probe


@pytest.fixture
def wallet(desk: Desk, wallet_deployer: Any) -> Any:
    """A wallet whose key is the maker's."""
    return wallet_deployer.deploy(desk.maker.address)


@pytest.fixture(scope="session")
def liar_deployer() -> Any:
    return boa.load_partial("contracts/mocks/ReturnBombWallet.vy")


@pytest.fixture
def liar(desk: Desk, liar_deployer: Any) -> Any:
    return liar_deployer.deploy()


def test_fill__signed_by_the_wallets_key__trades_for_the_wallet(desk: Desk, wallet: Any) -> None:
    account = account_id(str(wallet.address), 3)
    desk.fill(desk.order(account=account))
    assert desk.trades() == [(account, desk.taker_account, MARKET, 10 * WAD, 2_000 * WAD, 0)]


@pytest.mark.parametrize("length", [66, 130, 975, 1024])
def test_fill__long_wallet_signature__reaches_the_wallet(
    desk: Desk, wallet: Any, length: int
) -> None:
    order = desk.order(account=account_id(str(wallet.address)))
    desk.fill(order, signature=desk.sign(order).ljust(length, b"\x07"))


def test_fill__signed_by_another_key_than_the_wallets__reverts(desk: Desk, wallet: Any) -> None:
    order = desk.order(account=account_id(str(wallet.address)))
    with boa.reverts("signature"):
        desk.fill(order, signature=desk.sign(order, desk.stranger))


def test_fill__wallet_reverts__reverts(desk: Desk, wallet: Any) -> None:
    order = desk.order(account=account_id(str(wallet.address)))
    with boa.reverts("signature"):
        desk.fill(order, signature=b"short")


def test_fill__wallet_key_signs_for_its_own_account__is_no_wallet(desk: Desk, wallet: Any) -> None:
    # The wallet's approval is asked for the wallet's accounts only.
    order = desk.order()
    with boa.reverts("signature"):
        desk.fill(order, signature=desk.sign(order).ljust(66, b"\x00"))


def test_match__two_wallets__trades(desk: Desk, wallet_deployer: Any) -> None:
    maker_wallet = wallet_deployer.deploy(desk.maker.address)
    taker_wallet = wallet_deployer.deploy(desk.taker.address)
    maker = desk.order(account=account_id(str(maker_wallet.address)))
    taker = desk.taker_order(account=account_id(str(taker_wallet.address)))
    desk.match(maker, taker)
    assert len(desk.trades()) == 1


def test_fill__wallet_takes_with_a_call__trades(desk: Desk, wallet_deployer: Any) -> None:
    wallet = wallet_deployer.deploy(desk.taker.address)
    order = desk.order()
    call = desk.gateway.fill.prepare_calldata(
        astuple(order), desk.sign(order), WAD, account_id(str(wallet.address))
    )
    wallet.execute(desk.gateway.address, call, sender=desk.taker.address)
    assert desk.trades()[0][1] == account_id(str(wallet.address))


def test_cancel__by_the_wallet__ends_its_order(desk: Desk, wallet: Any) -> None:
    order = desk.order(account=account_id(str(wallet.address)))
    call = desk.gateway.cancel.prepare_calldata(astuple(order))
    wallet.execute(desk.gateway.address, call, sender=desk.maker.address)
    with boa.reverts("cancelled"):
        desk.fill(order)


def test_cancel__by_the_wallets_key_itself__reverts(desk: Desk, wallet: Any) -> None:
    order = desk.order(account=account_id(str(wallet.address)))
    with boa.reverts("not authorised"):
        desk.gateway.cancel(astuple(order), sender=desk.maker.address)


@pytest.mark.parametrize("way", [0, 5])
def test_fill__wallet_answers_the_magic__trades(desk: Desk, liar: Any, way: int) -> None:
    # 5 returns 100 kB that begin with it: only 32 bytes are read.
    liar.set_way(way)
    desk.fill(desk.order(account=account_id(str(liar.address))), signature=b"")
    assert len(desk.trades()) == 1


@pytest.mark.parametrize("way", [1, 2, 3, 4, 6, 7, 8, 9])
def test_fill__wallet_answers_anything_else__reverts(desk: Desk, liar: Any, way: int) -> None:
    liar.set_way(way)
    order = desk.order(account=account_id(str(liar.address)))
    with boa.reverts("signature"):
        desk.fill(order, signature=desk.sign(order))
    assert liar.written() == 0


@pytest.mark.parametrize("way", [5, 6, 7, 9])
def test_fill__bomb__costs_the_caller_a_bounded_amount(desk: Desk, liar: Any, way: int) -> None:
    # Measured from outside: what a caller with all the gas in the world can lose to a wallet.
    probe = boa.load("contracts/mocks/AttackerMock.vy")
    liar.set_way(way)
    order = desk.order(account=account_id(str(liar.address)))
    call = desk.gateway.fill.prepare_calldata(
        astuple(order), b"", WAD, account_id(str(probe.address))
    )
    probe.set_plan([(desk.gateway.address, call)])
    spent = boa.env.raw_call(
        probe.address, sender=desk.taker.address, gas=20_000_000
    ).get_gas_used()
    assert probe.successes(0) == (way == 5)
    assert spent < WALLET_GAS + MARGIN


def test_fill__wallet_starved_of_gas__all_or_nothing(desk: Desk, wallet: Any) -> None:
    # KEY-13: whatever gas the caller brings, the order is filled and traded, or neither.
    order = desk.order(account=account_id(str(wallet.address)))
    outcomes = set()
    for gas in range(30_000, 450_000, 15_000):
        with boa.env.anchor():
            try:
                desk.fill(order, gas=gas)
            except boa.BoaError:
                outcomes.add(False)
            else:
                outcomes.add(True)
            assert (desk.filled(order) == 10 * WAD) == (len(desk.trades()) == 1)
    assert outcomes == {False, True}


def test_fill__owner_without_code__reverts(desk: Desk) -> None:
    # A call to nobody succeeds and answers nothing.
    order = desk.order(account=account_id(desk.stranger.address))
    with boa.reverts("signature"):
        desk.fill(order)


@pytest.mark.parametrize("precompile", range(1, 11))
def test_fill__owner_is_a_precompile__reverts(desk: Desk, precompile: int) -> None:
    # 4 answers with what it was asked, which begins with the very selector.
    order = desk.order(account=precompile << 96)
    with boa.reverts("signature"):
        desk.fill(order)
