"""Who trades: drawn once from a seed, by the same rule in every scenario.

Sizes are in units of a market's first bracket bound and equity in units of the initial margin
asked at the time, so the same people make sense in 2020 and in 2026. Nobody here knows the future:
no rule looks at a price that has not been reported.

Of 84 traders about seven in ten are long; half hold one isolated position, half a cross account
with one or two; a few put half of their margin in as WETH. Two in five open with little more than
the initial margin (the "max" button is popular), a few with eight times as much. When margin gets
short, two in five do nothing, three in ten add just enough to stay above maintenance until their
wallet is empty, three in ten close half.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

SEED: Final = 20_200_312
TRADERS: Final = 84
MAKERS: Final = 4
LIQUIDATORS: Final = 3
COLLATERAL_TRADERS: Final = 5
FIRST_WAVE: Final = 2 * 3_600  # [s] in which most arrive
LATE_WAVE: Final = 72 * 3_600  # [s] in which the others do
PPM: Final = 1_000_000


class Habit(Enum):
    """What a trader does when margin gets short."""

    HOLDS = "holds on"
    TOPS_UP = "tops up"
    CUTS = "cuts"


@dataclass(frozen=True)
class Wish:
    """A position to open."""

    symbol: str
    side: int  # 1 long, -1 short
    size: float  # notional in units of the first bracket's bound


@dataclass(frozen=True)
class Trader:
    """One account."""

    name: str
    number: int  # the key is derived from it
    isolated: bool
    wishes: tuple[Wish, ...]
    cushion: int  # [ppm] equity over initial margin when it opens
    wallet: int  # [ppm] of the first deposit kept outside for later
    habit: Habit
    arrives: int  # [s] after the start
    with_collateral: bool = False  # half of its margin is WETH

    @property
    def mode(self) -> int:
        """As the ledger counts them."""
        return 2 if self.isolated else 1


def make_cast(symbols: Sequence[str], seed: int = SEED, count: int = TRADERS) -> list[Trader]:
    """The traders, the same ones each time."""
    draw = random.Random(seed)
    return [_trader(number, symbols, draw) for number in range(count)]


def _trader(number: int, symbols: Sequence[str], draw: random.Random) -> Trader:
    isolated = number % 2 == 1
    with_collateral = not isolated and number % 14 == 0 and number < 14 * COLLATERAL_TRADERS
    is_late = number % 10 >= 7
    wishes = _wishes(isolated, symbols, draw)
    return Trader(
        name=f"{'iso' if isolated else 'cross'}-{number:02d}",
        number=number,
        isolated=isolated,
        wishes=wishes,
        cushion=_cushion(draw),
        wallet=draw.randrange(200_000, 1_500_000),
        habit=draw.choices(list(Habit), weights=(4, 3, 3))[0],
        arrives=draw.randrange(FIRST_WAVE, LATE_WAVE) if is_late else draw.randrange(FIRST_WAVE),
        with_collateral=with_collateral,
    )


def _wishes(isolated: bool, symbols: Sequence[str], draw: random.Random) -> tuple[Wish, ...]:
    count = 1 if isolated else draw.choice((1, 2))
    chosen = draw.sample(list(symbols), k=min(count, len(symbols)))
    return tuple(Wish(symbol, 1 if draw.random() < 0.72 else -1, _size(draw)) for symbol in chosen)


def _size(draw: random.Random) -> float:
    """Log-normal: most are small, a few reach the higher brackets."""
    return min(2.5, max(0.01, math.exp(draw.gauss(math.log(0.15), 1.1))))


def _cushion(draw: random.Random) -> int:
    """Two in five near the limit; the rest evenly in the logarithm up to eight times."""
    if draw.random() < 0.4:
        return draw.randrange(1_030_000, 1_150_000)
    return int(PPM * math.exp(draw.uniform(math.log(1.15), math.log(8.0))))
