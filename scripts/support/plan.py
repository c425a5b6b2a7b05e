"""From a change to the calls that make it, with what each value is now and would be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import ape
from pydantic import ValidationError

from scripts.support.change import NO_FEED, AssetChange, Change, RawCall
from scripts.support.config import (
    PPM,
    TOKENS,
    WAD,
    YEAR,
    AssetConfig,
    Liquidation,
    Market,
    Model,
    PriceRules,
    PushRules,
    Token,
    first_problem,
)
from scripts.support.deployed import CONTRACTS, ZERO, Deployment, has_code
from scripts.support.errors import ScriptError
from scripts.support.events import last_event

SETTLEMENT: Final = 255
REDUCE_ONLY: Final = 4  # state bit


class PlanError(ScriptError):
    """The change cannot be made. One sentence."""


@dataclass(frozen=True)
class Call:
    """One call of the batch."""

    contract: str  # its name in the deployment
    function: str
    target: str
    payload: str  # hex


@dataclass(frozen=True)
class Difference:
    what: str
    old: str
    new: str


@dataclass
class Plan:
    """Calls and what they change; `margins` if a requirement may change."""

    deployment: Deployment
    calls: list[Call] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    listings: dict[str, int] = field(default_factory=dict)  # symbol -> asset id
    margins: bool = False

    def call(self, contract: str, function: str, *arguments: Any) -> None:
        instance = getattr(self.deployment, contract)
        payload = getattr(instance, function).encode_input(*arguments)
        self.calls.append(Call(contract, function, str(instance.address), "0x" + payload.hex()))

    def note(self, what: str, old: Any, new: Any) -> bool:
        """Remember a difference, if there is one."""
        if old == new:
            return False
        self.differences.append(Difference(what, show(old), show(new)))
        return True

    def note_fields(self, what: str, old: Model | None, new: Model) -> bool:
        """Field by field."""
        names = type(new).model_fields
        changed = [
            self.note(f"{what} {name}", getattr(old, name) if old else None, getattr(new, name))
            for name in names
        ]
        return any(changed)


def make_plan(change: Change, deployment: Deployment) -> Plan:
    """Calls in an order in which they fit: parameters, then tables, then the rest."""
    plan = Plan(deployment)
    plan_rules(plan, change)
    plan_ledger(plan, change)
    for symbol, asset in change.markets.items():
        if symbol in deployment.markets:
            plan_asset(plan, symbol, deployment.markets[symbol], asset)
        else:
            plan_market_listing(plan, symbol, asset)
    for symbol, asset in change.tokens.items():
        if symbol in deployment.tokens:
            plan_token(plan, symbol, deployment.tokens[symbol], asset)
        else:
            plan_token_listing(plan, symbol, asset)
    plan_trust(plan, change)
    for call in change.calls:
        plan_raw(plan, call)
    if not plan.calls:
        raise PlanError("Everything is already as the change would make it.")
    return plan


def show(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, list | tuple):
        return ", ".join(show(each) for each in value)
    return str(value)


def as_model(kind: type[Model], values: dict[str, Any], what: str) -> Any:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise PlanError(f"{what}: {first_problem(error)}.") from None


def merged(kind: type[Model], stored: Any, changes: dict[str, Any], what: str) -> tuple[Any, Any]:
    """What is stored as a model, and with the changes."""
    current = kind.model_construct(**stored)
    return current, as_model(kind, {**stored, **changes}, what)


# --- parameters ------------------------------------------------------------------------------


def plan_rules(plan: Plan, change: Change) -> None:
    settings, liquidator = plan.deployment.settings, plan.deployment.liquidator
    plan_group(plan, "price_rules", PriceRules, settings.price_rules, change.price_rules)
    plan_group(plan, "push_rules", PushRules, settings.push_rules, change.push_rules)
    if change.liquidation:
        stored = fields_of(Liquidation, liquidator.parameters())
        stored["min_deficit"] //= WAD
        stored["reward"] = Decimal(stored["reward"]) / WAD
        old, new = merged(Liquidation, stored, change.liquidation, "liquidation")
        if plan.note_fields("liquidation", old, new):
            plan.call("liquidator", "set_parameters", new.tuple())
    if change.oracle:
        signers, quorum = settings.signers()
        changed = plan.note("signers", list(signers), change.oracle.ascending)
        if plan.note("quorum", quorum, change.oracle.quorum) or changed:
            oracle = change.oracle
            plan.call("settings", "set_signers", oracle.ascending, oracle.quorum)
    if change.sequencer_feed is not None:
        plan.note("sequencer_feed", "as it is", change.sequencer_feed)
        plan.call("settings", "set_sequencer_feed", change.sequencer_feed)
    if change.settlement_doubt is not None:
        plan.note("settlement_doubt", "as it is", change.settlement_doubt)
        plan.call("engine", "set_settlement_doubt", change.settlement_doubt)


def plan_group(
    plan: Plan, name: str, kind: type[Model], view: Callable[[], Any], changes: dict[str, Any]
) -> None:
    """A group of rules that has a view and a setter of the same name."""
    if not changes:
        return
    old, new = merged(kind, fields_of(kind, view()), changes, name)
    if plan.note_fields(name, old, new):
        plan.call("settings", f"set_{name}", new.tuple())


def fields_of(kind: type[Model], struct: Any) -> dict[str, Any]:
    return dict(zip(kind.model_fields, struct, strict=True))


def plan_ledger(plan: Plan, change: Change) -> None:
    ledger, custody = plan.deployment.clearinghouse, plan.deployment.custody
    if change.interest_rate is not None:
        stored = round(int(ledger.interest().rate) * YEAR * PPM / 10**27)
        if plan.note("interest_rate", stored, change.interest_rate):
            rate = change.interest_rate * 10**27 // PPM // YEAR
            plan.call("clearinghouse", "set_interest_rate", rate)
    if change.collateral_multiple is not None:
        multiple = change.collateral_multiple
        if plan.note("collateral_multiple", custody.collateral_multiple(), multiple):
            plan.call("custody", "set_collateral_multiple", multiple)
    limits = change.settlement
    plan_outflow(plan, "settlement", SETTLEMENT, limits.outflow_cap, limits.outflow_window)


def plan_outflow(plan: Plan, what: str, token: int, cap: int | None, window: int | None) -> None:
    """The bucket has no view: what it is now comes from its last event."""
    if cap is None and window is None:
        return
    last = last_event(plan.deployment, "custody", "OutflowSet", token=token)
    old_cap, old_window = last["cap"] // WAD, last["window"]
    new_cap = old_cap if cap is None else cap
    new_window = old_window if window is None else window
    changed = plan.note(f"{what} outflow_cap", old_cap, new_cap)
    if plan.note(f"{what} outflow_window", old_window, new_window) or changed:
        plan.call("custody", "set_outflow", token, new_cap * WAD, new_window)


# --- assets ----------------------------------------------------------------------------------


def plan_asset(plan: Plan, symbol: str, number: int, change: AssetChange) -> None:
    settings = plan.deployment.settings
    if change.config:
        stored = fields_of(AssetConfig, settings.config_of(number))
        stored["min_size"] = Decimal(stored["min_size"]) / WAD
        old, new = merged(AssetConfig, stored, change.config, f"{symbol}.config")
        if plan.note_fields(symbol, old, new):
            plan.margins = True  # caps scale initial margin
            plan.call("settings", "set_config", number, new.tuple())
    if change.brackets is not None:
        plan_brackets(plan, symbol, number, [bracket.tuple() for bracket in change.brackets])
    if change.feed is not None:
        plan_feed(plan, symbol, number, change)
    if change.reduce_only is not None:
        state = plan.deployment.engine.price_of(number).state
        plan.note(f"{symbol} reduce_only", bool(state & REDUCE_ONLY), change.reduce_only)
        plan.call("engine", "set_reduce_only", number, change.reduce_only)


def plan_brackets(plan: Plan, symbol: str, number: int, rows: list[tuple[int, ...]]) -> None:
    """A new table, which ramps in."""
    old = [tuple(row) for row in plan.deployment.settings.brackets(number)]
    if old == rows:
        return
    for k in range(max(len(old), len(rows))):
        before = old[k] if k < len(old) else None
        after = rows[k] if k < len(rows) else None
        plan.note(f"{symbol} bracket {k}", before, after)
    plan.margins = True
    plan.call("settings", "set_schedule", number, rows)


def plan_feed(plan: Plan, symbol: str, number: int, change: AssetChange) -> None:
    values = (ZERO, 0, 0, 0)
    if change.feed is not None and change.feed != NO_FEED:
        values = change.feed.tuple()
        require_code(values[0], f"the feed of {symbol}")
    last = last_event(plan.deployment, "settings", "FeedSet", asset=number)
    old = tuple(last["feed"].values()) if last else (ZERO, 0, 0, 0)
    if plan.note(f"{symbol} feed", old, values):
        plan.call("settings", "set_feed", number, values)


def plan_token(plan: Plan, symbol: str, number: int, change: AssetChange) -> None:
    token = number - TOKENS
    if change.cap is not None:
        stored = plan.deployment.custody.listed(token).cap // WAD
        if plan.note(f"{symbol} cap", stored, change.cap):
            plan.call("custody", "set_token_cap", token, change.cap * WAD)
    plan_outflow(plan, symbol, token, change.outflow_cap, change.outflow_window)
    plan_asset(plan, symbol, number, change)


def plan_market_listing(plan: Plan, symbol: str, change: AssetChange) -> None:
    values = change.model_dump(exclude_none=True, exclude={"reduce_only", "brackets", "feed"})
    values |= {"symbol": symbol, "brackets": [b.tuple() for b in change.brackets or []]}
    market = as_model(Market, values, f"listing {symbol}")
    if plan.deployment.settings.config_of(market.asset).band != 0:
        raise PlanError(f"Asset {market.asset} is already listed, so it cannot become {symbol}.")
    plan_listing(plan, symbol, market.asset, market, change)


def plan_token_listing(plan: Plan, symbol: str, change: AssetChange) -> None:
    """Custody gives the next index, so two listings in flight would take each other's place."""
    values = change.model_dump(exclude_none=True, exclude={"reduce_only", "brackets", "feed"})
    values |= {"symbol": symbol, "brackets": [b.tuple() for b in change.brackets or []]}
    token = as_model(Token, values, f"listing {symbol}")
    require_code(token.address, symbol)
    index = plan.deployment.custody.token_count()
    index += sum(1 for number in plan.listings.values() if number >= TOKENS)
    limits = (token.cap * WAD, token.outflow_cap * WAD, token.outflow_window)
    plan.note(f"{symbol} contract", None, token.address)
    plan.note(f"{symbol} cap", None, token.cap)
    plan.note(f"{symbol} outflow", None, [token.outflow_cap, token.outflow_window])
    plan.call("custody", "list_token", token.address, *limits)
    plan_listing(plan, symbol, TOKENS + index, token, change)


