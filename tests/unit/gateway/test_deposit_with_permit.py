from __future__ import annotations

from typing import Any

import boa
import pytest
from eth_account.signers.local import LocalAccount

from .desk import NOON, Desk

AMOUNT = 1_000 * 10**6


@pytest.fixture
def token(desk: Desk, token_deployer: Any) -> Any:
    token = token_deployer.deploy("USD Coin", "USDC", 6)
    token.mint(desk.maker.address, AMOUNT)
    desk.clearinghouse.set_settlement(token.address)
    return token


def permit(
    desk: Desk,
    token: Any,
    signer: LocalAccount,
    *,
    value: int = AMOUNT,
    deadline: int = NOON,
    spender: str | None = None,
) -> tuple[int, int, bytes, bytes]:
    """(deadline, v, r, s) of a permit for the clearinghouse."""
    signed = signer.sign_typed_data(
        domain_data={
            "name": "USD Coin",
            "version": "1",
            "chainId": desk.domain.chain_id,
            "verifyingContract": str(token.address),
        },
        message_types={
            "Permit": [
                {"name": "owner", "type": "address"},
                {"name": "spender", "type": "address"},
                {"name": "value", "type": "uint256"},
                {"name": "nonce", "type": "uint256"},
                {"name": "deadline", "type": "uint256"},
            ]
        },
        message_data={
            "owner": signer.address,
            "spender": spender or str(desk.clearinghouse.address),
            "value": value,
            "nonce": token.nonces(signer.address),
            "deadline": deadline,
        },
    )
    return deadline, signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big")


def deposit(
    desk: Desk, terms: tuple, sender: LocalAccount | None = None, amount: int = AMOUNT
) -> None:
    desk.gateway.deposit_with_permit(
        desk.maker_account, amount, *terms, sender=(sender or desk.maker).address
    )


def test_deposit_with_permit__fresh_permit__deposits(desk: Desk, token: Any) -> None:
    deposit(desk, permit(desk, token, desk.maker))
    assert desk.clearinghouse.deposited(desk.maker_account) == AMOUNT
    assert token.balanceOf(desk.clearinghouse.address) == AMOUNT
    assert token.balanceOf(desk.gateway.address) == 0
    assert token.allowance(desk.maker.address, desk.clearinghouse.address) == 0


def test_deposit_with_permit__permit_used_by_someone_else_first__deposits(
    desk: Desk, token: Any
) -> None:
    terms = permit(desk, token, desk.maker)
    token.permit(
        desk.maker.address,
        desk.clearinghouse.address,
        AMOUNT,
        *terms,
        sender=desk.stranger.address,
    )
    deposit(desk, terms)
    assert desk.clearinghouse.deposited(desk.maker_account) == AMOUNT


def test_deposit_with_permit__approved_before__needs_no_permit(desk: Desk, token: Any) -> None:
    token.approve(desk.clearinghouse.address, AMOUNT, sender=desk.maker.address)
    deposit(desk, (0, 0, bytes(32), bytes(32)))
    assert desk.clearinghouse.deposited(desk.maker_account) == AMOUNT


def test_deposit_with_permit__token_without_permit_but_approved__deposits(desk: Desk) -> None:
    token = boa.load("contracts/mocks/BlacklistTokenMock.vy", 6)
    desk.clearinghouse.set_settlement(token.address)
    token.mint(desk.maker.address, AMOUNT)
    token.approve(desk.clearinghouse.address, AMOUNT, sender=desk.maker.address)
    deposit(desk, (0, 0, bytes(32), bytes(32)))
    assert desk.clearinghouse.deposited(desk.maker_account) == AMOUNT


@pytest.mark.parametrize(
    "changes",
    [{"value": AMOUNT - 1}, {"deadline": NOON - 1}, {"spender": "0x" + "11" * 20}],
)
def test_deposit_with_permit__permit_not_for_this__reverts(
    desk: Desk, token: Any, changes: dict
) -> None:
    with boa.reverts("erc20: insufficient allowance"):
        deposit(desk, permit(desk, token, desk.maker, **changes))


def test_deposit_with_permit__signed_by_another__reverts(desk: Desk, token: Any) -> None:
    with boa.reverts("erc20: insufficient allowance"):
        deposit(desk, permit(desk, token, desk.stranger))


def test_deposit_with_permit__caller_is_not_the_owner__reverts(desk: Desk, token: Any) -> None:
    # KEY-11: an allowance to the clearinghouse is not an invitation to third parties.
    terms = permit(desk, token, desk.maker)
    token.approve(desk.clearinghouse.address, AMOUNT, sender=desk.maker.address)
    desk.set_key()
    for sender in (desk.stranger, desk.taker, desk.keyholder):
        with boa.reverts("not owner"):
            deposit(desk, terms, sender=sender)


def test_deposit_with_permit__token_calls_back__every_entrance_is_locked(desk: Desk) -> None:
    """REE-4: a hook in the middle of the deposit finds the gateway closed, its views too."""
    token = boa.load("contracts/mocks/HookTokenMock.vy", 6)
    desk.clearinghouse.set_settlement(token.address)
    token.mint(desk.maker.address, 100 * AMOUNT)
    token.approve(desk.clearinghouse.address, 100 * AMOUNT, sender=desk.maker.address)
    order = desk.order()
    fields, signature = tuple(order.__dict__.values()), desk.sign(order)
    terms = (0, 2**256 - 1)
    gateway, account, key = desk.gateway, desk.maker_account, desk.keyholder.address
    calls = [
        gateway.fill.prepare_calldata(fields, signature, 1, desk.taker_account),
        gateway.fill_within.prepare_calldata(fields, signature, 1, desk.taker_account, terms),
        gateway.report_and_fill.prepare_calldata(
            b"1234", fields, signature, 1, desk.taker_account, terms
        ),
        gateway.match.prepare_calldata(fields, fields, signature, signature, 1),
        gateway.cancel.prepare_calldata(fields),
        gateway.raise_min_salt.prepare_calldata(account, 5),
        gateway.set_session_key.prepare_calldata(account, key, 2**31, 0, 0),
        gateway.revoke_session_key.prepare_calldata(account, key),
        gateway.deposit_with_permit.prepare_calldata(account, 1, 0, 0, bytes(32), bytes(32)),
        gateway.filled.prepare_calldata(bytes(32)),
        gateway.min_salt.prepare_calldata(account),
        gateway.session_key.prepare_calldata(account, key),
    ]
    for call in calls:
        with boa.env.anchor():
            token.arm(gateway.address, call, False, False)
            deposit(desk, (0, 0, bytes(32), bytes(32)))
            assert token.called() == 1
            assert not token.succeeded()
            assert token.answer() == b""
