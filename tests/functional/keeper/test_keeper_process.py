"""Faults 11, 12, 13, 18, 19, 23 and 24: processes that die, two of them, hostile and dry ones."""

from __future__ import annotations

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from eth_account import Account
from eth_account.typed_transactions import TypedTransaction
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from oracle import signing
from oracle.__main__ import main as oracle_main
from oracle.chain import Fees, Function, Reverted, Sender
from oracle.daemon import service
from oracle.daemon.alarms import DaemonError, Exit
from oracle.daemon.keys import dev_key
from oracle.daemon.lease import Lease
from oracle.daemon.messages import PushTerms, Signed, push_data
from oracle.daemon.node import ClockGuard, steady
from oracle.daemon.remote import RemoteSigner, SignerServer
from oracle.daemon.running import next_wait
from oracle.daemon.view import read_view
from oracle.dev_keys import MNEMONICS
from oracle.risk import Ask
from scripts.support.config import load_config
from tests.support.fault_proxy import FaultProxy
from tests.support.keeper_stage import BTC, CHAIN, ETH, HOUR, START, WAD, Said, deployed_scene
from tests.unit.feeds.exchanges import ExchangeServer

ROOT = Path(__file__).parents[3]
SENDER = "0xa0Ee7A142d267C1f36714E4a8F75612F20a79720"
ARROWS = ["fetch", "validate", "compute", "bound", "simulate", "sign", "send", "journal", "confirm"]
GWEI = 10**9
GUARDIAN = 1
FREEZE = Function("freeze_signer(address)")
MARGIN = Function("tier_requirement(uint256,int256,uint256)", ("uint256",))
PUSHED = "0x" + keccak(text="Pushed(address,bytes32,uint256[])").hex()
MAINTENANCE = 2
DAY = 24 * HOUR


def pushes(scene):
    """(asset, nonce) of every line that was ever pushed."""
    lines = []
    for log in pushed_logs(scene):
        words = [log["data"][2:][i : i + 64] for i in range(0, len(log["data"]) - 2, 64)]
        lines += [(int(word, 16) >> 72, int(word, 16) & 0xFFFFFFFF) for word in words[3:]]
    return lines


def pushed_logs(scene):
    query = {"fromBlock": "0x0", "toBlock": "latest", "topics": [PUSHED]}
    return scene.client.request("eth_getLogs", query)


# --- 11: killed -----------------------------------------------------------------------------------


class Killed(BaseException):
    """As final as a signal, for what is in this process."""


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("arrow", ARROWS)
def test_fault_11_killed_at_an_arrow(scene, tmp_path, arrow, number):
    """At the first or second time it comes there; then started anew."""
    left = [number]

    def at(name):
        left[0] -= name == arrow
        if left[0] == 0:
            raise Killed

    stand = scene.keeper(tmp_path, arrow=at)
    scene.at(START)
    try:
        stand.rounds()
        assert left[0] > 0  # it never came there so often
    except Killed:
        stand.journal.close()
    stand = scene.keeper(tmp_path)
    stand.rounds()
    time.sleep(0.06)  # what was signed but never sent is given up, or replaced
    clock = stand.journal._now
    stand.journal._now = lambda: clock() + 5
    stand.rounds()
    assert scene.line(BTC)[0] == 50_000
    assert scene.price(BTC)[0] == 20_000 * WAD
    assert len(pushes(scene)) == len(set(pushes(scene))) == 3
    assert scene.sent_by(SENDER) == 3
    assert stand.rounds() == 0


