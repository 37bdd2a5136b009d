"""Sparse coding and nearest neighbours against slow definitions; the port of released weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memjax.baselines.neighbours import nearest_neighbours
from memjax.baselines.sparse_coding import (
    SparseCodingConfig,
    ista,
    learn_dictionary,
    reconstruction_error,
    sample_units,
    unit,
)
from memjax.checks import InputError
from memjax.sae.released import from_arrays


def slow_ista(x, dictionary, cfg):
    codes, count = np.zeros((len(x), len(dictionary))), 0
    while True:
        gradient = 2 * (codes @ dictionary - x) @ dictionary.T
        moved = codes - cfg.rate * gradient
        moved = np.sign(moved) * np.maximum(np.abs(moved) - cfg.sparsity, 0)
        count += 1
        done = np.linalg.norm(codes) > 0 and np.linalg.norm(moved - codes) / np.linalg.norm(codes) < cfg.tolerance
        codes = moved
        if done:
            return codes, count


def test_ista_is_its_definition(rng):
    cfg = SparseCodingConfig(codewords=6)
    x, dictionary = rng.normal(size=(5, 9)), rng.normal(size=(6, 9))
    dictionary /= np.linalg.norm(dictionary, axis=1, keepdims=True)
    codes, count = slow_ista(x, dictionary, cfg)
    found = ista(jnp.asarray(x, jnp.float32), jnp.asarray(dictionary, jnp.float32), cfg)
    assert bool(found.converged)
    assert int(found.iterations) == count
    np.testing.assert_allclose(found.codes, codes, atol=1e-5)


def test_ista_on_zeros_stops_and_a_bound_is_reported(rng):
    cfg = SparseCodingConfig(codewords=4, max_iterations=3)
    dictionary = unit(jnp.asarray(rng.normal(size=(4, 5)), jnp.float32))
    assert int(ista(jnp.zeros((2, 5)), dictionary, cfg).iterations) == 1
    assert not bool(ista(jnp.ones((2, 5)), dictionary, cfg).converged)


def test_learning_a_dictionary_lowers_the_error_and_keeps_unit_rows(rng):
    cfg = SparseCodingConfig(codewords=8, batches=60, batch_size=20)
    truth = rng.normal(size=(4, 10))
    x = sample_units(jax.random.key(0), jnp.asarray(rng.normal(size=(50, 4)) @ truth, jnp.float32), cfg)
    dictionary, errors = learn_dictionary(jax.random.key(1), x, cfg)
    assert errors[-10:].mean() < 0.6 * errors[:5].mean()
    np.testing.assert_allclose(np.linalg.norm(dictionary, axis=1), 1.0, rtol=1e-5)
    assert reconstruction_error(x, dictionary, cfg).shape == (50,)


def test_sample_units_samples_units_and_refuses_silence(rng):
    cfg = SparseCodingConfig(units=3)
    x = jnp.asarray(rng.normal(size=(40, 7)), jnp.float32)
    found = sample_units(jax.random.key(0), x, cfg)
    assert found.shape == (40, 3)
    assert float(jnp.quantile(jnp.abs(found), 0.95)) == pytest.approx(1.0, rel=1e-5)
    with pytest.raises(InputError, match="quantile"):
        sample_units(jax.random.key(0), jnp.zeros((4, 3)), cfg)


@settings(deadline=None, max_examples=15)
@given(st.integers(2, 40), st.integers(1, 9), st.integers(1, 50), st.integers(0, 99))
def test_neighbours_are_those_of_a_full_search(n, rows, columns, seed):
    x = np.random.default_rng(seed).normal(100, 1, size=(n, 3)).astype(np.float32)
    found = nearest_neighbours(x, rows=rows, columns=columns)
    full = np.linalg.norm(x[:, None].astype(np.float64) - x[None], axis=2) + np.where(np.eye(n), np.inf, 0)
    np.testing.assert_allclose(found.distance, full.min(1), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(full[np.arange(n), found.index], full.min(1), rtol=1e-4, atol=1e-5)


def test_neighbours_of_duplicates_are_at_zero_and_nan_is_refused():
    x = np.ones((5, 2), np.float32)
    found = nearest_neighbours(x, rows=2, columns=3)
    assert (found.distance == 0).all()
    assert (found.index != np.arange(5)).all()
    with pytest.raises(InputError, match="finite"):
        nearest_neighbours(np.full((3, 2), np.nan, np.float32))


def test_released_names_are_checked_both_ways(rng):
    good = {"fc1.weight": (3, 5), "fc1.bias": (3,), "fc2.weight": (5, 3), "fc2.bias": (5,)}
    arrays = {name: rng.normal(size=shape).astype(np.float32) for name, shape in good.items()}
    params, config = from_arrays(arrays)
    assert (config.width, config.latents) == (5, 3)
    np.testing.assert_array_equal(params.w_enc, arrays["fc1.weight"].T)
    with pytest.raises(InputError, match=r"missing \['fc1.bias'\], not known \['fc3.bias'\]"):
        from_arrays({("fc3.bias" if k == "fc1.bias" else k): v for k, v in arrays.items()})
    with pytest.raises(InputError, match="shapes"):
        from_arrays({**arrays, "fc2.bias": np.zeros(4, np.float32)})
