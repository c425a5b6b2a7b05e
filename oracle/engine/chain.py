"""What the contracts share: block time, and a revert that undoes everything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol, TypeVar


@dataclass(slots=True)
class Chain:
    """The block a call is in."""

    timestamp: int  # [Unix time]


class Stateful(Protocol):
    """A contract: all it stores is one dataclass of dictionaries and immutable values."""

    state: Any


S = TypeVar("S", bound=Any)


def copy_state(state: S) -> S:
    """The state with its dictionaries copied; their values are immutable."""
    stored = {field.name: getattr(state, field.name) for field in fields(state)}
    return replace(state, **{k: dict(v) for k, v in stored.items() if isinstance(v, dict)})


@contextmanager
def transaction(*contracts: Stateful) -> Iterator[None]:
    """All or nothing: an exception puts every contract back as it was."""
    before = [copy_state(contract.state) for contract in contracts]
    try:
        yield
    except BaseException:
        for contract, state in zip(contracts, before, strict=True):
            contract.state = state
        raise
