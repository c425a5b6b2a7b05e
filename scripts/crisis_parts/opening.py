"""The accounts come on the chain: opened, paid in, and matched pair by pair by signed orders.

Each account has an owner with a key of its own and is isolated. Every account signs one order for
its whole size at the first price; longs and shorts are matched in a row through the order gateway,
as far as both go, so n accounts take at most n - 1 matches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, field
from typing import Final

from eth_account import Account as Keys
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from oracle.crisis.accounts import Account
from oracle.signing import Domain, Order, account_id, sign
from scripts.crisis_parts.chain import Chain
from scripts.crisis_parts.errors import CrisisError
from scripts.crisis_parts.inputs import UNIT_WAD
from scripts.demo_parts.contracts import Happened

ISOLATED: Final = 2
GATEWAY: Final = 1  # bit of the order gateway
ENDLESS: Final = 2**256 - 1
EXPIRY: Final = 2**40
OnStep = Callable[[int], None]


@dataclass(frozen=True)
class Person:
    """The owner of one account."""

    key: LocalAccount = field(repr=False)
    account: int

    @property
    def address(self) -> str:
        """Checksummed."""
        return str(self.key.address)


def person(name: str) -> Person:
    """Its key follows from its name: for a local chain only."""
    key: LocalAccount = Keys.from_key(keccak(text=f"plimsoll crisis: {name}"))
    return Person(key, account_id(key.address))


def people(count: int) -> list[Person]:
    """Owners of accounts 0 to count - 1."""
    return [person(f"account {i}") for i in range(count)]


def open_accounts(chain: Chain, owners: Sequence[Person], time: int, on_block: OnStep) -> None:
    """By their owners, with the order gateway; mined at that time [s]."""
    data = chain["clearinghouse"].data("open_account", 0, ISOLATED, GATEWAY)
    for owner in owners:
        chain.send(owner.address, "clearinghouse", data, "open account")
    chain.mine(time, on_block=on_block)


def pay_in(
    chain: Chain, owners: Sequence[Person], equities: Sequence[int], on_block: OnStep
) -> None:
    """Deposit into each account what it owns [USD wad], from one bank's tokens."""
    bank = person("bank").address
    cash, ledger = chain["settlement"], chain["clearinghouse"]
    chain.send(bank, "settlement", cash.data("mint", bank, sum(equities) // UNIT_WAD), "mint")
    chain.send(bank, "settlement", cash.data("approve", ledger.address, ENDLESS), "approve")
    for owner, equity in zip(owners, equities, strict=True):
        data = ledger.data("deposit", owner.account, equity // UNIT_WAD)
        chain.send(bank, "clearinghouse", data, "deposit")
    chain.mine(on_block=on_block)


def match_all(
    chain: Chain,
    owners: Sequence[Person],
    accounts: Sequence[Account],
    market: int,
    members: Sequence[int],
    on_block: OnStep,
) -> list[Happened]:
    """Sign and match the accounts of one market (by index); the trades.

    Raises:
        CrisisError: the gateway refused a pair.
    """
    gateway = chain["gateway"]
    domain = Domain(chain.client.chain_id, gateway.address)
    broker = person("broker").address
    orders, signatures = {}, {}
    for i in members:
        orders[i] = _order(owners[i], accounts[i], market)
        signatures[i] = sign(orders[i], domain, owners[i].key).packed
    for long, short, size in pairs(accounts, members):
        data = gateway.data(
            "match",
            astuple(orders[long]),
            astuple(orders[short]),
            signatures[long],
            signatures[short],
            size,
        )
        chain.send(broker, "gateway", data, "match")
    events = chain.mine(on_block=on_block)
    if chain.counts.failed:
        reason, count = chain.counts.failed.most_common(1)[0]
        raise CrisisError(f"{count} positions could not be opened ({reason}).")
    return [event for event in events if event.name == "Traded"]


def pairs(accounts: Sequence[Account], members: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Long, short (by index) and size [base wad] of each match; both sides hold the same size."""
    longs = iter([i for i in members if accounts[i].is_long])
    shorts = iter([i for i in members if not accounts[i].is_long])
    long, short = next(longs, None), next(shorts, None)
    left = {i: int(accounts[i].size) for i in members}
    while long is not None and short is not None:
        size = min(left[long], left[short])
        yield long, short, size
        left[long] -= size
        left[short] -= size
        if not left[long]:
            long = next(longs, None)
        if not left[short]:
            short = next(shorts, None)


def _order(owner: Person, account: Account, market: int) -> Order:
    return Order(
        account=owner.account,
        market=market,
        size=int(account.size if account.is_long else -account.size),
        limit_price=int(account.entry),
        max_fee=0,
        expiry=EXPIRY,
        salt=1,
    )
