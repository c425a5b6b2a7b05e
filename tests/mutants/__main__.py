"""Applies each patch to a copy of the tree and demands that the test it names fails.

Usage: python -m tests.mutants [NAME ...] [--jobs N] [--list]

A patch begins with `Class:` (what is broken) and `Killed by:` (a pytest node). It is killed only if
that test runs and fails in its own body; a mutant that does not apply, does not compile, or leaves
the test passing is an error.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.stateful.stage import NAMES

ROOT = Path(__file__).resolve().parents[2]
PATCHES = ROOT / "tests" / "mutants"
TREES = ("contracts", "oracle", "tests")
SKIPPED = shutil.ignore_patterns("__pycache__", "*.pyc", "*.csv.gz", "node_modules")
STANDING = (*NAMES, "TokenMock", "StubGateway")
PYTEST = ("-x", "-q", "-p", "no:ape_test", "-p", "no:cacheprovider", "--tb=short")
TIMEOUT = 1_200  # [s] it hangs, on however slow a machine
NOT_COMPILED = 9  # exit code
# In one process: a compiler and pytest start only once.
TRIAL = f"""
import sys
from tests.stateful.artifacts import artifact
try:
    for name in {STANDING}:
        artifact(name)
except Exception as error:
    print(str(error).strip().splitlines()[0])
    sys.exit({NOT_COMPILED})
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""


@dataclass(frozen=True)
class Mutant:
    """One patch."""

    path: Path
    fault: str
    test: str

    @property
    def name(self) -> str:
        return self.path.stem

    @classmethod
    def of(cls, path: Path) -> Mutant:
        text = path.read_text()
        fault = re.search(r"^Class: (.+)$", text, re.MULTILINE)
        test = re.search(r"^Killed by: (.+)$", text, re.MULTILINE)
        if not fault or not test:
            raise SystemExit(f"{path.name}: a patch begins with 'Class:' and 'Killed by:'")
        return cls(path, fault[1], test[1])


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant."""

    mutant: Mutant
    is_killed: bool
    how: str
    seconds: float


def judge(mutant: Mutant) -> Verdict:
    """Copy, patch, compile, test."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        killed, how = _trial(mutant, Path(folder))
    return Verdict(mutant, killed, how, time.monotonic() - started)


def _trial(mutant: Mutant, tree: Path) -> tuple[bool, str]:
    _copy(tree)
    applied = _run(tree, "git", "apply", "-C1", str(mutant.path))
    if applied.returncode:
        return False, f"does not apply: {_last(applied)}"
    tested = _run(tree, sys.executable, "-c", TRIAL, *PYTEST, mutant.test)
    if tested.returncode == NOT_COMPILED:
        return False, f"does not compile: {_last(tested)}"
    if tested.returncode == 0:
        return False, "SURVIVES"
    failure = re.search(r"^E +(.+)$", tested.stdout, re.MULTILINE)
    if tested.returncode != 1 or not re.search(r"^FAILED ", tested.stdout, re.MULTILINE):
        return False, f"the test does not run: {_last(tested)}"
    return True, failure[1] if failure else "failed"


def _copy(tree: Path) -> None:
    for name in TREES:
        shutil.copytree(ROOT / name, tree / name, ignore=SKIPPED)
    shutil.copy(ROOT / "pyproject.toml", tree)


def _run(tree: Path, *command: str) -> subprocess.CompletedProcess[str]:
    # Contracts a mutant leaves alone are compiled once for all.
    places = {"ARTIFACTS": str(ROOT / "build" / "artifacts"), "PYTHONPATH": _python_path(tree)}
    environment = os.environ | places | {"PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, text=True, timeout=TIMEOUT
    )


def _python_path(tree: Path) -> str:
    """The copy first; never this tree."""
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    kept = [entry for entry in given if entry and Path(entry).resolve() != ROOT]
    return os.pathsep.join([str(tree), *kept])


def _last(process: subprocess.CompletedProcess[str]) -> str:
    lines = (process.stdout + process.stderr).strip().splitlines()
    return lines[-1][:100] if lines else "no output"


def _check_unmutated(mutants: list[Mutant]) -> None:
    """A test that fails without the mutant kills nothing."""
    tests = sorted({mutant.test for mutant in mutants})
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        _copy(Path(folder))
        done = _run(Path(folder), sys.executable, "-c", TRIAL, *PYTEST, *tests)
    if done.returncode == NOT_COMPILED:
        raise SystemExit(f"the tree does not compile: {_last(done)}")
    if done.returncode:
        print(done.stdout[-3_000:])
        raise SystemExit(f"the killing tests fail without a mutant: {_last(done)}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these mutants")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--list", action="store_true", help="name the mutants and stop")
    arguments = parser.parse_args()
    mutants = [Mutant.of(path) for path in sorted(PATCHES.glob("*.patch"))]
    unknown = set(arguments.names) - {mutant.name for mutant in mutants}
    if unknown:
        raise SystemExit(f"no such mutant: {', '.join(sorted(unknown))}")
    if arguments.names:
        mutants = [mutant for mutant in mutants if mutant.name in arguments.names]
    if arguments.list:
        for mutant in mutants:
            print(f"{mutant.name:<28}{mutant.fault}")
        return
    started = time.monotonic()
    _check_unmutated(mutants)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        verdicts = []
        for verdict in pool.map(judge, mutants):
            word = "killed" if verdict.is_killed else "ALIVE"
            print(
                f"{word:<8}{verdict.mutant.name:<28}{verdict.seconds:5.0f} s  {verdict.how[:90]}",
                flush=True,
            )
            verdicts.append(verdict)
    alive = [verdict.mutant.name for verdict in verdicts if not verdict.is_killed]
    killed = len(verdicts) - len(alive)
    print(f"{killed} of {len(verdicts)} mutants killed in {time.monotonic() - started:.0f} s")
    if alive:
        raise SystemExit(f"not noticed: {', '.join(alive)}")


if __name__ == "__main__":
    main()
