"""Option chains as Deribit publishes them: a recorded table, or its public JSON-RPC over HTTP.

Prices are in the coin (a price of .05 is .05 BTC), implied volatilities are fractions a year. Time
to expiry counts years of 365 days, as the exchange does: on 73 recorded chains its marks equal
Black-76 on the forward with a median error of 5.1e-6 coin in such years, 1.5e-5 in years of 365.25
days. Options expire at 08:00 UTC.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import numpy as np

from oracle.feeds.errors import FeedError
from oracle.feeds.http import get_json
from oracle.feeds.quotes import SKEW, shown, to_decimal, to_seconds
from oracle.feeds.table import BoolArray, FloatArray, IntArray, Table, read_table

YEAR: Final = 365 * 86_400
EXPIRY_HOUR: Final = 8 * 3600
MAX_PRICE: Final = 1e9
MAX_COIN: Final = 1e4
"""Largest price of an option, in coins: a put far in the money is worth many."""
MAX_IV: Final = 10.0
MONTHS: Final = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"
NAME: Final = re.compile(
    r"(?P<asset>[A-Z0-9]+(?:_[A-Z]+)?)-(?P<day>\d{1,2})(?P<month>[A-Z]{3})(?P<year>\d{2})"
    r"-(?P<strike>\d+(?:d\d+)?)-(?P<cp>[CP])"
)
DERIBIT: Final = "https://www.deribit.com"


@dataclass(frozen=True, eq=False)
class Chain:
    """n options on one asset at one time, by expiry and strike. Arrays have shape (n,).

    Attributes:
        ts: Unix seconds.
        expiry: Unix seconds, after ts.
        t: years of 365 days to expiry, positive.
        call: True for a call, False for a put.
        strike: USD.
        bid, ask: in the coin; NaN where nobody quotes.
        mark: the exchange's model price in the coin; may be 0 far out of the money.
        iv: of the mark, fraction a year.
        forward: USD, of that expiry.
        open_interest: contracts of one coin; NaN where the source has none.
        index: USD, of the asset now.
    """

    source: str
    symbol: str
    ts: int
    expiry: IntArray
    t: FloatArray
    call: BoolArray
    strike: FloatArray
    bid: FloatArray
    ask: FloatArray
    mark: FloatArray
    iv: FloatArray
    forward: FloatArray
    open_interest: FloatArray
    index: float

    def __len__(self) -> int:
        return int(self.t.size)

    @property
    def cp(self) -> IntArray:
        """(n,) +1 for a call, -1 for a put."""
        return np.where(self.call, 1, -1).astype(np.int64)


def load_chains(path: Path) -> dict[str, list[Chain]]:
    """All chains of one recording, by currency, oldest first.

    Columns ``ts,ccy,expiry,cp,strike,bid,ask,mark,iv,fut,index`` and optionally ``oi``; ``expiry``
    is a day, ``iv`` a fraction; blank bid or ask is no quote. Time to expiry is computed from
    ``expiry``: a column ``t`` is not read.

    Raises:
        FeedError: a column is missing, or a row is refused: a value that is no number, NaN,
            infinite or out of range, bid above ask, an expiry that is over, an option listed
            twice, a chain older than the one before.
    """
    table = read_table(path)
    times = table.times()
    table.refuse(np.diff(times, prepend=times[0]) < 0, lambda i: f"ts {times[i]} goes back")
    columns = _columns(table, times)
    chains: dict[str, list[Chain]] = {}
    places: dict[tuple[str, int], list[int]] = {}
    for i, key in enumerate(zip(table.texts("ccy"), times.tolist(), strict=True)):
        places.setdefault(key, []).append(i)
    for (symbol, ts), rows in places.items():
        chain = _chain(
            table.source, symbol, ts, columns, rows, [f"row {table.rows[i]}" for i in rows]
        )
        chains.setdefault(symbol, []).append(chain)
    return chains


class DeribitChains:
    """Live option chains over ``public/get_book_summary_by_currency``."""

    def __init__(self, url: str = DERIBIT, timeout: float = 10.0, max_age: int = 120) -> None:
        """
        Args:
            url: scheme and host.
            timeout: [s] for one attempt.
            max_age: [s] the newest summary may be old.
        """
        self._url = url
        self._timeout = timeout
        self._max_age = max_age

    def chain(self, symbol: str, now: int) -> Chain:
        """All options on `symbol` that are quoted in the coin.

        Raises:
            FeedError: no answer, not the format, a bad value (named by instrument and field), too
                old, in the future, or no option left.
        """
        answer = get_json(
            f"{self._url}/api/v2/public/get_book_summary_by_currency",
            {"currency": symbol, "kind": "option"},
            source="deribit",
            timeout=self._timeout,
        )
        return parse_summaries(answer, symbol, now, self._max_age)


def parse_summaries(answer: object, symbol: str, now: int, max_age: int) -> Chain:
    """A chain from the JSON-RPC answer of ``public/get_book_summary_by_currency``.

    Expired options are left out (they stay listed for a moment). The chain's time is that of its
    newest summary.

    Raises:
        FeedError: as `DeribitChains.chain`.
    """
    rows = answer.get("result") if isinstance(answer, Mapping) else None
    if not isinstance(rows, Sequence) or isinstance(rows, str):
        raise FeedError(f"deribit: {symbol} the answer has no list result.")
    parsed = [_summary(row, i) for i, row in enumerate(rows)]
    coin = [row for row in parsed if row["asset"] == symbol]
    if not coin:
        raise FeedError(f"deribit: {symbol} has no option.")
    ts = max(row["ts"] for row in coin)
    if ts > now + SKEW:
        raise FeedError(f"deribit: {symbol} creation_timestamp is {ts - now} s in the future.")
    if ts < now - max_age:
        raise FeedError(f"deribit: {symbol} the chain is {now - ts} s old, over {max_age}.")
    live = [row for row in coin if row["expiry"] > ts]
    if not live:
        raise FeedError(f"deribit: {symbol} has no option that is not over.")
    names = [str(row["name"]) for row in live]
    columns = {
        name: np.array([row[name] for row in live])
        for name in ("expiry", "call", "strike", "bid", "ask", "mark", "iv", "forward", "oi")
    } | {"index": np.array([row["index"] for row in live])}
    return _chain("deribit", symbol, ts, columns, list(range(len(live))), names)


def parse_name(name: object, source: str) -> dict[str, Any]:
    """Asset, expiry (Unix seconds), strike and call of ``BTC-27MAR26-100000-C``.

    Raises:
        FeedError: not such a name.
    """
    match = NAME.fullmatch(name) if isinstance(name, str) else None
    if match is None or MONTHS.find(match["month"]) % 3:
        raise FeedError(f"{source}: instrument_name {shown(name)} is no option's name.")
    try:
        month = MONTHS.find(match["month"]) // 3 + 1
        day = datetime(2000 + int(match["year"]), month, int(match["day"]), tzinfo=UTC)
    except ValueError:
        raise FeedError(f"{source}: instrument_name {shown(name)} has no such day.") from None
    return {
        "name": name,
        "asset": match["asset"],
        "expiry": int(day.timestamp()) + EXPIRY_HOUR,
        "strike": float(match["strike"].replace("d", ".")),
        "call": match["cp"] == "C",
    }


def _summary(row: object, place: int) -> dict[str, Any]:
    if not isinstance(row, Mapping):
        raise FeedError(f"deribit: result {place} is no summary.")
    said = parse_name(row.get("instrument_name"), "deribit")
    source = f"deribit: {said['name']}"
    read = {
        "bid": _value(row, "bid_price", source, 0.0, MAX_COIN, absent=True),
        "ask": _value(row, "ask_price", source, 0.0, MAX_COIN, absent=True),
        "mark": _value(row, "mark_price", source, 0.0, MAX_COIN),
        "iv": _value(row, "mark_iv", source, 0.0, MAX_IV * 100) / 100,
        "forward": _value(row, "underlying_price", source, 0.0, MAX_PRICE),
        "index": _value(row, "estimated_delivery_price", source, 0.0, MAX_PRICE),
        "oi": _value(row, "open_interest", source, 0.0, 1e12),
        "ts": to_seconds(row.get("creation_timestamp"), source, "creation_timestamp"),
    }
    return {**said, **read}


def _value(
    row: Mapping[str, object],
    field: str,
    source: str,
    low: float,
    high: float,
    absent: bool = False,
) -> float:
    """A number in [low, high]; nothing, or the 0 of an empty side, is NaN with `absent`."""
    value = row.get(field)
    if absent and (value is None or value == 0):
        return float("nan")
    number = to_decimal(value, source, field)
    if not Decimal(low) <= number <= Decimal(high):
        raise FeedError(f"{source}: {field} {shown(value)} is outside [{low:g}, {high:g}].")
    return float(number)


def _columns(table: Table, times: IntArray) -> dict[str, Any]:
    kinds = table.texts("cp")
    bad = np.array([kind not in ("C", "P") for kind in kinds], dtype=np.bool_)
    table.refuse(bad, lambda i: f"cp {kinds[i][:40]!r} is not C or P")
    days = Table(table.source, {"date": table.texts("expiry")}, table.rows).times()
    expiry = days + EXPIRY_HOUR
    table.refuse(expiry <= times, lambda i: f"expiry {table.cells['expiry'][i]} is over at its ts")
    columns = {
        "expiry": expiry,
        "call": np.array([kind == "C" for kind in kinds], dtype=np.bool_),
        "strike": table.between("strike", 0.0, MAX_PRICE, open_low=True),
        "bid": table.between("bid", 0.0, MAX_COIN, open_low=True, blank=True),
        "ask": table.between("ask", 0.0, MAX_COIN, open_low=True, blank=True),
        "mark": table.between("mark", 0.0, MAX_COIN),
        "iv": table.between("iv", 0.0, MAX_IV, open_low=True),
        "forward": table.between("fut", 0.0, MAX_PRICE, open_low=True),
        "index": table.between("index", 0.0, MAX_PRICE, open_low=True),
    }
    interest = table.between("oi", 0.0, 1e12) if "oi" in table else np.full(len(table), np.nan)
    return {**columns, "oi": interest}


def _chain(
    source: str,
    symbol: str,
    ts: int,
    columns: Mapping[str, Any],
    rows: Sequence[int],
    names: Sequence[str],
) -> Chain:
    """One chain of the rows, checked as a whole; `names` are theirs, for errors."""
    cut = {name: column[rows] for name, column in columns.items()}
    for name in ("strike", "iv", "forward", "index"):
        for i in np.flatnonzero(~(cut[name] > 0))[:1]:
            raise FeedError(f"{source}: {names[i]}, {name} {cut[name][i]} is not above 0.")
    for i in np.flatnonzero(cut["bid"] > cut["ask"])[:1]:
        raise FeedError(f"{source}: {names[i]}, bid {cut['bid'][i]} is above ask {cut['ask'][i]}.")
    order = np.lexsort((cut["call"], cut["strike"], cut["expiry"]))
    key = np.stack([cut["expiry"], cut["strike"], cut["call"]])[:, order]
    for i in np.flatnonzero((np.diff(key) == 0).all(axis=0))[:1]:
        raise FeedError(f"{source}: {names[order[i + 1]]}, the option is listed twice.")
    sorted_ = {name: column[order] for name, column in cut.items()}
    return Chain(
        source=source,
        symbol=symbol,
        ts=ts,
        expiry=sorted_["expiry"],
        t=(sorted_["expiry"] - ts) / YEAR,
        call=sorted_["call"],
        strike=sorted_["strike"],
        bid=sorted_["bid"],
        ask=sorted_["ask"],
        mark=sorted_["mark"],
        iv=sorted_["iv"],
        forward=sorted_["forward"],
        open_interest=sorted_["oi"],
        index=float(np.median(sorted_["index"])),
    )
