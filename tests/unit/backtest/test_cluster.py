"""The backtest on a Dask cluster of worker processes: the same report, computed over there."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from oracle.backtest.cells import process_name
from oracle.backtest.data import load_jobs
from oracle.backtest.main import backtest
from oracle.backtest.run import ClusterError, score_all
from oracle.feeds.bars import HOUR
from oracle.rule import Rule
from tests.unit.backtest.market import storms, write

distributed = pytest.importorskip("distributed", reason="the extra `cluster` is not installed")

TIMED = ("seconds", "daily_update_seconds")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("markets")
    write(storms(31, 700, 4 * HOUR), place / "perp_4h" / "AAA.csv")
    write(storms(32, 900, 4 * HOUR), place / "perp_4h" / "BBB.csv")
    write(storms(33, 200), place / "NEW.csv")
    return place


def cluster(workers: int):
    return distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
    )


def report(folder, out, *options):
    arguments = ["--data", str(folder), "--out", str(out), "--fast", *options]
    result = CliRunner().invoke(backtest, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads((out / "report.json").read_text())


def untimed(found):
    """Without seconds and megabytes, and the goals that are about them."""
    markets = [{k: v for k, v in m.items() if k not in TIMED} for m in found["markets"]]
    goals = [g for g in found["goals"] if not g["name"].startswith(("speed", "memory"))]
    return {**found, "cost": None, "goals": goals, "markets": markets}


@pytest.mark.parametrize("workers", [1, 2])
def test_backtest__on_a_cluster__report_equals_that_of_joblib(folder, tmp_path, workers) -> None:
    alone = report(folder, tmp_path / "alone", "--jobs", "2")
    with cluster(workers) as there:
        far = report(folder, tmp_path / "far", "--cluster", there.scheduler_address)
    assert alone["cells"]
    assert untimed(far) == untimed(alone)


def test_score_all__one_worker__computes_there_and_not_here(folder) -> None:
    """Joblib's Dask backend computes here where the cluster has a single slot."""
    jobs = load_jobs(folder, Rule(), fast=True)
    finished = []
    with cluster(1) as there:
        found = score_all(jobs, 1, there.scheduler_address, finished.append)
    assert [each.name for each in found] == [job.name for job in jobs]
    assert sorted(each.name for each in finished) == sorted(job.name for job in jobs)
    assert {each.process for each in found}.isdisjoint({process_name()})


def test_score_all__cluster_that_cannot_work__one_sentence(folder, monkeypatch) -> None:
    monkeypatch.setattr("oracle.backtest.run.PATIENCE", 1)
    jobs = load_jobs(folder, Rule(), fast=True)
    with pytest.raises(ClusterError, match=r"^nonsense is no address of a Dask scheduler"):
        score_all(jobs, 1, "nonsense")
    with pytest.raises(ClusterError, match=r"^no Dask scheduler answers at tcp://127\.0\.0\.1:1\."):
        score_all(jobs, 1, "tcp://127.0.0.1:1")
    with (
        cluster(0) as there,
        pytest.raises(ClusterError, match=r"^the Dask scheduler at tcp://.* has no worker\.$"),
    ):
        score_all(jobs, 1, there.scheduler_address)
    with cluster(1) as there:
        monkeypatch.setattr("oracle.backtest.run.PROJECT", "no_such_project")
        with pytest.raises(ClusterError, match=r"^the Dask .* does not find Plimsoll: start it in"):
            score_all(jobs, 1, there.scheduler_address)
