"""Chainlink feeds over a loopback node that speaks JSON-RPC with ABI-encoded answers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from eth_abi.abi import encode

from oracle.chain import Client
from oracle.feeds.chainlink import (
    AGGREGATOR,
    DECIMALS,
    LATEST,
    MAX_ANSWER,
    MIN_ANSWER,
    Chainlink,
    Feed,
)
from oracle.feeds.errors import FeedError
from oracle.feeds.quotes import WAD, Quote
from oracle.feeds.sources import PriceSource

NOW = 1_700_000_000
PROXY = "0x" + "f4" * 20
INNER = "0x" + "ab" * 20
ROUND = 18446744073709562300  # phase 1, as proxies number their rounds


class Node:
    """Answers `eth_call` by selector.

    Attributes:
        answers: by function; an exception's text for a revert.
        bodies: raw bodies to answer with first, instead.
    """

    def __init__(self) -> None:
        self.bodies: list[tuple[int, str]] = []
        self.asked = 0
        self.answers: dict[bytes, bytes | str] = {}
        self.set_round(ROUND, 6_000_050_000_000, NOW - 10, ROUND)
        self.set(DECIMALS, 8)
        self.set(AGGREGATOR, INNER)
        self.set(MIN_ANSWER, 1)
        self.set(MAX_ANSWER, 10**14)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def set(self, function: Any, *values: object) -> None:
        self.answers[function.selector] = encode(function.outputs, values)

    def set_round(self, number: int, answer: int, updated: int, answered_in: int) -> None:
        self.set(LATEST, number, answer, updated, updated, answered_in)

    def revert(self, function: Any) -> None:
        self.answers[function.selector] = "execution reverted: feed down"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        envelope = {"jsonrpc": "2.0", "id": request["id"]}
        data = bytes.fromhex(request["params"][0]["data"][2:])
        said = self.answers.get(data[:4], "execution reverted")
        if isinstance(said, str):
            return {**envelope, "error": {"code": 3, "message": said}}
        return {**envelope, "result": "0x" + said.hex()}


def _handler(node: Node) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            node.asked += 1
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answers = [node.answer(request) for request in asked]
            status, body = node.bodies.pop(0) if node.bodies else (200, json.dumps(answers))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@pytest.fixture
def node() -> Iterator[Node]:
    running = Node()
    yield running
    running.close()


@pytest.fixture
def feeds(node: Node) -> Chainlink:
    return Chainlink(Client(node.url, timeout=2.0), {"BTC": Feed(PROXY, 3600)})


def test_an_answer_is_a_quote_in_wad(feeds: Chainlink) -> None:
    assert isinstance(feeds, PriceSource)
    assert feeds.latest("BTC", NOW) == Quote("chainlink", "BTC", 600_005 * WAD // 10, NOW - 10)


@pytest.mark.parametrize("decimals", [0, 6, 8, 18])
def test_any_decimals(node: Node, feeds: Chainlink, decimals: int) -> None:
    node.set(DECIMALS, decimals)
    node.set(MAX_ANSWER, 10**30)
    node.set_round(ROUND, 3 * 10**decimals, NOW, ROUND)
    assert feeds.latest("BTC", NOW).price == 3 * WAD


REFUSED = {
    "zero": ((ROUND, 0, NOW, ROUND), "answer 0 is not above zero"),
    "negative": ((ROUND, -1, NOW, ROUND), "answer -1 is not above zero"),
    "an answer of an earlier round": (
        (ROUND, 10**12, NOW, ROUND - 1),
        f"round {ROUND} repeats the answer of round {ROUND - 1}",
    ),
    "an incomplete round": ((ROUND, 10**12, 0, ROUND), f"round {ROUND} is not complete"),
    "stale": ((ROUND, 10**12, NOW - 3901, ROUND), "the answer is 3901 s old, over 3900"),
    "future": ((ROUND, 10**12, NOW + 6, ROUND), "updatedAt is 6 s in the future"),
    "at the minimum": ((ROUND, 1, NOW, ROUND), "answer 1 is at minAnswer 1"),
    "at the maximum": ((ROUND, 10**14, NOW, ROUND), f"answer {10**14} is at maxAnswer {10**14}"),
}


@pytest.mark.parametrize(("said", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_believed_is_refused(
    node: Node, feeds: Chainlink, said: tuple[int, int, int, int], reason: str
) -> None:
    node.set_round(*said)
    with pytest.raises(FeedError) as caught:
        feeds.latest("BTC", NOW)
    assert str(caught.value) == f"chainlink BTC: {reason}."


def test_the_heartbeat_is_that_of_the_feed(node: Node) -> None:
    """One freshness threshold for all feeds is wrong for most (ORA-11)."""
    slow = Chainlink(Client(node.url), {"BTC": Feed(PROXY, 86_400)}, margin=0)
    node.set_round(ROUND, 10**12, NOW - 86_400, ROUND)
    assert slow.latest("BTC", NOW).observed_at == NOW - 86_400
    with pytest.raises(FeedError, match="86401 s old, over 86400"):
        slow.latest("BTC", NOW + 1)


def test_a_huge_answer_is_refused(node: Node, feeds: Chainlink) -> None:
    node.revert(MAX_ANSWER)
    node.set_round(ROUND, 10**18, NOW, ROUND)
    with pytest.raises(FeedError, match=r"^chainlink BTC: answer .* is outside \(0, 1e9\]"):
        feeds.latest("BTC", NOW)


def test_a_feed_without_bounds_or_aggregator_is_read(node: Node, feeds: Chainlink) -> None:
    node.revert(MIN_ANSWER)
    node.revert(MAX_ANSWER)
    assert feeds.latest("BTC", NOW).price > 0
    node.revert(AGGREGATOR)
    assert feeds.latest("BTC", NOW).price > 0


def test_a_reverting_feed_is_refused(node: Node, feeds: Chainlink) -> None:
    node.revert(LATEST)
    with pytest.raises(
        FeedError, match=r"^chainlink BTC: latestRoundData reverts \(feed down\)\.$"
    ):
        feeds.latest("BTC", NOW)


def test_decimals_that_cannot_be_used_are_refused(node: Node, feeds: Chainlink) -> None:
    node.set(DECIMALS, 255)
    with pytest.raises(FeedError, match="decimals 255 cannot be used"):
        feeds.latest("BTC", NOW)
    node.revert(DECIMALS)
    with pytest.raises(FeedError, match=r"decimals .* cannot be used"):
        feeds.latest("BTC", NOW)


def test_no_contract_is_refused(node: Node, feeds: Chainlink) -> None:
    node.answers[LATEST.selector] = b""
    with pytest.raises(FeedError, match=r"^chainlink BTC: there is no contract that answers"):
        feeds.latest("BTC", NOW)


def test_a_short_answer_is_refused(node: Node, feeds: Chainlink) -> None:
    node.answers[LATEST.selector] = b"\0" * 31
    with pytest.raises(FeedError, match=r"^chainlink BTC: the node's answer is not that of a feed"):
        feeds.latest("BTC", NOW)


def test_an_unknown_symbol_is_refused(feeds: Chainlink) -> None:
    with pytest.raises(FeedError, match=r"^chainlink: there is no feed of DOGE\.$"):
        feeds.latest("DOGE", NOW)


BODIES = {
    "html": (200, "<html>busy</html>"),
    "half json": (200, '[{"jsonrpc": "2.0", "id": 0, "resu'),
    "an object": (200, '{"jsonrpc": "2.0", "id": 0, "result": "0x"}'),
    "nulls": (200, '[{"jsonrpc": "2.0", "id": 0, "result": null}]'),
    "no ids": (200, "[{}, {}, {}]"),
    "no answers": (200, "[]"),
    "503": (503, "busy"),
    "429": (429, "{}"),
}


@pytest.mark.parametrize(("status", "body"), BODIES.values(), ids=BODIES.keys())
def test_a_broken_node_is_refused_in_one_sentence(
    node: Node, feeds: Chainlink, status: int, body: str
) -> None:
    node.bodies = [(status, body)] * 100
    start = time.monotonic()
    with pytest.raises(FeedError, match=r"^chainlink BTC: [^\n]*\.$"):
        feeds.latest("BTC", NOW)
    assert time.monotonic() - start < 30
    assert node.asked < 50


def test_a_node_that_comes_back_is_read(node: Node, feeds: Chainlink) -> None:
    node.bodies = [(200, "<html>"), (200, "[")]
    assert feeds.latest("BTC", NOW).price > 0


def test_no_node_is_named() -> None:
    feeds = Chainlink(Client("http://127.0.0.1:9", timeout=0.5), {"BTC": Feed(PROXY, 3600)})
    with pytest.raises(FeedError, match=r"^chainlink BTC: no node answers at http://127"):
        feeds.latest("BTC", NOW)
