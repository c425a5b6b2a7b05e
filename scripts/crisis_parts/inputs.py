"""What is replayed: the accounts and the price path, from distributions or from files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from oracle.crisis.accounts import Account, imbalance
from oracle.crisis.path import Step, read_path, recorded_days, recorded_path, without_gaps
from oracle.crisis.population import Crowd, Discrete, LogNormal, draw_accounts
from oracle.crisis.table import read_accounts
from oracle.engine.rounding import mul_div_ceil, wad_mul_ceil
from oracle.engine.units import PPM, WAD, Price, Size, Usd
from oracle.feeds.bars import FeedError
from scripts.crisis_parts.errors import CrisisError

UNIT_WAD: Final = 10**12  # of the settlement token, a millionth of a US dollar
LONGEST: Final = 21_600  # [s] between two reports of a sparse path
MOST_ACCOUNTS: Final = 100_000
EARLIEST: Final = 10**9 // 86_400 * 86_400  # [s] a day in September 2001
LEVERAGE: Final = "lognormal:6:0.6:20"


@dataclass(frozen=True)
class Choices:
    """What the user asked for."""

    market: str = "BTC"
    day: str = "2020-03-12"
    path: Path | None = None
    table: Path | None = None
    count: int = 2_000
    seed: int = 1
    skip: int = 0  # steps left out at the start
    most: int | None = None  # steps replayed
    notional: tuple[float, float] = (5_000.0, 1.5)  # median USD, sigma of the logarithm
    leverage: str = LEVERAGE
    long_share: float = 0.5


@dataclass(frozen=True)
class Case:
    """One replay. Accounts are as they stand at the first price: `accounts[i].equity` is what
    account i owns there, in whole token units."""

    path: list[Step]
    table: list[Account]  # as given, with its own entry prices: the queue ranks by them
    accounts: list[Account]  # the same ones, re-entered at the first price
    sources: dict[str, str]  # of accounts and path, in words
    balancing: tuple[int, ...] = ()  # accounts added because a side of the table was smaller

    @property
    def markets(self) -> tuple[str, ...]:
        """Those with accounts, in the order of their ids."""
        return tuple(dict.fromkeys(account.market for account in self.table))


def load_case(choices: Choices) -> Case:
    """Read or draw everything; nothing runs before it is whole.

    Raises:
        CrisisError: a row of a file, or a distribution, cannot be used.
    """
    try:
        path, path_source = _path(choices)
        table, table_source = _table(choices, path[0])
    except (FeedError, ValueError) as error:
        raise CrisisError(str(error)) from None
    table, added = _balanced(table, path[0])
    accounts = [
        _at_first_price(i, account, path[0].prices[account.market], choices.table)
        for i, account in enumerate(table)
    ]
    sources = {"path": path_source, "accounts": table_source}
    return Case(
        path,
        [_funded(*pair) for pair in zip(table, accounts, strict=True)],
        accounts,
        sources,
        added,
    )


def parse_leverage(text: str) -> Discrete | LogNormal:
    """`2:20,10:5` (values and weights) or `lognormal:MEDIAN:SIGMA:MOST`, at least 1.

    Raises:
        CrisisError: it is neither.
    """
    kind, _, rest = text.partition(":")
    try:
        if kind == "lognormal":
            median, sigma, most = (float(part) for part in rest.split(":"))
            return LogNormal(median, sigma, low=1.0, high=most)
        pairs = [part.split(":") for part in text.split(",")]
        values, weights = zip(*((float(v), float(w)) for v, w in pairs), strict=True)
        return Discrete(tuple(values), tuple(weights))
    except ValueError as error:
        raise CrisisError(
            f"--leverage {text!r} is neither VALUE:WEIGHT,... nor lognormal:MEDIAN:SIGMA:MOST"
            f" ({error})."
        ) from None


# --- internals -----------------------------------------------------------------------------------


def _path(choices: Choices) -> tuple[list[Step], str]:
    if choices.path is not None:
        steps, source = read_path(choices.path, choices.market), choices.path.name
    elif choices.day in recorded_days():
        steps, source = recorded_path(choices.day), f"recorded days around {choices.day}"
    else:
        raise CrisisError(
            f"There is no recorded day {choices.day!r}, only {', '.join(recorded_days())}."
        )
    last = None if choices.most is None else choices.skip + choices.most
    steps = steps[choices.skip : last]
    if len(steps) < 2:
        raise CrisisError(f"Fewer than two prices of {source} are left to replay.")
    return without_gaps(_in_our_time(steps), LONGEST), source


def _in_our_time(steps: list[Step]) -> list[Step]:
    """Seconds that count from the beginning of a file begin on a day a chain can begin on."""
    if steps[0].time >= EARLIEST:
        return steps
    return [Step(step.time + EARLIEST, step.prices) for step in steps]


def _table(choices: Choices, first: Step) -> tuple[list[Account], str]:
    known = sorted(first.prices)
    if choices.market not in known:
        raise CrisisError(f"The path has no market {choices.market!r}, only {', '.join(known)}.")
    if choices.table is not None:
        known.sort(key=lambda market: market != choices.market)
        return read_accounts(choices.table, known), choices.table.name
    if not 2 <= choices.count <= MOST_ACCOUNTS:
        raise CrisisError(f"--accounts {choices.count} is outside 2 to {MOST_ACCOUNTS}.")
    crowd = Crowd(
        notional=LogNormal(*choices.notional, low=10.0),
        leverage=parse_leverage(choices.leverage),
        long_share=choices.long_share,
    )
    rng = np.random.default_rng(choices.seed)
    price = first.prices[choices.market]
    drawn = draw_accounts(crowd, choices.count, price, choices.market, rng)
    return drawn, f"{choices.count} drawn with seed {choices.seed}"


def _balanced(table: list[Account], first: Step) -> tuple[list[Account], tuple[int, ...]]:
    """Where a table's sides differ, the rest of the market: one account without leverage."""
    added = []
    for market, price in first.prices.items():
        excess = imbalance([account for account in table if account.market == market])
        if excess:
            size = abs(excess)
            equity = wad_mul_ceil(size, price)
            table = [
                *table,
                Account(market, excess < 0, Size(size), Price(price), Usd(equity), PPM),
            ]
            added.append(len(table) - 1)
    return table, tuple(added)


