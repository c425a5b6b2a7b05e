"""Deployment on Anvil: ownership, a second run, a run that broke off, bad input."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import ape
import pytest
from click.testing import CliRunner, Result

from scripts import deploy as script
from scripts.support import deployment as deploying
from scripts.support.config import Config, ConfigError, load_config
from scripts.support.deployed import OWNED, Deployment, DeploymentError, path_of
from scripts.support.deployment import deploy, step_count
from scripts.support.dev_keys import MNEMONICS, dev_address
from scripts.support.fork import free_port, node_url
from scripts.support.journal import Journal, journal_path_of
from scripts.support.stage import dev_key
from scripts.support.verification import verify

ROOT = Path(__file__).parents[2]
LOCAL = ROOT / "scripts/config/local.toml"
EXAMPLE = ROOT / "scripts/config/production.example.toml"
ROLES = ("PROPOSER_ROLE", "EXECUTOR_ROLE", "CANCELLER_ROLE", "DEFAULT_ADMIN_ROLE")
CHAIN = 31_337


@pytest.fixture(scope="module")
def deployment(local_config: Config) -> Deployment:
    return deploy(local_config, ape.accounts.test_accounts[0])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*options: str, config: Path = LOCAL, network: str | None = None) -> Result:
    arguments = ["--config", str(config), "--network", network or node_url(), *options]
    return CliRunner().invoke(script.cli, arguments)


def complaint(result: Result) -> str:
    """What a failed command says: one line, an exit code, no traceback."""
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    (line,) = [each for each in result.output.splitlines() if each.startswith("Error: ")]
    return line.removeprefix("Error: ")


def edited(folder: Path, old: str, new: str, source: Path = LOCAL) -> Path:
    text = source.read_text()
    assert old in text
    path = folder / "edited.toml"
    path.write_text(text.replace(old, new, 1))
    return path


# --- what is there afterwards ----------------------------------------------------------------


def test_deploy__afterwards__everything_belongs_to_the_timelock(deployment: Deployment) -> None:
    timelock = deployment.addresses["timelock"]
    for name in ("engine", "custody", "clearinghouse", "liquidator"):
        assert getattr(deployment, name).owner() == timelock


def test_deploy__afterwards__deployer_has_no_role(deployment: Deployment, deployer: Any) -> None:
    """GOV-6."""
    timelock = deployment.timelock
    for role in ROLES:
        assert not timelock.hasRole(getattr(timelock, role)(), deployer)
    assert deployment.engine.guardian() != deployer.address
    for call in (
        lambda: deployment.engine.set_guardian(deployer, sender=deployer),
        lambda: deployment.settings.set_liquidator(deployer, sender=deployer),
        lambda: deployment.custody.set_outflow(255, 0, 3_600, sender=deployer),
        lambda: deployment.clearinghouse.set_interest_rate(0, sender=deployer),
    ):
        with ape.reverts("not owner"):
            call()


def test_deploy__steps__as_many_as_the_bar_says(local_config: Config, deployer: Any) -> None:
    steps: list[str] = []
    deploy(local_config, deployer, on_step=steps.append)
    assert len(steps) == step_count(local_config)
    assert len(set(steps)) == len(steps)


def test_deploy__file__loads_as_it_was(deployment: Deployment, folder: Path) -> None:
    deployment.save()
    assert Deployment.load() == deployment


def test_verify__something_else_than_configured__names_all(
    deployment: Deployment, local_config: Config
) -> None:
    roles = local_config.roles.model_copy(update={"guardian": dev_address(9)})
    other = local_config.model_copy(update={"roles": roles, "interest_rate": 1})
    with pytest.raises(DeploymentError, match=r"the guardian; .*interest"):
        verify(deployment, other)


# --- a second run ----------------------------------------------------------------------------


def test_deploy__twice__refused(folder: Path) -> None:
    first = run()
    assert first.exit_code == 0, first.output
    before = path_of(CHAIN).read_text()
    nonce = ape.accounts.test_accounts[0].nonce
    assert "already deployed" in complaint(run())
    assert ape.accounts.test_accounts[0].nonce == nonce
    assert path_of(CHAIN).read_text() == before
    assert not journal_path_of(CHAIN).exists()


def test_deploy__file_of_a_local_chain_that_is_gone__does_not_count(
    deployment: Deployment, folder: Path
) -> None:
    path = deployment.save()
    values = json.loads(path.read_text())
    values["addresses"] = dict.fromkeys(values["addresses"], "0x" + "77" * 20)
    path.write_text(json.dumps(values))
    assert run().exit_code == 0


def test_deploy__something_else_in_the_way__refused(folder: Path) -> None:
    path_of(CHAIN).parent.mkdir(parents=True)
    path_of(CHAIN).write_text('{"hello": 1}')
    assert "is not a deployment" in complaint(run())
    path_of(CHAIN).write_text("{")
    assert "cannot be read" in complaint(run())


# --- a run that broke off --------------------------------------------------------------------


@pytest.mark.parametrize(
    "at", ["deploy engine", "bind settings to engine", "set_ledger", "list_asset ETH", "hand_over"]
)
def test_deploy__broken_off_before_a_step__continued(
    at: str, local_config: Config, deployer: Any, folder: Path
) -> None:
    def stop(step: str) -> None:
        if step.startswith(at):
            raise KeyboardInterrupt

    nonce = deployer.nonce
    with pytest.raises(KeyboardInterrupt):
        deploy(local_config, deployer, Journal(journal_path_of(CHAIN)), stop)
    done = Journal(journal_path_of(CHAIN)).count
    assert deployer.nonce - nonce == done
    deploy(local_config, deployer, Journal(journal_path_of(CHAIN)))
    assert deployer.nonce - nonce == step_count(local_config), "nothing was done twice"


@pytest.mark.parametrize("at", ["deploy custody", "list_token WETH", "list_asset BTC"])
def test_deploy__broken_off_after_sending__the_effect_is_found(
    at: str, local_config: Config, deployer: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transaction is mined, the journal does not know."""
    journal = Journal(journal_path_of(CHAIN))
    note = journal.note

    def forget(step: str, **values: Any) -> None:
        if step == at and values.get("done"):
            raise KeyboardInterrupt
        note(step, **values)

    nonce = deployer.nonce
    monkeypatch.setattr(journal, "note", forget)
    with pytest.raises(KeyboardInterrupt):
        deploy(local_config, deployer, journal)
    deploy(local_config, deployer, Journal(journal_path_of(CHAIN)))
    assert deployer.nonce - nonce == step_count(local_config), "nothing was done twice"


