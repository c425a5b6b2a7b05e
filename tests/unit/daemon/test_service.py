"""Fault 23, configuration, signers over HTTP, and the command line."""

from __future__ import annotations

import contextlib
import io
import json
import os
import queue
import threading
import time
from types import SimpleNamespace

import pytest
import requests
from click.testing import CliRunner

from oracle import __main__ as table
from oracle.__main__ import main
from oracle.daemon import running
from oracle.daemon.alarms import Alarms, DaemonError, Exit
from oracle.daemon.config import load_config
from oracle.daemon.logs import make_log
from oracle.daemon.messages import PushTerms
from oracle.daemon.metrics import Metrics
from oracle.daemon.remote import (
    RemoteSigner,
    SignerServer,
    read_ask,
    read_terms,
    write_ask,
    write_terms,
)
from oracle.daemon.running import Heart, Watchdog
from oracle.daemon.sources import load_sources
from oracle.signing import Line
from tests.unit.daemon.test_fault_14_guards import GOOD, KEYS, NOW, WAD, Feed, signer, view

GOOD_FILE = """
deployment = "1.json"
nodes = ["https://node.example/v3/abc"]
sources = { factory = "my.feeds:make", options = { venues = 3 } }
[[signers]]
keystore = "keys/one.json"
passphrase_file = "keys/one.txt"
[[signers]]
url = "http://127.0.0.1:9101"
address = "0x90F79bf6EB2c4f870365E785982E1f101E93b906"
[sender]
keystore = "keys/sender.json"
passphrase_fd = 3
[sending]
max_gwei = 300
"""


# --- 23 -------------------------------------------------------------------------------------------


def test_fault_23_watchdog_ends_a_process_that_stands_still(monkeypatch):
    """Its own clock, so that a pause of this process is none of what it watches."""
    ended, ticks = queue.Queue(), [100.0]
    stream = io.StringIO()
    monkeypatch.setattr(running, "time", SimpleNamespace(monotonic=lambda: ticks[0]))
    dog = Watchdog(0.04, make_log(stream), ended.put)
    dog.start()
    for _ in range(5):
        ticks[0] += 0.03
        dog.beat()
        time.sleep(0.02)  # it looks every 0.01 s
    assert ended.empty()
    ticks[0] += 0.05
    assert ended.get(timeout=60) == Exit.STALLED
    assert json.loads(stream.getvalue())["level"] == "critical"


def test_fault_23_watchdog_ends_a_process_whose_log_nobody_reads(monkeypatch):
    """A pipe holds 64 KB: then every line blocks, also the watchdog's own."""
    monkeypatch.setattr(running, "LAST_WORDS", 0.05)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, bytes(4_096))
    os.set_blocking(writing, True)
    ended = queue.Queue()
    with os.fdopen(writing, "w", buffering=1) as stream:
        Watchdog(0.04, make_log(stream), ended.put).start()
        try:
            assert ended.get(timeout=60) == Exit.STALLED
        finally:
            os.read(reading, 1 << 20)  # lets go of the thread that writes
            for thread in threading.enumerate():
                if thread.name == "last words":
                    thread.join(60)
    os.close(reading)


def test_fault_23_heartbeat(tmp_path):
    metrics = Metrics()
    heart = Heart(tmp_path / "state" / "heartbeat.json", metrics)
    heart.beat(Exit.FEE_CAP)
    written = json.loads(heart.path.read_text())
    assert abs(written["at"] - time.time()) < 60
    assert written["worst"] == "FEE_CAP"
    assert metrics.registry.get_sample_value("plimsoll_heartbeat_seconds") == pytest.approx(
        written["at"], abs=0.01
    )
    assert len(list((tmp_path / "state").iterdir())) == 1


def test_metrics_at_an_address():
    metrics = Metrics()
    alarms = Alarms(make_log(io.StringIO()), metrics.count_alarm)
    alarms.sound(Exit.NODE, "error", "x")
    port = metrics.serve("127.0.0.1", 0)
    text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text
    assert 'plimsoll_alarms_total{code="NODE",level="error"} 1.0' in text
    with pytest.raises(DaemonError, match="Metrics cannot be served at"):
        Metrics().serve("127.0.0.1", port)


