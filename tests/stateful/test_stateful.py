"""The machine in-process: a short profile in every run, a long one marked `long`.

STATEFUL_EXAMPLES, STATEFUL_STEPS and STATEFUL_SEED change a long run; DRIVER is revm or titanoboa.
A failure prints its steps and a blob for `@reproduce_failure`.
"""

from __future__ import annotations

import os

import pytest

from .artifacts import artifact
from .running import EVENTS, in_process, run


def test_short_profile__every_rule_succeeds_and_all_invariants_hold() -> None:
    driver = in_process()
    is_fast = driver.name == "revm"
    tally = run(driver, artifact, examples=100 if is_fast else 8, steps=50)
    assert tally.vacuous() == []
    if is_fast:
        missing = [event for event in EVENTS if not tally.events[event]]
        assert missing == [], "nothing of this kind happened"


@pytest.mark.long
def test_long_profile__every_rule_succeeds_and_all_invariants_hold() -> None:
    examples = int(os.environ.get("STATEFUL_EXAMPLES", "2000"))
    steps = int(os.environ.get("STATEFUL_STEPS", "100"))
    seed = os.environ.get("STATEFUL_SEED")
    driver = in_process()
    tally = run(
        driver, artifact, examples=examples, steps=steps, seed=int(seed) if seed else None, views=2
    )
    assert tally.vacuous() == []
    # Real frequency: one example in ten sees each of them.
    rare = {event: tally.events[event] for event in EVENTS if tally.events[event] < examples // 10}
    assert rare == {}
