"""What is known before the replay: prices, what the model asks each hour, and the deployment.

Everything a keeper says is a function of recorded bars, so it is computed first; the chain is told
only at its time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from oracle.calibrate import load_calibration
from oracle.feeds.bars import HOUR, FeedError
from oracle.feeds.scenario import SPANS, Scenario, load_scenario
from oracle.models.tails import RiskError
from oracle.policy import PPM, Calibration, Limits, next_push
from oracle.risk import Ask, MarginEstimator
from scripts.demo_parts.errors import DemoError
from scripts.demo_parts.incident import Silence, worst_silence
from scripts.support.config import Config, ConfigError, first_problem, read_file

LOCAL_CONFIG: Final = "scripts/config/local.toml"
STEP: Final = 300  # [s]
HOURLY: Final = HOUR // STEP
MOVE_UNIT: Final = 1_000  # [ppm] the guard is set in tenths of a per cent
MOST_PREMIUM: Final = 2_000  # [ppm]
COLLATERAL: Final = "WETH"
COLLATERAL_OF: Final = "ETH"  # whose price and severity the collateral token has
STAGED: Final = "STAGED"  # market of the second act, at calm margins all the time
STAGED_ASSET: Final = 9
STAGED_BRACKET: Final = (100_000_000, 100_000, 400_000, 50_000, 200_000)
STAGED_RULES: Final = {
    "max_move": 90_000,
    "funding_cap": 0,
    "min_size": "0.001",
    "soft_cap": 1_000_000_000,
    "hard_cap": 2_000_000_000,
}
STAGED_CAPITAL: Final = 100_000_000  # [USD] bound of bucket and ring: what is given decides
CALM: Final = Ask(time=0, need=0, severity=0, depth=PPM, input_hash=bytes(32))


@dataclass(frozen=True)
class Plan:
    """A scenario, ready to be replayed."""

    scenario: Scenario
    calibration: dict[str, Calibration]
    steps: list[tuple[int, dict[str, int]]]  # time, price [USD wad] by symbol
    asks: dict[int, dict[str, Ask]]  # by the hour
    premiums: dict[int, dict[str, int]]  # [ppm] by the hour, for funding

    @property
    def name(self) -> str:
        """Of the scenario."""
        return self.scenario.name

    @property
    def symbols(self) -> tuple[str, ...]:
        """The markets, in the order of their ids."""
        return self.scenario.symbols

    @property
    def start(self) -> int:
        """Time of the first price [s]."""
        return self.steps[0][0]

    @cached_property
    def rates(self) -> dict[str, list[float]]:
        """Maintenance rate of bracket 0 that the keeper's steps lead to, at each step."""
        return {symbol: self._rates(symbol) for symbol in self.symbols}

    def _rates(self, symbol: str) -> list[float]:
        """The steward's steps from the first ask on, one an hour."""
        schedule = self.calibration[symbol].schedule
        calm, storm = schedule.calm_mmr[0], schedule.storm_mmr[0]
        first = self.asks[self.start][symbol]
        severity, depth, rates = first.severity, first.depth, []
        for time, _ in self.steps:
            if ask := self.asks.get(time, {}).get(symbol):
                step = next_push(severity, depth, ask.severity, ask.depth, Limits(), elapsed=HOUR)
                severity, depth = (step.severity, step.depth) if step else (severity, depth)
            rates.append((calm + (storm - calm) * severity / PPM) / PPM)
        return rates


