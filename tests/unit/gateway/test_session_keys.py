"""A session key trades for one account within its slippage and its day, and does nothing else."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.signing import account_id

from .desk import DAY, MARKET, NOON, PPM, UNLIMITED, WAD, Desk

MARK = 2_000 * WAD
MIDNIGHT = NOON + DAY // 2


def fill_by_key(desk: Desk, size: int = WAD, **changes: Any) -> Any:
    order = desk.order(expiry=2**40, **changes)
    return desk.fill(order, size, signature=desk.sign(order, desk.keyholder))


def take_by_key(desk: Desk, size: int = WAD, **changes: Any) -> Any:
    """The keyholder takes for the maker's account; the taker is the one who signed."""
    order = desk.order(account=desk.taker_account, expiry=2**40, **changes)
    return desk.fill(
        order,
        size,
        signature=desk.sign(order, desk.taker),
        taker_account=desk.maker_account,
        sender=desk.keyholder.address,
    )


def fill_at(desk: Desk, by_key: Any, size: int, price: int) -> None:
    """One unit at this price, of an order of this size."""
    if by_key is fill_by_key:
        order = desk.order(size=size, limit_price=price)
        desk.fill(order, WAD, signature=desk.sign(order, desk.keyholder))
    else:
        order = desk.order(account=desk.taker_account, size=size, limit_price=price)
        desk.fill(
            order,
            WAD,
            signature=desk.sign(order, desk.taker),
            taker_account=desk.maker_account,
            sender=desk.keyholder.address,
        )


# --- registering ----------------------------------------------------------------------------------


def test_set_session_key__by_the_owner__is_stored_and_logged(desk: Desk) -> None:
    desk.set_key(slippage=123, daily_notional=456, expiry=NOON + 5)
    (event,) = desk.gateway.get_logs()
    assert type(event).__name__ == "SessionKeySet"
    assert (event.account, event.key) == (desk.maker_account, desk.keyholder.address)
    assert (event.expiry, event.slippage, event.daily_notional) == (NOON + 5, 123, 456)
    key = desk.gateway.session_key(desk.maker_account, desk.keyholder.address)
    assert tuple(key) == (NOON + 5, 123, 456, 0, 0)


@settings(max_examples=60, deadline=None)
@given(
    expiry=st.integers(NOON, 2**32 - 1),
    slippage=st.integers(0, PPM),
    daily_notional=st.integers(0, 2**94 - 1),
)
def test_set_session_key__terms_that_fit__are_kept_to_the_bit(
    deployed_desk: Desk, expiry: int, slippage: int, daily_notional: int
) -> None:
    desk = deployed_desk
    with boa.env.anchor():
        boa.env.timestamp = NOON
        desk.set_key(expiry=expiry, slippage=slippage, daily_notional=daily_notional)
        key = desk.gateway.session_key(desk.maker_account, desk.keyholder.address)
        assert tuple(key) == (expiry, slippage, daily_notional, 0, 0)


@pytest.mark.parametrize(
    "terms",
    [
        {"expiry": NOON - 1},
        {"expiry": 0},
        {"expiry": 2**32},
        {"expiry": UNLIMITED},
        {"slippage": PPM + 1},
        {"slippage": UNLIMITED},
        {"daily_notional": 2**94},
        {"daily_notional": UNLIMITED},
    ],
)
def test_set_session_key__terms_out_of_bounds__reverts(desk: Desk, terms: dict) -> None:
    with boa.reverts("key terms"):
        desk.set_key(**terms)


def test_set_session_key__terms_at_their_bounds__pass(desk: Desk) -> None:
    desk.set_key(expiry=NOON, slippage=PPM, daily_notional=2**94 - 1)
    desk.set_key(expiry=2**32 - 1, slippage=0, daily_notional=0)


def test_set_session_key__nobody__reverts(desk: Desk) -> None:
    with boa.reverts("key terms"):
        desk.gateway.set_session_key(
            desk.maker_account, "0x" + "00" * 20, NOON + 1, 0, 0, sender=desk.maker.address
        )


def test_set_session_key__by_another__reverts(desk: Desk) -> None:
    for sender in (desk.stranger, desk.keyholder):
        with boa.reverts("not owner"):
            desk.set_key(owner=sender)


def test_set_session_key__by_a_session_key__reverts(desk: Desk) -> None:
    desk.set_key()
    with boa.reverts("not owner"):
        desk.set_key(owner=desk.keyholder)


def test_set_session_key__again__replaces_terms_and_day(desk: Desk) -> None:
    desk.set_key(daily_notional=MARK)
    fill_by_key(desk)
    with boa.reverts("daily notional"):
        fill_by_key(desk, 1)
    desk.set_key(daily_notional=MARK)
    fill_by_key(desk)


# --- signing and taking ---------------------------------------------------------------------------


def test_fill__signed_by_a_key__trades_for_the_account(desk: Desk) -> None:
    desk.set_key()
    fill_by_key(desk)
    assert desk.trades() == [(desk.maker_account, desk.taker_account, MARKET, WAD, MARK, 0)]


