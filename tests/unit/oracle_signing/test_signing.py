"""EIP-712 bytes against the standard written out by hand, and what is refused before signing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from oracle.signing import (
    Domain,
    Line,
    MessageError,
    Order,
    Push,
    Report,
    account_id,
    digest,
    pack_quote,
    sign,
    typed_data,
)

TRADER = Account.from_key("0x" + "11" * 32)
CONTRACT = "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC"
DOMAIN = Domain(chain_id=31337, contract=CONTRACT)
HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0

ORDER = Order(
    account=account_id(TRADER.address, 7),
    market=3,
    size=-(5 * 10**18),
    limit_price=2_000 * 10**18,
    max_fee=500,
    expiry=1_800_000_000,
    salt=2**255 + 1,
    reduce_only=True,
    taker=account_id(CONTRACT),
)
REPORT = Report(observed=1_700_000_000, assets=(0, 3, 33), quotes=(1, 2**100, 3))
PUSH = Push(
    inputs=bytes(range(32)),
    valid_until=1_700_000_600,
    lines=(
        Line(asset=0, severity=1, depth=2, nonce=3),
        Line(asset=39, severity=4, depth=5, nonce=6),
    ),
)

UINT = st.integers(0, 2**256 - 1)
ORDERS = st.builds(
    Order,
    account=UINT,
    market=UINT,
    size=st.integers(-(2**255) + 1, 2**255 - 1),
    limit_price=UINT,
    max_fee=UINT,
    expiry=UINT,
    salt=UINT,
    reduce_only=st.booleans(),
    taker=UINT,
)


def by_hand(type_string: str, kinds: list[str], values: list[Any], domain: Domain) -> bytes:
    separator = keccak(
        encode(
            ["bytes32", "bytes32", "bytes32", "uint256", "address"],
            [
                keccak(
                    b"EIP712Domain(string name,string version,uint256 chainId,"
                    b"address verifyingContract)"
                ),
                keccak(b"Plimsoll"),
                keccak(b"1"),
                domain.chain_id,
                domain.contract,
            ],
        )
    )
    struct = keccak(encode(["bytes32", *kinds], [keccak(type_string.encode()), *values]))
    return keccak(b"\x19\x01" + separator + struct)


def order_by_hand(order: Order, domain: Domain) -> bytes:
    return by_hand(
        "Order(uint256 account,uint256 market,int256 size,uint256 limit_price,uint256 max_fee,"
        "uint256 expiry,uint256 salt,bool reduce_only,uint256 taker)",
        ["uint256", "uint256", "int256", *["uint256"] * 4, "bool", "uint256"],
        [
            order.account,
            order.market,
            order.size,
            order.limit_price,
            order.max_fee,
            order.expiry,
            order.salt,
            order.reduce_only,
            order.taker,
        ],
        domain,
    )


@given(ORDERS)
def test_digest__order__is_the_standard(order: Order) -> None:
    assert digest(order, DOMAIN) == order_by_hand(order, DOMAIN)


@given(st.integers(0, 2**256 - 1), st.lists(st.tuples(UINT, UINT), max_size=5))
def test_digest__report__is_the_standard(observed: int, pairs: list[tuple[int, int]]) -> None:
    assets, quotes = [asset for asset, _ in pairs], [quote for _, quote in pairs]
    words = ["uint256"] * len(pairs)
    report = Report(observed=observed, assets=tuple(assets), quotes=tuple(quotes))
    expected = by_hand(
        "Report(uint256 observed,uint256[] assets,uint256[] quotes)",
        ["uint256", "bytes32", "bytes32"],
        [observed, keccak(encode(words, assets)), keccak(encode(words, quotes))],
        DOMAIN,
    )
    assert digest(report, DOMAIN) == expected


@given(
    st.binary(min_size=32, max_size=32),
    UINT,
    st.lists(
        st.builds(Line, *(st.integers(0, 2**bits - 1) for bits in (184, 20, 20, 32))), max_size=5
    ),
)
def test_digest__push__is_the_standard(inputs: bytes, valid_until: int, rows: list[Line]) -> None:
    lines = b"".join(
        row.asset.to_bytes(23, "big")
        + (row.severity << 52 | row.depth << 32 | row.nonce).to_bytes(9, "big")
        for row in rows
    )
    push = Push(inputs=inputs, valid_until=valid_until, lines=tuple(rows))
    expected = by_hand(
        "Push(bytes32 inputs,uint256 valid_until,uint256[] lines)",
        ["bytes32", "uint256", "bytes32"],
        [inputs, valid_until, keccak(lines)],
        DOMAIN,
    )
    assert digest(push, DOMAIN) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (ORDER, "a973df6eb9ee9f02bac1dd55c11f9c882b8f699b9aa5d6a09e42d72d755b845d"),
        (REPORT, "69b12eb178d9ada55207fc0c530fb19ed33fb0fdd98eeef009131067740c049c"),
        (PUSH, "7fa50b58b1c6b0cd3e845142e72ac455764e6a124aab2a5c9706cd84b197b9ae"),
    ],
)
def test_digest__published_example__never_changes(message: Any, expected: str) -> None:
    assert digest(message, DOMAIN).hex() == expected


@pytest.mark.parametrize("message", [ORDER, REPORT, PUSH])
def test_digest__other_chain_or_contract__differs(message: Any) -> None:
    digests = {
        digest(message, DOMAIN),
        digest(message, replace(DOMAIN, chain_id=1)),
        digest(message, replace(DOMAIN, contract=TRADER.address)),
    }
    assert len(digests) == 3


@pytest.mark.parametrize("field", list(ORDER.__dataclass_fields__))
def test_digest__any_order_field_changed__differs(field: str) -> None:
    value = getattr(ORDER, field)
    other = replace(ORDER, **{field: not value if field == "reduce_only" else value + 1})
    assert digest(other, DOMAIN) != digest(ORDER, DOMAIN)


@pytest.mark.parametrize("message", [ORDER, REPORT, PUSH])
def test_sign__any_message__recovers_and_repeats(message: Any) -> None:
    signature = sign(message, DOMAIN, TRADER)
    assert signature == sign(message, DOMAIN, TRADER)
    assert signature.v in (27, 28)
    assert 0 < signature.s <= HALF_ORDER
    recovered = Account._recover_hash(
        digest(message, DOMAIN), vrs=(signature.v, signature.r, signature.s)
    )
    assert recovered == TRADER.address


def test_packed__signature__is_r_s_v() -> None:
    signature = sign(ORDER, DOMAIN, TRADER)
    packed = signature.packed
    assert len(packed) == 65
    assert int.from_bytes(packed[:32], "big") == signature.r
    assert int.from_bytes(packed[32:64], "big") == signature.s
    assert packed[64] == signature.v


def test_typed_data__push__packs_lines() -> None:
    message = typed_data(PUSH, DOMAIN)["message"]
    assert message["lines"][1] == 39 << 72 | 4 << 52 | 5 << 32 | 6


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("account", -1),
        ("market", None),
        ("size", 1.0),
        ("size", -(2**255)),
        ("size", 2**255),
        ("limit_price", "1"),
        ("max_fee", True),
        ("expiry", 2**256),
        ("salt", float("nan")),
        ("reduce_only", "false"),
        ("reduce_only", 0),
        ("taker", b"\x00"),
    ],
)
def test_order__no_contract_value__is_refused(field: str, value: Any) -> None:
    with pytest.raises(MessageError, match=field):
        replace(ORDER, **{field: value})


def test_report__lists_of_different_length__is_refused() -> None:
    with pytest.raises(MessageError, match="3 assets but 2 quotes"):
        replace(REPORT, quotes=(1, 2))


@pytest.mark.parametrize("quote", [-1, 2**256, 1.5, None])
def test_report__no_contract_value__is_refused(quote: Any) -> None:
    with pytest.raises(MessageError, match="quote"):
        replace(REPORT, quotes=(1, 2, quote))
    with pytest.raises(MessageError, match="asset"):
        replace(REPORT, assets=(1, 2, quote))


@pytest.mark.parametrize("inputs", [b"", bytes(31), bytes(33), "00" * 32, None])
def test_push__inputs_not_32_bytes__is_refused(inputs: Any) -> None:
    with pytest.raises(MessageError, match="inputs"):
        replace(PUSH, inputs=inputs)


@pytest.mark.parametrize("field", ["asset", "severity", "depth", "nonce"])
def test_line__value_without_a_place__is_refused(field: str) -> None:
    for value in (-1, 2**184 if field == "asset" else 2**32):
        with pytest.raises(MessageError, match=field):
            replace(PUSH.lines[0], **{field: value})


@pytest.mark.parametrize("contract", [CONTRACT.lower(), "0x00", "", None])
def test_domain__contract_not_checksummed__is_refused(contract: Any) -> None:
    with pytest.raises(MessageError, match="checksummed"):
        Domain(chain_id=1, contract=contract)


@given(st.integers(0, 2**96 - 1))
def test_account_id__splits_into_owner_and_subaccount(subaccount: int) -> None:
    account = account_id(TRADER.address, subaccount)
    assert account >> 96 == int(TRADER.address, 16)
    assert account & (2**96 - 1) == subaccount


@pytest.mark.parametrize("subaccount", [-1, 2**96, True])
def test_account_id__subaccount_too_large__is_refused(subaccount: int) -> None:
    with pytest.raises(MessageError, match="subaccount"):
        account_id(TRADER.address, subaccount)


@given(st.integers(1, 10**27), st.integers(-(2**31), 2**31 - 1))
def test_pack_quote__any__splits_into_price_and_premium(price: int, premium: int) -> None:
    quote = pack_quote(price, premium)
    assert quote >> 32 == price
    assert (quote & (2**32 - 1)) - 2**31 == premium


@pytest.mark.parametrize(
    ("price", "premium"), [(0, 0), (10**27 + 1, 0), (1, 2**31), (1, -(2**31) - 1), (1.0, 0)]
)
def test_pack_quote__outside_the_format__is_refused(price: Any, premium: int) -> None:
    with pytest.raises(MessageError):
        pack_quote(price, premium)
