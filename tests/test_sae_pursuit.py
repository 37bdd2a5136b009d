"""Matching pursuit: its encoder against a loop in NumPy and scikit-learn's pursuit, its residual, its training, its refusals."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memjax import sae
from memjax.checks import InputError
from memjax.sae.member import Hyper, Recipe, init_member
from memjax.sae.resampling import resample
from memjax.sae.standardiser import fit_standardiser
from tests.planted import planted_vectors
from tests.test_sae_variants import pursued

D, F = 12, 20


def made(k: int, **changes: object) -> tuple[sae.SAEParams, sae.SAEConfig]:
    config = sae.SAEConfig(D, F, variant="matching_pursuit", k=k, **changes)
    params = sae.init_params(jax.random.key(3), config)
    return params.replace(b_dec=jnp.linspace(-1, 1, D)), config


def encoded(x: np.ndarray, k: int, **changes: object) -> tuple[np.ndarray, np.ndarray]:
    params, config = made(k, **changes)
    out = sae.reconstruct(params, jnp.asarray(x), sae.init_state(config), config)
    return np.asarray(out.latents), np.asarray(out.recons)


@pytest.mark.parametrize("k", [1, 4, 30])
def test_it_is_the_plain_loop(k: int) -> None:
    x = planted_vectors(60, D)
    params, _ = made(k)
    latents, recons = encoded(x, k)
    wanted = pursued(x.astype(np.float64) - np.asarray(params.b_dec), np.asarray(params.w_dec, np.float64), k)
    np.testing.assert_allclose(latents, wanted, atol=1e-6)
    np.testing.assert_allclose(recons, wanted @ np.asarray(params.w_dec) + np.asarray(params.b_dec), atol=2e-6)


def test_orthogonal_rows_give_what_sklearns_orthogonal_pursuit_does() -> None:
    """With orthogonal rows there is nothing to fit anew, so both pursuits are one; rows with both signs, as ours are positive."""
    from sklearn.decomposition import sparse_encode

    turn = np.linalg.qr(np.random.default_rng(5).normal(size=(D, D)))[0].astype(np.float32)
    config = sae.SAEConfig(D, 2 * D, variant="matching_pursuit", k=4)
    rows = jnp.asarray(np.concatenate([turn, -turn]))
    params = sae.init_params(jax.random.key(0), config).replace(w_dec=rows, w_enc=rows.T)
    x = planted_vectors(50, D, seed=2)
    found = sae.reconstruct(params, jnp.asarray(x), sae.init_state(config), config).latents
    wanted = sparse_encode(x, turn, algorithm="omp", n_nonzero_coefs=4)
    np.testing.assert_allclose(found[:, :D] - found[:, D:], wanted, atol=1e-5)


def test_the_residual_falls_with_every_step() -> None:
    x = planted_vectors(80, D)
    lengths = np.stack([np.linalg.norm(x - encoded(x, k)[1], axis=1) for k in range(1, 13)])
    assert (np.diff(lengths, axis=0) <= 1e-6).all()
    assert (lengths[-1] < lengths[0]).all()
    squared = np.linalg.norm(x - np.asarray(made(1)[0].b_dec), axis=1) ** 2 - (encoded(x, 1)[0] ** 2).sum(axis=1)
    np.testing.assert_allclose(lengths[0] ** 2, squared, rtol=1e-4)  # what a step takes off: unit rows


def test_an_input_is_done_at_the_tolerance_or_when_a_latent_comes_again() -> None:
    x = planted_vectors(80, D)
    by_step = np.stack([encoded(x, k)[0] for k in range(1, 31)])
    lengths = np.stack([np.linalg.norm(x - encoded(x, k)[1], axis=1) for k in range(1, 31)])
    short = lengths < 2.5
    first = np.where(short.any(axis=0), short.argmax(axis=0), 29)
    assert len(set(first)) > 3
    np.testing.assert_allclose(encoded(x, 30, tolerance=2.5)[0], by_step[first, np.arange(80)], atol=1e-5)
    active = np.concatenate([np.zeros((1, 80)), (by_step > 0).sum(axis=2)])
    again = np.argmax(np.diff(active, axis=0) == 0, axis=0)
    assert again.min() > 0
    np.testing.assert_allclose(encoded(x, 30, stop_on_repeat=True)[0], by_step[again, np.arange(80)], atol=1e-5)


def test_training_learns_planted_atoms_and_stays_tied() -> None:
    x = planted_vectors(d=D)
    start = sae.modern("matching_pursuit", D, len(x), latents=F, epochs=30, batch_size=32)
    preset = dataclasses.replace(start, sae=dataclasses.replace(start.sae, k=3))
    short = dataclasses.replace(preset, fit=dataclasses.replace(preset.fit, epochs=1))
    before, after = sae.fit(x, short), sae.fit(x, preset)
    assert after.errors.mean() < 0.7 * before.errors.mean()
    one = after.saes[0]
    np.testing.assert_array_equal(one.params.w_enc, one.params.w_dec.T)
    np.testing.assert_array_equal(one.params.b_enc, np.zeros(F))
    np.testing.assert_allclose(np.linalg.norm(one.params.w_dec, axis=1), 1.0, atol=1e-6)
    np.testing.assert_array_equal(one.standardiser.std, np.ones(D))
    np.testing.assert_allclose(one.standardiser.mean, x.mean(axis=0), atol=1e-5)
    assert (np.asarray(one.encode(x)) > 0).sum(axis=1).max() <= 3


def test_a_scaled_one_cannot_be_a_file(tmp_path: Path) -> None:
    params, config = made(3)
    scaled = sae.TrainedSAE(params, sae.init_state(config), fit_standardiser(planted_vectors(40, D)), config)
    with pytest.raises(InputError, match="expected standard deviations of 1, got others; its encoder is its decoder's"):
        sae.save(scaled, tmp_path / "one")
    assert not (tmp_path / "one").exists()


def test_redrawn_latents_stay_tied() -> None:
    x = planted_vectors(60, D)
    config = dataclasses.replace(made(3)[1], dead_after=10)
    recipe = Recipe(config, sae.modern("matching_pursuit", D, 60, latents=F).fit, 1)
    hyper = Hyper(jnp.float32(1e-3), jnp.float32(0))
    member = init_member(jnp.int32(0), jnp.int32(0), hyper, fit_standardiser(x), recipe)
    idle = jnp.where(jnp.arange(F) == 4, 10, 3).astype(jnp.int32)
    found = resample(jax.random.key(1), member.replace(state=member.state.replace(idle=idle)), jnp.asarray(x), recipe)
    np.testing.assert_array_equal(found.params.w_enc, found.params.w_dec.T)
    changed = np.abs(np.asarray(found.params.w_dec - member.params.w_dec)).max(axis=1) > 0
    assert changed.tolist() == [i == 4 for i in range(F)]
