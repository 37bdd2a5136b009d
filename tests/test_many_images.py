"""Readouts of very many images from sums over cells: the models and numbers of those that hold all pairs of images."""

import dataclasses
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from sklearn.linear_model import Ridge

from memjax.pipelines import sweep_representations
from memjax.pipelines.sweep_representations import reader_of, representations_of
from memjax.stats import cells as cells_module
from memjax.stats import many_images
from memjax.stats.analysis import Analysis, AnalysisSettings, analyse
from memjax.stats.banks import Bank, Readers, bank_of
from memjax.stats.cells import CellSums, ChosenBands, cells_of, summed
from memjax.stats.left_out import from_columns, from_products
from memjax.stats.many_images import read_many
from memjax.stats.out_of_fold import of_vectors
from memjax.stats.readouts import Together
from memjax.stats.repeats import ReadoutSettings, Study
from memjax.stats.representations import ALL_LAYERS, CHOSEN_LAYER, read_representations, standardised
from memjax.stats.ridge import PENALTIES
from memjax.stats.strata import rho_interval, within_rho
from memjax.stats.streamed import models_of_cells

QUICK = ReadoutSettings(folds=4, repeats=3, permutations=49, shuffles=0)


class Given(Study):
    """A study whose partitions are given."""

    def partitions(self, settings: ReadoutSettings) -> list[np.ndarray]:
        return cells_of(self, 20, settings).folds()


def problem(n: int, seed: int = 0) -> tuple[dict, np.ndarray]:
    """Two encoders of several tokens, widths and layers, far from mean 0; one cls token does not vary at layer 0."""
    rng = np.random.default_rng(seed)
    shapes = {"one": {"cls": (3, 5), "mean": (3, 4)}, "two": {"cls": (2, 7), "pooled": (1, 3)}}
    vectors = {
        model: {
            token: (rng.normal(size=(n, *shape)) * rng.uniform(0.1, 9, shape[1]) + 20).astype(np.float32)
            for token, shape in tokens.items()
        }
        for model, tokens in shapes.items()
    }
    y = vectors["one"]["cls"][:, 2, 0] / 9 + vectors["two"]["pooled"][:, 0, 1] / 9 + rng.normal(size=n)
    vectors["one"]["cls"][:, 0] = 1.5
    return vectors, y.astype(np.float64)


def readers(vectors: dict) -> Readers:
    def reader(x: np.ndarray) -> Callable:
        return lambda rows: x[rows]

    return {model: {token: reader(x) for token, x in tokens.items()} for model, tokens in vectors.items()}


