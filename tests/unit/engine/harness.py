"""The engine on titanoboa, with its signers: what every engine test starts from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import boa
from eth_account import Account
from eth_account.messages import encode_typed_data

WAD = 10**18
PPM = 10**6
HOUR = 3600
INITIAL, LIVE, MAINTENANCE = 0, 1, 2
UNKNOWN, AFTERMATH, REDUCE_ONLY, OLD, PAUSED, NO_NEW_RISK = 1, 2, 4, 8, 16, 32
# `engine_tables`
CLOCK, PRICES, SETTLING, HELD, CONFIGS, GUARDS, LIMITS, LINES, SCHEDULES, SIGNERS = range(10)
SCALARS, REPORT_RULES = 10, 11
# `engine_scalars`
RULES, SEQUENCER, LIQUIDATOR, PAUSE_ENDED = range(4)
START = 1_700_000_040  # a multiple of 60
ZERO = "0x" + "00" * 20

# Bound USD; IM calm, storm; MM calm, storm [ppm].
TABLE = [
    (100_000, 20_000, 100_000, 10_000, 50_000),
    (1_000_000, 40_000, 150_000, 20_000, 80_000),
    (10_000_000, 100_000, 300_000, 50_000, 150_000),
]
HAIRCUTS = [
    (1_000_000, 50_000, 200_000, 30_000, 150_000),
    (5_000_000, 100_000, 400_000, 80_000, 300_000),
]


@dataclass(frozen=True)
class Config:
    band: int = 50_000
    max_move: int = 15_000
    max_deviation: int = 20_000
    funding_cap: int = 10_000
    price_max_age: int = 600
    open_max_age: int = 120
    maker_fee: int = 200
    taker_fee: int = 500
    min_size: int = 10**15
    soft_cap: int = 0
    hard_cap: int = 0

    def tuple(self) -> tuple[int, ...]:
        return tuple(self.__dict__.values())


@dataclass(frozen=True)
class PriceRules:
    period: int = 60
    max_spread: int = 5_000
    confirm_delay: int = 120
    grace: int = 600
    settle_window: int = 600

    def tuple(self) -> tuple[int, ...]:
        return tuple(self.__dict__.values())


@dataclass(frozen=True)
class PushRules:
    step_up: int = 50_000
    step_down: int = 10_000
    depth_fall: int = 250_000
    depth_rise: int = 10_000
    min_delay: int = 3_000
    max_age: int = 10_800
    depth_min: int = 250_000

    def tuple(self) -> tuple[int, ...]:
        return tuple(self.__dict__.values())


CLOCKS = (50_000, 50_000, 250_000, 10_000, 86_400)


def quote(price: int, premium: int = 0) -> int:
    return price << 32 | premium + 2**31


@dataclass
class Signer:
    """Signs EIP-712 messages of one engine."""

    account: Any

    TYPES: ClassVar[dict[str, list[dict[str, str]]]] = {
        "Report": [
            {"name": "observed", "type": "uint256"},
            {"name": "assets", "type": "uint256[]"},
            {"name": "quotes", "type": "uint256[]"},
        ],
        "Push": [
            {"name": "inputs", "type": "bytes32"},
            {"name": "valid_until", "type": "uint256"},
            {"name": "lines", "type": "uint256[]"},
        ],
    }

    @property
    def address(self) -> str:
        return self.account.address

    def sign(
        self, engine: str, kind: str, message: dict[str, Any], chain: int | None = None
    ) -> tuple[int, int, int]:
        domain = {
            "name": "Plimsoll",
            "version": "1",
            "chainId": boa.env.evm.patch.chain_id if chain is None else chain,
            "verifyingContract": engine,
        }
        types = {kind: self.TYPES[kind]}
        signable = encode_typed_data(domain, types, message)
        signed = self.account.sign_message(signable)
        return signed.v, signed.r, signed.s


def pack_line(asset: int, severity: int, depth: int, nonce: int) -> int:
    """One asset's part of a push."""
    assert max(severity, depth) < 2**20
    assert min(severity, depth, nonce) >= 0
    assert nonce < 2**32
    return asset << 72 | severity << 52 | depth << 32 | nonce


def make_signers(count: int) -> list[Signer]:
    accounts = [Account.from_key((1000 + i).to_bytes(32, "big")) for i in range(count)]
    return sorted((Signer(a) for a in accounts), key=lambda s: int(s.address, 16))


