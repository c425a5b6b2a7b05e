"""Faults 1 to 3 and 20: nodes that fail, lie, or are others than was configured."""

from __future__ import annotations

import json

import pytest

from oracle.chain import ChainError
from oracle.daemon import replay
from oracle.daemon.alarms import DaemonError, Exit
from oracle.daemon.node import ClockGuard
from tests.support.keeper_chain import SENDER
from tests.support.keeper_stage import BTC, START, WAD, Said


def test_a_day_begins(scene, tmp_path):
    """Without a fault: prices, lines of all assets, the daily note; then nothing more."""
    stand = scene.keeper(tmp_path)
    assert stand.at(START) == 3
    assert scene.line(BTC)[:2] == (50_000, 10**6)
    assert stand.steps("report") == ["signed", "sent", "confirmed"]
    assert stand.steps("push") == ["signed", "sent", "confirmed"]
    assert stand.steps("release") == ["signed", "sent", "confirmed"]
    assert stand.alarms() == []
    assert stand.rounds() == 0
    assert stand.at(START + 60) == 1  # prices only
    assert stand.at(START + 3_600) == 2
    assert scene.line(BTC)[0] == 100_000


@pytest.mark.parametrize(
    "kind", ["timeout", "429", "500", "reset", "half json", "wrong id", "html"]
)
def test_fault_01_node_fails_for_a_while(scene, proxy, tmp_path, kind):
    stand = scene.keeper(tmp_path, proxy.url, timing={"rpc_timeout": 0.2})
    proxy.sleep = 0.3
    proxy.fail(kind, times=2)
    assert stand.at(START) == 3
    assert scene.sent_by(SENDER) == 3
    assert scene.line(BTC)[0] == 50_000
    assert len(proxy.raw) == len(set(proxy.raw)) == 3


def test_fault_01_node_is_gone__alarms_then_goes_on(scene, proxy, tmp_path):
    stand = scene.keeper(tmp_path, proxy.url)
    proxy.fail("500")
    scene.at(START)
    before = len(proxy.seen)
    assert stand.rounds() == 0
    assert stand.keeper.alarms.worst == Exit.NODE
    assert len(proxy.seen) - before <= 2 * 4  # a question is asked four times at most
    assert scene.sent_by(SENDER) == 0
    proxy.heal()
    assert stand.rounds() == 3
    assert stand.keeper.alarms.worst == Exit.OK


def test_fault_01_transactions_are_handed_over_once(scene, proxy, tmp_path):
    """A node that does not take transactions is not asked again with the same one."""
    stand = scene.keeper(tmp_path, proxy.url)
    proxy.fail("500", times=1, method="eth_sendRawTransaction")
    scene.at(START)
    stand.keeper.round()
    assert proxy.raw == []
    assert stand.steps("report") == ["signed", "unanswered"]
    assert stand.keeper.alarms.worst == Exit.NODE


def test_fault_02_wrong_chain(scene, proxy, tmp_path):
    stand = scene.keeper(tmp_path, proxy.url)
    proxy.rewrite("eth_chainId", lambda _: "0x1")
    assert stand.at(START) == 0
    assert stand.keeper.alarms.worst == Exit.NODE
    assert "is on chain 1, not on 31337" in stand.stream.getvalue()
    assert proxy.raw == []


def test_fault_02_old_block(scene, proxy, tmp_path):
    """A node that is stuck: its head is older than allowed by the host's clock."""
    clock = ClockGuard(60.0, 30.0, wall=lambda: START + 300.0, monotonic=lambda: 0.0)
    stand = scene.keeper(tmp_path, proxy.url, clock=clock)
    assert stand.at(START) == 0
    assert stand.keeper.alarms.worst == Exit.NODE
    assert "The latest block is 300 seconds old" in stand.stream.getvalue()
    assert stand.at(START + 290) > 0


def test_fault_02_two_nodes_disagree(scene, proxy, tmp_path):
    stand = scene.keeper(tmp_path, scene.client.url, proxy.url)
    proxy.rewrite("eth_getBlockByNumber", lambda b: b and {**b, "hash": "0x" + "ab" * 32})
    assert stand.at(START) == 0
    assert stand.keeper.alarms.worst == Exit.NODE
    proxy.heal()
    assert stand.rounds() == 3


