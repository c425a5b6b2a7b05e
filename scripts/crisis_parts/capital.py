"""What stands behind the accounts: each market's insurance bucket and its ring of the vault.

Given before the crash and by nobody in it: fees are 0, and nobody fills a bucket or a ring again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from oracle.engine.units import PPM, WAD
from oracle.signing import account_id
from scripts.crisis_parts.chain import Chain
from scripts.crisis_parts.inputs import UNIT_WAD, Case
from scripts.crisis_parts.opening import ENDLESS

# [ppm] of the accounts' notional, where nothing is asked for: little enough that a real crash day
# goes through both.
INSURANCE: Final = 500
BACKSTOP: Final = 2_000


@dataclass(frozen=True)
class Capital:
    """Of one market. USD wad, whole token units."""

    insurance: int = 0  # in its bucket
    backstop: int = 0  # in its ring
    ring: int | None = None  # the ring's account; none where there is no capital for it

    @property
    def in_dollars(self) -> tuple[int, int]:
        """Cap of the bucket and target of the ring: whole USD, not below what is given."""
        return -(-self.insurance // WAD), -(-self.backstop // WAD)


def capital_of(case: Case, insurance: float | None, backstop: float | None) -> dict[str, Capital]:
    """By market: so many USD for each, or their default shares of the notional of its accounts."""
    found = {}
    for market in case.markets:
        members = [account for account in case.accounts if account.market == market]
        notional = sum(account.size * account.entry // WAD for account in members)
        found[market] = Capital(
            _whole_units(insurance, notional * INSURANCE // PPM),
            _whole_units(backstop, notional * BACKSTOP // PPM),
        )
    return found


def with_rings(chain: Chain, capital: Mapping[str, Capital]) -> dict[int, Capital]:
    """By number of the market, with the accounts of the rings."""
    vault, found = chain["vault"].address, {}
    for symbol, number in chain.markets.items():
        each = capital[symbol]
        ring = account_id(vault, number) if each.backstop else None
        found[number] = Capital(each.insurance, each.backstop, ring)
    return found


def give(chain: Chain, bank: str, capital: Mapping[int, Capital]) -> None:
    """Mint, and put into buckets and rings."""
    cash, fund, vault = chain["settlement"], chain["fund"], chain["vault"]
    total = sum(each.insurance + each.backstop for each in capital.values())
    chain.send(bank, "settlement", cash.data("mint", bank, total // UNIT_WAD), "mint")
    for contract in (fund, vault):
        chain.send(bank, "settlement", cash.data("approve", contract.address, ENDLESS), "approve")
    for market, each in capital.items():
        if each.insurance:
            data = fund.data("give", market, each.insurance // UNIT_WAD)
            chain.send(bank, "fund", data, "give")
        if each.backstop:
            data = vault.data("give", each.backstop // UNIT_WAD)
            chain.send(bank, "vault", data, "give")
            chain.send(bank, "vault", vault.data("fill_ring", market), "fill ring")
    chain.mine()


# --- internals -----------------------------------------------------------------------------------


def _whole_units(asked: float | None, default: int) -> int:
    """USD asked for, or the default [USD wad], as USD wad."""
    units = default // UNIT_WAD if asked is None else round(asked * WAD / UNIT_WAD)
    return units * UNIT_WAD
