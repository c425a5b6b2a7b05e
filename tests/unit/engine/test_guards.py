"""The reference feed and the move guard."""

import boa
import pytest

from .harness import PRICES, REDUCE_ONLY, START, UNKNOWN, WAD, ZERO, System, load, quote

P = 2_000 * WAD
LOW, HIGH = 10**8, 10**13  # the feed's answer limits, 8 decimals


@pytest.fixture
def feed(live: System):
    mock = load("contracts/mocks/AggregatorMock.vy").deploy(8)
    with live.as_owner():
        live.settings.set_feed(0, (mock.address, 3_600, LOW, HIGH))
    live.wait(60)
    mock.set_answer(2_000 * 10**8)
    return mock


def set_round(feed, answer: int, updated: int) -> None:
    feed.set_round((1, answer, updated, updated, 1))


@pytest.mark.parametrize(
    ("price", "accepted"),
    [(2_040 * WAD, True), (2_040 * WAD + 1, False), (1_960 * WAD, True), (1_960 * WAD - 1, False)],
)
def test_reference__deviation__at_the_limit_and_beyond(
    live: System, feed, price: int, accepted: bool
):
    with live.as_owner():  # keep the move guard out of the way
        config = list(live.settings.config_of(0))
        config[1], config[6], config[7] = 20_000, 0, 0
        live.settings.set_config(0, config)
    assert (live.report({0: price}) != [0]) == accepted
    assert live.state(0) & UNKNOWN == (not accepted)


def test_reference__refused__is_unknown_until_accepted_and_the_batch_goes_on(live: System, feed):
    feed.set_answer(1_900 * 10**8)
    assert live.report({0: P, 32: WAD}) == [0, quote(WAD)]
    assert live.state(0) == UNKNOWN
    assert live.engine.price_of(0).price == P
    feed.set_answer(2_000 * 10**8)
    live.wait(60)
    assert live.report({0: P + WAD}) != [0]
    assert live.state(0) == 0


@pytest.mark.parametrize("answer", [0, -1, -(2**255), LOW, LOW - 1, HIGH, HIGH + 1, 2**200])
def test_reference__unusable_answer__is_reduce_only(live: System, feed, answer: int):
    feed.set_answer(answer)
    assert live.report({0: P}) == [quote(P)]
    assert live.state(0) == REDUCE_ONLY
    live.wait(60)
    feed.set_answer(2_000 * 10**8)
    live.report({0: P})
    assert live.state(0) == 0


@pytest.mark.parametrize(("age", "state"), [(3_600, 0), (3_601, REDUCE_ONLY)])
def test_reference__stale__is_reduce_only(live: System, feed, age: int, state: int):
    set_round(feed, 2_000 * 10**8, live.time - age)
    live.report({0: P})
    assert live.state(0) == state


@pytest.mark.parametrize("updated", [0, 2**255])
def test_reference__never_or_in_the_future__is_reduce_only(live: System, feed, updated: int):
    set_round(feed, 2_000 * 10**8, updated)
    live.report({0: P})
    assert live.state(0) == REDUCE_ONLY


def test_reference__in_one_second__is_the_future(live: System, feed):
    set_round(feed, 2_000 * 10**8, live.time + 1)
    live.report({0: P})
    assert live.state(0) == REDUCE_ONLY


def test_reference__reverting__is_reduce_only(live: System, feed):
    feed.set_reverting(True)
    assert live.report({0: P}) == [quote(P)]
    assert live.state(0) == REDUCE_ONLY


def test_reference__gone__is_reduce_only(live: System, feed):
    boa.env.set_code(feed.address, b"")
    assert live.report({0: P}) == [quote(P)]
    assert live.state(0) == REDUCE_ONLY


def test_reference__starved_of_gas__reverts(live: System, feed):
    signed = live.sign_report({0: P})
    with boa.reverts("low gas"):
        live.engine.report(*signed, gas=225_000)


def test_reference__removed__clears_reduce_only(live: System, feed):
    feed.set_answer(0)
    live.report({0: P})
    with live.as_owner():
        live.settings.set_feed(0, (ZERO, 0, 0, 0))
    assert live.state(0) == 0


@pytest.mark.parametrize(
    "wrong", [(59, LOW, HIGH), (2_592_001, LOW, HIGH), (60, 5, 6), (60, 0, 2**128)]
)
def test_set_feed__out_of_bounds__reverts(live: System, wrong: tuple[int, int, int]):
    mock = load("contracts/mocks/AggregatorMock.vy").deploy(8)
    with live.as_owner(), boa.reverts():
        live.settings.set_feed(0, (mock.address, *wrong))


