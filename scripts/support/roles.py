"""Who may call what: measured on a deployment, function by function, role by role.

Each function is asked (`eth_call`) with arguments that would do if the caller were allowed. A
caller is refused if the reason is one of REFUSALS. Any other answer counts as allowed, so a
function whose guard is missing shows as open to all. A function without a probe is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import ape

from oracle.chain import Call, Client, Function, Reverted
from scripts.support.config import Config
from scripts.support.deployed import CONTRACTS, GATEWAY, Deployment
from scripts.support.dev_keys import dev_address
from scripts.support.errors import ScriptError
from scripts.support.fork import node_url
from scripts.support.stage import Stage

STRANGER: Final = "0x" + "5a" * 20
OWNER, OTHER, SESSION = 6, 7, 8  # accounts of the local mnemonic
PROPOSER, EXECUTOR = 2, 9
EMPTY: Final = "0x" + "00" * 32
DAY: Final = 86_400
REFUSALS: Final = frozenset(
    {
        "access_control: account is missing role",
        "access_control: can only renounce roles for itself",
        "bad signer",
        "bound",
        "not a gateway",
        "not allowed",
        "not authorised",
        "not custody",
        "not deployer",
        "not guardian",
        "not ledger",
        "not liquidator",
        "not owner",
        "not the timelock",
        "not your account",
        "quorum",
        "signature",
    }
)
ROLES: Final = {
    "anyone": "no role at all",
    "signed": "anyone who brings the signatures: a quorum's, or both traders'",
    "owner": "owner of the account the call is about",
    "session": "session key of that account",
    "gateway": "OrderGateway, registered and opted in to",
    "liquidator": "Liquidator",
    "ledger": "Clearinghouse",
    "custody": "Custody",
    "settings": "RiskSettings",
    "guardian": "the guardian",
    "timelock": "the timelock, owner of every setter: governance after its delay",
    "proposer": "proposer and canceller at the timelock",
    "executor": "executor at the timelock",
    "deployer": "the account that deployed everything",
}


class RolesError(ScriptError):
    """The table cannot be made. One sentence."""


@dataclass(frozen=True)
class Scene:
    """What arguments are made of."""

    stage: Stage
    account: int  # of the owner
    other: int  # somebody else's
    caller: str = STRANGER
    signed: bool = False  # arguments carry the signatures that are needed

    @property
    def d(self) -> Deployment:
        return self.stage.d


Arguments = Callable[[Scene], tuple[Any, ...]]


@dataclass(frozen=True)
class Probe:
    """A row of the table."""

    contract: str  # name in the deployment
    function: str
    arguments: Arguments
    variant: str = ""
    prepare: Callable[[Scene], None] | None = None

    @property
    def label(self) -> str:
        return f"{self.function} ({self.variant})" if self.variant else self.function


# --- arguments -------------------------------------------------------------------------------


def fixed(*values: Any) -> Arguments:
    return lambda scene: values


def signed_or_not(scene: Scene, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Without the signatures if the scene has none: as many, of nobody."""
    if scene.signed:
        return arguments
    return *arguments[:-1], [(27, 1, 1)] * len(arguments[-1])


def report_arguments(scene: Scene) -> tuple[Any, ...]:
    time = ape.chain.blocks.head.timestamp
    observed = time - time % scene.stage.config.price_rules.period
    return signed_or_not(scene, scene.stage.signed_report(observed))


def push_arguments(scene: Scene) -> tuple[Any, ...]:
    until = ape.chain.blocks.head.timestamp + 60
    return signed_or_not(scene, scene.stage.signed_push(until))


def fill_arguments(scene: Scene) -> tuple[Any, ...]:
    order, signature = scene.stage.order(scene.other, "BTC", 10**16)
    return order, signature, 10**16, scene.account


def fill_within_arguments(scene: Scene) -> tuple[Any, ...]:
    return *fill_arguments(scene), (scene.stage.prices[0], 2**256 - 1)


def report_and_fill_arguments(scene: Scene) -> tuple[Any, ...]:
    observed = ape.chain.blocks.head.timestamp
    arguments = scene.stage.signed_report(observed - observed % 60)
    return bytes(scene.d.engine.report.encode_input(*arguments)), *fill_within_arguments(scene)


def match_arguments(scene: Scene) -> tuple[Any, ...]:
    maker, maker_signature = scene.stage.order(scene.other, "BTC", 10**16)
    taker, taker_signature = scene.stage.order(scene.account, "BTC", -(10**16))
    if not scene.signed:
        maker_signature = taker_signature = b"\x01" * 65
    return maker, taker, maker_signature, taker_signature, 10**16


