"""All markets, on all cores of this machine or on a Dask cluster."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from joblib import Parallel, delayed  # type: ignore[import-untyped]

from oracle.backtest.cells import Job, Scored, score_market

PATIENCE = 15
"""Seconds that a scheduler has to answer, and to have a worker."""


ADDRESS = re.compile(r"(tcp|tls)://[^\s/]+:\d{1,5}")
PROJECT = __name__.partition(".")[0]


class ClusterError(ValueError):
    """The cluster cannot be used. One sentence."""


def score_all(
    jobs: Sequence[Job],
    cores: int,
    cluster: str | None = None,
    done: Callable[[Scored], None] = lambda scored: None,
) -> list[Scored]:
    """Every job's result, in the order of `jobs`; the longest are started first.

    Args:
        cores: processes; -1 for all cores. Ignored on a cluster.
        cluster: address of a Dask scheduler, such as ``tcp://10.0.0.1:8786``.
        done: called as each market is finished, in whatever order that is.

    Raises:
        ClusterError: Dask is not installed; no scheduler answers, or it has no worker; one of them
            does not find this project, or is lost.
    """
    order = sorted(range(len(jobs)), key=lambda i: -len(jobs[i].bars))
    if cluster is not None:
        results = _on_cluster(jobs, order, cluster)
    elif cores == 1 or len(jobs) == 1:
        results = (_numbered(i, jobs[i]) for i in order)
    else:
        parallel = Parallel(n_jobs=cores, return_as="generator_unordered")
        results = parallel(delayed(_numbered)(i, jobs[i]) for i in order)
    found = {}
    for i, scored in results:
        found[i] = scored
        done(scored)
    return [found[i] for i in range(len(jobs))]


def _numbered(index: int, job: Job) -> tuple[int, Scored]:
    return index, score_market(job)


def _on_cluster(
    jobs: Sequence[Job], order: Sequence[int], address: str
) -> Iterator[tuple[int, Scored]]:
    """Each result as it comes.

    Not through joblib's Dask backend: where the cluster has one slot, that one computes in the
    calling process and leaves the worker idle.
    """
    dask = _distributed(address)
    with _connected(dask, address) as client:
        # Impure: a cluster that remembers an earlier run must not answer with it.
        futures = [
            client.submit(_numbered, i, jobs[i], priority=-place, pure=False)
            for place, i in enumerate(order)
        ]
        for future in dask.as_completed(futures, loop=client.loop):
            yield _result(dask, future, address)


def _distributed(address: str) -> Any:
    if not ADDRESS.fullmatch(address):
        raise ClusterError(
            f"{address} is no address of a Dask scheduler, such as tcp://127.0.0.1:8786."
        )
    try:
        return import_module("distributed")
    except ImportError:
        raise ClusterError(
            "--cluster needs Dask, which is not installed: run pip install -e '.[cluster]' in the "
            "checkout."
        ) from None


@contextmanager
def _connected(dask: Any, address: str) -> Iterator[Any]:
    try:
        # What it logs besides, page-long, arrives here as an exception.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        client = dask.Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, OverflowError):
        raise ClusterError(f"no Dask scheduler answers at {address}.") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise ClusterError(f"the Dask scheduler at {address} has no worker.") from None
        _check_project(client, address)
        yield client


def _check_project(client: Any, address: str) -> None:
    """Scheduler and workers read the jobs, which takes their classes."""
    found = {f"scheduler at {address}": client.run_on_scheduler(find_spec, PROJECT)}
    found |= {f"worker at {place}": spec for place, spec in client.run(find_spec, PROJECT).items()}
    for who, spec in found.items():
        if spec is None:
            raise ClusterError(
                f"the Dask {who} does not find Plimsoll: start it in the checkout by python -m "
                "dask."
            )


def _result(dask: Any, future: Any, address: str) -> tuple[int, Scored]:
    try:
        found: tuple[int, Scored] = future.result()
    except dask.KilledWorker:
        raise ClusterError(
            f"workers of the Dask cluster at {address} died over the same market again and again; "
            "their logs say of what."
        ) from None
    except (dask.CancelledError, OSError):
        raise ClusterError(f"the Dask scheduler at {address} went away.") from None
    return found
