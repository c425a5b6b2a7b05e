"""What governance wants to be different, in the words of the configuration file.

A change is a tree like a deployment's configuration, with only what changes in it; a market that
is not known yet is listed. It comes from a file, from options such as
`--set markets.BTC.config.maker_fee=100`, or from both.
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError

from scripts.support.config import (
    Address,
    AnyAddress,
    Bracket,
    ConfigError,
    Count,
    Feed,
    Model,
    Signers,
    check_table,
    first_problem,
    read_file,
)

NO_FEED: Final = "none"


class AssetChange(Model):
    """Of an asset. To list one, also its `asset` id (a market) or `address` (a token)."""

    asset: Annotated[int, Field(ge=0, lt=32)] | None = None
    address: Address | None = None
    config: dict[str, Any] = Field(default_factory=dict)
    brackets: list[Bracket] | None = None
    feed: Feed | Literal["none"] | None = None
    reduce_only: bool | None = None
    severity: Count | None = None
    depth: Count | None = None
    cap: Count | None = None  # [tokens]
    outflow_cap: Count | None = None  # [tokens]
    outflow_window: Count | None = None  # [s]


class Outflow(Model):
    outflow_cap: Count | None = None  # [USD]
    outflow_window: Count | None = None  # [s]


class RoleGrant(Model):
    role: Literal["PROPOSER_ROLE", "EXECUTOR_ROLE", "CANCELLER_ROLE"]
    account: AnyAddress


class RoleChange(Model):
    guardian: Address | None = None
    timelock_delay: Count | None = None  # [s]
    grant: list[RoleGrant] = Field(default_factory=list)
    revoke: list[RoleGrant] = Field(default_factory=list)


class RawCall(Model):
    """Anything else: a function of one of the contracts."""

    contract: str
    function: str
    arguments: list[Any] = Field(default_factory=list)


class Change(Model):
    description: str = ""
    interest_rate: Count | None = None  # [ppm a year]
    collateral_multiple: Count | None = None  # [ppm]
    sequencer_feed: AnyAddress | None = None
    settlement_doubt: bool | None = None
    liquidator: Address | None = None
    settlement: Outflow = Outflow()
    roles: RoleChange = RoleChange()
    oracle: Signers | None = None
    price_rules: dict[str, Any] = Field(default_factory=dict)
    push_rules: dict[str, Any] = Field(default_factory=dict)
    liquidation: dict[str, Any] = Field(default_factory=dict)
    markets: dict[str, AssetChange] = Field(default_factory=dict)
    tokens: dict[str, AssetChange] = Field(default_factory=dict)
    gateways: dict[int, AnyAddress] = Field(default_factory=dict)
    calls: list[RawCall] = Field(default_factory=list)


def read_change(path: Path | None, settings: Iterable[str], tiers: Iterable[str]) -> Change:
    """From a file and options, the options winning."""
    tree: dict[str, Any] = read_file(path) if path else {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} is not a table of changes.")
    for option in settings:
        name, value = split_option(option, "--set markets.BTC.config.maker_fee=100")
        put(tree, name.split("."), parse_value(value), option)
    for option in tiers:
        symbol, file = split_option(option, "--tiers BTC=table.csv")
        put(tree, ["markets", symbol, "brackets"], read_table(Path(file)), option)
    if not tree:
        raise ConfigError("There is nothing to propose: name a change file, --set or --tiers.")
    try:
        return Change.model_validate(tree)
    except ValidationError as error:
        where = f"{path}: " if path else ""
        raise ConfigError(f"{where}{first_problem(error)}.") from None


def split_option(option: str, example: str) -> tuple[str, str]:
    name, equals, value = option.partition("=")
    if not (name and equals and value):
        raise ConfigError(f"{option!r} is not of the form {example!r}.")
    return name.strip(), value.strip()


def put(tree: dict[str, Any], path: list[str], value: Any, option: str) -> None:
    """Set a leaf, making the branches."""
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"{option!r}: {name} is a value, not a table.")
    tree[path[-1]] = value


def parse_value(text: str) -> Any:
    """As TOML would, otherwise as text."""
    try:
        return tomllib.loads(f"value = {text}", parse_float=Decimal)["value"]
    except tomllib.TOMLDecodeError:
        return text


# --- tier tables -----------------------------------------------------------------------------


def read_table(path: Path) -> list[list[int]]:
    """Brackets of a market: TOML or JSON with `brackets`, or CSV with five numbers a row."""
    rows = read_csv(path) if path.suffix == ".csv" else read_rows(path)
    try:
        check_table([tuple(row) for row in rows], is_market=True)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}.") from None
    return rows


def read_rows(path: Path) -> list[list[int]]:
    values = read_file(path)
    rows = values.get("brackets") if isinstance(values, dict) else values
    if not isinstance(rows, list) or not rows:
        raise ConfigError(f"{path} has no brackets.")
    return [check_row(row, path, number) for number, row in enumerate(rows, 1)]


def read_csv(path: Path) -> list[list[int]]:
    """bound, IM calm, IM storm, MM calm, MM storm; a first row of words is passed over."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = [line for line in csv.reader(file) if any(cell.strip() for cell in line)]
    except FileNotFoundError:
        raise ConfigError(f"There is no file {path}.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path} cannot be read: {error}.") from None
    first = 1 if lines and not any(cell.strip().isdigit() for cell in lines[0]) else 0
    if not lines[first:]:
        raise ConfigError(f"{path} has no brackets.")
    return [check_row(line, path, number) for number, line in enumerate(lines[first:], first + 1)]


def check_row(row: Any, path: Path, number: int) -> list[int]:
    if isinstance(row, dict):
        row = [row.get(name) for name in Bracket.model_fields]
    try:
        values = [int(str(cell).strip().replace("_", "")) for cell in row]
    except (TypeError, ValueError):
        raise ConfigError(f"{path} row {number}: a bracket is five whole numbers.") from None
    if len(values) != len(Bracket.model_fields) or min(values) < 0:
        raise ConfigError(f"{path} row {number}: a bracket is five whole numbers.")
    return values
