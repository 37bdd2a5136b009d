"""The statistics of a store of any size: cut into blocks, and on a sample of the images for the readout."""

from pathlib import Path

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from memjax.checks import InputError
from memjax.measures import READ_VALUES, chunked, measures_of, stored_measures
from memjax.stats import blocks
from memjax.stats.analysis import AboutImages, AnalysisSettings, analyse
from memjax.stats.blocks import How, blocks_of, correlated
from memjax.stats.correlation import METHODS, pearson
from memjax.stats.readouts import Together
from memjax.stats.table import correlation_table, stack
from memjax.store import Variable, open_features, open_writer

N = 240


ABOUT = AboutImages(Together(clusters=np.arange(N) // 4))


def made_up(seed: int = 0) -> tuple[dict[str, dict[str, np.ndarray]], np.ndarray]:
    """Two models; a layer without values, a metric without any, missing values, a constant column, ties."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=N).round(1)
    a, b, c, d = (
        rng.normal(size=(N, layers)).astype(np.float32) + 0.3 * y[:, None].astype(np.float32) for layers in (5, 3, 1, 4)
    )
    a[:, 0], b[7:30, 1], d[:, 2] = np.nan, np.nan, 1.0
    nothing = np.full((N, 2), np.nan, np.float32)
    return {"one": {"a": a, "nothing": nothing, "b": b.round(1)}, "two": {"c": c, "d": d}}, y


def lazy(measures, chunk: int = 50):
    return {m: {k: da.from_array(v, chunks=(chunk, -1)) for k, v in metrics.items()} for m, metrics in measures.items()}


@pytest.mark.parametrize("columns", [1, 2, 4])
@pytest.mark.parametrize("method", METHODS)
def test_blocks_change_no_digit(method: str, columns: int, monkeypatch) -> None:
    measures, y = made_up()
    whole = correlation_table(stack(measures), y, method, 150, seed=3)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 8 * N * columns)
    assert len(blocks_of(measures)) >= 15 / columns
    for given in (measures, lazy(measures)):
        found = correlated(given, y, How(method, 150, 3, N))
        pd.testing.assert_frame_equal(found.table, whole, check_exact=method != "pearson", rtol=1e-6)
        assert found.columns.keys.equals(whole[["model", "metric", "layer"]])
        assert np.array_equal(found.columns.values, stack(measures).values, equal_nan=True)


def test_what_fits_is_one_block_and_a_block_stays_small(monkeypatch) -> None:
    measures, _ = made_up()
    (one,) = blocks_of(measures)
    assert [part.metric for part in one] == ["a", "nothing", "b", "c", "d"]
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 8 * N * 2)
    cut = [part for (part,) in blocks_of(measures)]
    assert max(part.bytes for part in cut) <= blocks.BLOCK_BYTES
    assert [(p.metric, p.first, p.values.shape[1]) for p in cut][:3] == [("a", 0, 1), ("a", 1, 2), ("a", 3, 2)]
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1)
    assert {part.values.shape[1] for (part,) in blocks_of(measures)} == {1}


def test_no_value_at_all_is_one_line() -> None:
    with pytest.raises(InputError, match="at least one with a value"):
        correlated({"m": {"a": np.full((9, 2), np.nan)}}, np.arange(9.0), How("spearman", 0, 0, 9))


def test_a_block_is_one_task_and_reads_only_its_own_chunks(monkeypatch) -> None:
    """Here one after another, so that one block is in memory at a time."""
    measures, y = made_up()
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 8 * N * 5)
    steps: list[str] = []
    found_of = blocks.block_found

    def read(values: np.ndarray, name: str) -> np.ndarray:
        steps.append(name)
        return values

    def found(parts, *rest):
        done = found_of(parts, *rest)
        steps.append(f"computed {parts[0].metric}")
        return done

    monkeypatch.setattr(blocks, "block_found", found)
    watched = {
        m: {k: da.from_array(v, chunks=(50, -1)).map_blocks(read, k, dtype=np.float32) for k, v in metrics.items()}
        for m, metrics in measures.items()
    }
    steps.clear()  # dask has tried the function on nothing
    correlated(watched, y, How("spearman", 0, 0, N))
    computed = [i for i, step in enumerate(steps) if step.startswith("computed")]
    for before, here in zip([-1, *computed], computed):
        assert set(steps[before + 1 : here]) == {steps[here].removeprefix("computed ")}


def test_the_readout_is_of_a_sample_where_there_is_more_than_it_takes() -> None:
    measures, y = made_up()
    few = {"one": {"a": measures["one"]["a"]}}
    y[5] = np.nan
    settings = AnalysisSettings(bootstraps=50, readout_values=5 * 100)
    found = analyse(lazy(few), da.from_array(y, chunks=70), settings=settings, about=ABOUT)
    assert found.sample is not None
    assert len(found.sample) == 100 == found.images
    assert 5 not in found.sample
    assert np.array_equal(found.columns.values, stack(few).values[found.sample])
    assert found.readouts is not None
    assert found.readouts["n"].tolist() == [100]
    assert found.table["n"].tolist() == [N - 1] * 4
    whole = analyse(few, y, settings=AnalysisSettings(bootstraps=50), about=ABOUT)
    assert whole.sample is None
    pd.testing.assert_frame_equal(found.table, whole.table, check_exact=True)
    again = analyse(few, y, settings=settings, about=ABOUT)
    pd.testing.assert_frame_equal(found.readouts, again.readouts, check_exact=True)


@pytest.mark.parametrize("method", ["pearson", "kendall"])
def test_the_readout_stands_beside_spearmans_best_whatever_the_method(method: str) -> None:
    measures, y = made_up()
    found, plain = (analyse(measures, y, settings=AnalysisSettings(m, bootstraps=20)) for m in (method, "spearman"))
    assert found.readouts is not None
    pd.testing.assert_frame_equal(found.readouts, plain.readouts, check_exact=True)


def store_of(folder: Path, order: np.ndarray, group: str) -> None:
    measures, y = made_up()
    ids = pd.Index([f"i{i:03d}" for i in order], name="image", dtype=str)
    values = {"a": measures["one"]["a"][order], "heads": np.stack([measures["one"]["a"][order]] * 2, axis=2) * [1, -1]}
    variables = {"a": Variable({"layer": 5}), "heads": Variable({"layer": 5, "head": 2})}
    writer = open_writer(
        folder, group, pd.DataFrame({"memorability": y[order]}, index=ids), variables, {"model": group}, 32
    )
    for chunk in range(writer.chunks):
        writer.write(chunk, {name: rows[writer.span(chunk)].astype(np.float32) for name, rows in values.items()}, [])


@pytest.mark.parametrize("second", ["same order", "reversed"])
def test_a_store_read_lazily_is_the_store_read_whole(second: str, tmp_path: Path) -> None:
    store_of(tmp_path, np.arange(N), "first")
    store_of(tmp_path, np.arange(N)[:: 1 if second == "same order" else -1], "second")
    features = open_features(tmp_path)
    whole, scores = measures_of(features)
    read, y = stored_measures(features)
    assert {m: list(k) for m, k in read.items()} == {m: ["a", "heads_0", "heads_1"] for m in ("first", "second")}
    for model, metrics in whole.items():
        for metric, values in metrics.items():
            assert isinstance(read[model][metric], da.Array)
            assert np.array_equal(np.asarray(read[model][metric], np.float64), values, equal_nan=True)
            assert np.array_equal(values, whole["first"][metric], equal_nan=True)
            assert values.dtype == np.float64
    assert np.array_equal(np.asarray(y), scores.to_numpy())


def test_a_task_reads_whole_chunks_of_the_store_and_many_of_them(tmp_path: Path, monkeypatch) -> None:
    store_of(tmp_path, np.arange(N), "first")
    (group,) = open_features(tmp_path).values()
    assert chunked(group["a"]).chunks[0] == (N,)
    monkeypatch.setattr("memjax.measures.READ_VALUES", 5 * 32 * 3)
    assert chunked(group["a"]).chunks[0] == (96, 96, 48)
    monkeypatch.setattr("memjax.measures.READ_VALUES", 1)
    assert set(chunked(group["a"]).chunks[0]) == {32, N % 32}
    assert READ_VALUES > 5 * 32


def test_the_digits_of_very_many_images_do_not_depend_on_the_threads_of_blas() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(300_000, 13)), rng.normal(size=300_000)
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            found.append(pearson(x, y))
    np.testing.assert_array_equal(*found)
