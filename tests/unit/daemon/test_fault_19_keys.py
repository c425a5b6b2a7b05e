"""Fault 19: a key is in no log, exception, environment or text; files are for their owner only."""

from __future__ import annotations

import ast
import io
import json
import os
import pickle
import resource
import traceback
from pathlib import Path

import pytest
from click.testing import CliRunner
from eth_account import Account

from oracle.daemon import keys
from oracle.daemon.alarms import DaemonError, Exit
from oracle.daemon.commands import signer as signer_command
from oracle.daemon.logs import HIDDEN, make_log
from oracle.daemon.service import keystore_address

ROOT = Path(__file__).parents[3]
PHRASE = "correct horse battery"
SECRET = bytes(range(1, 33))


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "signer.json"
    path.write_text(json.dumps(Account.encrypt(SECRET, PHRASE, iterations=2)))
    path.chmod(0o600)
    return path


def test_fault_19_key_is_opened(store):
    key = keys.open_key(store, PHRASE)
    assert key.address == Account.from_key(SECRET).address == keystore_address(store)


def test_fault_19_wrong_passphrase(store):
    with pytest.raises(DaemonError, match="is not opened by that passphrase") as caught:
        keys.open_key(store, "another passphrase")
    assert caught.value.code == Exit.KEYS
    text = "".join(traceback.format_exception(caught.value))
    assert "another passphrase" not in str(caught.value)
    assert SECRET.hex() not in text


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o604])
def test_fault_19_file_that_others_may_read(store, mode):
    store.chmod(mode)
    with pytest.raises(DaemonError, match=f"has mode {mode:03o}: others may read it"):
        keys.open_key(store, PHRASE)
    phrase = store.with_name("phrase")
    phrase.write_text(PHRASE)
    phrase.chmod(mode)
    with pytest.raises(DaemonError, match="others may read it"):
        keys.passphrase_of(phrase, None, "x")


def test_fault_19_passphrase_from_file_and_descriptor(tmp_path, monkeypatch):
    phrase = tmp_path / "phrase"
    phrase.write_text(f"{PHRASE}\n")
    phrase.chmod(0o600)
    assert keys.passphrase_of(phrase, None, "x") == PHRASE
    read, write = os.pipe()
    os.write(write, f"{PHRASE}\n".encode())
    os.close(write)
    assert keys.passphrase_of(None, read, "x") == PHRASE
    os.close(read)
    with pytest.raises(DaemonError, match=r"File descriptor \d+ cannot be read"):
        keys.passphrase_of(None, read, "x")
    monkeypatch.setattr(os, "isatty", lambda _: False)
    with pytest.raises(DaemonError, match="There is no passphrase for x"):
        keys.passphrase_of(None, None, "x")


def test_fault_19_shown_nowhere(store):
    key = keys.open_key(store, PHRASE)
    hexed = SECRET.hex()
    for text in (repr(key), str(key), f"{key}", repr([key]), repr({"a": key})):
        assert hexed not in text
        assert key.address in text
    with pytest.raises(TypeError, match="not to be written"):
        pickle.dumps(key)


def test_fault_19_logs(store):
    key = keys.open_key(store, PHRASE)
    stream = io.StringIO()
    log = make_log(stream, "debug")
    hexed = SECRET.hex()
    log.info("a", text=f"the key is 0x{hexed}", other=[hexed, {"deep": hexed.upper()}])
    log.warning("b", key="anything", passphrase="anything", thing=key, raw=SECRET)
    log.error(f"event {hexed}", why=f"wrong {PHRASE}!")
    try:
        raise ValueError(f"library says {hexed}")
    except ValueError as error:
        log.critical("c", exc_info=True, error=error)
    text = stream.getvalue()
    assert hexed not in text.lower()
    assert PHRASE not in text
    assert text.count(HIDDEN) >= 7
    assert all(json.loads(line)["level"] for line in text.splitlines())


def test_fault_19_no_core_dumps():
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    pid = os.fork()
    if pid == 0:
        keys.forbid_core_dumps()
        os._exit(0 if resource.getrlimit(resource.RLIMIT_CORE) == (0, 0) else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert resource.getrlimit(resource.RLIMIT_CORE) == (soft, hard)


def test_fault_19_daemon_reads_no_environment():
    for path in sorted((ROOT / "oracle/daemon").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                assert node.attr not in ("environ", "getenv"), path


@pytest.mark.parametrize("chain", [1, 10, 42_161])
def test_fault_19_known_keys_off_the_local_chain(chain):
    dev = keys.dev_key(3, 31_337)
    with pytest.raises(DaemonError, match="development keys are for chain 31337"):
        keys.dev_key(3, chain)
    with pytest.raises(DaemonError, match="is a well-known development key") as caught:
        keys.refuse_known([dev.address], chain)
    assert caught.value.code == Exit.KEYS
    keys.refuse_known([dev.address], 31_337)
    keys.refuse_known([Account.from_key(SECRET).address], chain)


def test_fault_19_new_key(tmp_path):
    phrase = tmp_path / "phrase"
    phrase.write_text(PHRASE)
    phrase.chmod(0o600)
    path = tmp_path / "keys" / "one.json"
    arguments = ["new", str(path), "--passphrase-file", str(phrase)]
    result = CliRunner().invoke(signer_command, arguments)
    assert result.exit_code == 0, result.output
    assert path.stat().st_mode & 0o777 == 0o600
    assert keys.open_key(path, PHRASE).address == result.stdout.strip()
    again = CliRunner().invoke(signer_command, arguments)
    assert again.exit_code == Exit.KEYS
    assert "File exists" in again.output
    phrase.write_text("short")
    assert "at least 12 characters" in CliRunner().invoke(signer_command, arguments).output
