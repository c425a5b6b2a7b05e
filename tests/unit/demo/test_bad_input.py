"""What stops the demo before it begins: one sentence each."""

import socket

import pytest
from rich.console import Console

from scripts.demo_parts import run as demo
from scripts.support.anvil import running_anvil
from scripts.support.errors import ScriptError

QUIET = Console(quiet=True)


def test_unknown_scenario(tmp_path):
    with pytest.raises(ScriptError, match=r"^There is no scenario 'x', only 2020-03-12, .*\.$"):
        demo.run_demo("x", tmp_path, terminal=QUIET)


def test_a_folder_that_cannot_be(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(
        ScriptError, match=r"^Nothing can be written to .*file/out: Not a directory"
    ):
        demo.run_demo("2020-03-12", file / "out", terminal=QUIET)


def test_a_report_that_cannot_be_written(tmp_path):
    (tmp_path / "report.json").mkdir()
    with pytest.raises(ScriptError, match=r"report\.json cannot be written: Is a directory\.$"):
        demo.write(tmp_path / "report.json", "{}")


def test_port_taken():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        sentence = rf"^Port {port} is taken: name another with --port\.$"
        with pytest.raises(ScriptError, match=sentence), running_anvil(0, port):
            pass


def test_port_that_is_none():
    with pytest.raises(ScriptError, match=r"^Port 70000 is taken"), running_anvil(0, 70_000):
        pass


def test_no_anvil(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ScriptError, match=r"^Anvil is not on PATH: "), running_anvil(0):
        pass


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("#!/bin/sh\necho 'error: bad flag.' >&2; exit 3\n", r"^Anvil did not start: error: bad"),
        ("#!/bin/sh\nexit 3\n", r"^Anvil did not start: it ended with code 3\.$"),
    ],
)
def test_anvil_that_fails(monkeypatch, tmp_path, script, sentence):
    (tmp_path / "anvil").write_text(script)
    (tmp_path / "anvil").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ScriptError, match=sentence), running_anvil(0):
        pass
