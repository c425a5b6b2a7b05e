"""What the role table is measured with: a call of every function that can change state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import ape

from scripts.support.deployed import GATEWAY, Deployment
from scripts.support.dev_keys import dev_address
from scripts.support.stage import Stage

STRANGER: Final = "0x" + "5a" * 20
OWNER, OTHER, SESSION = 6, 7, 8  # accounts of the local mnemonic
EMPTY: Final = "0x" + "00" * 32
ZERO: Final = "0x" + "00" * 20  # address
DAY: Final = 86_400


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


def share_probes(contract: str) -> tuple[Probe, ...]:
    """What fund and vault have alike: shares, and the ways in and out."""
    return (
        Probe(contract, "request_deposit", fixed(10**6)),
        Probe(contract, "cancel_deposit", fixed()),
        Probe(contract, "request_redeem", fixed(1)),
        Probe(contract, "cancel_redeem", fixed()),
        Probe(contract, "deposit", fixed(10**6, STRANGER)),
        Probe(contract, "mint", fixed(10**12, STRANGER)),
        Probe(contract, "withdraw", lambda s: (1, STRANGER, s.caller)),
        Probe(contract, "redeem", lambda s: (10**6, STRANGER, s.caller)),
        Probe(contract, "transfer", fixed(STRANGER, 0)),
        Probe(contract, "approve", fixed(STRANGER, 0)),
        Probe(contract, "transferFrom", fixed(STRANGER, STRANGER, 0)),
        Probe(contract, "permit", fixed(STRANGER, STRANGER, 0, 2**40, 27, EMPTY, EMPTY)),
    )


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
    Probe("settings", "set_feed", fixed(0, (ZERO, 0, 0, 0))),
    Probe("settings", "set_price_rules", lambda s: (s.stage.config.price_rules.tuple(),)),
    Probe("settings", "set_push_rules", lambda s: (s.stage.config.push_rules.tuple(),)),
    Probe("settings", "set_signers", lambda s: (s.stage.config.oracle.ascending, 2)),
    Probe("settings", "set_sequencer_feed", fixed(ZERO)),
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
    Probe("custody", "collect_ticket", account_arguments(STRANGER)),
    Probe("custody", "pay_claim", account_arguments(STRANGER, 0)),
    Probe("custody", "credit", fixed(STRANGER, 0)),
    Probe("custody", "socialise", fixed(0)),
    Probe("custody", "distribute", fixed(0, 0)),
    Probe("custody", "add_insurance", fixed(0)),
    Probe("custody", "use_insurance", fixed(0)),
    Probe("custody", "pay_insurance", fixed(STRANGER, 0)),
    Probe("custody", "set_insurance_fund", lambda s: (s.d.addresses["fund"],)),
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
    Probe("clearinghouse", "sweep", fixed(0)),
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
    Probe("clearinghouse", "close_at_mark", account_arguments(0, ZERO, [])),
    Probe("clearinghouse", "reward", account_arguments(STRANGER, 0)),
    Probe("clearinghouse", "deleverage", fixed(0, False, 10**16, 0, 0)),
    Probe("clearinghouse", "write_off", account_arguments(0, 0)),
    Probe("clearinghouse", "note_collateral", account_arguments(0)),
    Probe("clearinghouse", "settle_market", fixed(0)),
    Probe("clearinghouse", "set_gateway_at", fixed(GATEWAY, ZERO)),
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
    # The insurance fund
    *share_probes("fund"),
    Probe("fund", "give", fixed(0, 10**6)),
    Probe("fund", "note_income", fixed(0, 0)),
    Probe("fund", "cover", fixed(0, 0)),
    Probe("fund", "set_bucket_cap", fixed(0, 1)),
    Probe("fund", "hand_over", lambda s: (s.d.addresses["gateway"],)),
    # The backstop vault
    *share_probes("vault"),
    Probe("vault", "give", fixed(10**6)),
    Probe("vault", "fill_ring", fixed(0)),
    Probe("vault", "drain_ring", fixed(0)),
    Probe("vault", "collect", fixed(0)),
    Probe("vault", "take_last", lambda s: (s.other, 0)),
    Probe("vault", "reduce", lambda s: fill_arguments(s)[:3]),
    Probe("vault", "open_ring", fixed(5, 1)),
    Probe("vault", "set_target", fixed(0, 1)),
    Probe("vault", "set_manager", fixed(STRANGER)),
    Probe("vault", "set_limits", fixed(1, 1)),
    Probe("vault", "sell", fixed(0, 1, STRANGER)),
    Probe("vault", "hand_over", lambda s: (s.d.addresses["gateway"],)),
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
