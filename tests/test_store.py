"""The feature store: labelled, resumable, refusing what does not belong together."""

import json
import subprocess
import sys
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from memjax.checks import InputError
from memjax.datasets import Failure
from memjax.naming import group_name
from memjax.storage import locked
from memjax.store import OWN, Variable, Writer, images_turned, metric_variables, open_features, open_writer

KEPT = {
    "cls_mean": Variable({"layer": 4}, {"title": "Mean", "unit": "activation units", "reference": "someone"}),
    "cls": Variable({"layer": 4, "width": 5}),
}
IDENTITY = {"model": "some/encoder", "checksum": "ab", "protocol": "native"}


def table(n: int = 7) -> pd.DataFrame:
    ids = pd.Index([f"bild-{i}.jpg" for i in range(n)], name="image")
    return pd.DataFrame({"memorability": np.linspace(0.3, 0.9, n)}, index=ids)


def values(rows: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=(rows, *x.sizes.values())).astype(np.float32) for name, x in KEPT.items()}


def test_what_is_written_is_read_with_labels(tmp_path):
    writer = open_writer(tmp_path, "some--encoder", table(), KEPT, IDENTITY, chunk=3)
    parts = [values(3, 0), values(3, 1), values(1, 2)]
    for chunk, part in enumerate(parts):
        writer.write(chunk, part, [Failure("bild-1.jpg", "decode", "kaputt")] if chunk == 0 else [])
    found = open_features(tmp_path)
    assert list(found) == ["some--encoder"]
    group = found["some--encoder"]
    assert group["cls_mean"].dims == ("image", "layer")
    assert group["cls"].dims == ("image", "layer", "width")
    assert list(group["image"].values) == list(table().index)
    np.testing.assert_array_equal(group["memorability"].values, table()["memorability"])
    np.testing.assert_array_equal(group["layer"].values, np.arange(4))
    np.testing.assert_array_equal(group["cls"].values, np.concatenate([p["cls"] for p in parts]))
    assert writer.done() == [0, 1, 2]
    assert writer.failures() == [Failure("bild-1.jpg", "decode", "kaputt")]


def test_reads_as_plain_xarray(tmp_path):
    writer = open_writer(tmp_path, "e", table(), KEPT, IDENTITY, chunk=7)
    writer.write(0, values(7, 0), [])
    with xr.open_zarr(tmp_path / "features.zarr", group="e") as group:
        assert group["cls_mean"].shape == (7, 4)


def test_a_second_encoder_joins_the_first(tmp_path):
    for name in ("one", "two"):
        open_writer(tmp_path, name, table(), KEPT, {**IDENTITY, "model": name}, 7).write(0, values(7, 0), [])
    assert [group.attrs["model"] for group in open_features(tmp_path).values()] == ["one", "two"]


def test_a_chunk_without_marker_is_not_done(tmp_path):
    writer = open_writer(tmp_path, "e", table(), KEPT, IDENTITY, chunk=3)
    writer.write(1, values(3, 0), [])
    (tmp_path / "progress" / "e" / "000002.json.part").write_text("[]")
    again = open_writer(tmp_path, "e", table(), KEPT, IDENTITY, chunk=3)
    assert again.done() == [1]
    assert np.isnan(open_features(tmp_path)["e"]["cls_mean"].values[0]).all()


def test_images_that_were_turned_are_counted_over_chunks_and_old_markers_are_read(tmp_path):
    writer = open_writer(tmp_path, "e", table(), KEPT, IDENTITY, chunk=3)
    failure = Failure("bild-1.jpg", "decode", "kaputt")
    writer.write(0, values(3, 0), [failure], turned=2)
    writer.write(1, values(3, 1), [], turned=1)
    assert images_turned(tmp_path, "e") == 3
    (tmp_path / "progress" / "e" / "000001.json").write_text(json.dumps([list(failure)]))  # as version 0.1 wrote it
    assert images_turned(tmp_path, "e") == 2
    assert writer.failures() == [failure, failure]