def test_fill__called_by_a_key__trades_for_the_account(desk: Desk) -> None:
    desk.set_key()
    take_by_key(desk)
    assert desk.trades() == [(desk.taker_account, desk.maker_account, MARKET, WAD, MARK, 0)]


def test_match__both_signed_by_keys__each_spends_its_own_day(desk: Desk) -> None:
    desk.set_key()
    desk.set_key(account=desk.taker_account, owner=desk.taker)
    maker, taker = desk.order(), desk.taker_order()
    signatures = desk.sign(maker, desk.keyholder), desk.sign(taker, desk.keyholder)
    desk.match(maker, taker, signatures=signatures)
    for account in (desk.maker_account, desk.taker_account):
        key = desk.gateway.session_key(account, desk.keyholder.address)
        assert (key.day, key.used) == (NOON // DAY, 10 * MARK)


@pytest.mark.parametrize("by_key", [fill_by_key, take_by_key])
def test_fill__key_of_another_subaccount__reverts(desk: Desk, by_key: Any) -> None:
    desk.set_key(account=desk.maker_account + 1)
    with boa.reverts():
        by_key(desk)


@pytest.mark.parametrize(
    ("by_key", "reason"), [(fill_by_key, "signature"), (take_by_key, "not authorised")]
)
def test_fill__key_past_its_last_second__reverts(desk: Desk, by_key: Any, reason: str) -> None:
    desk.set_key(expiry=NOON + 10)
    boa.env.timestamp = NOON + 10
    by_key(desk)
    boa.env.timestamp = NOON + 11
    with boa.reverts(reason):
        by_key(desk)


@pytest.mark.parametrize(
    ("by_key", "reason"), [(fill_by_key, "signature"), (take_by_key, "not authorised")]
)
def test_fill__revoked_key__reverts(desk: Desk, by_key: Any, reason: str) -> None:
    desk.set_key()
    by_key(desk)
    desk.gateway.revoke_session_key(
        desk.maker_account, desk.keyholder.address, sender=desk.maker.address
    )
    (event,) = desk.gateway.get_logs()
    assert type(event).__name__ == "SessionKeyRevoked"
    assert (event.account, event.key) == (desk.maker_account, desk.keyholder.address)
    with boa.reverts(reason):
        by_key(desk)


def test_revoke_session_key__by_another__reverts(desk: Desk) -> None:
    desk.set_key()
    for sender in (desk.stranger, desk.keyholder):
        with boa.reverts("not owner"):
            desk.gateway.revoke_session_key(
                desk.maker_account, desk.keyholder.address, sender=sender.address
            )


def test_fill__key_of_a_wallets_account__is_bound_though_the_wallet_would_approve(
    desk: Desk, wallet_deployer: Any
) -> None:
    wallet = wallet_deployer.deploy(desk.keyholder.address)
    account = account_id(str(wallet.address))
    call = desk.gateway.set_session_key.prepare_calldata(
        account, desk.keyholder.address, NOON + 10, 0, MARK
    )
    wallet.execute(desk.gateway.address, call, sender=desk.keyholder.address)
    fill_by_key(desk, account=account)
    with boa.reverts("daily notional"):
        fill_by_key(desk, 1, account=account)
    boa.env.timestamp = NOON + 11  # the key is no key any more, the wallet still approves
    fill_by_key(desk, account=account)


def test_fill__owner_with_a_key_of_his_own__is_not_bound_by_it(desk: Desk) -> None:
    desk.gateway.set_session_key(
        desk.maker_account, desk.maker.address, NOON + 10, 0, 0, sender=desk.maker.address
    )
    desk.fill(desk.order(limit_price=3 * MARK))


# --- slippage -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", [MARK, MARK + 1, 1_999_999_999_999_999_999_999])
@pytest.mark.parametrize("by_key", [fill_by_key, take_by_key])
def test_fill__buying_for_the_key__at_most_slippage_above_the_mark(
    desk: Desk, mark: int, by_key: Any
) -> None:
    desk.set_key(slippage=10_000)
    desk.engine.set_mark(MARKET, mark)
    size = 10 * WAD if by_key is fill_by_key else -10 * WAD
    worst = mark * 1_010_000 // PPM
    with boa.reverts("price limit"):
        fill_at(desk, by_key, size, worst + 1)
    fill_at(desk, by_key, size, worst)


@pytest.mark.parametrize("mark", [MARK, MARK + 1, 1_999_999_999_999_999_999_999])
@pytest.mark.parametrize("by_key", [fill_by_key, take_by_key])
def test_fill__selling_for_the_key__at_most_slippage_below_the_mark(
    desk: Desk, mark: int, by_key: Any
) -> None:
    desk.set_key(slippage=10_000)
    desk.engine.set_mark(MARKET, mark)
    size = -10 * WAD if by_key is fill_by_key else 10 * WAD
    worst = -(-mark * 990_000 // PPM)
    with boa.reverts("price limit"):
        fill_at(desk, by_key, size, worst - 1)
    fill_at(desk, by_key, size, worst)


@pytest.mark.parametrize(("size", "price"), [(10 * WAD, MARK // 2), (-10 * WAD, 2 * MARK)])
def test_fill__far_better_than_the_mark__trades(desk: Desk, size: int, price: int) -> None:
    desk.set_key(slippage=0)
    fill_at(desk, fill_by_key, size, price)


def test_fill__slippage_counts_the_price_that_applied(desk: Desk) -> None:
    # The order's limit is too far out, but it trades at the mark.
    desk.set_key(slippage=0)
    desk.clearinghouse.set_mark(MARK)
    order = desk.order(limit_price=2 * MARK)
    desk.gateway.fill_within(
        astuple(order),
        desk.sign(order, desk.keyholder),
        WAD,
        desk.taker_account,
        (0, UNLIMITED),
        sender=desk.taker.address,
    )


def test_fill__keys_slippage_never_widens_the_orders_limit(desk: Desk) -> None:
    desk.set_key(slippage=10_000)
    desk.clearinghouse.set_mark(MARK + 1)
    with boa.reverts("price limit"):
        fill_by_key(desk)


# --- the day --------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_key", [fill_by_key, take_by_key])
def test_fill__days_notional__to_the_wei_and_no_further(desk: Desk, by_key: Any) -> None:
    desk.set_key(daily_notional=3 * MARK)
    by_key(desk, 2 * WAD)
    by_key(desk, WAD)
    # One wei of size is 2,000 wei of notional.
    with boa.reverts("daily notional"):
        by_key(desk, 1)


@pytest.mark.parametrize(("spare", "passes"), [(0, True), (1, True), (-1, False)])
def test_fill__one_wei_of_daily_notional__decides(desk: Desk, spare: int, passes: bool) -> None:
    desk.set_key(daily_notional=3 * MARK + spare)
    if passes:
        fill_by_key(desk, 3 * WAD)
    else:
        with boa.reverts("daily notional"):
            fill_by_key(desk, 3 * WAD)


def test_fill__notional__is_at_the_mark_and_rounds_up(desk: Desk) -> None:
    desk.engine.set_mark(MARKET, WAD // 3)
    desk.set_key(slippage=PPM)
    fill_by_key(desk, 1, limit_price=1)
    assert desk.gateway.session_key(desk.maker_account, desk.keyholder.address).used == 1


def test_fill__days_notional__counts_both_directions(desk: Desk) -> None:
    desk.set_key(daily_notional=3 * MARK)
    fill_by_key(desk, 2 * WAD)
    take_by_key(desk, WAD)
    with boa.reverts("daily notional"):
        take_by_key(desk, 1)


def test_fill__next_day__begins_anew(desk: Desk) -> None:
    desk.set_key(daily_notional=MARK, expiry=NOON + 10 * DAY)
    fill_by_key(desk)
    boa.env.timestamp = MIDNIGHT - 1
    with boa.reverts("daily notional"):
        fill_by_key(desk, 1)
    boa.env.timestamp = MIDNIGHT
    fill_by_key(desk)
    with boa.reverts("daily notional"):
        fill_by_key(desk, 1)


def test_fill__refused_trade__spends_nothing_of_the_day(desk: Desk) -> None:
    desk.set_key(daily_notional=MARK)
    desk.clearinghouse.set_failure("margin")
    with boa.reverts("margin"):
        fill_by_key(desk)
    desk.clearinghouse.set_failure("")
    fill_by_key(desk)


def test_fill__two_keys_of_one_account__have_their_own_days(desk: Desk) -> None:
    desk.set_key(daily_notional=MARK)
    desk.gateway.set_session_key(
        desk.maker_account, desk.stranger.address, NOON + 10, 0, MARK, sender=desk.maker.address
    )
    fill_by_key(desk)
    order = desk.order(salt=8)
    desk.fill(order, WAD, signature=desk.sign(order, desk.stranger))


# --- nothing else ---------------------------------------------------------------------------------


def test_session_key__anything_but_trading__reverts(desk: Desk) -> None:
    desk.set_key()
    sender = desk.keyholder.address
    with boa.reverts("not owner"):
        desk.gateway.raise_min_salt(desk.maker_account, 9, sender=sender)
    with boa.reverts("not owner"):
        desk.gateway.deposit_with_permit(
            desk.maker_account, 1, 2**40, 27, bytes(32), bytes(32), sender=sender
        )


def test_cancel__by_a_live_key__ends_the_order(desk: Desk) -> None:
    desk.set_key(expiry=NOON + 10)
    order = desk.order()
    desk.gateway.cancel(astuple(order), sender=desk.keyholder.address)
    with boa.reverts("cancelled"):
        desk.fill(order)
    boa.env.timestamp = NOON + 11
    with boa.reverts("not authorised"):
        desk.gateway.cancel(astuple(desk.order(salt=8)), sender=desk.keyholder.address)