def plan_listing(
    plan: Plan, symbol: str, number: int, asset: Market | Token, change: AssetChange
) -> None:
    plan.note(f"{symbol} asset", None, number)
    plan.note_fields(symbol, None, asset.config)
    for k, row in enumerate(asset.rows):
        plan.note(f"{symbol} bracket {k}", None, row)
    arguments = (number, asset.config.tuple(), asset.rows, asset.severity, asset.depth)
    plan.call("settings", "list_asset", *arguments)
    plan.listings[symbol] = number
    if change.feed is not None:
        plan_feed(plan, symbol, number, change)


def require_code(address: str, what: str) -> None:
    if not has_code(address):
        raise PlanError(f"There is no contract at {address}, {what}.")


# --- trust -----------------------------------------------------------------------------------


def plan_trust(plan: Plan, change: Change) -> None:
    d, roles = plan.deployment, change.roles
    for number, gateway in change.gateways.items():
        if plan.note(f"gateway {number}", d.clearinghouse.gateway_at(number), gateway):
            plan.call("clearinghouse", "set_gateway_at", number, gateway)
    if change.liquidator is not None:
        require_code(change.liquidator, "the liquidator")
        if plan.note("liquidator", d.clearinghouse.liquidator(), change.liquidator):
            plan.call("clearinghouse", "set_liquidator", change.liquidator)
            plan.call("settings", "set_liquidator", change.liquidator)
    if roles.guardian is not None and plan.note("guardian", d.engine.guardian(), roles.guardian):
        plan.call("engine", "set_guardian", roles.guardian)
    if roles.timelock_delay is not None:
        delay = roles.timelock_delay
        if plan.note("timelock_delay", d.timelock.get_minimum_delay(), delay):
            plan.call("timelock", "update_delay", delay)
    for function, grants, has in (
        ("grantRole", roles.grant, True),
        ("revokeRole", roles.revoke, False),
    ):
        for grant in grants:
            role = getattr(d.timelock, grant.role)()
            if plan.note(
                f"{grant.account} {grant.role}", d.timelock.hasRole(role, grant.account), has
            ):
                plan.call("timelock", function, role, grant.account)


def plan_raw(plan: Plan, call: RawCall) -> None:
    if call.contract not in CONTRACTS:
        known = ", ".join(CONTRACTS)
        raise PlanError(f"There is no contract {call.contract!r}: choose from {known}.")
    try:
        plan.call(call.contract, call.function, *call.arguments)
    except (AttributeError, ape.exceptions.ApeException, ValueError, TypeError):
        arguments = ", ".join(map(str, call.arguments))
        raise PlanError(f"{call.contract} has no function {call.function}({arguments}).") from None
    plan.margins = True
    arguments = ", ".join(show(argument) for argument in call.arguments)
    plan.differences.append(Difference(f"{call.contract}.{call.function}", "", arguments))
