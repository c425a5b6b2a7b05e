"""Running the machine: profiles, drivers, and what a run must have seen."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from .driver import Artifact, Driver
from .invariants import EVENTS
from .machine import MarginMachine
from .stage import START, Stage
from .tally import Tally

__all__ = ["EVENTS", "in_process", "run"]


def in_process(timestamp: int = START) -> Driver:
    """revm where pyrevm is installed (some twenty times faster), else titanoboa. DRIVER chooses."""
    if os.environ.get("DRIVER") != "titanoboa":
        try:
            from .revm_driver import RevmDriver

            return RevmDriver(timestamp)
        except ModuleNotFoundError:
            if os.environ.get("DRIVER") == "revm":
                raise
    from .boa_driver import BoaDriver

    return BoaDriver(timestamp)


def run(
    driver: Driver,
    artifact: Callable[[str], Artifact],
    *,
    examples: int,
    steps: int,
    seed: int | None = None,
    views: int = 1,
) -> Tally:
    """Run the machine; every example starts from the same populated stage."""

    class Machine(MarginMachine):
        stage = Stage(driver, artifact)
        tally = Tally()
        views_a_step = views

    before = Machine.stage.steps
    started = time.monotonic()
    profile = settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=seed is None,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink) if "SHRINK" in os.environ else (Phase.generate,),
    )
    if seed is not None:
        hypothesis.seed(seed)(Machine)
    try:
        run_state_machine_as_test(Machine, settings=profile)
    finally:
        seconds = time.monotonic() - started
        count = Machine.stage.steps - before
        print(f"\n{driver.name}: {count} transactions in {seconds:.0f} s, {count / seconds:.0f}/s")
        print(Machine.tally.table())
        print("gas:", dict(Machine.stage.max_gas))
        print("reasons that differ:", dict(Machine.stage.odd_reasons))
    return Machine.tally
