"""Bounds of every number governance sets, and who may set it."""

from dataclasses import replace

import boa
import pytest

from .harness import (
    CLOCK,
    LINES,
    LIQUIDATOR,
    SCALARS,
    SEQUENCER,
    SIGNERS,
    WAD,
    ZERO,
    Config,
    PriceRules,
    PushRules,
    System,
    deploy,
    load,
    make_signers,
)

CONFIG = {
    "band": (1, 200_000),
    "max_move": (1, 19_500),  # calm IMR_0 less the larger fee
    "max_deviation": (1, 200_000),
    "funding_cap": (0, 100_000),
    "price_max_age": (120, 65_532),
    "open_max_age": (4, 600),
    "maker_fee": (0, 5_000),
    "taker_fee": (0, 5_000),
    "soft_cap": (0, 0),
}
PRICE = {
    "period": (1, 500),
    "max_spread": (1, 100_000),
    "confirm_delay": (1, 3_600),
    "grace": (60, 7_200),
    "settle_window": (60, 7_200),
}
PUSH = {
    "step_up": (1, 250_000),
    "step_down": (1, 50_000),
    "depth_fall": (1, 250_000),
    "depth_rise": (1, 50_000),
    "min_delay": (60, 3_600),
    "max_age": (9_000, 2_592_000),
    "depth_min": (50_000, 1_000_000),
}


def edges(limits: dict[str, tuple[int, int]], step: dict[str, int] | None = None):
    for name, (low, high) in limits.items():
        by = (step or {}).get(name, 1)
        yield name, low, True
        yield name, high, True
        if low > 0:
            yield name, low - by, False
        yield name, high + by, False
        yield name, 2**256 - 1, False


@pytest.mark.parametrize(
    ("name", "value", "valid"), edges(CONFIG, {"price_max_age": 4, "open_max_age": 4})
)
def test_config__bounds(system: System, name: str, value: int, valid: bool):
    system.list(0)
    config = replace(Config(), **{name: value})
    with system.as_owner():
        if valid:
            system.settings.set_config(0, config.tuple())
            assert tuple(system.settings.config_of(0)) == config.tuple()
        else:
            with boa.reverts():
                system.settings.set_config(0, config.tuple())


@pytest.mark.parametrize(
    "fields",
    [
        {"price_max_age": 602},
        {"open_max_age": 122},
        {"soft_cap": 10, "hard_cap": 10},
        {"soft_cap": 10},
        {"hard_cap": 2**20 + 1},
        {"min_size": 2**20 + 1},
        {"min_size": 10**38},
        {"max_move": 10_001, "taker_fee": 10_000},
    ],
)
def test_config__does_not_fit__reverts(system: System, fields: dict[str, int]):
    system.list(0)
    with system.as_owner(), boa.reverts():
        system.settings.set_config(0, replace(Config(), **fields).tuple())


@pytest.mark.parametrize(
    "fields",
    [
        {"soft_cap": 0, "hard_cap": 1},
        {"soft_cap": 10**20, "hard_cap": 10**21},
        {"min_size": 123_456 * 10**30},
        {"min_size": 1},
        {"min_size": 0},
        {"max_move": 10_000, "taker_fee": 10_000},
    ],
)
def test_config__fits(system: System, fields: dict[str, int]):
    system.list(0)
    config = replace(Config(), **fields)
    with system.as_owner():
        system.settings.set_config(0, config.tuple())
    assert tuple(system.settings.config_of(0)) == config.tuple()
    quote = system.engine.quote(0)
    assert quote.min_size == config.min_size
    assert quote.open_interest_cap == (config.hard_cap * WAD or 2**256 - 1)
    assert (quote.band, quote.maker_fee, quote.taker_fee) == (
        config.band,
        config.maker_fee,
        config.taker_fee,
    )


