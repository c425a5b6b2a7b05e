"""What a deployment is made of, read from a TOML or JSON file.

Every value is checked here before anything is sent, by the rules the contracts enforce (the twin's
`listing`), so a deployment does not stop half way over a typing error. USD amounts are whole
dollars unless said otherwise; decimals are strings.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final

from eth_utils.address import is_address, to_checksum_address
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from oracle.engine import listing
from oracle.engine.effective_time import PriceRules as PriceRulesTwin
from oracle.engine.prices import Config as ConfigTwin
from oracle.engine.steward import PushRules as PushRulesTwin
from oracle.engine.tiers import TierRow
from oracle.engine.units import Refused
from scripts.support.dev_keys import LOCAL_CHAIN, dev_address, known_among
from scripts.support.errors import ScriptError

WAD: Final = 10**18
PPM: Final = 10**6
YEAR: Final = 365 * 86_400  # [s]
TOKENS: Final = 32  # asset id of collateral token 0
MOCK: Final = "mock"
LEAST_DELAY: Final = 48 * 3_600  # [s] of the timelock, off the local chain


class ConfigError(ScriptError):
    """The file cannot be used. One sentence."""


def _to_address(value: Any) -> Any:
    """An address, or `dev:3` for account 3 of the well-known local mnemonic."""
    if isinstance(value, str) and value.startswith("dev:") and value[4:].isdigit():
        return dev_address(int(value[4:]))
    if not (isinstance(value, str) and is_address(value)):
        raise ValueError(f"{value!r} is neither an address nor dev:<number>")
    return to_checksum_address(value)


def _not_zero(value: str) -> str:
    if int(value, 16) == 0:
        raise ValueError("the zero address")
    return value


AnyAddress = Annotated[str, BeforeValidator(_to_address)]
Address = Annotated[str, BeforeValidator(_to_address), AfterValidator(_not_zero)]
TokenAddress = Annotated[
    str, BeforeValidator(lambda v: v if v == MOCK else _not_zero(_to_address(v)))
]
Count = Annotated[int, Field(ge=0, lt=2**256, strict=True)]
OutflowCap = Annotated[int, Field(ge=0, le=(2**64 - 1) * 10**12 // WAD)]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    def tuple(self) -> tuple[Any, ...]:
        """Fields in the contract's order."""
        return tuple(getattr(self, name) for name in type(self).model_fields)


class Roles(Model):
    guardian: Address
    proposers: list[Address] = Field(min_length=1)
    executors: list[AnyAddress] = Field(min_length=1)  # the zero address: anyone
    timelock_delay: Count  # [s] first delay, and the least there will ever be


class Signers(Model):
    """Who signs price reports and risk pushes."""

    signers: list[Address] = Field(min_length=1, max_length=9)
    quorum: Count

    @model_validator(mode="after")
    def _check(self) -> Signers:
        if len(set(self.signers)) != len(self.signers):
            raise ValueError("a signer is named twice")
        if not 2 * len(self.signers) <= 3 * self.quorum <= 3 * len(self.signers):
            raise ValueError("the quorum must be at least two thirds of the signers")
        return self

    @property
    def ascending(self) -> list[str]:
        return sorted(self.signers, key=lambda a: int(a, 16))


def _agree(check: Callable[..., None], *args: Any, **options: Any) -> None:
    """Run a check of the twin, which gives the contract's own reason."""
    try:
        check(*args, **options)
    except Refused as refusal:
        raise ValueError(refusal.reason) from None


class PriceRules(Model):
    period: Count  # [s]
    max_spread: Count  # [ppm]
    confirm_delay: Count  # [s]
    grace: Count  # [s]
    settle_window: Count  # [s]

    @model_validator(mode="after")
    def _check(self) -> PriceRules:
        _agree(listing.check_price_rules, PriceRulesTwin(*self.tuple()))
        return self


class PushRules(Model):
    step_up: Count  # [ppm]
    step_down: Count  # [ppm]
    depth_fall: Count  # [ppm]
    depth_rise: Count  # [ppm]
    min_delay: Count  # [s]
    max_age: Count  # [s]
    depth_min: Count  # [ppm]

    @model_validator(mode="after")
    def _check(self) -> PushRules:
        _agree(listing.check_push_rules, PushRulesTwin(*self.tuple()))
        return self


class Clocks(Model):
    """Fixed for good at deployment."""

    severity_up: Annotated[int, Field(ge=1, le=250_000)]  # [ppm per hour]
    severity_down: Annotated[int, Field(ge=1, le=250_000)]
    depth_down: Annotated[int, Field(ge=1, le=500_000)]
    depth_up: Annotated[int, Field(ge=1, le=500_000)]
    ramp: Annotated[int, Field(ge=600, le=604_800)]  # [s]


