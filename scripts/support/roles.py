"""Who may call what: measured on a deployment, function by function, role by role.

Each function is asked (`eth_call`) with arguments that would do if the caller were allowed. A
caller is refused if the reason is one of REFUSALS. Any other answer counts as allowed, so a
function whose guard is missing shows as open to all. A function without a probe is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import ape

from oracle.chain import Call, Client, Function, Reverted
from scripts.support.config import Config
from scripts.support.deployed import CONTRACTS, Deployment
from scripts.support.dev_keys import dev_address
from scripts.support.errors import ScriptError
from scripts.support.fork import node_url
from scripts.support.role_probes import OTHER, OWNER, PROBES, SESSION, STRANGER, Probe, Scene
from scripts.support.stage import Stage

PROPOSER, EXECUTOR = 2, 9
MANAGER: Final = "0x6d6d6D6D6D6D6d6D6d6d6d6D6d6d6D6d6d6d6d6D"
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
        "not fund",
        "not guardian",
        "not ledger",
        "not liquidator",
        "not manager",
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
    "fund": "InsuranceFund",
    "vault": "BackstopVault",
    "settings": "RiskSettings",
    "manager": "the manager of the backstop vault",
    "guardian": "the guardian",
    "timelock": "the timelock, owner of every setter: governance after its delay",
    "proposer": "proposer and canceller at the timelock",
    "executor": "executor at the timelock",
    "deployer": "the account that deployed everything",
}


class RolesError(ScriptError):
    """The table cannot be made. One sentence."""


# --- measuring -------------------------------------------------------------------------------

Row = dict[str, list[str]]  # "allowed": roles, "refused": reasons the others get
Table = dict[str, dict[str, Row]]  # contract -> function -> row


def role_config(config: Config) -> Config:
    """With different people as proposer and executor."""
    roles = config.roles.model_copy(
        update={"proposers": [dev_address(PROPOSER)], "executors": [dev_address(EXECUTOR)]}
    )
    backstop = config.backstop.model_copy(update={"manager": MANAGER})
    return config.model_copy(update={"roles": roles, "backstop": backstop})


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
        "fund": "fund",
        "vault": "vault",
        "settings": "settings",
        "timelock": "timelock",
    }
    people = {
        "anyone": STRANGER,
        "signed": STRANGER,
        "owner": dev_address(OWNER),
        "session": dev_address(SESSION),
        "guardian": dev_address(1),
        "manager": MANAGER,
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
        raise RolesError(f"{contract}.{function} has no entry in scripts/support/role_probes.py.")
    for contract, function in sorted(probed - existing):
        raise RolesError(
            f"{contract}.{function} is in scripts/support/role_probes.py and not in the ABI."
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
