"""The tier tables of an asset as the chain keeps them: the one voted last, and the one before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from oracle.chain import Call, Client, Function
from oracle.policy import Rates

BRACKETS: Final = Function("brackets(uint256)", ("(uint256,uint256,uint256,uint256,uint256)[]",))
WORD_AT: Final = Function("word_at(uint256,uint256)", ("uint256",))
CLOCKS: Final = Function("clocks()", ("(uint256,uint256,uint256,uint256,uint256)",))
LINES: Final = 7  # table of words, by asset (`load_line`)
SCHEDULES: Final = 8  # by asset·8, 4 further on for maintenance (`schedules`)
M20: Final = 2**20 - 1
M32: Final = 2**32 - 1


def rates_calls(engine: str, asset: int) -> list[Call]:
    """What `rates_of` is made from."""
    return [
        Call(engine, WORD_AT, (SCHEDULES, 8 * asset + 4)),
        Call(engine, WORD_AT, (LINES, asset)),
        Call(engine, CLOCKS),
    ]


def rates_of(answers: Sequence[Any]) -> Rates:
    """Of bracket 0: the words as `schedules` and `load_line` have them."""
    schedule, line, clocks = answers
    new, old = ((schedule >> by >> 84 & M20, schedule >> by >> 64 & M20) for by in (128, 0))
    return Rates(old, new, start=line >> 72 & M32, ramp=clocks[4])


def read_rates(client: Client, engine: str, asset: int, block: str = "latest") -> Rates:
    """Of a block.

    Raises:
        ChainError: there is no engine, or the node does not keep the state of that block.
    """
    calls = rates_calls(engine, asset)
    return rates_of([client.call(c.to, c.function, *c.args, block=block) for c in calls])
