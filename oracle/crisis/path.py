"""Price paths: read a csv once, refuse bad data at the edge; whole minutes and wad integers.

Columns ``ts,price`` or ``ts,open,high,low,close``, in any order; others are ignored.

    ts       whole Unix seconds, rising; of a bar, its open time on the grid of its period
    price    USD per base unit, in (0, 1e9]; open, high, low and close likewise

Bars are walked open, low, high, close, as the recorded days are (`oracle.feeds.scenario`), one
price every quarter of the bar; their period is the distance of the first two. The numbers of a
file become integers without passing through arithmetic in floats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from oracle.crisis.files import read_lines
from oracle.feeds.bars import MAX_PRICE, PRICES, FeedError, parse_bars
from oracle.feeds.scenario import SPANS, load_scenario, wad, walk

MINUTE = 60
"""Reports are on this grid [s]."""
QUARTERS = 4
MAX_TIME = 4 * 10**9
"""The contracts keep times in 32 bits."""
STEP = 300
"""[s] between two prices of a recorded day."""


@dataclass(frozen=True)
class Step:
    """Prices of the markets at one time [s]; USD wad by market."""

    time: int
    prices: Mapping[str, int]


def recorded_path(day: str) -> list[Step]:
    """A recorded crash, every five minutes, BTC and ETH (`oracle.feeds.scenario`).

    Raises:
        FeedError: there is no such recording.
    """
    return [Step(time, prices) for time, prices in load_scenario(day).steps(STEP)]


def recorded_days() -> tuple[str, ...]:
    """Their names."""
    return tuple(SPANS)


def read_path(path: Path, market: str) -> list[Step]:
    """Read and validate one file of prices of one market.

    Raises:
        FeedError: the file is absent, unreadable or not UTF-8, or `parse_path` refuses a row.
    """
    return parse_path(read_lines(path), path.name, market)


def parse_path(lines: Sequence[str], source: str, market: str) -> list[Step]:
    """Steps from csv lines, the first being the header. `source` names them in errors.

    Times are rounded down to the minute.

    Raises:
        FeedError: neither pair of columns; a cell that is no plain number, NaN or out of range; a
            time that repeats, goes back, or shares its minute with the row before; a bar that
            leaves its own range or the grid; fewer than two prices. One sentence naming the row.
    """
    lines = list(lines)
    if not lines:
        raise FeedError(f"{source}: the file is empty.")
    header = [name.strip().lower() for name in lines[0].split(",")]
    if "price" in header:
        points = _points(lines, header, source)
    elif all(name in header for name in PRICES):
        points = _walked(lines, header, source)
    else:
        raise FeedError(
            f"{source}: row 1, the header, has neither the column price nor open, high, low, close."
        )
    if len(points) < 2:
        raise FeedError(f"{source}: a path has at least two prices.")
    return [Step(time, {market: price}) for time, price in points]


def without_gaps(steps: Sequence[Step], longest: int) -> list[Step]:
    """The steps, and where two are more than `longest` seconds apart the first one repeated."""
    filled: list[Step] = []
    for step, following in pairwise(steps):
        filled += [Step(t, step.prices) for t in range(step.time, following.time, longest)]
    return [*filled, *steps[-1:]]


# --- internals -----------------------------------------------------------------------------------


def _points(lines: Sequence[str], header: Sequence[str], source: str) -> list[tuple[int, int]]:
    at_ts, at_price = _column(header, "ts", source), _column(header, "price", source)
    points: list[tuple[int, int]] = []
    for number, line in enumerate(lines[1:], start=2):
        cells = [cell.strip() for cell in line.split(",")]
        row = f"{source}: row {number}"
        if len(cells) != len(header):
            raise FeedError(f"{row} has {len(cells)} cells for {len(header)} columns.")
        time = _seconds(cells[at_ts], row)
        if points and time // MINUTE <= points[-1][0] // MINUTE:
            raise FeedError(f"{row}, ts {time} is not in a later minute than the row before.")
        points.append((time // MINUTE * MINUTE, _price(cells[at_price], row)))
    if not points:
        raise FeedError(f"{source}: there is no row after the header.")
    return points


def _walked(lines: Sequence[str], header: Sequence[str], source: str) -> list[tuple[int, int]]:
    at_ts = _column(header, "ts", source)
    bars = parse_bars(
        [",".join(header), *lines[1:]], source, _period(lines, at_ts, len(header), source)
    )
    quarter = bars.period // QUARTERS
    if quarter < MINUTE:
        raise FeedError(f"{source}: bars of {bars.period} s are too short, give ts,price instead.")
    return [
        ((int(bars.ts[i]) + k * quarter) // MINUTE * MINUTE, price)
        for i in range(len(bars))
        for k, price in enumerate(walk(bars, i, QUARTERS))
    ]


def _period(lines: Sequence[str], at_ts: int, width: int, source: str) -> int:
    """Of the bars: the distance of the first two; an hour, of a single one."""
    times = []
    for number, line in enumerate(lines[1:3], start=2):
        cells = line.split(",")
        if len(cells) != width:
            raise FeedError(f"{source}: row {number} has {len(cells)} cells for {width} columns.")
        times.append(_seconds(cells[at_ts].strip(), f"{source}: row {number}"))
    if len(times) < 2:
        return MINUTE * MINUTE
    if times[1] <= times[0]:
        raise FeedError(f"{source}: row 3, ts {times[1]} is not later than the row before.")
    return times[1] - times[0]


def _column(header: Sequence[str], name: str, source: str) -> int:
    if header.count(name) != 1:
        what = "no column" if name not in header else "twice the column"
        raise FeedError(f"{source}: row 1, the header, has {what} {name}.")
    return header.index(name)


def _seconds(text: str, row: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= MAX_TIME):
        raise FeedError(f"{row}, ts {text[:40]!r} is not a time in whole Unix seconds.")
    return int(text)


def _price(text: str, row: str) -> int:
    try:
        if not text.isascii() or "_" in text:
            raise ValueError
        value = float(text)
    except ValueError:
        raise FeedError(f"{row}, price {text[:40]!r} is not a number.") from None
    if not 0 < value <= MAX_PRICE:
        raise FeedError(f"{row}, price {text[:40]} is outside (0, {MAX_PRICE:g}].")
    price = wad(value)
    if price == 0:
        raise FeedError(f"{row}, price {text[:40]} is so small that it rounds down to 0.")
    return price
