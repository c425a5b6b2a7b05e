"""Odd tokens, feeds and callers are odd in the way their names say: tests elsewhere rely on it."""

from __future__ import annotations

from typing import Any

import boa
import pytest

MOCKS = "contracts/mocks/"
HOLDER = boa.env.generate_address("holder")
OTHER = boa.env.generate_address("other")
SPENDER = boa.env.generate_address("spender")


@pytest.fixture(autouse=True)
def _isolated() -> Any:
    with boa.env.anchor():
        yield


def token_of(name: str) -> Any:
    if name == "TokenMock":
        token = boa.load(f"{MOCKS}{name}.vy", "Wrapped Ether", "WETH", 18)
    else:
        token = boa.load(f"{MOCKS}{name}.vy", 18)
    token.mint(HOLDER, 1_000)
    token.approve(SPENDER, 600, sender=HOLDER)
    return token


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("TokenMock", True),
        ("NoReturnTokenMock", None),
        ("FalseReturnTokenMock", True),
        ("FeeTokenMock", True),
        ("HookTokenMock", True),
        ("BlacklistTokenMock", True),
    ],
)
def test_token__left_alone__is_plain(name: str, answer: bool | None) -> None:
    token = token_of(name)
    assert token.decimals() == 18
    assert token.transfer(OTHER, 100, sender=HOLDER) is answer
    assert token.transferFrom(HOLDER, OTHER, 600, sender=SPENDER) is answer
    assert (token.balanceOf(HOLDER), token.balanceOf(OTHER)) == (300, 700)
    assert token.allowance(HOLDER, SPENDER) == 0
    assert token.totalSupply() == 1_000


@pytest.mark.parametrize(
    "name", ["TokenMock", "NoReturnTokenMock", "FeeTokenMock", "HookTokenMock"]
)
def test_token__too_little_balance_or_allowance__reverts(name: str) -> None:
    token = token_of(name)
    with boa.reverts():
        token.transfer(OTHER, 1_001, sender=HOLDER)
    with boa.reverts():
        token.transferFrom(HOLDER, OTHER, 601, sender=SPENDER)


def test_false_return_token__refuses_by_answer_and_moves_nothing() -> None:
    token = token_of("FalseReturnTokenMock")
    assert token.transfer(OTHER, 1_001, sender=HOLDER) is False
    assert token.transferFrom(HOLDER, OTHER, 601, sender=SPENDER) is False
    token.refuse(True)
    assert token.transfer(OTHER, 1, sender=HOLDER) is False
    assert token.balanceOf(HOLDER) == 1_000


def test_fee_token__switched_on__delivers_less() -> None:
    token = token_of("FeeTokenMock")
    token.set_fee(10_000)
    token.transfer(OTHER, 100, sender=HOLDER)
    token.transferFrom(HOLDER, OTHER, 100, sender=SPENDER)
    assert (token.balanceOf(HOLDER), token.balanceOf(OTHER)) == (800, 198)
    assert token.totalSupply() == 998


def test_burn_of__any_holder__rebases() -> None:
    token = token_of("FeeTokenMock")
    token.burn_of(HOLDER, 100)
    assert (token.balanceOf(HOLDER), token.totalSupply()) == (900, 900)


def test_blacklist_token__each_switch__refuses() -> None:
    token = token_of("BlacklistTokenMock")
    token.transfer(OTHER, 0, sender=HOLDER)
    token.set_refuses_zero(True)
    with boa.reverts("zero transfer"):
        token.transfer(OTHER, 0, sender=HOLDER)
    token.set_blacklisted(OTHER, True)
    with boa.reverts("blacklisted"):
        token.transfer(OTHER, 1, sender=HOLDER)
    with boa.reverts("blacklisted"):
        token.transferFrom(HOLDER, OTHER, 1, sender=SPENDER)
    token.set_paused(True)
    with boa.reverts("token paused"):
        token.transfer(SPENDER, 1, sender=HOLDER)


@pytest.mark.parametrize("before", [True, False])
def test_hook_token__armed__calls_once_before_or_after(before: bool) -> None:
    token = token_of("HookTokenMock")
    balance_of = token.balanceOf.prepare_calldata(OTHER)
    token.arm(token.address, balance_of, before, True)
    token.transfer(OTHER, 100, sender=HOLDER)
    assert (token.called(), token.succeeded()) == (1, True)
    assert int.from_bytes(token.answer(), "big") == (0 if before else 100)
    token.transfer(OTHER, 100, sender=HOLDER)
    assert int.from_bytes(token.answer(), "big") == (0 if before else 100)


def test_hook_token__failing_call__is_noted_or_passed_on() -> None:
    token = token_of("HookTokenMock")
    too_much = token.transfer.prepare_calldata(OTHER, 1_001)
    token.arm(token.address, too_much, False, False)
    token.transfer(OTHER, 100, sender=HOLDER)
    assert (token.called(), token.succeeded()) == (1, False)
    token.arm(token.address, too_much, False, True)
    with boa.reverts("hook failed"):
        token.transfer(OTHER, 100, sender=HOLDER)


def test_attacker__plan__is_carried_out_when_called_and_once() -> None:
    attacker, token = boa.load(f"{MOCKS}AttackerMock.vy"), token_of("TokenMock")
    token.mint(attacker.address, 10)
    good = token.transfer.prepare_calldata(OTHER, 10)
    attacker.set_plan([(token.address, good), (token.address, good)])
    boa.env.raw_call(attacker.address, data=b"\x12\x34\x56\x78")
    assert [attacker.successes(i) for i in range(2)] == [True, False]
    assert token.balanceOf(OTHER) == 10
    boa.env.raw_call(attacker.address, data=b"\x12\x34\x56\x78")
    with boa.reverts():
        attacker.successes(2)


def test_attacker__execute__passes_failures_on() -> None:
    attacker, token = boa.load(f"{MOCKS}AttackerMock.vy"), token_of("TokenMock")
    token.mint(attacker.address, 10)
    one = token.transfer.prepare_calldata(OTHER, 1)
    attacker.execute(token.address, one)
    attacker.execute_all([(token.address, one)] * 4)
    assert token.balanceOf(OTHER) == 5
    with boa.reverts("erc20: transfer amount exceeds balance"):
        attacker.execute(token.address, token.transfer.prepare_calldata(OTHER, 6))


def test_aggregator__answer_round_bounds_failure() -> None:
    feed = boa.load(f"{MOCKS}AggregatorMock.vy", 8)
    now = boa.env.timestamp
    feed.set_answer(5)
    assert feed.latestRoundData() == (1, 5, now, now, 1)
    feed.set_answer(6)
    assert feed.latestRoundData()[:2] == (2, 6)
    feed.set_round((9, -1, 2, 3, 4))
    assert feed.latestRoundData() == (9, -1, 2, 3, 4)
    feed.set_bounds(1, 10)
    assert (feed.minAnswer(), feed.maxAnswer(), feed.aggregator()) == (1, 10, feed.address)
    feed.set_reverting(True)
    with boa.reverts("feed down"):
        feed.latestRoundData()


def test_sequencer__down_since_now() -> None:
    feed = boa.load(f"{MOCKS}SequencerMock.vy")
    assert feed.latestRoundData()[1] == 0
    feed.set_down(True)
    assert feed.latestRoundData()[1:3] == (1, boa.env.timestamp)
    feed.set_round(0, 7)
    assert feed.latestRoundData()[1:3] == (0, 7)
