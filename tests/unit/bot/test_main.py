"""The command line: one sentence and an exit code, and no key anywhere."""

import json
import sqlite3

import pytest
from click.testing import CliRunner
from eth_account import Account
from eth_utils.crypto import keccak

from oracle.bot import main as cli
from oracle.bot.errors import BotError
from oracle.bot.journal import Journal
from oracle.bot.logs import line
from oracle.bot.protocol import Deployment, short_id
from oracle.chain import ChainError
from tests.unit.bot.fake_chain import (
    CUSTODY,
    ENGINE,
    KEY,
    LEDGER,
    LENS,
    LIQUIDATOR,
    TRADER,
    VAULT,
    bot_of,
    sinking,
)

PHRASE = "a phrase nobody guesses"
VALUES = {
    "chain_id": 31_337,
    "block": 1,
    "addresses": {
        "engine": ENGINE,
        "clearinghouse": LEDGER,
        "liquidator": LIQUIDATOR,
        "lens": LENS,
        "custody": CUSTODY,
        "vault": VAULT,
    },
    "markets": {"BTC": 0, "ETH": 1},
    "tokens": {},
}


@pytest.fixture(scope="module")
def keystore(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "key.json"
    path.write_text(json.dumps(Account.encrypt(KEY.key, PHRASE, iterations=2)))
    return path


@pytest.fixture
def chain():
    return sinking()


@pytest.fixture
def run(chain, keystore, tmp_path, monkeypatch):
    """The command with its files; `values` are the deployment's."""

    def run(*options, values=VALUES, phrase=PHRASE, key=keystore):
        monkeypatch.setattr(cli, "Client", lambda url: chain)
        monkeypatch.setattr(cli, "FOLDER", tmp_path / "bot")
        deployment = tmp_path / "31337.json"
        deployment.write_text(values if isinstance(values, str) else json.dumps(values))
        needed = ["--rpc", "http://fake", "--deployment", deployment, "--keystore", key]
        env = {cli.PASSPHRASE: phrase}
        return CliRunner().invoke(cli.main, [*map(str, needed), *options], env=env)

    return run


def error_of(result):
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert result.output.startswith("Error: ")
    return result.output[7:-1]


def test_once(run, chain):
    result = run("--once")
    assert result.exit_code == 0
    assert [name for name, _ in chain.sent] == ["take"]


def test_dry_run__prints_sends_nothing_and_needs_no_passphrase(run, chain, tmp_path):
    result = run("--once", "--dry-run", phrase=None)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"would take account={short_id(TRADER)} item=0 ")
    assert chain.sent == []
    assert not (tmp_path / "bot").exists()


def test_no_key_and_no_passphrase_is_shown(run, caplog, tmp_path):
    caplog.set_level("DEBUG")
    results = [run("--once", "--verbose"), run("--once", phrase="another phrase")]
    shown = "".join(result.output for result in results) + caplog.text
    shown += (tmp_path / "bot" / f"31337-{KEY.address}.sqlite").read_bytes().decode("latin-1")
    assert KEY.key.hex() not in shown
    assert PHRASE not in shown
    assert "another phrase" not in shown
    assert KEY.key.hex() not in repr(bot_of(sinking()))


def test_another_chain(run, chain):
    result = run("--once", values={**VALUES, "chain_id": 5})
    assert error_of(result) == "The deployment is on chain 5, the node on chain 31337."


def test_another_code_on_this_chain(run):
    hashes = {"engine": "0x" + keccak(b"\x01").hex()}
    sentence = error_of(run("--once", values={**VALUES, "code_hashes": hashes}))
    assert sentence == f"The contract of the deployment at {ENGINE} is not on this chain."


@pytest.mark.parametrize("values", ["{}", "[]", json.dumps({**VALUES, "addresses": {}}), "{"])
def test_no_deployment(run, values):
    assert "is no deployment: " in error_of(run("--once", values=values))


def test_wrong_passphrase_and_no_keystore(run, tmp_path):
    assert error_of(run(phrase="x")).endswith("key.json is not opened by that passphrase.")
    missing = tmp_path / "none.json"
    assert error_of(run("--dry-run", key=missing)).endswith(
        "cannot be read: No such file or directory."
    )
    missing.write_text("{}")
    assert error_of(run("--dry-run", key=missing)).endswith("is no keystore with an address.")
    assert "set PLIMSOLL_BOT_PASSPHRASE" in error_of(run(phrase=None))


def test_the_node_does_not_answer(run, chain):
    chain.error = ChainError("No node answers at http://fake.")
    assert error_of(run("--once")) == "No node answers at http://fake."


def test_the_journal_cannot_be_written(run, monkeypatch):
    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Journal, "advance", full)
    assert error_of(run("--once")) == "The journal cannot be written: database or disk is full."


def test_no_price_to_count_gas_by(run, chain):
    without = {**VALUES, "markets": {"BTC": 0}}
    assert "give --native-usd" in error_of(run("--once", values=without))
    assert run("--once", "--native-usd", "2000", values=without).exit_code == 0


@pytest.mark.parametrize("amount", ["-1", "many", "nan"])
def test_no_amount(run, amount):
    result = run("--min-profit", amount)
    assert result.exit_code == 2
    assert "is no amount of dollars" in result.output


def test_help_is_enough():
    text = CliRunner().invoke(cli.main, ["--help"]).output
    for word in ("--rpc", "--deployment", "--keystore", "--dry-run", "--once", cli.PASSPHRASE):
        assert word in text


# --- the loop -----------------------------------------------------------------------------------


class Stop(Exception):
    pass


def test_loop__waits_longer_while_the_node_is_away(chain, caplog):
    caplog.set_level("INFO", "plimsoll.bot")
    bot = bot_of(chain)
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        chain.error = ChainError("No node answers.") if len(slept) in (1, 2, 3) else None
        if len(slept) == 6:
            raise Stop

    with pytest.raises(Stop):
        bot.run(4.0, sleep)
    assert slept == [4.0, 4.0, 8.0, 16.0, 4.0, 4.0]
    assert 'event=chain error="No node answers."' in caplog.text
    assert [name for name, _ in chain.sent] == ["take"]


# --- words --------------------------------------------------------------------------------------


def test_a_line_can_be_read_back():
    text = line("sent", {"a": 1, "b": 'two "words"', "c": ""})
    assert text == 'event=sent a=1 b="two \\"words\\"" c=""'


def test_deployment_of_the_deploy_script(tmp_path):
    path = tmp_path / "d.json"
    path.write_text(json.dumps(VALUES))
    assert Deployment.load(path).assets == {"BTC": 0, "ETH": 1}
    with pytest.raises(BotError, match=r"cannot be read"):
        Deployment.load(tmp_path / "none")
