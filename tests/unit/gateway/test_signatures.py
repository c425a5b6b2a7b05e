"""Whose signature counts for an account that is an ordinary key."""

from __future__ import annotations

from dataclasses import astuple, replace

import boa
import pytest
from eth.exceptions import Revert
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.signing import Domain, Signature, digest, sign, typed_data

from .desk import CURVE_ORDER, WAD, Desk


def mirrored(signature: bytes) -> bytes:
    """The other signature of the same key for the same digest: (n - s), v flipped."""
    r, s, v = signature[:32], int.from_bytes(signature[32:64], "big"), signature[64]
    return r + (CURVE_ORDER - s).to_bytes(32, "big") + bytes([55 - v])


def compact(signature: bytes) -> bytes:
    """EIP-2098: 64 bytes."""
    s = int.from_bytes(signature[32:64], "big") | (signature[64] - 27) << 255
    return signature[:32] + s.to_bytes(32, "big")


def test_digest_of__any_order__is_what_the_client_signs(desk: Desk) -> None:
    for order in (desk.order(), desk.order(size=-1, reduce_only=True, taker=5, salt=2**256 - 1)):
        assert desk.digest(order) == digest(order, desk.domain)


def test_eip712_domain__names_chain_and_gateway(desk: Desk) -> None:
    fields, name, version, chain_id, contract, salt, extensions = desk.gateway.eip712Domain()
    assert (fields, name, version) == (b"\x0f", "Plimsoll", "1")
    assert (chain_id, contract) == (desk.domain.chain_id, desk.domain.contract)
    assert (salt, extensions) == (bytes(32), [])


def test_fill__signed_by_a_stranger__reverts(desk: Desk) -> None:
    order = desk.order()
    with boa.reverts("signature"):
        desk.fill(order, signature=desk.sign(order, desk.stranger))


def test_fill__signed_by_the_taker__reverts(desk: Desk) -> None:
    order = desk.order()
    with boa.reverts("signature"):
        desk.fill(order, signature=desk.sign(order, desk.taker))


@pytest.mark.parametrize(
    "changes",
    [
        {"size": 10 * WAD + 1},
        {"limit_price": 2_000 * WAD + 1},
        {"market": 4},
        {"max_fee": 501},
        {"expiry": 2**40},
        {"salt": 8},
        {"reduce_only": True},
        {"taker": 1},
    ],
)
def test_fill__any_field_changed_after_signing__reverts(desk: Desk, changes: dict) -> None:
    order = desk.order(taker=desk.taker_account if "taker" not in changes else 0)
    other = replace(order, **changes)
    if "taker" in changes:
        order, other = other, order
    with boa.reverts("signature"):
        desk.fill(other, 1, signature=desk.sign(order))


def test_fill__another_subaccount_than_signed__reverts(desk: Desk) -> None:
    signature = desk.sign(desk.order())
    with boa.reverts("signature"):
        desk.fill(desk.order(account=desk.maker_account + 1), signature=signature)


def test_fill__signed_for_another_chain__reverts(desk: Desk) -> None:
    order = desk.order()
    domain = replace(desk.domain, chain_id=desk.domain.chain_id + 1)
    with boa.reverts("signature"):
        desk.fill(order, signature=sign(order, domain, desk.maker).packed)


def test_fill__signed_before_the_chain_split__reverts_on_the_other_branch(desk: Desk) -> None:
    order = desk.order()
    before = desk.sign(order)
    with boa.env.evm.patch.anchor():
        boa.env.evm.patch.chain_id = 31_338
        with boa.reverts("signature"):
            desk.fill(order, signature=before)
        desk.fill(order)  # signed anew, for the branch
        assert desk.gateway.eip712Domain()[3] == 31_338
    assert desk.filled(order) == 0