def test_a_store_from_before_orientation_was_asked_for_goes_on_as_stored(tmp_path):
    old = {**IDENTITY, "preprocessing": {"resize": 256}}
    open_writer(tmp_path, "e", table(), KEPT, old, chunk=3)
    now = {**old, "preprocessing": {"resize": 256, "orientation": "stored"}}
    assert open_writer(tmp_path, "e", table(), KEPT, now, chunk=3).done() == []
    turned = {**old, "preprocessing": {"resize": 256, "orientation": "exif"}}
    with pytest.raises(InputError, match=r"'stored'.*, now .*'exif'"):
        open_writer(tmp_path, "e", table(), KEPT, turned, chunk=3)


def test_another_identity_is_refused_by_name(tmp_path):
    open_writer(tmp_path, "e", table(), KEPT, IDENTITY, chunk=3)
    with pytest.raises(InputError, match="protocol was 'native', now 'paper'") as caught:
        open_writer(tmp_path, "e", table(), KEPT, {**IDENTITY, "protocol": "paper"}, chunk=3)
    assert "checksum" not in str(caught.value)


def test_a_store_that_was_not_fully_created_is_made_anew(tmp_path):
    open_writer(tmp_path, "e", table(), KEPT, IDENTITY, chunk=3)
    (tmp_path / "progress" / "e" / "created").unlink()
    open_writer(tmp_path, "e", table(5), KEPT, {**IDENTITY, "protocol": "paper"}, chunk=3)
    assert open_features(tmp_path)["e"].sizes["image"] == 5


def test_failures_survive_odd_text(tmp_path):
    writer = open_writer(tmp_path, "e", table(), KEPT, IDENTITY, chunk=7)
    odd = Failure('a"b\n.jpg', "read", 'Übel, "quoted"')
    writer.write(0, values(7, 0), [odd])
    assert writer.failures() == [odd]
    json.loads((tmp_path / "progress" / "e" / "000000.json").read_text())


def test_one_run_a_folder(tmp_path):
    code = (
        "import sys, pathlib\nfrom memjax.storage import locked\nfrom memjax.checks import InputError\n"
        "try:\n    with locked(pathlib.Path(sys.argv[1])): print('held')\n"
        "except InputError as error: print(error)"
    )

    def other() -> str:
        done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    with locked(tmp_path):
        assert "another run is writing there" in other()
    assert other() == "held"


def test_unwritable_place_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="can't be written"), locked(tmp_path / "file" / "out"):
        pass


def test_no_store_is_one_line(tmp_path):
    with pytest.raises(InputError, match="no feature store there; run a sweep first"):
        open_features(tmp_path)


def test_group_names_hold_no_slash():
    assert group_name("facebook/dinov2-small") == "facebook--dinov2-small"


def test_the_rows_of_a_million_images_are_made_once(tmp_path):
    writer = Writer(tmp_path, "g", 1_000_000, 256)
    tracemalloc.start()
    rows = writer.rows(range(1, writer.chunks))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(rows, np.arange(256, 1_000_000))
    assert peak < 3 * rows.nbytes


def test_metrics_are_told_by_their_dimensions(tmp_path):
    kept = KEPT | {"entropies": Variable({"layer": 4, "head": 5})}
    open_writer(tmp_path, "e", table(), kept, IDENTITY, chunk=7)
    group = open_features(tmp_path)["e"]
    assert group["entropies"].dims == ("image", "layer", "head")
    assert sorted(metric_variables(group)) == ["cls_mean", "entropies"], (
        "as many axes as token vectors, and yet a metric"
    )
    assert group["cls_mean"].attrs == {"title": "Mean", "unit": "activation units", "reference": "someone"}


def test_what_differs_between_own_metrics_and_variables_is_named(tmp_path):
    open_writer(tmp_path, "e", table(), KEPT, IDENTITY | {OWN: {"peak": "ab", "low": "cd"}}, chunk=3)
    kept = {"cls_mean": KEPT["cls_mean"], "peak": Variable({"layer": 4})}
    with pytest.raises(InputError) as caught:
        open_writer(tmp_path, "e", table(), kept, IDENTITY | {OWN: {"peak": "ef"}}, chunk=3)
    assert "(the metric peak is another function now; without peak and with cls); choose another folder" in str(
        caught.value
    )
    assert caught.value.argument == "out"
