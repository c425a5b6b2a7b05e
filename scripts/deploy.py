"""`ape run deploy`: the whole protocol, from a configuration file, once."""

from __future__ import annotations

from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from scripts.support.config import Config, load_config
from scripts.support.deployed import Deployment, DeploymentError, chain_id, path_of
from scripts.support.deployment import deploy, genesis, step_count
from scripts.support.dev_keys import LOCAL_CHAIN
from scripts.support.errors import ScriptError
from scripts.support.files import read_json
from scripts.support.journal import Journal, journal_path_of
from scripts.support.terminal import (
    LOCAL_NETWORK,
    account_option,
    choose_account,
    connected,
    console,
    in_one_sentence,
    network_option,
)

DEPLOYER = 0  # account of the local mnemonic


@click.command()
@click.option(
    "--config",
    "path",
    default="scripts/config/local.toml",
    show_default=True,
    type=click.Path(path_type=Path),
    help="What to deploy; see scripts/config/production.example.toml.",
)
@network_option
@account_option
@in_one_sentence
def cli(path: Path, network: str, alias: str | None) -> None:
    """Deploy everything, hand it over to the timelock, check that the deployer keeps no role.

    The addresses go to build/deployments/<chain id>.json. A second run is refused; a run that broke
    off is continued by the same command.
    """
    config = load_config(path)
    with connected(network):
        check_chain(config, path)
        refuse_second(config.chain_id)
        journal = open_journal(config.chain_id)
        account = choose_account(alias, DEPLOYER)
        deployment = run(config, account, journal)
        where = deployment.save()
        journal.close()
        show(deployment, config)
        console.print(f"Written to {where}.")
        if network == LOCAL_NETWORK:
            console.print(
                "This chain ends now. For one that stays, start `anvil` in another terminal and add"
                " --network http://127.0.0.1:8545.",
                style="yellow",
            )


def check_chain(config: Config, path: Path) -> None:
    connected_to = chain_id()
    if config.chain_id != connected_to:
        raise ScriptError(
            f"{path} is for chain {config.chain_id}, but this is chain {connected_to}."
        )


def refuse_second(chain: int) -> None:
    """There is one deployment a chain; a local chain that is gone does not count."""
    path = path_of(chain)
    values = read_json(path)
    if values is None:
        return
    try:
        live = Deployment(**values).is_live
    except TypeError:
        raise ScriptError(
            f"{path} is in the way and is not a deployment of this version."
        ) from None
    if live:
        raise ScriptError(
            f"Plimsoll is already deployed on chain {chain} ({path}): to deploy a second one, move"
            " that file away."
        )
    if chain != LOCAL_CHAIN:
        raise ScriptError(
            f"{path} names a deployment that is not on this chain {chain}: check the network, or"
            " move that file away."
        )


def open_journal(chain: int) -> Journal:
    """Of a run that broke off, if there was one on this chain."""
    journal = Journal(journal_path_of(chain))
    if journal.is_empty:
        return journal
    if chain == LOCAL_CHAIN and journal.head.get("genesis") != genesis():
        journal.close()  # of a local chain that is gone
        return Journal(journal.path)
    console.print(
        f"Continuing a deployment that broke off: {journal.count} steps are done ({journal.path})."
    )
    return journal


def run(config: Config, account: object, journal: Journal) -> Deployment:
    """With a progress bar; what was done is kept if it breaks off."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("compile", total=step_count(config))

        def on_step(step: str) -> None:
            progress.update(task, description=f"{step:32}", advance=1)

        try:
            return deploy(config, account, journal, on_step)
        except DeploymentError as error:
            if journal.is_empty:
                raise
            raise DeploymentError(
                f"{error} {journal.count} of {step_count(config)} steps are done and kept: the same"
                " command continues from there."
            ) from error


def show(deployment: Deployment, config: Config) -> None:
    table = Table(title=f"Plimsoll on chain {deployment.chain_id}", title_justify="left")
    table.add_column("contract")
    table.add_column("address")
    for name, address in deployment.addresses.items():
        table.add_row(name, address)
    for symbol, address in deployment.collateral_addresses.items():
        table.add_row(f"collateral {symbol}", address)
    console.print(table)
    markets = ", ".join(f"{symbol} ({asset})" for symbol, asset in deployment.markets.items())
    delay = config.roles.timelock_delay
    console.print(f"Markets: {markets}. The timelock owns every setter, delay {delay:,} s;")
    console.print(f"the guardian is {config.roles.guardian}; the deployer has no role left.")
