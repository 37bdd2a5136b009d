"""Archetypal autoencoders: decoder rows are mixtures of training rows, before, during and after training, and in a file."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memjax import sae
from memjax.checks import InputError
from memjax.devices import data_mesh
from memjax.sae.candidates import candidate_points
from memjax.sae.checkpoint import Checkpoints, open_manager
from memjax.sae.constraints import HULL, into_relaxed_hull
from memjax.sae.initialisers import at_candidates
from memjax.sae.member import Hyper, Recipe, init_member
from memjax.sae.model import ArchetypalParams
from memjax.sae.resampling import resample
from memjax.sae.standardiser import fit_standardiser, standardise
from memjax.sae.stream import ImageTokens, Stream, leaving_out, whole
from memjax.sae.training import fit_members
from tests.planted import planted_vectors
from tests.test_sae_training import same, setting

D, F = 12, 20


def preset(rows: int, **changes: object) -> sae.SAEPreset:
    start = sae.modern("archetypal", D, rows, latents=F, epochs=15, batch_size=32)
    return dataclasses.replace(start, sae=dataclasses.replace(start.sae, k=3, **changes))


def beside_the_hull(one: sae.TrainedSAE) -> np.ndarray:
    """How far each decoder row is from the mixture that it says it is, in float64."""
    mixed = np.asarray(one.params.mixture, np.float64) @ np.asarray(one.state.points, np.float64)
    return np.linalg.norm(np.asarray(one.params.w_dec, np.float64) - mixed, axis=1)


@pytest.mark.parametrize("delta", [0.0, 0.2, 1.0])
def test_decoder_rows_stay_in_the_relaxed_hull(delta: float) -> None:
    x = planted_vectors(d=D)
    fitted = sae.fit(x, preset(200, delta=delta), seeds=(0, 1), folds=2)
    assert len(fitted.saes) == 4
    for one in fitted.saes:
        mixture = np.asarray(one.params.mixture)
        assert mixture.shape == (F, 2 * F)
        assert mixture.min() >= 0
        np.testing.assert_allclose(mixture.sum(axis=1), 1.0, atol=1e-6)
        assert (mixture > 0).sum(axis=1).max() > 1, "mixtures are learnt"
        assert beside_the_hull(one).max() <= delta + 2e-6
        kept = np.flatnonzero(fitted.fold != one.fold)
        rows = standardise(one.standardiser, jnp.asarray(x[kept]))
        apart = np.abs(np.asarray(one.state.points)[:, None] - np.asarray(rows)[None]).max(axis=2).min(axis=1)
        assert apart.max() < 1e-5, "candidates are training rows, none of the fold left out"
    first, other = (fitted.saes[place].state.points for place in (0, 2))
    np.testing.assert_array_equal(first, other)  # of another seed
    assert not np.array_equal(fitted.saes[0].params.w_dec, fitted.saes[2].params.w_dec)


def test_training_explains_planted_atoms() -> None:
    x = planted_vectors(d=D)
    few, many = (dataclasses.replace(preset(len(x)).fit, epochs=epochs) for epochs in (1, 30))
    before, after = (sae.fit(x, dataclasses.replace(preset(len(x)), fit=fit)) for fit in (few, many))
    assert after.errors.mean() < 0.8 * before.errors.mean()
    assert after.explained_variance.item() > before.explained_variance.item()


def test_the_projection_is_its_definition() -> None:
    rng = np.random.default_rng(0)
    mixture, relaxation = rng.normal(size=(F, 7)).astype(np.float32), rng.normal(size=(F, D)).astype(np.float32)
    mixture[3], relaxation[4] = -1.0, 0.0
    blank = jnp.zeros((D, F)), jnp.zeros(F), jnp.zeros((F, D)), jnp.zeros(D)
    params = ArchetypalParams(*blank, mixture=jnp.asarray(mixture), relaxation=jnp.asarray(relaxation))
    found = into_relaxed_hull(params, preset(40, delta=2.5).sae)
    for i in range(F):
        positive = np.maximum(mixture[i], 0)
        wanted = positive / positive.sum() if positive.any() else np.full(7, 1 / 7)
        np.testing.assert_allclose(found.mixture[i], wanted, atol=1e-6)
        length = np.linalg.norm(relaxation[i])
        shrunk = relaxation[i] * (2.5 / length if length > 2.5 else 1)
        np.testing.assert_allclose(found.relaxation[i], shrunk, atol=1e-6)
    again = into_relaxed_hull(found, preset(40, delta=2.5).sae)
    np.testing.assert_allclose(again.mixture, found.mixture, atol=1e-6)
    np.testing.assert_allclose(again.relaxation, found.relaxation, atol=1e-6)


@pytest.mark.parametrize("candidates", [7, F, 31])
def test_it_starts_at_candidates_and_projects_on_each(candidates: int) -> None:
    points = np.random.default_rng(1).normal(size=(candidates, D)).astype(np.float32)
    config = preset(40, candidates=candidates).sae
    params = at_candidates(sae.init_params(jax.random.key(0), config), jnp.asarray(points))
    np.testing.assert_allclose(np.asarray(params.mixture).sum(axis=1), 1.0)
    rows = np.asarray(params.w_dec)
    own = [np.abs(points - row).max(axis=1).min() < 1e-6 for row in rows]
    assert sum(own) >= min(candidates, F)
    assert len(np.unique(rows[: min(candidates, F)], axis=0)) == min(candidates, F), "each at one of its own"
    np.testing.assert_allclose(np.sum(rows * np.asarray(params.w_enc).T, axis=1), 1.0, rtol=1e-5)


def test_candidates_are_spread_over_blocks_and_members(rng: np.random.Generator) -> None:
    data = rng.normal(size=(2, 11 * 3, 5)).astype(np.float32)
    images = ImageTokens(lambda start, stop: data[:, start * 3 : stop * 3], n=11, tokens=3, size=4)
    fold = np.arange(11) % 2
    stream = Stream(images, lambda block: leaving_out(images, np.zeros(11, int), 1, np.zeros(2, int)).rows(block))
    scale = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(fit_standardiser(rows) for rows in data))
    found = np.asarray(candidate_points(stream, np.array([1, 0]), scale, 10))
    for member, layer in enumerate((1, 0)):
        rows = (data[layer] - np.asarray(scale.mean)[member]) / np.asarray(scale.std)[member]
        np.testing.assert_allclose(found[member], rows[[i * 33 // 10 for i in range(10)]], atol=1e-6)
    with pytest.raises(InputError, match="SAE candidates: expected at most the 33 training rows, got 34"):
        candidate_points(stream, np.array([1, 0]), scale, 34)
    assert fold.sum() == 5


def test_dead_latents_are_redrawn_at_candidates() -> None:
    x = planted_vectors(n=60, d=D)
    config = preset(len(x), dead_after=10).sae
    recipe, hyper = Recipe(config, preset(60).fit, 1), Hyper(jnp.float32(1e-3), jnp.float32(0))
    scale = fit_standardiser(x)
    rows = standardise(scale, jnp.asarray(x))
    member = init_member(jnp.int32(0), jnp.int32(0), hyper, scale, recipe, rows[: config.candidates])
    idle = jnp.where(jnp.arange(F) == 4, 10, 3).astype(jnp.int32)
    found = resample(jax.random.key(1), member.replace(state=member.state.replace(idle=idle)), rows, recipe).params
    held = HULL.derive(HULL.project(found, config), member.state)
    np.testing.assert_allclose(held.w_dec, found.w_dec, atol=1e-5)
    np.testing.assert_array_equal(np.delete(found.mixture, 4, 0), np.delete(member.params.mixture, 4, 0))
    assert not np.array_equal(found.w_enc[:, 4], member.params.w_enc[:, 4])
    assert np.asarray(found.mixture)[4].max() == 1


def test_it_resumes_to_the_same_bits(tmp_path: Path) -> None:
    _, recipe, stream, members = setting("archetypal", segment=4)
    unbroken = fit_members(members, stream, recipe, data_mesh())

    def stop(epoch: int, *_: object) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    for on_epoch in (stop, None):
        _, _, _, members = setting("archetypal")
        with open_manager(tmp_path) as manager:
            checkpoints = Checkpoints(manager, {"sae": recipe.sae.to_json()})
            if on_epoch is not None:
                with pytest.raises(KeyboardInterrupt):
                    fit_members(members, stream, recipe, data_mesh(), checkpoints, on_epoch)
                manager.wait_until_finished()
            else:
                assert manager.latest_step() == 3
                assert same(unbroken, fit_members(members, stream, recipe, data_mesh(), checkpoints))


def test_members_of_an_ensemble_have_their_own_candidates() -> None:
    data, recipe, stream, members = setting("archetypal")
    points = np.asarray(members.state.points)
    np.testing.assert_array_equal(points[0], points[2])  # one layer, two seeds
    assert not np.array_equal(points[0], points[1])
    assert recipe.sae.candidates == len(data[0])
    assert whole(data, stream.rows(0)).steps(4) == [6]


def test_other_variants_have_no_room_for_candidates() -> None:
    """So that checkpoints and files from before there was an archetypal one are read as they were."""
    topk = sae.modern("topk", D, 40, latents=F).sae
    assert not {"mixture", "relaxation", "points"} & (
        vars(sae.init_params(jax.random.key(0), topk)).keys() | vars(sae.init_state(topk)).keys()
    )
    assert not {"candidates", "delta", "tolerance", "stop_on_repeat"} & topk.to_json().keys()
    assert preset(40).sae.to_json()["candidates"] == 40
