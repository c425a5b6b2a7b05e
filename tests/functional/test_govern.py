"""Changes through the timelock on Anvil: what is shown, what is refused, what happens."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ape
import pytest
from click.testing import CliRunner, Result

from scripts import govern as script
from scripts.support import proposal as proposals
from scripts.support.config import Config
from scripts.support.deployed import Deployment
from scripts.support.fork import node_url
from scripts.support.impact import STATES, Impact, find_impact
from scripts.support.plan import Call
from scripts.support.stage import Stage

DELAY = 600  # [s] of the local configuration
DAY = 86_400
LONGS, SHORTS = 6, 7  # accounts of the mnemonic
BTC = 10**18
# What an account holds and has: at 20,000 USD a bitcoin and the tier table of the configuration.
BOOKS = [(1, 9_000), (2, 9_000), (2, 7_000), (2, 4_000), (3, 9_000), (5, 9_000)]
STEEPER = """bound, im_calm, im_storm, mm_calm, mm_storm
490000, 250000, 656879, 150000, 260869
980000, 260000, 732558, 160000, 336548
11000000, 400000, 1000000, 200000, 800000
"""


@pytest.fixture(scope="module")
def built(local_config: Config) -> Stage:
    """Six pairs of long and short accounts, more and less leveraged."""
    stage = Stage(local_config)
    for sub, (size, usd) in enumerate(BOOKS):
        long, short = stage.open(LONGS, usd, sub), stage.open(SHORTS, 50_000, sub)
        stage.trade(long, short, "BTC", size * BTC)
    return stage


@pytest.fixture
def stage(built: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """In an empty working directory; the chain is put back afterwards."""
    monkeypatch.chdir(tmp_path)
    built.d.save()
    return built


def run(command: str, *options: str) -> Result:
    return CliRunner().invoke(script.cli, [command, *options, "--network", node_url()])


def done(command: str, *options: str) -> str:
    result = run(command, *options)
    assert result.exit_code == 0, result.output
    return result.output


def complaint(command: str, *options: str) -> str:
    result = run(command, *options)
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.output
    (line,) = [each for each in result.output.splitlines() if each.startswith("Error: ")]
    return line.removeprefix("Error: ")


def propose(*options: str) -> str:
    """The proposal's name; its effect is not tried, which takes a second."""
    output = done("propose", "--no-impact", *options)
    return output.split("ape run govern queue ")[1].split()[0]


def wait(seconds: int = DELAY) -> None:
    ape.chain.mine(1, timestamp=ape.chain.pending_timestamp + seconds)


def steeper(folder: Path) -> str:
    path = folder / "steeper.csv"
    path.write_text(STEEPER)
    return f"BTC={path}"


def states_on_chain(stage: Stage, accounts: list[int]) -> dict[str, int]:
    counts = Counter(each.state for each in stage.d.lens.health(accounts))
    return {name: counts[i] for i, name in enumerate(STATES)}


# --- end to end ------------------------------------------------------------------------------


def test_govern__tier_change__accounts_end_up_as_predicted(stage: Stage, tmp_path: Path) -> None:
    """The numbers shown before anything is signed are those of the chain after the ramp."""
    output = done("propose", "--tiers", steeper(tmp_path))
    assert "BTC bracket 0" in output
    (name,) = (each.name for each in proposals.known(stage.d))
    proposal = proposals.load(name, stage.d)
    predicted = find_impact(stage.d, proposal.calls)
    assert predicted.count_newly(1) == 5
    assert predicted.count_newly(2) == 3
    assert "Newly called or worse: 5, of which newly liquidatable: 3." in output
    own = 3  # the vault's: two rings and the bidder
    assert len(predicted.after) == 2 * len(BOOKS) + own

    before = states_on_chain(stage, list(predicted.before))
    assert before == {state: old for state, old, _ in predicted.counts}
    done("queue", name, "--no-impact")
    wait()
    stage.report()
    done("execute", name)
    assert states_on_chain(stage, list(predicted.before)) == before, "not in its own block"
    wait(DAY)
    stage.report()
    wait(DELAY + 60)  # the grace after a gap in prices
    stage.report()
    stage.d.engine.push(
        *stage.signed_push(ape.chain.pending_timestamp + 60), sender=ape.accounts.test_accounts[5]
    )
    settle_initial_margin(stage)
    after = states_on_chain(stage, list(predicted.after))
    assert after == {state: new for state, _, new in predicted.counts}


def settle_initial_margin(stage: Stage) -> None:
    """After a dead keeper's return IM falls over hours: push until it has."""
    for _ in range(20):
        wait(3_600)
        stage.report()
        until = ape.chain.pending_timestamp + 60
        stage.d.engine.push(*stage.signed_push(until), sender=ape.accounts.test_accounts[5])
    wait(660)
    stage.report()


