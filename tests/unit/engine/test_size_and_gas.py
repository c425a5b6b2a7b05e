"""Reviewed numbers: deployed bytes and the gas of the hot paths (whole transactions)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import boa
import pytest

from .harness import INITIAL, LIVE, MAINTENANCE, WAD, Config, System, deploy, load

CAPS = replace(Config(), price_max_age=60_000, soft_cap=1_000_000, hard_cap=20_000_000)


@pytest.mark.parametrize(("name", "limit"), [("RiskEngine", 22_000), ("RiskSettings", 12_000)])
def test_size(name: str, limit: int):
    code = load(f"contracts/{name}.vy").compiler_data.bytecode_runtime
    assert len(code) <= limit


@contextmanager
def apart() -> Iterator[System]:
    """In an environment of its own: cooling storage down would break the isolation of tests."""
    with boa.swap_env(boa.Env()):
        yield build()


def build() -> System:
    """16 markets with caps awake, funding and every clock moving; all three of three sign."""
    system = deploy(quorum=3)
    for market in range(16):
        system.list(market, config=CAPS, price=(1_000 + market) * WAD)
    system.wait(3_000)
    system.push(dict.fromkeys(range(16), (40000, 800000)))
    system.wait(3_000)
    system.push(dict.fromkeys(range(16), (30000, 800000)))
    system.report({m: (1_001 + m) * WAD for m in range(16)}, premium=100)
    system.wait(600)
    return system


def transaction(contract, name: str, *args) -> int:
    boa.env._reset_access_counters()
    getattr(contract, name)(*args)
    computation = contract._computation
    data = sum(4 if byte == 0 else 16 for byte in computation.msg.data)
    return 21_000 + data + computation.get_gas_used()


def test_gas__report_and_push_of_eight_markets_by_three():
    with apart() as busy:
        signed = busy.sign_report({m: (1_002 + m) * WAD + 12_345 for m in range(8)}, premium=90)
        assert transaction(busy.engine, "report", *signed) < 160_000
        busy.wait(3_000)
        signed = busy.sign_push(dict.fromkeys(range(8), (35000, 810000)))
        assert transaction(busy.engine, "push", *signed) < 120_000


# Basis, size of each leg at about 1,000 USD (brackets 0, 1, 2), gas a further cold market.
MARGINAL = [
    (INITIAL, 1, 9_650),
    (INITIAL, 500, 10_000),
    (LIVE, 500, 8_950),
    (MAINTENANCE, 500, 9_250),
    (INITIAL, 5_000, 12_600),
]


def test_gas__each_further_cold_market():
    with apart() as busy:

        def gas(basis: int, size: int, count: int) -> int:
            legs = [(m, (-1) ** m * size * WAD, 10**20, 5_000 * WAD) for m in range(count)]
            boa.env._reset_access_counters()
            busy.engine.assess(basis, 10**23, 100, legs, [])
            return busy.engine._computation.get_gas_used()

        for basis, size, limit in MARGINAL:
            assert (gas(basis, size, 16) - gas(basis, size, 8)) / 8 < limit
