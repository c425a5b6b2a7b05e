"""A fault: while accounts are owed more than is held (D_h > 0) the vault counts its rings' cash at
face, so the first to leave takes free assets at face and those who stay bear his part too.

DESIGN 8 d wants no bank run: leaver and stayer recover alike.
"""

from __future__ import annotations

import pytest

from tests.support.world import BTC, UNIT, USD, World
from tests.unit.fund.till import DELAYS, Till

REASON = "totalAssets counts ring cash at face while withdrawals pay h"


def half_lost(world: World) -> tuple[Till, list[int]]:
    """Two stakers of 10,000 each; 10,000 free, 10,000 in a ring at h = 1/2."""
    till = Till(world)
    for name in ("first", "second"):
        till.request(world.vault, name, 10_000 * UNIT)
    till.wait(DELAYS[0])
    shares = [till.deposit(world.vault, name, 10_000 * UNIT) for name in ("first", "second")]
    with world.as_owner():
        world.vault.open_ring(BTC, 10_000 * USD)
    world.vault.fill_ring(BTC)
    for name, amount in zip(("first", "second"), shares, strict=True):
        till.request_exit(world.vault, name, amount)
    till.wait(DELAYS[1])
    till.hole(10_000 * USD, till.account("winner"))
    assert till.ratio() == (10_000 * USD, 20_000 * USD)
    return till, shares


def test_total_assets__at_half__counts_what_rings_could_be_paid(world: World) -> None:
    half_lost(world)
    assert world.vault.totalAssets() <= 15_000 * UNIT


def test_redeem__at_half__first_leaver_is_paid_no_more_than_his_part(world: World) -> None:
    till, shares = half_lost(world)
    paid = till.redeem(world.vault, "first", shares[0])
    assert paid <= 7_500 * UNIT


def test_deposit__at_half__is_not_diluted_at_once(world: World) -> None:
    """Who comes in pays for face and owns half of it."""
    till, _ = half_lost(world)
    till.request(world.vault, "third", 10_000 * UNIT)
    till.wait(DELAYS[0])
    shares = till.deposit(world.vault, "third", 10_000 * UNIT)
    supply = world.vault.totalSupply()
    true_assets = 20_000 * UNIT + 5_000 * UNIT  # free, and ring cash at h
    assert shares * true_assets // supply >= 9_999 * UNIT
