"""Fault 2: a node whose answers are answers in form, and nonsense inside."""

from __future__ import annotations

import pytest

from oracle.daemon.alarms import Exit
from tests.support.keeper_chain import SENDER
from tests.support.keeper_stage import START

CASES = [
    ("eth_getBlockByNumber", None),
    ("eth_getBlockByNumber", {}),
    ("eth_getBlockByNumber", "0x"),
    ("eth_call", None),
    ("eth_call", "0x1"),
    ("eth_call", "0x00"),
    ("eth_call", "0x" + "ff" * 64),
    ("eth_call", {"data": 1}),
    ("eth_getTransactionReceipt", {}),
    ("eth_getTransactionReceipt", {"blockNumber": None, "transactionHash": None}),
    ("eth_getTransactionReceipt", "0x"),
    ("eth_getTransactionCount", None),
    ("eth_getTransactionCount", "nonsense"),
    ("eth_getBalance", None),
    ("eth_estimateGas", None),
    ("eth_estimateGas", "nonsense"),
    ("eth_getTransactionByHash", []),
    ("eth_sendRawTransaction", None),
]


@pytest.mark.parametrize(("method", "answer"), CASES)
def test_nonsense_is_an_alarm_and_no_end(scene, proxy, tmp_path, method, answer):
    stand = scene.keeper(tmp_path, proxy.url)
    proxy.rewrite(method, lambda _: answer)
    scene.at(START)
    for _ in range(3):
        stand.keeper.round()
    proxy.heal()
    scene.client.request("evm_mine")
    stand.rounds()
    assert stand.keeper.alarms.worst == Exit.OK
    assert scene.sent_by(SENDER) == 3
