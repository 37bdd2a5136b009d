"""What stays together: folds, permutations, images that are nearly the same."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from memjax.pipelines.alike import alike_images, by_vectors
from memjax.stats import duplicates
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


def test_where_more_pairs_are_alike_than_are_held_the_cosine_is_larger(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = rng.normal(size=(2000, 40))
    for i in range(0, 60, 2):
        x[i + 1] = x[i] + 0.4 * rng.normal(size=40)
    x[100], x[102] = x[101], x[103] + 0.01 * rng.normal(size=40)
    every = near_duplicates(x)
    assert (every.cosine, every.largest) == (0.9, 2)
    monkeypatch.setattr("memjax.stats.duplicates.MOST_PAIRS", 10)
    for rows in (1024, 50):
        monkeypatch.setattr("memjax.stats.duplicates._ROWS", rows)
        found = near_duplicates(x)
        assert found.cosine > every.cosine
        assert 2 <= found.pairs <= 10 < every.pairs
        assert found.clusters[100] == found.clusters[101]
        assert found.clusters[102] == found.clusters[103]


def test_thousands_of_copies_of_one_image_are_held_by_what_links_them(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their pairs are as many as the square of the copies."""
    x = rng.normal(size=(700, 20))
    x[::2] = x[0]
    x[1] = x[3]
    every = near_duplicates(x)
    assert every.pairs > 350 * 349 // 2
    monkeypatch.setattr("memjax.stats.duplicates.MOST_PAIRS", 1000)
    monkeypatch.setattr("memjax.stats.duplicates._ROWS", 30)
    held = []
    linked = duplicates._Pairs.linked
    monkeypatch.setattr(
        duplicates._Pairs, "linked", lambda pairs, n: (held.append(len(pairs.first)), linked(pairs, n))[1]
    )
    found = near_duplicates(x)
    np.testing.assert_array_equal(found.clusters, every.clusters)
    assert (found.pairs, found.largest) == (every.pairs, 350)
    assert len(held) > 1
    assert max(held) < 1000 + 30 * 700


def test_near_duplicates_are_so_to_all_encoders_together(rng: np.random.Generator) -> None:
    one, other = rng.normal(size=(200, 40)), rng.normal(size=(200, 30))
    one[1], one[3], one[5] = one[0], one[2] + 0.2 * rng.normal(size=40), one[4] + 0.7 * rng.normal(size=40)
    other[1], other[7], other[5] = other[0], other[6], other[4] + 0.3 * rng.normal(size=30)
    alone, both = near_duplicates(one), near_duplicates(one, other)
    assert alone.clusters[2] == alone.clusters[3], "to one of them alone these are the same"
    assert alone.clusters[4] != alone.clusters[5], "and these are not"
    assert (both.pairs, both.encoders, alone.encoders) == (2, 2, 1)
    assert both.clusters[0] == both.clusters[1]
    assert both.clusters[4] == both.clusters[5], "both find them alike, neither strikingly so"
    cosines = [np.corrcoef(x[[4, 5]] - x.mean(axis=0))[0, 1] for x in (one, other)]
    assert 0.8 < np.mean(cosines) < 0.95


def store(**vectors: np.ndarray) -> xr.Dataset:
    n = len(next(iter(vectors.values())))
    axes = {2: ("image", "width"), 3: ("image", "layer", "width")}
    kept = {name: (axes[x.ndim], x) for name, x in vectors.items()}
    return xr.Dataset(kept, {"image": [f"i{i}" for i in range(n)]})


def test_every_encoder_has_a_say_whatever_order_its_images_are_in(rng: np.random.Generator) -> None:
    one, other = rng.normal(size=(60, 2, 8)), rng.normal(size=(60, 7))
    one[11], other[11] = one[30], other[30]
    one[40] = one[50]  # to the first encoder alone
    features = {
        "one": store(cls=one),
        "plain": store(scores=one),
        "other": store(pooled=other)[{"image": rng.permutation(60)}],
    }
    found = by_vectors(features)
    assert found is not None
    assert np.flatnonzero(np.bincount(found.clusters) > 1).size == found.pairs == 1
    assert found.clusters[11] == found.clusters[30]
    said = alike_images(features, pd.DataFrame(index=features["one"].indexes["image"])).said
    assert "1 pairs" in said
    assert "in the mean of 2 encoders, above 0.8" in said
    one[11, -1, 0] = np.nan
    without = by_vectors(features)
    assert without is not None
    assert without.pairs == 0, "an image without vectors is by itself"
    assert len(set(without.clusters)) == 60


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