def test_fill__signed_for_another_gateway__reverts(desk: Desk) -> None:
    other = boa.load("contracts/OrderGateway.vy", desk.clearinghouse.address, desk.engine.address)
    order = desk.order()
    domain = Domain(chain_id=desk.domain.chain_id, contract=str(other.address))
    signature = sign(order, domain, desk.maker).packed
    with boa.reverts("signature"):
        desk.fill(order, signature=signature)
    other.fill(astuple(order), signature, WAD, desk.taker_account, sender=desk.taker.address)


@pytest.mark.parametrize(("field", "value"), [("name", "Plimsol"), ("version", "2")])
def test_fill__signed_for_another_protocol__reverts(desk: Desk, field: str, value: str) -> None:
    order = desk.order()
    message = typed_data(order, desk.domain)
    message["domain"][field] = value
    signature = desk.maker.sign_typed_data(full_message=message).signature
    with boa.reverts("signature"):
        desk.fill(order, signature=bytes(signature))


def test_fill__mirrored_signature__reverts(desk: Desk) -> None:
    order = desk.order()
    with boa.reverts("signature"):
        desk.fill(order, signature=mirrored(desk.sign(order)))


def test_fill__second_signature_of_the_same_order__fills_no_more(desk: Desk) -> None:
    # What is filled is counted by digest: other bytes for it give no second fill.
    order = desk.order()
    desk.fill(order)
    with boa.reverts("overfilled"):
        desk.fill(order, 1, signature=mirrored(desk.sign(order)))


def test_fill__compact_signature__reverts(desk: Desk) -> None:
    order = desk.order()
    with boa.reverts("signature"):
        desk.fill(order, signature=compact(desk.sign(order)))


@pytest.mark.parametrize("v", [0, 1, 2, 26, 29, 35, 255])
def test_fill__v_neither_27_nor_28__reverts(desk: Desk, v: int) -> None:
    order = desk.order()
    with boa.reverts("signature"):
        desk.fill(order, signature=desk.sign(order)[:64] + bytes([v]))


@pytest.mark.parametrize("length", [0, 1, 32, 63, 64, 66, 130, 1024])
def test_fill__signature_not_of_65_bytes__reverts(desk: Desk, length: int) -> None:
    order = desk.order()
    signature = desk.sign(order)[:length].ljust(length, b"\x00")
    with boa.reverts("signature"):
        desk.fill(order, signature=signature)


def test_fill__signature_longer_than_1024_bytes__reverts(desk: Desk) -> None:
    order = desk.order()
    arguments = desk.gateway.fill.prepare_calldata(
        astuple(order), desk.sign(order).ljust(1024, b"\x00"), 1, desk.taker_account
    )
    longer = arguments.replace((1024).to_bytes(32, "big"), (1025).to_bytes(32, "big"))
    with pytest.raises(Revert):
        boa.env.raw_call(desk.gateway.address, data=longer + bytes(32), sender=desk.taker.address)


@pytest.mark.parametrize(
    "signature",
    [
        Signature(v=27, r=0, s=0),
        Signature(v=28, r=0, s=1),
        Signature(v=27, r=1, s=0),
        Signature(v=27, r=CURVE_ORDER, s=1),
        Signature(v=28, r=2**256 - 1, s=CURVE_ORDER // 2),
        Signature(v=27, r=5, s=1),  # x = 5 is on no point of the curve
    ],
)
def test_fill__nobody_signed_for_the_account_of_nobody__reverts(
    desk: Desk, signature: Signature
) -> None:
    # ecrecover answers 0 when it fails, and 0 owns the accounts below 2**96.
    with boa.reverts("signature"):
        desk.fill(desk.order(account=1), signature=signature.packed)


@settings(max_examples=60, deadline=None)
@given(r=st.integers(0, 2**256 - 1), s=st.integers(0, 2**256 - 1), v=st.integers(0, 255))
def test_fill__random_signature__reverts(deployed_desk: Desk, r: int, s: int, v: int) -> None:
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([v])
    for account in (deployed_desk.maker_account, 1):
        order = deployed_desk.order(account=account, expiry=2**200)
        with boa.env.anchor(), boa.reverts("signature"):
            deployed_desk.fill(order, signature=signature)