@dataclass
class System:
    """The engine, its settings and the keys."""

    engine: Any
    settings: Any
    owner: str
    guardian: str
    signers: list[Signer]
    rules: PriceRules = field(default_factory=PriceRules)
    push_rules: PushRules = field(default_factory=PushRules)

    home: int = START

    def settle(self) -> System:
        """Remember now as the time `at_home` returns to: block time is common to all systems."""
        self.home = self.time
        return self

    def at_home(self) -> None:
        self.at(self.home)

    # --- time ------------------------------------------------------------------------------------

    @property
    def time(self) -> int:
        return boa.env.evm.patch.timestamp

    def at(self, timestamp: int) -> None:
        boa.env.evm.patch.timestamp = timestamp

    def wait(self, seconds: int) -> None:
        self.at(self.time + seconds)

    @property
    def grid(self) -> int:
        """The latest time on the grid."""
        return self.time - self.time % self.rules.period

    # --- keeper ----------------------------------------------------------------------------------

    def report(
        self,
        prices: dict[int, int | Sequence[int]],
        observed: int | None = None,
        premium: int = 0,
        signers: Iterable[Signer] | None = None,
    ) -> Any:
        """Prices by asset, one for all signers or one each; the quotes that were accepted."""
        return self.send(*self.sign_report(prices, observed, premium, signers))

    def sign_report(
        self,
        prices: dict[int, int | Sequence[int]],
        observed: int | None = None,
        premium: int = 0,
        signers: Iterable[Signer] | None = None,
    ) -> tuple[int, list[int], list[int], list[tuple[int, int, int]]]:
        observed = self.grid if observed is None else observed
        chosen = list(self.signers if signers is None else signers)
        assets = list(prices)
        flat: list[int] = []
        signatures = []
        for i, signer in enumerate(chosen):
            row = []
            for asset in assets:
                p = prices[asset]
                row.append(quote(p if isinstance(p, int) else p[i], premium))
            message = {"observed": observed, "assets": assets, "quotes": row}
            signatures.append(signer.sign(self.engine.address, "Report", message))
            flat += row
        return observed, assets, flat, signatures

    def send(self, *args: Any) -> list[int]:
        self.engine.report(*args)
        (log,) = [e for e in self.engine.get_logs() if type(e).__name__ == "Reported"]
        for asset, accepted in zip(args[1], log.quotes, strict=True):
            assert accepted == 0 or accepted >> 128 == asset
        return [accepted & (2**128 - 1) for accepted in log.quotes]

    def push(
        self,
        lines: dict[int, tuple[int, int]],
        valid_until: int | None = None,
        signers: Iterable[Signer] | None = None,
        nonces: dict[int, int] | None = None,
    ) -> None:
        self.engine.push(*self.sign_push(lines, valid_until, signers, nonces))

    def sign_push(
        self,
        lines: dict[int, tuple[int, int]],
        valid_until: int | None = None,
        signers: Iterable[Signer] | None = None,
        nonces: dict[int, int] | None = None,
    ) -> tuple[bytes, int, list[int], list[tuple[int, int, int]]]:
        valid_until = self.time + 60 if valid_until is None else valid_until
        rows = [
            pack_line(a, s, d, nonces[a] if nonces else self.nonce(a))
            for a, (s, d) in lines.items()
        ]
        message = {"inputs": b"\x11" * 32, "valid_until": valid_until, "lines": rows}
        chosen = self.signers if signers is None else signers
        signatures = [s.sign(self.engine.address, "Push", message) for s in chosen]
        return b"\x11" * 32, valid_until, rows, signatures

    def nonce(self, asset: int) -> int:
        return self.settings.line_of(asset).pushed

    # --- governance ------------------------------------------------------------------------------

    def list(
        self,
        asset: int,
        config: Config | None = None,
        table: Sequence[tuple[int, ...]] = TABLE,
        severity: int = 0,
        depth: int = PPM,
        price: int | None = None,
    ) -> None:
        config = config or default_config(asset)
        with boa.env.prank(self.owner):
            self.settings.list_asset(asset, config.tuple(), table, severity, depth)
        if price is not None:
            self.report({asset: price})

    def as_owner(self) -> Any:
        return boa.env.prank(self.owner)

    def as_guardian(self) -> Any:
        return boa.env.prank(self.guardian)

    # --- reading ---------------------------------------------------------------------------------

    def state(self, asset: int) -> int:
        return self.engine.price_of(asset).state

    def assess(self, basis: int, cash: int = 0, floor: int = 0, legs=(), holdings=()) -> Any:
        return self.engine.assess(basis, cash, floor, list(legs), list(holdings))

    def word(self, table: int, index: int = 0) -> int:
        return self.engine.word_at(table, index)


def default_config(asset: int) -> Config:
    if asset < 32:
        return Config()
    return replace(Config(), maker_fee=0, taker_fee=0, min_size=0)


def deploy(
    signers: int = 3,
    quorum: int = 2,
    rules: PriceRules | None = None,
    push_rules: PushRules | None = None,
    clocks: tuple[int, ...] = CLOCKS,
) -> System:
    rules = rules or PriceRules()
    push_rules = push_rules or PushRules()
    boa.env.evm.patch.timestamp = START
    owner = boa.env.generate_address("owner")
    guardian = boa.env.generate_address("guardian")
    keys = make_signers(signers)
    with boa.env.prank(owner):
        settings = load("contracts/RiskSettings.vy").deploy()
        engine = load("contracts/RiskEngine.vy").deploy(guardian, settings.address, clocks)
        settings.bind(
            engine.address, rules.tuple(), push_rules.tuple(), [s.address for s in keys], quorum
        )
    return System(engine, settings, owner, guardian, keys, rules, push_rules)


_LOADED: dict[str, Any] = {}


def load(path: str) -> Any:
    """Compile once a process."""
    if path not in _LOADED:
        _LOADED[path] = boa.load_partial(path)
    return _LOADED[path]
