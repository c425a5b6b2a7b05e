"""Which accounts there are and whose auction runs, from the chain's logs, through reorgs.

A page of logs counts only if, after it was read, the node still has both the block before it and
its last block: the second commits to everything between them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from oracle.bot.journal import BLOCKS_KEPT, Event, Journal
from oracle.bot.logs import Log
from oracle.bot.protocol import CONFIGURED, ENDED, STARTED, Deployment, is_refusal
from oracle.chain import ChainError, Client

PAGE: Final = 10_000  # blocks a request: public nodes refuse more
KINDS: Final = {CONFIGURED: "configured", STARTED: "started", ENDED: "ended"}


class Watcher:
    """Keeps the journal's accounts and auctions up with the chain."""

    def __init__(
        self,
        client: Client,
        deployment: Deployment,
        journal: Journal,
        log: Log,
        page: int = PAGE,
    ) -> None:
        self._client = client
        self._deployment = deployment
        self._journal = journal
        self._log = log
        self._page = page

    def update(self) -> int:
        """Read up to the head; the last block read, which may be an older one after a reorg."""
        self._step_back()
        head = int(self._client.request("eth_blockNumber"), 16)
        first = self._next()
        while first <= head:
            read = self._read_page(first, min(first + self._page - 1, head), head)
            if read is None:
                break  # the chain changed meanwhile: look again in the next round
            first = read + 1
        return first - 1

    def _next(self) -> int:
        cursor = self._journal.cursor
        return self._deployment.start if cursor is None else cursor + 1

    def _step_back(self) -> None:
        """To the last block read that the node still has; to the start if it has none of them."""
        known = self._journal.blocks()
        if not known or self._hash(known[0][0]) == known[0][1]:
            return
        answers = self._hashes([number for number, _ in known])
        common = (n for (n, kept), now in zip(known, answers, strict=True) if kept == now)
        to = next(common, self._deployment.start - 1)
        self._log.warning("reorg", head=known[0][0], back_to=to)
        self._journal.rewind(to)

    def _read_page(self, first: int, last: int, head: int) -> int | None:
        """Its last block, which a node that cannot give so much makes a smaller one.

        Hashes are kept of blocks that a reorg may reach, and of the page's last.
        """
        newest = [*range(max(first, head - BLOCKS_KEPT + 1), last)]
        hashes = list(zip([*newest, last], self._hashes([*newest, last]), strict=True))
        logs = self._logs(first, last)
        if logs is None:
            self._page = max((last - first + 1) // 2, 1)
            return self._read_page(first, first + self._page - 1, head)
        before = self._journal.blocks()[:1]
        anchors = [*before, hashes[-1]]
        if self._hashes([n for n, _ in anchors]) != [kept for _, kept in anchors]:
            return None
        if any(kept is None for _, kept in hashes):
            return None
        events = [event for event in map(read_event, logs) if event is not None]
        self._journal.advance(last, [(n, kept) for n, kept in hashes if kept], events)
        self._log.debug("read", first=first, last=last, events=len(events))
        return last

    def _logs(self, first: int, last: int) -> list[dict[str, Any]] | None:
        """None if the node refused a page that could be smaller."""
        query = {
            "address": [self._deployment.ledger, self._deployment.liquidator],
            "topics": [list(KINDS)],
            "fromBlock": hex(first),
            "toBlock": hex(last),
        }
        try:
            return list(self._client.request("eth_getLogs", query))
        except ChainError as error:
            if last > first and is_refusal(error):
                return None
            raise

    def _hash(self, number: int) -> str | None:
        return self._hashes([number])[0]

    def _hashes(self, numbers: Sequence[int]) -> list[str | None]:
        """None where there is no such block."""
        asked = [("eth_getBlockByNumber", (hex(number), False)) for number in numbers]
        answers = self._client.batch(asked)
        for answer in answers:
            if isinstance(answer, ChainError):
                raise answer
        return [None if answer is None else str(answer["hash"]) for answer in answers]


def read_event(log: Mapping[str, Any]) -> Event | None:
    """Of a log; None if it was taken back or is of another kind."""
    kind = KINDS.get(log["topics"][0])
    if kind is None or log.get("removed"):
        return None
    account = int(log["topics"][1], 16)
    return Event(int(log["blockNumber"], 16), int(log["logIndex"], 16), account, kind)
