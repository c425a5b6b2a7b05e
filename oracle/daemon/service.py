"""A keeper put together from its configuration."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eth_utils.address import to_checksum_address

from oracle import signing
from oracle.chain import ChainError, Client
from oracle.daemon.alarms import Alarms, DaemonError, Exit, Log
from oracle.daemon.config import KeeperConfig, KeyFile, SignerEntry
from oracle.daemon.fees import check_patience
from oracle.daemon.journal import Journal, open_journal
from oracle.daemon.keeper import Keeper, summary
from oracle.daemon.keys import Key, forbid_core_dumps, open_key, passphrase_of, refuse_known
from oracle.daemon.lease import Lease
from oracle.daemon.logs import make_log
from oracle.daemon.metrics import Metrics
from oracle.daemon.node import ClockGuard, Nodes, PatientClient, steady
from oracle.daemon.outbox import (
    Arrow,
    DryOutbox,
    LiveOutbox,
    Outbox,
    Payload,
)
from oracle.daemon.panel import Panel
from oracle.daemon.pushes import Reports
from oracle.daemon.rebuild import rebuild
from oracle.daemon.relay import Relay
from oracle.daemon.remote import RemoteSigner, SignerServer
from oracle.daemon.signer import LocalSigner, Signer
from oracle.daemon.sources import (
    Ballot,
    MarketInfo,
    Sources,
    in_force,
    load_sources,
    recorded,
    replay_sources,
)
from oracle.daemon.view import Deployment, Looker, View, read_markets, read_view, self_check


@dataclass
class Parts:
    """What a process needs before it has a key.

    Attributes:
        aliases: symbol of an asset -> market whose price and numbers it has.
        infos: by asset id.
    """

    config: KeeperConfig
    deployment: Deployment
    nodes: Nodes
    client: Client
    log: Log
    metrics: Metrics
    alarms: Alarms
    aliases: dict[str, str] = field(default_factory=dict)
    infos: dict[int, MarketInfo] = field(default_factory=dict)
    sources: Sources | None = None  # of this process' signers, once they are opened
    ballot: Ballot | None = None  # what their numbers, or the reports, are made with

    @property
    def domain(self) -> signing.Domain:
        """That messages are signed for."""
        engine = to_checksum_address(self.deployment.engine)
        return signing.Domain(self.deployment.chain_id, engine)

    @property
    def assets(self) -> list[int]:
        """Ids, ascending."""
        return sorted(self.infos)

    @property
    def markets(self) -> dict[int, str]:
        """Asset id -> market whose price and numbers it has."""
        return {asset: self.aliases[info.symbol] for asset, info in self.infos.items()}

    @property
    def market_infos(self) -> dict[str, MarketInfo]:
        """By market; its own bracket 0 counts, collateral follows the market it is named after."""
        found: dict[str, MarketInfo] = {}
        for asset, market in self.markets.items():
            info = self.infos[asset]
            if market not in found or info.symbol == market:
                found[market] = info
        return found

    def view(self) -> View:
        """Now."""
        return read_view(self.client, self.deployment, self.assets)

    def close(self) -> None:
        """Let go of what sources hold."""
        if self.sources is not None:
            self.sources.close()
            self.sources = None


def open_parts(config: KeeperConfig, log: Log | None = None) -> Parts:
    """Connect, and check that everything is what it was configured to be.

    Raises:
        DaemonError: it is not.
    """
    log = log or make_log(level=config.log_level)
    metrics = Metrics()
    alarms = Alarms(log, metrics.count_alarm)
    deployment = Deployment.load(config.deployment)
    failing: Callable[[str], None] = lambda reason: log.info("try failed", reason=reason)  # noqa: E731
    clients = [
        PatientClient(url, config.timing.rpc_timeout, on_failure=failing) for url in config.nodes
    ]
    parts = Parts(
        config=config,
        deployment=deployment,
        nodes=Nodes(clients, deployment.chain_id),
        client=clients[0],
        log=log,
        metrics=metrics,
        alarms=alarms,
    )
    try:
        session = parts.nodes.session()
        parts.client = session.client
        parts.aliases = config.markets or {symbol: symbol for symbol in deployment.assets}
        unknown = sorted(set(parts.aliases) - set(deployment.assets))
        if unknown:
            what = f"The deployment has no asset {unknown[0]}, only "
            raise DaemonError(f"{what}{', '.join(deployment.assets)}.", Exit.SELF_CHECK)
        ids = {symbol: deployment.assets[symbol] for symbol in parts.aliases}
        check_distinct(ids)
        self_check(session.client, deployment, ids)
        infos = read_markets(session.client, deployment, ids)
    except ChainError as error:
        raise DaemonError(str(error), Exit.NODE) from None
    parts.infos = {info.asset: info for info in infos.values()}
    return parts


def check_distinct(ids: Mapping[str, int]) -> None:
    """
    Raises:
        DaemonError: two symbols are one asset.
    """
    seen: dict[int, str] = {}
    for symbol, asset in ids.items():
        if asset in seen:
            what = f"{seen[asset]} and {symbol} are both asset {asset}."
            raise DaemonError(what, Exit.SELF_CHECK)
        seen[asset] = symbol


def origin_now(parts: Parts) -> int:
    """[s] Where on the chain a recording begins: at the time of the grid whose report is due."""
    now = parts.client.block_time()
    return now - now % (parts.config.timing.report_every or parts.view().period)


def open_sources(parts: Parts, origin: int) -> Sources:
    """As configured, once a process: its signers are one to the outside.

    Args:
        origin: [s] where on the chain a recording begins.
    """
    if parts.sources is None:
        parts.sources = _make_sources(parts, origin)
        known = parts.sources
        parts.ballot = Ballot(known.voted, parts.market_infos, known.reread)
    return parts.sources


def _make_sources(parts: Parts, origin: int) -> Sources:
    feeds, entry = parts.config.feeds, parts.config.sources
    infos = parts.market_infos
    if feeds is not None:
        from oracle.daemon.live import live_sources  # ccxt takes a second to load

        return live_sources(feeds, infos, parts.alarms)
    if entry is None or entry.replay is None:
        named = ("", {}) if entry is None else (entry.factory or "", entry.options)
        return load_sources(named[0], infos, named[1])
    return replay_sources(entry.replay, infos, origin)


def make_reports(parts: Parts) -> Reports | None:
    """Of pushes; None where nobody here knows what numbers are made with."""
    config, ballot = parts.config, parts.ballot or make_ballot(parts)
    known = {asset: market for asset, market in parts.markets.items() if market in ballot}
    if not known:
        parts.log.warning("pushes have no reports: the sources do not say what they are made with")
        return None
    return Reports(config.reports or config.state / "reports", known, ballot, parts.alarms)


def make_ballot(parts: Parts) -> Ballot:
    """Of a process whose signers are all elsewhere."""
    config, infos = parts.config, parts.market_infos
    if config.feeds is not None:
        from oracle.daemon.live import live_reread, live_voted

        return Ballot(live_voted(config.feeds, infos), infos, live_reread(config.feeds, infos))
    if config.sources is not None and config.sources.replay is not None:
        return Ballot(in_force(recorded(config.sources.replay), infos), infos)
    return Ballot({}, infos)


def open_entry(entry: KeyFile | SignerEntry) -> Key:
    """The key of an entry with a keystore."""
    forbid_core_dumps()
    path = entry.keystore
    if path is None:
        raise DaemonError("There is no keystore.", Exit.KEYS)
    return open_key(path, passphrase_of(entry.passphrase_file, entry.passphrase_fd, str(path)))


def check_signers(parts: Parts, addresses: list[str], view: View) -> None:
    """Enough of them are signers of the engine, and none is a key everybody knows.

    Raises:
        DaemonError: otherwise.
    """
    refuse_known(addresses, parts.deployment.chain_id)
    strangers = [address for address in addresses if address.lower() not in view.signers]
    if strangers:
        raise DaemonError(f"{strangers[0]} is no signer of the engine.", Exit.SELF_CHECK)
    if len(set(addresses)) < view.quorum:
        what = f"{len(set(addresses))} signers cannot make a quorum of {view.quorum}."
        raise DaemonError(what, Exit.QUORUM)


def genesis(client: Client) -> str:
    """Which chain this is, where ids are shared: local chains come and go."""
    first = client.request("eth_getBlockByNumber", "0x0", False)
    with client.sense():
        return str(first["hash"])[2:12]


def make_keeper(
    parts: Parts,
    signers: list[Signer],
    sender: Key,
    *,
    dry_run: Callable[[Payload], None] | None = None,
    arrow: Arrow = lambda name: None,
    clock: ClockGuard | None = None,
    journal: Journal | None = None,
) -> Keeper:
    """All parts, with local signers that look through the keeper's eyes.

    Args:
        dry_run: takes payloads instead of the chain; nothing is journaled on disk then.
        clock: None leaves the host's clock out of it.
    """
    view = parts.view()
    check_keeper(parts, [signer.address for signer in signers], sender.address, view)
    if journal is None:
        journal = make_journal(parts, sender.address, in_memory=dry_run is not None)
    outbox: Outbox = live_outbox(parts, sender, journal, arrow)
    if dry_run is not None:
        outbox = DryOutbox(sender.address, dry_run)
    looker = Looker(parts.deployment, parts.assets)
    for signer in signers:
        if isinstance(signer, LocalSigner):
            signer.look = looker
    parts.log.info("ready", sender=sender.address, **summary(view, parts.infos))
    return Keeper(
        nodes=parts.nodes,
        looker=looker,
        panel=Panel(signers, parts.domain),
        outbox=outbox,
        journal=journal,
        alarms=parts.alarms,
        metrics=parts.metrics,
        infos=parts.infos,
        fixed=fixed_assets(parts, signers),
        patience=parts.config.sending.patience,
        clock=clock,
        report_every=parts.config.timing.report_every,
        reports=None if dry_run is not None else make_reports(parts),
        arrow=arrow,
    )


def fixed_assets(parts: Parts, signers: list[Signer]) -> frozenset[int]:
    """Whose severity a signer of this process solves for the table of its start. Signers elsewhere
    look after themselves."""
    local = [signer for signer in signers if isinstance(signer, LocalSigner)]
    return frozenset(a for a in parts.assets if any(not signer.follows(a) for signer in local))


def check_keeper(parts: Parts, signers: list[str], sender: str, view: View) -> None:
    """Keys and times fit the chain.

    Raises:
        DaemonError: otherwise.
    """
    check_signers(parts, signers, view)
    refuse_known([sender], parts.deployment.chain_id)
    every = parts.config.timing.report_every
    check_patience(parts.config.sending.patience, every or view.period)
    if every is not None and every % view.period:
        what = f"report_every {every} is no multiple of the chain's period {view.period}."
        raise DaemonError(what, Exit.SELF_CHECK)


def live_outbox(parts: Parts, sender: Key, journal: Journal, arrow: Arrow) -> LiveOutbox:
    """Sends with this key."""
    return LiveOutbox(
        sender,
        parts.deployment.chain_id,
        journal,
        parts.alarms,
        parts.metrics,
        parts.config.sending.patience,
        relay=make_relay(parts),
        arrow=arrow,
    )


def make_relay(parts: Parts) -> Relay | None:
    """As configured; None where everything goes to the node."""
    sending = parts.config.sending
    if sending.relay is None:
        return None
    client = Client(sending.relay, sending.relay_timeout)
    return Relay(client, sending.relay_wait, parts.alarms, parts.metrics)


def journal_path(config: KeeperConfig, deployment: Deployment, client: Client, sender: str) -> Path:
    """One of each chain, engine and sender."""
    name = f"{deployment.chain_id}-{genesis(client)}-{deployment.engine[2:10]}-{sender[2:10]}"
    return config.state / f"{name.lower()}.sqlite"


def identity_of(parts: Parts, sender: str) -> str:
    """What a journal is about."""
    engine, chain = parts.deployment.engine, parts.deployment.chain_id
    return f"{chain}:{genesis(parts.client)}:{engine}:{sender}".lower()


def keystore_address(path: Path) -> str:
    """Of an encrypted key, without opening it.

    Raises:
        DaemonError: it does not say.
    """
    try:
        address = json.loads(path.read_text(encoding="utf-8"))["address"]
        return str(to_checksum_address(address))
    except (OSError, ValueError, KeyError, TypeError):
        raise DaemonError(f"{path} is no keystore with an address.", Exit.KEYS) from None


def make_journal(parts: Parts, sender: str, in_memory: bool = False) -> Journal:
    """Opened; a damaged one is set aside and begun anew from the chain.

    What waits is timed by its entries: their clock does not jump while the keeper runs.
    """
    identity = identity_of(parts, sender)
    if in_memory:
        return Journal(":memory:", identity, steady())
    path = journal_path(parts.config, parts.deployment, parts.client, sender)
    is_new = not path.exists()
    journal, aside = open_journal(path, identity, steady())
    if aside is not None:
        parts.alarms.sound(Exit.JOURNAL, "error", "journal damaged", set_aside=str(aside))
    if aside is not None or is_new:
        count = rebuild(journal, parts.client, parts.deployment)
        parts.log.info("journal begun from the chain", entries=count)
    return journal


def make_signers(parts: Parts, origin: int) -> list[Signer]:
    """As configured."""
    signers: list[Signer] = []
    for entry in parts.config.signers:
        if entry.url is not None and entry.address is not None:
            signers.append(RemoteSigner(entry.url, entry.address, parts.config.timing.rpc_timeout))
        else:
            signers.append(local_signer(parts, open_entry(entry), open_sources(parts, origin)))
    return signers


def local_signer(parts: Parts, key: Key, sources: Sources) -> LocalSigner:
    """It looks at the chain through its own node until a keeper lends it its eyes."""
    rules = parts.config.signing.rules
    return LocalSigner(key, parts.domain, sources, parts.markets, parts.view, rules, parts.ballot)


# --- processes ------------------------------------------------------------------------------------


def lease_of(parts: Parts, sender: str) -> Lease:
    """Of this engine and sender on this machine."""
    path = journal_path(parts.config, parts.deployment, parts.client, sender)
    return Lease(path.with_suffix(".lease"))


def serve_signer(parts: Parts, entry: SignerEntry, origin: int) -> SignerServer:
    """A server of one signer; it is not serving yet.

    Raises:
        DaemonError: it is none of the engine's signers, or cannot listen.
    """
    key = open_entry(entry)
    refuse_known([key.address], parts.deployment.chain_id)
    if key.address.lower() not in parts.view().signers:
        raise DaemonError(f"{key.address} is no signer of the engine.", Exit.SELF_CHECK)
    listen = parts.config.listen
    if listen is None:
        raise DaemonError("There is no [listen] with a port for the signer.", Exit.CONFIG)
    signer = local_signer(parts, key, open_sources(parts, origin))
    return SignerServer(signer, listen.host, listen.port)


def payload_line(payload: Payload) -> str:
    """Of a dry run: one JSON object a line."""
    values: Mapping[str, Any] = {
        "kind": payload.kind,
        "epoch": payload.epoch,
        "to": payload.to,
        "data": "0x" + payload.data.hex(),
    }
    return json.dumps(values)