def _at_first_price(i: int, account: Account, price: int, table: Path | None) -> Account:
    """The same account entered at the first price: what it owns there is its cash."""
    equity = account.equity_at(price)
    if equity <= 0:
        where = f"{table.name}: row {i + 2}" if table else f"account {i}"
        raise CrisisError(
            f"{where}, the account owns {equity / WAD:,.2f} USD at the first price of the path,"
            f" {price / WAD:,.2f}: it is bankrupt before anything happens."
        )
    units = mul_div_ceil(equity, 1, UNIT_WAD)
    return replace(account, entry=Price(price), equity=Usd(units * UNIT_WAD))


def _funded(account: Account, entered: Account) -> Account:
    """The account as given, with the cash that makes it own the same at the first price."""
    rounded_up = entered.equity - account.equity_at(entered.entry)
    return replace(account, equity=Usd(account.equity + rounded_up))


def row_of(case: Case, i: int, table: Path | None) -> str:
    """Where account i comes from, to name it."""
    if i in case.balancing:
        return f"the account added to balance market {case.accounts[i].market}"
    return f"{table.name}: row {i + 2}" if table else f"account {i}"


def ratios(accounts: Sequence[Account]) -> list[int]:
    """Equity over notional of each [ppm], rounded down: the most initial margin it can meet."""
    return [
        account.equity * PPM // wad_mul_ceil(account.size, account.entry) for account in accounts
    ]
