"""An Anvil of our own: the one that Ape starts keeps every step of every transaction in memory."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import ape

from oracle.chain import ChainError, Client
from oracle.keeper import LOCAL_CHAIN, LOCAL_MNEMONIC
from scripts.support.errors import ScriptError

HOST: Final = "127.0.0.1"
START_WITHIN: Final = 60.0  # [s]
STARTS: Final = 3  # with a free port, which somebody else may take first
BLOCK_GAS: Final = 500_000_000
HISTORY: Final = 64  # states kept: enough to ask why a transaction failed


@contextmanager
def running_anvil(timestamp: int, port: int = 0, history: int = HISTORY) -> Iterator[Client]:
    """A chain that begins at a time of our choosing; it is gone afterwards.

    Args:
        port: 0 takes a free one.
        history: past states kept. Each block copies the whole state for it: 0 where there are many
            accounts and nobody asks about the past.

    Raises:
        ScriptError: Anvil is missing or does not start, or the port is taken.
    """
    binary = shutil.which("anvil")
    if binary is None:
        raise ScriptError("Anvil is not on PATH: `make install` installs it.")
    process, client = _started(binary, timestamp, port, history)
    try:
        yield client
    finally:
        _stop(process)


def _started(
    binary: str, timestamp: int, port: int, history: int
) -> tuple[subprocess.Popen[bytes], Client]:
    for left in reversed(range(1 if port else STARTS)):
        chosen = _free_port(port)
        process = subprocess.Popen(
            [binary, *_options(timestamp, chosen, history)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,  # the binary is a wrapper: both end together
        )
        try:
            return process, _client_when_ready(process, chosen)
        except BaseException:
            has_ended = process.poll() is not None
            _stop(process)
            if not left or not has_ended:
                raise
    raise AssertionError("the last start returns or raises")


def connected(client: Client) -> Any:
    """Ape on that chain, as a context."""
    settings = {"host": client.url}
    return ape.networks.ethereum.local.use_provider("foundry", provider_settings=settings)


def _options(timestamp: int, port: int, history: int) -> list[str]:
    values = {
        "--host": HOST,
        "--port": port,
        "--chain-id": LOCAL_CHAIN,
        "--mnemonic": LOCAL_MNEMONIC,
        "--timestamp": timestamp,
        "--hardfork": "prague",
        "--order": "fifo",
        "--gas-limit": BLOCK_GAS,
        "--block-base-fee-per-gas": 0,
        "--gas-price": 0,
    }
    pruned = ["--prune-history", *([str(history)] if history else [])]
    return [str(part) for pair in values.items() for part in pair] + ["--quiet", *pruned]


def _free_port(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError):
            raise ScriptError(f"Port {port} is taken: name another with --port.") from None
        return int(probe.getsockname()[1])


def _client_when_ready(process: subprocess.Popen[bytes], port: int) -> Client:
    client = Client(f"http://{HOST}:{port}")
    end = time.monotonic() + START_WITHIN
    while time.monotonic() < end:
        if process.poll() is not None:
            raise ScriptError(f"Anvil did not start: {_last_words(process)}.")
        try:
            client.block_time()
        except ChainError:
            time.sleep(0.05)
        else:
            return client
    raise ScriptError(f"Anvil did not answer within {START_WITHIN:.0f} s.")


def _last_words(process: subprocess.Popen[bytes]) -> str:
    text = process.stderr.read().decode(errors="replace") if process.stderr else ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else f"it ended with code {process.returncode}"


def _stop(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=5)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
        return