@pytest.mark.parametrize("arrow", ["simulate", "sign", "send"])
def test_fault_11_kill_minus_9(scene, tmp_path, arrow):
    """A real process, a real SIGKILL, the same journal on the disk afterwards."""
    scene.at(START)
    command = [sys.executable, "-m", "tests.support.keeper_process"]
    arguments = [scene.client.url, str(scene.file), str(tmp_path)]
    killed = subprocess.run([*command, *arguments, "--arrow", arrow], cwd=ROOT, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    stand = scene.keeper(tmp_path)
    before = stand.steps("report")
    expected = {"simulate": [], "sign": ["signed"], "send": ["signed"]}
    assert before == expected[arrow]
    clock = stand.journal._now
    stand.journal._now = lambda: clock() + 5
    stand.rounds()
    assert scene.sent_by(SENDER) == 3
    assert len(pushes(scene)) == len(set(pushes(scene))) == 3
    assert stand.keeper.alarms.worst == Exit.OK


@pytest.mark.parametrize("damage", ["truncated", "garbage", "row changed", "row lost"])
def test_fault_11_damaged_journal_is_set_aside(scene, tmp_path, damage):
    stand = scene.keeper(tmp_path)
    stand.at(START)
    stand.journal.close()
    path = next(tmp_path.glob("*.sqlite"))
    if damage.startswith("row"):
        verb = "update entries set epoch = 7" if "changed" in damage else "delete from entries"
        with sqlite3.connect(path) as db:
            db.execute(f"{verb} where id = 4")
        db.close()
    else:
        content = path.read_bytes()
        size = len(content)
        broken = content[: size // 2] if damage == "truncated" else os.urandom(size)
        path.write_bytes(broken)
    stand = scene.keeper(tmp_path)
    assert "JOURNAL" in stand.alarms()
    assert len(list(tmp_path.glob("*.damaged-1"))) == 1
    assert stand.steps("report") == stand.steps("push") == ["confirmed"]  # from the chain
    assert stand.rounds() == 1  # the daily note, whose event is custody's
    assert len(pushes(scene)) == 3


# --- 12: two keepers ------------------------------------------------------------------------------


def test_fault_12_second_on_the_same_machine(tmp_path):
    lease = Lease(tmp_path / "a.lease")
    lease.take()
    with pytest.raises(DaemonError, match=f"holds the lease .*: process {os.getpid()}") as caught:
        Lease(tmp_path / "a.lease").take()
    assert caught.value.code == Exit.LEASE
    lease.give()
    Lease(tmp_path / "a.lease").take()


def test_fault_12_lease_ends_with_its_process(tmp_path):
    path = tmp_path / "a.lease"
    script = (
        "from pathlib import Path; from oracle.daemon.lease import Lease; import time;"
        f"lease = Lease(Path({str(path)!r})); lease.take();"
        "print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=ROOT) as p:
        assert p.stdout is not None
        assert p.stdout.readline() == b"held\n"
        with pytest.raises(DaemonError):
            Lease(path).take()
        p.kill()
        p.wait()
    Lease(path).take()


def test_fault_12_two_machines__interleave_harmlessly(scene, tmp_path):
    """Same keys, same sender, two journals, rounds in turn through six hours."""
    said = Said(severity={"BTC": 600_000, "ETH": 600_000})
    stands = [scene.keeper(tmp_path / name, said=said) for name in ("a", "b")]
    for hour in range(6):
        scene.at(START + hour * HOUR)
        for _ in range(6):
            for stand in stands:
                stand.keeper.round()
        assert scene.line(BTC)[0] == (hour + 1) * 50_000
    assert len(pushes(scene)) == len(set(pushes(scene))) == 6 * 3
    # prices and lines six times, and a note a day of each keeper that did not see the other's
    assert 12 <= scene.sent_by(SENDER) <= 16


# --- 13: clocks -----------------------------------------------------------------------------------


class Host:
    """A host with a clock that people set, and one that nobody can."""

    def __init__(self, wall):
        self.wall, self.ticks = float(wall), 1_000.0

    def pass_time(self, seconds):
        self.wall += seconds
        self.ticks += seconds

    def guard(self):
        return ClockGuard(60.0, 30.0, lambda: self.wall, lambda: self.ticks)

    def keeper(self, scene, folder, **sections):
        """One that was just started on this host."""
        stand = scene.keeper(folder, clock=self.guard(), **sections)
        stand.journal._now = steady(lambda: self.wall, lambda: self.ticks)
        stand.keeper.monotonic = lambda: self.ticks
        return stand


@pytest.mark.parametrize(("skew", "code"), [(300, Exit.NODE), (-300, Exit.CLOCK)])
def test_fault_13_five_minutes_between_host_and_chain__nothing_is_signed(
    scene, tmp_path, skew, code
):
    host = Host(START + skew)
    stand = host.keeper(scene, tmp_path)
    for _ in range(3):
        assert stand.at(START) == 0
        assert stand.keeper.alarms.worst == code
    assert stand.journal.entries() == []
    host.wall = START + 2.0  # repaired: a jump, refused for the one round in which it is seen
    stand.keeper.round()
    assert "The host's clock jumped by" in stand.stream.getvalue()
    assert stand.rounds() == 3
    assert stand.keeper.alarms.worst == Exit.OK


@pytest.mark.parametrize("repaired", [True, False])
def test_fault_13_host_jumps_back__no_epoch_twice(scene, tmp_path, repaired):
    """After a push the host's clock goes back by five minutes; it is repaired, or the chain comes
    to where it is and the keeper is started anew: epochs are the chain's, nothing goes out twice.
    """
    host = Host(START + 2)
    stand = host.keeper(scene, tmp_path)
    assert stand.at(START) == 3
    host.wall -= 300
    for _ in range(3):
        assert stand.rounds() == 0
        assert stand.keeper.alarms.worst == Exit.CLOCK
    if repaired:
        host.wall += 300
        stand.keeper.round()
        assert "jumped by +300 seconds" in stand.stream.getvalue()
    else:  # no guard could tell: the whole machine, and what it was told, lies in the past
        stand.journal.close()
        stand = scene.keeper(tmp_path)
        stand.journal._now = lambda: host.wall
        stand.keeper.monotonic = lambda: host.ticks
    assert stand.rounds() == 0
    assert stand.keeper.alarms.worst == Exit.OK
    host.pass_time(60)
    assert stand.at(START + 60) == 1
    reports = [e["epoch"] for e in stand.journal.entries() if e["step"] == "signed"][::3]
    assert reports == [START, START + 60]
    assert len(pushes(scene)) == len(set(pushes(scene))) == 3
    assert scene.sent_by(SENDER) == 4


def test_fault_13_a_journal_is_timed_by_the_steady_clock(scene, tmp_path, monkeypatch):
    monkeypatch.setattr(service, "steady", lambda: lambda: 7.0)
    assert scene.keeper(tmp_path).journal.now() == 7.0


def test_fault_13_timers_do_not_follow_the_hosts_clock(scene, tmp_path):
    """A transaction that waits is replaced, and cancelled, by time that passed: not by a clock that
    was set, however the two may differ."""
    host = Host(START)
    sending = {"bump_after": 20, "deadline": 100}
    stand = host.keeper(scene, tmp_path, sending=sending)
    stand.keeper.clock = None  # jumps too small, or too slow, for the guard
    scene.at(START)
    scene.client.request("evm_setAutomine", False)
    stand.keeper.round()
    host.wall += 3_600
    assert not stand.keeper.round()  # an hour by the clock, nothing by the hand
    host.wall -= 7_200
    host.pass_time(19)
    assert not stand.keeper.round()
    host.pass_time(2)
    assert stand.keeper.round()
    assert stand.steps("report").count("signed") == 2
    host.wall += 3_600
    host.pass_time(60)
    assert stand.keeper.round()
    assert stand.steps("report").count("signed") == 3
    host.wall -= 7_200
    host.pass_time(20)
    assert stand.keeper.round()
    assert stand.steps("cancel") == ["signed", "sent"]


def test_fault_13_written_in_the_future__cancelled_not_waited_for(scene, tmp_path):
    """The machine comes back with its clock an hour behind the journal: how long the transaction
    waits is not known, so it is too long."""
    host = Host(START)
    stand = host.keeper(scene, tmp_path, sending={"deadline": 100})
    scene.at(START)
    scene.client.request("evm_setAutomine", False)
    stand.keeper.round()
    stand.journal.close()
    host.wall -= HOUR
    later = host.keeper(scene, tmp_path, sending={"deadline": 100})
    later.keeper.clock = None
    later.keeper.round()
    assert later.steps("cancel") == ["signed", "sent"]
    scene.client.request("evm_setAutomine", True)
    scene.at(START + 60)
    assert later.rounds() == 3
    assert later.steps("cancel")[-1] == "confirmed"
    assert scene.price(BTC)[1] == START + 60


def in_a_process(scene, folder, *options, zone="UTC"):
    """Entries and alarms of a keeper that ran there, until it had nothing to do."""
    command = [sys.executable, "-m", "tests.support.keeper_process"]
    arguments = [scene.client.url, str(scene.file), str(folder), *map(str, options)]
    done = subprocess.run(
        [*command, *arguments],
        cwd=ROOT,
        timeout=120,
        capture_output=True,
        text=True,
        env={**os.environ, "TZ": zone},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_fault_13_a_process_whose_host_is_five_minutes_off(scene, tmp_path):
    scene.at(START)
    for ahead, alarm in ((-300, "CLOCK"), (300, "NODE")):
        entries, alarms = in_a_process(scene, tmp_path, "--host-ahead", ahead)
        assert entries == []
        assert set(alarms) == {alarm}
    entries, alarms = in_a_process(scene, tmp_path, "--host-ahead", 4)
    assert [e[0] for e in entries if e[2] == "confirmed"] == ["report", "push", "release"]
    assert alarms == []


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(1_919_916_000, id="back: 2030-11-03 06:00 UTC, 02:00 EDT is 01:00 EST"),
        pytest.param(1_930_806_000, id="ahead: 2031-03-09 07:00 UTC, 02:00 EST is 03:00 EDT"),
    ],
)
def test_fault_13_daylight_saving_is_no_event(scene, tmp_path, change):
    """A process in New York and one in UTC, through the three hours around the change and the next
    midnight: the same epochs and the same transactions, byte for byte; none skipped, none twice."""
    hours = [change + offset * HOUR for offset in (-2, -1, 0, 1, 2)]
    midnight = change // DAY * DAY + DAY
    times = [change - 60, change + 60, *hours, midnight - 60, midnight]
    times = ",".join(str(moment) for moment in sorted(times))
    found = {}
    for zone in ("America/New_York", "UTC"):
        with scene.fresh():
            first = scene.client.head().number
            scene.client.request("anvil_setBlockTimestampInterval", 1)  # not the host's seconds
            entries, _ = in_a_process(scene, tmp_path / zone, "--times", times, zone=zone)
            scene.client.request("anvil_removeBlockTimestampInterval")
            # How often it looked in between depends on how fast the node mines.
            steps = [entry for entry in entries if entry[2] in ("signed", "confirmed")]
            found[zone] = steps, sent_since(scene, first)
    assert found["UTC"] == found["America/New_York"]
    entries, sent = found["UTC"]
    done = [(kind, epoch) for kind, epoch, step in entries if step == "confirmed"]
    assert len(set(done)) == len(done) == len(sent)
    assert [e for kind, e in done if kind == "report"] == [int(t) for t in times.split(",")]
    days = [epoch for kind, epoch in done if kind == "release"]
    assert days == [midnight - DAY, midnight]


def sent_since(scene, number):
    """Calldata of all transactions of the sender, in order."""
    found = []
    for block in range(number + 1, scene.client.head().number + 1):
        full = scene.client.request("eth_getBlockByNumber", hex(block), True)
        found += [t["input"] for t in full["transactions"] if t["from"] == SENDER.lower()]
    return found


# --- 18: hostile ----------------------------------------------------------------------------------


def legal_push(scene, keys, severity, depth, at):
    """Signed by a quorum of stolen keys, to be mined at that time; calldata."""
    parts = scene.parts
    view = read_view(scene.client, parts.deployment, parts.assets)
    lines = tuple(
        signing.Line(asset, severity(line.severity), depth(line.depth), line.pushed)
        for asset, line in view.lines.items()
    )
    asks = {line.asset: Ask(0, 1, 0, 0, bytes(32)) for line in lines}
    terms = PushTerms(at + 600, lines, asks)
    signed = [Signed(k.address, k.sign_message(terms.message, parts.domain)) for k in keys]
    return push_data(terms, signed)


@pytest.mark.parametrize("direction", ["tighten", "loosen"])
def test_fault_18_hostile_keeper__24_hours(scene, tmp_path, direction):
    """Every push the chain allows, as far as it allows it, for a day. Margins stay between calm and
    storm, MM moves no faster than its clock, and in no block of a push does it move at all."""
    config = load_config(ROOT / "scripts/config/local.toml")
    said = Said(severity={"BTC": 500_000, "ETH": 500_000})
    stand = scene.keeper(tmp_path, said=said)
    scene.parts = stand.parts
    scene.at(START)
    stand.rounds()
    if direction == "loosen":
        for hour in range(1, 10):
            stand.at(START + hour * HOUR)
    engine = scene.deployment.addresses["engine"]
    keys = [dev_key(index, CHAIN) for index in (3, 4)]
    thief = Sender(scene.client, account(8), Fees(2 * GWEI, GWEI))
    rules = config.push_rules
    rise, fall = rules.step_up, rules.step_down
    begin = scene.client.block_time() // HOUR * HOUR + HOUR
    first, sizes = scene.line(BTC), {BTC: 20 * WAD, ETH: 60 * WAD}
    bounds = {m.asset: m.brackets for m in config.markets}
    last_mm = {asset: scene.line(asset)[3] for asset in sizes}
    for hour in range(24):
        at = begin + hour * HOUR
        if direction == "tighten":
            data = legal_push(
                scene,
                keys,
                lambda s: min(10**6, s + rise),
                lambda d: max(rules.depth_min, d - rules.depth_fall),
                at,
            )
        else:
            data = legal_push(
                scene,
                keys,
                lambda s: max(0, s - fall),
                lambda d: min(10**6, d + rules.depth_rise),
                at,
            )
        pushed = scene.line(BTC)[0]
        before = margins_at(scene, engine, sizes, at)
        scene.client.request("evm_setNextBlockTimestamp", at)
        scene.client.wait(thief.send(engine, data, 2_000_000))
        assert scene.client.block_time() == at
        to = min(10**6, pushed + rise) if direction == "tighten" else max(0, pushed - fall)
        assert scene.line(BTC)[0] == to
        for asset, size in sizes.items():
            margin = scene.client.call(engine, MARGIN, asset, size, MAINTENANCE)
            if direction == "tighten":
                assert margin == before[asset]  # nobody becomes liquidatable by a push
            assert margin <= before[asset]
            notional = size * scene.price(asset)[0] // WAD
            storm = max(b.mm_storm for b in bounds[asset])
            assert (
                bounds[asset][0].mm_calm * notional // 10**6
                <= margin
                <= storm * notional // 10**6 + 1
            )
            now_mm = scene.line(asset)[3]
            assert -fall <= now_mm - last_mm[asset] <= config.clocks.severity_up + 1
            last_mm[asset] = now_mm
    day = scene.line(BTC)
    assert abs(day[0] - first[0]) <= 24 * (rise if direction == "tighten" else fall)
    if direction == "loosen":
        assert day[3] >= first[3] - 24 * fall
    again, line = legal_push(scene, keys, lambda s: s, lambda d: d, at), scene.line(BTC)[:3]
    scene.client.request("evm_setNextBlockTimestamp", at + rules.min_delay - 1)
    with pytest.raises(Reverted):  # too soon
        scene.client.wait(thief.send(engine, again, 2_000_000))
    assert scene.line(BTC)[:3] == line


def margins_at(scene, engine, sizes, time):
    """MM at that time if nobody pushes."""
    snapshot = scene.client.request("evm_snapshot")
    scene.at(time)
    found = {
        a: scene.client.call(engine, MARGIN, a, size, MAINTENANCE) for a, size in sizes.items()
    }
    scene.client.request("evm_revert", snapshot)
    return found


@pytest.mark.parametrize("is_thief_first", [False, True])
def test_fault_18_guardian_freezes_within_less_than_two_blocks(scene, tmp_path, is_thief_first):
    """One transaction a key, in the block after the alarm. A push of the thief's in the same block
    comes to nothing behind them; before them it is his last one step."""
    stand = scene.keeper(tmp_path)
    stand.at(START)
    scene.parts = stand.parts
    engine = scene.deployment.addresses["engine"]
    keys = [dev_key(index, CHAIN) for index in (3, 4)]
    scene.at(START + HOUR)
    begun, pushed = scene.client.head().number, scene.line(BTC)[0]
    data = legal_push(scene, keys, lambda s: s + 50_000, lambda d: d, START + HOUR)
    guardian = Sender(scene.client, account(GUARDIAN), Fees(2 * GWEI, GWEI))
    thief = Sender(scene.client, account(8), Fees(2 * GWEI, GWEI))
    scene.client.request("evm_setAutomine", False)
    calls = [(guardian, FREEZE.encode(key.address)) for key in keys]
    calls.insert(0 if is_thief_first else 2, (thief, data))
    sent = [sender.send(engine, call, 2_000_000) for sender, call in calls]  # mined in that order
    scene.client.request("evm_mine")
    scene.client.request("evm_setAutomine", True)
    receipts = [scene.client.receipt(tx) for tx in sent]
    assert {int(r["blockNumber"], 16) for r in receipts} == {begun + 1}
    assert [int(r["status"], 16) for r in receipts] == [1, 1, is_thief_first]
    assert scene.line(BTC)[0] == pushed + 50_000 * is_thief_first
    later = START + 2 * HOUR
    scene.at(later)
    data = legal_push(scene, keys, lambda s: s + 50_000, lambda d: d, later)
    with pytest.raises(Reverted, match="bad signer"):
        scene.client.request("eth_call", {"to": engine, "data": "0x" + data.hex()}, "latest")


def account(index):
    Account.enable_unaudited_hdwallet_features()
    return Account.from_mnemonic(MNEMONICS[0], account_path=f"m/44'/60'/0'/0/{index}")


# --- 19: rotation ---------------------------------------------------------------------------------


def test_fault_19_rotation_of_a_signer(scene, tmp_path):
    """Governance replaces a signer: the old one's signature is no longer asked for, the new one's
    counts, and no message fails in between."""
    stand = scene.keeper(tmp_path / "a")
    stand.at(START)
    settings = scene.deployment.addresses["settings"]
    timelock = scene.deployment.addresses["timelock"]
    new = account(7).address
    old = account(4).address
    listed = sorted([account(3).address, account(5).address, new], key=lambda a: int(a, 16))
    scene.client.request("anvil_impersonateAccount", timelock)
    scene.client.request("anvil_setBalance", timelock, hex(10**18))
    data = Function("set_signers(address[],uint256)").encode(listed, 2)
    call = {"from": timelock, "to": settings, "data": "0x" + data.hex(), "gas": hex(10**6)}
    assert scene.client.wait(scene.client.request("eth_sendTransaction", call))
    assert stand.at(START + 60) == 1  # two of three remain
    report = [e for e in stand.journal.entries() if e["step"] == "signed"][-1]
    assert set(report["body"]["signers"]) == {account(3).address, account(5).address}
    with pytest.raises(DaemonError, match=f"{old} is no signer of the engine"):
        scene.keeper(tmp_path / "b")
    rotated = scene.keeper(tmp_path / "c", signers=(3, 5, 7))
    assert rotated.at(START + 120) >= 1
    reports = [e for e in rotated.journal.entries() if e["step"] == "signed"]
    assert new in reports[0]["body"]["signers"]


# --- signers in processes of their own ------------------------------------------------------------


def test_remote_signers__and_one_that_is_dead(scene, tmp_path):
    stand = scene.keeper(tmp_path)
    local = stand.keeper.panel.signers
    servers = [SignerServer(signer, "127.0.0.1", 0) for signer in local[:2]]
    for server, signer in zip(servers, local[:2], strict=True):
        signer.look = stand.parts.view
        server.start()
    dead = RemoteSigner("http://127.0.0.1:9", local[2].address)
    signers = [
        RemoteSigner(s.url, signer.address) for s, signer in zip(servers, local, strict=False)
    ]
    stand.keeper.panel = type(stand.keeper.panel)([*signers, dead], stand.parts.domain)
    assert stand.at(START) == 3
    assert scene.line(BTC)[0] == 50_000
    assert "gives no answer" in stand.stream.getvalue()
    servers[0].close()
    assert stand.at(START + 60) == 0
    assert stand.keeper.alarms.worst in (Exit.SOURCE, Exit.QUORUM)
    servers[1].close()


def test_one_signer_disagrees__it_is_outvoted_and_says_why(scene, tmp_path):
    tellers = [Said(), Said(), Said(severity={"BTC": 900_000, "ETH": 0})]
    tellers[2].prices = {"BTC": 20_900 * WAD, "ETH": 2_000 * WAD}
    tellers[2].severity = {"BTC": 0, "ETH": 0}
    stand = scene.keeper(tmp_path, said=tellers)
    assert stand.at(START) == 3
    assert scene.price(BTC)[0] == 20_000 * WAD
    assert scene.line(BTC)[0] == 50_000
    text = stand.stream.getvalue()
    assert "its prices are far from the median" in text
    assert "severity 50000, its own is 0" in text


# --- 23: stalls -----------------------------------------------------------------------------------


def test_fault_23_missed_times_are_skipped(scene, tmp_path):
    stand = scene.keeper(tmp_path)
    stand.at(START)
    assert stand.at(START + 600) == 1  # nine missed, one sent
    skipped = [e["count"] for e in stand.events() if e["event"] == "epochs skipped"]
    assert skipped == [9]
    assert scene.price(BTC)[1] == START + 600
    assert stand.steps("report").count("signed") == 2


class Stalls(Said):
    """A source that takes ten minutes for its answer, once."""

    def __init__(self, scene):
        super().__init__()
        self.scene, self.ticks = scene, 0.0

    def latest(self, market, time):
        if not self.ticks:
            self.ticks = 600.0
            self.scene.at(time + 600)
        return super().latest(market, time)


def test_fault_23_stalled_within_a_round__what_is_late_is_not_sent(scene, tmp_path):
    """The report it was at is refused before it is sent, its push is old; the nine times between
    are skipped."""
    said = Stalls(scene)
    stand = scene.keeper(tmp_path, said=said)
    stand.keeper.monotonic = lambda: said.ticks
    scene.at(START)
    stand.keeper.round()
    assert scene.sent_by(SENDER) == 0
    assert [e["reason"] for e in stand.events() if e["event"] == "refused"] == ["expired"]
    assert stand.rounds() == 3
    assert scene.price(BTC)[1] == START + 600
    signed = [e["epoch"] for e in stand.journal.entries() if e["step"] == "signed"]
    assert signed[0] == START + 600
    assert [e["count"] for e in stand.events() if e["event"] == "epochs skipped"] == [9]
    registry = stand.parts.metrics.registry
    assert registry.get_sample_value("plimsoll_skipped_epochs_total") == 9


def test_fault_23_machine_so_slow_that_data_are_old__not_signed(scene, proxied, tmp_path):
    """The chain stands still as well, so it would take what is a period old."""
    ticks = [0.0]

    def slow(name):
        ticks[0] += 61.0 * (name == "simulate")

    stand = scene.keeper(tmp_path, proxied.url, arrow=slow)
    stand.keeper.monotonic = lambda: ticks[0]
    scene.at(START)
    for _ in range(3):
        assert not stand.keeper.round()
        assert stand.keeper.alarms.worst == Exit.STALLED
    assert proxied.raw == []
    assert stand.journal.entries() == []
    stand.keeper.arrow = lambda name: None
    assert stand.rounds() == 3
    assert stand.keeper.alarms.worst == Exit.OK


@pytest.fixture
def proxied(scene):
    with FaultProxy(scene.client.url) as proxy:
        yield proxy


def test_fault_23_stalled_between_journal_and_node__no_second_push(scene, proxied, tmp_path):
    """Ten minutes for one write to the disk: the push goes out all the same, or comes to nothing;
    either way it is one, and the next one is of then."""
    stalls = {"push": 600, "report": 600}

    def slow(name):
        kind = stand.journal.entries(1)[-1]["kind"] if name == "sign" else ""
        if seconds := stalls.pop(kind, 0):
            scene.at(scene.client.block_time() + seconds)

    stand = scene.keeper(tmp_path, proxied.url, arrow=slow)
    scene.at(START)
    stand.rounds()
    assert stalls == {}
    assert stand.steps("report")[:3] == ["signed", "sent", "failed"]
    failed = next(e for e in stand.journal.entries() if e["step"] == "failed")
    assert failed["body"]["reason"] == "expired"
    assert len(pushes(scene)) == len(set(pushes(scene))) == 3
    epochs = [e["epoch"] for e in stand.journal.entries() if (e["kind"], e["step"]) == SIGNED]
    assert epochs == sorted(set(epochs))
    assert len({fields_of(raw)["nonce"] for raw in proxied.raw}) == len(proxied.raw)


SIGNED = ("report", "signed")


def fields_of(raw):
    return TypedTransaction.from_bytes(HexBytes(raw)).as_dict()


def test_fault_23_slow_disk__one_push_an_epoch(scene, proxied, tmp_path):
    """Every write to the journal takes longer than the rounds are apart, and than a transaction may
    wait; the node mines in between."""
    sending = {"bump_after": 0.2, "deadline": 30}
    stand = scene.keeper(tmp_path, proxied.url, sending=sending)
    note = stand.journal.note

    def slow_note(*args, **values):
        time.sleep(0.25)
        note(*args, **values)

    stand.journal.note = slow_note
    for hour in range(3):
        assert stand.at(START + hour * HOUR) == (3 if hour == 0 else 2)
        assert scene.line(BTC)[0] == min(100_000, (hour + 1) * 50_000)
    assert len(pushes(scene)) == len(set(pushes(scene)))
    assert scene.sent_by(SENDER) == len(proxied.raw) == len(set(proxied.raw))
    epochs = [e["epoch"] for e in stand.journal.entries() if (e["kind"], e["step"]) == SIGNED]
    assert epochs == [START, START + HOUR, START + 2 * HOUR]


def test_fault_23_disk_is_full__nothing_goes_out_unwritten(scene, proxied, tmp_path):
    stand = scene.keeper(tmp_path, proxied.url)
    pages = stand.journal._db.execute("pragma page_count").fetchone()[0]
    stand.journal._db.execute(f"pragma max_page_count = {pages}")
    for number in range(1_000):
        try:
            stand.journal.note("filler", number, "x", text="x" * 200)
        except DaemonError:
            break
    scene.at(START)
    with pytest.raises(DaemonError, match=r"cannot be written: .* full\.") as caught:
        stand.rounds()
    assert caught.value.code == Exit.JOURNAL
    assert proxied.raw == []
    stand.journal._db.execute(f"pragma max_page_count = {10 * pages}")
    assert stand.rounds() == 3


@pytest.mark.parametrize("trouble", ["none", "node", "sources", "money", "signers"])
def test_fault_23_log_of_a_day_in_trouble_is_bounded(scene, proxied, tmp_path, trouble):
    """By the lines of a minute of rounds as close as they come, a day is less than 50 MB at the
    level that is the default."""
    said = Said()
    stand = scene.keeper(tmp_path, proxied.url, said=said, log_level="info")
    stand.at(START)
    if trouble == "node":
        proxied.fail("500")
    elif trouble == "sources":
        said.prices = {"BTC": None, "ETH": None}
        said.severity = {"BTC": None, "ETH": None}
    elif trouble == "money":
        scene.client.request("anvil_setBalance", SENDER, "0x0")
    elif trouble == "signers":
        stand.keeper.panel.signers = stand.keeper.panel.signers[:1]
    scene.at(START + HOUR)
    before = len(stand.stream.getvalue())
    ticks, rounds = [0.0], 0
    stand.keeper.monotonic = lambda: ticks[0]
    wait = 1.0
    while ticks[0] < 60:
        stand.keeper.round()
        rounds += 1
        wait = next_wait(stand.keeper.alarms.worst, wait, 1.0)
        ticks[0] += wait
    grown = len(stand.stream.getvalue()) - before
    print(f"{trouble}: {grown} bytes in {rounds} rounds, {grown * 1_440 / 1e6:.1f} MB a day")
    assert 0 < grown * 1_440 < 50e6


# --- 24: dry --------------------------------------------------------------------------------------


def test_fault_24_dry_run_is_byte_identical(scene, tmp_path):
    """Beside a keeper that sends, on the same tape: what it would send is what is sent."""
    said = Said()
    would = []
    with FaultProxy(scene.client.url) as proxy:
        live = scene.keeper(tmp_path / "live", proxy.url, said=said)
        dry = scene.keeper(tmp_path / "dry", said=said, dry_run=would.append)
        compared = 0
        for step in range(14):
            said.prices["BTC"] += (-1) ** step * 37 * WAD
            said.severity["BTC"] = 40_000 * (step // 5)
            scene.at(START + step * 300)
            for _ in range(5):
                would.clear()
                dry.keeper.round()
                if not live.keeper.round():
                    break
                sent = fields_of(proxy.raw[-1])
                # Both are to look at the same chain: a node answers before it has mined.
                scene.client.wait("0x" + keccak(hexstr=proxy.raw[-1]).hex())
                kinds = [p for p in would if p.data == bytes(sent["data"])]
                assert len(kinds) == 1
                assert bytes(sent["to"]).hex() == kinds[0].to[2:].lower()
                compared += 1
    assert compared >= 16
    assert not list((tmp_path / "dry").glob("*.sqlite"))


# --- latency --------------------------------------------------------------------------------------


def test_price_tick_to_submitted(scene, tmp_path):
    """[ms] median over reports, from the journal."""
    stand = scene.keeper(tmp_path)
    for step in range(21):
        stand.at(START + step * 60)
    latencies = sorted(stand.journal.latencies("report"))
    assert len(latencies) == 21
    median = latencies[10]
    print(f"tick to submitted: median {median} ms, worst {latencies[-1]} ms")
    assert median <= 300


# --- all of it, as operated -----------------------------------------------------------------------

PHRASE = "a passphrase for tests"


class Operator:
    """Keystores, files and processes as docs/operate.md has them."""

    def __init__(self, scene, folder):
        self.scene, self.folder = scene, folder
        phrase = self.write("phrase", PHRASE)
        for index in (3, 4, 9):
            content = Account.encrypt(account(index).key, PHRASE, iterations=2)
            self.write(f"{index}.json", json.dumps(content))
        self.common = (
            f'deployment = "{scene.file}"\nnodes = ["{scene.client.url}"]\n'
            'sources = { factory = "tests.support.keeper_stage:live_sources" }\n'
            'markets = { BTC = "BTC", ETH = "ETH", WETH = "ETH" }\n'
        )
        self.key = f'passphrase_file = "{phrase}"\n'
        self.processes = []

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def start(self, *arguments):
        command = [sys.executable, "-m", "oracle", *map(str, arguments)]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, cwd=ROOT, stderr=pipe, stdout=pipe, text=True)
        self.processes.append(process)
        return process

    def serve(self, *indices):
        """Signers' processes, started together; their urls."""
        processes = {}
        for index in indices:
            text = f'{self.common}[[signers]]\nkeystore = "{index}.json"\n{self.key}'
            path = self.write(f"signer-{index}.toml", f"{text}[listen]\nport = 0\n")
            processes[index] = self.start("signer", "serve", "--config", path)
        return {i: json.loads(p.stderr.readline())["url"] for i, p in processes.items()}

    def keeper_file(self, urls):
        text = f'{self.common}state = "state"\n'.replace("markets", 'log_level = "info"\nmarkets')
        for index, url in urls.items():
            text += f'[[signers]]\nurl = "{url}"\naddress = "{account(index).address}"\n'
        text += f'[sender]\nkeystore = "9.json"\n{self.key}'
        text += "[timing]\nround_every = 0.2\n[sending]\nconfirmations = 1\n"
        return self.write("keeper.toml", text)

    def stop(self):
        """Everything that was said by all processes."""
        for process in self.processes:
            process.terminate()
        return [process.communicate(timeout=20) for process in self.processes]


@pytest.fixture(scope="module")
def deployed_now(tmp_path_factory):
    with deployed_scene(tmp_path_factory.mktemp("now"), int(time.time()) - 7_200) as scene:
        yield scene


@pytest.fixture
def today(deployed_now):
    """A chain whose clock is that of this machine."""
    with deployed_now.fresh():
        deployed_now.client.request("evm_mine", {"timestamp": int(time.time())})
        yield deployed_now


@pytest.fixture
def operator(today, tmp_path):
    today.client.request("evm_setIntervalMining", 1)
    yield Operator(today, tmp_path)
    today.client.request("evm_setIntervalMining", 0)


def test_fault_19_as_operated__no_key_in_anything_that_is_said(operator):
    """Two signers and a keeper, each a process with keystores; a minute's work; SIGTERM. Then
    status, a second keeper, and every line that was said is searched for keys."""
    scene = operator.scene
    path = operator.keeper_file(operator.serve(3, 4))
    dry = operator.start("run", "--config", path, "--once", "--dry-run")
    would = dry.communicate(timeout=60)[0]
    assert dry.returncode == 0
    assert json.loads(would)["kind"] == "report"
    keeper = operator.start("run", "--config", path)
    lines = []
    while not any('"kind": "release"' in line and "confirmed" in line for line in lines):
        lines.append(keeper.stderr.readline())
        assert lines[-1], lines
    second = operator.start("run", "--config", path)
    status = operator.start("status", "--config", path, "--json")
    shown = CliRunner().invoke(oracle_main, ["status", "--config", str(path)])
    assert "BTC" in shown.stdout
    assert shown.exit_code == 0
    refused = second.communicate(timeout=60)[1]
    assert "Another keeper holds the lease" in refused
    assert second.returncode == Exit.LEASE
    seen = status.communicate(timeout=60)[0]
    found = json.loads(seen)
    assert found["assets"][0]["severity"] == 50_000
    assert found["assets"][0]["severity_asked"] == 100_000
    assert len(found["last_signers"]) == 2
    assert found["heartbeat_age"] < 60
    assert found["latency_ms"] > 0
    keeper.send_signal(signal.SIGTERM)
    assert keeper.wait(timeout=20) == 0
    done = (keeper, second, dry, status)
    operator.processes = [p for p in operator.processes if p not in done]
    said = [
        *lines,
        keeper.stderr.read(),
        keeper.stdout.read(),
        refused,
        seen,
        shown.output,
        would,
    ]
    said += [text for pair in operator.stop() for text in pair]
    said += [p.read_text() for p in operator.folder.glob("state/*.json")]
    said += [
        p.read_bytes().decode(errors="replace") for p in operator.folder.glob("state/*.sqlite*")
    ]
    everything = "".join(said).lower()
    for index in (3, 4, 9):
        assert bytes(account(index).key).hex() not in everything
    assert PHRASE not in everything
    assert "traceback" not in everything
    assert scene.line(BTC)[0] == 50_000


def troubled_file(operator):
    """A keeper with its own two keys, and a source in whatever trouble `trouble` says."""
    trouble = operator.write("trouble", "")
    options = f'options = {{ file = "{trouble}" }}'
    sources = 'factory = "tests.support.keeper_stage:troubled_sources"'
    text = operator.common.replace(
        'factory = "tests.support.keeper_stage:live_sources"', f"{sources}, {options}"
    )
    text += 'state = "state"\n'
    for index in (3, 4):
        text += f'[[signers]]\nkeystore = "{index}.json"\n{operator.key}'
    text += f'[sender]\nkeystore = "9.json"\n{operator.key}'
    text += "[timing]\nround_every = 0.2\nstall_after = 3\n[sending]\nconfirmations = 1\n"
    return operator.write("keeper.toml", text), trouble


def until(found, seconds=30.0):
    """What `found` returns, as soon as it is something."""
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return value


def test_fault_23_as_operated__stalled_it_ends_and_started_anew_sends_once(operator):
    """The heartbeat stops, the watchdog ends the process with its own code, its lease is free; the
    next one does what is due, once."""
    path, trouble = troubled_file(operator)
    trouble.write_text("stalled")
    process = operator.start("run", "--config", path)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == Exit.STALLED
    last = json.loads(said.splitlines()[-1])
    assert (last["event"], last["alarm"], last["level"]) == ("stalled", "STALLED", "critical")
    assert not (operator.folder / "state/heartbeat.json").exists()
    assert operator.scene.sent_by(SENDER) == 0
    trouble.write_text("")
    process = operator.start("run", "--config", path)
    until(lambda: operator.scene.sent_by(SENDER) == 3)
    until(lambda: (operator.folder / "state/heartbeat.json").exists())
    assert len(pushes(operator.scene)) == len(set(pushes(operator.scene))) == 3
    operator.stop()


def test_fault_23_as_operated__stopped_for_a_while__the_heartbeat_shows_it(operator):
    """As a machine that swaps: nothing of the process runs, and then it goes on as if nothing had
    been."""
    path, _ = troubled_file(operator)
    path.write_text(path.read_text().replace("stall_after = 3", "stall_after = 60"))
    process = operator.start("run", "--config", path)
    until(lambda: operator.scene.sent_by(SENDER) == 3)
    heartbeat = operator.folder / "state/heartbeat.json"
    until(heartbeat.exists)
    process.send_signal(signal.SIGSTOP)
    time.sleep(2.0)
    shown = CliRunner().invoke(oracle_main, ["status", "--config", str(path), "--json"])
    assert json.loads(shown.stdout)["heartbeat_age"] > 1.9
    stopped = heartbeat.read_text()
    time.sleep(0.5)
    assert heartbeat.read_text() == stopped
    process.send_signal(signal.SIGCONT)
    until(lambda: heartbeat.read_text() != stopped)
    assert len(pushes(operator.scene)) == len(set(pushes(operator.scene))) == 3
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0
    operator.stop()


def test_fault_23_as_operated__little_memory__the_market_is_left_out_and_said(operator):
    """A source asks for more than the process may have: no price, an alarm, and it lives."""
    path, trouble = troubled_file(operator)
    trouble.write_text("out of memory")
    process = operator.start("run", "--config", path)
    most = 4 << 30
    resource.prlimit(process.pid, resource.RLIMIT_AS, (most, most))
    line = until(lambda: next((t for t in process.stderr if "MemoryError" in t), ""))
    assert json.loads(line)["alarm"] == "SOURCE"
    trouble.write_text("")
    until(lambda: operator.scene.sent_by(SENDER) >= 3)
    assert operator.scene.line(BTC)[0] == 50_000
    peak = next(
        line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
        if line.startswith("VmHWM")
    )  # fmt: skip
    print(peak)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0
    operator.stop()


def test_live_feeds_as_operated__and_the_push_is_verified(operator):
    """Four exchanges, two keys of this process, `oracle run --once` until prices and lines are out;
    `oracle verify` with the bars the keeper recorded."""
    exchanges = ExchangeServer()
    venues = [
        f'{{ id = "{name}", url = "{exchanges.url}", options = {{ enableRateLimit = false }} }},'
        for name in ("binance", "okx", "bybit", "kraken")
    ]
    text = f'deployment = "{operator.scene.file}"\nnodes = ["{operator.scene.client.url}"]\n'
    text += 'state = "state"\nmarkets = { BTC = "BTC" }\n'
    text += f'[feeds]\ncalibration = "2026-02-05"\nrule = "tail"\nvenues = [{"".join(venues)}]\n'
    for index in (3, 4):
        text += f'[[signers]]\nkeystore = "{index}.json"\n{operator.key}'
    text += f'[sender]\nkeystore = "9.json"\n{operator.key}[sending]\nconfirmations = 1\n'
    path = operator.write("keeper.toml", text)
    reports = operator.folder / "state/reports"
    for _ in range(20):
        once = CliRunner().invoke(oracle_main, ["run", "--config", str(path), "--once"])
        assert once.exit_code == 0, once.output
        if operator.scene.line(BTC)[2] > operator.scene.client.block_time() - 600:
            break
        time.sleep(1)
    exchanges.close()
    assert operator.scene.price(BTC)[0] == 60_000 * WAD + WAD // 2
    (file,) = reports.glob("*.json")
    said = verified(file, data=operator.folder / "state/bars")
    assert said == (0, "Equal: all 5 values follow from the public data.\n")


def test_replay_on_a_local_node__and_its_pushes_are_verified(today, tmp_path):
    """`oracle run --replay`, out of the box: two hours of 12 March 2020. Then `oracle verify` of
    each push's report, of the transaction with its report, and of a report with one number altered.
    """
    command = [sys.executable, "-m", "oracle", "run", "--replay", "2020-03-12", "--hours", "2"]
    where = ["--node", today.client.url, "--deployment", str(today.file)]
    done = subprocess.run(
        [*command, *where, "--state", str(tmp_path)], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert "24 reports and 3 pushes sent" in done.stdout
    assert today.line(BTC)[0] > 0
    assert 7_000 * WAD < today.price(BTC)[0] < 9_000 * WAD
    files = sorted((tmp_path / "reports").glob("*.json"))
    assert len(files) == 3
    for file in files:
        assert verified(file) == (0, "Equal: all 13 values follow from the public data.\n")
    tx = pushed_logs(today)[-1]["transactionHash"]
    code, said = verified(tx, "--rpc", today.client.url, "--report", str(files[-1]))
    assert (code, said[:14]) == (0, "Equal: all 18 ")
    code, said = verified(tx, "--rpc", today.client.url, "--report", str(files[0]))
    assert (code, said[:10]) == (1, "Not equal:")
    report = json.loads(files[0].read_text())
    report["lines"][0]["pushed"]["severity"] += 1
    files[0].write_text(json.dumps(report))
    code, said = verified(files[0])
    assert code == 1
    assert said.startswith("Not equal: 1 of 13 values differ, first BTC.pushed: claimed ")


def verified(*arguments, data=ROOT / "oracle/data"):
    """Exit code and sentence of `oracle verify`, by default with the recordings of this project."""
    arguments = ["verify", *arguments, "--data", data]
    done = CliRunner().invoke(oracle_main, [str(argument) for argument in arguments])
    return done.exit_code, done.output