@pytest.mark.parametrize(("widths", "count", "scores"), [((6, 3, 9), 4, 1), ((1,), 3, 3), ((40, 1), 5, 2)])
def test_the_models_of_sums_are_those_of_images(
    widths: tuple[int, ...], count: int, scores: int, rng: np.random.Generator
) -> None:
    n, k = 230, sum(widths)
    x = standardised(rng.normal(size=(n, k)) @ (np.eye(k) + 0.4 * rng.normal(size=(k, k))))
    y = x[:, 0] + rng.normal(size=n)
    y = np.column_stack([y, *(rng.permutation(y) for _ in range(scores - 1))]) - y.mean()
    made = cells_of(Study(y[:, 0], np.arange(n) // 2, None), 12, ReadoutSettings(folds=count, repeats=2))
    sums = summed(widths, made, y, lambda start, stop: x[start:stop], 50)
    bands = tuple(range(len(widths)))[-2:]
    columns = np.concatenate([np.arange(band.start, band.stop) for band in (sums.bands[i] for i in bands)])
    source = ChosenBands(bands, rng.uniform(0.2, 2, len(columns)))
    own = x[:, columns] * source.scale
    for folds, of_cells in zip(made.folds(), made.partitions, strict=True):
        found, predicted = models_of_cells(sums, source, of_cells, scores), np.empty(y.shape)
        found.predict(x[:, columns], folds, predicted)
        wanted = from_products(own @ own.T, [y], [folds])[0]
        np.testing.assert_array_equal(found.chosen, wanted.chosen)
        np.testing.assert_allclose(predicted, wanted.predicted, atol=1e-9 * y.std())
        np.testing.assert_allclose(found.error, wanted.error, rtol=1e-9)
        alone = from_columns(own, y[:, 0], folds)
        np.testing.assert_allclose(predicted[:, :1], alone.predicted, atol=1e-9 * y.std())
        rest = folds != 0
        model = Ridge(alpha=PENALTIES[found.chosen[0, 0]] * n * (count - 1) / count).fit(own[rest], y[rest, 0])
        by_sklearn = model.predict(own[~rest]) - y[rest, 0].mean()
        np.testing.assert_allclose(predicted[~rest, 0], by_sklearn, atol=1e-8)


def test_the_table_is_that_of_vectors_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, y = problem(150)
    measures = np.column_stack([y + np.random.default_rng(5).normal(size=150), np.ones(150)])
    study = Given(y, np.arange(150) // 2, None)
    wanted = read_representations(vectors, study, QUICK, measures)
    monkeypatch.setattr(many_images, "PREDICTED_BYTES", 8 * 150 * 3 * 4)  # four sources at once
    monkeypatch.setattr("memjax.stats.banks.BLOCK_VALUES", 40 * 37)
    found = read_many(bank_of(readers(vectors), y), study, QUICK, measures)
    names = ["model", "token", "layer", "n", "columns"]
    assert found.table[names].equals(wanted.table[names])
    np.testing.assert_allclose(found.table[["rho", "p"]], wanted.table[["rho", "p"]], rtol=1e-12)
    np.testing.assert_allclose(found.predicted, wanted.predicted, atol=1e-8)
    together = [one for one in wanted.found if one.source.layer in (ALL_LAYERS, CHOSEN_LAYER)]
    for own, other in zip(found.found, together, strict=True):
        assert own.source == other.source
        np.testing.assert_allclose(own.by_repeat, other.by_repeat, atol=1e-8)
    assert found.between == pytest.approx(20 / 16), "partitions of 20 cells differ less than those of images"
    wider = rho_interval(dataclasses.replace(wanted.widest, between=found.between)).low
    assert found.table["ci_low"].iloc[-1] == pytest.approx(
        rho_interval(dataclasses.replace(wanted.widest, between=found.between), study.clusters).low
    )
    assert wider < rho_interval(wanted.widest).low
    assert "150 images were read in blocks" in found.how
    assert "3 of 22 columns, 3 of 17 columns, 3 of 39 columns, 3 of 40 columns" in found.how


def test_comparisons_are_of_the_partitions_that_all_have(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, y = problem(150)
    monkeypatch.setattr(many_images, "PARTITIONS", {25: 3})
    found = read_many(bank_of(readers(vectors), y), Study(y, np.arange(150), None), QUICK)
    counts = [len(one.by_repeat) for one in found.found]
    assert counts == [3, 3, 3, 3, 2], "a chosen layer and a stack of each encoder, and a larger stack of both"
    readouts = of_vectors(found)
    assert {len(one.predicted) for one in readouts} == {len(one.strata) for one in readouts} == {2}
    for one in readouts:
        assert one.parts().between == one.parts_of(one.scores).between == 20 / 16
    apart = readouts[0].apart(readouts[0].parts(), readouts[1].parts())
    assert apart.value == pytest.approx(readouts[0].parts().rho - readouts[1].parts().rho)


def test_groups_are_held_out_whole_and_clusters_stay_whole(rng: np.random.Generator) -> None:
    vectors, y = problem(180)
    groups = rng.integers(0, 7, 180)
    study = Study(y, groups, groups)
    found = read_many(bank_of(readers(vectors), y), study, QUICK)
    assert found.between == 1
    assert all(np.array_equal(one, groups) for one in found.strata)
    made = cells_of(study, 20, QUICK)
    assert made.count == 7
    for labels, folds in ((groups, made.folds()), (np.arange(180) // 3, None)):
        folds = folds or cells_of(Study(y, labels, None), 20, QUICK).folds()
        for one in folds:
            assert all(len(set(one[labels == label])) == 1 for label in np.unique(labels))
            assert set(one) == {0, 1, 2, 3}


def test_the_variance_between_partitions_of_cells_makes_up_for_the_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise: influences and partitions add up to the variance of rho; of six cells in three folds the second counts twice."""
    monkeypatch.setattr("memjax.stats.streamed.PENALTIES", (0.1, 10.0))
    n, studies, values, said, without = 60, 150, [], [], []
    for seed in range(studies):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(n, 2)), rng.normal(size=n)
        how = ReadoutSettings(folds=3, repeats=4, permutations=0, seed=seed)
        made = cells_of(Study(y, np.arange(n), None), 6, how)
        sums = summed([2], made, y[:, None], lambda start, stop, x=x: x[start:stop], n)
        predicted = [np.empty((n, 1)) for _ in made.partitions]
        for into, of_cells, folds in zip(predicted, made.partitions, made.folds(), strict=True):
            models_of_cells(sums, ChosenBands((0,), np.ones(2)), of_cells, 1).predict(x, folds, into)
        parts = within_rho([one[:, 0] for one in predicted], y, made.folds())
        values.append(parts.rho)
        said.append(rho_interval(dataclasses.replace(parts, between=made.between)).error ** 2)
        without.append(rho_interval(parts).error ** 2)
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(studies)
    assert np.mean(said) == pytest.approx(np.var(values), rel=3 * np.sqrt(2 / studies))
    assert np.mean(without) < 0.85 * np.mean(said)


def test_images_without_a_vector_or_score_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, y = problem(90)
    y[3], vectors["two"]["pooled"][7, 0, 2] = np.nan, np.nan
    monkeypatch.setattr("memjax.stats.banks.BLOCK_VALUES", 37 * 11)
    bank = bank_of(readers(vectors), y)
    assert bank.rows.tolist() == [i for i in range(90) if i not in (3, 7)]
    bands = bank.bands()
    assert [(band.site.token, band.site.layer) for band in bands if band.site.model == "one"] == [
        ("cls", 1), ("cls", 2), ("mean", 0), ("mean", 1), ("mean", 2),
    ]  # fmt: skip
    assert [band.site.layer for band in bands if band.site.token == "pooled"] == [1], "at the last layer"
    columns = bank.columns(bands, 0, 88)
    wanted = [standardised(vectors[b.site.model][b.site.token][bank.rows, b.place]) for b in bands]
    np.testing.assert_allclose(columns, np.concatenate(wanted, axis=1), atol=1e-9)
    y[:] = np.nan
    assert len(bank_of(readers(vectors), np.where(np.arange(90) == 7, 1.0, np.nan)).rows) == 0


def store_of(vectors: dict, y: np.ndarray) -> dict[str, xr.Dataset]:
    found = {}
    for model, tokens in vectors.items():
        dims = {token: ("image", "layer", token) if token != "pooled" else ("image", token) for token in tokens}
        values = {t: (dims[t], x if t != "pooled" else x[:, 0]) for t, x in tokens.items()}
        found[model] = xr.Dataset(values, {"image": np.arange(len(y)), "memorability": ("image", y)})
    found["two"] = found["two"].isel(image=np.random.default_rng(1).permutation(len(y)))  # in an order of its own
    return found


@pytest.mark.parametrize(("most", "fit", "said", "n"), [
    (4_000, True, "All 160 images were read, from the products of all pairs.", 160),
    (100, True, "All 160 images were read in blocks", 160),
    (100, False, "100 of 160 images were drawn at random and read: 42 columns are too many", 100),
])  # fmt: skip
def test_the_way_follows_from_images_and_columns_and_is_said(
    most: int, fit: bool, said: str, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors, y = problem(160)
    features = store_of(vectors, y)
    analysis: Analysis = analyse(
        {"one": {"norm": vectors["one"]["mean"][:, :, 0]}}, y, settings=AnalysisSettings(folds=0)
    )
    monkeypatch.setattr(sweep_representations, "MOST_IMAGES", most)
    monkeypatch.setattr(sweep_representations, "HOW", QUICK)
    if not fit:
        monkeypatch.setattr(cells_module, "MOST_BYTES", 100)
    found = representations_of(features, analysis, Together(), 0)
    assert found is not None
    assert found.how.startswith(said)
    assert (found.table["n"] == n).all()
    assert found.table["token"].iloc[-1] == "all and measures"
    assert found.images is not None
    rows = found.images
    chosen = {model: {token: x[rows] for token, x in tokens.items()} for model, tokens in vectors.items()}
    if not said.endswith("blocks"):
        study = Study(y[rows], np.arange(n), None)
        wanted = read_representations(chosen, study, QUICK, analysis.columns.values[rows], penalties=True)
        assert found.table.equals(wanted.table), "bit for bit what vectors in memory give"


def test_memory_is_that_of_sums_and_not_of_images() -> None:
    """Four times as many images: the columns of all of them would be 14 MB more."""

    def most(n: int) -> int:
        rng = np.random.default_rng(0)
        weights = rng.normal(size=(3, 50))

        def read(rows: np.ndarray) -> np.ndarray:
            return np.sin(rows[:, None, None] * weights + weights)

        y = np.sin(np.arange(n) * weights[0, 0]) + rng.normal(size=n)
        tracemalloc.start()
        bank: Bank = bank_of({"m": {"cls": read}}, y)
        read_many(bank, Study(y, np.arange(n), None), ReadoutSettings(folds=3, repeats=2, permutations=0))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    small = 4_000
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("memjax.stats.banks.BLOCK_VALUES", 2**16)
        assert most(4 * small) - most(small) < 3 * small * 8 * 40, "scores, folds, predictions and ranks of them alone"


def test_sums_of_the_same_images_in_any_order_of_blocks(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(30, 4)), rng.normal(size=(30, 1))
    sums = [CellSums([3, 1], 2, 1), CellSums([3, 1], 2, 1)]
    for one, step in zip(sums, (30, 7), strict=True):
        for start in range(0, 30, step):
            one.add(1, x[start : start + step], y[start : start + step])
    first, second = (one.over(np.array([0, 1]), ChosenBands((0, 1), np.ones(4)), 1) for one in sums)
    np.testing.assert_allclose(np.tril(first.xx), np.tril(second.xx))
    np.testing.assert_allclose(np.tril(first.xx), np.tril(x.T @ x))
    assert (sums[0].counts.tolist(), first.count) == ([0, 30], 30)


@pytest.mark.parametrize("rows", [[0, 1, 2], [3, 9, 10], [0, 199]])
def test_a_reader_gives_some_images_in_the_order_of_the_first_group(rows: list[int]) -> None:
    vectors, y = problem(200)
    features = store_of(vectors, y)
    place = features["one"].indexes["image"].get_indexer_for
    for token in ("cls", "pooled"):
        found = reader_of(features["two"], token, place)(np.array(rows))
        np.testing.assert_array_equal(found, vectors["two"][token][rows])


def test_within_rho_is_as_it_was_without_cells() -> None:
    rng = np.random.default_rng(0)
    y, folds = rng.normal(size=60), [rng.permutation(np.arange(60) % 5) for _ in range(4)]
    assert within_rho([rng.normal(size=60) for _ in folds], y, folds).between == 1
