"""Wallets' libraries sign what the contracts take: viem, ethers and eth-account, byte for byte."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from typing import Any, NamedTuple

import ape
import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from oracle.signing import (
    DOMAIN_FIELDS,
    Domain,
    Line,
    Message,
    Order,
    Push,
    Report,
    account_id,
    digest,
    pack_quote,
    sign,
    typed_data,
)

WALLETS = Path(__file__).parent / "wallets"
WAD = 10**18
MARKET = 0
PRICE = 1_999 * WAD + 7
CLIENTS = ("eth_account", "ethers", "viem")


class Signed(NamedTuple):
    digest: bytes
    signature: bytes


def as_json(value: Any) -> Any:
    """Integers as decimal strings: JavaScript's numbers end at 2**53."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, list):
        return [as_json(item) for item in value]
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    return value


def sign_in_node(client: str, signer: LocalAccount, requests: list[dict]) -> list[Signed]:
    """Have a JavaScript library sign; all requests in one process."""
    node = shutil.which("node")
    assert node is not None
    request = {"key": "0x" + signer.key.hex(), "requests": as_json(requests)}
    done = subprocess.run(
        [node, WALLETS / f"{client}.mjs"],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["address"] == signer.address
    return [
        Signed(bytes.fromhex(reply["digest"][2:]), bytes.fromhex(reply["signature"][2:]))
        for reply in answer["replies"]
    ]


def sign_with(
    client: str, signer: LocalAccount, messages: list[Message], domain: Domain
) -> list[Signed]:
    if client == "eth_account":
        return [Signed(digest(m, domain), sign(m, domain, signer).packed) for m in messages]
    return sign_in_node(client, signer, [typed_data(message, domain) for message in messages])


@pytest.fixture(scope="module")
def maker() -> LocalAccount:
    return Account.from_key("0x" + "5a" * 32)


@pytest.fixture(scope="module")
def deployer() -> Any:
    return ape.accounts.test_accounts[0]


@pytest.fixture(scope="module")
def taker() -> Any:
    return ape.accounts.test_accounts[1]


@pytest.fixture(scope="module")
def clearinghouse(project: Any, deployer: Any) -> Any:
    return deployer.deploy(project.ClearinghouseMock)


@pytest.fixture(scope="module")
def gateway(project: Any, deployer: Any, clearinghouse: Any) -> Any:
    engine = deployer.deploy(project.RiskEngineMock)
    engine.set_mark(MARKET, PRICE, sender=deployer)
    return deployer.deploy(project.OrderGateway, clearinghouse, engine)


@pytest.fixture(scope="module")
def domain(gateway: Any, chain: Any) -> Domain:
    return Domain(chain_id=chain.chain_id, contract=gateway.address)


@pytest.fixture
def order(maker: LocalAccount, chain: Any) -> Callable[..., Order]:
    """An order of the maker's own account; the values are awkward on purpose."""

    def make(**changes: Any) -> Order:
        terms: dict[str, Any] = {
            "account": account_id(maker.address, 2**96 - 1),
            "market": MARKET,
            "size": -(3 * WAD + 1),
            "limit_price": PRICE,
            "max_fee": 500,
            "expiry": chain.pending_timestamp + 3_600,
            "salt": 2**256 - 1,
            "reduce_only": True,
        }
        return Order(**{**terms, **changes})

    return make


def fill(gateway: Any, order: Order, signature: bytes, taker: Any) -> Any:
    return gateway.fill(astuple(order), signature, 1, account_id(taker.address), sender=taker)


def test_order__three_clients__sign_the_same_bytes(
    order: Callable[..., Order], maker: LocalAccount, domain: Domain, gateway: Any
) -> None:
    orders: list[Message] = [
        order(),
        order(size=2**255 - 1, reduce_only=False, taker=2**256 - 1),
        order(size=-(2**255) + 1, salt=0, expiry=0, max_fee=0, market=31, limit_price=0),
    ]
    ours, *others = (sign_with(client, maker, orders, domain) for client in CLIENTS)
    assert [gateway.digest_of(astuple(o)) for o in orders] == [signed.digest for signed in ours]
    for theirs in others:
        assert theirs == ours


def test_report_and_push__three_clients__sign_the_same_bytes(
    maker: LocalAccount, domain: Domain
) -> None:
    line = Line(asset=39, severity=10**6, depth=250_000, nonce=1_700_000_000)
    messages: list[Message] = [
        Report(observed=1_700_000_000, assets=(), quotes=()),
        Report(
            observed=1_700_000_000,
            assets=(0, 31, 39),
            quotes=(pack_quote(1, -(2**31)), pack_quote(PRICE, 99), pack_quote(10**27, 2**31 - 1)),
        ),
        Push(inputs=bytes(range(32)), valid_until=2**255, lines=()),
        Push(
            inputs=b"\xff" * 32,
            valid_until=1,
            lines=(line, Line(asset=0, severity=0, depth=1, nonce=0)),
        ),
    ]
    ours, *others = (sign_with(client, maker, messages, domain) for client in CLIENTS)
    for theirs in others:
        assert theirs == ours


@pytest.mark.parametrize("client", CLIENTS)
def test_fill__signed_by_the_owner__is_accepted(
    client: str,
    order: Callable[..., Order],
    maker: LocalAccount,
    domain: Domain,
    gateway: Any,
    taker: Any,
) -> None:
    signed_order = order(salt=CLIENTS.index(client))
    (signed,) = sign_with(client, maker, [signed_order], domain)
    receipt = fill(gateway, signed_order, signed.signature, taker)
    (event,) = receipt.decode_logs(gateway.OrderFilled)
    assert event.digest == signed.digest
    assert gateway.filled(signed.digest) == 1


@pytest.mark.parametrize("client", CLIENTS)
def test_fill__signed_by_a_session_key__is_accepted(
    client: str,
    order: Callable[..., Order],
    maker: LocalAccount,
    domain: Domain,
    gateway: Any,
    taker: Any,
    chain: Any,
) -> None:
    # The account belongs to the taker here; the maker's key is a session key of it.
    account = account_id(taker.address, 9)
    expiry = chain.pending_timestamp + 600
    gateway.set_session_key(account, maker.address, expiry, 0, WAD, sender=taker)
    signed_order = order(account=account, salt=CLIENTS.index(client))
    (signed,) = sign_with(client, maker, [signed_order], domain)
    fill(gateway, signed_order, signed.signature, taker)
    assert gateway.filled(signed.digest) == 1


@pytest.mark.parametrize("client", CLIENTS)
def test_fill__signed_for_a_smart_wallet__is_accepted(
    client: str,
    order: Callable[..., Order],
    maker: LocalAccount,
    domain: Domain,
    gateway: Any,
    taker: Any,
    deployer: Any,
    project: Any,
) -> None:
    wallet = deployer.deploy(project.WalletMock, maker.address)
    signed_order = order(account=account_id(wallet.address))
    (signed,) = sign_with(client, maker, [signed_order], domain)
    fill(gateway, signed_order, signed.signature, taker)
    assert gateway.filled(signed.digest) == 1


@pytest.mark.parametrize("client", CLIENTS)
def test_fill__signed_for_another_chain__is_refused(
    client: str,
    order: Callable[..., Order],
    maker: LocalAccount,
    domain: Domain,
    gateway: Any,
    taker: Any,
) -> None:
    elsewhere = Domain(chain_id=domain.chain_id + 1, contract=domain.contract)
    (signed,) = sign_with(client, maker, [order(salt=10)], elsewhere)
    with ape.reverts("signature"):
        fill(gateway, order(salt=10), signed.signature, taker)


@pytest.mark.parametrize("client", CLIENTS)
def test_deposit_with_permit__signed_by_the_client__deposits(
    client: str,
    gateway: Any,
    clearinghouse: Any,
    deployer: Any,
    project: Any,
    chain: Any,
) -> None:
    """The owner of the account is the one who permits and calls."""
    owner = ape.accounts.test_accounts[2]
    token = deployer.deploy(project.TokenMock, "USD Coin", "USDC", 6)
    token.mint(owner, 1_000, sender=deployer)
    clearinghouse.set_settlement(token, sender=deployer)
    deadline = chain.pending_timestamp + 600
    fields = (
        "address owner",
        "address spender",
        "uint256 value",
        "uint256 nonce",
        "uint256 deadline",
    )
    request = {
        "domain": {
            "name": "USD Coin",
            "version": "1",
            "chainId": chain.chain_id,
            "verifyingContract": token.address,
        },
        "types": {
            "EIP712Domain": DOMAIN_FIELDS,
            "Permit": [dict(zip(("type", "name"), field.split(), strict=True)) for field in fields],
        },
        "primaryType": "Permit",
        "message": {
            "owner": owner.address,
            "spender": clearinghouse.address,
            "value": 1_000,
            "nonce": 0,
            "deadline": deadline,
        },
    }
    key = Account.from_key(owner.private_key)
    if client == "eth_account":
        signature = key.sign_typed_data(full_message=request).signature
    else:
        ((_, signature),) = sign_in_node(client, key, [request])
    account = account_id(owner.address)
    gateway.deposit_with_permit(
        account, 1_000, deadline, signature[64], signature[:32], signature[32:64], sender=owner
    )
    assert token.balanceOf(clearinghouse) == 1_000
