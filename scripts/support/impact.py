"""How many live accounts a change would call or make liquidatable, tried on a copy of the chain.

Both states are taken under the same circumstances: the timelock's delay is over, the last prices
are as if just reported, severity and depth have arrived where the keeper last pushed them, tables
have ramped in, there is no grace. What differs is the change alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from oracle.chain import Call as Question
from oracle.chain import ChainError, Function, Reverted
from scripts.support.deployed import Deployment
from scripts.support.errors import ScriptError
from scripts.support.events import live_accounts
from scripts.support.fork import Fork, forked, node_url
from scripts.support.plan import Call

STATES: Final = ("healthy", "called", "liquidatable", "backstop", "bankrupt")
PAGE: Final = 50  # accounts a question
ASSETS: Final = 40
# `engine_tables`
CLOCK, PRICES, CONFIGS, LINES = 0, 1, 4, 7


class ImpactError(ScriptError):
    """The batch would fail, or its effect cannot be found. One sentence."""


@dataclass(frozen=True)
class Impact:
    """State of every live account before and after, by account id."""

    before: Mapping[int, int]
    after: Mapping[int, int]
    mm_before: int  # [USD wad] of all accounts
    mm_after: int

    @property
    def counts(self) -> list[tuple[str, int, int]]:
        """State, accounts in it before, after."""
        old, new = Counter(self.before.values()), Counter(self.after.values())
        return [(name, old[i], new[i]) for i, name in enumerate(STATES)]

    @property
    def worse(self) -> list[int]:
        """Accounts that are worse off, the worst first."""
        found = [a for a in self.after if self.after[a] > self.before[a]]
        return sorted(found, key=lambda a: (-self.after[a], a))

    def count_newly(self, state: int) -> int:
        """Accounts that would be in that state or a worse one, and are not now."""
        return sum(1 for a in self.after if self.before[a] < state <= self.after[a])


def find_impact(deployment: Deployment, calls: Sequence[Call]) -> Impact:
    """On a copy of the connected chain; nothing is signed."""
    accounts = live_accounts(deployment)
    with forked(node_url()) as fork:
        return Trial(deployment, fork).run(accounts, calls)


class Trial:
    """The change, executed on the copy."""

    def __init__(self, deployment: Deployment, fork: Fork) -> None:
        self.deployment = deployment
        self.at = deployment.addresses
        self.fork = fork
        fork.lend_key(self.at["timelock"], self.at["settings"])

    def run(self, accounts: Sequence[int], calls: Sequence[Call]) -> Impact:
        request = self.fork.client.request
        request("evm_increaseTime", int(self.deployment.timelock.get_minimum_delay()))
        request("evm_mine")
        start = request("evm_snapshot")
        self.level()
        before = self.health(accounts)
        request("evm_revert", start)
        self.refresh_prices()
        self.execute(calls)
        self.level()
        after = self.health(accounts)
        return Impact(
            before={account: health[2] for account, health in before.items()},
            after={account: health[2] for account, health in after.items()},
            mm_before=sum(health[1] for health in before.values()),
            mm_after=sum(health[1] for health in after.values()),
        )

    def execute(self, calls: Sequence[Call]) -> None:
        for number, call in enumerate(calls, 1):
            try:
                self.fork.send_as(self.at["timelock"], call.target, call.payload)
            except Reverted as error:
                raise ImpactError(
                    f"The batch would fail: call {number}, {call.contract}.{call.function}, is"
                    f" refused with {error.reason!r}."
                ) from None

    def health(self, accounts: Sequence[int]) -> dict[int, tuple[int, int, int]]:
        """Equity, MM and state of each."""
        pages = [accounts[i : i + PAGE] for i in range(0, len(accounts), PAGE)]
        function = self.function("lens", "health")
        questions = [Question(self.at["lens"], function, (list(page),)) for page in pages]
        answers = self.fork.client.call_many(questions)
        for answer in answers:
            if isinstance(answer, ChainError):
                raise ImpactError(f"The state of the accounts cannot be read: {answer}")
        rows = [row for answer in answers for row in answer]
        return dict(zip(accounts, rows, strict=True))

    # --- level ground ------------------------------------------------------------------------

    def level(self) -> None:
        """Prices fresh, clocks arrived, ramps over, no grace."""
        clock = self.words(CLOCK, [0])[0]
        self.store(CLOCK, 0, clock & ~(2**32 - 1 << 160))  # grace_until
        listed, now = self.listed(), self.now()
        for asset, line in zip(listed, self.words(LINES, listed), strict=True):
            self.store(LINES, asset, arrived(line, now))
        self.refresh_prices()

    def refresh_prices(self) -> None:
        listed, now = self.listed(), self.now()
        funding = self.fundings(listed)
        for asset, price in zip(listed, self.words(PRICES, listed), strict=True):
            if price:
                self.store(PRICES, asset, fresh(price, now, funding[asset]))

    def listed(self) -> list[int]:
        configs = self.words(CONFIGS, range(ASSETS))
        return [asset for asset, config in enumerate(configs) if config]

    def now(self) -> int:
        """Effective time [s]."""
        engine = self.at["engine"]
        return int(self.fork.client.call(engine, self.function("engine", "clock"))[0])

    def fundings(self, assets: Sequence[int]) -> dict[int, int]:
        function = self.function("engine", "price_of")
        questions = [Question(self.at["engine"], function, (asset,)) for asset in assets]
        answers = self.fork.client.call_many(questions)
        return {asset: answer[3] for asset, answer in zip(assets, answers, strict=True)}

    def words(self, table: int, indices: Sequence[int] | range) -> list[int]:
        function = self.function("engine", "word_at")
        questions = [Question(self.at["engine"], function, (table, i)) for i in indices]
        return [int(answer) for answer in self.fork.client.call_many(questions)]

    def store(self, table: int, index: int, word: int) -> None:
        data = self.function("engine", "store").encode(table, index, word)
        self.fork.send_as(self.at["settings"], self.at["engine"], "0x" + data.hex())

    def function(self, contract: str, name: str) -> Function:
        return Function.from_abi(abi_entry(self.deployment, contract, name))


def abi_entry(deployment: Deployment, contract: str, name: str) -> dict[str, Any]:
    methods = getattr(deployment, contract).contract_type.methods
    return dict(next(each for each in methods if each.name == name).model_dump())


def arrived(line: int, now: int) -> int:
    """A load line whose clocks stand where they go, and whose table has ramped in (`load_line`)."""
    severity, depth = line >> 236, line >> 176 & 2**20 - 1
    kept = line & 2**72 - 1  # caps and ages; the ramp began at 0
    word = severity << 236 | severity << 216 | severity << 196
    return word | depth << 176 | depth << 156 | depth << 136 | now << 104 | kept


def fresh(price: int, now: int, funding: int) -> int:
    """A price word observed now, of which only reduce-only flags are kept (`price_words`)."""
    kept = price >> 166 << 166 | price & (2**24 - 1 << 48) | price & 0b10100
    return kept | (funding & 2**94 - 1) << 72 | now << 16
