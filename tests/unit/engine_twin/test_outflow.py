"""The outflow bucket: what is held may fall by the cap below a level that follows it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from oracle.engine import outflow
from oracle.engine.outflow import GRAIN, Bucket

NOW = 1_700_000_000
HELD = 10**24  # [wad]
WINDOW = 86_400
FLOWS = st.lists(
    st.tuples(st.integers(0, HELD // 3), st.integers(0, HELD // 3), st.integers(0, 2 * WINDOW)),
    max_size=30,
)


def settled(cap: int, held: int = HELD) -> Bucket:
    """A bucket whose level is what is held."""
    grains = held // GRAIN
    return Bucket(cap // GRAIN, WINDOW, level=grains, held=grains, at=NOW)


@given(cap=st.integers(0, HELD), unit=st.sampled_from([1, 10**12]), flows=FLOWS)
def test_pay__any_flows__falls_by_the_cap_and_a_cap_a_window_at_most(
    cap: int, unit: int, flows: list[tuple[int, int, int]]
) -> None:
    bucket, held, now = settled(cap), HELD, NOW
    for inflow, claim, elapsed in flows:
        now += elapsed
        held += inflow // unit * unit
        due = min(claim // unit * unit, held)
        bucket, paid = outflow.pay(bucket, held, due, unit, now)
        assert 0 <= paid <= due
        assert paid % unit == 0
        held -= paid
        assert held >= HELD - cap - cap * (now - NOW) // WINDOW - GRAIN
        assert bucket.at == now


@given(
    held=st.integers(0, HELD // GRAIN),
    cap=st.integers(0, HELD // GRAIN),
    inflow=st.integers(0, HELD),
    elapsed=st.integers(0, 2 * WINDOW),
)
def test_note__what_came_in__lifts_the_level_within_a_window_and_not_at_once(
    held: int, cap: int, inflow: int, elapsed: int
) -> None:
    bucket = settled(cap * GRAIN, held * GRAIN)
    now = held + inflow // GRAIN
    noted = outflow.note(bucket, held * GRAIN + inflow, NOW)
    assert (noted.level, noted.held) == (held, now)
    level = outflow.level_now(noted, NOW + elapsed)
    assert level == held + (now - held) * min(elapsed, WINDOW) // WINDOW


@given(cap=st.integers(0, HELD), passing=st.integers(0, 10**30), rounds=st.integers(1, 9))
def test_pay__what_came_in_since__leaves_again_and_uses_nothing_up(
    cap: int, passing: int, rounds: int
) -> None:
    bucket = settled(cap)
    for _ in range(rounds):
        bucket, paid = outflow.pay(bucket, HELD + passing, passing, 1, NOW)
        assert paid == passing
    assert bucket == settled(cap)


def test_pay__nothing__takes_note_of_what_is_held() -> None:
    """The level of a new bucket is 0: it binds from a window after the first note."""
    bucket = outflow.reset(None, 100 * GRAIN, WINDOW)
    assert outflow.level_now(bucket, NOW) == 0
    bucket, paid = outflow.pay(bucket, HELD, 0, 1, NOW)
    assert (paid, bucket.level, bucket.held) == (0, 0, HELD // GRAIN)
    assert outflow.level_now(bucket, NOW + WINDOW // 2) == HELD // GRAIN // 2
    assert outflow.level_now(bucket, NOW + 9 * WINDOW) == HELD // GRAIN
    assert outflow.pay(bucket, HELD, HELD, 1, NOW + WINDOW)[1] == 100 * GRAIN


def test_level__after_the_cap_left__falls_to_what_is_held_by_a_cap_a_window() -> None:
    cap = 100 * GRAIN
    bucket, paid = outflow.pay(settled(cap), HELD, HELD, 1, NOW)
    assert paid == cap
    assert outflow.pay(bucket, HELD - cap, HELD, 1, NOW)[1] == 0
    assert outflow.pay(bucket, HELD - cap, HELD, 1, NOW + WINDOW // 4)[1] == cap // 4
    assert outflow.pay(bucket, HELD - cap, HELD, 1, NOW + 5 * WINDOW)[1] == cap


def test_reset__another_cap__keeps_what_left_counted() -> None:
    bucket, _ = outflow.pay(settled(100 * GRAIN), HELD, 100 * GRAIN, 1, NOW)
    wider = outflow.reset(bucket, 150 * GRAIN, 2 * WINDOW)
    assert outflow.pay(wider, HELD - 100 * GRAIN, HELD, 1, NOW)[1] == 50 * GRAIN
