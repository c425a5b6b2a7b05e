"""A market for the accounts: margins that let the most leveraged of them open, nothing else new.

One bracket, so that a table's leverage decides who fails when and not a schedule made for another
coin. Fees and interest are 0, so that what an account owns is what the table says.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from oracle.engine.rounding import wad_mul_ceil
from oracle.engine.units import PPM, WAD
from scripts.crisis_parts.capital import Capital
from scripts.crisis_parts.errors import CrisisError
from scripts.crisis_parts.inputs import Case, ratios, row_of
from scripts.support.config import Config, ConfigError, first_problem, read_file

BASE: Final = Path("scripts/config/local.toml")
MOST_IM: Final = 100_000  # [ppm] initial margin, where everybody could meet more
LEAST_IM: Final = 2_000  # [ppm] 500-fold leverage
OPEN_AGE: Final = 4_092  # [s] the longest the engine allows
PRICE_AGE: Final = 65_532  # [s] likewise; sparse paths are reported every six hours


def initial_margin(case: Case, asked: int | None, table: Path | None) -> int:
    """The market's initial margin rate [ppm]: as asked, or the most that lets everybody open.

    Raises:
        CrisisError: an account, named by its row, has less than that.
    """
    found = ratios(case.accounts)
    rate = asked or max(LEAST_IM, min(MOST_IM, *found))
    short = next((i for i, ratio in enumerate(found) if ratio < rate), None)
    if short is not None:
        raise CrisisError(
            f"{row_of(case, short, table)}, its equity is {found[short] / 1e4:g} % of its"
            f" notional at the first price; initial margin is {rate / 1e4:g} %."
        )
    return rate


def market_config(case: Case, rate: int, capital: Mapping[str, Capital]) -> Config:
    """The local configuration with this case's markets instead of its own.

    Args:
        rate: of initial margin [ppm].
        capital: by market.

    Raises:
        CrisisError: the base file cannot be used.
    """
    try:
        values: dict[str, Any] = dict(read_file(BASE))
        values |= {
            "interest_rate": 0,
            "markets": [
                _market(number, symbol, case, rate, capital[symbol])
                for number, symbol in enumerate(case.markets)
            ],
            "tokens": [],
        }
        return Config.model_validate(values)
    except ValidationError as error:
        raise CrisisError(f"The market cannot be listed: {first_problem(error)}.") from None
    except ConfigError as error:
        raise CrisisError(str(error)) from None


def maintenance(rate: int) -> int:
    """Maintenance margin rate [ppm]: half of initial margin, as venues have it."""
    return rate // 2


# --- internals -----------------------------------------------------------------------------------


def _market(number: int, symbol: str, case: Case, rate: int, capital: Capital) -> dict[str, Any]:
    mm = maintenance(rate)
    bucket_cap, ring = capital.in_dollars
    row = [_bound(symbol, case), rate, min(PPM, 2 * rate), mm, min(PPM, 2 * mm)]
    return {
        "symbol": symbol,
        "asset": number,
        "bucket_cap": bucket_cap,
        "ring": ring,
        "brackets": [row],
        "config": {
            "band": 50_000,
            "max_move": rate,
            "max_deviation": 20_000,
            "price_max_age": PRICE_AGE,
            "open_max_age": OPEN_AGE,
        },
    }


def _bound(symbol: str, case: Case) -> int:
    """Above the largest notional that a position has on the path [USD], a power of ten."""
    highest = max(step.prices[symbol] for step in case.path)
    largest = max(account.size for account in case.accounts if account.market == symbol)
    return int(10 ** len(str(wad_mul_ceil(largest, highest) // WAD)) * 10)
