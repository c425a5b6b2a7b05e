"""Who is short, and who comes first: by what is missing, then by how far down the waterfall."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from oracle.bot.logs import Log
from oracle.bot.protocol import HEALTH, LIQUIDATABLE, is_refusal, short_id
from oracle.chain import ChainError, Client

MOST_AT_ONCE: Final = 100  # accounts in one question to the lens


class Health(NamedTuple):
    """Of one account."""

    equity: int  # [USD wad]
    mm: int  # [USD wad]
    state: int

    @property
    def deficit(self) -> int:
        """What is missing to the maintenance margin [USD wad]."""
        return self.mm - self.equity


@dataclass(frozen=True)
class Short:
    """An account that may be acted upon."""

    account: int
    health: Health


def pages(accounts: Sequence[int], size: int = MOST_AT_ONCE) -> list[list[int]]:
    """Parts of at most `size`, in order."""
    return [list(accounts[i : i + size]) for i in range(0, len(accounts), size)]


def ranked(health: Mapping[int, Health], own: Collection[int] = ()) -> list[Short]:
    """Those that may be acted upon and are not the bot's own, the largest deficit first."""
    short = (
        Short(account, now)
        for account, now in health.items()
        if now.state >= LIQUIDATABLE and account not in own
    )
    return sorted(short, key=lambda s: (-s.health.deficit, -s.health.state, s.account))


def health_of(
    accounts: Sequence[int], ask: Callable[[list[int]], Iterable[tuple[int, int, int]]], log: Log
) -> dict[int, Health]:
    """Of all of them. A page that the node refuses is halved; one account alone is left out.

    Args:
        ask: the lens, about at most `MOST_AT_ONCE`.

    Raises:
        ChainError: the node cannot be reached.
    """
    found: dict[int, Health] = {}
    todo = pages(accounts)[::-1]
    while todo:
        page = todo.pop()
        try:
            answers = ask(page)
        except ChainError as error:
            if not is_refusal(error):
                raise
            if len(page) == 1:
                log.refused(short_id(page[0]), "health", -1, str(error))
            else:
                middle = len(page) // 2
                todo += [page[middle:], page[:middle]]
            continue
        found |= {a: Health(*row) for a, row in zip(page, answers, strict=True)}
    return found


def read_health(
    client: Client, lens: str, accounts: Sequence[int], block: int, log: Log
) -> dict[int, Health]:
    """As of one block."""
    return health_of(accounts, lambda page: client.call(lens, HEALTH, page, block=hex(block)), log)