def test_config__changes_neither_line_nor_feed(live: System):
    mock = load("contracts/mocks/AggregatorMock.vy").deploy(8)
    live.wait(3_000)
    live.push({0: (50_000, 750_000)})
    with live.as_owner():
        live.settings.set_feed(0, (mock.address, 3_600, 0, 10**12))
        before = live.word(LINES, 0) >> 72
        live.settings.set_config(0, replace(Config(), hard_cap=10**6).tuple())
    assert live.word(LINES, 0) >> 72 == before
    live.report({0: 2_000 * WAD})
    assert live.state(0) & 4  # the feed is still there and still unusable


def test_config__raising_price_max_age__does_not_revive_a_price(live: System):
    live.wait(601)
    with live.as_owner():
        with boa.reverts("stale"):
            live.settings.set_config(0, replace(Config(), price_max_age=1_000).tuple())
        live.settings.set_config(0, replace(Config(), price_max_age=596).tuple())
    live.report({0: 2_000 * WAD})
    with live.as_owner():
        live.settings.set_config(0, replace(Config(), price_max_age=1_000).tuple())


@pytest.mark.parametrize(("name", "value", "valid"), edges(PRICE))
def test_price_rules__bounds(system: System, name: str, value: int, valid: bool):
    rules = replace(PriceRules(), **{name: value})
    push = system.settings.push_rules()
    with system.as_owner():
        if valid:
            system.settings.set_price_rules(rules.tuple())
            assert tuple(system.settings.price_rules()) == rules.tuple()
            assert system.settings.push_rules() == push
        else:
            with boa.reverts("out of bounds"):
                system.settings.set_price_rules(rules.tuple())


@pytest.mark.parametrize(("name", "value", "valid"), edges(PUSH))
def test_push_rules__bounds(system: System, name: str, value: int, valid: bool):
    rules = replace(PushRules(), **{name: value})
    price = system.settings.price_rules()
    with system.as_owner():
        if valid:
            system.settings.set_push_rules(rules.tuple())
            assert tuple(system.settings.push_rules()) == rules.tuple()
            assert system.settings.price_rules() == price
        else:
            with boa.reverts():
                system.settings.set_push_rules(rules.tuple())


def test_rules__do_not_touch_the_clock(system: System):
    with system.as_guardian():
        system.engine.pause()
        system.wait(1_000)
        system.engine.unpause()
        system.engine.set_settlement_doubt(True)
    before = system.word(CLOCK) >> 160
    with system.as_owner():
        system.settings.set_price_rules(PriceRules(grace=7_200).tuple())
        system.settings.set_push_rules(PushRules(max_age=20_000).tuple())
    assert system.word(CLOCK) >> 160 == before
    assert system.word(CLOCK) >> 112 & 15 == 2


def test_addresses__are_stored(system: System):
    feed, liquidator = boa.env.generate_address(), boa.env.generate_address()
    with system.as_owner():
        system.settings.set_sequencer_feed(feed)
        system.settings.set_liquidator(liquidator)
    assert system.word(SCALARS, SEQUENCER) == int(feed, 16)
    assert system.word(SCALARS, LIQUIDATOR) == int(liquidator, 16)
    assert system.word(SIGNERS, int(system.signers[0].address, 16)) == 1
    assert system.word(SIGNERS, int(feed, 16)) == 0


# --- roles ---------------------------------------------------------------------------------------

BRACKET = [(100_000, 20_000, 100_000, 10_000, 50_000)]
SETTERS = {
    "list_asset": lambda s: (1, Config().tuple(), BRACKET, 0, 10**6),
    "set_config": lambda s: (0, Config().tuple()),
    "set_schedule": lambda s: (0, BRACKET),
    "set_feed": lambda s: (0, (ZERO, 0, 0, 0)),
    "set_price_rules": lambda s: (PriceRules().tuple(),),
    "set_push_rules": lambda s: (PushRules().tuple(),),
    "set_signers": lambda s: ([k.address for k in s.signers], 2),
    "set_sequencer_feed": lambda s: (ZERO,),
    "set_liquidator": lambda s: (s.owner,),
}
# What owner, guardian and a stranger may call on the engine.
ENGINE = {
    "pause": ((), "og"),
    "unpause": ((), "og"),
    "freeze_signer": (lambda s: (s.signers[0].address,), "og"),
    "set_reduce_only": ((0, True), "og"),
    "set_settlement_doubt": ((True,), "og"),
    "set_guardian": (lambda s: (s.guardian,), "o"),
    "hand_over": (lambda s: (s.settings.address,), "o"),
    "store": ((0, 0, 0), ""),
    "begin_aftermath": ((0,), ""),
    "report": (lambda s: later(s).sign_report({0: 2_001 * WAD}), "ogs"),
    "push": (lambda s: s.sign_push({}), "ogs"),
}