def find_silence(plan: Plan, config: Config) -> Silence | None:
    """When the keeper is silent; None where prices do not fall enough."""
    age = min(market.config.price_max_age for market in config.markets)
    return worst_silence(
        {symbol: [prices[symbol] for _, prices in plan.steps] for symbol in plan.symbols},
        plan.rates,
        least=age // STEP + 1,
        grace=-(-config.price_rules.grace // STEP) + 1,  # a jump is confirmed by the next report
    )


def make_plan(name: str, skip: int = 0, hours: int | None = None) -> Plan:
    """Load a scenario and ask the model for every hour of it.

    Args:
        skip: hours at the beginning to leave out.
        hours: replay only so many.

    Raises:
        DemoError: no such scenario, or a data file that cannot be used.
    """
    if name not in SPANS:
        raise DemoError(f"There is no scenario {name!r}, only {', '.join(SPANS)}.")
    try:
        scenario = load_scenario(name)
        calibration = load_calibration(name)
        last = None if hours is None else (skip + hours) * HOURLY
        steps = list(scenario.steps(STEP))[skip * HOURLY : last]
        hourly = [time for time, _ in steps[::HOURLY]]
        asks = {time: _asks(scenario, calibration, time) for time in hourly}
        premiums = {time: _premiums(scenario, time) for time in hourly}
    except (FeedError, RiskError, OSError, ValueError) as error:
        raise DemoError(str(error)) from None
    if not steps:
        raise DemoError(f"Scenario {name} has no hour {skip}.")
    return Plan(scenario, calibration, steps, asks, premiums)


def deployment_config(plan: Plan, path: str = LOCAL_CONFIG) -> Config:
    """The local configuration with this scenario's schedules, listed at today's severity.

    Raises:
        DemoError: the file cannot be used.
    """
    try:
        values = read_file_of(path)
        for market in values["markets"]:
            market.update(_market_values(plan, market))
        values["markets"].append(_staged_market(values["markets"][0]["config"]))
        for token in values.get("tokens", ()):
            token.update(_line(plan, COLLATERAL_OF))
        return Config.model_validate(values)
    except ValidationError as error:
        raise DemoError(f"{path}: {first_problem(error)}.") from None
    except (ConfigError, KeyError, TypeError) as error:
        raise DemoError(f"{path} is not what the demo expects: {error}") from None


def read_file_of(path: str) -> dict[str, Any]:
    """A configuration as plain values that may be changed."""
    return dict(read_file(Path(path)))


def _asks(scenario: Scenario, calibration: dict[str, Calibration], time: int) -> dict[str, Ask]:
    return {
        symbol: MarginEstimator(symbol, calibration[symbol]).ask(
            scenario.mark[symbol], scenario.traded[symbol], time
        )
        for symbol in scenario.symbols
    }


def _premiums(scenario: Scenario, time: int) -> dict[str, int]:
    """Of the perpetual over the mark at the last closes, within bounds: only funding uses it."""
    premiums = {}
    for symbol in scenario.symbols:
        mark, traded = (bars[symbol].before(time) for bars in (scenario.mark, scenario.traded))
        premium = round(PPM * (float(traded.close[-1]) / float(mark.close[-1]) - 1.0))
        premiums[symbol] = max(-MOST_PREMIUM, min(MOST_PREMIUM, premium))
    return premiums


def _market_values(plan: Plan, market: dict[str, Any]) -> dict[str, Any]:
    schedule = plan.calibration[market["symbol"]].schedule
    rows = zip(
        schedule.bounds,
        schedule.calm_imr,
        schedule.storm_imr,
        schedule.calm_mmr,
        schedule.storm_mmr,
        strict=True,
    )
    config = market["config"]
    fee = max(config["maker_fee"], config["taker_fee"])
    changed = {
        "max_move": (schedule.calm_imr[0] - fee) // MOVE_UNIT * MOVE_UNIT,
        "soft_cap": 5 * schedule.bounds[-1],
        "hard_cap": 10 * schedule.bounds[-1],
    }
    return {
        "brackets": [list(row) for row in rows],
        "config": config | changed,
        **_line(plan, market["symbol"]),
    }


def _staged_market(like: dict[str, Any]) -> dict[str, Any]:
    """The second act's market: one bracket, rules otherwise like another market's."""
    return {
        "symbol": STAGED,
        "asset": STAGED_ASSET,
        "bucket_cap": STAGED_CAPITAL,
        "ring": STAGED_CAPITAL,
        "brackets": [list(STAGED_BRACKET)],
        "config": like | STAGED_RULES,
    }


def _line(plan: Plan, symbol: str) -> dict[str, int]:
    first = plan.asks[plan.start][symbol]
    return {"severity": first.severity, "depth": first.depth}