def test_fault_02_one_of_three_nodes_lies(scene, proxy, tmp_path):
    stand = scene.keeper(tmp_path, proxy.url, scene.client.url, scene.client.url)
    proxy.rewrite("eth_getBlockByNumber", lambda b: b and {**b, "hash": "0x" + "ab" * 32})
    assert stand.at(START) == 3
    assert "has another block" in stand.stream.getvalue()
    assert proxy.raw == []


def test_fault_03_answer_of_a_send_is_lost(scene, proxy, tmp_path):
    stand = scene.keeper(tmp_path, proxy.url)
    proxy.fail("drop reply", times=1, method="eth_sendRawTransaction")
    scene.at(START)
    assert stand.rounds() == 3
    assert stand.steps("report") == ["signed", "sent", "confirmed"]
    assert scene.sent_by(SENDER) == 3
    assert len(set(proxy.raw)) == 3


def test_fault_03_answer_lost_and_nothing_can_be_looked_up(scene, proxy, tmp_path):
    stand = scene.keeper(tmp_path, proxy.url)
    proxy.fail("drop reply", times=1, method="eth_sendRawTransaction")
    proxy.fail("500", times=4, method="eth_getTransactionByHash")
    scene.at(START)
    stand.rounds()
    assert stand.steps("report").count("signed") == 1
    assert stand.steps("report")[-1] == "confirmed"
    assert scene.sent_by(SENDER) == 3


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda d: d["markets"].update(BTC=1), "BTC and ETH are both asset 1"),
        (lambda d: d["markets"].update(BTC=7), r"Asset 7 \(BTC\) is not listed on the chain"),
        (lambda d: d["code_hashes"].update(engine="0x" + "00" * 32), "is another contract than"),
        (lambda d: d.update(chain_id=1), "The node at .* is on chain 31337, not on 1"),
        (
            lambda d: d["addresses"].update(engine=d["addresses"]["lens"]),
            "The engine at .* is another contract",
        ),
        (lambda d: d["code_hashes"].pop("engine"), "does not say what code its engine has"),
        (lambda d: d["addresses"].pop("settings"), "it lacks the settings"),
    ],
)
def test_fault_20_configuration_drifted(scene, tmp_path, change, sentence):
    values = json.loads(scene.file.read_text())
    change(values)
    other = type(scene)(scene.client, tmp_path / "other.json", scene.deployment)
    other.file.write_text(json.dumps(values))
    with pytest.raises((DaemonError, ChainError), match=sentence) as caught:
        other.keeper(tmp_path)
    assert caught.value.code in (Exit.SELF_CHECK, Exit.NODE, Exit.CONFIG)


def test_fault_20_two_markets_exchanged(scene, tmp_path):
    """Ids and code are in order: the prices on the chain give it away, before a key is near."""
    scene.keeper(tmp_path / "a").at(START)
    stand = scene.keeper(
        tmp_path / "b", said=Said(prices={"BTC": 2_000 * WAD, "ETH": 20_000 * WAD})
    )
    stand.at(START + 60)
    assert "is too far from" in stand.stream.getvalue()
    assert stand.keeper.alarms.worst == Exit.SOURCE
    assert scene.price(BTC)[0] // WAD == 20_000


def test_fault_20_signers_and_quorum(scene, tmp_path):
    with pytest.raises(DaemonError, match="1 signers cannot make a quorum of 2") as caught:
        scene.keeper(tmp_path, signers=(3,))
    assert caught.value.code == Exit.QUORUM
    with pytest.raises(DaemonError, match="is no signer of the engine"):
        scene.keeper(tmp_path, signers=(3, 6))
    with pytest.raises(DaemonError, match="no multiple of the chain's period 60"):
        scene.keeper(tmp_path, timing={"report_every": 90})


def test_fault_20_a_replay_where_signers_are_others(scene, tmp_path, monkeypatch):
    monkeypatch.setattr(replay, "SIGNERS", (6, 7))
    parts = scene.keeper(tmp_path).parts
    with pytest.raises(DaemonError, match="signs with the development keys") as caught:
        replay.local_keeper(parts, START)
    assert caught.value.code == Exit.SELF_CHECK