def later(system: System) -> System:
    system.wait(60)
    return system


@pytest.mark.parametrize("name", SETTERS)
@pytest.mark.parametrize("role", "ogs")
def test_role__settings__only_the_owner(live: System, name: str, role: str):
    caller = {"o": live.owner, "g": live.guardian, "s": boa.env.generate_address()}[role]
    with boa.env.prank(caller):
        if role == "o":
            getattr(live.settings, name)(*SETTERS[name](live))
        else:
            with boa.reverts("not owner"):
                getattr(live.settings, name)(*SETTERS[name](live))


@pytest.mark.parametrize("name", ENGINE)
@pytest.mark.parametrize("role", "ogs")
def test_role__engine(live: System, name: str, role: str):
    caller = {"o": live.owner, "g": live.guardian, "s": boa.env.generate_address()}[role]
    args, allowed = ENGINE[name]
    if callable(args):
        args = args(live)
    if name == "unpause":
        with live.as_guardian():
            live.engine.pause()
    with boa.env.prank(caller):
        if role in allowed:
            getattr(live.engine, name)(*args)
        else:
            with boa.reverts():
                getattr(live.engine, name)(*args)


def test_role__tables_name_every_function_that_writes(live: System):
    for contract, known in ((live.engine, set(ENGINE)), (live.settings, {*SETTERS, "bind"})):
        abi = contract.abi
        writing = {
            f["name"]
            for f in abi
            if f["type"] == "function" and f["stateMutability"] in ("nonpayable", "payable")
        }
        assert writing == known


def test_hand_over__to_a_person__reverts(system: System):
    with system.as_owner(), boa.reverts("no code"):
        system.engine.hand_over(boa.env.generate_address())


def test_hand_over__old_owner_has_no_power_left(system: System):
    with system.as_owner():
        system.engine.hand_over(system.settings.address)
        with boa.reverts("not owner"):
            system.settings.set_liquidator(system.owner)
        with boa.reverts("not owner"):
            system.engine.hand_over(system.settings.address)
        with boa.reverts("not guardian"):
            system.engine.pause()
    assert system.engine.owner() == system.settings.address


def test_set_guardian__zero__reverts(system: System):
    with system.as_owner(), boa.reverts("zero address"):
        system.engine.set_guardian(ZERO)


# --- binding -------------------------------------------------------------------------------------


def bind_args(engine: str):
    names = [s.address for s in make_signers(3)]
    return engine, PriceRules().tuple(), PushRules().tuple(), names, 2


def test_bind__twice__reverts(system: System):
    with system.as_owner(), boa.reverts("bound"):
        system.settings.bind(*bind_args(system.engine.address))


def test_bind__stranger_or_foreign_engine__reverts(system: System):
    with system.as_owner():
        fresh = load("contracts/RiskSettings.vy").deploy()
        with boa.reverts("not bound here"):
            fresh.bind(*bind_args(system.engine.address))
    with boa.env.prank(boa.env.generate_address()), boa.reverts("not deployer"):
        fresh.bind(*bind_args(system.engine.address))


def test_engine__settings_without_code__does_not_deploy(system: System):
    with boa.reverts("no code"):
        load("contracts/RiskEngine.vy").deploy(
            system.guardian, boa.env.generate_address(), (1, 1, 1, 1, 600)
        )


def test_deploy__four_of_five_signers():
    system = deploy(signers=5, quorum=4)
    system.list(0)
    assert system.report({0: WAD}, signers=system.signers[1:]) != [0]
