"""Reports read a copy of the config, four assets a word: every setter keeps it equal."""

from __future__ import annotations

import random

import pytest

from .harness import CONFIGS, REPORT_RULES, Config, System, deploy

ASSETS = (0, 1, 2, 3, 5, 31, 32, 39)


def quarter(system: System, asset: int) -> dict[str, int]:
    rule = system.word(REPORT_RULES, asset // 4) >> 64 * (asset % 4) & (2**64 - 1)
    return {
        "max_move": rule >> 44,
        "funding_cap": rule >> 27 & (2**17 - 1),
        "price_max_age": 4 * (rule >> 13 & (2**14 - 1)),
        "calm": rule >> 2 & (2**11 - 1),
        "has_feed": rule >> 1 & 1,
        "listed": rule & 1,
    }


def expected(system: System, asset: int) -> dict[str, int]:
    config = system.word(CONFIGS, asset)
    return {
        "max_move": config >> 216 & (2**20 - 1),
        "funding_cap": config >> 176 & (2**20 - 1),
        "price_max_age": config >> 160 & (2**16 - 1),
        "calm": (config >> 81 & (2**20 - 1)) // 512,
        "has_feed": config >> 101 & 1,
        "listed": config >> 102 & 1,
    }


@pytest.fixture
def listed() -> System:
    system = deploy()
    for asset in ASSETS:
        system.list(asset)
    return system


def test_rules__after_any_config__are_its_copy(listed: System) -> None:
    draw = random.Random(8)
    for _ in range(40):
        asset = draw.choice(ASSETS)
        config = Config(
            max_move=draw.randint(1, 15_000),
            funding_cap=draw.choice([0, 100_000, draw.randint(0, 100_000)]),
            price_max_age=draw.choice([600, 65_532, 4 * draw.randint(150, 16_383)]),
        )
        with listed.as_owner():
            listed.settings.set_config(asset, config.tuple())
        for other in range(40):
            assert quarter(listed, other) == expected(listed, other)
            assert quarter(listed, other)["listed"] == (other in ASSETS)
