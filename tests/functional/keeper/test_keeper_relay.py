"""Fault 22: who watches the pool, and a relay that nobody watches."""

from __future__ import annotations

import itertools

import pytest

from oracle.chain import Fees, Sender
from tests.support.fault_proxy import FaultProxy
from tests.support.keeper_chain import (
    GWEI,
    MAINTENANCE,
    MARGIN,
    SENDER,
    account,
    fields_of,
)
from tests.support.keeper_stage import (
    BTC,
    BUMP_AFTER,
    START,
    WAD,
    Said,
)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_fault_22_every_order_in_the_block(scene, proxy, tmp_path, order):
    """The keeper's push, a copy of it by an observer, and a poor report: in no order does margin of
    anybody who holds a position change in that block."""
    said = Said(severity={"BTC": 900_000, "ETH": 900_000}, depth={"BTC": 250_000, "ETH": 250_000})
    stand = scene.keeper(tmp_path, proxy.url, said=said)
    scene.at(START)
    stand.keeper.round()
    scene.mined()
    engine = scene.deployment.addresses["engine"]
    size = 40 * WAD
    snapshot = scene.client.request("evm_snapshot")
    scene.at(START + 30)
    alone = scene.client.call(engine, MARGIN, BTC, size, MAINTENANCE)
    scene.client.request("evm_revert", snapshot)
    scene.hold()
    stand.keeper.round()
    push = fields_of(proxy.raw[-1])
    report = fields_of(proxy.raw[0])
    calls = [bytes(push["data"]), bytes(push["data"]), bytes(report["data"])]
    scene.client.request("anvil_dropAllTransactions")
    for place, which in enumerate(order):
        sender = Sender(
            scene.client, account(6 + which), Fees((9 - place) * GWEI, (9 - place) * GWEI)
        )
        sender.send(engine, calls[which], 2_000_000)
    scene.at(START + 30)
    assert scene.line(BTC)[0] == 50_000
    assert scene.client.call(engine, MARGIN, BTC, size, MAINTENANCE) == alone
    scene.client.request("evm_setAutomine", True)
    stand.later(BUMP_AFTER)
    stand.rounds()
    assert scene.line(BTC)[0] == 50_000  # its own came to nothing, and was not sent again
    assert stand.steps("push").count("confirmed") == 0


# --- 22: a relay that nobody watches --------------------------------------------------------------


@pytest.fixture
def relay(scene):
    """A private way to the same chain."""
    with FaultProxy(scene.client.url) as relay:
        yield relay


RELAY_WAIT = BUMP_AFTER / 2  # [s]


def relayed(scene, tmp_path, proxy, relay, **sending):
    """A keeper whose transactions go to `relay` first, and whose node is behind `proxy`."""
    given = {"relay": relay.url, "relay_wait": RELAY_WAIT, "relay_timeout": 30, **sending}
    return scene.keeper(tmp_path, proxy.url, sending=given)


def payloads(*proxies):
    """By nonce, all transactions that anybody was handed."""
    found = {}
    for raw in (raw for proxy in proxies for raw in proxy.raw):
        found.setdefault(fields_of(raw)["nonce"], set()).add(raw)
    return found


def test_fault_22_relay_takes_it__the_node_is_handed_nothing(scene, proxy, relay, tmp_path):
    stand = relayed(scene, tmp_path, proxy, relay)
    assert stand.at(START) == 3
    assert proxy.raw == []
    assert len(relay.raw) == 3
    assert set(relay.seen) == {"eth_sendRawTransaction"}  # it is asked for nothing else
    assert scene.line(BTC)[0] == 50_000
    assert stand.alarms() == []


@pytest.mark.parametrize(
    "kind", ["timeout", "429", "500", "reset", "half json", "wrong id", "html", "drop reply"]
)
def test_fault_22_relay_fails__the_node_gets_the_very_same(scene, proxy, relay, tmp_path, kind):
    """At once, and the relay is left alone for a minute. With "drop reply" and two more it took the
    transaction, and only its answer is lost: there is one anyway."""
    hasty = {"relay_timeout": 1.0} if kind == "timeout" else {}
    stand = relayed(scene, tmp_path, proxy, relay, **hasty)
    ticks = [0.0]
    stand.keeper.outbox._relay._monotonic = lambda: ticks[0]
    relay.sleep = 2.0
    relay.fail(kind)
    assert stand.at(START) == 3
    assert stand.steps("report") == ["signed", "sent", "confirmed"]
    assert relay.seen == ["eth_sendRawTransaction"]
    assert len(proxy.raw) == 3
    assert set(relay.raw) <= {proxy.raw[0]}
    assert [len(raws) for raws in payloads(proxy, relay).values()] == [1, 1, 1]
    assert scene.sent_by(SENDER) == 3
    assert set(stand.alarms()) == {"NODE"}
    relay.heal()
    ticks[0] += 61
    assert stand.at(START + 60) == 1
    assert len(relay.raw) == 1 + (kind in ("half json", "wrong id", "drop reply"))
    assert len(proxy.raw) == 3


