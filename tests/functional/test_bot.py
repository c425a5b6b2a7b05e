"""The liquidation bot on Anvil: a take, a resolution, restarts and a reorg in between."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import ape
import pytest
from click.testing import CliRunner, Result
from eth_account import Account

from oracle.bot.main import PASSPHRASE, main
from oracle.bot.protocol import short_id
from scripts.support.config import Config
from scripts.support.deployed import Deployment
from scripts.support.dev_keys import dev_address
from scripts.support.fork import node_url
from scripts.support.stage import Stage, dev_key

ROOT = Path(__file__).parents[2]
LONG, SHORT, BOT = 6, 7, 8  # accounts of the mnemonic
BTC = 10**18
LIQUIDATABLE, BANKRUPT = 2, 4
PHRASE = "for tests"


@pytest.fixture(scope="module")
def keystore(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "bot.json"
    key = dev_key(dev_address(BOT)).key
    path.write_text(json.dumps(Account.encrypt(key, PHRASE, iterations=2)))
    return path


class Scene:
    """A long that can be made short of margin, and the bot's files."""

    def __init__(self, stage: Stage, keystore: Path, folder: Path) -> None:
        self.stage = stage
        self.d: Deployment = stage.d
        self.file = self.d.save(folder)
        self.keystore = keystore
        self.journal = folder / "bot.sqlite"
        self.long = stage.open(LONG, 5_000)
        self.own = stage.open(BOT, 100_000)
        stage.trade(self.long, stage.open(SHORT, 100_000), "BTC", BTC)

    @property
    def arguments(self) -> list[str]:
        """Of the command line."""
        needed = ["--rpc", node_url(), "--deployment", self.file, "--keystore", self.keystore]
        return [*map(str, needed), "--journal", str(self.journal)]

    def run(self, *options: str) -> Result:
        """One round of a bot that was just started."""
        arguments = [*self.arguments, "--once", *options]
        result = CliRunner().invoke(main, arguments, env={PASSPHRASE: PHRASE})
        assert result.exit_code == 0, result.output
        return result

    def fall(self, price: int) -> None:
        """To a price that is confirmed."""
        for _ in range(4):
            self.stage.report({"BTC": price})

    def fall_to(self, price: int, state: int) -> None:
        """While no bot runs."""
        self.fall(price)
        assert self.d.liquidator.state(self.long) == state

    def size(self, account: int) -> int:
        return int(self.d.lens.position(account, self.d.markets["BTC"]).size)

    def actions(self) -> list[tuple[str, str]]:
        """Step and state of all that was sent."""
        with sqlite3.connect(self.journal) as journal:
            return list(journal.execute("select step, state from actions order by id"))


@pytest.fixture
def scene(local_config: Config, keystore: Path, tmp_path: Path) -> Scene:
    return Scene(Stage(local_config), keystore, tmp_path)


def test_bot__from_the_first_dip_to_the_end(scene: Scene) -> None:
    assert scene.run().stdout == ""
    assert scene.actions() == []
    border = scene.d.lens.liquidation_price(scene.long, scene.d.markets["BTC"])[1] // 10**18
    scene.fall_to(border - 50, LIQUIDATABLE)

    would = scene.run("--dry-run").stdout
    assert would.startswith(f"would take account={short_id(scene.long)} item=0 size=")
    assert scene.actions() == []
    assert scene.size(scene.own) == 0

    scene.run()
    taken = scene.size(scene.own)
    assert 0 < taken < BTC
    assert scene.size(scene.long) == BTC - taken
    assert scene.actions() == [("take", "open")]
    scene.run()
    assert scene.actions() == [("take", "done")]

    scene.fall_to(border - 2_500, BANKRUPT)
    scene.run()
    assert scene.size(scene.long) == 0
    scene.run()
    assert scene.actions() == [("take", "done"), ("resolve", "done")]


def test_bot__reorg__takes_again_what_was_lost(scene: Scene) -> None:
    border = scene.d.lens.liquidation_price(scene.long, scene.d.markets["BTC"])[1] // 10**18
    scene.fall_to(border - 50, LIQUIDATABLE)
    before = ape.chain.snapshot()
    scene.run()
    scene.run()
    assert scene.actions() == [("take", "done")]
    taken = scene.size(scene.own)
    ape.chain.restore(before)
    ape.chain.mine(3)  # blocks of another history
    assert scene.size(scene.own) == 0
    scene.run()  # what was done is open again, and unknown to the node
    assert scene.actions() == [("take", "open")]
    with sqlite3.connect(scene.journal) as journal:
        journal.execute("update actions set sent = sent - 100")  # [s] later
    scene.run()
    assert scene.size(scene.own) == taken


def test_bot__as_a_process__works_until_it_is_stopped(scene: Scene) -> None:
    border = scene.d.lens.liquidation_price(scene.long, scene.d.markets["BTC"])[1] // 10**18
    command = [sys.executable, "-m", "oracle.bot", *scene.arguments, "--interval", "0.2"]
    env = {**os.environ, PASSPHRASE: PHRASE}
    with subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True) as bot:
        assert bot.stderr is not None
        guard = threading.Timer(300, bot.kill)  # [s] it hangs
        guard.start()
        try:
            assert "event=start" in bot.stderr.readline()
            scene.fall(border - 50)
            lines = [bot.stderr.readline()]
            while "event=mined step=take" not in lines[-1]:
                assert lines[-1], lines
                lines.append(bot.stderr.readline())
        finally:
            bot.terminate()
            rest = bot.stderr.read()
            guard.cancel()
    assert bot.returncode == 0
    assert rest.endswith("event=stop\n")
    assert "Traceback" not in "".join([*lines, rest])
    assert scene.size(scene.own) > 0
    assert scene.actions()[0] == ("take", "done")
