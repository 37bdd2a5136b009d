"""A run whose results go to an object store: in memory, and a Google Cloud Storage server of the test's own over HTTP."""

import json
import sys
from io import BytesIO

import fsspec
import numpy as np
import pandas as pd
import pytest
from fsspec.config import conf

import memjax
from experiments import sweep_layers
from memjax.checks import InputError
from memjax.storage import LEASE, is_remote, listing, locked, place, staged, write_atomically
from memjax.store import open_features
from tests.command import exit_code
from tests.shards_made import pack_parquet, pack_tar

RUN = ["--limit", 24, "--batch-size", 4, "--bootstraps", 50]


@pytest.fixture
def memory():
    """A place in memory, empty."""
    where = place("memory://bucket/run")
    yield where
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def bucket(monkeypatch):
    """A bucket on a local server that speaks the protocol of Google Cloud Storage."""
    server_module = pytest.importorskip("gcp_storage_emulator.server", reason="uv sync --group remote")
    # Read when gcsfs is imported; without it gcsfs asks over gRPC what kind of bucket it is, which the server does not speak.
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    pytest.importorskip("gcsfs", reason="uv sync --group remote")
    server = server_module.create_server("127.0.0.1", 0, in_memory=True, default_bucket="bucket")
    server.start()
    host, port = server._api._httpd.socket.getsockname()
    monkeypatch.setitem(conf, "gs", {"token": "anon", "endpoint_url": f"http://{host}:{port}"})
    yield place("gs://bucket/run")
    server.stop()


def same_run(monkeypatch, where, folder):
    """The same small sweep to both, and that what they wrote is the same."""
    assert exit_code(monkeypatch, sweep_layers, *RUN, "--out", folder) == 0
    assert exit_code(monkeypatch, sweep_layers, *RUN, "--out", where) == 0
    (ours,), (theirs,) = (open_features(out).values() for out in (where, folder))
    for metric, values in theirs.data_vars.items():
        np.testing.assert_array_equal(ours[metric], values, err_msg=metric)
    table = pd.read_csv(BytesIO((where / "correlations.csv").read_bytes()))
    pd.testing.assert_frame_equal(table, pd.read_csv(folder / "correlations.csv"))
    names = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and "zarr" not in str(p)}
    assert "report.html" in names
    for name in names - {".lock"}:
        assert (where / name).is_file(), f"{name} is missing"
    assert not (where / ".lock").exists()


def test_a_run_in_memory_is_that_in_a_folder(monkeypatch, memory, tmp_path, capsys):
    same_run(monkeypatch, memory, tmp_path / "out")
    capsys.readouterr()
    assert exit_code(monkeypatch, sweep_layers, *RUN, "--out", memory) == 0
    assert "finished" in capsys.readouterr().out
    assert exit_code(monkeypatch, sweep_layers, *RUN, "--protocol", "paper", "--out", memory) == 2
    assert "made by another run" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")  # aiohttp's advice to gcsfs
def test_a_run_in_a_bucket_is_that_in_a_folder(monkeypatch, bucket, tmp_path):
    same_run(monkeypatch, bucket, tmp_path / "out")
    assert exit_code(monkeypatch, sweep_layers, *RUN, "--out", bucket) == 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")
def test_shards_in_a_bucket_are_the_folder(bucket, photos, tmp_path, monkeypatch):
    monkeypatch.setenv("MEMJAX_CACHE", str(tmp_path / "cache"))
    pack_tar(photos, tmp_path / "shards", 4)
    pack_parquet(photos, tmp_path / "shards", 2)
    for file in (tmp_path / "shards").iterdir():
        (bucket / file.name).write_bytes(file.read_bytes())
    folder = memjax.open_folder(photos, photos / "scores.csv")
    for pattern in ("train-{000..003}.tar", "train-*.tar", "*.parquet"):
        found = memjax.open_shards(f"{bucket}/{pattern}", photos / "scores.csv")
        pd.testing.assert_frame_equal(found.table, folder.table)
        assert all(found.records[row] == folder.records[row] for row in range(len(folder)))
        assert found.records.stamp(0) is not None


def test_a_place_is_held_by_one_run(memory, monkeypatch):
    with locked(memory):
        held = json.loads((memory / ".lock").read_text())
        with pytest.raises(InputError, match="another run is writing there"), locked(memory):
            pass
        assert json.loads((memory / ".lock").read_text()) == held, "the refused run left it alone"
    assert not (memory / ".lock").exists()
    (memory / ".lock").write_text(json.dumps({**held, "time": held["time"] - LEASE - 1}))
    with locked(memory):
        assert json.loads((memory / ".lock").read_text())["by"] != held["by"], "a dead run's place is taken over"


def test_what_is_staged_arrives_and_the_mark_last(memory):
    with staged(memory, last="a.json") as folder:
        (folder / "figures").mkdir()
        for name in ("a.json", "figures/b.png", "z.csv"):
            (folder / name).write_text(name)
        assert not (memory / "z.csv").exists()
    assert (memory / "figures" / "b.png").read_text() == "figures/b.png"
    times = {name: memory.fs.created(str(memory / name)) for name in ("a.json", "z.csv", "figures/b.png")}
    assert max(times, key=lambda name: times[name]) == "a.json"


def test_places_are_folders_or_urls(memory, monkeypatch):
    assert is_remote(memory)
    assert not is_remote(place("runs/x"))
    write_atomically(memory / "deep" / "b.json", "1")
    write_atomically(memory / "deep" / "a.json", "2")
    assert [p.name for p in listing(memory / "deep", "*.json")] == ["a.json", "b.json"]
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(InputError, match="pip install s3fs"):
        place("s3://bucket/run")
    with pytest.raises(InputError, match="gs:// and s3:// are"):
        place("nonsense://bucket/run")
