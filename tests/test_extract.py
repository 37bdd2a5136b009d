"""Extraction: values by id, failures told, the same store however often it was cut off."""

import hashlib
import json
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

import memjax
from memjax import devices
from memjax.batching import batch_size
from memjax.checks import InputError
from memjax.datasets import open_folder
from memjax.extract import CHUNK, SMALL_CHUNK, Plan, extract, images_per_chunk, stored_chunk
from memjax.images import normalise
from memjax.loader import batches
from memjax.measure import compiled
from memjax.measures import measures_of
from memjax.selection import Selection, variables, working_bytes
from memjax.stats.table import CORRELATION_COLUMNS, correlation_table, stack
from memjax.store import open_features


@pytest.fixture(scope="module")
def encoder():
    return memjax.load("memjax/tiny")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Nine images; number 4 is truncated."""
    home = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(3)
    rows = ["image,memorability"]
    for i in range(9):
        Image.fromarray(rng.integers(0, 255, (40 + i, 70, 3), dtype=np.uint8)).save(home / f"{i}.png")
        rows.append(f"{i}.png,{0.1 * i:.2f}")
    broken = (home / "4.png").read_bytes()
    (home / "4.png").write_bytes(broken[: len(broken) // 2])
    (home / "scores.csv").write_text("\n".join(rows))
    return home


def tree(path: Path) -> dict[str, str]:
    files = sorted(p for p in path.rglob("*") if p.is_file())
    return {str(p.relative_to(path)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_rows_are_what_features_gives_for_that_image(folder, encoder, tmp_path):
    dataset = open_folder(folder, folder / "scores.csv")
    failures = extract(dataset, encoder, tmp_path, Plan(batch_size=4, selection=Selection(tokens=("cls", "mean"))))
    group = open_features(tmp_path)["memjax--tiny"]
    for name in ("0.png", "8.png"):
        alone = memjax.features(encoder, memjax.read_images([folder / name], encoder.preprocessing))
        for metric, value in alone.items():
            stored = group[metric].sel(image=name).values
            np.testing.assert_allclose(stored, value[0], rtol=2e-5, atol=1e-6, err_msg=metric)
        traced = memjax.trace(encoder, memjax.read_images([folder / name], encoder.preprocessing))
        np.testing.assert_allclose(group["cls"].sel(image=name), traced.hidden[0, :, 0], rtol=1e-4, atol=1e-5)
        patches = np.asarray(traced.hidden[0, :, 1:]).mean(axis=1)
        np.testing.assert_allclose(group["mean"].sel(image=name), patches, rtol=1e-4, atol=1e-5)
    assert [f.image for f in failures] == ["4.png"]
    assert np.isnan(group["cls_mean"].sel(image="4.png")).all()
    assert group["cls_mean"].isel(image=[0, 1, 2, 3, 5, 6, 7, 8]).notnull().all()


def test_every_patch_is_kept_at_the_layers_asked_for(folder, encoder, tmp_path):
    dataset = open_folder(folder, folder / "scores.csv")
    extract(dataset, encoder, tmp_path, Plan(batch_size=4, selection=Selection(patch_layers=(3, 1))))
    group = open_features(tmp_path)["memjax--tiny"]
    assert group["patches"].dims == ("image", "patch_layer", "patch", "width")
    traced = memjax.trace(encoder, memjax.read_images([folder / "8.png"], encoder.preprocessing))
    for layer in (1, 3):
        stored = group["patches"].sel(image="8.png", patch_layer=layer).values
        np.testing.assert_allclose(stored, traced.hidden[0, layer, 1:], rtol=1e-4, atol=1e-5)
    assert np.isnan(group["patches"].sel(image="4.png")).all()
    with pytest.raises(InputError, match="patch layers"):
        extract(dataset, encoder, tmp_path / "other", Plan(selection=Selection(patch_layers=(99,))))


def test_a_chunk_is_bounded_in_bytes():
    for images, chunk in (
        (0, 16),
        (60, 16),
        (128, 16),
        (256, 32),
        (1000, 64),
        (2047, 128),
        (2048, CHUNK),
        (10**8, CHUNK),
    ):
        assert images_per_chunk({"a": {"layer": 13}}, images) == chunk
    for images, most in ((10**6, 32), (60, SMALL_CHUNK)):
        assert images_per_chunk({"patches": {"patch_layer": 12, "patch": 256, "width": 384}}, images) == most
        assert images_per_chunk({"patches": {"patch_layer": 99, "patch": 9999, "width": 9999}}, images) == 1


def test_of_a_small_study_whole_batches_outlive_an_interruption(encoder, tmp_path):
    dataset, plan = memjax.open_dataset("demo", limit=60), Plan(batch_size=8)

    def cut(chunks: int) -> None:
        seen: list[int] = []

        def stop(added: int) -> None:
            seen.append(added)
            if sum(seen) > chunks * SMALL_CHUNK:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            extract(dataset, encoder, tmp_path / "cut", plan, stop)

    for chunks in (1, 3):
        cut(chunks)
        assert len(list((tmp_path / "cut" / "progress" / "memjax--tiny").glob("0*.json"))) == chunks
    added: list[int] = []
    extract(dataset, encoder, tmp_path / "cut", plan, added.append)
    assert added[0] == 48, "all but the images of the last chunk were kept"
    assert sum(added) == 60
    extract(dataset, encoder, tmp_path / "whole", plan)
    assert tree(tmp_path / "cut") == tree(tmp_path / "whole")


def test_a_store_of_larger_chunks_goes_on_with_its_own(folder, encoder, tmp_path, monkeypatch):
    """As version 0.2 wrote them: 256 images a chunk, however few there are."""
    dataset, plan = open_folder(folder, folder / "scores.csv"), Plan(batch_size=4)
    monkeypatch.setattr("memjax.extract.SMALL_CHUNK", CHUNK)
    extract(dataset, encoder, tmp_path / "old", plan)
    before = tree(tmp_path / "old")
    marker = tmp_path / "old" / "progress" / "memjax--tiny" / "000000.json"
    monkeypatch.undo()
    added: list[int] = []
    extract(dataset, encoder, tmp_path / "old", plan, added.append)
    assert added[0] == 9, "nothing was measured again"
    marker.unlink()
    extract(dataset, encoder, tmp_path / "old", plan)
    assert tree(tmp_path / "old") == before
    assert json.loads((marker.parent / "created").read_text())["identity"]["chunk"] == CHUNK
    monkeypatch.setattr("memjax.extract.SMALL_CHUNK", 2)
    extract(dataset, encoder, tmp_path / "small", plan)
    old, small = (open_features(tmp_path / name)["memjax--tiny"] for name in ("old", "small"))
    for name in old.data_vars:
        np.testing.assert_array_equal(old[name].values, small[name].values)


def test_an_unreadable_group_is_told_as_before(folder, encoder, tmp_path):
    dataset = open_folder(folder, folder / "scores.csv")
    (tmp_path / "progress" / "memjax--tiny" / "created").mkdir(parents=True)
    assert stored_chunk(tmp_path, "memjax--tiny") is None
    with pytest.raises(InputError, match="folder where a file belongs"):
        memjax.sweep(dataset, encoder, tmp_path, memjax.SweepSettings(bootstraps=20), progress=False)


def test_cut_off_and_resumed_gives_the_same_bytes(folder, encoder, tmp_path, monkeypatch):
    import memjax.extract as module

    monkeypatch.setattr(module, "CHUNK", 4)
    dataset = open_folder(folder, folder / "scores.csv")
    plan = Plan(batch_size=2)
    extract(dataset, encoder, tmp_path / "whole", plan)

    class Cut(Exception):
        pass

    seen = []

    def stop(added: int) -> None:
        seen.append(added)
        if sum(seen) >= 6:
            raise Cut

    with pytest.raises(Cut):
        extract(dataset, encoder, tmp_path / "cut", plan, stop)
    assert len(list((tmp_path / "cut" / "progress" / "memjax--tiny").glob("0*.json"))) == 1
    added: list[int] = []
    failures = extract(dataset, encoder, tmp_path / "cut", plan, added.append)
    assert added[0] == 4, "the first chunk was kept"
    assert sum(added) == 9
    assert [f.image for f in failures] == ["4.png"]
    assert tree(tmp_path / "cut") == tree(tmp_path / "whole")


def test_another_protocol_or_encoder_into_the_same_store_is_refused(folder, encoder, tmp_path):
    dataset = open_folder(folder, folder / "scores.csv")
    extract(dataset, encoder, tmp_path, Plan(batch_size=4))
    with pytest.raises(InputError, match="protocol was 'native', now 'paper'"):
        extract(dataset, encoder, tmp_path, Plan(batch_size=4, protocol="paper"))
    with pytest.raises(InputError, match="dtype was 'float32', now 'bfloat16'"):
        extract(dataset, memjax.load("memjax/tiny", "bfloat16"), tmp_path, Plan(batch_size=4))


@pytest.mark.parametrize(("asked", "count", "size"), [(None, 2, 16), (5, 2, 6), (1, 1, 1), (8, 2, 8)])
def test_batches_divide_over_devices(asked, count, size):
    mesh = devices.data_mesh(jax.local_devices()[:count])
    assert batch_size(asked, mesh, 8, 1000) == size


def test_little_memory_makes_small_batches(monkeypatch):
    mesh = devices.data_mesh()
    for free, size in ((16_000, 16), (15_999, 8), (2_000, 2), (1, 2)):
        monkeypatch.setattr(devices, "free_bytes", lambda device, free=free: free)
        assert batch_size(None, mesh, 8, 1000) == size


def test_the_bound_of_an_images_memory_holds(encoder):
    config, image = encoder.config, encoder.preprocessing.image_size
    mesh, kept = devices.data_mesh(jax.local_devices()[:1]), variables(config)
    run = compiled(config, config.layout, Selection(), mesh, encoder.preprocessing)
    used = []
    for count in (2, 6):
        pixels = jax.ShapeDtypeStruct((count, *image, 3), np.uint8)
        used.append(run.lower(encoder.params, pixels).compile().memory_analysis().temp_size_in_bytes)
    each = (used[1] - used[0]) / 4
    assert each < working_bytes(config, image, kept) < 4 * each


def test_batches_that_reach_over_chunks_change_nothing(folder, encoder, tmp_path, monkeypatch):
    monkeypatch.setattr("memjax.extract.CHUNK", 4)
    dataset, found = open_folder(folder, folder / "scores.csv"), []
    for size in (4, 6):
        failures = extract(dataset, encoder, tmp_path / str(size), Plan(batch_size=size))
        assert [f.image for f in failures] == ["4.png"]
        found.append(open_features(tmp_path / str(size))["memjax--tiny"])
        marker = tmp_path / str(size) / "progress" / "memjax--tiny" / "000001.json"
        assert json.loads(marker.read_text())["failures"][0][0] == "4.png", "it is the first image of the second chunk"
    for metric, values in found[0].data_vars.items():
        np.testing.assert_allclose(found[1][metric], values, rtol=2e-5, atol=1e-6, err_msg=metric)


def test_table_has_the_contracts_columns_and_no_row_without_values(folder, encoder, tmp_path):
    dataset = open_folder(folder, folder / "scores.csv")
    extract(dataset, encoder, tmp_path, Plan(batch_size=4))
    measures, scores = measures_of(open_features(tmp_path))
    table = correlation_table(stack(measures), scores.to_numpy(), n_boot=50)
    assert list(table.columns) == CORRELATION_COLUMNS
    assert set(table["metric"]) == set(memjax.metrics.DEFAULT_METRICS), "the tiny encoder has a decoder too"
    assert set(table.loc[table["metric"] == "attention_entropy", "layer"]) == set(range(1, encoder.config.depth + 1))
    assert set(table.loc[table["metric"] == "delta_total", "layer"]) == {encoder.config.depth}
    assert (table["n"] == 8).all()
    constant = table[(table["metric"] == "cls_mean") & (table["layer"] == 0)]
    assert constant["rho"].isna().all(), "the cls token that enters block 1 is the same for every image"


def test_pixels_on_the_devices_are_those_of_read_images(folder, encoder):
    dataset = open_folder(folder, folder / "scores.csv")
    batch = next(batches(dataset, encoder.preprocessing, 4))
    direct = memjax.read_images([folder / n for n in batch.ids], encoder.preprocessing)
    np.testing.assert_array_equal(normalise(batch.pixels, encoder.preprocessing), direct)
    mesh, config = devices.data_mesh(), encoder.config
    levels = devices.split(batch.pixels, mesh)
    assert levels.sharding.num_devices == 2
    found = compiled(config, config.layout, Selection(), mesh, encoder.preprocessing)(encoder.params, levels)
    for metric, values in memjax.features(encoder, direct).items():
        np.testing.assert_array_equal(found[metric], values, err_msg=metric)