def test_govern__parameters__shown_old_and_new_then_in_force(stage: Stage) -> None:
    name = propose(
        "--set",
        "price_rules.grace=900",
        "--set",
        "markets.ETH.config.maker_fee=100",
        "--set",
        "interest_rate=10000",
        "--set",
        "tokens.WETH.cap=5",
        "--set",
        "settlement.outflow_cap=1000000",
        "--set",
        "liquidation.tail=1200",
        "--set",
        "roles.timelock_delay=700",
    )
    shown = {(each.what, each.old, each.new) for each in proposals.load(name, stage.d).differences}
    assert shown == {
        ("price_rules grace", "600", "900"),
        ("ETH maker_fee", "200", "100"),
        ("interest_rate", "50,000", "10,000"),
        ("WETH cap", "100,000", "5"),
        ("settlement outflow_cap", "1,000,000,000", "1,000,000"),
        ("liquidation tail", "600", "1,200"),
        ("timelock_delay", "600", "700"),
    }
    assert stage.d.settings.price_rules().grace == 600, "nothing was signed"
    assert "15 live accounts" in done("queue", name)
    assert "waiting until" in done("status")
    wait()
    assert "ready" in done("status")
    assert "Executed" in done("execute", name)
    d = stage.d
    assert d.settings.price_rules().grace == 900
    assert d.settings.config_of(1).maker_fee == 100
    assert d.clearinghouse.interest().rate == 10**25 // (365 * DAY)
    assert d.custody.listed(0).cap == 5 * 10**18
    assert d.liquidator.parameters().tail == 1_200
    assert d.timelock.get_minimum_delay() == 700
    assert "executed" in done("status")


def test_govern__listing__the_new_market_is_in_the_file(stage: Stage, tmp_path: Path) -> None:
    change = tmp_path / "listing.toml"
    change.write_text(
        """
description = "SOL"
[markets.SOL]
asset = 5
brackets = [[100_000, 200_000, 600_000, 100_000, 400_000]]
[markets.SOL.config]
band = 50_000
max_move = 100_000
max_deviation = 20_000
price_max_age = 900
open_max_age = 300
min_size = "0.1"
"""
    )
    name = propose("--change", str(change))
    done("queue", name, "--no-impact")
    wait()
    done("execute", name)
    assert Deployment.load().markets["SOL"] == 5
    assert stage.d.settings.config_of(5).min_size == 10**17
    assert "already" in complaint("propose", "--change", str(change))


def test_govern__token_listing__its_contract_its_asset(
    stage: Stage, tmp_path: Path, deployer: Any, project: Any
) -> None:
    token = deployer.deploy(project.TokenMock, "Wrapped BTC", "WBTC", 8)
    change = tmp_path / "listing.toml"
    change.write_text(
        f"""
[tokens.WBTC]
address = "{token.address}"
cap = 1_000
outflow_cap = 10
outflow_window = 86_400
brackets = [[1_000_000, 150_000, 500_000, 100_000, 400_000]]
[tokens.WBTC.config]
band = 50_000
max_move = 100_000
max_deviation = 20_000
price_max_age = 900
open_max_age = 300
"""
    )
    name = propose("--change", str(change))
    done("queue", name, "--no-impact")
    wait()
    done("execute", name)
    deployment = Deployment.load()
    assert deployment.tokens["WBTC"] == 33
    assert deployment.collateral_addresses["WBTC"] == token.address
    assert stage.d.custody.token_at(1) == token.address
    assert stage.d.settings.config_of(33).band == 50_000


def test_govern__calls_of_any_kind__from_a_file(stage: Stage, tmp_path: Path) -> None:
    change = tmp_path / "change.json"
    call = {"contract": "engine", "function": "set_reduce_only", "arguments": [1, True]}
    change.write_text(json.dumps({"calls": [call]}))
    name = propose("--change", str(change))
    done("queue", name, "--no-impact")
    wait()
    done("execute", name)
    assert stage.d.engine.price_of(1).state & 4


# --- refused ---------------------------------------------------------------------------------


def test_execute__too_early__says_when(stage: Stage) -> None:
    name = propose("--set", "price_rules.grace=900")
    assert "not queued" in complaint("execute", name)
    done("queue", name, "--no-impact")
    assert "already queued" in complaint("queue", name)
    assert "delay is not over" in complaint("execute", name)
    wait()
    done("execute", name)
    assert "executed" in complaint("execute", name)
    assert "executed" in complaint("queue", name)
    assert "nothing to cancel" in complaint("cancel", name)


def test_govern__account_without_the_role__refused_before_signing(stage: Stage) -> None:
    name = propose("--set", "price_rules.grace=900")
    stranger = ape.accounts.test_accounts[9]
    nonce = stranger.nonce
    assert "PROPOSER_ROLE" in complaint("queue", name, "--account", "dev:9")
    done("queue", name, "--no-impact")
    assert "CANCELLER_ROLE" in complaint("cancel", name, "--account", "dev:9")
    wait()
    assert "EXECUTOR_ROLE" in complaint("execute", name, "--account", "dev:9")
    assert stranger.nonce == nonce


def test_cancel__queued__cannot_be_executed(stage: Stage) -> None:
    name = propose("--set", "price_rules.grace=900")
    done("queue", name, "--no-impact")
    done("cancel", name)
    wait()
    assert "cancelled" in done("status")
    assert "not queued" in complaint("execute", name)


