"""Faults 11, 12, 19 and 24: processes that die, two of them, and dry ones."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from eth_utils.crypto import keccak

from oracle.chain import Function
from oracle.daemon.alarms import DaemonError, Exit
from oracle.daemon.lease import Lease
from oracle.daemon.remote import RemoteSigner, SignerServer
from tests.support.fault_proxy import FaultProxy
from tests.support.keeper_chain import SENDER, account, fields_of, pushes
from tests.support.keeper_stage import BTC, BUMP_AFTER, HOUR, START, WAD, Said

ROOT = Path(__file__).parents[3]
ARROWS = ["fetch", "validate", "compute", "bound", "simulate", "sign", "send", "journal", "confirm"]


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
    stand.later(BUMP_AFTER)  # what was signed but never sent is given up, or replaced
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
    killed = subprocess.run([*command, *arguments, "--arrow", arrow], cwd=ROOT, timeout=300)
    assert killed.returncode == -signal.SIGKILL
    stand = scene.keeper(tmp_path)
    before = stand.steps("report")
    expected = {"simulate": [], "sign": ["signed"], "send": ["signed"]}
    assert before == expected[arrow]
    stand.later(5)
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
        "print('held', flush=True); time.sleep(600)"
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
                scene.mined()
        assert scene.line(BTC)[0] == (hour + 1) * 50_000
    assert len(pushes(scene)) == len(set(pushes(scene))) == 6 * 3
    # prices and lines six times, and a note a day of each keeper that did not see the other's
    assert 12 <= scene.sent_by(SENDER) <= 16


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
    """[ms] median over 21 reports, from the journal; the best of three times, since other programs
    may run beside this one."""
    stand = scene.keeper(tmp_path)
    medians = []
    for hour in range(3):
        for step in range(21):
            stand.at(START + hour * HOUR + step * 60)
        assert len(stand.journal.latencies("report")) == 21 * (hour + 1)
        medians.append(sorted(stand.journal.latencies("report", 21))[10])
        if medians[-1] <= 300:
            break
    print(f"tick to submitted: medians {medians} ms")
    assert min(medians) <= 300
