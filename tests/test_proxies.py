"""Measures of an image among others against scikit-learn and against slow definitions; each out of sample."""

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.model_selection import KFold
from sklearn.neighbors import KernelDensity, NearestNeighbors

from memjax.baselines import density, linear
from memjax.baselines.density import log_density, neighbour_distances
from memjax.baselines.linear import count_components, pca_error, principal_axes, shrunk_covariance
from memjax.baselines.proxies import PROXIES, ProxyOptions, proxy_of
from memjax.baselines.sparse_coding import SparseCodingConfig
from memjax.checks import InputError

OPTIONS = ProxyOptions(folds=4, neighbours=3, coding=SparseCodingConfig(codewords=6, batches=20))


@pytest.fixture
def x(rng) -> np.ndarray:
    """Vectors of a low rank with noise, far from the origin as activations are."""
    values = rng.normal(size=(90, 4)) @ rng.normal(size=(4, 12)) + 0.2 * rng.normal(size=(90, 12)) + 50
    return values.astype(np.float32)


def folds(x: np.ndarray, options: ProxyOptions):
    return KFold(options.folds, shuffle=True, random_state=options.seed).split(x)


@pytest.mark.parametrize("wanted", [0.5, 0.9, 0.99, 3])
def test_the_residual_is_that_of_sklearns_pca_on_the_other_folds(x, wanted) -> None:
    fixed = isinstance(wanted, int)
    options = ProxyOptions(folds=4, components=wanted if fixed else None, variance=0.9 if fixed else wanted)
    expected, counts = np.empty(len(x)), set()
    for fitted, scored in folds(x, options):
        model = PCA(wanted, svd_solver="full").fit(x[fitted].astype(np.float64))
        back = model.inverse_transform(model.transform(x[scored].astype(np.float64)))
        expected[scored] = ((x[scored] - back) ** 2).sum(axis=1)
        counts.add(model.n_components_)
    np.testing.assert_allclose(PROXIES["pca_residual"].function(x, options), expected, rtol=1e-6)
    said = PROXIES["pca_residual"].note(x, options)
    assert {int(word) for word in said.partition(" components")[0].split(" to ")} == {min(counts), max(counts)}


def test_mahalanobis_is_sklearns_with_the_covariance_of_the_other_folds(x) -> None:
    expected = np.empty(len(x))
    for fitted, scored in folds(x, OPTIONS):
        model = LedoitWolf().fit(x[fitted].astype(np.float64))
        centred = x[scored] - model.location_
        expected[scored] = np.sqrt(np.einsum("nd,de,ne->n", centred, np.linalg.inv(model.covariance_), centred))
    np.testing.assert_allclose(PROXIES["mahalanobis"].function(x, OPTIONS), expected, rtol=1e-6)


