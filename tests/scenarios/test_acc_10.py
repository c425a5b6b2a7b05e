"""ACC-10, FUN-2: funding paid is funding received, in any order of settlement."""

from __future__ import annotations

import itertools
import random

import boa
import pytest

from tests.support.world import RAY, USD, WAD, World, fees

SIZES = (3 * 10**18 + 7, 10**18 + 1, 10**16 + 3)


def funded(world: World) -> tuple[list[int], int, list[int]]:
    """Three longs against one short, five hours of a premium of any sign."""
    longs = [world.open(f"long {i}", 50_000) for i in range(3)]
    short = world.open("short", 100_000)
    for account, size in zip(longs, SIZES, strict=True):
        world.trade(account, short, size)
    start = [world.cash(a) for a in (*longs, short)]
    rng = random.Random(1)
    for _ in range(12):
        world.report(dict(world.prices), wait=300, premium=rng.randint(-9_000, 10_000))
    world.report(dict(world.prices), wait=60)
    return longs, short, start


def test_funding__random_closes__conserve_every_wei(world: World) -> None:
    longs, short, start = funded(world)
    funding = world.engine.quote(0).funding
    assert funding != 0
    dust = world.dust([*longs, short])
    mark = world.mark(0)
    paid = 0
    for account, size in zip(longs, SIZES, strict=True):
        world.trade(short, account, size)
        paid += fees(size, mark)[0]
    for account, size, cash in zip(longs, SIZES, start, strict=False):
        cost = -(-size * funding // WAD)
        gone = cash - world.cash(account) - fees(size, mark)[1]
        assert gone - cost in (-1, 0, 1)
    gained = world.cash(short) - start[3] + paid
    lost = sum(start[:3]) - sum(world.cash(a) for a in longs)
    lost -= sum(fees(s, mark)[1] for s in SIZES)
    assert 0 <= lost - gained <= 6
    assert dust <= world.dust([*longs, short]) <= dust + 6 * RAY * WAD


@pytest.mark.parametrize("order", itertools.permutations(range(3)))
def test_funding__any_order_of_settlement__pays_each_the_same(
    world: World, order: tuple[int, ...]
) -> None:
    longs, short, _ = funded(world)
    mark = world.mark(0)
    expected = []
    for account, size in zip(longs, SIZES, strict=True):
        with boa.env.anchor():
            world.trade(short, account, size)
            expected.append(world.cash(account))
    for i in order:
        world.trade(short, longs[i], SIZES[i], price=mark)
    assert [world.cash(a) for a in longs] == expected


def test_funding__view__is_what_settlement_pays(world: World) -> None:
    """LIQ-17: an untouched position already counts its funding."""
    longs, short, start = funded(world)
    funding = world.engine.quote(0).funding
    for account, size, cash in zip(longs, SIZES, start, strict=False):
        assert abs(world.health(account).equity - (cash - size * funding // WAD)) <= 2
    total = sum(world.health(a).equity for a in (*longs, short))
    assert 0 <= sum(start) - total <= 8
    assert total > 200_000 * USD
