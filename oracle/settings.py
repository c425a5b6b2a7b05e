"""The one file that reads the environment: where a keeper finds its node, contracts and keys.

Variables start with PLIMSOLL_, for example PLIMSOLL_RPC_URL. Keys are named by their keystore
files only: no variable holds a private key or a passphrase.
"""

from __future__ import annotations

from pathlib import Path

from eth_utils.address import is_checksum_address
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsError(Exception):
    """The environment cannot be used. One sentence."""


class KeeperSettings(BaseSettings):
    """What a keeper is started with.

    Attributes:
        rpc_url: JSON-RPC of the node.
        risk_engine: checksummed address of the contract.
        keystores: encrypted JSON keys of the signers, as a JSON list of paths.
        sender_keystore: key of the account that pays for the transactions.
        passphrase_file: holds the passphrase of all of them.
        timeout: [s] to wait for the node, and for a transaction to be mined.
    """

    model_config = SettingsConfigDict(env_prefix="PLIMSOLL_", extra="ignore", frozen=True)

    rpc_url: str = "http://127.0.0.1:8545"
    risk_engine: str
    keystores: list[Path] = Field(min_length=1)
    sender_keystore: Path
    passphrase_file: Path
    timeout: float = Field(default=60.0, gt=0.0)

    @field_validator("rpc_url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("it starts with http:// or https://")
        return value

    @field_validator("risk_engine")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if not is_checksum_address(value):
            raise ValueError("it is no checksummed address")
        return value


def load_settings() -> KeeperSettings:
    """The settings of this process.

    Raises:
        SettingsError: naming the first variable that is missing or wrong.
    """
    try:
        return KeeperSettings()
    except ValidationError as error:
        problem = error.errors()[0]
        name = "PLIMSOLL_" + str(problem["loc"][0]).upper()
        if problem["type"] == "missing":
            raise SettingsError(f"{name} is not set.") from None
        what = problem["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{name} cannot be used: {what}.") from None
    except Exception as error:  # a list that is no JSON
        raise SettingsError(f"The environment cannot be read: {error}.") from None