def test_alarms_remember_the_gravest():
    alarms = Alarms(make_log(io.StringIO()))
    alarms.sound(Exit.SOURCE, "warning", "a")
    alarms.sound(Exit.FEE_CAP, "critical", "b")
    alarms.sound(Exit.NODE, "error", "c")
    assert alarms.worst == Exit.FEE_CAP
    alarms.begin()
    assert alarms.worst == Exit.OK


# --- configuration --------------------------------------------------------------------------------


def write(tmp_path, text):
    path = tmp_path / "keeper.toml"
    path.write_text(text)
    return path


def test_config(tmp_path):
    config = load_config(write(tmp_path, GOOD_FILE))
    assert config.signers[0].keystore == tmp_path / "keys/one.json"
    assert config.sender.passphrase_fd == 3
    assert config.sending.patience.most == 300 * 10**9
    assert config.deployment == tmp_path / "1.json"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("max_gwei = 300", "max_gwey = 300", "sending.max_gwey: there is no such setting."),
        (
            "max_gwei = 300",
            'relay = "http://127.0.0.1:1"\nrelay_wait = 24',
            "sending: relay_wait is not below bump_after.",
        ),
        ("max_gwei = 300", 'relay = "flashbots"', "sending.relay: it starts with http:// or"),
        ("max_gwei = 300", "max_gwei = nan", "sending.max_gwei: Input should be a finite number."),
        ('nodes = ["https', 'nodes = ["ftp', "nodes.0: it starts with http:// or https://."),
        ('url = "http://127.0.0.1:9101"', "", "signers.1: name a keystore or a url."),
        ('address = "0x9', 'address = "0xz', "signers.1.address: '0xz"),
        ("passphrase_fd = 3", 'passphrase_fd = 3\npassphrase_file = "a"', "sender: name a pass"),
        ("passphrase_fd = 3", 'passphrase = "hunter2"', "sender.passphrase: there is no such"),
        ('factory = "my.feeds:make"', 'factory = "x"', "sources: a factory is written module:"),
        ("[sending]", "[sending", "is malformed: "),
        ('deployment = "1.json"', "", "deployment: Field required."),
    ],
)
def test_config_is_refused_in_one_sentence(tmp_path, old, new, sentence):
    assert old in GOOD_FILE
    path = write(tmp_path, GOOD_FILE.replace(old, new))
    with pytest.raises(DaemonError) as caught:
        load_config(path)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "hunter2" not in str(caught.value)
    assert caught.value.code == Exit.CONFIG


def test_sources_by_name():
    def make(markets, options):
        if "venues" not in options:
            raise TypeError("no venues")
        return "sources"

    module = SimpleNamespace(make=make)
    import sys

    sys.modules["plimsoll_test_feed"] = module
    assert load_sources("plimsoll_test_feed:make", {}, {"venues": 1}) == "sources"
    for factory, sentence in (
        ("plimsoll_test_feed:make", "refuses its options: no venues."),
        ("plimsoll_test_feed:other", "is not there: "),
        ("no_such_module:make", "is not there: No module named"),
    ):
        with pytest.raises(DaemonError, match=sentence):
            load_sources(factory, {}, {})


# --- signers over HTTP ----------------------------------------------------------------------------


@pytest.fixture
def server():
    server = SignerServer(signer(Feed(price=20_001 * WAD)), "127.0.0.1", 0)
    server.start()
    yield server
    server.close()


def terms(severity=50_000):
    line = Line(0, severity, 10**6, NOW - 7_200)
    return PushTerms(NOW + 600, (line,), {0: GOOD})


