"""Keepers in processes of their own, as an operator runs them."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from eth_account import Account

from oracle.__main__ import main as oracle_main
from oracle.daemon import replay
from oracle.daemon.alarms import Exit
from tests.support.keeper_chain import SENDER, account, pushed_logs, pushes
from tests.support.keeper_stage import BTC, WAD, deployed_scene
from tests.unit.feeds.exchanges import ExchangeServer

ROOT = Path(__file__).parents[3]
HANGS = 300.0  # [s] longer than anything takes on a slow machine
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
        return [process.communicate(timeout=HANGS) for process in self.processes]


@pytest.fixture(scope="module")
def deployed_now(tmp_path_factory):
    with deployed_scene(tmp_path_factory.mktemp("now"), int(time.time()) - 7_200) as scene:
        yield scene


@pytest.fixture
def today(deployed_now):
    """A chain whose clock is that of this machine."""
    with deployed_now.fresh():
        deployed_now.client.request("anvil_removeBlockTimestampInterval")
        deployed_now.client.request("evm_mine", {"timestamp": int(time.time())})
        yield deployed_now


@pytest.fixture
def operator(today, tmp_path):
    today.client.request("evm_setIntervalMining", 1)
    operator = Operator(today, tmp_path)
    yield operator
    for process in operator.processes:
        process.kill()  # else it sends into the next test's chain, if this one failed
    today.client.request("evm_setIntervalMining", 0)


def test_fault_19_as_operated__no_key_in_anything_that_is_said(operator):
    """Two signers and a keeper, each a process with keystores; a minute's work; SIGTERM. Then
    status, a second keeper, and every line that was said is searched for keys."""
    scene = operator.scene
    path = operator.keeper_file(operator.serve(3, 4))
    dry = operator.start("run", "--config", path, "--once", "--dry-run")
    would = dry.communicate(timeout=HANGS)[0]
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
    refused = second.communicate(timeout=HANGS)[1]
    assert "Another keeper holds the lease" in refused
    assert second.returncode == Exit.LEASE
    seen = status.communicate(timeout=HANGS)[0]
    found = json.loads(seen)
    assert found["assets"][0]["severity"] == 50_000
    assert found["assets"][0]["severity_asked"] == 100_000
    assert len(found["last_signers"]) == 2
    assert found["heartbeat_age"] < 60
    assert found["latency_ms"] > 0
    keeper.send_signal(signal.SIGTERM)
    assert keeper.wait(timeout=HANGS) == 0
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


def troubled_file(operator, stall_after=HANGS):
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
    text += f"[timing]\nround_every = 0.2\nstall_after = {stall_after}\n"
    text += "[sending]\nconfirmations = 1\n"
    return operator.write("keeper.toml", text), trouble


def until(found, seconds=HANGS):
    """What `found` returns, as soon as it is something."""
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return value


def test_fault_23_as_operated__stalled_it_ends_and_started_anew_sends_once(operator):
    """The heartbeat stops, the watchdog ends the process with its own code, its lease is free; the
    next one does what is due, once."""
    path, trouble = troubled_file(operator, stall_after=3)
    trouble.write_text("stalled")
    process = operator.start("run", "--config", path)
    said = process.communicate(timeout=HANGS)[1]
    assert process.returncode == Exit.STALLED
    last = json.loads(said.splitlines()[-1])
    assert (last["event"], last["alarm"], last["level"]) == ("stalled", "STALLED", "critical")
    assert not (operator.folder / "state/heartbeat.json").exists()
    assert operator.scene.sent_by(SENDER) == 0
    path, trouble = troubled_file(operator)
    process = operator.start("run", "--config", path)
    until(lambda: operator.scene.sent_by(SENDER) == 3)
    until(lambda: (operator.folder / "state/heartbeat.json").exists())
    assert len(pushes(operator.scene)) == len(set(pushes(operator.scene))) == 3
    operator.stop()


def test_fault_23_as_operated__stopped_for_a_while__the_heartbeat_shows_it(operator):
    """As a machine that swaps: nothing of the process runs, and then it goes on as if nothing had
    been."""
    path, _ = troubled_file(operator)
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
    assert process.wait(timeout=HANGS) == 0
    operator.stop()


def test_fault_23_as_operated__little_memory__the_market_is_left_out_and_said(operator):
    """A source asks for more than the process may have: no price, an alarm, and it lives."""
    path, trouble = troubled_file(operator)
    trouble.write_text("out of memory")
    process = operator.start("run", "--config", path)
    most = 64 << 30  # address space: many cores reserve much of it without using it
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
    assert process.wait(timeout=HANGS) == 0
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
        exchanges.now_ms = int(time.time() * 1_000)
        once = CliRunner().invoke(oracle_main, ["run", "--config", str(path), "--once"])
        assert once.exit_code == 0, once.output
        if operator.scene.line(BTC)[2] > operator.scene.client.block_time() - 600:
            break
        time.sleep(1)
    exchanges.close()
    assert operator.scene.price(BTC)[0] == 60_000 * WAD + WAD // 2
    (file,) = reports.glob("*.json")
    code, said = verified(file, data=operator.folder / "state/bars")
    assert (code, said[:48]) == (0, "Equal: all 5 values follow from the public data.")


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
        code, said = verified(file)
        assert (code, said[:49]) == (0, "Equal: all 13 values follow from the public data.")
    tx = pushed_logs(today)[-1]["transactionHash"]
    code, said = verified(tx, "--rpc", today.client.url, "--report", str(files[-1]))
    assert (code, said[:14]) == (0, "Equal: all 30 ")
    code, said = verified(tx, "--rpc", today.client.url, "--report", str(files[0]))
    assert (code, said[:10]) == (1, "Not equal:")
    report = json.loads(files[0].read_text())
    report["lines"][0]["pushed"]["severity"] += 1
    files[0].write_text(json.dumps(report))
    code, said = verified(files[0])
    assert code == 1
    assert said.startswith("Not equal: 1 of 13 values differ, first BTC.pushed: claimed ")


def test_replay_on_a_node_that_mines_once_a_second__as_on_one_that_mines_at_once(today, tmp_path):
    """A step is five minutes of the chain: what it sent is waited for. The journal has another
    play before this one, which does not count."""
    said = []
    for is_slow in (False, True):
        if is_slow:
            today.client.request("evm_setIntervalMining", 1)
        where = ["--node", today.client.url, "--deployment", str(today.file)]
        command = ["run", "--replay", "2020-03-12", "--hours", "1", *where]
        done = CliRunner().invoke(oracle_main, [*command, "--state", str(tmp_path)])
        said.append(done.stdout.splitlines()[-1].partition(";")[0])
    today.client.request("evm_setIntervalMining", 0)
    today.client.request("evm_setAutomine", True)  # last: the line above stops all mining
    assert said[0].partition(" and ")[0] == said[1].partition(" and ")[0]
    assert said[0].startswith("12 reports and ")
    for each in said:
        assert each.endswith(" 0 of them reverted")
        assert " and 0 pushes" not in each


def test_a_recording_in_the_configuration__begins_with_the_report_that_is_due(operator):
    """A dry run in the middle of a minute: no alarm, and a report of that minute."""
    text = operator.common.replace(
        'factory = "tests.support.keeper_stage:live_sources"', 'replay = "2020-03-12"'
    )
    for index in (3, 4):
        text += f'[[signers]]\nkeystore = "{index}.json"\n{operator.key}'
    text += f'[sender]\nkeystore = "9.json"\n{operator.key}'
    text += "[timing]\nmax_skew = 3600\n"  # the chain is moved, the host is not
    path = operator.write("keeper.toml", text)
    now = operator.scene.client.block_time()
    operator.scene.at(now - now % 60 + 90)  # half a minute after a time of the grid
    command = ["run", "--config", str(path), "--once", "--dry-run"]
    once = CliRunner().invoke(oracle_main, command)
    assert "SOURCE" not in once.output
    assert '"kind": "report"' in once.output


def test_replay_on_a_node_that_does_not_mine__ends_in_one_sentence(today, tmp_path, monkeypatch):
    monkeypatch.setattr(replay, "MOST_WAIT", 1.0)
    today.client.request("evm_setAutomine", False)
    where = ["--node", today.client.url, "--deployment", str(today.file)]
    command = ["run", "--replay", "2020-03-12", "--hours", "1", *where, "--state", str(tmp_path)]
    done = CliRunner().invoke(oracle_main, command)
    today.client.request("anvil_dropAllTransactions")
    today.client.request("evm_setAutomine", True)
    assert done.exit_code == Exit.NODE
    assert "The node did not mine what it was sent in 1 seconds." in done.output
    assert "Traceback" not in done.output


def verified(*arguments, data=ROOT / "oracle/data"):
    """Exit code and sentence of `oracle verify`, by default with the recordings of this project."""
    arguments = ["verify", *arguments, "--data", data]
    done = CliRunner().invoke(oracle_main, [str(argument) for argument in arguments])
    return done.exit_code, done.output