def test_fault_22_relay_answers_with_another_hash__the_node_gets_it(scene, proxy, relay, tmp_path):
    stand = relayed(scene, tmp_path, proxy, relay)
    relay.fail("swallow")
    relay.swallow = lambda body: {"id": body["id"], "result": "0x" + "ab" * 32}
    assert stand.at(START) == 3
    assert "answered with another hash" in stand.stream.getvalue()
    assert len(proxy.raw) == 3


def test_fault_22_relay_takes_it_and_brings_nothing__published(scene, proxy, relay, tmp_path):
    """In time it may still bring it: nothing else is sent. Then the node gets the same bytes."""
    stand = relayed(scene, tmp_path, proxy, relay)
    relay.fail("swallow")
    scene.at(START)
    stand.keeper.round()
    for _ in range(3):
        assert not stand.keeper.round()
    assert proxy.raw == []
    stand.later(RELAY_WAIT)
    relay.heal()
    assert stand.rounds() == 2
    assert stand.steps("report") == ["signed", "sent", "published", "confirmed"]
    assert proxy.raw == relay.raw[:1]
    assert [len(raws) for raws in payloads(proxy, relay).values()] == [1, 1, 1]
    assert scene.sent_by(SENDER) == 3
    assert "the relay was too slow" in stand.stream.getvalue()


@pytest.mark.parametrize("has_relay", [True, False])
@pytest.mark.parametrize("arrow", ["sign", "send"])
def test_fault_22_killed_while_a_relay_has_it__the_same_is_published(
    scene, proxy, relay, tmp_path, arrow, has_relay
):
    """Started anew, with the relay or without, the keeper signs nothing else for that nonce."""

    class Killed(BaseException):
        pass

    def at(name):
        if name == arrow:
            raise Killed

    stand = relayed(scene, tmp_path, proxy, relay)
    stand.keeper.outbox._arrow = at
    relay.fail("swallow")
    scene.at(START)
    with pytest.raises(Killed):
        stand.keeper.round()
    stand.journal.close()
    relay.heal()
    later = (
        relayed(scene, tmp_path, proxy, relay) if has_relay else scene.keeper(tmp_path, proxy.url)
    )
    later.later(RELAY_WAIT)
    assert later.rounds() == 2
    assert later.steps("report")[-2:] == ["published", "confirmed"]
    assert later.steps("report").count("signed") == 1
    assert [len(raws) for raws in payloads(proxy, relay).values()] == [1, 1, 1]


def test_fault_22_published_and_stuck__replaced_in_the_open(scene, proxy, relay, tmp_path):
    """What replaces it does not go to the relay: two payloads of a nonce are never at two places
    that do not know of each other."""
    stand = relayed(scene, tmp_path, proxy, relay)
    relay.fail("swallow")
    scene.at(START)
    scene.hold()
    stand.keeper.round()
    stand.later(RELAY_WAIT)
    stand.keeper.round()
    assert proxy.raw == relay.raw
    stand.later(BUMP_AFTER)
    stand.keeper.round()
    assert len(relay.raw) == 1
    first, second = (fields_of(raw) for raw in proxy.raw)
    assert first["nonce"] == second["nonce"]
    for fee in ("maxFeePerGas", "maxPriorityFeePerGas"):
        assert 8 * second[fee] >= 9 * first[fee]


def test_fault_22_node_refuses_what_a_relay_has__nothing_else_is_signed(
    scene, proxy, relay, tmp_path
):
    stand = relayed(scene, tmp_path, proxy, relay)
    relay.fail("swallow")
    scene.at(START)
    stand.keeper.round()
    stand.later(RELAY_WAIT)
    proxy.fail("500", method="eth_sendRawTransaction")
    for _ in range(3):
        assert not stand.keeper.round()
    assert stand.steps("report") == ["signed", "sent"]
    proxy.heal()
    relay.heal()
    assert stand.rounds() == 2
    assert stand.steps("report") == ["signed", "sent", "published", "confirmed"]