def test_deploy__broken_off__the_command_says_so_and_continues(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_over = deploying.Deployer.hand_over

    def fail(self: Any) -> None:
        raise DeploymentError("The node is gone.")

    monkeypatch.setattr(deploying.Deployer, "hand_over", fail)
    steps = step_count(load_config(LOCAL))
    done = steps - len(OWNED)
    assert f"{done} of {steps} steps are done and kept" in complaint(run())
    assert not path_of(CHAIN).exists()
    monkeypatch.setattr(deploying.Deployer, "hand_over", hand_over)
    result = run()
    assert result.exit_code == 0, result.output
    assert f"{done} steps are done" in result.output
    assert path_of(CHAIN).exists()
    assert not journal_path_of(CHAIN).exists()


def test_deploy__broken_off__another_configuration_is_refused(
    local_config: Config, deployer: Any, folder: Path
) -> None:
    journal = Journal(journal_path_of(CHAIN))
    monkey = local_config.model_copy(update={"interest_rate": 7})

    def stop(step: str) -> None:
        if step == "deploy custody":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deploy(local_config, deployer, journal, stop)
    before = journal_path_of(CHAIN).read_text()
    with pytest.raises(DeploymentError, match="another configuration is half finished"):
        deploy(monkey, deployer, Journal(journal_path_of(CHAIN)))
    other = ape.accounts.test_accounts[7]
    with pytest.raises(DeploymentError, match="another deployer is half finished"):
        deploy(local_config, other, Journal(journal_path_of(CHAIN)))
    assert journal_path_of(CHAIN).read_text() == before


def test_deploy__broken_off_on_a_chain_that_was_reset__refused(
    local_config: Config, deployer: Any, folder: Path
) -> None:
    def stop(step: str) -> None:
        if step == "deploy custody":
            raise KeyboardInterrupt

    snapshot = ape.chain.snapshot()
    with pytest.raises(KeyboardInterrupt):
        deploy(local_config, deployer, Journal(journal_path_of(CHAIN)), stop)
    ape.chain.restore(snapshot)
    with pytest.raises(DeploymentError, match="the chain was reset"):
        deploy(local_config, deployer, Journal(journal_path_of(CHAIN)))


def test_deploy__step_reverts__reason_in_the_sentence(
    local_config: Config, deployer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def list_twice(self: Any) -> None:
        self.list_asset(self.config.markets[0], 0)
        self.call("again", None, self.instances["settings"].list_asset, *self.first())

    def first(self: Any) -> tuple[Any, ...]:
        market = self.config.markets[0]
        return 0, market.config.tuple(), market.rows, 0, 10**6

    monkeypatch.setattr(deploying.Deployer, "first", first, raising=False)
    monkeypatch.setattr(deploying.Deployer, "list_assets", list_twice)
    with pytest.raises(DeploymentError, match="The step 'again' failed: listed"):
        deploy(local_config, deployer)


# --- bad input -------------------------------------------------------------------------------


def test_deploy__configuration_of_another_chain__refused(folder: Path) -> None:
    assert "is for chain 1, but this is chain 31337" in complaint(run(config=EXAMPLE))


def test_load__deployment_of_another_chain__refused(deployment: Deployment, folder: Path) -> None:
    path = deployment.save()
    path.write_text(path.read_text().replace('"chain_id": 31337', '"chain_id": 1'))
    with pytest.raises(DeploymentError, match="on chain 1, but this is chain 31337"):
        Deployment.load(path)


def test_load__code_is_not_there__refused(deployment: Deployment, folder: Path) -> None:
    path = deployment.save()
    path.write_text(path.read_text().replace(deployment.addresses["lens"], "0x" + "77" * 20))
    with pytest.raises(DeploymentError, match=r"lens .* is not on this chain"):
        Deployment.load()


def test_load__no_file__says_what_to_do(folder: Path) -> None:
    with pytest.raises(DeploymentError, match="ape run deploy"):
        Deployment.load()


def test_deploy__no_file__one_sentence(folder: Path) -> None:
    assert complaint(run(config=Path("nowhere.toml"))) == "There is no file nowhere.toml."
    assert "cannot be read" in complaint(run(config=folder))


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("chain_id = 31337", "chain_id = 'x'", "chain_id"),
        ("chain_id = 31337", "chain_id = ", "malformed"),
        ('guardian = "dev:1"', 'guardian = "0x12"', "roles.guardian"),
        ('guardian = "dev:1"', 'gardian = "dev:1"', "roles"),
        ("quorum = 2", "quorum = 1", "two thirds"),
        ("period = 60", "period = 501", "price_rules: out of bounds"),
        ("[490_000, 78_250,", "[490_000, 8_250,", "markets.0: bad schedule"),
        ("[490_000, 78_250,", "[490_000,", "markets.0.brackets.0: a bracket has five numbers"),
        ("[490_000,", "[490_001_001,", "markets.0"),
        ("max_move = 75_000", "max_move = 78_000", "exceed the first calm IM rate"),
        ("soft_cap = 50_000_000", "soft_cap = 100_000_001", "markets.0.config"),
        ("discount_max = 400_000", "discount_max = 566_666", "two thirds"),
        ('symbol = "ETH"', 'symbol = "BTC"', "same symbol"),
    ],
)
def test_load_config__bad_value__file_and_place_named(
    old: str, new: str, where: str, tmp_path: Path
) -> None:
    path = edited(tmp_path, old, new)
    with pytest.raises(ConfigError) as error:
        load_config(path)
    assert str(error.value).startswith(str(path))
    assert where in str(error.value)
    assert "\n" not in str(error.value)