def order_of_account(scene: Scene) -> tuple[Any, ...]:
    return (scene.stage.order(scene.account, "BTC", 10**16)[0],)


def config_arguments(scene: Scene) -> tuple[Any, ...]:
    return 0, scene.stage.config.markets[0].config.tuple()


def new_listing(scene: Scene) -> tuple[Any, ...]:
    market = scene.stage.config.markets[0]
    return 31, market.config.tuple(), market.rows, 0, 10**6


def account_arguments(*values: Any) -> Arguments:
    return lambda scene: (scene.account, *values)


def pause(scene: Scene) -> None:
    guardian = ape.accounts.test_accounts[1]
    scene.d.engine.pause(sender=guardian)


def pause_for_long(scene: Scene) -> None:
    pause(scene)
    ape.chain.mine(1, timestamp=ape.chain.pending_timestamp + DAY)


PROPOSER_ROLE: Final = "0xb09aa5aeb3702cfd50b6b62bc4532604938f21248a27a1d5ca736082b6819cc1"
NOTHING = (STRANGER, 0, b"", EMPTY, EMPTY)
NO_BATCH: tuple[Any, ...] = ([], [], [], EMPTY, EMPTY)
PERMIT = (2**40, 27, bytes(32), bytes(32))
GENEROUS = 10**30
WEEK = 7 * DAY

