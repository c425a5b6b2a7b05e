"""What the benchmark measures: 16 markets, all guards on, open-interest scaling awake."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import ape
from eth_account import Account
from eth_account.signers.local import LocalAccount

from oracle.signing import Domain, Line, Order, Push, Report, account_id, pack_quote, sign
from scripts.support.config import Config
from scripts.support.deployment import Deployment, Journal, deploy

WAD = 10**18
UNIT = 10**6
PPM = 10**6
CROSS = 1
RING = 1_000_000  # [USD] of each market's ring, empty until `fill_rings`
SIGNERS = [Account.from_key((0x5107 + i).to_bytes(32, "big")) for i in range(3)]
# Bound [USD]; IM calm, storm, MM calm, storm [ppm]. Eight brackets: the last is measured too.
BRACKETS = [
    [10_000, 50_000, 200_000, 40_000, 160_000],
    [20_000, 55_000, 210_000, 44_000, 168_000],
    [50_000, 60_000, 220_000, 48_000, 176_000],
    [100_000, 65_000, 230_000, 52_000, 184_000],
    [200_000, 70_000, 240_000, 56_000, 192_000],
    [500_000, 75_000, 250_000, 60_000, 200_000],
    [1_000_000, 80_000, 260_000, 64_000, 208_000],
    [900_000_000, 90_000, 280_000, 72_000, 224_000],
]


def bench_config(markets: int) -> Config:
    """Three signers, all of whom must sign; prices without reference feeds."""
    asset = {
        "band": 50_000,
        "max_move": 40_000,
        "max_deviation": 20_000,
        "funding_cap": 3_000,
        "price_max_age": 900,
        "open_max_age": 600,
        "maker_fee": 200,
        "taker_fee": 500,
        "min_size": "0.001",
        "soft_cap": 1_000_000,
        "hard_cap": 900_000_000,
    }
    return Config.model_validate(
        {
            "chain_id": 31_337,
            "settlement": {"token": "mock", "outflow_cap": 1_000_000_000},
            "roles": {
                "guardian": "dev:1",
                "proposers": ["dev:2"],
                "executors": ["dev:2"],
                "timelock_delay": 600,
            },
            "oracle": {"signers": [s.address for s in SIGNERS], "quorum": 3},
            "price_rules": {
                "period": 60,
                "max_spread": 5_000,
                "confirm_delay": 120,
                "grace": 600,
                "settle_window": 600,
            },
            "push_rules": {
                "step_up": 50_000,
                "step_down": 10_000,
                "depth_fall": 250_000,
                "depth_rise": 10_000,
                "min_delay": 3_000,
                "max_age": 10_800,
                "depth_min": 250_000,
            },
            "clocks": {
                "severity_up": 50_000,
                "severity_down": 50_000,
                "depth_down": 250_000,
                "depth_up": 10_000,
                "ramp": 86_400,
            },
            "liquidation": {
                "duration": 600,
                "tail": 600,
                "discount_min": 50_000,
                "discount_max": 400_000,
                "insurance_fee": 100_000,
                "min_deficit": 100,
                "reward": "0.05",
            },
            "interest_rate": 50_000,
            "collateral_multiple": 1_000_000,
            "markets": [
                {
                    "symbol": f"M{i}",
                    "asset": i,
                    "config": asset,
                    "brackets": BRACKETS,
                    "severity": 100_000,
                    "bucket_cap": 1_000_000,
                    "ring": RING,
                }
                for i in range(markets)
            ],
        }
    )


@dataclass
class BenchWorld:
    """A live deployment with its keys and its people."""

    markets: int = 16
    prices: dict[int, int] = field(default_factory=dict)
    keys: dict[int, LocalAccount] = field(default_factory=dict)
    salt: int = 0

    def __post_init__(self) -> None:
        deployer = ape.accounts.test_accounts[0]
        self.d: Deployment = deploy(bench_config(self.markets), deployer, Journal())
        self.provider = ape.chain.provider
        self.prices = {m: (2_000 + m) * WAD for m in range(self.markets)}
        self.report()

    # --- keeper -------------------------------------------------------------------------------

    def at_next_period(self) -> int:
        """Advance to the next time on the grid."""
        now = ape.chain.pending_timestamp
        observed = now - now % 60 + 60
        ape.chain.mine(1, timestamp=observed)
        return observed

    def report(self, prices: dict[int, int] | None = None) -> list[Any]:
        """Reports of at most eight markets each; their receipts."""
        self.prices |= prices or {}
        observed = self.at_next_period()
        return [
            self._report(observed, chunk)
            for chunk in (range(i, min(i + 8, self.markets)) for i in range(0, self.markets, 8))
        ]

    def _report(self, observed: int, assets: range) -> Any:
        rows = [
            [pack_quote(self.prices[a] + j * 10**12, 100 + j) for a in assets]
            for j in range(len(SIGNERS))
        ]
        signed = sorted(
            (
                int(s.address, 16),
                row,
                sign(Report(observed, tuple(assets), tuple(row)), self.engine, s),
            )
            for s, row in zip(SIGNERS, rows, strict=True)
        )
        flat = [quote for _, row, _ in signed for quote in row]
        signatures = [(x.v, x.r, x.s) for _, _, x in signed]
        return self.d.engine.report(observed, list(assets), flat, signatures, sender=self.keeper)

    def push(self, severity: int, depth: int, assets: range) -> Any:
        inputs, until = b"\x11" * 32, ape.chain.pending_timestamp + 300
        lines = tuple(
            Line(a, severity, depth, int(self.d.settings.line_of(a).pushed)) for a in assets
        )
        signed = sorted(
            (int(s.address, 16), sign(Push(inputs, until, lines), self.engine, s)) for s in SIGNERS
        )
        return self.d.engine.push(
            inputs,
            until,
            [x.packed for x in lines],
            [(x.v, x.r, x.s) for _, x in signed],
            sender=self.keeper,
        )

    @property
    def engine(self) -> Domain:
        return Domain(ape.chain.chain_id, self.d.engine.address)

    @property
    def keeper(self) -> Any:
        return ape.accounts.test_accounts[6]

    # --- people -------------------------------------------------------------------------------

    def open(self, usd: int, sub: int = 0, owner: LocalAccount | None = None) -> int:
        """A CROSS account with that much cash, of a new owner who holds a few tokens besides."""
        key = owner or Account.from_key((0xACC0_0000 + len(self.keys) + 1).to_bytes(32, "big"))
        account = account_id(key.address, sub)
        self.keys[account] = key
        self.provider.set_balance(key.address, 10**24)
        sender = self.sender(account)
        self.d.settlement.mint(key.address, (usd + 1_000_000) * UNIT, sender=sender)
        self.d.settlement.approve(self.d.clearinghouse, 2**256 - 1, sender=sender)
        self.d.clearinghouse.open_account(sub, CROSS, 1, sender=sender)
        self.d.clearinghouse.deposit(account, usd * UNIT, sender=sender)
        return account

    def fill_rings(self) -> None:
        """The backstop vault gets its capital."""
        usd = RING * self.markets
        self.d.settlement.mint(self.keeper, usd * UNIT, sender=self.keeper)
        self.d.settlement.approve(self.d.vault, 2**256 - 1, sender=self.keeper)
        self.d.vault.give(usd * UNIT, sender=self.keeper)
        for market in range(self.markets):
            self.d.vault.fill_ring(market, sender=self.keeper)

    def sender(self, account: int) -> Any:
        return ape.accounts[self.keys[account].address]

    def order(self, account: int, market: int, size: int) -> tuple[tuple[Any, ...], bytes]:
        """A signed order at the mark."""
        self.salt += 1
        mark = int(self.d.engine.quote(market).mark)
        order = Order(account, market, size, mark, 1_000, 2**40, self.salt)
        domain = Domain(ape.chain.chain_id, self.d.gateway.address)
        values = tuple(getattr(order, name) for name in order.__dataclass_fields__)
        return values, sign(order, domain, self.keys[account]).packed

    def fill(self, maker: int, taker: int, market: int, size: int) -> Any:
        """The maker's position changes by size, in a fresh order taken whole."""
        order, signature = self.order(maker, market, size)
        return self.d.gateway.fill(order, signature, abs(size), taker, sender=self.sender(taker))

    def healthy(self, account: int) -> tuple[int, int]:
        """E and MM."""
        book = self.d.clearinghouse.book(account)
        margin = self.d.engine.assess(2, book.cash, book.floor, book.legs, book.holdings)
        return int(margin.equity), int(margin.requirement)