def test_remote_signer_is_as_the_local_one(server):
    remote = RemoteSigner(server.url, KEYS[0].address)
    local = signer(Feed(price=20_001 * WAD))
    assert remote.quote(NOW, [0, 1]) == local.quote(NOW, [0, 1])
    assert remote.ask(NOW, [0, 1]) == local.ask(NOW, [0, 1])
    assert remote.cosign(terms()) == local.cosign(terms())
    assert remote.cosign(terms()).signed is not None
    assert remote.quote(NOW, [0, 7]).missing == {7: "asset 7 is none of this signer's markets."}


def test_remote_signer_refuses_what_it_would_not_ask(server):
    remote = RemoteSigner(server.url, KEYS[0].address)
    assert remote.cosign(terms(10_000)).objections == {0: "severity 10000, its own is 50000"}
    assert remote.cosign(terms(60_000)).objections == {0: "the steward would not accept it"}
    stale = PushTerms(NOW - 10_000, terms().lines, {0: GOOD})
    assert "is not now" in remote.cosign(stale).objections[0]
    other = PushTerms(NOW + 600, (Line(0, 50_000, 10**6, NOW - 9),), {0: GOOD})
    assert "it builds on" in remote.cosign(other).objections[0]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("quote", b"not json"),
        ("quote", b"{}"),
        ("quote", b"[]"),
        ("quote", b'{"observed": 1.5, "assets": []}'),
        ("quote", b'{"observed": true, "assets": []}'),
        ("sign", b'{"hash": "0x00"}'),
        ("cosign", json.dumps({**write_terms(terms()), "lines": [{"asset": 1}]}).encode()),
        ("quote", b"x" * 70_000),
        ("quote", b""),
    ],
)
def test_signer_answers_no_nonsense(server, path, body):
    response = requests.post(f"{server.url}/{path}", data=body, timeout=60)
    assert response.status_code == 400
    assert RemoteSigner(server.url, KEYS[0].address).quote(NOW, [0]).signed is not None


def test_signer_listens_on_loopback_only():
    with pytest.raises(DaemonError, match=r"listens on a loopback address, not on 0\.0\.0\.0"):
        SignerServer(signer(Feed()), "0.0.0.0", 0)


def test_the_wire_keeps_everything():
    assert read_ask(write_ask(GOOD)) == GOOD
    assert read_terms(json.loads(json.dumps(write_terms(terms())))) == terms()
    assert view().quorum == 2


# --- command line ---------------------------------------------------------------------------------


def run(*arguments):
    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize("command", ["run", "status", "signer", "verify", "feeds", "calibrate"])
def test_help(command):
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"Usage: main {command} " in result.output
    assert f"\n  {command} " in run("--help").output


def test_commands_of_parts(tmp_path, monkeypatch):
    """The groups are whole; a part that is not there is not listed, a broken one is not hidden."""
    assert "show" in run("feeds", "--help").output
    assert "markets" in run("calibrate", "--help").output
    monkeypatch.setitem(table.ELSEWHERE, "nowhere", ("oracle.nowhere.main", "main"))
    assert "nowhere" not in run("--help").output.split()
    assert "No such command" in run("nowhere").output
    (tmp_path / "plimsoll_broken.py").write_text("import a_library_that_is_not_there")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(table.ELSEWHERE, "broken", ("plimsoll_broken", "main"))
    assert isinstance(run("broken").exception, ModuleNotFoundError)


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["run"], Exit.CONFIG, "Name a --config file or a --replay."),
        (["run", "--config", "nowhere.toml"], Exit.CONFIG, "nowhere.toml cannot be read"),
        (["run", "--replay", "1999-01-01"], Exit.USAGE, "is not one of"),
        (
            ["run", "--replay", "2020-03-12", "--deployment", "nowhere.json"],
            Exit.CONFIG,
            "nowhere.json cannot be read",
        ),
        (["status", "--config", "nowhere.toml"], Exit.CONFIG, "nowhere.toml cannot be read"),
    ],
)
def test_one_sentence_and_its_code(arguments, code, sentence):
    result = run(*arguments)
    assert result.exit_code == code
    assert sentence in result.output
    assert "Traceback" not in result.output
