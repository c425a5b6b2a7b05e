"""Reads a finished deployment back: wiring, roles, parameters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import ape

from scripts.support.config import WAD, Config
from scripts.support.deployed import GATEWAY, OWNED, ZERO, Deployment, DeploymentError


def verify(deployment: Deployment, config: Config) -> None:
    """Read everything back; raise with all that is wrong."""
    wrong = [what for what, ok in checks(deployment, config) if not ok]
    if wrong:
        raise DeploymentError("The deployment is not as it should be: " + "; ".join(wrong) + ".")


def checks(deployment: Deployment, config: Config) -> Iterator[tuple[str, bool]]:
    """Each thing that must hold, and whether it does."""
    yield from wiring_checks(deployment)
    yield from role_checks(deployment, config)
    yield from asset_checks(deployment, config)


def wiring_checks(d: Deployment) -> Iterator[tuple[str, bool]]:
    at = d.addresses
    yield "the engine's settings", d.engine.SETTINGS() == at["settings"]
    yield "the settings' engine", d.settings.engine() == at["engine"]
    yield "custody's ledger", d.custody.ledger() == at["clearinghouse"]
    yield "the ledger's engine", d.clearinghouse.engine() == at["engine"]
    yield "the ledger's settlement token", d.clearinghouse.settlement() == at["settlement"]
    yield "the ledger's custody", d.clearinghouse.custody() == at["custody"]
    yield "the ledger's liquidator", d.clearinghouse.liquidator() == at["liquidator"]
    yield "the ledger's gateway", d.clearinghouse.gateway_at(GATEWAY) == at["gateway"]
    for number in range(1, 8):
        yield f"gateway {number} is not empty", d.clearinghouse.gateway_at(number) == ZERO
    yield "the engine's liquidator", word_address(d, "LIQUIDATOR") == at["liquidator"]
    yield "the gateway's ledger", d.gateway.clearinghouse() == at["clearinghouse"]
    yield "the gateway's engine", d.gateway.risk_engine() == at["engine"]
    yield "the liquidator's ledger", d.liquidator.LEDGER() == at["clearinghouse"]
    yield "the liquidator's engine", d.liquidator.ENGINE() == at["engine"]
    yield "the liquidator's fund", d.liquidator.FUND() == at["fund"]
    yield "the liquidator's vault", d.liquidator.VAULT() == at["vault"]
    yield "custody's fund", d.custody.insurance_fund() == at["fund"]
    yield "the fund's token", d.fund.asset() == at["settlement"]
    yield "the vault's token", d.vault.asset() == at["settlement"]
    yield "the timelock's engine", d.timelock.ENGINE() == at["engine"]


# Numbers of `engine_tables` and `engine_scalars`.
SCALAR_TABLE: Final = 10
SCALARS: Final = {"SEQUENCER": 1, "LIQUIDATOR": 2}


def word_address(d: Deployment, scalar: str) -> str:
    word = d.engine.word_at(SCALAR_TABLE, SCALARS[scalar])
    return str(ape.convert(word.to_bytes(20, "big"), ape.types.AddressType))


def role_checks(d: Deployment, config: Config) -> Iterator[tuple[str, bool]]:
    roles, timelock = config.roles, d.timelock
    for name in OWNED:
        yield f"the owner of the {name}", getattr(d, name).owner() == timelock.address
    yield "the guardian", d.engine.guardian() == roles.guardian
    names = ("PROPOSER_ROLE", "CANCELLER_ROLE", "EXECUTOR_ROLE", "DEFAULT_ADMIN_ROLE")
    ids = {name: getattr(timelock, name)() for name in names}
    for name, role in ids.items():
        yield f"the deployer has {name}", not timelock.hasRole(role, d.deployer)
    admin = ids["DEFAULT_ADMIN_ROLE"]
    yield "the timelock administers itself", timelock.hasRole(admin, timelock.address)
    for person in config.people:
        yield f"{person} administers the timelock", not timelock.hasRole(admin, person)
    for proposer in roles.proposers:
        yield f"{proposer} cannot propose", timelock.hasRole(ids["PROPOSER_ROLE"], proposer)
    for executor in roles.executors:
        yield f"{executor} cannot execute", timelock.hasRole(ids["EXECUTOR_ROLE"], executor)
    yield "the delay", timelock.get_minimum_delay() == roles.timelock_delay
    yield "the delay's floor", timelock.DELAY_FLOOR() == roles.timelock_delay
    signers, quorum = d.settings.signers()
    yield "the signers", list(signers) == config.oracle.ascending
    yield "the quorum", quorum == config.oracle.quorum


def asset_checks(d: Deployment, config: Config) -> Iterator[tuple[str, bool]]:
    yield "price rules", tuple(d.settings.price_rules()) == config.price_rules.tuple()
    yield "push rules", tuple(d.settings.push_rules()) == config.push_rules.tuple()
    yield "clocks", tuple(d.engine.clocks()) == config.clocks.tuple()
    yield "liquidation", tuple(d.liquidator.parameters()) == config.liquidation.tuple()
    yield "interest", d.clearinghouse.interest().rate == config.interest_per_second
    yield "collateral multiple", d.custody.collateral_multiple() == config.collateral_multiple
    yield "sequencer", word_address(d, "SEQUENCER") == (config.sequencer_feed or ZERO)
    yield "collateral tokens", d.custody.token_count() == len(config.tokens)
    for index, token in enumerate(config.tokens):
        expected = d.collateral_addresses[token.symbol]
        yield f"collateral {token.symbol}", d.custody.token_at(index) == expected
        yield f"cap of {token.symbol}", d.custody.listed(index).cap == token.cap * WAD
    yield from capital_checks(d, config)
    for asset in [*config.markets, *config.tokens]:
        number = d.asset_ids[asset.symbol]
        stored = [tuple(row) for row in d.settings.brackets(number)]
        yield f"brackets of {asset.symbol}", stored == asset.rows
        expected_config = asset.config.tuple()
        yield f"config of {asset.symbol}", tuple(d.settings.config_of(number)) == expected_config


def capital_checks(d: Deployment, config: Config) -> Iterator[tuple[str, bool]]:
    backstop = config.backstop
    yield "the vault's manager", d.vault.manager() == (backstop.manager or ZERO)
    if backstop.manager:
        yield "the manager's distance", d.vault.distance() == backstop.distance
        yield "the manager's daily loss", d.vault.daily_loss() == backstop.daily_loss * WAD
    for name, delays in (("fund", config.insurance), ("vault", backstop)):
        expected = (delays.deposit_delay, delays.redeem_delay)
        yield f"the {name}'s delays", tuple(getattr(d, name).delays())[:2] == expected
    for market in config.markets:
        cap = d.fund.cap_of(market.asset)
        yield f"bucket of {market.symbol}", cap == market.bucket_cap * WAD
        yield f"ring of {market.symbol}", d.vault.has_ring(market.asset) == bool(market.ring)
        if market.ring:
            target = d.vault.ring_of(market.asset).target
            yield f"target of {market.symbol}", target == market.ring * WAD
