"""Rounds until stopped, watched.

A thread watches the rounds: if none ends for too long, whatever the reason, the process ends with
its own code and whoever started it starts it again. Epochs missed meanwhile are skipped.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final

from oracle.daemon.alarms import DaemonError, Exit, Log
from oracle.daemon.files import replace_file
from oracle.daemon.keeper import Keeper
from oracle.daemon.metrics import Metrics
from oracle.daemon.service import Parts

LONGEST_WAIT: Final = 30.0  # [s] between two rounds that failed
LAST_WORDS: Final = 1.0  # [s] to say why, before the process ends


class Watchdog:
    """Ends the process if no round ends for too long."""

    def __init__(self, after: float, log: Log, end: Callable[[int], Any] = os._exit) -> None:
        self._after = after
        self._log = log
        self._end = end
        self._last = time.monotonic()
        self._stopped = threading.Event()

    def start(self) -> None:
        """Watch from now on."""
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def beat(self) -> None:
        """A round ended."""
        self._last = time.monotonic()

    def stop(self) -> None:
        """Watch no more."""
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(min(1.0, self._after / 4)):
            silent = time.monotonic() - self._last
            if silent > self._after:
                # What the rounds stand still for may be whoever reads the log, and does not.
                last = threading.Thread(
                    target=self._say, name="last words", args=(silent,), daemon=True
                )
                last.start()
                last.join(LAST_WORDS)
                self._end(int(Exit.STALLED))
                return

    def _say(self, silent: float) -> None:
        self._log.critical("stalled", alarm=Exit.STALLED.name, seconds=round(silent, 1))


class Heart:
    """A file that says when the last round ended well, and what was wrong with it."""

    def __init__(self, path: Path, metrics: Metrics) -> None:
        self.path = path
        self._metrics = metrics

    def beat(self, worst: Exit) -> None:
        """After a round.

        Raises:
            DaemonError: the file cannot be written; the disk may be full.
        """
        now = time.time()
        text = json.dumps({"at": round(now, 3), "worst": worst.name}) + "\n"
        try:
            replace_file(self.path, text)
        except OSError as error:
            what = f"The heartbeat {self.path} cannot be written: {error.strerror}."
            raise DaemonError(what, Exit.JOURNAL) from None
        self._metrics.heartbeat.set(now)


def run_rounds(keeper: Keeper, parts: Parts, *, once: bool = False) -> Exit:
    """Until SIGTERM or SIGINT, or once; the gravest alarm of the last round.

    Raises:
        DaemonError: nothing can be done without a person.
    """
    timing = parts.config.timing
    stopping = threading.Event()
    heart = Heart(parts.config.state / "heartbeat.json", parts.metrics)
    dog = Watchdog(timing.stall_after, parts.log)
    if not once:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _stopper(stopping))
        dog.start()
    wait = timing.round_every
    try:
        while not stopping.is_set():
            busy = keeper.round()
            heart.beat(keeper.alarms.worst)
            dog.beat()
            if once:
                return keeper.alarms.worst
            wait = next_wait(keeper.alarms.worst, wait, timing.round_every)
            stopping.wait(0.0 if busy else wait)
    finally:
        dog.stop()
        keeper.panel.close()
    parts.log.info("stopped")
    return Exit.OK


def next_wait(worst: Exit, wait: float, every: float) -> float:
    """[s] until the next round: twice as long after each that found no chain to work with."""
    return min(2 * wait, LONGEST_WAIT) if worst in (Exit.NODE, Exit.CLOCK) else every


def _stopper(stopping: threading.Event) -> Callable[[int, FrameType | None], None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    return stop
