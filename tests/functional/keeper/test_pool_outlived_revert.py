"""A transaction that waited when a test ended was mined into the next one's chain.

Reverting to a snapshot leaves the pool as it is: with mining on again, its transactions come late.
"""

from __future__ import annotations

import time

from oracle.chain import Fees, Sender
from tests.support.keeper_chain import GWEI, SENDER, account


def test_what_waits_ends_with_its_test(deployed):
    before = deployed.client.nonces(SENDER)
    with deployed.fresh() as scene:
        scene.hold()
        Sender(scene.client, account(9), Fees(2 * GWEI, GWEI)).send(SENDER, b"", 21_000)
        assert deployed.client.nonces(SENDER) == (before[0], before[1] + 1)
    time.sleep(0.2)
    deployed.client.request("evm_mine")
    assert deployed.client.nonces(SENDER) == before