@pytest.mark.parametrize("shape", [(30, 5), (12, 40), (200, 3), (9, 9)])
def test_the_covariance_is_sklearns(rng, shape) -> None:
    x = rng.normal(size=shape) * np.linspace(0.1, 9, shape[1]) + 100
    mean, covariance = shrunk_covariance(x)
    model = LedoitWolf().fit(x)
    np.testing.assert_allclose(mean, model.location_)
    np.testing.assert_allclose(covariance, model.covariance_, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("neighbours", [1, 3, 89])
def test_neighbours_are_sklearns(x, neighbours) -> None:
    distance, _ = NearestNeighbors(n_neighbors=neighbours, algorithm="brute").fit(x.astype(np.float64)).kneighbors()
    np.testing.assert_allclose(neighbour_distances(x, neighbours), distance.mean(axis=1), rtol=1e-6)
    if neighbours == 1:
        found = PROXIES["nn_distance"].function(x, OPTIONS)
        np.testing.assert_allclose(PROXIES["knn_distance"].function(x, ProxyOptions(neighbours=1)), found, rtol=1e-4)


def test_the_density_is_sklearns_of_the_other_images(x) -> None:
    distance, _ = NearestNeighbors(n_neighbors=3).fit(x.astype(np.float64)).kneighbors()
    width = np.median(distance[:, -1])
    others = [np.delete(x, i, axis=0).astype(np.float64) for i in range(len(x))]
    models = [KernelDensity(bandwidth=width).fit(rest) for rest in others]
    expected = np.array([model.score_samples(x[i : i + 1].astype(np.float64))[0] for i, model in enumerate(models)])
    constant = x.shape[1] * np.log(width * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(log_density(x, 3), expected + constant, rtol=1e-5, atol=1e-5)


def test_tiles_do_not_change_the_numbers(x, monkeypatch) -> None:
    before = [neighbour_distances(x, 3), log_density(x, 3), pca_error(x[:60], x[60:], None, 0.9)]
    monkeypatch.setattr(density, "MEMORY", 90 * 8 * 7 / 2**20)
    monkeypatch.setattr(linear, "ROWS", 11)
    sizes = [rows.shape[0] for _, rows in density.distance_rows(x)]
    assert len(sizes) > 5
    after = [neighbour_distances(x, 3), log_density(x, 3), pca_error(x[:60], x[60:], None, 0.9)]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)


HELD_OUT = ["pca_residual", "mahalanobis", "sparse_coding_held_out"]


@pytest.mark.parametrize("name", HELD_OUT)
def test_an_image_has_no_part_in_the_model_that_scores_it(x, name) -> None:
    """Another image of its fold moved far away changes nothing for it; the models of the other folds do change."""
    before = PROXIES[name].function(x, OPTIONS)
    _, scored = next(iter(folds(x, OPTIONS)))
    moved = x.copy()
    moved[scored[0]] += np.linspace(-40, 40, x.shape[1], dtype=np.float32)
    after = PROXIES[name].function(moved, OPTIONS)
    rest = np.setdiff1d(np.arange(len(x)), scored)
    if name != "sparse_coding_held_out":  # whose codes settle together with those of the batch
        np.testing.assert_allclose(after[scored[1:]], before[scored[1:]], rtol=1e-9)
    assert np.abs(after[rest] / before[rest] - 1).max() > 1e-3


def test_every_row_says_what_it_measures_and_by_what(x) -> None:
    seen = {name for name, row in PROXIES.items() if row.in_sample}
    assert seen == {"sparse_coding_error"}
    assert {name for name, row in PROXIES.items() if row.direction < 0} == {"local_density"}
    for name, row in PROXIES.items():
        values = row.function(x, OPTIONS)
        assert values.shape == (len(x),)
        assert np.isfinite(values).all()
        assert row.note(x, OPTIONS)
        assert proxy_of(f"{name}_mean") == name
    assert proxy_of("sae_error") == ""


def test_an_outlier_stands_out_everywhere(x) -> None:
    far = x.copy()
    far[7] = 50 + 30 * np.sign(np.arange(x.shape[1]) % 3 - 1)
    for name in ("nn_distance", "knn_distance", "local_density", "pca_residual", "mahalanobis"):
        assert np.argmax(PROXIES[name].direction * PROXIES[name].function(far, OPTIONS)) == 7, name


def test_axes_and_their_count(x) -> None:
    axes = principal_axes(x)
    np.testing.assert_allclose(axes.directions.T @ axes.directions, np.eye(12), atol=1e-10)
    np.testing.assert_allclose(axes.variance.sum(), x.astype(np.float64).var(axis=0, ddof=1).sum(), rtol=1e-9)
    assert count_components(np.array([1.0, 0.0, 0.0]), 0.999) == 1
    assert count_components(np.ones(4), 0.5) == 2


@pytest.mark.parametrize(
    ("name", "options", "argument"),
    [
        ("pca_residual", ProxyOptions(folds=91), "folds"),
        ("mahalanobis", ProxyOptions(folds=1), "folds"),
        ("pca_residual", ProxyOptions(components=12), "components"),
        ("knn_distance", ProxyOptions(neighbours=90), "neighbours"),
        ("local_density", ProxyOptions(neighbours=90), "neighbours"),
    ],
)
def test_what_cannot_be_is_one_line(x, name, options, argument) -> None:
    with pytest.raises(InputError) as raised:
        PROXIES[name].function(x, options)
    assert raised.value.argument == argument
    assert "\n" not in str(raised.value)


def test_images_that_coincide_have_no_density() -> None:
    with pytest.raises(InputError, match="coincide"):
        log_density(np.zeros((20, 3), np.float32), 2)
    with pytest.raises(InputError, match="singular"):
        PROXIES["mahalanobis"].function(np.zeros((20, 3), np.float32), OPTIONS)
