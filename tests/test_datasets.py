"""Data sets: joined by id, nothing dropped silently, nothing read from outside of their folder."""

import functools
import http.server
import io
import os
import pickle
import sys
import tarfile
import threading

import numpy as np
import pandas as pd
import pytest
import scipy.io

from memjax import datasets
from memjax.checks import InputError
from memjax.datasets import demo, lnsim, open_dataset, open_folder
from memjax.datasets.base import Spec
from memjax.datasets.builder import open_built
from memjax.images import ImageError, decode
from tests.miniatures import link, write_image


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MEMJAX_CACHE", str(tmp_path / "cache"))


def test_demo_scores_follow_the_documented_formula():
    dataset = open_dataset("demo")
    values = demo.factors(demo.N_IMAGES)
    plain = demo.INTERCEPT + (values - 0.5) @ np.asarray(demo.WEIGHTS)
    residual = dataset.table["memorability"].to_numpy() - plain
    assert abs(residual.mean()) < 0.02
    assert residual.std() == pytest.approx(demo.NOISE, rel=0.2)
    assert dataset.info["synthetic"] is True
    assert all(name.startswith("synthetic-") for name in dataset.table.index)
    np.testing.assert_array_equal(np.asarray(decode(dataset.records[5].data)), demo.stimuli(6)[5])
    assert "tensorflow" not in sys.modules


def test_limit_takes_the_first_and_keeps_the_rest_together():
    dataset = open_dataset("demo", limit=5)
    assert len(dataset) == len(dataset.records) == 5
    assert dataset.halves is not None
    assert dataset.halves.shape == (2, demo.N_SPLITS, 5)
    assert dataset.records[4].image == dataset.table.index[4]
    with pytest.raises(IndexError):
        dataset.records[5]
    for bad in (0, -3):
        with pytest.raises(InputError, match="limit"):
            open_dataset("demo", limit=bad)


def test_unknown_names_list_the_known_ones():
    with pytest.raises(InputError, match="lnsim"):
        open_dataset("cifar")
    assert {"demo", "lnsim"} <= set(datasets.names())


def miniature(folder, n=6):
    """LNSIM's layout in small, with a known score for each image."""
    rng = np.random.default_rng(4)
    halves = rng.random((2, lnsim.N_SPLITS, n))
    for i in range(n):
        write_image(folder / "Image_data" / f"{i + 1:04d}.jpg", seed=i)
    (folder / "Random_splits").mkdir()
    for half, name in zip(halves, lnsim.HALVES):
        scipy.io.savemat(folder / "Random_splits" / f"{name}.mat", {name: half})
    return halves


def small_lnsim(n=6):
    return Spec(
        "lnsim", "d", "c", "l", "s", functools.partial(lnsim.read_source, n_images=n), "instructions", lnsim.inputs
    )


def test_lnsim_layout(tmp_path):
    halves = miniature(tmp_path / "data")
    (tmp_path / "data" / "Image_data" / "0003.jpg").unlink()
    dataset = open_built(small_lnsim(), tmp_path / "data")
    assert list(dataset.table.index) == ["0001.jpg", "0002.jpg", "0004.jpg", "0005.jpg", "0006.jpg"]
    assert [f.image for f in dataset.rejected] == ["0003.jpg"]
    kept = np.array([0, 1, 3, 4, 5])
    np.testing.assert_allclose(dataset.table["memorability"], halves.mean(axis=(0, 1))[kept])
    np.testing.assert_allclose(dataset.halves, halves[:, :, kept])
    for i, name in enumerate(dataset.table.index):
        record = dataset.records[i]
        assert record.image == name
        assert record.data == (tmp_path / "data" / "Image_data" / name).read_bytes()


