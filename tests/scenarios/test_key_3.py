"""KEY-3 (GMX M-36): every setter refuses what is out of range, and stores what it was given.

The setters are those of the committed role table that only the timelock may call, their numbers
and addresses those of the ABI; one that has no entry here fails.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boa
import pytest
from vyper.compiler.output import build_abi_output

from tests.support.compiled import load
from tests.support.government import hand_over
from tests.support.world import LIQUIDATION, USD, World, address_of
from tests.unit.engine.harness import TABLE, Config, PriceRules, PushRules

MAX = 2**256 - 1
MANTISSA = 2**20 - 1
WINDOW = (3_600, 2_592_000)
OUTFLOW = (0, (2**64 - 1) * 10**12)
YEAR = 365 * 86_400
FLOOR, CEILING = 172_800, 5_184_000
# No other rule stands in the way of the bounds: ages far apart, a small move.
CONFIG = replace(Config(), max_move=1, price_max_age=65_532, open_max_age=4)
CAPPED = replace(CONFIG, soft_cap=10, hard_cap=100)
PUSH = replace(PushRules(), max_age=2_592_000)
BRACKETS = [list(row) for row in TABLE]
NAMES = {
    "engine": "RiskEngine",
    "settings": "RiskSettings",
    "custody": "Custody",
    "ledger": "Clearinghouse",
    "fund": "InsuranceFund",
    "vault": "BackstopVault",
    "liquidator": "Liquidator",
    "timelock": "Timelock",
}
ANY = (0, MAX)
BID = 5 * 10**18  # [token units] collateral that the vault took
Path_ = tuple[int, ...]  # of a leaf among the arguments
Valid = tuple[int, int] | frozenset[int]


@dataclass(frozen=True)
class Setter:
    """Arguments that are right, the range of each number in them, and where it can be read."""

    arguments: tuple[Any, ...]
    ranges: dict[str, Valid]  # by the leaf's name
    read: Callable[[World, Any], dict[str, Any]] = lambda world, arguments: {}


def read_config(world: World, arguments: Any) -> dict[str, Any]:
    return world.settings.config_of(arguments[0])._asdict()


def read_parameters(world: World, arguments: Any) -> dict[str, Any]:
    return world.liquidator.parameters()._asdict()


def read_brackets(world: World, arguments: Any) -> dict[str, Any]:
    return world.settings.brackets(arguments[0])[0]._asdict()


CONFIG_RANGES: dict[str, Valid] = {
    "band": (1, 200_000),
    "max_move": (1, 20_000 - 500),  # with the fee at most calm IMR_0
    "max_deviation": (1, 200_000),
    "funding_cap": (0, 100_000),
    "price_max_age": (60, 65_532),
    "open_max_age": (4, 4_092),
    "maker_fee": (0, 10_000),
    "taker_fee": (0, 10_000),
    "min_size": (0, MANTISSA * 10**31),
    "soft_cap": (0, 99),
    "hard_cap": (11, MANTISSA * 10**15),
}
BRACKET_RANGES: dict[str, Valid] = {  # of the first of three
    "bound": (1, 999_999),
    "im_calm": (12_500, 40_000),
    "im_storm": (62_500, 150_000),
    "mm_calm": (1, 16_000),
    "mm_storm": (10_000, 80_000),
}
SETTERS: dict[str, Setter] = {
    "settings.list_asset": Setter(
        (5, CAPPED.tuple(), BRACKETS, 0, 10**6),
        {
            "_asset": (2, 39),  # 0 and 1 are listed
            "_severity": (0, 10**6),
            "_depth": (250_000, 10**6),
            **CONFIG_RANGES,
            **BRACKET_RANGES,
        },
        lambda world, arguments: {
            **read_config(world, arguments),
            **read_brackets(world, arguments),
            "_severity": world.settings.line_of(arguments[0]).severity,
            "_depth": world.settings.line_of(arguments[0]).depth,
        },
    ),
    "settings.set_config": Setter(
        (0, CAPPED.tuple()), {"_asset": (0, 1), **CONFIG_RANGES}, read_config
    ),
    "settings.set_schedule": Setter(
        (0, BRACKETS), {"_asset": (0, 1), **BRACKET_RANGES}, read_brackets
    ),
    "settings.set_feed": Setter(
        (0, ("feed", 3_600, 10, 100)),
        {
            "_asset": (0, 1),
            "max_age": (60, 2_592_000),
            "min_answer": (0, 98),
            "max_answer": (12, 2**128 - 1),
        },
    ),
    "settings.set_price_rules": Setter(
        (PriceRules().tuple(),),
        {
            "period": (1, 500),
            "max_spread": (1, 100_000),
            "confirm_delay": (1, 3_600),
            "grace": (60, 7_200),
            "settle_window": (60, 7_200),
        },
        lambda world, arguments: world.settings.price_rules()._asdict(),
    ),
    "settings.set_push_rules": Setter(
        (PUSH.tuple(),),
        {
            "step_up": (1, 250_000),
            "step_down": (1, 50_000),
            "depth_fall": (1, 250_000),
            "depth_rise": (1, 50_000),
            "min_delay": (60, 86_400),
            "max_age": (9_000, 2_592_000),  # three times min_delay
            "depth_min": (50_000, 10**6),
        },
        lambda world, arguments: world.settings.push_rules()._asdict(),
    ),
    "settings.set_signers": Setter(
        (["0x" + "11" * 20, "0x" + "22" * 20, "0x" + "33" * 20], 2),
        {"_quorum": (2, 3)},
        lambda world, arguments: {"_quorum": world.settings.signers()[1]},
    ),
    "settings.set_sequencer_feed": Setter(("feed",), {}),
    "settings.set_liquidator": Setter(("contract",), {}),
    "engine.set_guardian": Setter(("person",), {}),
    "engine.hand_over": Setter(("contract",), {}),
    "engine.set_reduce_only (off)": Setter((0, False), {"_asset": (0, 39)}),
    "engine.set_settlement_doubt (off)": Setter((False,), {}),
    "custody.list_token": Setter(
        ("token", 1, 1, 86_400),
        {"_cap": ANY, "_outflow_cap": OUTFLOW, "_window": WINDOW},
        lambda world, arguments: {"_cap": world.custody.listed(1).cap},
    ),
    "custody.set_token_cap": Setter(
        (0, 1),
        {"_token": (0, 0), "_cap": ANY},
        lambda world, arguments: {"_cap": world.custody.listed(0).cap},
    ),
    "custody.set_collateral_multiple": Setter(
        (1,),
        {"_multiple": (0, 10**7)},
        lambda world, arguments: {"_multiple": world.custody.collateral_multiple()},
    ),
    "custody.set_outflow": Setter(
        (0, 1, 86_400),
        {"_token": frozenset({0, 255}), "_cap": OUTFLOW, "_window": WINDOW},
    ),
    "custody.hand_over": Setter(("contract",), {}),
    "ledger.set_gateway_at": Setter((1, "contract"), {"_number": (1, 7)}),  # 0 is taken
    "ledger.set_liquidator": Setter(("contract",), {}),
    "ledger.set_interest_rate": Setter(
        (1,),
        {"_rate": (0, 10**27 // YEAR)},
        lambda world, arguments: {"_rate": world.ledger.interest().rate},
    ),
    "ledger.settle_market": Setter((0,), {"_market": (0, 0)}),  # only 0 is reduce-only here
    "ledger.hand_over": Setter(("contract",), {}),
    "fund.set_bucket_cap": Setter(
        (0, 1),
        {"_market": (0, 32), "_cap": (0, 2**112 - 1)},
        lambda world, arguments: {"_cap": world.fund.cap_of(arguments[0])},
    ),
    "fund.hand_over": Setter(("contract",), {}),
    "vault.open_ring": Setter(
        (0, 1),
        {"_market": (0, 31), "_target": ANY},  # 1 is open, and empty
        lambda world, arguments: {"_target": world.vault.ring_of(arguments[0]).target},
    ),
    "vault.set_target": Setter(
        (1, 1),
        {"_market": frozenset({1}), "_target": ANY},
        lambda world, arguments: {"_target": world.vault.ring_of(1).target},
    ),
    "vault.set_manager": Setter(("person",), {}),
    "vault.set_limits": Setter((1, 1), {"_distance": (0, 100_000), "_daily_loss": ANY}),
    "vault.sell": Setter((0, 1, "person"), {"_token": (0, 0), "_amount": (1, BID)}),
    "vault.hand_over": Setter(("contract",), {}),
    "liquidator.set_parameters": Setter(
        (LIQUIDATION,),
        {
            "duration": (60, 14_400),
            "tail": (0, 86_400),
            "discount_min": (0, 400_000),
            "discount_max": (50_000, 566_665),
            "insurance_fee": (0, 266_665),
            "min_deficit": (USD, 10**6 * USD),
            "reward": (0, 10 * USD),
        },
        read_parameters,
    ),
    "liquidator.hand_over": Setter(("contract",), {}),
    "timelock.update_delay": Setter((FLOOR,), {"_delay": (FLOOR, CEILING)}),
    "timelock.grantRole": Setter((bytes(32), "person"), {}),
    "timelock.revokeRole": Setter((bytes(32), "person"), {}),
}
# What each address may be; a person is an account without code.
CONTRACT_ONLY = {"zero": False, "person": False, "contract": True}
ANYTHING = {"zero": True, "person": True, "contract": True}
ADDRESSES: dict[str, dict[str, bool]] = {
    "engine.hand_over": CONTRACT_ONLY,
    "custody.hand_over": CONTRACT_ONLY,
    "ledger.hand_over": CONTRACT_ONLY,
    "liquidator.hand_over": CONTRACT_ONLY,
    "fund.hand_over": CONTRACT_ONLY,
    "vault.hand_over": CONTRACT_ONLY,
    "vault.set_manager": ANYTHING,  # zero: nobody
    "vault.sell": {"zero": False, "person": True, "contract": True},
    "ledger.set_liquidator": CONTRACT_ONLY,
    "ledger.set_gateway_at": {"zero": True, "person": False, "contract": True},
    "custody.list_token": {"zero": False, "person": False, "contract": False, "token": True},
    "engine.set_guardian": {"zero": False, "person": True, "contract": True},
    "settings.set_feed": {"zero": True, "person": False, "contract": False, "feed": True},
    "settings.set_sequencer_feed": ANYTHING,  # unreadable: no new risk
    "settings.set_liquidator": ANYTHING,  # may begin an aftermath only
    "timelock.grantRole": ANYTHING,
    "timelock.revokeRole": ANYTHING,
}
GRIDS = {"price_max_age": 4, "open_max_age": 4}


# --- what the ABI says -----------------------------------------------------------------------


def committed_setters() -> set[str]:
    """Functions that only the timelock may call, in the variant that is its own."""
    table = json.loads((Path(__file__).parents[2] / "docs/roles.json").read_text())
    short = {name: key for key, name in NAMES.items()}
    return {
        f"{short[contract]}.{function}"
        for contract, functions in table.items()
        if contract in short
        for function, row in functions.items()
        if row["allowed"] == ["timelock"]
    }


def leaves(inputs: list[dict[str, Any]], at: Path_ = ()) -> Iterator[tuple[str, str, Path_]]:
    """Name, type and path of each elementary value; of a list, those of its first entry."""
    for i, each in enumerate(inputs):
        kind, here = each["type"], (*at, i)
        if kind.startswith("tuple"):
            first = (0,) if kind.endswith("]") else ()
            yield from leaves(each["components"], (*here, *first))
        elif not kind.endswith("]"):
            yield each["name"], kind, here


def function_of(name: str) -> tuple[str, str]:
    contract, function = name.split(".")
    return contract, function.split(" ")[0]


def abi_leaves(name: str) -> list[tuple[str, str, Path_]]:
    contract, function = function_of(name)
    entries = build_abi_output(load(f"contracts/{NAMES[contract]}.vy").compiler_data)
    return list(leaves(next(e["inputs"] for e in entries if e.get("name") == function)))


def put(value: Any, path: Path_, leaf: Any) -> Any:
    """A copy of nested lists and tuples with one leaf replaced."""
    if not path:
        return leaf
    changed = list(value)
    changed[path[0]] = put(changed[path[0]], path[1:], leaf)
    return type(value)(changed)


# --- calling ---------------------------------------------------------------------------------


@pytest.fixture
def ready(world: World) -> Any:
    """A listed token, market 0 reduce-only, fresh ages, a ring; a timelock beside it."""
    world.bank()
    index, token = world.list_token()
    seller = world.open("seller")
    world.deposit_collateral(seller, index, token, BID)
    with world.as_liquidator():
        world.custody.move(seller, int(world.vault.address, 16) << 96 | 32, index, BID)
    with world.as_owner():
        world.settings.set_config(0, CAPPED.tuple())
        world.engine.set_reduce_only(0, True)
        world.vault.open_ring(1, 0)
        timelock = load("contracts/Timelock.vy").deploy(FLOOR, [], [], world.engine.address)
    actors = {
        "zero": "0x" + "00" * 20,
        "person": address_of("person"),
        "contract": load("contracts/mocks/WalletMock.vy").deploy(address_of("x")).address,
        "token": load("contracts/mocks/TokenMock.vy").deploy("Token", "TKN", 18).address,
        "feed": load("contracts/mocks/AggregatorMock.vy").deploy(8).address,
    }
    return world, timelock, actors


def resolve(value: Any, actors: dict[str, str]) -> Any:
    """Names of actors as addresses."""
    if isinstance(value, str):
        return actors.get(value, value)
    if isinstance(value, list | tuple):
        return type(value)(resolve(each, actors) for each in value)
    return value


def call(ready: Any, name: str, arguments: tuple[Any, ...]) -> None:
    """As its owner."""
    world, timelock, actors = ready
    contract, function = function_of(name)
    target = timelock if contract == "timelock" else getattr(world, contract)
    sender = timelock.address if contract == "timelock" else world.owner
    getattr(target, function)(*resolve(arguments, actors), sender=sender)


def is_taken(ready: Any, name: str, arguments: tuple[Any, ...], leaf: str, value: Any) -> bool:
    """Whether the call succeeds; if it does, what can be read is the value. Undone afterwards."""
    with boa.env.anchor():
        try:
            call(ready, name, arguments)
        except boa.BoaError:
            return False
        stored = SETTERS[name].read(ready[0], arguments)
        assert stored.get(leaf, value) == value
        return True


def is_valid(leaf: str, value: int, valid: Valid) -> bool:
    if isinstance(valid, frozenset):
        return value in valid
    grid = GRIDS.get(leaf, 1)
    return valid[0] <= value <= valid[1] and value % grid == 0


def boundary(valid: Valid) -> list[int]:
    low, high = (min(valid), max(valid)) if isinstance(valid, frozenset) else valid
    values = {0, 1, low - 1, low, low + 1, high - 1, high, high + 1, MAX}
    return sorted(v for v in values if 0 <= v <= MAX)


NUMBERS = [(name, leaf) for name, setter in SETTERS.items() for leaf in setter.ranges]


# --- tests -----------------------------------------------------------------------------------


def test_setters__all_of_them_and_all_their_values_have_an_entry() -> None:
    setters = committed_setters()
    assert setters == set(SETTERS)
    for name in setters:
        numbers = {leaf for leaf, kind, _ in abi_leaves(name) if kind.startswith("uint")}
        addresses = [leaf for leaf, kind, _ in abi_leaves(name) if kind == "address"]
        assert numbers == set(SETTERS[name].ranges), name
        assert bool(addresses) == (name in ADDRESSES), name


@pytest.mark.parametrize("name", SETTERS)
def test_setter__right_arguments__taken(ready: Any, name: str) -> None:
    """Otherwise what is refused below proves nothing."""
    assert is_taken(ready, name, SETTERS[name].arguments, "", None)


@pytest.mark.parametrize(("name", "leaf"), NUMBERS)
def test_setter__number__only_within_its_range(ready: Any, name: str, leaf: str) -> None:
    setter = SETTERS[name]
    (path,) = (path for each, _, path in abi_leaves(name) if each == leaf)
    for value in boundary(setter.ranges[leaf]):
        if leaf in ("min_size", "hard_cap", "bound") and not is_representable(value):
            continue
        arguments = put(setter.arguments, path, value)
        taken = is_taken(ready, name, arguments, leaf, value)
        assert taken == is_valid(leaf, value, setter.ranges[leaf]), value


def is_representable(value: int) -> bool:
    """20-bit mantissa times a power of ten: the others have tests of their own."""
    while value > MANTISSA and value % 10 == 0:
        value //= 10
    return value <= MANTISSA


@pytest.mark.parametrize("name", ADDRESSES)
def test_setter__address__only_what_it_may_be(ready: Any, name: str) -> None:
    (path,) = (path for _, kind, path in abi_leaves(name) if kind == "address")
    for actor, expected in ADDRESSES[name].items():
        arguments = put(SETTERS[name].arguments, path, actor)
        assert is_taken(ready, name, arguments, "", None) == expected, actor


def test_setters__under_the_timelock__not_the_old_owner(world: World) -> None:
    government = hand_over(world)
    for name, setter in SETTERS.items():
        if not name.startswith("timelock"):
            names = ("zero", "person", "contract", "token", "feed")
            actors = dict.fromkeys(names, government.timelock.address)
            assert not is_taken((world, None, actors), name, setter.arguments, "", None), name
