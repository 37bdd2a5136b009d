"""Latents against scores: rank correlations of mostly zeros, firings on disk, images not seen, partners."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from memjax.latents.encoding import pooled_latents
from memjax.latents.firings import Firings
from memjax.latents.matching import match_latents, plane_of
from memjax.latents.scoring import LatentScores, LatentStudy, score_latents
from memjax.latents.seen import scored_images
from memjax.latents.summary import summary_table
from memjax.pipelines.atlas_cards import lit
from memjax.pipelines.atlas_scoring import largest_of
from memjax.sae.grid import grid_of
from memjax.sae.origin import SAEOrigin, images_digest
from memjax.sae.stream import ImageTokens
from memjax.stats.influence import ranked, ranked_sparse
from tests.saes_made import D, F, made_sae, vectors


def sparse(rng: np.random.Generator, n: int, rates: list[float], decimals: int = 9) -> np.ndarray:
    """Latents that fire for these shares of images; few decimals tie their values too."""
    fires = rng.uniform(size=(n, len(rates))) < rates
    return (fires * (0.1 + rng.exponential(size=fires.shape)).round(decimals)).astype(np.float32)


def scored(tmp_path, x: np.ndarray, study: LatentStudy, batch: int = 7, memory: int = 10**6) -> LatentScores:
    firings = Firings(tmp_path / "firings", x.shape[1])
    for start in range(0, len(x), batch):
        firings.add(start, x[start : start + batch])
    return score_latents(firings.parts(memory), x.shape[1], study)


def study_of(y: np.ndarray, least: int = 10, top: int = 4, category: np.ndarray | None = None) -> LatentStudy:
    return LatentStudy(y, np.zeros(len(y), np.int64) if category is None else category, least, top)


@pytest.mark.parametrize("decimals", [9, 1, 0])
@pytest.mark.parametrize("y_decimals", [9, 1])
def test_rho_and_p_are_scipys(tmp_path, decimals, y_decimals):
    rng = np.random.default_rng(decimals)
    x = sparse(rng, 301, [0.0, 0.01, 0.05, 0.2, 0.7, 0.99, 1.0], decimals)
    y = rng.normal(size=301).round(y_decimals)
    found = scored(tmp_path, x, study_of(y))
    np.testing.assert_array_equal(found.firings, (x > 0).sum(axis=0))
    enough = found.firings >= 10
    assert not enough[:2].any()
    assert enough[3:].all()
    for latent in np.flatnonzero(enough):
        wanted = scipy.stats.spearmanr(x[:, latent], y)
        np.testing.assert_allclose(found.rho[latent], wanted.statistic, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(found.p[latent], wanted.pvalue, rtol=1e-9)
        assert found.ci_low[latent] < found.rho[latent] < found.ci_high[latent]
    for value in (found.rho, found.ci_low, found.ci_high, found.p):
        assert np.isnan(value[~enough]).all()
    fires = found.firings > 0
    np.testing.assert_allclose(found.mean[fires], [column[column > 0].mean() for column in x.T[fires]], rtol=1e-6)
    assert np.isnan(found.mean[~fires]).all()


@pytest.mark.parametrize("case", ["constant", "scores do not vary", "perfect"])
def test_what_has_no_rho_or_no_interval(tmp_path, case):
    y = np.arange(40.0) + 1
    x = np.full((40, 1), 2.0, np.float32) if case == "constant" else y[:, None].astype(np.float32)
    found = scored(tmp_path, x, study_of(np.ones(40) if case == "scores do not vary" else y))
    assert np.isnan(found.ci_low[0])
    assert np.isnan(found.ci_high[0])
    assert found.rho[0] == 1 and found.p[0] == 0 if case == "perfect" else np.isnan(found.rho[0])


def test_ranks_of_a_sparse_column_are_those_of_the_whole():
    rng = np.random.default_rng(3)
    for rate in (0.0, 0.1, 1.0):
        x = sparse(rng, 50, [rate], 0)[:, 0].astype(float)
        fires = np.flatnonzero(x)
        fires = fires[np.argsort(x[fires], kind="stable")]
        mine, whole = ranked_sparse(fires, x[fires], 50), ranked(x)
        for name in ("order", "ends", "ranks", "ties"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(whole, name), err_msg=name)


@pytest.mark.parametrize("memory", [1, 64 * 50, 10**9])
def test_parts_do_not_depend_on_the_memory(tmp_path, memory):
    rng = np.random.default_rng(0)
    x, y = sparse(rng, 90, [0.0, 0.3, 0.0, 0.9, 0.5, 0.2], 1), rng.normal(size=90)
    found, wanted = (scored(tmp_path, x, study_of(y), *how) for how in ((11, memory), (90, 10**9)))
    for name in vars(wanted):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name), err_msg=name)


def test_the_largest_of_both_ways_break_ties_by_the_earlier(tmp_path):
    x = np.array([[0, 2, 1], [3, 2, 0], [3, 0, 0], [1, 2, 0]], np.float32)
    found = scored(tmp_path, x, study_of(np.arange(4.0), top=3), batch=2)
    assert found.top_images.tolist() == [[1, 2, 3], [0, 1, 3], [0, -1, -1]]
    np.testing.assert_array_equal(found.top_values, [[3, 3, 1], [2, 2, 2], [1, np.nan, np.nan]])
    latents, values = largest_of(x, 2)
    assert latents.tolist() == [[1, 2], [0, 1], [0, -1], [1, 0]]
    assert values.tolist() == [[2, 1], [3, 2], [3, 0], [2, 1]]


def test_categories_are_counted(tmp_path):
    rng = np.random.default_rng(0)
    x, category = sparse(rng, 60, [0.0, 0.4]), rng.integers(0, 3, 60)
    found = scored(tmp_path, x, study_of(rng.normal(size=60), category=category))
    assert found.by_category.tolist() == [[0, 0, 0], np.bincount(category[x[:, 1] > 0], minlength=3).tolist()]


@pytest.mark.parametrize("variant", ["topk", "paper"])
@pytest.mark.parametrize("pool", ["max", "mean"])
@pytest.mark.parametrize("rows", [1, 3, 9, 1000])
def test_latents_of_images_do_not_depend_on_the_rows_at_once(variant, pool, rows):
    one = made_sae(variant)
    x = vectors(one, 6 * 4).reshape(6, 4, D)
    whole = np.asarray(one.encode(x.reshape(-1, D))).reshape(6, 4, F)
    wanted = whole.max(axis=1) if pool == "max" else whole.mean(axis=1)
    np.testing.assert_allclose(pooled_latents(one, x, pool, rows), wanted, rtol=1e-5, atol=1e-6)


IDS = np.array([f"i{place}" for place in range(50)])


def told(**known: object) -> SAEOrigin:
    return SAEOrigin(**{"dataset": "made", "images": 50, "images_sha256": images_digest(IDS), **known})


@pytest.mark.parametrize(
    ("origin", "token", "how"),
    [
        (told(), "cls", "in sample"),
        (told(parts=2), "cls", "out of sample"),
        (told(parts=2, block=8), "patches", "out of sample"),
        (told(parts=2), "patches", "not known"),
        (told(parts=2, images_sha256=""), "cls", "out of sample"),
        (told(parts=2, images_sha256="0"), "cls", "not known"),
        (told(parts=2, images=49), "cls", "not known"),
        (told(parts=2, dataset=""), "cls", "not known"),
        (told(dataset="another"), "cls", "other data set"),
    ],
)
def test_what_is_known_of_the_images(origin, token, how):
    one = made_sae("topk").replace(fold=1 if origin.parts > 1 else None, origin=origin)
    found = scored_images(one, "made", IDS, token)
    assert found.how == how
    assert found.images.sum() == (25 if how == "out of sample" else 50) or token == "patches"
    assert how == "out of sample" or found.images.all()


@pytest.mark.parametrize(("folds", "parts", "size"), [(2, 2, 50), (5, 5, 50), (3, 3, 8), (1, 5, 50)])
def test_the_images_scored_are_those_that_training_left_out(folds, parts, size):
    images = ImageTokens(lambda start, stop: np.zeros((1, stop - start, D), np.float32), 50, 1, size)
    grid = grid_of(images, 1, (0,), folds, parts)
    stream = grid.stream(images)
    seen = np.zeros((folds, 50), bool)
    for block in range(images.blocks):
        for member, rows in enumerate(stream.rows(block)):
            seen[member, rows + images.span(block).start] = True
    for member in range(folds):
        origin = told(parts=parts, block=size)
        one = made_sae("topk").replace(fold=member if folds > 1 else None, origin=origin)
        mine = scored_images(one, "made", IDS, "cls").images
        assert mine.any()
        assert not (mine & seen[member]).any()
        assert (~mine & ~seen[member]).sum() <= parts * images.blocks, "the surplus of a fold alone"


def test_partners_are_found_under_a_permutation_and_noise():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(40, 24)).astype(np.float32)
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    order = rng.permutation(40)
    b = a[order] + rng.normal(0, 0.02, a.shape).astype(np.float32)
    b /= np.linalg.norm(b, axis=1, keepdims=True)
    fires = np.ones(40, bool)
    found = match_latents(a, b, (fires, fires))
    np.testing.assert_array_equal(order[found.partner], np.arange(40))
    np.testing.assert_allclose(found.cosine, (a * b[found.partner]).sum(axis=1), rtol=1e-5)
    silent = np.arange(40) < 10
    some = match_latents(a, b, (~silent, fires))
    assert (some.partner[silent] == -1).all()
    assert np.isnan(some.cosine[silent]).all()
    assert (match_latents(a, b, (fires, ~fires)).partner == -1).all()


def test_beyond_the_assignment_each_takes_its_nearest(monkeypatch):
    rng = np.random.default_rng(0)
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in rng.normal(size=(2, 30, 5)).astype(np.float32))
    monkeypatch.setattr("memjax.latents.matching.MOST_ASSIGNED", 29)
    monkeypatch.setattr("memjax.latents.matching.TILE", 7)
    found = match_latents(a, b, (np.ones(30, bool), np.ones(30, bool)))
    np.testing.assert_array_equal(found.partner, (a @ b.T).argmax(axis=1))


def test_the_plane_is_that_of_the_main_components():
    from sklearn.decomposition import PCA

    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(50, 6)) * [3, 2, 1, 0.1, 0.1, 0.1]).astype(np.float32)
    found = np.concatenate(plane_of([rows[:20], rows[20:]]))
    np.testing.assert_allclose(np.abs(found), np.abs(PCA(2).fit_transform(rows)), rtol=1e-4, atol=1e-4)


def test_memory_is_bounded_by_the_setting_and_not_by_latents_times_images(tmp_path):
    latents, images, memory = 1500, 1500, 200_000
    dense = latents * images * 4
    rng, firings = np.random.default_rng(0), Firings(tmp_path / "firings", latents)
    y = rng.normal(size=images)
    tracemalloc.start()
    for start in range(0, images, 20):
        block = np.zeros((20, latents), np.float32)
        block[:, rng.integers(0, latents, 10)] = rng.exponential(size=10)
        firings.add(start, block)
    found = score_latents(firings.parts(memory), latents, study_of(y, least=60, top=9))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.firings.sum() == firings.counts.sum() > 12_000
    assert np.isfinite(found.rho).sum() > 3
    assert len(list(firings.parts(memory))) > 3
    result = sum(array.nbytes for array in vars(found).values())
    assert peak < result + 4 * memory < dense / 6, f"{peak / 1e6:.1f} MB"


def test_patches_that_fire_are_lit():
    pixels = np.full((8, 8, 3), 200, np.uint8)
    found = lit(pixels, np.array([0, 0, 4, 2], np.float32))
    assert found[0, 0, 0] == found[3, 7, 0] == 80
    assert found[4, 3, 0] == 200
    assert found[7, 7, 0] == 140
    np.testing.assert_array_equal(lit(pixels, np.ones(5, np.float32)), pixels, err_msg="no grid of squares")


def test_the_counts_of_the_summary():
    rows = pd.DataFrame(
        {"model": "m", "token": "cls", "layer": 1, "seed": [0, 0, 1, 1], "fold": pd.array([None] * 4, "Int64")}
        | {
            "scored": "in sample",
            "firings": [0, 9, 9, 9],
            "rho": [np.nan, 0.5, -0.4, 0.1],
            "q": [np.nan, 0.01, 0.02, 0.9],
        }
        | {"seeds": 1, "seeds_same": [0, 1, 1, 1], "seeds_agree": [0, 1, 0, 0]}
    )
    row = summary_table(rows).iloc[0]
    names = [
        "autoencoders",
        "latents",
        "silent",
        "tested",
        "found",
        "positive",
        "same_in_all_seeds",
        "agree_in_all_seeds",
    ]
    assert row[names].tolist() == [2, 4, 1, 3, 2, 1, 2, 1]
    assert "same_in_all_folds" not in row
    assert row["strongest"] == 0.5
