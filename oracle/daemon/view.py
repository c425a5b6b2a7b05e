"""What the engine says, read in one question, and whether it is the engine that was meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from oracle.bot.errors import BotError
from oracle.bot.protocol import Deployment as BotDeployment
from oracle.brackets import BRACKETS, rates_calls, rates_of, read_rates
from oracle.chain import Call, ChainError, Client, Function, Head
from oracle.daemon.alarms import DaemonError, Exit
from oracle.daemon.files import read_mapping
from oracle.daemon.sources import MarketInfo
from oracle.keeper import CLOCK, LINE_OF, Line
from oracle.policy import Limits, Rates

WORDS: Final = "({})".format
PRICE_OF: Final = Function("price_of(uint256)", ("(uint256,uint256,uint256,int256,int256)",))
SIGNERS: Final = Function("signers()", ("address[]", "uint256"))
PRICE_RULES: Final = Function("price_rules()", (WORDS(",".join(["uint256"] * 5)),))
PUSH_RULES: Final = Function("push_rules()", (WORDS(",".join(["uint256"] * 7)),))
CONFIG_OF: Final = Function("config_of(uint256)", (WORDS(",".join(["uint256"] * 11)),))
SETTINGS: Final = Function("SETTINGS()", ("address",))
ENGINE: Final = Function("engine()", ("address",))
TOKENS: Final = 32  # asset id of collateral token 0
NEEDED: Final = ("engine", "settings", "clearinghouse", "custody")


@dataclass(frozen=True)
class Deployment:
    """As `ape run deploy` wrote it.

    Attributes:
        addresses, code_hashes: by name of the contract.
        assets: symbol -> asset id, of markets and collateral tokens.
    """

    chain_id: int
    block: int
    addresses: Mapping[str, str]
    code_hashes: Mapping[str, str]
    assets: Mapping[str, int]

    @classmethod
    def load(cls, path: Path) -> Deployment:
        """
        Raises:
            DaemonError: unreadable, or no deployment.
        """
        try:
            BotDeployment.load(path)  # its checks
        except BotError as error:
            raise DaemonError(str(error), Exit.CONFIG) from None
        values = read_mapping(path)
        missing = [name for name in NEEDED if name not in values["addresses"]]
        if missing:
            what = f"{path} is no deployment of this version: it lacks the {missing[0]}."
            raise DaemonError(what, Exit.CONFIG)
        return cls(
            chain_id=int(values["chain_id"]),
            block=int(values["block"]),
            addresses=values["addresses"],
            code_hashes=values.get("code_hashes", {}),
            assets={**values.get("markets", {}), **values.get("tokens", {})},
        )

    @property
    def engine(self) -> str:
        """Address."""
        return self.addresses["engine"]


@dataclass(frozen=True)
class Price:
    """Of an asset, as stored."""

    price: int  # [USD wad] 0 if none yet
    observed: int  # [s] effective
    state: int


@dataclass(frozen=True)
class View:
    """The engine at its latest block.

    Attributes:
        now: effective time [s].
        lines: as last pushed, by asset.
        loads: severity_mm, severity_im, depth_mm, depth_im now [ppm], by asset.
        rates: of bracket 0, by asset.
        bounds: of the brackets, as voted last [USD], by asset.
    """

    head: Head
    now: int
    paused: bool
    signers: tuple[str, ...]
    quorum: int
    period: int
    max_spread: int
    limits: Limits
    max_age: int
    lines: Mapping[int, Line]
    loads: Mapping[int, tuple[int, int, int, int]]
    prices: Mapping[int, Price]
    rates: Mapping[int, Rates] = field(default_factory=dict)
    bounds: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    def effective(self, time: int) -> int:
        """Of a Unix time [s]: pauses are left out."""
        return time - (self.head.time - self.now)


def read_view(client: Client, deployment: Deployment, assets: Sequence[int]) -> View:
    """In one round trip.

    Raises:
        ChainError: the node does not answer, or there is no engine.
    """
    engine, settings = deployment.engine, deployment.addresses["settings"]
    calls = [
        Call(engine, CLOCK),
        Call(settings, SIGNERS),
        Call(settings, PRICE_RULES),
        Call(settings, PUSH_RULES),
        *(Call(settings, LINE_OF, (asset,)) for asset in assets),
        *(Call(engine, PRICE_OF, (asset,)) for asset in assets),
        *(Call(settings, BRACKETS, (asset,)) for asset in assets),
        *(call for asset in assets for call in rates_calls(engine, asset)),
    ]
    head, answers = client.head_and(calls)
    clock, signers, price_rules, push_rules, *rest = answers
    count = len(assets)
    lines, prices, tables = (rest[k * count : (k + 1) * count] for k in range(3))
    words = rest[3 * count :]
    max_age = push_rules[5]
    return View(
        head=head,
        now=clock[0],
        paused=clock[1],
        signers=tuple(address.lower() for address in signers[0]),
        quorum=signers[1],
        period=price_rules[0],
        max_spread=price_rules[1],
        limits=limits_of(push_rules),
        max_age=max_age,
        lines={a: Line(*row[:3]) for a, row in zip(assets, lines, strict=True)},
        loads={a: (row[3], row[5], row[4], row[6]) for a, row in zip(assets, lines, strict=True)},
        prices={a: Price(*row[:3]) for a, row in zip(assets, prices, strict=True)},
        rates={a: rates_of(words[3 * k : 3 * k + 3]) for k, a in enumerate(assets)},
        bounds={a: bounds_of(rows) for a, rows in zip(assets, tables, strict=True)},
    )


def bounds_of(rows: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Of brackets [USD]."""
    return tuple(row[0] for row in rows)


