"""`ape run govern`: changes on their way through the timelock."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ape
import click
from rich.table import Table

from scripts.support import proposal as proposals
from scripts.support.change import read_change
from scripts.support.deployed import Deployment
from scripts.support.errors import ScriptError
from scripts.support.impact import Impact, find_impact
from scripts.support.plan import make_plan
from scripts.support.proposal import Proposal, ProposalError
from scripts.support.terminal import (
    account_option,
    choose_account,
    connected,
    console,
    in_one_sentence,
    network_option,
)

PROPOSER = 2  # account of the local mnemonic
WAD = 10**18
name_argument = click.argument("name", metavar="PROPOSAL")
calldata_option = click.option(
    "--calldata",
    is_flag=True,
    help="Sign nothing: print the transaction, for a multi-signature wallet.",
)


@click.group()
def cli() -> None:
    """Change parameters, tables, listings and roles.

    propose shows what would change and what it would do to live accounts; queue, execute and cancel
    send one transaction each.
    """


@cli.command()
@click.option("--change", "path", type=click.Path(path_type=Path), help="TOML or JSON file.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="One value, such as markets.BTC.config.maker_fee=100 or price_rules.grace=900.",
)
@click.option(
    "--tiers",
    multiple=True,
    metavar="MARKET=FILE",
    help="A market's new tier table: TOML, JSON or CSV.",
)
@click.option("--no-impact", is_flag=True, help="Do not try the change on a copy of the chain.")
@network_option
@in_one_sentence
def propose(
    path: Path | None,
    settings: tuple[str, ...],
    tiers: tuple[str, ...],
    no_impact: bool,
    network: str,
) -> None:
    """Show what a change would do, and keep it in a file. Signs nothing."""
    change = read_change(path, settings, tiers)
    with connected(network):
        deployment = Deployment.load()
        plan = make_plan(change, deployment)
        proposal = Proposal(
            chain_id=deployment.chain_id,
            timelock=deployment.addresses["timelock"],
            description=change.description,
            calls=plan.calls,
            differences=plan.differences,
            listings=plan.listings,
            margins=plan.margins,
        ).identified(deployment.timelock)
        show_proposal(proposal)
        if not no_impact:
            show_impact(proposal, find_impact(deployment, proposal.calls))
        where = proposal.save()
        console.print(f"Kept in {where}. Next: ape run govern queue {proposal.name}")


@cli.command()
@name_argument
@click.option("--no-impact", is_flag=True, help="Do not try the change on a copy of the chain.")
@calldata_option
@network_option
@account_option
@in_one_sentence
def queue(name: str, no_impact: bool, calldata: bool, network: str, alias: str | None) -> None:
    """Schedule a proposal on the timelock."""
    with connected(network):
        deployment = Deployment.load()
        proposal = proposals.load(name, deployment)
        check_state(deployment, proposal, proposals.UNSET)
        show_proposal(proposal)
        if not no_impact:
            show_impact(proposal, find_impact(deployment, proposal.calls))
        delay = deployment.timelock.get_minimum_delay()
        transact(deployment, "schedule_batch", (*proposal.batch, delay), alias, calldata)
        if not calldata:
            ready = proposals.ready_at(deployment, proposal.id)
            console.print(f"Queued. It can be executed from {moment(ready)}.")


@cli.command()
@name_argument
@calldata_option
@network_option
@account_option
@in_one_sentence
def execute(name: str, calldata: bool, network: str, alias: str | None) -> None:
    """Execute a proposal whose delay is over."""
    with connected(network):
        deployment = Deployment.load()
        proposal = proposals.load(name, deployment)
        check_state(deployment, proposal, proposals.READY)
        if deployment.engine.clock()[1]:
            raise ProposalError("The protocol is paused, and nothing executes while it is.")
        show_proposal(proposal)
        transact(deployment, "execute_batch", proposal.batch, alias, calldata)
        if not calldata:
            proposals.record_listings(deployment, proposal)
            console.print("Executed.")


@cli.command()
@name_argument
@calldata_option
@network_option
@account_option
@in_one_sentence
def cancel(name: str, calldata: bool, network: str, alias: str | None) -> None:
    """Cancel a queued proposal; its id will do if there is no file."""
    with connected(network):
        deployment = Deployment.load()
        operation = name if is_id(name) else proposals.load(name, deployment).id
        state = proposals.state_of(deployment, operation)
        if state not in (proposals.WAITING, proposals.READY):
            raise ProposalError(
                f"Operation {name} is {proposals.STATES[state]}: nothing to cancel."
            )
        transact(deployment, "cancel", (operation,), alias, calldata)
        if not calldata:
            console.print("Cancelled.")


@cli.command()
@network_option
@in_one_sentence
def status(network: str) -> None:
    """What is proposed, queued and executed, also by others."""
    with connected(network):
        deployment = Deployment.load()
        known = {each.id: each for each in proposals.known(deployment)}
        queued = proposals.on_chain(deployment)
        delay = deployment.timelock.get_minimum_delay()
        console.print(f"Timelock {deployment.addresses['timelock']}, delay {delay:,} s.")
        table = Table("operation", "state", "calls")
        for operation in [*queued, *(each for each in known if each not in queued)]:
            calls = calls_of(deployment, known.get(operation), queued.get(operation, []))
            label = operation[2:10] if operation in known else f"{operation} (no file)"
            table.add_row(label, state_text(deployment, operation, operation in queued), calls)
        console.print(table if table.row_count else "No operations.")


# --- checks ----------------------------------------------------------------------------------


def check_state(deployment: Deployment, proposal: Proposal, wanted: int) -> None:
    state = proposals.state_of(deployment, proposal.id)
    if state == wanted:
        return
    if wanted == proposals.UNSET and state != proposals.DONE:
        raise ProposalError(f"Proposal {proposal.name} is already queued.")
    if state == proposals.WAITING:
        ready = proposals.ready_at(deployment, proposal.id)
        wait = ready - ape.chain.pending_timestamp
        raise ProposalError(
            f"Its delay is not over: it is ready at {moment(ready)}, in {wait:,} s."
        )
    raise ProposalError(f"Proposal {proposal.name} is {proposals.STATES[state]}.")


def is_id(name: str) -> bool:
    return name.startswith("0x") and len(name) == 66


def transact(
    deployment: Deployment,
    function: str,
    arguments: tuple[Any, ...],
    alias: str | None,
    calldata: bool,
) -> None:
    """Sign and send, or print for others to sign."""
    method = getattr(deployment.timelock, function)
    if calldata:
        console.print(f"to    {deployment.addresses['timelock']}\nvalue 0")
        console.print(f"data  0x{method.encode_input(*arguments).hex()}")
        return
    account = choose_account(alias, PROPOSER)
    check_role(deployment, account.address, function)
    method(*arguments, sender=account)


def check_role(deployment: Deployment, account: str, function: str) -> None:
    """Before anything is signed."""
    timelock = deployment.timelock
    roles = {
        "schedule_batch": "PROPOSER_ROLE",
        "execute_batch": "EXECUTOR_ROLE",
        "cancel": "CANCELLER_ROLE",
    }
    role = getattr(timelock, roles[function])()
    anyone = function == "execute_batch" and timelock.hasRole(role, "0x" + "00" * 20)
    if not anyone and not timelock.hasRole(role, account):
        raise ScriptError(f"{account} does not have the role {roles[function]}.")


# --- display ---------------------------------------------------------------------------------


def show_proposal(proposal: Proposal) -> None:
    title = f"Proposal {proposal.name}: {proposal.description or 'no description'}"
    table = Table("value", "now", "then", title=title, title_justify="left")
    for each in proposal.differences:
        table.add_row(each.what, each.old, each.new)
    console.print(table)
    calls = ", ".join(f"{call.contract}.{call.function}" for call in proposal.calls)
    console.print(f"{len(proposal.calls)} calls: {calls}.")


def show_impact(proposal: Proposal, impact: Impact) -> None:
    """What the change alone does to accounts, once it has ramped in."""
    accounts = len(impact.after)
    if not proposal.margins:
        console.print(f"Tried on a copy of the chain: it executes; {accounts} live accounts.")
    title = f"{accounts} live accounts at the last prices, after the ramp"
    table = Table("state", "without", "with", title=title, title_justify="left")
    for state, before, after in impact.counts:
        table.add_row(state, f"{before:,}", f"{after:,}")
    table.add_row("maintenance margin, USD", usd(impact.mm_before), usd(impact.mm_after))
    if proposal.margins or impact.worse:
        console.print(table)
    called, liquidatable = impact.count_newly(1), impact.count_newly(2)
    console.print(
        f"Newly called or worse: {called}, of which newly liquidatable: {liquidatable}.",
        style="bold red" if liquidatable else "bold" if called else "green",
    )
    for account in impact.worse[:10]:
        console.print(f"  {account:#066x}")
    if len(impact.worse) > 10:
        console.print(f"  and {len(impact.worse) - 10} more")


def usd(wad: int) -> str:
    return f"{wad / WAD:,.2f}"


def moment(time: int) -> str:
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M:%S} UTC"


def state_text(deployment: Deployment, operation: str, was_queued: bool) -> str:
    state = proposals.state_of(deployment, operation)
    if state == proposals.UNSET and was_queued:
        return "cancelled"
    if state == proposals.WAITING:
        return f"waiting until {moment(proposals.ready_at(deployment, operation))}"
    return proposals.STATES[state]


def calls_of(
    deployment: Deployment, proposal: Proposal | None, events: list[dict[str, Any]]
) -> str:
    if proposal:
        return "\n".join(f"{each.what}: {each.old} → {each.new}" for each in proposal.differences)
    texts = (
        proposals.decode_call(deployment, str(event["target"]), bytes(event["payload"]))
        for event in events
    )
    return "\n".join(texts)
