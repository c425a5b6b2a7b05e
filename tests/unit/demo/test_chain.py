"""The chain client: calldata, reasons, nonces, one sentence for every failure."""

import pytest
from eth_abi import encode
from eth_account import Account

from oracle.chain import (
    Call,
    ChainError,
    Client,
    Fees,
    Function,
    Reverted,
    Sender,
    revert_reason,
    to_hex,
)
from tests.unit.demo.fake_node import fake_node

TO = "0x" + "11" * 20
CLOCK = Function("clock()", ("uint256", "bool"))
ADD = Function("add(uint256,(int256,bytes32)[],string)", ("uint256",))
KEY = Account.from_key(b"\x01" * 32)


@pytest.fixture
def node():
    with fake_node() as node:
        yield node


@pytest.fixture
def client(node):
    return Client(node.url, timeout=5.0)


def reverting(reason):
    data = "0x08c379a0" + encode(["string"], [reason]).hex()
    return {"error": {"code": 3, "message": f"execution reverted: {reason}", "data": data}}


def test_types_are_split_outside_parentheses():
    assert ADD.inputs == ("uint256", "(int256,bytes32)[]", "string")
    assert CLOCK.inputs == ()
    assert CLOCK.encode() == bytes.fromhex("91ddadf4")


def test_function_of_an_abi():
    struct = {
        "name": "_order",
        "type": "tuple[]",
        "components": [{"name": "a", "type": "uint256"}, {"name": "b", "type": "bool"}],
    }
    entry = {
        "name": "fill",
        "inputs": [struct, {"name": "_size", "type": "int256"}],
        "outputs": [{"name": "", "type": "tuple", "components": struct["components"]}],
    }
    function = Function.from_abi(entry)
    assert function.signature == "fill((uint256,bool)[],int256)"
    assert function.decode(encode(["(uint256,bool)"], [(7, True)])) == ((7, True),)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bytes.fromhex("08c379a0") + encode(["string"], ["too soon"]), "too soon"),
        (bytes.fromhex("4e487b71") + encode(["uint256"], [17]), "panic 0x11"),
        (bytes.fromhex("deadbeef0000"), "error 0xdeadbeef"),
        (bytes.fromhex("08c379a000"), "error 0x08c379a0"),
        (b"", "no reason given"),
    ],
)
def test_reasons(data, reason):
    assert revert_reason(data) == reason


def test_answers_bare_or_as_tuple(node, client):
    node.answers["eth_call"] = to_hex(encode(["uint256", "bool"], [5, True]))
    assert client.call(TO, CLOCK) == (5, True)
    assert client.call(TO, Function("one()", ("uint256",))) == 5


def test_a_revert_has_its_reason(node, client):
    node.answers["eth_call"] = reverting("initial margin")
    with pytest.raises(Reverted, match=r"^The contract refused: initial margin\.$") as caught:
        client.call(TO, CLOCK)
    assert caught.value.reason == "initial margin"


def test_a_revert_without_data(node, client):
    node.answers["eth_call"] = {"error": {"code": 3, "message": "execution reverted"}}
    with pytest.raises(Reverted, match="no reason given"):
        client.call(TO, CLOCK)


def test_nothing_at_the_address(node, client):
    node.answers["eth_call"] = "0x"
    with pytest.raises(ChainError, match=r"^There is no contract that answers clock\(\)\.$"):
        client.call(TO, CLOCK)


def test_batch_keeps_the_order_and_single_failures(node, client):
    def answer(params, _):
        if params["to"] == TO:
            return to_hex(encode(["uint256", "bool"], [1, False]))
        return reverting("no position")

    node.answers["eth_call"] = answer
    first, second = client.call_many([Call(TO, CLOCK), Call("0x" + "22" * 20, CLOCK)])
    assert first == (1, False)
    assert isinstance(second, Reverted)
    assert second.reason == "no position"
    assert client.call_many([]) == []


def test_refusals_are_sentences(node, client):
    node.answers["eth_blockNumber"] = {"error": {"code": -32000, "message": "nonce too low"}}
    with pytest.raises(ChainError, match=r"^The node refused: nonce too low\.$"):
        client.request("eth_blockNumber")


def test_no_node():
    with pytest.raises(ChainError, match=r"^No node answers at http://127\.0\.0\.1:1\.$"):
        Client("http://127.0.0.1:1").block_time()


def test_nonces_are_counted_once(node, client):
    node.answers |= {"eth_getTransactionCount": "0x7", "eth_sendRawTransaction": "0xaa"}
    sender = Sender(client, KEY, Fees(0, 0))
    for _ in range(3):
        sender.send(TO, b"", gas=21_000)
    assert [method for method, _ in node.asked].count("eth_getTransactionCount") == 1
    raw = [params[0] for method, params in node.asked if method == "eth_sendRawTransaction"]
    assert len(set(raw)) == 3


def test_after_a_refusal_nonces_are_counted_anew(node, client):
    node.answers |= {
        "eth_getTransactionCount": "0x0",
        "eth_sendRawTransaction": {"error": {"code": -1, "message": "full"}},
    }
    sender = Sender(client, KEY, Fees(0, 0))
    for _ in range(2):
        with pytest.raises(ChainError, match="full"):
            sender.send(TO, b"", gas=21_000)
    assert [method for method, _ in node.asked].count("eth_getTransactionCount") == 2


def test_estimate_tells_beforehand(node, client):
    node.answers["eth_estimateGas"] = reverting("too soon")
    with pytest.raises(Reverted, match="too soon"):
        Sender(client, KEY, Fees(0, 0)).send(TO, b"")


def test_fees_leave_room_for_the_base_fee(node, client):
    node.answers |= {
        "eth_getBlockByNumber": {"baseFeePerGas": "0xa", "timestamp": "0x1"},
        "eth_maxPriorityFeePerGas": "0x3",
    }
    assert client.fees() == Fees(most=23, tip=3)


def test_waiting_for_a_failed_transaction_tells_why(node, client):
    node.answers |= {
        "eth_getTransactionReceipt": {"status": "0x0"},
        "eth_getTransactionByHash": {"from": TO, "to": TO, "input": "0x", "blockNumber": "0x5"},
        "eth_call": reverting("expired"),
    }
    with pytest.raises(Reverted, match="expired"):
        client.wait("0xaa")
    assert ("eth_call", [{"from": TO, "to": TO, "data": "0x"}, "0x4"]) in node.asked


def test_waiting_ends(node, client):
    node.answers["eth_getTransactionReceipt"] = None
    with pytest.raises(ChainError, match=r"^Transaction 0xaa was not mined in 0 s\.$"):
        client.wait("0xaa", timeout=0)