@dataclass
class Looker:
    """Reads the engine once a round, for the keeper and its local signers."""

    deployment: Deployment
    assets: Sequence[int]
    _view: View | None = None

    def read(self, client: Client) -> View:
        """Anew."""
        self._view = read_view(client, self.deployment, self.assets)
        return self._view

    def __call__(self) -> View:
        """As read last."""
        if self._view is None:
            raise DaemonError("The chain was not read yet.")
        return self._view


def limits_of(push_rules: Sequence[int]) -> Limits:
    """The steward's; an unchanged line is repeated well before the keeper would count as dead."""
    up, down, fall, rise, min_delay, max_age, depth_min = push_rules
    return Limits(
        severity_up=up,
        severity_down=down,
        depth_fall=fall,
        depth_rise=rise,
        depth_min=depth_min,
        min_delay=min_delay,
        heartbeat=max(min_delay, max_age * 5 // 9),
    )


def self_check(client: Client, deployment: Deployment, markets: Mapping[str, int]) -> None:
    """Chain, code and ids are those that the keeper was configured for.

    Args:
        markets: symbol -> asset id, as configured.

    Raises:
        DaemonError: something else is there. Naming the first.
    """
    answer = client.request("eth_chainId")
    with client.sense():
        chain = int(answer, 16)
    if chain != deployment.chain_id:
        what = f"The deployment is on chain {deployment.chain_id}, the node on chain {chain}."
        raise DaemonError(what, Exit.SELF_CHECK)
    for name in NEEDED:
        expected, address = deployment.code_hashes.get(name), deployment.addresses[name]
        if expected is None:
            raise _refused(f"The deployment does not say what code its {name} has")
        if client.code_hash(address) != expected:
            raise _refused(f"The {name} at {address} is another contract than was deployed")
    settings = deployment.addresses["settings"]
    try:
        linked = str(client.call(deployment.engine, SETTINGS)).lower()
        back = str(client.call(settings, ENGINE)).lower()
    except ChainError as error:
        raise DaemonError(str(error), Exit.SELF_CHECK) from None
    if linked != settings.lower() or back != deployment.engine.lower():
        raise _refused("Engine and settings of the deployment do not belong together")
    for symbol, asset in markets.items():
        if deployment.assets.get(symbol) != asset:
            known = deployment.assets.get(symbol, "none")
            raise _refused(f"{symbol} is configured as asset {asset}, in the deployment as {known}")
        if client.call(settings, CONFIG_OF, asset)[0] == 0:
            raise _refused(f"Asset {asset} ({symbol}) is not listed on the chain")


def read_markets(
    client: Client, deployment: Deployment, markets: Mapping[str, int]
) -> dict[str, MarketInfo]:
    """Rates of bracket 0 as on the chain, by symbol.

    Raises:
        DaemonError: a market has no schedule.
    """
    settings = deployment.addresses["settings"]
    limits = limits_of(client.call(settings, PUSH_RULES))
    found = {}
    for symbol, asset in markets.items():
        rows: Sequence[Any] = client.call(settings, BRACKETS, asset)
        if not rows:
            raise _refused(f"Asset {asset} ({symbol}) has no schedule on the chain")
        rates = read_rates(client, deployment.engine, asset)
        found[symbol] = MarketInfo(symbol, asset, *rates.new, limits, rates, bounds_of(rows))
    return found


def _refused(what: str) -> DaemonError:
    return DaemonError(f"{what}.", Exit.SELF_CHECK)
