"""Gas of every operation a user, keeper or liquidator pays for: `make bench`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ape
import click
from ape.logging import LogLevel, logger
from rich.progress import track
from rich.table import Table

from scripts.support.anvil import connected, running_anvil
from scripts.support.bench_world import UNIT, WAD, BenchWorld
from scripts.support.compilation import refresh
from scripts.support.deployed import CONTRACTS
from scripts.support.terminal import console, in_one_sentence

GOALS = {
    "deposit": 55_000,
    "withdraw/1": 95_000,
    "withdraw/16": 300_000,
    "fill/existing": 150_000,
    "fill/existing-partial": 150_000,
    "fill/new": 200_000,
    "fill/per-market": 14_000,
    "fill/per-market-worst": 32_000,
    "liquidation/1": 150_000,
    "liquidation/16": 400_000,
    "deleveraging/10": 120_000,
    "deleveraging/200": 120_000,
    "deleveraging/per-market": 16_000,
    "resolution/1": 220_000,
    "resolution/16": 900_000,
    "takeover/1": 300_000,
    "takeover/16": 700_000,
    "price-reports/8": 160_000,
    "severity/8": 120_000,
}
BEGIN = 1_800_000_000  # [s] time of the first block
WHALE = 2_000_000_000  # [USD]
DAY = 90_000  # [s] after which nothing remembers that a market settled
FRESH = 600  # [s] between two reports, less than a price may be old


STEPS = (
    "keepers",
    "users",
    "worst",
    "liquidations",
    "deleveragings",
    "resolutions",
    "take_overs",
)


class Bench:
    """Measures one operation after the other on one chain."""

    def __init__(self) -> None:
        self.gas: dict[str, int] = {}
        self.w = BenchWorld()
        self.longs = self.w.open(WHALE)
        self.shorts = self.w.open(WHALE)

    def keepers(self) -> None:
        """Severity and depth on the move in every market, reports of eight markets."""
        w = self.w
        for m in range(w.markets):  # open interest above the soft cap: scaling is awake
            w.fill(self.longs, self.shorts, m, 1_000 * WAD)
        for severity in (110_000, 120_000):
            self.wait(3_600)
            receipts = [w.push(severity, 900_000, range(i, i + 8)) for i in (0, 8)]
        self.gas["severity/8"] = receipts[1].gas_used
        w.report()
        self.gas["price-reports/8"] = w.report()[1].gas_used

    def users(self) -> None:
        w = self.w
        maker, taker = w.open(1_000_000), w.open(1_000_000)
        self.gas["deposit"] = w.d.clearinghouse.deposit(
            maker, 1_000 * UNIT, sender=w.sender(maker)
        ).gas_used
        self.gas["fill/new"] = w.fill(maker, taker, 0, WAD).gas_used
        self.gas["fill/existing"] = w.fill(maker, taker, 0, WAD).gas_used
        self.gas["fill/reduce"] = w.fill(maker, taker, 0, -WAD).gas_used
        order, signature = w.order(maker, 0, 3 * WAD)
        for _ in range(2):
            receipt = w.d.gateway.fill(order, signature, WAD, taker, sender=w.sender(taker))
        self.gas["fill/existing-partial"] = receipt.gas_used
        self.withdraw("withdraw/1", maker)
        for m in range(1, w.markets):
            w.fill(maker, self.shorts, m, WAD)
        w.report()
        self.withdraw("withdraw/16", maker)
        self.gas["fill/16-held"] = w.fill(maker, taker, 0, WAD).gas_used
        base = self.gas["fill/existing"]
        self.gas["fill/per-market"] = (self.gas["fill/16-held"] - base) // (w.markets - 1)
        self.gas["fill/match"] = self.match(maker, taker)

    def match(self, maker: int, taker: int) -> int:
        w = self.w
        first, first_signature = w.order(maker, 0, -WAD)
        second, second_signature = w.order(taker, 0, WAD)
        return w.d.gateway.match(
            first, second, first_signature, second_signature, WAD, sender=w.keeper
        ).gas_used

    def worst(self) -> None:
        """Positions in the eighth bracket."""
        w = self.w
        big, small = w.open(100_000_000), w.open(1_000_000)
        w.fill(big, self.shorts, 0, 2_000 * WAD)
        w.fill(big, small, 0, WAD)
        one = w.fill(big, small, 0, WAD).gas_used
        for m in range(1, w.markets):
            w.fill(big, self.shorts, m, 2_000 * WAD)
        w.report()
        many = w.fill(big, small, 0, WAD).gas_used
        self.gas["fill/per-market-worst"] = (many - one) // (w.markets - 1)

    def liquidations(self) -> None:
        w = self.w
        taker = w.open(1_000_000)
        w.fill(taker, self.shorts, 0, WAD)
        for count in (1, 16):
            account = w.open(100_000)
            for m in range(count):
                w.fill(account, self.shorts, m, 4 * WAD)
            self.leave(account)
            before = dict(w.prices)
            self.fall_to(account, lambda equity, mm: equity < mm)
            equity, mm = w.healthy(account)
            if not 3 * equity >= 2 * mm:
                raise click.ClickException("The liquidation benchmark fell through its band.")
            w.d.liquidator.poke(account, sender=w.keeper)
            terms = w.d.liquidator.terms(account, 0)
            receipt = w.d.liquidator.take(
                account, 0, terms.most, taker, 2**255, sender=w.sender(taker)
            )
            self.gas[f"liquidation/{count}"] = receipt.gas_used
            self.recover(before)

    def deleveragings(self) -> None:
        """A bankrupt long of n markets against 10 and 200 shorts.

        The first cut of a side and its first charge each fill an empty slot; that is shown apart.
        """
        self.gas["deleveraging/first"] = self.resolve_bankrupt(range(10, 11))
        for markets in (range(8, 10), range(4), range(4, 5)):
            self.resolve_bankrupt(markets)
        self.wait(DAY)
        for shorts in (10, 200):
            self.gas[f"deleveraging/{shorts}"] = self.deleverage(shorts, shorts % 16, 10 * WAD)
        self.gas["deleveraging/aftermath"] = self.deleverage(10, 9, 200 * WAD)
        many = self.resolve_bankrupt(range(4))
        one = self.resolve_bankrupt(range(4, 5))
        self.gas["deleveraging/per-market"] = (many - one) // 3

    def resolutions(self) -> None:
        """Bankrupt accounts of one market and of sixteen, charged; every side was cut before.

        Somebody else is in every market, as always but on a market's last day: else each resolution
        would end both epochs.
        """
        stayer = self.w.open(1_000_000)
        for m in range(16):
            self.w.fill(stayer, self.shorts, m, WAD)
        for _ in range(2):
            self.wait(DAY)
            for count in (1, 16):
                self.gas[f"resolution/{count}"] = self.resolve_bankrupt(range(count))

    def take_overs(self) -> None:
        """The vault takes books over; its rings are new, then have positions."""
        self.w.fill_rings()
        for _ in range(2):
            self.wait(DAY)
            for count in (1, 16):
                self.gas[f"takeover/{count}"] = self.take_over(count)

    def take_over(self, count: int) -> int:
        w = self.w
        account = w.open(1_000_000)
        for m in range(count):
            w.fill(account, self.shorts, m, 4 * WAD)
        self.leave(account)
        before = dict(w.prices)
        self.fall_to(account, lambda equity, mm: 3 * equity < 2 * mm)
        if w.healthy(account)[0] < 0:
            raise click.ClickException("The take-over benchmark fell through its band.")
        receipt = w.d.liquidator.resolve(account, sender=w.keeper)
        if not all(log.taken for log in receipt.decode_logs(w.d.liquidator.LegResolved)):
            raise click.ClickException("The vault did not take the book.")
        self.recover(before)
        return int(receipt.gas_used)

    def deleverage(self, count: int, market: int, size: int) -> int:
        """An account of that size against so many others, all of whose positions are checked."""
        w = self.w
        owners = [w.open(500_000) for _ in range(count)]
        account = w.open(1_000_000)
        for i, owner in enumerate(owners):
            if i % 100 == 0:
                w.report()  # opening took a while
            w.fill(account, owner, market, size // count)
        before = {o: w.d.lens.position(o, market) for o in owners}
        gas = self.bankrupt(account)
        side = w.d.lens.market(market).short
        for owner in owners:
            self.check_cut(before[owner], w.d.lens.position(owner, market), side)
        return gas

    @staticmethod
    def check_cut(before: Any, after: Any, side: Any) -> None:
        """Nobody was touched, yet each is cut by the index."""
        ray = 10**27
        size = before.scaled * side.scale // ray
        base = abs(before.scaled) * side.credit // ray - before.z - 2 * 10**10
        if (after.scaled, after.z, after.size, after.base) != (before.scaled, before.z, size, base):
            raise click.ClickException("A deleveraged position differs from its side's index.")

    def resolve_bankrupt(self, markets: range) -> int:
        account = self.w.open(1_000_000)
        for m in markets:
            self.w.fill(account, self.shorts, m, 4 * WAD)
        return self.bankrupt(account)

    def bankrupt(self, account: int) -> int:
        self.leave(account)
        before = dict(self.w.prices)
        self.fall_to(account, lambda equity, mm: equity < 0)
        gas = self.w.d.liquidator.resolve(account, sender=self.w.keeper).gas_used
        self.recover(before)
        return int(gas)

    # --- helpers ------------------------------------------------------------------------------

    def wait(self, seconds: int) -> None:
        """Prices stay fresh meanwhile: after a gap each would carry an episode for a day."""
        end = ape.chain.pending_timestamp + seconds
        while ape.chain.pending_timestamp < end:
            ape.chain.mine(1, timestamp=ape.chain.pending_timestamp + FRESH)
            self.w.report()

    def withdraw(self, key: str, account: int) -> None:
        self.gas[key] = self.w.d.clearinghouse.withdraw(
            account, 100 * UNIT, self.w.keys[account].address, sender=self.w.sender(account)
        ).gas_used

    def leave(self, account: int) -> None:
        """Withdraw until little more than initial margin is left."""
        w = self.w
        spare = w.d.lens.account_summary(account).withdrawable * 999 // 1000
        w.d.clearinghouse.withdraw(
            account, spare // 10**12, w.keys[account].address, sender=w.sender(account)
        )

    def fall_to(self, account: int, reached: Callable[[int, int], bool]) -> None:
        """Every mark falls by a percent a report until the account is there."""
        for _ in range(200):
            if reached(*self.w.healthy(account)):
                return
            self.w.report({m: p * 99 // 100 for m, p in self.w.prices.items()})
        raise click.ClickException("The account did not fall.")

    def recover(self, before: dict[int, int]) -> None:
        """Marks climb back, in steps that no market settles for."""
        w = self.w
        while w.prices != before:
            w.report({m: min(p * 103 // 100, before[m]) for m, p in w.prices.items()})

    def run(self, names: tuple[str, ...] = STEPS) -> dict[str, int]:
        for name in track(names, description="Measuring"):
            getattr(self, name)()
        return self.gas


def show(gas: dict[str, int]) -> Table:
    table = Table("operation", "gas", "goal", "", title="Gas, whole transactions")
    for key, used in sorted(gas.items()):
        goal = GOALS.get(key)
        verdict = "" if goal is None else ("ok" if used <= goal else f"+{used - goal:,}")
        table.add_row(key, f"{used:,}", f"{goal:,}" if goal else "", verdict)
    return table


def markdown(gas: dict[str, int]) -> str:
    rows = [f"| {k} | {v:,} | {GOALS.get(k, 0):,} |" for k, v in sorted(gas.items())]
    return "\n".join(["| operation | gas | goal |", "|---|---|---|", *rows]) + "\n"


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("build/bench"))
@click.option("--only", type=click.Choice(STEPS), multiple=True, help="These steps; else all.")
@in_one_sentence
def cli(out: Path, only: tuple[str, ...]) -> None:
    """Measure the gas of every operation on a local node and write build/bench/gas.json."""
    logger.set_level(LogLevel.ERROR)
    refresh(CONTRACTS.values())
    with running_anvil(BEGIN) as client, connected(client):
        # A second a block, whatever the machine does: the figures repeat to the gas.
        client.request("anvil_setBlockTimestampInterval", 1)
        bench = Bench()
        try:
            gas = bench.run(only or STEPS)
        finally:
            console.print(show(bench.gas))
    out.mkdir(parents=True, exist_ok=True)
    (out / "gas.json").write_text(json.dumps(gas, indent=2, sort_keys=True) + "\n")
    (out / "gas.md").write_text(markdown(gas))
