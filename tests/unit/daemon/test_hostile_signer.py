"""A signer in another process that answers nonsense, or never ends: it is a signer missing."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from oracle.chain import Client, Unreachable
from oracle.daemon.messages import propose
from oracle.daemon.panel import Panel
from oracle.daemon.remote import RemoteSigner, write_ask
from oracle.policy import Limits
from tests.unit.daemon.test_fault_14_guards import DOMAIN, GOOD, KEYS, NOW, Feed, signer, view
from tests.unit.daemon.test_service import terms

ADDRESS = KEYS[1].address
ALLOWED = [key.address.lower() for key in KEYS]
GOOD_ASK = write_ask(GOOD)


def asking(**wrong):
    return json.dumps({"asks": {"0": {**GOOD_ASK, **wrong}}, "missing": {}}).encode()


def signing(*quotes):
    signed = {"signature": ["27", "1", "1"], "quotes": [str(quote) for quote in quotes]}
    return json.dumps({"signed": signed, "missing": {}, "objections": {}}).encode()


NONSENSE = [
    b"",
    b"NaN",
    b"\xff\xfe",
    b"[]",
    b"[" * 3_000,
    b'{"asks": [], "signed": [], "missing": {}, "objections": {}}',
    b'{"asks": {}, "signed": null, "missing": [], "objections": []}',
    b'{"asks": null, "signed": 5, "missing": null, "objections": 5}',
    asking(severity=99_999_999),
    asking(depth=-5),
    asking(need=0),
    asking(input_hash="00"),
    asking(books=[]),
    signing(-1),
    signing(0),
    signing(1),
    signing(10**90),
]


@pytest.fixture
def stranger():
    """A server that says what `answer` holds, one byte at a time where `slowly` is set."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        answer, slowly = b"", 0.0

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(Handler.answer)))
            self.end_headers()
            if not Handler.slowly:
                self.wfile.write(Handler.answer)
                return
            for place in range(len(Handler.answer)):
                try:
                    self.wfile.write(Handler.answer[place : place + 1])
                except OSError:
                    return
                time.sleep(Handler.slowly)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    Handler.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield Handler
    server.shutdown()
    server.server_close()


def panel(stranger):
    """Two that are honest, and the stranger."""
    honest = [signer(Feed(), key) for key in (KEYS[0], KEYS[2])]
    return Panel([honest[0], RemoteSigner(stranger.url, ADDRESS, 0.5), honest[1]], DOMAIN)


@pytest.mark.parametrize("answer", NONSENSE)
def test_nonsense_of_one_stops_no_other(stranger, answer):
    stranger.answer = answer
    found = panel(stranger)
    report = found.report(NOW, [0, 1], ALLOWED, 2, 5_000)
    assert report.assets == (0, 1)
    assert {part.signer for part in report.signed} == {KEYS[0].address, KEYS[2].address}
    assert any(ADDRESS in who for who in report.troubles)
    asks, troubles = found.asks(NOW, [0], ALLOWED, 2)
    assert asks == {0: GOOD}
    assert propose(asks, view().lines, NOW, NOW + 600, Limits()) is not None
    assert any(ADDRESS in who for who in troubles)
    assert len(found.push(terms(), ALLOWED, 2).signed) == 2


@pytest.mark.parametrize("answer", [asking(severity=99_999_999), asking(input_hash="00")])
def test_nonsense_is_not_the_ask_where_two_answer(stranger, answer):
    """The more cautious of two counts: one beyond all bounds must be none of them."""
    stranger.answer = answer
    two = Panel([signer(Feed()), RemoteSigner(stranger.url, ADDRESS, 0.5)], DOMAIN)
    assert two.asks(NOW, [0], ALLOWED, 2)[0] == {}
    assert two.asks(NOW, [0], ALLOWED, 1)[0] == {0: GOOD}


def test_an_answer_that_drips_is_late(stranger):
    stranger.answer, stranger.slowly = asking(), 0.1
    started = time.monotonic()
    remote = RemoteSigner(stranger.url, ADDRESS, 0.5)
    assert "no answer (Timeout)" in remote.ask(NOW, [0]).missing[0]
    with pytest.raises(Unreachable, match="did not answer in time"):
        Client(stranger.url, 0.5).request("eth_chainId")
    assert time.monotonic() - started < 3.0


@pytest.fixture
def header_drip():
    """The address of a server whose headers never end; each of its bytes is in time."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_drip, args=(server,), daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def _drip(server):
    with suppress(OSError), server.accept()[0] as one:
        one.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while True:
            one.sendall(b"a")
            time.sleep(0.02)


def test_headers_that_drip_are_late__and_are_not_waited_for_twice(header_drip):
    remote = RemoteSigner(header_drip, ADDRESS, 0.2)
    assert "no answer (Timeout)" in remote.ask(NOW, [0]).missing[0]
    lost = threading.active_count()
    assert "no answer (Timeout)" in remote.ask(NOW, [0]).missing[0]
    assert threading.active_count() <= lost