def test_load_config__example__is_valid() -> None:
    assert load_config(EXAMPLE).chain_id == 1


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("0x1111111111111111111111111111111111111111", "dev:1", "well-known development account"),
        ("0x3333333333333333333333333333333333333333", "dev:9", "well-known development account"),
        ("0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "mock", "mock tokens"),
        ("timelock_delay = 172_800", "timelock_delay = 172_799", "48 hours"),
    ],
)
def test_load_config__local_things_off_the_local_chain__refused(
    old: str, new: str, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=reason):
        load_config(edited(tmp_path, old, new, EXAMPLE))


def test_deploy__well_known_deployer_off_the_local_chain__refused(
    deployer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploying, "chain_id", lambda: 1)
    with pytest.raises(DeploymentError, match="well-known development account"):
        deploy(load_config(EXAMPLE), deployer)


def test_deploy__deployer_with_a_role__refused(local_config: Config) -> None:
    with pytest.raises(DeploymentError, match="must not have a role"):
        deploy(local_config, ape.accounts.test_accounts[1])


def test_deploy__no_contract_where_one_must_be__refused(folder: Path) -> None:
    path = edited(folder, 'token = "mock"', f'token = "{dev_address(9)}"')
    assert "the settlement token" in complaint(run(config=path))


def test_deploy__unknown_account__one_sentence(folder: Path) -> None:
    assert "no account 'nobody'" in complaint(run("--account", "nobody"))
    assert "dev:77" in complaint(run("--account", "dev:77"))


