"""A keeper on a deployment of its own: sources that say what a test tells them, a log to read."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from oracle.chain import Client, Function
from oracle.daemon import service
from oracle.daemon.config import KeeperConfig
from oracle.daemon.journal import Journal
from oracle.daemon.keeper import Keeper
from oracle.daemon.keys import dev_key
from oracle.daemon.logs import make_log
from oracle.daemon.outbox import Payload
from oracle.daemon.signer import LocalSigner
from oracle.daemon.sources import Ballot, SourceError, Sources, recorded
from oracle.risk import Ask
from scripts.support.anvil import connected, running_anvil
from scripts.support.config import load_config
from scripts.support.deployed import Deployment
from scripts.support.deployment import deploy

__all__ = ["Said", "Scene", "SourceError", "Stand", "deployed_scene"]
ROOT = Path(__file__).parents[2]
CHAIN = 31_337
WAD = 10**18
HOUR = 3_600
START = 1_900_000_800  # [s] chain time of the first round; a full hour
BORN = START - 7_200
SIGNERS = (3, 4, 5)
SENDER = 9
BTC, ETH, WETH = 0, 1, 32
BUMP_AFTER, DEADLINE = 60, 180  # [s]
PATIENCE = 60.0  # [s] with a node that mines
LINE_OF = Function("line_of(uint256)", (f"({','.join(['uint256'] * 7)})",))
PRICE_OF = Function("price_of(uint256)", ("(uint256,uint256,uint256,int256,int256)",))


@dataclass
class Said:
    """Prices and numbers as a test wants them; an exception or nonsense may be one of them."""

    prices: dict[str, Any] = field(
        default_factory=lambda: {"BTC": 20_000 * WAD, "ETH": 2_000 * WAD}
    )
    severity: dict[str, Any] = field(default_factory=lambda: {"BTC": 100_000, "ETH": 30_000})
    depth: dict[str, Any] = field(default_factory=lambda: {"BTC": 10**6, "ETH": 10**6})
    need: int = 50_000
    drift: int = 1  # [wad] a price moves by this with each second, so that it is not frozen

    def latest(self, market: str, time: int) -> int:
        price = self.prices[market]
        if isinstance(price, Exception):
            raise price
        return price + (time - START) * self.drift if type(price) is int else price

    def ask(self, market: str, time: int) -> Ask:
        severity = self.severity[market]
        if isinstance(severity, Exception):
            raise severity
        digest = bytes([len(market)]) * 32
        return Ask(time - time % HOUR, self.need, severity, self.depth[market], digest)

    def premium(self, market: str, time: int) -> int:
        return 0

    @property
    def sources(self) -> Sources:
        return Sources(self, self, self)


@dataclass
class Scene:
    """A chain with the protocol on it."""

    client: Client
    file: Path
    deployment: Deployment

    # --- the chain -------------------------------------------------------------------------------

    @contextmanager
    def fresh(self) -> Iterator[Scene]:
        """Whatever is done inside is undone. The chain's clock stands still but for `at`, however
        long a test takes."""
        snapshot = self.client.request("evm_snapshot")
        self.client.request("anvil_setNextBlockBaseFeePerGas", "0x0")
        self.client.request("anvil_setBlockTimestampInterval", 0)
        try:
            yield self
        finally:
            self.client.request("anvil_dropAllTransactions")  # else they are mined after it
            self.client.request("evm_revert", snapshot)
            self.client.request("evm_setAutomine", True)
            self.client.request("anvil_removeBlockTimestampInterval")

    def at(self, time: int) -> None:
        """A block of this time."""
        self.client.request("evm_mine", {"timestamp": time})

    def mined(self) -> None:
        """Once the node has mined what it was sent: it answers before it does."""
        end = monotonic() + PATIENCE
        while int(self.client.request("txpool_status")["pending"], 16):
            assert monotonic() < end, "what was sent is not mined"
            sleep(0.005)

    def hold(self) -> None:
        """From now on transactions wait in the pool."""
        self.client.request("evm_setAutomine", False)

    def line(self, asset: int) -> tuple[int, ...]:
        """Severity, depth, pushed, and what applies now."""
        return tuple(self.client.call(self.deployment.addresses["settings"], LINE_OF, asset))

    def price(self, asset: int) -> tuple[int, ...]:
        return tuple(self.client.call(self.deployment.addresses["engine"], PRICE_OF, asset))

    def sent_by(self, address: str) -> int:
        """Transactions that were mined."""
        return self.client.nonces(address)[0]

    # --- a keeper --------------------------------------------------------------------------------

    def config(self, folder: Path, *urls: str, **sections: Any) -> KeeperConfig:
        values: dict[str, Any] = {
            "deployment": self.file,
            "nodes": list(urls or [self.client.url]),
            "state": folder,
            "markets": {"BTC": "BTC", "ETH": "ETH", "WETH": "ETH"},
            "sources": {"factory": "tests:none"},
            "signers": [{"keystore": "none"}],
            "timing": {"rpc_timeout": 30, **sections.pop("timing", {})},
            "sending": {
                "confirmations": 1,
                "bump_after": BUMP_AFTER,
                "deadline": DEADLINE,
                **sections.pop("sending", {}),
            },
            **sections,
        }
        return KeeperConfig.model_validate(values)

    def keeper(
        self,
        folder: Path,
        *urls: str,
        said: Said | list[Said] | None = None,
        signers: tuple[int, ...] = SIGNERS,
        sender: int = SENDER,
        dry_run: Callable[[Payload], None] | None = None,
        arrow: Callable[[str], None] = lambda name: None,
        journal: Journal | None = None,
        clock: Any = None,
        **sections: Any,
    ) -> Stand:
        """One that was just started. For what it sent no time passes but by `Stand.later`."""
        stream = io.StringIO()
        config = self.config(folder, *urls, **sections)
        parts = service.open_parts(config, make_log(stream, "debug"))
        said = said or Said()
        tellers = said if isinstance(said, list) else [said] * len(signers)
        local: list[Any] = [
            LocalSigner(
                dev_key(index, CHAIN),
                parts.domain,
                teller.sources,
                parts.markets,
                parts.view,
                config.signing.rules,
                Ballot(teller.sources.voted, parts.market_infos, teller.sources.reread),
            )
            for index, teller in zip(signers, tellers, strict=True)
        ]
        keeper = service.make_keeper(
            parts,
            local,
            dev_key(sender, CHAIN),
            dry_run=dry_run,
            arrow=arrow,
            clock=clock,
            journal=journal,
        )
        now = keeper.journal.now()
        keeper.journal._now = lambda: now
        return Stand(self, keeper, parts, stream)


@dataclass
class Stand:
    """A keeper and its log."""

    scene: Scene
    keeper: Keeper
    parts: service.Parts
    stream: io.StringIO

    @property
    def journal(self) -> Journal:
        return self.keeper.journal

    def rounds(self, patience: int = 40) -> int:
        """Until there is nothing to do, and what was sent is mined; how many sent something."""
        count = 0
        while patience:
            if self.keeper.round():
                count += 1
            elif self.is_settled():
                break
            else:
                patience -= 1
            self.scene.mined()
        return count

    def later(self, seconds: float) -> None:
        """As if a little longer had passed at the keeper's host."""
        wall, ticks = self.journal.now(), self.keeper.monotonic
        self.journal._now = lambda: wall + seconds + 1
        self.keeper.monotonic = lambda: ticks() + seconds + 1

    def is_settled(self) -> bool:
        """Whether nothing waits to be mined or to be seen mined."""
        flights = self.journal.flights(2**62)
        return not flights and self.keeper.journal.unconfirmed() == 0

    def at(self, time: int) -> int:
        """A block of this time, then rounds."""
        self.scene.at(time)
        return self.rounds()

    def events(self) -> list[dict[str, Any]]:
        """What was logged."""
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def alarms(self) -> list[str]:
        """Codes, in order."""
        return [event["alarm"] for event in self.events() if "alarm" in event]

    def steps(self, kind: str) -> list[str]:
        """Of the journal."""
        return [e["step"] for e in self.journal.entries() if e["kind"] == kind]


