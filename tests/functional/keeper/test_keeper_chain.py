"""Faults 4 to 10, 21, 25: what the chain, its pool and its fees do to a keeper."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oracle.chain import Fees, Function, Reverted, Sender
from oracle.daemon import view as view_module
from oracle.daemon.alarms import Exit
from oracle.daemon.journal import Journal
from oracle.keeper import Line
from oracle.policy import Limits
from tests.support.keeper_chain import (
    GUARDIAN,
    GWEI,
    SENDER,
    account,
    fields_of,
)
from tests.support.keeper_stage import (
    BTC,
    BUMP_AFTER,
    CHAIN,
    DEADLINE,
    ETH,
    HOUR,
    START,
    WAD,
    WETH,
    Said,
    SourceError,
)

ETHER = 10**18
STRANGER = 8
PAUSE = Function("pause()")
UNPAUSE = Function("unpause()")
REDUCE_ONLY = Function("set_reduce_only(uint256,bool)")


def transfer(scene, index, nonce, fee=2 * GWEI):
    """From an account to itself, by somebody else with its key; its hash."""
    own = account(index)
    fields = {
        "type": 2,
        "chainId": CHAIN,
        "nonce": nonce,
        "to": own.address,
        "value": 0,
        "gas": 21_000,
        "maxFeePerGas": fee,
        "maxPriorityFeePerGas": fee,
    }
    raw = "0x" + bytes(own.sign_transaction(fields).raw_transaction).hex()
    return scene.client.request("eth_sendRawTransaction", raw)


def send(scene, index, data):
    """To the engine, and mined."""
    sender = Sender(scene.client, account(index), Fees(2 * GWEI, GWEI))
    scene.client.wait(sender.send(scene.deployment.addresses["engine"], data, 200_000))


def base_fee(scene, gwei):
    scene.client.request("anvil_setNextBlockBaseFeePerGas", hex(int(gwei * GWEI)))


# --- 4: reorgs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("how", ["anvil_rollback", "anvil_reorg"])
def test_fault_04_reorg(scene, tmp_path, depth, how):
    """What was confirmed is gone: it is sent again from what is true now, and once."""
    said = Said()
    stand = scene.keeper(tmp_path, said=said)
    assert stand.at(START) == 3
    said.prices["BTC"] = 20_500 * WAD
    said.severity["BTC"] = 20_000
    scene.client.request(how, *([depth] if how == "anvil_rollback" else [depth, []]))
    stand.rounds()
    assert [s for s in stand.steps("release") if s == "lost"] == ["lost"]
    assert "reorg" in [event["event"] for event in stand.events()]
    assert scene.line(BTC)[0] == (20_000 if depth > 1 else 50_000)
    assert scene.price(BTC)[0] == (20_500 if depth > 2 else 20_000) * WAD
    assert stand.rounds() == 0
    for kind, lost in (("report", depth > 2), ("push", depth > 1), ("release", True)):
        assert stand.steps(kind).count("confirmed") == 1 + lost
        assert stand.steps(kind).count("signed") == 1 + lost


# --- 5: nonces ------------------------------------------------------------------------------------


def test_fault_05_somebody_else_used_the_key(scene, tmp_path):
    stand = scene.keeper(tmp_path)
    scene.client.wait(transfer(scene, 9, 0))
    assert stand.at(START) == 3
    assert scene.sent_by(SENDER) == 4


def test_fault_05_gap_is_filled(scene, tmp_path):
    """A transaction two nonces ahead waits for those before it."""
    stand = scene.keeper(tmp_path)
    transfer(scene, 9, 2)
    assert stand.at(START) >= 3
    stand.rounds()
    assert scene.sent_by(SENDER) == 4
    assert scene.line(BTC)[0] == 50_000
    assert stand.steps("release")[-1] == "confirmed"


def test_fault_05_unknown_transaction_waits__is_outbid(scene, tmp_path):
    stand = scene.keeper(tmp_path)
    scene.at(START)
    scene.hold()
    theirs = transfer(scene, 9, 0, fee=5 * GWEI)
    stand.keeper.round()
    assert "unknown transaction waits" in stand.stream.getvalue()
    scene.client.request("evm_mine")
    assert scene.client.receipt(theirs) is None
    assert scene.price(BTC)[0] == 20_000 * WAD
    assert scene.sent_by(SENDER) == 1


def test_fault_05_nonce_jumps_while_one_waits(scene, tmp_path):
    stand = scene.keeper(tmp_path)
    scene.at(START)
    scene.hold()
    stand.keeper.round()
    scene.client.request("anvil_setNonce", SENDER, hex(7))
    scene.client.request("evm_setAutomine", True)
    stand.rounds()
    assert "superseded" in stand.steps("report")
    assert scene.price(BTC)[0] == 20_000 * WAD
    assert scene.sent_by(SENDER) == 10


def test_fault_05_one_in_flight(scene, proxy, tmp_path):
    stand = scene.keeper(tmp_path, proxy.url)
    scene.at(START)
    scene.hold()
    for _ in range(5):
        stand.keeper.round()
    assert len(proxy.raw) == 1


# --- 6, 7: stuck ----------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [10, 100])
def test_fault_06_stuck__replaced_by_what_is_true_now(scene, proxy, tmp_path, factor):
    said = Said()
    # Anvil forgets what is too cheap for a block; three seconds later a keeper does so, too.
    sending = {"max_gwei": 1_000, "bump_after": 1}
    stand = scene.keeper(tmp_path, proxy.url, said=said, sending=sending)
    scene.at(START)
    scene.hold()
    stand.keeper.round()
    base_fee(scene, 1 * factor)
    scene.at(START + 60)  # too dear for it
    scene.client.request("evm_setAutomine", True)
    said.prices["BTC"] = 20_100 * WAD
    stand.later(1)
    stand.keeper.round()
    first, second = (fields_of(raw) for raw in proxy.raw)
    assert first["nonce"] == second["nonce"]
    for fee in ("maxFeePerGas", "maxPriorityFeePerGas"):
        assert 8 * second[fee] >= 9 * first[fee]
    assert first["data"] != second["data"]
    scene.mined()
    stand.keeper.round()
    assert scene.price(BTC)[:2] == (20_100 * WAD + 60, START + 60)
    assert "stuck" in [event["event"] for event in stand.events()]


def test_fault_06_stuck_for_too_long__cancelled(scene, proxy, tmp_path):
    stand = scene.keeper(tmp_path, proxy.url)
    scene.at(START)
    scene.hold()
    stand.keeper.round()
    stand.later(DEADLINE)
    stand.keeper.round()
    cancel = fields_of(proxy.raw[1])
    assert bytes(cancel["to"]).hex() == SENDER[2:].lower()
    assert bytes(cancel["data"]) == b""
    assert cancel["nonce"] == fields_of(proxy.raw[0])["nonce"]
    assert 8 * cancel["maxFeePerGas"] >= 9 * fields_of(proxy.raw[0])["maxFeePerGas"]
    scene.client.request("evm_setAutomine", True)
    scene.at(START + 60)
    assert scene.price(BTC)[0] == 0
    assert stand.rounds() == 3  # the report of now, not the old one
    assert stand.steps("cancel")[-1] == "confirmed"
    assert scene.price(BTC)[1] == START + 60


def test_fault_07_the_original_is_mined_after_all(scene, proxy, tmp_path):
    stand = scene.keeper(tmp_path, proxy.url)
    scene.at(START)
    scene.hold()
    stand.keeper.round()
    stand.later(BUMP_AFTER)
    proxy.fail("reset", method="eth_sendRawTransaction")
    stand.keeper.round()  # its replacement never arrives
    proxy.heal()
    scene.client.request("evm_mine")
    scene.client.request("evm_setAutomine", True)
    assert stand.rounds() == 2  # lines and the daily note
    entries = [e for e in stand.journal.entries() if e["kind"] == "report"]
    assert [e["step"] for e in entries] == ["signed", "sent", "signed", "unanswered", "confirmed"]
    assert entries[-1]["tx"] == entries[0]["tx"]
    assert scene.sent_by(SENDER) == 3


# --- 8, 9: fees and money -------------------------------------------------------------------------


def test_fault_08_fee_cap__nothing_is_sent_and_the_chain_is_safe(scene, proxy, tmp_path):
    stand = scene.keeper(tmp_path, proxy.url, sending={"max_gwei": 10})
    assert stand.at(START) == 3
    severity_im = scene.line(BTC)[5]
    assert severity_im < 10**6
    base_fee(scene, 5_000)
    assert stand.at(START + 3 * HOUR + 3) == 0
    assert stand.keeper.alarms.worst == Exit.FEE_CAP
    assert len(proxy.raw) == 3
    assert scene.line(BTC)[5] == 10**6  # stale: IM as at the storm, MM on its clock
    assert scene.line(BTC)[3] == 50_000
    base_fee(scene, 1)
    stand.later(10)
    assert stand.at(START + 3 * HOUR + 60) == 2


@pytest.mark.parametrize(
    ("balance", "level"),
    [(4 * ETHER // 10, "warning"), (ETHER // 10, "error"), (ETHER // 50, "critical")],
)
def test_fault_09_gas_money_runs_low(scene, tmp_path, balance, level):
    stand = scene.keeper(tmp_path)
    scene.client.request("anvil_setBalance", SENDER, hex(balance))
    assert stand.at(START) == 3
    money = [e for e in stand.events() if e["event"] == "gas money"]
    assert {e["level"] for e in money} == {level}
    assert {e["alarm"] for e in money} == {"GAS_MONEY"}


def test_fault_09_no_gas_money(scene, proxy, tmp_path):
    stand = scene.keeper(tmp_path, proxy.url)
    stand.keeper.monotonic = lambda: 0.0
    scene.client.request("anvil_setBalance", SENDER, "0x0")
    assert stand.at(START) == 0
    assert stand.keeper.alarms.worst == Exit.GAS_MONEY
    assert proxy.raw == []
    assert "signed" not in stand.steps("report")
    scene.client.request("anvil_setBalance", SENDER, hex(ETHER))
    assert stand.rounds() == 0  # it rests
    stand.later(10)
    assert stand.rounds() == 3


# --- 10, 21: refused by the chain -----------------------------------------------------------------


def mislead(monkeypatch, change):
    """What the keeper reads is not what the chain will say."""
    original = view_module.read_view
    monkeypatch.setattr(view_module, "read_view", lambda *args: change(original(*args)))


def test_fault_10_step_too_large(scene, proxy, tmp_path, monkeypatch):
    """Governance narrowed the steps after they were read: said once, not tried again at once."""
    wide = Limits(severity_up=500_000, min_delay=3_000, heartbeat=6_000)
    mislead(monkeypatch, lambda view: replace(view, limits=wide))
    stand = scene.keeper(tmp_path, proxy.url, said=Said(severity={"BTC": 400_000, "ETH": 400_000}))
    stand.at(START)
    assert scene.line(BTC)[0] == scene.line(ETH)[0] == 0
    assert '"reason": "out of bounds"' in stand.stream.getvalue()
    before = proxy.seen.count("eth_estimateGas")
    for second in range(1, 30):
        stand.at(START + second)
    assert proxy.seen.count("eth_estimateGas") == before
    monkeypatch.undo()
    stand.at(START + 61)
    assert scene.line(BTC)[0] == 50_000


def test_fault_10_paused(scene, proxy, tmp_path):
    stand = scene.keeper(tmp_path, proxy.url)
    scene.at(START - 1)
    send(scene, GUARDIAN, PAUSE.encode())
    for second in range(1, 6):
        assert stand.at(START + second) == 0
    assert proxy.raw == []
    assert "eth_estimateGas" not in proxy.seen
    assert stand.stream.getvalue().count("the protocol is paused") == 1
    send(scene, GUARDIAN, UNPAUSE.encode())
    assert stand.at(START + 60) == 3


def test_fault_10_reverts_when_mined(scene, proxy, tmp_path):
    """Somebody saw the push in the pool and brought it first: said, and not sent again."""
    stand = scene.keeper(tmp_path, proxy.url)
    scene.at(START)
    stand.keeper.round()
    scene.mined()
    scene.hold()
    stand.keeper.round()
    raw = proxy.raw[-1]
    copied = bytes(fields_of(raw)["data"])
    scene.client.request("anvil_dropAllTransactions")
    observer = Sender(scene.client, account(STRANGER), Fees(9 * GWEI, 9 * GWEI))
    observer.send(scene.deployment.addresses["engine"], copied, 2_000_000)
    scene.client.request("eth_sendRawTransaction", raw)
    scene.client.request("evm_mine")
    scene.client.request("evm_setAutomine", True)
    stand.rounds()
    assert stand.steps("push") == ["signed", "sent", "failed"]
    failed = next(e for e in stand.journal.entries() if e["step"] == "failed")
    assert failed["body"]["reason"]
    assert "reverted" in [event["event"] for event in stand.events()]
    assert scene.line(BTC)[0] == 50_000


def test_fault_21_one_line_is_refused__others_are_pushed(scene, tmp_path, monkeypatch):
    def behind(view):
        line = view.lines[BTC]
        stale = Line(line.severity, line.depth, line.pushed - 7)
        return replace(view, lines={**view.lines, BTC: stale})

    mislead(monkeypatch, behind)
    stand = scene.keeper(tmp_path)
    stand.at(START)
    assert scene.line(BTC)[0] == 0
    assert scene.line(ETH)[0] == scene.line(WETH)[0] == 30_000
    left = next(e for e in stand.events() if e["event"] == "line left out")
    assert (left["asset"], left["reason"]) == (BTC, "nonce")


def test_fault_21_one_market_has_no_source__others_go_on(scene, tmp_path):
    said = Said()
    said.prices["ETH"] = SourceError("ETH: two of three venues are away.")
    said.severity["ETH"] = SourceError("ETH: the bar before now is missing.")
    stand = scene.keeper(tmp_path, said=said)
    assert stand.at(START) == 3
    assert scene.price(BTC)[0] == 20_000 * WAD
    assert scene.price(ETH)[0] == scene.price(WETH)[0] == 0
    assert scene.line(BTC)[0] == 50_000
    assert scene.line(ETH)[0] == 0
    left = [e["assets"] for e in stand.events() if e["event"] == "assets left out"]
    assert left == [[ETH, WETH]]


def test_fault_21_one_market_is_pending_and_reduce_only__others_go_on(scene, tmp_path):
    said = Said()
    stand = scene.keeper(tmp_path, said=said)
    stand.at(START)
    send(scene, GUARDIAN, REDUCE_ONLY.encode(ETH, True))
    said.prices["BTC"] = 15_000 * WAD  # held back
    stand.at(START + HOUR)
    assert scene.price(BTC)[0] == 20_000 * WAD
    assert scene.price(ETH)[1] == START + HOUR
    assert scene.line(BTC)[0] == 100_000
    stand.at(START + HOUR + 120)
    assert scene.price(BTC)[0] == 15_000 * WAD + HOUR + 120  # the nearer of the two


# --- 25: after an outage --------------------------------------------------------------------------


def test_fault_25_six_hours_away_and_the_price_fell_by_30_per_cent(scene, tmp_path):
    said = Said()
    stand = scene.keeper(tmp_path, said=said)
    assert stand.at(START) == 3
    back = START + 6 * HOUR
    scene.at(back - 60)
    assert scene.line(BTC)[5] == scene.line(ETH)[5] == 10**6  # IM as at the storm all the while
    assert scene.line(BTC)[3] == 50_000  # MM where it was pushed to
    state = scene.price(BTC)[2]
    assert state & 1  # price unknown: settling
    said.prices = {"BTC": 14_000 * WAD, "ETH": 1_400 * WAD}
    said.severity = {"BTC": 900_000, "ETH": 900_000}
    later = scene.keeper(tmp_path, said=said)  # the same journal
    assert later.at(back) == 3  # it is another day
    assert later.steps("push").count("confirmed") == 2
    assert scene.line(BTC)[0] == 100_000  # one step
    assert scene.line(ETH)[0] == 80_000
    assert scene.price(BTC)[0] == 20_000 * WAD  # a jump that large waits for its confirmation
    later.at(back + 120)
    assert scene.price(BTC)[0] == 14_000 * WAD + 6 * HOUR + 120
    assert later.at(back + 180) == 1
    assert scene.line(BTC)[0] == 100_000


# --- the chain refuses a signer -------------------------------------------------------------------


def test_frozen_signer_is_left_out(scene, tmp_path):
    stand = scene.keeper(tmp_path)
    frozen = stand.keeper.panel.signers[1].address
    freeze = Function("freeze_signer(address)").encode(frozen)
    send(scene, GUARDIAN, freeze)
    assert stand.at(START) == 3
    report = next(e for e in stand.journal.entries() if e["step"] == "signed")
    assert frozen not in report["body"]["signers"]
    assert len(report["body"]["signers"]) == 2
    assert stand.keeper.alarms.worst == Exit.OK
    assert stand.alarms().count("QUORUM") == 1
    stand.at(START + 60)
    assert stand.alarms().count("QUORUM") == 1  # it is left out from then on
    stand.at(START + 3_720)
    assert stand.alarms().count("QUORUM") == 2  # and tried again after an hour


def test_rebuilt_from_the_chain(scene, tmp_path):
    """Without its journal a keeper neither repeats what is there, nor loses the coverage after."""
    stand = scene.keeper(tmp_path / "a")
    stand.at(START)
    other = scene.keeper(tmp_path / "b")
    assert other.steps("report") == other.steps("push") == ["confirmed"]
    assert other.rounds() == 1  # the daily note
    assert scene.line(BTC)[0] == 50_000


def test_a_message_to_another_contract_is_refused(scene):
    with pytest.raises(Reverted):
        scene.client.call(scene.deployment.addresses["engine"], PAUSE, sender=SENDER)
    assert Journal(":memory:", "x").flights() == []


class Between:
    """A node that mines as soon as the first question was answered."""

    def __init__(self, client):
        self._client, self._asked = client, 0

    def __getattr__(self, name):
        found = getattr(self._client, name)
        if name not in ("batch", "nonces"):
            return found

        def asked(*arguments):
            answer = found(*arguments)
            if not self._asked:
                self._client.request("evm_mine")
            self._asked += 1
            return answer

        return asked


def test_a_block_between_two_questions_supersedes_nothing(scene, tmp_path):
    """What became of it is asked by receipt and by nonce: a block may come between the two."""
    stand = scene.keeper(tmp_path)
    scene.at(START)
    scene.client.request("evm_setAutomine", False)
    assert stand.keeper.round()
    head = scene.client.head()
    assert stand.keeper.outbox.settle(Between(scene.client), head) is None
    assert stand.steps("report")[-1] in ("mined", "confirmed")
    assert "TRANSACTION" not in stand.alarms()
