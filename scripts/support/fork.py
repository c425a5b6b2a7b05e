"""A copy of a chain to try things on: an Anvil that forks a node, gone afterwards."""

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
from scripts.support.errors import ScriptError

HOST: Final = "127.0.0.1"
START_WITHIN: Final = 60.0  # [s]
RICH: Final = hex(10**24)
GAS: Final = hex(50_000_000)


class ForkError(ScriptError):
    """There is no copy. One sentence."""


class Fork:
    """The copy: anyone's transactions, no signatures."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def send_as(self, sender: str, to: str, data: str) -> None:
        """As any account; raises Reverted with the reason."""
        transaction = {"from": sender, "to": to, "data": data, "gas": GAS}
        self.client.request("eth_call", transaction, "latest")
        self.client.wait(self.client.request("eth_sendTransaction", transaction))

    def lend_key(self, *addresses: str) -> None:
        for address in addresses:
            self.client.request("anvil_impersonateAccount", address)
            self.client.request("anvil_setBalance", address, RICH)


@contextmanager
def forked(url: str) -> Iterator[Fork]:
    """A copy of the chain of that node as it is now."""
    binary = shutil.which("anvil")
    if binary is None:
        raise ForkError("anvil is not on PATH, so the effect cannot be tried on a copy.")
    port = free_port()
    options = ["--fork-url", url, "--host", HOST, "--port", str(port), "--hardfork", "prague"]
    process = subprocess.Popen(
        [binary, *options, "--gas-limit", "500000000", "--quiet"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # the binary is a wrapper: both end together
    )
    try:
        yield Fork(client_when_ready(process, port, url))
    finally:
        stop(process)


def node_url() -> str:
    """Of the connected provider."""
    provider: Any = ape.chain.provider
    for name in ("http_uri", "uri"):
        url = getattr(provider, name, None)
        if url:
            return str(url)
    raise ForkError("The provider has no URL, so the chain cannot be copied.")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def client_when_ready(process: subprocess.Popen[bytes], port: int, url: str) -> Client:
    client = Client(f"http://{HOST}:{port}", timeout=120.0)
    end = time.monotonic() + START_WITHIN
    while time.monotonic() < end and process.poll() is None:
        try:
            client.request("eth_chainId")
            return client
        except ChainError:
            time.sleep(0.05)
    raise ForkError(f"No copy of the chain at {url} could be made.")


def stop(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=10)
    except (ProcessLookupError, subprocess.TimeoutExpired):
        process.kill()