def test_deploy__no_node_answers__one_sentence(folder: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert complaint(run(network=url)).startswith(f"Cannot connect to {url}")


def test_deploy__no_such_network__one_sentence(folder: Path) -> None:
    assert complaint(run(network="ethereum:atlantis")).startswith("Cannot connect")


def wait_for_server(port: int) -> None:
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the server does not start")


def test_deploy__port_taken_by_something_else__one_sentence(folder: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_server(port)
        assert "Cannot connect" in complaint(run(network=f"http://127.0.0.1:{port}"))
    finally:
        server.kill()


def test_deploy__anvil_missing__one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert "anvil is not on PATH" in complaint(run(network="ethereum:local:foundry"))


def test_deploy__our_own_fault__kept_in_a_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "deploy", lambda *arguments: 1 // 0)
    assert "build/error.log" in complaint(run())
    assert "ZeroDivisionError" in (folder / "build/error.log").read_text()


def test_deploy__output__no_private_key(folder: Path) -> None:
    """THREATS 19."""
    result = run()
    files = "".join(path.read_text() for path in folder.rglob("*.json"))
    for index in range(10):
        key = dev_key(dev_address(index)).key.hex().removeprefix("0x")
        assert key not in result.output + files
    assert MNEMONICS[0] not in result.output + files


def test_deploy__as_a_command__works_and_fails_without_a_traceback(tmp_path: Path) -> None:
    """The one test through `ape run` itself."""
    ape_command = shutil.which("ape", path=str(Path(sys.executable).parent)) or "ape"

    def command(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ape_command, "run", "deploy", *options],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=os.environ,
            check=False,
            timeout=300,
        )

    failed = command("--config", str(tmp_path / "nowhere.toml"))
    assert failed.returncode == 1
    assert failed.stderr.strip().endswith("nowhere.toml.")
    assert "Traceback" not in failed.stdout + failed.stderr