def test_execute__while_paused__refused(stage: Stage) -> None:
    name = propose("--set", "price_rules.grace=900")
    done("queue", name, "--no-impact")
    wait()
    stage.d.engine.pause(sender=ape.accounts.test_accounts[1])
    assert "paused" in complaint("execute", name)


def test_status__queued_by_someone_else__shown_with_its_calls(stage: Stage) -> None:
    timelock, engine = stage.d.timelock, stage.d.engine
    payload = engine.set_guardian.encode_input(ape.accounts.test_accounts[9])
    operation = ([engine], [0], [payload], "0x" + "00" * 32, "0x" + "11" * 32)
    proposer = ape.accounts.test_accounts[2]
    timelock.schedule_batch(*operation, DELAY, sender=proposer)
    output = done("status")
    assert "no file" in output
    assert "engine.set_guardian" in output
    (identity,) = proposals.on_chain(stage.d)
    done("cancel", identity)
    assert "cancelled" in done("status")


def test_load__file_was_changed__refused(stage: Stage) -> None:
    name = propose("--set", "price_rules.grace=900")
    path = Path(f"build/governance/31337/{name}.json")
    values = json.loads(path.read_text())
    values["calls"][0]["target"] = stage.d.addresses["engine"]
    path.write_text(json.dumps(values))
    assert "was changed" in complaint("queue", name)


def test_load__proposal_of_another_deployment__refused(stage: Stage) -> None:
    name = propose("--set", "price_rules.grace=900")
    path = Path(f"build/governance/31337/{name}.json")
    path.write_text(path.read_text().replace(stage.d.addresses["timelock"], "0x" + "77" * 20))
    assert "no proposal" in complaint("queue", "ffffffff")
    assert "not to this deployment" in complaint("queue", str(path))


def test_calldata__prints_what_others_sign(stage: Stage) -> None:
    name = propose("--set", "price_rules.grace=900")
    output = done("queue", name, "--calldata", "--no-impact")
    data = output.split("data  ")[1].split()[0]
    signature, values = stage.d.timelock.decode_input(bytes.fromhex(data[2:]))
    assert signature.startswith("schedule_batch(")
    assert list(values["_targets"]) == [stage.d.addresses["settings"]]
    assert "not queued" in done("status")


def test_propose__batch_that_would_fail__refused_and_not_kept(stage: Stage) -> None:
    reason = complaint("propose", "--set", "markets.BTC.config.max_move=95000")
    assert reason == (
        "The batch would fail: call 1, settings.set_config, is refused with 'bad parameters'."
    )
    assert not list(proposals.known(stage.d))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ([], "nothing to propose"),
        (["--set", "x"], "is not of the form"),
        (["--set", "nothing.of.the=kind"], "nothing: Extra inputs"),
        (["--set", "price_rules.grace=7201"], "price_rules: out of bounds"),
        (["--set", "price_rules.grease=900"], "grease"),
        (["--set", "price_rules.grace=600"], "already as the change"),
        (["--set", "markets.BTC.config.taker_fee=x"], "BTC.config: taker_fee"),
        (["--set", "markets.DOGE.config.taker_fee=1"], "listing DOGE"),
        (["--change", "nowhere.toml"], "no file nowhere.toml"),
        (["--tiers", "BTC=nowhere.csv"], "no file nowhere.csv"),
        (["--set", "liquidation.discount_max=600000"], "two thirds"),
        (["--set", "interest_rate=2000000"], "call 1, clearinghouse.set_interest_rate"),
    ],
)
def test_propose__bad_input__one_sentence(stage: Stage, options: list[str], reason: str) -> None:
    assert reason in complaint("propose", *options)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (STEEPER.replace("160000", "16 %"), "row 3: a bracket is five whole numbers"),
        (STEEPER.replace(", 336548", ""), "row 3: a bracket is five whole numbers"),
        (STEEPER.replace("490000", "990000"), "bad schedule"),
        (STEEPER.replace("11000000", "11000001"), "not representable"),
        ("", "has no brackets"),
    ],
)
def test_propose__malformed_table__file_and_row_named(
    stage: Stage, tmp_path: Path, text: str, reason: str
) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    sentence = complaint("propose", "--tiers", f"BTC={path}")
    assert sentence.startswith(str(path))
    assert reason in sentence


def test_govern__no_deployment__says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "ape run deploy" in complaint("status")


def test_impact__of_nothing__changes_nothing(stage: Stage) -> None:
    """Both sides of the comparison stand on the same ground."""
    impact: Impact = find_impact(stage.d, [])
    assert impact.before == impact.after
    assert not impact.worse


def test_impact__leaves_the_chain_alone(stage: Stage) -> None:
    payload = "0x" + stage.d.engine.set_reduce_only.encode_input(0, True).hex()
    height, nonce = ape.chain.blocks.height, stage.d.engine.nonce
    find_impact(stage.d, [Call("engine", "set_reduce_only", stage.d.addresses["engine"], payload)])
    assert (ape.chain.blocks.height, stage.d.engine.nonce) == (height, nonce)
    assert stage.d.engine.price_of(0).state & 4 == 0