PROBES: Final = (
    # The engine
    Probe("engine", "report", report_arguments),
    Probe("engine", "push", push_arguments),
    Probe("engine", "pause", fixed()),
    Probe("engine", "unpause", fixed(), "while paused", pause),
    Probe("engine", "unpause", fixed(), "paused for a day", pause_for_long),
    Probe("engine", "set_reduce_only", fixed(0, True), "on"),
    Probe("engine", "set_reduce_only", fixed(0, False), "off"),
    Probe("engine", "set_settlement_doubt", fixed(True), "on"),
    Probe("engine", "set_settlement_doubt", fixed(False), "off"),
    Probe("engine", "freeze_signer", lambda s: (s.stage.signers[0].address,)),
    Probe("engine", "begin_aftermath", fixed(0)),
    Probe("engine", "store", fixed(7, 0, 0)),
    Probe("engine", "set_guardian", fixed(STRANGER)),
    Probe("engine", "hand_over", lambda s: (s.d.addresses["gateway"],)),
    # Its settings
    Probe("settings", "list_asset", new_listing),
    Probe("settings", "set_config", config_arguments),
    Probe("settings", "set_schedule", lambda s: (0, s.stage.config.markets[0].rows)),
    Probe("settings", "set_feed", fixed(0, ("0x" + "00" * 20, 0, 0, 0))),
    Probe("settings", "set_price_rules", lambda s: (s.stage.config.price_rules.tuple(),)),
    Probe("settings", "set_push_rules", lambda s: (s.stage.config.push_rules.tuple(),)),
    Probe("settings", "set_signers", lambda s: (s.stage.config.oracle.ascending, 2)),
    Probe("settings", "set_sequencer_feed", fixed("0x" + "00" * 20)),
    Probe("settings", "set_liquidator", fixed(STRANGER)),
    Probe(
        "settings",
        "bind",
        lambda s: (
            s.d.addresses["engine"],
            s.stage.config.price_rules.tuple(),
            s.stage.config.push_rules.tuple(),
            s.stage.config.oracle.ascending,
            2,
        ),
    ),
    # Custody
    Probe("custody", "deposit", account_arguments(0, 1)),
    Probe("custody", "withdraw", account_arguments(0, 1, STRANGER)),
    Probe("custody", "release", fixed(0, STRANGER)),
    Probe("custody", "admit", fixed(STRANGER, 0)),
    Probe("custody", "move", lambda s: (s.account, s.other, 0, 0)),
    Probe("custody", "set_ledger", lambda s: (s.d.addresses["clearinghouse"],)),
    Probe("custody", "list_token", lambda s: (s.d.addresses["gateway"], 1, 1, WEEK)),
    Probe("custody", "set_token_cap", fixed(0, 1)),
    Probe("custody", "set_collateral_multiple", fixed(1)),
    Probe("custody", "set_outflow", fixed(0, 1, WEEK)),
    Probe("custody", "hand_over", lambda s: (s.d.addresses["gateway"],)),
    # The ledger
    Probe("clearinghouse", "open_account", fixed(77, 1, 0)),
    Probe("clearinghouse", "configure", account_arguments(1, 0)),
    Probe("clearinghouse", "deposit", account_arguments(1)),
    Probe("clearinghouse", "withdraw", account_arguments(1, STRANGER)),
    Probe("clearinghouse", "transfer", lambda s: (s.account, s.other, 1)),
    Probe("clearinghouse", "release", fixed(STRANGER)),
    Probe("clearinghouse", "collect", account_arguments(0)),
    Probe(
        "clearinghouse",
        "trade",
        lambda s: (s.other, s.account, 0, 10**16, s.stage.prices[0], 0),
    ),
    Probe("clearinghouse", "deposit_from", account_arguments(1)),
    Probe(
        "clearinghouse",
        "take_over",
        lambda s: (s.account, s.other, 0, 10**16, s.stage.prices[0], 0),
    ),
    Probe("clearinghouse", "pay_for_collateral", lambda s: (s.account, s.other, 0)),
    Probe("clearinghouse", "close_at_mark", account_arguments(0)),
    Probe("clearinghouse", "deleverage", fixed(0, 10**16, 0)),
    Probe("clearinghouse", "write_off", account_arguments(0, 0)),
    Probe("clearinghouse", "note_collateral", account_arguments(0)),
    Probe("clearinghouse", "settle_market", fixed(0)),
    Probe("clearinghouse", "set_gateway_at", fixed(GATEWAY, "0x" + "00" * 20)),
    Probe("clearinghouse", "set_liquidator", lambda s: (s.d.addresses["liquidator"],)),
    Probe("clearinghouse", "set_interest_rate", fixed(1)),
    Probe("clearinghouse", "hand_over", lambda s: (s.d.addresses["gateway"],)),
    # The gateway
    Probe("gateway", "fill", fill_arguments),
    Probe("gateway", "fill_within", fill_within_arguments),
    Probe("gateway", "report_and_fill", report_and_fill_arguments),
    Probe("gateway", "match", match_arguments),
    Probe("gateway", "cancel", order_of_account),
    Probe("gateway", "raise_min_salt", account_arguments(1)),
    Probe("gateway", "set_session_key", account_arguments(STRANGER, 2**31, 0, 10**18)),
    Probe("gateway", "revoke_session_key", account_arguments(dev_address(SESSION))),
    Probe("gateway", "deposit_with_permit", account_arguments(1, *PERMIT)),
    # The liquidator
    Probe("liquidator", "poke", account_arguments()),
    Probe("liquidator", "take", lambda s: (s.other, 0, 1, s.account, GENEROUS)),
    Probe("liquidator", "take_collateral", lambda s: (s.other, 0, 1, s.account, GENEROUS)),
    Probe("liquidator", "resolve", account_arguments()),
    Probe("liquidator", "set_parameters", lambda s: (s.stage.config.liquidation.tuple(),)),
    Probe("liquidator", "hand_over", lambda s: (s.d.addresses["gateway"],)),
    # The timelock
    Probe("timelock", "schedule", fixed(*NOTHING, WEEK)),
    Probe("timelock", "schedule_batch", fixed(*NO_BATCH, WEEK)),
    Probe("timelock", "cancel", fixed(EMPTY)),
    Probe("timelock", "execute", fixed(*NOTHING)),
    Probe("timelock", "execute_batch", fixed(*NO_BATCH)),
    Probe("timelock", "update_delay", lambda s: (s.stage.config.roles.timelock_delay,)),
    Probe("timelock", "grantRole", fixed(PROPOSER_ROLE, STRANGER)),
    Probe("timelock", "revokeRole", fixed(PROPOSER_ROLE, STRANGER)),
    Probe("timelock", "renounceRole", lambda s: (PROPOSER_ROLE, s.caller), "one's own"),
    Probe("timelock", "renounceRole", fixed(PROPOSER_ROLE, dev_address(3)), "another's"),
)


# --- measuring -------------------------------------------------------------------------------

Row = dict[str, list[str]]  # "allowed": roles, "refused": reasons the others get
Table = dict[str, dict[str, Row]]  # contract -> function -> row


def role_config(config: Config) -> Config:
    """With different people as proposer and executor."""
    roles = config.roles.model_copy(
        update={"proposers": [dev_address(PROPOSER)], "executors": [dev_address(EXECUTOR)]}
    )
    return config.model_copy(update={"roles": roles})


def set_scene(config: Config) -> Scene:
    """Deploys; two accounts with cash, one with a session key."""
    stage = Stage(role_config(config))
    account, other = stage.open(OWNER, 10_000), stage.open(OTHER, 10_000)
    key = (account, dev_address(SESSION), 2**31, 10_000, 10**24)
    stage.d.gateway.set_session_key(*key, sender=ape.accounts.test_accounts[OWNER])
    return Scene(stage, account, other)


