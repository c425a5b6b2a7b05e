"""A signer in another process, over HTTP on the loopback interface: JSON in, JSON out.

Nothing secret passes and nobody is trusted: the server signs only what it agrees with, the client
takes only signatures that recover to the address it expects.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any, Final

import requests
from eth_utils.address import is_address, to_checksum_address

from oracle import signing
from oracle.answers import Asker
from oracle.chain import post
from oracle.daemon.alarms import DaemonError, Exit
from oracle.daemon.guards import check_ask
from oracle.daemon.messages import PushTerms, Signed
from oracle.daemon.signer import Asked, Cosigned, Quoted, Signer
from oracle.engine.units import MAX_PRICE
from oracle.risk import Ask, Books
from oracle.verify import read_in_force

LONGEST: Final = 65_536  # bytes of a question


class RemoteSigner:
    """Asks a signer's server. One without an answer, or with nonsense, is a signer missing."""

    def __init__(self, url: str, address: str, timeout: float = 5.0) -> None:
        """
        Args:
            address: that its signatures must be from.
        """
        self.url = url.rstrip("/")
        self.address = str(to_checksum_address(address))
        self._timeout = timeout
        self._session = requests.Session()
        self._asker = Asker()

    def __repr__(self) -> str:
        return f"RemoteSigner({self.address} at {self.url})"

    def quote(self, observed: int, assets: Sequence[int]) -> Quoted:
        """As `Signer.quote`."""
        try:
            answer = self._post("quote", {"observed": observed, "assets": list(assets)})
            return Quoted(self._signed(answer["signed"]), _texts(answer["missing"]))
        except FAULTS as error:
            return Quoted(None, dict.fromkeys(assets, self._sentence(error)))

    def ask(self, time: int, assets: Sequence[int]) -> Asked:
        """As `Signer.ask`."""
        try:
            answer = self._post("ask", {"time": time, "assets": list(assets)})
            asks = {int(asset): read_ask(value) for asset, value in answer["asks"].items()}
            for asset, ask in asks.items():
                check_ask(f"asset {asset}", ask)
            return Asked(asks, _texts(answer["missing"]))
        except FAULTS as error:
            return Asked({}, dict.fromkeys(assets, self._sentence(error)))

    def cosign(self, terms: PushTerms) -> Cosigned:
        """As `Signer.cosign`."""
        try:
            answer = self._post("cosign", write_terms(terms))
            return Cosigned(self._signed(answer["signed"]), _texts(answer["objections"]))
        except FAULTS as error:
            why = self._sentence(error)
            return Cosigned(None, {line.asset: why for line in terms.lines})

    def _post(self, verb: str, question: Mapping[str, Any]) -> dict[str, Any]:
        ask = partial(post, self._session, f"{self.url}/{verb}", question, self._timeout)
        status, text = self._asker.ask(ask, self._timeout)
        answer = json.loads(text)
        if status != 200 or not isinstance(answer, dict):
            raise ValueError("no answer")
        return answer

    def _signed(self, value: Any) -> Signed | None:
        if value is None:
            return None
        signature = signing.Signature(*(int(part) for part in value["signature"]))
        quotes = tuple(int(quote) for quote in value["quotes"])
        if not all(0 < quote >> 32 <= MAX_PRICE for quote in quotes):
            raise ValueError("no quote")
        return Signed(self.address, signature, quotes)

    def _sentence(self, error: Exception) -> str:
        name = "Timeout" if isinstance(error, requests.Timeout) else type(error).__name__
        return f"the signer at {self.url} gives no answer ({name})"


FAULTS: Final = (
    requests.RequestException,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)
"""Whatever reading a stranger's answer raises."""


