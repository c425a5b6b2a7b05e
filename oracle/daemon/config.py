"""What a keeper is started with: one TOML or JSON file. Unknown keys are refused, in one sentence.

Keys are named by their keystores; passphrases come from files or file descriptors, or are typed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator

from oracle.daemon.alarms import DaemonError, Exit
from oracle.daemon.fees import ETHER, GWEI, Patience
from oracle.daemon.fields import Gwei, Model, Ppm, Seconds, Url
from oracle.daemon.files import read_mapping
from oracle.daemon.live_config import Feeds
from oracle.daemon.remote import check_address
from oracle.daemon.signer import Rules


class KeyFile(Model):
    """An encrypted key.

    Attributes:
        passphrase_file: mode 600.
        passphrase_fd: a file descriptor it can be read from, once for each key.
    """

    keystore: Path
    passphrase_file: Path | None = None
    passphrase_fd: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _one(self) -> KeyFile:
        if self.passphrase_file is not None and self.passphrase_fd is not None:
            raise ValueError("name a passphrase_file or a passphrase_fd, not both")
        return self


class SignerEntry(KeyFile):
    """A key of this process, or the url of another process and the address it signs with."""

    keystore: Path | None = None  # type: ignore[assignment]
    url: Url | None = None
    address: Annotated[str, AfterValidator(check_address)] | None = None

    @model_validator(mode="after")
    def _either(self) -> SignerEntry:
        if (self.keystore is None) == (self.url is None):
            raise ValueError("name a keystore or a url")
        if self.url is not None and self.address is None:
            raise ValueError("name the address that the signer at this url signs with")
        return self


class SourceEntry(Model):
    """A recording, or a function ``module:function`` and its options."""

    replay: str | None = None
    factory: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _either(self) -> SourceEntry:
        if (self.replay is None) == (self.factory is None):
            raise ValueError("name a replay or a factory")
        if self.factory is not None and ":" not in self.factory:
            raise ValueError("a factory is written module:function")
        return self


class Timing(Model):
    """[s]"""

    report_every: Annotated[int, Field(ge=1, le=3_600)] | None = None  # the chain's period
    round_every: Seconds = 1.0
    max_head_age: Seconds = 60.0
    max_skew: Seconds = 30.0
    rpc_timeout: Seconds = 5.0
    stall_after: Seconds = 120.0


class Sending(Model):
    """How transactions are sent; see `outbox.Patience`.

    Attributes:
        relay: that takes transactions before the node does, unseen by whoever watches the pool.
        relay_timeout: [s] for its answer; without one the node gets the same transaction.
        relay_wait: [s] for the transaction to be mined; then the node gets it too.
    """

    confirmations: Annotated[int, Field(ge=1, le=64)] = 2
    bump_after: Seconds = 24.0
    deadline: Seconds = 120.0
    tip_gwei: Gwei = 1.0
    max_gwei: Gwei = 200.0
    balance_eth: tuple[float, float, float] = (0.5, 0.2, 0.05)  # warning, error, critical
    relay: Url | None = None
    relay_timeout: Seconds = 2.0
    relay_wait: Seconds = 12.0

    @field_validator("balance_eth")
    @classmethod
    def _falling(cls, value: tuple[float, float, float]) -> tuple[float, float, float]:
        if not value[0] >= value[1] >= value[2] >= 0:
            raise ValueError("three falling levels: warning, error, critical")
        return value

    @model_validator(mode="after")
    def _published_before_replaced(self) -> Sending:
        if self.relay is not None and self.relay_wait >= self.bump_after:
            raise ValueError("relay_wait is not below bump_after")
        return self

    @property
    def patience(self) -> Patience:
        """In wei."""
        warning, error, critical = (int(level * ETHER) for level in self.balance_eth)
        return Patience(
            confirmations=self.confirmations,
            bump_after=self.bump_after,
            deadline=self.deadline,
            tip=int(self.tip_gwei * GWEI),
            most=int(self.max_gwei * GWEI),
            balance=(warning, error, critical),
        )


class SignerRules(Model):
    """What a signer accepts; see `signer.Rules`."""

    max_jump: Ppm = Rules.max_jump
    jump_counts: Annotated[int, Field(ge=0)] = Rules.jump_counts
    frozen_after: Annotated[int, Field(ge=1)] = Rules.frozen_after
    severity_tolerance: Ppm = Rules.severity_tolerance
    depth_tolerance: Ppm = Rules.depth_tolerance
    max_premium: Ppm = Rules.max_premium

    @property
    def rules(self) -> Rules:
        """For `LocalSigner`."""
        return Rules(**self.model_dump())


class Address(Model):
    """Where metrics, or a signer, are to be found."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)]


class KeeperConfig(Model):
    """All of it.

    Attributes:
        deployment: file that `ape run deploy` wrote.
        nodes: more than half of them must agree.
        state: folder of journal, lease and heartbeat.
        markets: symbol of an asset -> market whose price and numbers it has; the deployment's
            assets under their own names by default.
        sources: a recording or a function of yours; or
        feeds: exchanges.
        reports: folder of the report of each push, for `oracle verify`; by default ``reports`` in
            `state`.
        signers: enough for the quorum on the chain; of `oracle signer` the one key.
        sender: pays for the transactions.
    """

    deployment: Path
    nodes: list[Url] = Field(min_length=1)
    state: Path = Path("build/keeper")
    markets: dict[str, str] | None = None
    sources: SourceEntry | None = None
    feeds: Feeds | None = None
    reports: Path | None = None
    signers: list[SignerEntry] = Field(min_length=1, max_length=9)
    sender: KeyFile | None = None
    timing: Timing = Timing()
    sending: Sending = Sending()
    signing: SignerRules = SignerRules()
    metrics: Address | None = None
    listen: Address | None = None
    log_level: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = "info"

    @model_validator(mode="after")
    def _one_source(self) -> KeeperConfig:
        if (self.sources is None) == (self.feeds is None):
            raise ValueError("name [feeds] or sources, one of them")
        return self


def load_config(path: Path) -> KeeperConfig:
    """
    Raises:
        DaemonError: naming the first key that is missing, unknown or wrong.
    """
    try:
        config = KeeperConfig.model_validate(read_mapping(path))
    except ValidationError as error:
        raise DaemonError(f"{path}: {first_problem(error)}.", Exit.CONFIG) from None
    return resolved(config, path.parent)


def resolved(config: KeeperConfig, folder: Path) -> KeeperConfig:
    """Paths of keys, passphrases and the deployment are meant from the file's folder."""

    def key(entry: Any) -> Any:
        changed = {
            name: folder / value
            for name in ("keystore", "passphrase_file")
            if (value := getattr(entry, name)) is not None
        }
        return entry.model_copy(update=changed)

    return config.model_copy(
        update={
            "deployment": folder / config.deployment,
            "state": folder / config.state,
            "reports": folder / (config.reports or config.state / "reports"),
            "feeds": config.feeds and config.feeds.resolved(folder, config.state),
            "signers": [key(entry) for entry in config.signers],
            "sender": config.sender and key(config.sender),
        }
    )


def first_problem(error: ValidationError) -> str:
    """Where and what, of the first of several; never the value, which may be a secret."""
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"])
    what = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        what = "there is no such setting"
    return f"{where}: {what}" if where else what
