"""The statistics on a dask cluster: the same numbers, and one line where there is no cluster to compute on."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import dask
import pandas as pd
import pytest
from distributed import LocalCluster

import memjax
from memjax import clusters
from memjax.checks import InputError, ProcessLostError
from memjax.cli.sweep import main
from memjax.clusters import check_scheduler, cluster
from memjax.measures import stored_measures
from memjax.stats import blocks
from memjax.stats.analysis import AnalysisSettings, analyse
from memjax.store import STORE, open_features


@pytest.fixture(scope="module")
def workers() -> Iterator[str]:
    """The scheduler of two local workers, which are processes of their own."""
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(2, threads_per_worker=1, dashboard_address=None, memory_limit=None) as local,
    ):
        yield local.scheduler_address


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> Path:
    """A finished run of the demo."""
    out = tmp_path_factory.mktemp("here")
    settings = memjax.SweepSettings(bootstraps=50, metrics=("cls_norm", "cls_mean", "layer_delta"))
    memjax.sweep(memjax.open_dataset("demo", limit=60), "memjax/tiny", out, settings, progress=False)
    return out


@pytest.mark.slow
def test_two_workers_give_the_same_table_to_the_last_digit(workers: str, measured: Path, monkeypatch) -> None:
    settings = AnalysisSettings(bootstraps=100)
    for most in (blocks.BLOCK_BYTES, 8 * 60 * 2):
        monkeypatch.setattr(blocks, "BLOCK_BYTES", most)
        here = analyse(*stored_measures(open_features(measured)), settings=settings)
        with cluster(workers, measured / STORE):
            there = analyse(*stored_measures(open_features(measured)), settings=settings)
        assert here.table.to_csv() == there.table.to_csv()
        assert here.readouts is not None
        assert there.readouts is not None
        assert here.readouts.to_csv() == there.readouts.to_csv()
    assert dask.config.get("scheduler", None) is None


@pytest.mark.slow
def test_a_sweep_with_a_scheduler_writes_the_same_bytes(
    workers: str, measured: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)  # workers have another working folder
    words = ["--limit", "60", "--bootstraps", "50", "--metrics", "cls_norm", "cls_mean", "layer_delta"]
    assert main([*words, "--out", "there", "--scheduler", workers.removeprefix("tcp://")]) == 0
    for name in ("correlations.csv", "readout.csv", "readout_weights.csv"):
        assert (tmp_path / "there" / name).read_bytes() == (measured / name).read_bytes()
    assert memjax.sweep(  # a finished run, recognised without any scheduler
        memjax.open_dataset("demo", limit=60), "memjax/tiny", measured,
        memjax.SweepSettings(bootstraps=50, metrics=("cls_norm", "cls_mean", "layer_delta")), progress=False,
    ).recognised  # fmt: skip


@pytest.mark.slow
def test_a_worker_that_cannot_help_is_named(workers: str, tmp_path: Path, monkeypatch) -> None:
    unseen = pytest.raises(InputError, match=r"dask worker tcp:.*expected to see /no/such/folder, got that it does not")
    with unseen, cluster(workers, Path("/no/such/folder")):
        pytest.fail("it was let in")
    monkeypatch.setattr(clusters, "SAME", (*clusters.SAME, "rich"))
    with (
        pytest.raises(InputError, match=r"dask worker .*expected rich \d.*, got rich None"),
        cluster(workers, tmp_path),
    ):
        pytest.fail("it was let in")


@pytest.mark.slow
def test_a_worker_that_dies_ends_the_run_in_one_line(workers: str, tmp_path: Path) -> None:
    with pytest.raises(ProcessLostError, match="its workers died during the analysis"), cluster(workers, tmp_path):
        dask.compute(dask.delayed(os._exit)(1))


@pytest.mark.parametrize("address", ["127.0.0.1:9", "tcp://127.0.0.1:9", "no address", "nobody://there:1"])
def test_no_scheduler_is_one_line_before_anything_is_measured(address: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(clusters, "ANSWER", 1)
    monkeypatch.setattr("memjax.pipelines.sweep.load_encoders", lambda *_: pytest.fail("an encoder was loaded"))
    with pytest.raises(InputError, match="expected a dask scheduler that answers, got none") as error:
        memjax.sweep(memjax.open_dataset("demo", limit=3), "memjax/tiny", tmp_path, scheduler=address)
    assert error.value.argument == "scheduler"
    assert "\n" not in str(error.value)


def test_a_missing_package_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'memjax\[cluster\]'"):
        check_scheduler("127.0.0.1:8786")


def test_images_and_scores_lie_beside_the_store(measured: Path) -> None:
    found = pd.read_parquet(measured / "images.parquet")
    (group,) = open_features(measured).values()
    assert found.index.tolist() == group["image"].values.tolist()
    assert found.index.name == "image"
    assert found["memorability"].tolist() == group["memorability"].values.tolist()
    assert pd.read_parquet(measured / "images.parquet", columns=["memorability"])["memorability"].dtype == float