def test_changed_source_makes_a_new_copy(tmp_path):
    miniature(tmp_path / "data")
    first = open_built(small_lnsim(), tmp_path / "data")
    write_image(tmp_path / "data" / "Image_data" / "0001.jpg", seed=99)
    os.utime(tmp_path / "data" / "Image_data" / "0001.jpg", (1, 1))
    second = open_built(small_lnsim(), tmp_path / "data")
    assert first.records[0].data != second.records[0].data
    assert first.info["fingerprint"] != second.info["fingerprint"]


@pytest.mark.parametrize("name", ["demo", "lnsim"])
def test_without_array_record_the_files_are_read_in_place(tmp_path, monkeypatch, name):
    miniature(tmp_path / "data")
    (tmp_path / "data" / "Image_data" / "0003.jpg").unlink()
    spec, folder = (small_lnsim(), tmp_path / "data") if name == "lnsim" else (demo.SPEC, None)
    built = open_built(spec, folder)
    wanted = [built.records[i] for i in range(len(built))]
    monkeypatch.setitem(sys.modules, "array_record", None)
    monkeypatch.setitem(sys.modules, "array_record.python.array_record_module", None)
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    for _ in range(2):  # the second time from the cache
        found = open_built(spec, folder)
        pd.testing.assert_frame_equal(found.table, built.table, check_exact=True)
        np.testing.assert_array_equal(found.halves, built.halves)
        assert (found.info, found.rejected) == (built.info, built.rejected)
        records = pickle.loads(pickle.dumps(found.records))
        assert [records[i] for i in range(len(records))] == wanted
        with pytest.raises(IndexError):
            records[len(records)]
    assert len(list((tmp_path / "cache" / "datasets").glob("*-in-place"))) == 1, "what was learned is kept"
    if folder is not None:
        os.utime(folder / "Image_data" / "0001.jpg", (1, 1))
        open_built(spec, folder)
        assert len(list((tmp_path / "cache" / "datasets").glob("*-in-place"))) == 2, "changed files are read again"


@pytest.mark.parametrize("damage", ["missing", "shape", "bytes"])
def test_lnsim_with_wrong_score_files_is_refused(tmp_path, damage):
    miniature(tmp_path / "data")
    file = tmp_path / "data" / "Random_splits" / "subject_hrs2.mat"
    if damage == "missing":
        file.unlink()
    elif damage == "shape":
        scipy.io.savemat(file, {"subject_hrs2": np.zeros((25, 4))})
    else:
        file.write_bytes(b"MATLAB 5.0 MAT-file" + b"\0" * 300)
    with pytest.raises(InputError, match="lnsim"):
        open_built(small_lnsim(), tmp_path / "data")


