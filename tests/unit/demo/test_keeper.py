"""The keeper: who signs, what is due, which keys it takes."""

import json

import pytest
from eth_abi import decode
from eth_account import Account

from oracle import signing
from oracle.chain import Client, Fees, Sender
from oracle.keeper import (
    PUSH,
    REPORT,
    Keeper,
    KeeperError,
    Line,
    Quote,
    due_lines,
    local_account,
    open_keystore,
)
from oracle.policy import Limits, inputs_hash
from oracle.risk import Ask
from tests.unit.demo.fake_node import fake_node

ENGINE = Account.from_key(b"\x09" * 32).address
KEYS = [Account.from_key(bytes([i]) * 32) for i in (1, 2, 3)]
LIMITS = Limits()
NOW = 1_000_000


@pytest.fixture
def node():
    with fake_node() as node:
        yield node


@pytest.fixture
def client(node):
    return Client(node.url)


def keeper_of(client, signers=KEYS, quorum=2):
    return Keeper(client, ENGINE, signers, Sender(client, KEYS[0], Fees(0, 0)), quorum=quorum)


def ask(severity, depth=10**6, mark=b"\x01"):
    return Ask(NOW, 0, severity, depth, mark * 32)


def line(severity, depth=10**6, age=3_600):
    return Line(severity, depth, NOW - age)


# --- signing ------------------------------------------------------------------------------------


def recovered(message, signatures):
    digest = signing.digest(message, signing.Domain(31_337, ENGINE))
    return [Account._recover_hash(digest, vrs=signature) for signature in signatures]


def test_a_report_is_signed_by_a_quorum_in_ascending_order(client):
    keeper = keeper_of(client)
    data = keeper.report_data(600, {0: Quote(10**22), 32: Quote(5, -7)})
    assert data[:4] == REPORT.selector
    observed, assets, quotes, signatures = decode(REPORT.inputs, data[4:])
    row = (signing.pack_quote(10**22), signing.pack_quote(5, -7))
    assert (observed, assets, quotes) == (600, (0, 32), row * 2)
    people = recovered(signing.Report(600, (0, 32), row), signatures)
    assert people == sorted((key.address for key in KEYS), key=lambda a: int(a, 16))[:2]


def test_a_push_binds_its_inputs_and_its_nonce(client):
    keeper = keeper_of(client, quorum=3)
    due = [signing.Line(0, 5, 6, 7), signing.Line(1, 8, 9, 10)]
    data = keeper.push_data(due, {0: ask(5, mark=b"\x0a"), 1: ask(8, mark=b"\x0b")}, until=99)
    inputs, until, lines, signatures = decode(PUSH.inputs, data[4:])
    assert inputs == inputs_hash([b"\x0a" * 32, b"\x0b" * 32])
    assert (until, lines) == (99, tuple(line.packed for line in due))
    assert len(set(recovered(signing.Push(inputs, 99, tuple(due)), signatures))) == 3


def test_one_window_is_its_own_hash():
    assert inputs_hash([b"\x05" * 32]) == b"\x05" * 32


# --- what is due --------------------------------------------------------------------------------


def test_one_step_toward_what_is_asked():
    (due,) = due_lines({0: ask(500_000, 100_000)}, {0: line(100_000)}, NOW, LIMITS)
    assert (due.severity, due.depth) == (150_000, 750_000)
    assert due.nonce == NOW - 3_600


def test_not_before_its_time():
    assert due_lines({0: ask(500_000)}, {0: line(0, age=2_999)}, NOW, LIMITS) == []


def test_unchanged_waits_for_the_heartbeat():
    lines = {0: line(100), 1: line(100, age=LIMITS.heartbeat)}
    due = due_lines({0: ask(100), 1: ask(100)}, lines, NOW, LIMITS)
    assert [(each.asset, each.severity) for each in due] == [(1, 100)]


def test_assets_are_judged_one_by_one():
    lines = {0: line(0, age=10), 1: line(0)}
    assert [x.asset for x in due_lines({0: ask(9), 1: ask(9)}, lines, NOW, LIMITS)] == [1]


# --- keys ---------------------------------------------------------------------------------------


def test_too_few_keys(client):
    with pytest.raises(KeeperError, match=r"^1 keys cannot make a quorum of 2\.$"):
        keeper_of(client, [KEYS[0], KEYS[0]])


def test_development_keys_are_for_the_local_chain(node, client):
    assert local_account(client, 0).address == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    node.answers["eth_chainId"] = "0x1"
    with pytest.raises(KeeperError, match=r"^The development keys are for chain 31337, not for 1"):
        local_account(Client(node.url), 0)


def test_keystores(tmp_path):
    path = tmp_path / "key.json"
    path.write_text(json.dumps(Account.encrypt(KEYS[0].key, "open", iterations=2)))
    assert open_keystore(path, "open").address == KEYS[0].address
    with pytest.raises(KeeperError, match=r"key\.json is not opened by that passphrase\.$"):
        open_keystore(path, "shut")
    path.write_text('{"a": 1}')
    with pytest.raises(KeeperError, match=r"key\.json is no keystore\.$"):
        open_keystore(path, "open")
    with pytest.raises(KeeperError, match=r"cannot be read: No such file"):
        open_keystore(tmp_path / "none.json", "open")
