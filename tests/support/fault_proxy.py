"""Between a keeper and its node: everything a node, or the way to it, does wrong, on demand.

with FaultProxy(node_url) as proxy:
    proxy.fail("html", times=2)                                # whatever is asked
    proxy.fail("drop reply", method="eth_sendRawTransaction")  # it arrived, nobody hears so
    proxy.rewrite("eth_chainId", lambda result: "0x1")
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests
from eth_utils.crypto import keccak

FOREVER = 10**9
# "swallow": a transaction is taken, with its hash for an answer, and never passed on.
KINDS = (
    "timeout",
    "429",
    "500",
    "reset",
    "half json",
    "wrong id",
    "html",
    "drop reply",
    "swallow",
)


@dataclass
class Fault:
    """What is to go wrong, how often, and at which method (any if None)."""

    kind: str
    times: int = FOREVER
    method: str | None = None


@dataclass
class FaultProxy:
    """A node that fails as it is told. `seen` counts methods that were asked for."""

    upstream: str
    sleep: float = 1.0  # [s] of a time-out
    faults: list[Fault] = field(default_factory=list)
    rewrites: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)  # transactions that were handed over

    def __enter__(self) -> FaultProxy:
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def fail(self, kind: str, times: int = FOREVER, method: str | None = None) -> None:
        assert kind in KINDS
        self.faults.append(Fault(kind, times, method))

    def rewrite(self, method: str, change: Callable[[Any], Any]) -> None:
        """From now on, what the node says of a method goes through `change`."""
        self.rewrites[method] = change

    def heal(self) -> None:
        self.faults.clear()
        self.rewrites.clear()

    def take(self, methods: list[str]) -> str | None:
        """The fault that hits this question."""
        with self._lock:
            self.seen += methods
            for fault in self.faults:
                if fault.times > 0 and (fault.method is None or fault.method in methods):
                    fault.times -= 1
                    return fault.kind
        return None

    def swallow(self, body: Any) -> Any:
        """As if the node behind had it."""
        (raw,) = body["params"]
        self.raw.append(raw)
        result = "0x" + keccak(hexstr=raw).hex()
        return {"jsonrpc": "2.0", "id": body["id"], "result": result}

    def ask(self, body: Any) -> Any:
        """The node behind."""
        for each in body if isinstance(body, list) else [body]:
            if each["method"] == "eth_sendRawTransaction":
                self.raw.append(each["params"][0])
        answer = requests.post(self.upstream, json=body, timeout=30).json()
        questions = {each["id"]: each for each in (body if isinstance(body, list) else [body])}
        for each in answer if isinstance(answer, list) else [answer]:
            change = self.rewrites.get(questions[each["id"]]["method"])
            if change is not None and "result" in each:
                each["result"] = change(each["result"])
        return answer


def _handler(proxy: FaultProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            methods = [each["method"] for each in (body if isinstance(body, list) else [body])]
            kind = proxy.take(methods)
            if kind == "timeout":
                time.sleep(proxy.sleep)
            if kind == "drop reply":
                proxy.ask(body)
            if kind in ("timeout", "drop reply", "reset"):
                self._reset()
            elif kind in ("429", "500"):
                self._reply(int(kind), b'{"error": "busy"}')
            elif kind == "html":
                self._reply(200, b"<html><body>502 Bad Gateway</body></html>")
            elif kind == "swallow":
                self._reply(200, json.dumps(proxy.swallow(body)).encode())
            elif kind == "half json":
                self._reply(200, json.dumps(proxy.ask(body)).encode()[:-7])
            elif kind == "wrong id":
                self._reply(200, json.dumps(_other_ids(proxy.ask(body))).encode())
            else:
                self._reply(200, json.dumps(proxy.ask(body)).encode())

        def _reset(self) -> None:
            self.close_connection = True
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()

        def _reply(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

        def finish(self) -> None:
            with suppress(OSError, ValueError):  # the connection was reset on purpose
                super().finish()

    return Handler


def _other_ids(answer: Any) -> Any:
    if isinstance(answer, list):
        return [_other_ids(each) for each in answer]
    return {**answer, "id": answer["id"] + 1_000_000}