def archive(hostile: bool) -> bytes:
    """A tar.gz in the form of GitHub's, with entries that must not land anywhere if hostile."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:

        def add(name: str, data: bytes, **fields: object) -> None:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for key, value in fields.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(data))

        add("repo-abc/Image_data/0001.jpg", b"one")
        add("repo-abc/Random_splits/subject_hrs1.mat", b"two")
        add("repo-abc/README.md", b"three")
        if hostile:
            add("repo-abc/../../evil.jpg", b"evil")
            add("/Image_data/evil.jpg", b"evil")
            add("repo-abc/Image_data/link.jpg", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd")
    return buffer.getvalue()


@pytest.fixture
def server():
    """A web server that gives `contents` under every path."""
    contents = {"data": b""}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if contents["data"] else 404)
            self.end_headers()
            self.wfile.write(contents["data"])

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield contents, f"http://127.0.0.1:{running.server_port}/archive.tar.gz"
        running.shutdown()


@pytest.mark.parametrize("hostile", [False, True])
def test_download_takes_only_what_is_used(tmp_path, server, hostile):
    contents, url = server
    contents["data"] = archive(hostile)
    folder = lnsim.download(tmp_path / "deep" / "lnsim", url, sha256=None)
    files = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file())
    assert files == ["deep/lnsim/Image_data/0001.jpg", "deep/lnsim/Random_splits/subject_hrs1.mat"]
    assert lnsim.download(folder, "http://127.0.0.1:1/", None) == folder, "what is there is not fetched again"


def test_download_that_fails_leaves_nothing(tmp_path, server):
    contents, url = server
    for data, match in ((b"", "404"), (b"no archive", "download"), (archive(False)[:60], "download")):
        contents["data"] = data
        with pytest.raises(InputError, match=match):
            lnsim.download(tmp_path / "lnsim", url, None)
    contents["data"] = archive(False)
    with pytest.raises(InputError, match="checksum"):
        lnsim.download(tmp_path / "lnsim", url)
    assert list(tmp_path.iterdir()) == []


def own(tmp_path, text, header="image,memorability"):
    for i in range(3):
        write_image(tmp_path / "images" / f"{i}.png", seed=i)
    scores = tmp_path / "scores.csv"
    scores.write_text(f"{header}\n{text}")
    return open_folder(tmp_path / "images", scores)


def test_own_images_in_the_order_of_the_file(tmp_path):
    dataset = own(tmp_path, "2.png,0.9,cat\n0.png,0.1,dog\n1.png,0.5,cat\n", "image,memorability,category")
    assert list(dataset.table.index) == ["2.png", "0.png", "1.png"]
    assert list(dataset.table["category"]) == ["cat", "dog", "cat"]
    assert dataset.records[1].data == (tmp_path / "images" / "0.png").read_bytes()
    assert dataset.rejected == []


def test_own_images_outside_of_the_folder_are_set_aside(tmp_path):
    write_image(tmp_path / "secret.png")
    write_image(tmp_path / "images" / "0.png")
    link(tmp_path / "images" / "link.png", tmp_path / "secret.png")
    dataset = own(tmp_path, f"0.png,0.1\n../secret.png,0.2\nlink.png,0.3\n{tmp_path}/secret.png,0.4\n")
    assert list(dataset.table.index) == ["0.png"]
    told = {f.image: f.error for f in dataset.rejected}
    assert "refused" in told["../secret.png"]
    assert "symbolic link" in told["link.png"]
    assert f"{tmp_path}/secret.png" in told
    assert {"1.png", "2.png"} <= set(told), "images without a score are told too"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows allows no such names of files")
def test_ids_that_do_not_fit_on_a_line_are_told_with_escapes(tmp_path):
    for name in ("a\n.png", r"a\n.png"):
        write_image(tmp_path / "images" / name)
    write_image(tmp_path / "images" / "b\r.png")
    dataset = own(tmp_path, '"a\n.png",0.1\n"a\\n.png",0.2\n"c\n.png",none\n0.png,0.3\n1.png,1\n2.png,2\n')
    assert list(dataset.table.index) == [r"a\n.png", "0.png", "1.png", "2.png"], "the second has no line break"
    assert [(f.image, f.stage) for f in dataset.rejected] == [
        (r"c\n.png", "scores"),
        (r"a\n.png", "scores"),
        (r"b\r.png", "scores"),
    ]


def test_rows_with_too_many_cells_are_refused(tmp_path):
    with pytest.raises(InputError, match="more cells than the header"):
        own(tmp_path, "0.png,0.1,\n1.png,0.2,\n")


def test_an_image_that_changes_after_opening_is_checked_again(tmp_path):
    dataset = own(tmp_path, "0.png,0.1\n1.png,0.2\n")
    (tmp_path / "secret.png").write_bytes(b"")
    (tmp_path / "images" / "0.png").unlink()
    link(tmp_path / "images" / "0.png", tmp_path / "secret.png")
    with pytest.raises(ImageError, match="symbolic link"):
        dataset.records[0]


@pytest.mark.slow
def test_lnsim_as_distributed(lnsim_dir):
    dataset = open_dataset("lnsim", lnsim_dir)
    assert len(dataset) == 2632
    assert dataset.rejected == []
    assert lnsim.files_checksum(lnsim_dir) == lnsim.CHECKSUM
    assert dataset.records[2631].image == "2632.jpg"
    assert decode(dataset.records[0].data).mode == "RGB"
