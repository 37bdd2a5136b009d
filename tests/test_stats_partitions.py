"""What stays together: folds, permutations, images that are nearly the same."""

import numpy as np
import pandas as pd
import xarray as xr

from memjax.pipelines.alike import alike_images
from memjax.stats.duplicates import near_duplicates
from memjax.stats.partitions import folds_of, joined, shuffled_scores


def test_folds_are_even_and_keep_clusters_whole(rng: np.random.Generator) -> None:
    alone = folds_of(np.arange(103), 5, rng)
    assert sorted(np.bincount(alone)) == [20, 20, 21, 21, 21]
    clusters = np.concatenate([np.zeros(30, int), np.arange(1, 71)])
    folds = folds_of(clusters, 5, rng)
    assert len(set(folds[:30])) == 1
    assert sorted(np.bincount(folds)) == [17, 17, 18, 18, 30]
    assert not np.array_equal(folds_of(np.arange(103), 5, rng), alone)


def test_shuffled_scores_keep_what_belongs_together(rng: np.random.Generator) -> None:
    y, clusters = np.arange(12.0), np.array([0, 0, 1, 1, 2, 2, 3, 4, 5, 6, 7, 8])
    groups = np.array([0] * 8 + [1] * 4)
    for column in shuffled_scores(y, clusters, groups, 30, rng).T:
        assert sorted(column) == y.tolist()
        assert sorted(column[:8]) == y[:8].tolist(), "within the group"
        assert {tuple(column[i : i + 2]) for i in (0, 2, 4)} == {(0, 1), (2, 3), (4, 5)}, "pairs stay pairs"


def test_near_duplicates_are_chains_and_subjects_are_not(rng: np.random.Generator) -> None:
    x = rng.normal(size=(200, 40))
    x[1], x[2], x[150] = x[0], 1.01 * x[0] + 0.01, x[149] + 0.05 * rng.normal(size=40)
    found = near_duplicates(x)
    assert (found.pairs, found.largest, found.together) == (4, 3, 5)
    assert len(set(found.clusters[:3])) == 1
    assert found.clusters[149] == found.clusters[150]
    subject = np.concatenate([x, x[5] + 0.15 * rng.normal(size=(60, 40))])
    strict = near_duplicates(subject)
    assert strict.cosine > 0.9, "a subject of sixty images is no duplicate"
    assert strict.largest <= 0.05 * 260


def test_images_are_together_under_any_label() -> None:
    one, other = np.array([0, 0, 1, 2, 3]), np.array([9, 8, 7, 7, 6])
    assert joined(one, other).tolist() == [0, 0, 1, 1, 2]
    assert joined(None, None) is None
    assert joined(None, one).tolist() == [0, 0, 1, 2, 3]


def test_copies_that_a_data_set_names_stay_together() -> None:
    vectors = np.random.default_rng(0).normal(size=(40, 2, 8)).astype(np.float32)
    vectors[5] = vectors[6]
    group = xr.Dataset({"cls": (("image", "layer", "width"), vectors)}, {"image": [f"i{i}" for i in range(40)]})
    table = pd.DataFrame({"duplicates": ["a"] + [""] * 38 + ["a"]}, index=group.indexes["image"])
    found = alike_images({"m": group}, table)
    assert found.clusters is not None
    assert found.clusters[0] == found.clusters[39]
    assert found.clusters[5] == found.clusters[6]
    assert len(set(found.clusters)) == 38
    assert "1 sets of copies" in found.said
    assert "1 pairs" in found.said
    unknown = alike_images({"m": group.drop_vars("cls")}, table.drop(columns="duplicates"))
    assert unknown.clusters is None
    assert "not compared" in unknown.said