class Liquidation(Model):
    """Discounts and fee in ppm of the market's calm MMR_0."""

    duration: Annotated[int, Field(ge=60, le=14_400)]  # [s]
    tail: Annotated[int, Field(ge=0, le=86_400)]  # [s]
    discount_min: Annotated[int, Field(ge=0)]
    discount_max: Annotated[int, Field(ge=0)]
    insurance_fee: Annotated[int, Field(ge=0)]
    min_deficit: Annotated[int, Field(ge=1, le=1_000_000)]  # [USD]
    reward: Annotated[Decimal, Field(ge=0, le=10, decimal_places=18)] = Decimal(0)  # [USD]

    @model_validator(mode="after")
    def _check(self) -> Liquidation:
        if self.discount_min > self.discount_max:
            raise ValueError("discount_min is above discount_max")
        if self.discount_max + self.insurance_fee >= 666_666:
            raise ValueError("discount_max and insurance_fee together reach two thirds")
        return self

    def tuple(self) -> tuple[int, ...]:
        return (*super().tuple()[:-2], self.min_deficit * WAD, int(self.reward * WAD))


class Capital(Model):
    """How long capital waits on its way in and out."""

    deposit_delay: Annotated[int, Field(ge=3_600, le=2_592_000)] = 86_400  # [s]
    redeem_delay: Annotated[int, Field(ge=3_600, le=2_592_000)] = 604_800  # [s]


class Backstop(Capital):
    """The vault, and what its manager may do."""

    manager: Address | None = None
    distance: Annotated[int, Field(ge=0, le=100_000)] = 0  # [ppm] from the mark
    daily_loss: Count = 0  # [USD]


class Bracket(Model):
    bound: Count  # [USD] upper notional bound
    im_calm: Count  # [ppm]
    im_storm: Count
    mm_calm: Count
    mm_storm: Count

    @model_validator(mode="before")
    @classmethod
    def _from_row(cls, value: Any) -> Any:
        """Also as a row [bound, im_calm, im_storm, mm_calm, mm_storm]."""
        if isinstance(value, list | tuple):
            if len(value) != len(cls.model_fields):
                raise ValueError(
                    "a bracket has five numbers: bound, IM calm, storm, MM calm, storm"
                )
            return dict(zip(cls.model_fields, value, strict=True))
        return value


class Feed(Model):
    """A Chainlink AggregatorV3 as reference."""

    feed: Address
    max_age: Annotated[int, Field(ge=60, le=2_592_000)]  # [s]
    min_answer: Count  # in the feed's units
    max_answer: Count


class AssetConfig(Model):
    """Guards, fees, ages and caps of an asset, in the contract's order."""

    band: Count  # [ppm]
    max_move: Count  # [ppm]
    max_deviation: Count  # [ppm]
    funding_cap: Count = 0  # [ppm per 8 h]
    price_max_age: Count  # [s]
    open_max_age: Count  # [s]
    maker_fee: Count = 0  # [ppm]
    taker_fee: Count = 0  # [ppm]
    min_size: Decimal = Decimal(0)  # [base]
    soft_cap: Count = 0  # [USD]
    hard_cap: Count = 0  # [USD]

    @field_validator("min_size")
    @classmethod
    def _whole_wei(cls, value: Decimal) -> Decimal:
        if value < 0 or value * WAD != int(value * WAD):
            raise ValueError("must be a positive decimal with at most 18 places")
        return value

    def tuple(self) -> tuple[int, ...]:
        row = list(super().tuple())
        row[8] = int(self.min_size * WAD)
        return tuple(row)

    @model_validator(mode="after")
    def _check(self) -> AssetConfig:
        twin = ConfigTwin(*self.tuple())
        _agree(listing.check_config, twin)
        _agree(listing.check_representable, twin)
        return self


class Asset(Model):
    """What a market and a collateral token have in common."""

    symbol: str = Field(min_length=1, max_length=25)
    config: AssetConfig
    brackets: list[Bracket] = Field(min_length=1, max_length=8)
    severity: Annotated[int, Field(ge=0, le=PPM)] = 0  # [ppm] where the clocks start
    depth: Annotated[int, Field(ge=0, le=PPM)] = PPM
    feed: Feed | None = None

    @property
    def rows(self) -> list[tuple[int, ...]]:
        return [bracket.tuple() for bracket in self.brackets]

    def _check_table(self, *, is_market: bool) -> None:
        check_table(self.rows, is_market=is_market)
        largest = self.config.max_move + max(self.config.maker_fee, self.config.taker_fee)
        if largest > self.brackets[0].im_calm:
            raise ValueError("max_move and the larger fee together exceed the first calm IM rate")


