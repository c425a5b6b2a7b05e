"""Account tables: read a csv once, refuse bad data at the edge; and write one.

Columns ``side,notional,leverage,entry_price,equity`` and optionally ``market``, in any order (a
space in a name counts as its underscore, case does not matter); others are ignored.

    side         long or short
    notional     USD at the entry price, positive; the size is notional / entry price, to the wei
    leverage     as chosen by the account, positive; a record, the figures use equity
    entry_price  USD per base unit, in (0, 1e9]
    equity       USD owned at the entry price, positive: the account's cash
    market       one of the markets known; without the column, the first of them

The real numbers of a file become integers without passing through a float. What `write_accounts`
writes, `read_accounts` reads back as equal accounts.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path

from oracle.crisis.accounts import MAX_SIZE, Account
from oracle.crisis.files import read_lines
from oracle.engine.units import PPM, WAD, Price, Size, Usd
from oracle.feeds.bars import MAX_PRICE, FeedError

REQUIRED = ("side", "notional", "leverage", "entry_price", "equity")
OPTIONAL = ("market",)
SIDES = {"long": True, "short": False}
MAX_USD = 1e12
"""Largest notional and equity of one account: cash in the contracts ends at 1e13."""
MAX_LEVERAGE = 1e4
BOUNDS = {
    "notional": MAX_USD,
    "leverage": MAX_LEVERAGE,
    "entry_price": MAX_PRICE,
    "equity": MAX_USD,
}
WAD_DIGITS = 18


def read_accounts(path: Path, markets: Sequence[str]) -> list[Account]:
    """Read and validate one table. `markets` are the names known, the first is the default.

    Raises:
        FeedError: the file is absent, unreadable or not UTF-8, or `parse_accounts` refuses a row.
    """
    return parse_accounts(read_lines(path), path.name, markets)


def parse_accounts(lines: Iterable[str], source: str, markets: Sequence[str]) -> list[Account]:
    """Accounts from csv lines, the first being the header. `source` names them in errors.

    Raises:
        FeedError: an empty file; a missing or repeated column; wrong number of cells; a side or a
            market that is not known; a cell that is no number, NaN, infinite, zero, negative, too
            large or less than a unit; a notional that buys less than a wei; no rows. One sentence
            naming file, row and column.
    """
    rows = csv.reader(lines, strict=True)
    accounts = []
    try:
        header = [name.strip().lower().replace(" ", "_") for name in next(rows, [])]
        where = _columns(header, source)
        for cells in rows:
            row = f"{source}: row {rows.line_num}"
            if len(cells) != len(header):
                raise FeedError(f"{row} has {len(cells)} cells for {len(header)} columns.")
            values = {name: cells[position].strip() for name, position in where.items()}
            accounts.append(_account(values, row, markets))
    except csv.Error as error:
        raise FeedError(f"{source}: row {rows.line_num} is not csv ({error}).") from None
    if not accounts:
        raise FeedError(f"{source}: there is no row after the header.")
    return accounts


def write_accounts(path: Path, accounts: Sequence[Account]) -> None:
    """Write the table with the column market, every number in full."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*REQUIRED, *OPTIONAL])
        for account in accounts:
            writer.writerow(
                [
                    "long" if account.is_long else "short",
                    _plain(account.size * account.entry, 2 * WAD_DIGITS),
                    _plain(account.leverage, 6),
                    _plain(account.entry, WAD_DIGITS),
                    _plain(account.equity, WAD_DIGITS),
                    account.market,
                ]
            )


def _columns(header: Sequence[str], source: str) -> dict[str, int]:
    if not any(header):
        raise FeedError(f"{source}: row 1, the header, is empty.")
    for name in REQUIRED:
        if name not in header:
            raise FeedError(f"{source}: row 1, the header, has no column {name}.")
    wanted = [name for name in (*REQUIRED, *OPTIONAL) if name in header]
    for name in wanted:
        if header.count(name) > 1:
            raise FeedError(f"{source}: row 1, the header, has column {name} twice.")
    return {name: header.index(name) for name in wanted}


def _account(values: Mapping[str, str], row: str, markets: Sequence[str]) -> Account:
    side = values["side"]
    if side.lower() not in SIDES:
        raise FeedError(f"{row}, side {side[:40]!r} is neither long nor short.")
    market = values.get("market", markets[0])
    if market not in markets:
        raise FeedError(f"{row}, market {market[:40]!r} is none of {', '.join(markets)}.")
    numbers = {name: _number(values[name], name, row) for name in BOUNDS}
    entry = _whole(numbers["entry_price"], WAD, "entry_price", row)
    size = numbers["notional"] * WAD * WAD // entry
    if not 0 < size < MAX_SIZE:
        raise FeedError(
            f"{row}, notional {values['notional'][:40]} at entry_price "
            f"{values['entry_price'][:40]} is a size of {size} wei, outside (0, 2^111)."
        )
    return Account(
        market=market,
        is_long=SIDES[side.lower()],
        size=Size(size),
        entry=Price(entry),
        equity=Usd(_whole(numbers["equity"], WAD, "equity", row)),
        leverage=_whole(numbers["leverage"], PPM, "leverage", row),
    )


def _number(text: str, name: str, row: str) -> Fraction:
    """A number in (0, the column's bound]; Python's `1_000` and other digits are none."""
    try:
        if not text.isascii() or "_" in text:
            raise InvalidOperation
        value = Decimal(text)
    except InvalidOperation:
        raise FeedError(f"{row}, {name} {text[:40]!r} is not a number.") from None
    if not value.is_finite() or not 0 < value <= Decimal(BOUNDS[name]):
        raise FeedError(f"{row}, {name} {text[:40]} is outside (0, {BOUNDS[name]:g}].")
    if value.adjusted() < -2 * WAD_DIGITS:
        raise FeedError(f"{row}, {name} is so small that it rounds down to 0.")
    return Fraction(value)


def _whole(value: Fraction, unit: int, name: str, row: str) -> int:
    """value·unit rounded down, not to nothing."""
    whole = value * unit // 1
    if whole == 0:
        raise FeedError(f"{row}, {name} is so small that it rounds down to 0.")
    return whole


def _plain(value: int, digits: int) -> str:
    """value / 10^digits without an exponent and without trailing zeros."""
    whole, part = divmod(value, 10**digits)
    tail = f"{part:0{digits}d}".rstrip("0")
    return f"{whole}.{tail}" if tail else str(whole)