@dataclass
class Following(Said):
    """Says what must be covered; what severity does it follows from the rates in force.

    Attributes:
        files: what a calibration's file has by now, by market.
    """

    files: dict[str, Any] = field(default_factory=dict)
    made_with: list[Any] = field(default_factory=list)

    def ask(self, market: str, time: int, basis: Any = None) -> Ask:
        self.made_with.append(basis.estimator)
        return super().ask(market, time).solved(basis.in_force)

    @property
    def sources(self) -> Sources:
        return Sources(self, self, self, recorded("2020-03-12"), lambda: self.files)


def live_sources(_markets: Any, _options: Any) -> Sources:
    """For a keeper in another process: `tests.support.keeper_stage:live_sources`."""
    return Said(drift=0).sources


@dataclass
class Troubled(Said):
    """On a machine in trouble, as long as the file `trouble` says which."""

    trouble: Path = Path("trouble")

    def latest(self, market: str, time: int) -> int:
        while (what := self.trouble.read_text()) == "stalled":
            sleep(0.05)
        if what == "out of memory":
            bytearray(1 << 40)
        return super().latest(market, time)


def troubled_sources(_markets: Any, options: Any) -> Sources:
    """For a keeper in another process: `tests.support.keeper_stage:troubled_sources`."""
    return Troubled(drift=0, trouble=Path(options["file"])).sources


@contextmanager
def deployed_scene(folder: Path, born: int = BORN) -> Iterator[Scene]:
    """An Anvil of its own with everything deployed; Ape is connected elsewhere afterwards."""
    config = load_config(ROOT / "scripts/config/local.toml")
    # Reverted tests count: with fewer states kept, a reorg fails after many of them.
    with running_anvil(born, history=2_000) as client:
        with connected(client):
            import ape

            deployment = deploy(config, ape.accounts.test_accounts[0])
        yield Scene(client, deployment.save(folder), deployment)