def addresses_of(deployment: Deployment) -> dict[str, str]:
    """Caller of each role."""
    contracts = {
        "gateway": "gateway",
        "liquidator": "liquidator",
        "ledger": "clearinghouse",
        "custody": "custody",
        "settings": "settings",
        "timelock": "timelock",
    }
    people = {
        "anyone": STRANGER,
        "signed": STRANGER,
        "owner": dev_address(OWNER),
        "session": dev_address(SESSION),
        "guardian": dev_address(1),
        "proposer": dev_address(PROPOSER),
        "executor": dev_address(EXECUTOR),
        "deployer": deployment.deployer,
    }
    return people | {role: deployment.addresses[name] for role, name in contracts.items()}


def measure(scene: Scene) -> Table:
    """The whole table."""
    check_complete(scene.d)
    client = Client(node_url())
    table: Table = {}
    for probe in PROBES:
        contract = CONTRACTS[probe.contract]
        snapshot = ape.chain.snapshot() if probe.prepare else None
        if probe.prepare:
            probe.prepare(scene)
        table.setdefault(contract, {})[probe.label] = measure_row(scene, probe, client)
        if snapshot is not None:
            ape.chain.restore(snapshot)
    return table


def measure_row(scene: Scene, probe: Probe, client: Client) -> Row:
    function = Function.from_abi(entries(scene.d, probe.contract)[probe.function])
    target = scene.d.addresses[probe.contract]
    callers = addresses_of(scene.d)
    calls = [
        Call(target, function, as_values(probe.arguments(as_role(scene, role, caller))), caller)
        for role, caller in callers.items()
    ]
    allowed, refused = [], set()
    for role, answer in zip(callers, client.call_many(calls), strict=True):
        if isinstance(answer, Reverted) and answer.reason in REFUSALS:
            refused.add(answer.reason)
        elif isinstance(answer, Exception) and not isinstance(answer, Reverted):
            raise RolesError(f"{probe.contract}.{probe.label} as {role}: {answer}")
        else:
            allowed.append(role)
    return {"allowed": [r for r in ROLES if r in allowed], "refused": sorted(refused)}


def as_role(scene: Scene, role: str, caller: str) -> Scene:
    return Scene(scene.stage, scene.account, scene.other, caller, signed=role == "signed")


def as_values(value: Any) -> Any:
    """As the ABI encoder wants them: contracts as addresses, hex as bytes."""
    if isinstance(value, str) and value.startswith("0x") and len(value) == 66:
        return bytes.fromhex(value[2:])
    if isinstance(value, list | tuple):
        return type(value)(as_values(each) for each in value)
    return value


def entries(deployment: Deployment, name: str) -> dict[str, dict[str, Any]]:
    """Functions of a contract that can change state, by name."""
    methods = getattr(deployment, name).contract_type.methods
    return {each.name: each.model_dump() for each in methods if not is_view(each)}


def is_view(method: Any) -> bool:
    return method.stateMutability in ("view", "pure")


def check_complete(deployment: Deployment) -> None:
    """Every function of every contract of ours has a probe, and no probe is for nothing."""
    probed = {(probe.contract, probe.function) for probe in PROBES}
    existing = set(functions_of(deployment))
    for contract, function in sorted(existing - probed):
        raise RolesError(f"{contract}.{function} has no entry in scripts/support/roles.py.")
    for contract, function in sorted(probed - existing):
        raise RolesError(
            f"{contract}.{function} is in scripts/support/roles.py and not in the ABI."
        )


def functions_of(deployment: Deployment) -> Iterator[tuple[str, str]]:
    for name in CONTRACTS:
        if name != "settlement":
            for function in entries(deployment, name):
                yield name, function


# --- page ------------------------------------------------------------------------------------


def render(table: Mapping[str, Mapping[str, Row]]) -> str:
    """As a page of Markdown."""
    lines = [
        "# Who may call what",
        "",
        "Measured by `ape run roles` on a local deployment, every function that can change state"
        " asked by every role; a test compares. ● allowed.",
        "",
        *(f"- **{role}**: {meaning}" for role, meaning in ROLES.items()),
    ]
    for contract, rows in table.items():
        header = ["function", *ROLES, "others get"]
        lines += ["", f"## {contract}", "", "| " + " | ".join(header) + " |"]
        lines.append("|---|" + ":-:|" * len(ROLES) + "---|")
        for label, row in rows.items():
            marks = ["●" if role in row["allowed"] else "" for role in ROLES]
            reasons = ", ".join(f"“{reason}”" for reason in row["refused"])
            lines.append("| " + " | ".join([f"`{label}`", *marks, reasons]) + " |")
    return "\n".join(lines) + "\n"