class Market(Asset):
    asset: Annotated[int, Field(ge=0, lt=TOKENS)]  # id
    bucket_cap: Count = 0  # [USD] the market may ever cost the insurance fund
    ring: Count = 0  # [USD] capital of the backstop vault for it; 0 for no ring

    @model_validator(mode="after")
    def _check(self) -> Market:
        self._check_table(is_market=True)
        return self


class Token(Asset):
    """Collateral; its brackets are haircuts. Asset ids are given in the order of the file."""

    address: TokenAddress
    decimals: Annotated[int, Field(ge=0, le=18)] = 18  # of the mock
    cap: Count  # [tokens] all accounts together
    outflow_cap: OutflowCap  # [tokens] in the window
    outflow_window: Annotated[int, Field(ge=3_600, le=2_592_000)] = 86_400  # [s]

    @model_validator(mode="after")
    def _check(self) -> Token:
        self._check_table(is_market=False)
        return self


class Settlement(Model):
    token: TokenAddress
    outflow_cap: OutflowCap  # [USD] in the window
    outflow_window: Annotated[int, Field(ge=3_600, le=2_592_000)] = 86_400  # [s]


class Config(Model):
    """A whole deployment."""

    chain_id: Count
    settlement: Settlement
    roles: Roles
    oracle: Signers
    price_rules: PriceRules
    push_rules: PushRules
    clocks: Clocks
    liquidation: Liquidation
    insurance: Capital = Capital()
    backstop: Backstop = Backstop()
    interest_rate: Annotated[int, Field(ge=0, le=PPM)] = 0  # [ppm a year] on negative cash
    collateral_multiple: Annotated[int, Field(ge=0, le=10 * PPM)] = 0  # [ppm]
    sequencer_feed: Address | None = None
    markets: list[Market] = Field(min_length=1, max_length=TOKENS)
    tokens: list[Token] = Field(default=[], max_length=8)

    @model_validator(mode="after")
    def _check(self) -> Config:
        ids = [market.asset for market in self.markets]
        if len(set(ids)) != len(ids):
            raise ValueError("two markets have the same asset id")
        symbols = [asset.symbol for asset in [*self.markets, *self.tokens]]
        if len(set(symbols)) != len(symbols):
            raise ValueError("two assets have the same symbol")
        for asset in [*self.markets, *self.tokens]:
            if asset.depth < self.push_rules.depth_min:
                raise ValueError(f"the depth of {asset.symbol} is below depth_min")
        if self.chain_id != LOCAL_CHAIN:
            self._check_public()
        return self

    def _check_public(self) -> None:
        if self.roles.timelock_delay < LEAST_DELAY:
            raise ValueError("the timelock's delay is less than 48 hours")
        if MOCK in [self.settlement.token, *(token.address for token in self.tokens)]:
            raise ValueError("mock tokens are for the local chain")
        known = known_among(self.people, self.chain_id)
        if known:
            raise ValueError(f"{known[0]} is a well-known development account")

    @property
    def people(self) -> list[str]:
        """Every account with a role."""
        roles = self.roles
        people = [roles.guardian, *roles.proposers, *roles.executors, *self.oracle.signers]
        return [*people, self.backstop.manager] if self.backstop.manager else people

    @property
    def interest_per_second(self) -> int:
        """[ray per second]"""
        return self.interest_rate * 10**27 // PPM // YEAR

    @property
    def fingerprint(self) -> str:
        """Changes with every value."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


def check_table(rows: list[tuple[int, ...]], *, is_market: bool) -> None:
    """Raise ValueError with the contract's reason unless a schedule is one."""
    _agree(listing.check_rows, [TierRow(*row) for row in rows], is_market=is_market)


def load_config(path: str | Path) -> Config:
    """Read and check a configuration file."""
    path = Path(path)
    values = read_file(path)
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{path}: {first_problem(error)}.") from None


def read_file(path: Path) -> Any:
    """A TOML or JSON file as plain values."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"There is no file {path}.") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise ConfigError(f"{path} cannot be read: {reason}.") from None
    try:
        return json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} is malformed: {error}.") from None


def first_problem(error: ValidationError) -> str:
    """Where and what, of the first of several."""
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"])
    what = problem["msg"].removeprefix("Value error, ")
    return f"{where}: {what}" if where else what