def test_set_feed__more_than_18_decimals__reverts(live: System):
    mock = load("contracts/mocks/AggregatorMock.vy").deploy(19)
    with live.as_owner(), boa.reverts("out of bounds"):
        live.settings.set_feed(0, (mock.address, 60, 0, 100))


# --- move guard ----------------------------------------------------------------------------------

UP = P * 1_015_000 // 10**6  # exactly max_move
DOWN = P * 985_000 // 10**6


@pytest.mark.parametrize(
    ("price", "held"), [(UP, False), (UP + 1, True), (DOWN, False), (DOWN - 1, True)]
)
def test_move__at_the_limit_and_beyond(live: System, price: int, held: bool):
    live.wait(60)
    assert (live.report({0: price}) == [0]) == held
    assert live.engine.pending(0) == ((price, START + 60) if held else (0, 0))
    assert live.state(0) & UNKNOWN == held
    assert live.engine.price_of(0).price == (P if held else price)


@pytest.mark.parametrize(
    ("first", "second", "confirmed"),
    [(2_200, 2_300, 2_200), (2_300, 2_200, 2_200), (1_800, 1_700, 1_800), (1_700, 1_800, 1_800)],
)
def test_move__confirmed_on_the_same_side__takes_the_nearer(
    live: System, first: int, second: int, confirmed: int
):
    live.wait(60)
    live.report({0: first * WAD})
    live.wait(120)
    assert live.report({0: second * WAD}) == [quote(confirmed * WAD)]
    assert live.engine.pending(0) == (0, 0)
    assert live.engine.price_of(0).observed == START + 180


@pytest.mark.parametrize(("delay", "confirmed"), [(60, False), (120, True)])
def test_move__confirm_delay__at_and_before(live: System, delay: int, confirmed: bool):
    live.wait(60)
    live.report({0: 2_200 * WAD})
    live.wait(delay)
    assert (live.report({0: 2_210 * WAD}) != [0]) == confirmed
    assert live.engine.pending(0) == ((0, 0) if confirmed else (2_200 * WAD, START + 60))


def test_move__other_side__replaces_the_held_one(live: System):
    live.wait(60)
    live.report({0: 2_200 * WAD})
    live.wait(120)
    live.report({0: 1_800 * WAD})
    assert live.engine.pending(0) == (1_800 * WAD, START + 180)
    live.wait(60)
    assert live.report({0: 1_790 * WAD}) == [0]
    live.wait(60)
    assert live.report({0: 1_790 * WAD}) == [quote(1_800 * WAD)]


def test_move__back_inside__clears_the_held_one(live: System):
    live.wait(60)
    live.report({0: 2_200 * WAD})
    live.wait(60)
    assert live.report({0: 2_001 * WAD}) == [quote(2_001 * WAD)]
    assert live.engine.pending(0) == (0, 0)
    assert live.state(0) == 0


def test_move__report_not_after_the_held_one__is_skipped(live: System):
    live.wait(120)
    live.report({0: 2_200 * WAD})
    live.wait(1)
    assert live.report({0: 2_001 * WAD}, observed=live.grid - 60) == [0]
    assert live.engine.pending(0)[0] == 2_200 * WAD


def test_move__second_report_in_the_block_of_the_held_one__is_skipped(live: System):
    live.wait(120)
    live.report({0: 2_200 * WAD}, observed=live.grid - 60)
    assert live.report({0: 2_001 * WAD}) == [0]
    assert live.state(0) == UNKNOWN


def test_move__crash_step_by_step__is_confirmed_in_the_end(live: System):
    """Replacing the held jump by each new one would never confirm."""
    price = 2_000
    for _ in range(4):
        live.wait(60)
        price -= 100
        live.report({0: price * WAD})
    assert live.engine.price_of(0).price == 1_900 * WAD


def test_move__held_and_refused__both_are_cleared_by_an_accepted_one(live: System, feed):
    feed.set_answer(2_200 * 10**8)
    live.report({0: 2_200 * WAD})
    live.wait(60)
    feed.set_answer(2_500 * 10**8)
    live.report({0: 2_200 * WAD})
    assert live.word(PRICES, 0) & 3 == 3
    live.wait(60)
    feed.set_answer(2_200 * 10**8)
    assert live.report({0: 2_200 * WAD}) == [quote(2_200 * WAD)]
    assert live.word(PRICES, 0) & 3 == 0