class SignerServer:
    """Answers for one signer, until closed."""

    def __init__(self, signer: Signer, host: str, port: int) -> None:
        """
        Args:
            port: 0 takes a free one.

        Raises:
            DaemonError: not the loopback interface, or the port is taken.
        """
        if not ip_address(host).is_loopback:
            what = f"A signer listens on a loopback address, not on {host}: tunnel to it instead."
            raise DaemonError(what, Exit.CONFIG)
        try:
            self._closed = threading.Event()
            self._server = ThreadingHTTPServer((host, port), _handler(signer, self._closed))
        except OSError as error:
            what = f"A signer cannot listen at {host}:{port}: {error.strerror}."
            raise DaemonError(what, Exit.CONFIG) from None
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """Where it is."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def serve(self) -> None:
        """Until `close`."""
        self._server.serve_forever(poll_interval=0.2)

    def start(self) -> None:
        """Serve in a thread."""
        threading.Thread(target=self.serve, daemon=True).start()

    def close(self) -> None:
        """Stop answering, also on connections that are open."""
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()


def _handler(signer: Signer, closed: threading.Event) -> type[BaseHTTPRequestHandler]:
    lock = threading.Lock()

    def answer(verb: str, question: Mapping[str, Any]) -> dict[str, Any]:
        with lock:
            if verb == "quote":
                quoted = signer.quote(_whole(question["observed"]), _assets(question))
                return {"signed": write_signed(quoted.signed), "missing": dict(quoted.missing)}
            if verb == "ask":
                asked = signer.ask(_whole(question["time"]), _assets(question))
                asks = {asset: write_ask(ask) for asset, ask in asked.asks.items()}
                return {"asks": asks, "missing": dict(asked.missing)}
            if verb == "cosign":
                cosigned = signer.cosign(read_terms(question))
                objections = dict(cosigned.objections)
                return {"signed": write_signed(cosigned.signed), "objections": objections}
        raise KeyError(verb)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        timeout = 60

        def do_GET(self) -> None:
            self._reply(200, {"address": signer.address})

        def do_POST(self) -> None:
            if closed.is_set():
                self.close_connection = True
                return
            try:
                length = int(self.headers.get("Content-Length", "0"))
                if not 0 < length <= LONGEST:
                    raise ValueError
                question = json.loads(self.rfile.read(length))
                self._reply(200, answer(self.path.strip("/"), question))
            except FAULTS:
                self.close_connection = True
                self._reply(400, {"error": "no question a signer knows"})

        def _reply(self, status: int, values: Mapping[str, Any]) -> None:
            body = json.dumps(values).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """The keeper's log says what matters."""

    return Handler


# --- the wire -------------------------------------------------------------------------------------


def write_ask(ask: Ask) -> dict[str, Any]:
    """As JSON."""
    values = {**asdict(ask), "input_hash": ask.input_hash.hex()}
    return {name: value for name, value in values.items() if value is not None}


def read_ask(value: Mapping[str, Any]) -> Ask:
    """As written by `write_ask`."""
    numbers = {name: _whole(value[name]) for name in ("time", "need", "severity", "depth")}
    books = value.get("books")
    if books is not None:
        depths = tuple(_whole(depth) for depth in books["depths"])
        books = Books(_whole(books["reference"]), depths)
    in_force = value.get("in_force")
    if in_force is not None:
        in_force = read_in_force(in_force)
    digest = bytes.fromhex(value["input_hash"])
    return Ask(**numbers, input_hash=digest, books=books, in_force=in_force)


def write_terms(terms: PushTerms) -> dict[str, Any]:
    """As JSON."""
    return {
        "valid_until": terms.valid_until,
        "lines": [asdict(line) for line in terms.lines],
        "asks": {line.asset: write_ask(terms.asks[line.asset]) for line in terms.lines},
    }


def read_terms(value: Mapping[str, Any]) -> PushTerms:
    """As written by `write_terms`."""
    lines = tuple(
        signing.Line(**{k: _whole(v) for k, v in line.items()}) for line in value["lines"]
    )
    asks = {int(asset): read_ask(ask) for asset, ask in value["asks"].items()}
    terms = PushTerms(_whole(value["valid_until"]), lines, asks)
    _ = terms.message  # whole?
    return terms


def write_signed(signed: Signed | None) -> dict[str, Any] | None:
    """As JSON; 256-bit integers as text."""
    if signed is None:
        return None
    parts = (signed.signature.v, signed.signature.r, signed.signature.s)
    return {
        "signature": [str(part) for part in parts],
        "quotes": [str(quote) for quote in signed.quotes],
    }


def check_address(value: str) -> str:
    """Checksummed.

    Raises:
        ValueError: it is none.
    """
    if not is_address(value):
        raise ValueError(f"{value!r} is no address")
    return str(to_checksum_address(value))


def _assets(question: Mapping[str, Any]) -> list[int]:
    return [_whole(asset) for asset in question["assets"]]


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise ValueError("no integer")
    return value


def _texts(value: Mapping[str, str]) -> dict[int, str]:
    return {int(asset): str(why) for asset, why in value.items()}
