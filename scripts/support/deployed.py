"""Where a deployment is: its contracts, and the file that remembers them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import ape
from eth_utils.crypto import keccak

from scripts.support.errors import ScriptError
from scripts.support.files import read_json, write_json

ZERO: Final = "0x" + "00" * 20
GATEWAY: Final = 0  # number that accounts opt in to
OWNED: Final = ("engine", "custody", "clearinghouse", "fund", "vault", "liquidator")
FOLDER: Final = Path("build/deployments")
# Name in a deployment -> contract.
CONTRACTS: Final = {
    "settings": "RiskSettings",
    "engine": "RiskEngine",
    "settlement": "TokenMock",
    "custody": "Custody",
    "clearinghouse": "Clearinghouse",
    "gateway": "OrderGateway",
    "fund": "InsuranceFund",
    "vault": "BackstopVault",
    "liquidator": "Liquidator",
    "timelock": "Timelock",
    "lens": "Lens",
    "waterfall_lens": "WaterfallLens",
}


class DeploymentError(ScriptError):
    """Deploying or loading went wrong. One sentence."""


@dataclass(frozen=True)
class Deployment:
    """Contracts of one deployment, as attributes named like the keys of CONTRACTS."""

    chain_id: int
    deployer: str
    block: int  # the first one to look at for events
    addresses: dict[str, str]
    code_hashes: dict[str, str]  # keccak of the code on the chain
    markets: dict[str, int]  # symbol -> asset id
    tokens: dict[str, int]  # symbol of a collateral token -> asset id
    collateral_addresses: dict[str, str]  # symbol -> contract
    fingerprint: str = ""  # of the configuration
    _instances: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __getattr__(self, name: str) -> Any:
        """The contract of that name."""
        addresses = self.__dict__.get("addresses", {})
        if name not in addresses:
            raise AttributeError(f"no contract {name!r} in this deployment")
        if name not in self._instances:
            self._instances[name] = container(CONTRACTS[name]).at(addresses[name])
        return self._instances[name]

    def collateral(self, symbol: str) -> Any:
        """The contract of a listed collateral token."""
        return container("TokenMock").at(self.collateral_addresses[symbol])

    @property
    def asset_ids(self) -> dict[str, int]:
        return self.markets | self.tokens

    # --- file ------------------------------------------------------------------------------------

    def save(self, folder: Path = FOLDER) -> Path:
        # Not `asdict`: copying a contract instance never ends.
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "_instances"}
        path = path_of(self.chain_id, folder)
        write_json(path, values)
        return path

    @classmethod
    def load(cls, path: Path | None = None, folder: Path = FOLDER) -> Deployment:
        """The deployment on the connected chain, whose code is there."""
        path = path_of(chain_id(), folder) if path is None else path
        values = read_json(path)
        if values is None:
            raise DeploymentError(
                f"There is no deployment for chain {chain_id()} ({path}): `ape run deploy` first."
            )
        try:
            deployment = cls(**values)
        except TypeError:
            raise DeploymentError(f"{path} is not a deployment of this version.") from None
        deployment.check(path)
        return deployment

    def check(self, path: Path) -> None:
        """Refuse to be used on another chain."""
        connected = chain_id()
        if self.chain_id != connected:
            raise DeploymentError(
                f"{path} is a deployment on chain {self.chain_id}, but this is chain {connected}."
            )
        for name, expected in self.code_hashes.items():
            if code_hash(self.addresses[name]) != expected:
                raise DeploymentError(
                    f"The {name} of {path} ({self.addresses[name]}) is not on this chain: it is"
                    f" another chain with id {connected}, or it was restarted."
                )

    @property
    def is_live(self) -> bool:
        """Whether any of its contracts is on the connected chain."""
        return any(has_code(address) for address in self.addresses.values())


def path_of(chain_id: int, folder: Path = FOLDER) -> Path:
    return folder / f"{chain_id}.json"


def chain_id() -> int:
    """What the node says it is."""
    return int(ape.chain.provider.make_request("eth_chainId", []), 16)


def container(name: str) -> Any:
    return getattr(ape.project, name)


def code_of(address: str) -> bytes:
    return bytes(ape.chain.provider.get_code(address))


def has_code(address: str) -> bool:
    return len(code_of(address)) > 0


def code_hash(address: str) -> str:
    return "0x" + keccak(code_of(address)).hex()
