"""KEY-10: every function that writes, called by everyone who might; the table is the decision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple
from typing import Any

import boa
import pytest

from .desk import NOON, UNLIMITED, WAD, Desk

ROLES = ("owner", "key", "taker", "stranger")

ALLOWED = {
    "fill": {"taker"},
    "fill_within": {"taker"},
    "report_and_fill": {"taker"},
    "match": {"owner", "key", "taker", "stranger"},
    "cancel": {"owner", "key"},
    "raise_min_salt": {"owner"},
    "set_session_key": {"owner"},
    "revoke_session_key": {"owner"},
    "deposit_with_permit": {"owner"},
}


def call(desk: Desk, function: str, sender: str) -> Any:
    """The function, about the maker's account (or his order), with arguments that are right."""
    order, taker_order = desk.order(), desk.taker_order()
    signed = (astuple(order), desk.sign(order), WAD, desk.taker_account)
    terms = (0, UNLIMITED)
    push = desk.engine.push.prepare_calldata(bytes(32), NOON, [], [])
    arguments: dict[str, Callable[[], tuple]] = {
        "fill": lambda: signed,
        "fill_within": lambda: (*signed, terms),
        "report_and_fill": lambda: (push, *signed, terms),
        "match": lambda: (
            astuple(order),
            astuple(taker_order),
            desk.sign(order),
            desk.sign(taker_order, desk.taker),
            WAD,
        ),
        "cancel": lambda: (astuple(order),),
        "raise_min_salt": lambda: (desk.maker_account, 1),
        "set_session_key": lambda: (desk.maker_account, desk.stranger.address, NOON, 0, 0),
        "revoke_session_key": lambda: (desk.maker_account, desk.keyholder.address),
        "deposit_with_permit": lambda: (desk.maker_account, 1, 0, 0, bytes(32), bytes(32)),
    }
    return getattr(desk.gateway, function)(*arguments[function](), sender=sender)


@pytest.fixture
def furnished(desk: Desk, token_deployer: Any) -> Desk:
    token = token_deployer.deploy("USD Coin", "USDC", 6)
    token.mint(desk.maker.address, 1)
    token.approve(desk.clearinghouse.address, 1, sender=desk.maker.address)
    desk.clearinghouse.set_settlement(token.address)
    desk.set_key()
    return desk


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("function", ALLOWED)
def test_every_function__every_role__as_the_table_says(
    furnished: Desk, function: str, role: str
) -> None:
    desk = furnished
    people = {
        "owner": desk.maker,
        "key": desk.keyholder,
        "taker": desk.taker,
        "stranger": desk.stranger,
    }
    if role in ALLOWED[function]:
        call(desk, function, people[role].address)
    else:
        with boa.reverts():
            call(desk, function, people[role].address)


def test_table__names_every_function_that_writes(desk: Desk) -> None:
    abi = desk.gateway.abi
    writing = {
        entry["name"]
        for entry in abi
        if entry["type"] == "function" and entry["stateMutability"] not in ("view", "pure")
    }
    assert writing == set(ALLOWED)


def test_abi__nothing_takes_ether(desk: Desk) -> None:
    assert all(entry.get("stateMutability") != "payable" for entry in desk.gateway.abi)


def test_source__no_tx_origin() -> None:
    # KEY-9
    modules = ("matching", "orders", "permits", "session_keys", "session_words", "signatures")
    paths = ["contracts/OrderGateway.vy", *(f"contracts/modules/{name}.vy" for name in modules)]
    for path in paths:
        with open(path) as file:
            assert "tx.origin" not in file.read()


@pytest.mark.parametrize("which", [0, 1])
def test_deploy__address_without_code__reverts(desk: Desk, which: int) -> None:
    addresses = [desk.clearinghouse.address, desk.engine.address]
    addresses[which] = desk.stranger.address
    with boa.reverts("no code"):
        boa.load("contracts/OrderGateway.vy", *addresses)


def test_deploy__views_name_what_it_is_wired_to(desk: Desk) -> None:
    assert desk.gateway.clearinghouse() == desk.clearinghouse.address
    assert desk.gateway.risk_engine() == desk.engine.address
