"""All markets, on all cores of this machine or on a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec

from joblib import Parallel, delayed, parallel_config  # type: ignore[import-untyped]

from oracle.backtest.cells import Job, Scored, score_market


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
        ClusterError: Dask is not installed, or the scheduler does not answer.
    """
    order = sorted(range(len(jobs)), key=lambda i: -len(jobs[i].bars))
    if cluster is None and (cores == 1 or len(jobs) == 1):
        found = {}
        for i in order:
            found[i] = score_market(jobs[i])
            done(found[i])
        return [found[i] for i in range(len(jobs))]
    with _backend(cluster):
        parallel = Parallel(
            n_jobs=cores if cluster is None else None, return_as="generator_unordered"
        )
        results: Iterable[tuple[int, Scored]] = parallel(
            delayed(_numbered)(i, jobs[i]) for i in order
        )
        found = {}
        for i, scored in results:
            found[i] = scored
            done(scored)
    return [found[i] for i in range(len(jobs))]


def _numbered(index: int, job: Job) -> tuple[int, Scored]:
    return index, score_market(job)


def _backend(cluster: str | None) -> AbstractContextManager[object]:
    if cluster is None:
        return nullcontext()
    if find_spec("distributed") is None:
        raise ClusterError(
            "--cluster needs Dask, which is not installed: pip install 'plimsoll[cluster]'."
        )
    try:
        return parallel_config(backend="dask", scheduler_host=cluster)
    except (OSError, ValueError) as error:
        raise ClusterError(f"the Dask scheduler at {cluster} does not answer ({error}).") from None
