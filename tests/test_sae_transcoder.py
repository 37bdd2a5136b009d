"""Transcoders: latents of one vector decoded into another, trained, scored, and as a file; autoencoders stay as they were."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from memjax import sae
from memjax.checks import InputError
from memjax.precision import products_at
from memjax.sae.constraints import tangent
from memjax.sae.dead import observe
from memjax.sae.folding import raw_standardiser
from memjax.sae.init import init_params, init_state
from memjax.sae.member import Hyper, Member, Recipe, init_member, train_step
from memjax.sae.optimise import update
from memjax.sae.reconstruction import objective, reconstruct
from memjax.sae.resampling import resample
from memjax.sae.standardiser import fit_standardiser
from memjax.sae.variants import VARIANTS
from tests.saes_made import TRANSCODED, D, F, made_config, made_sae

ATOMS, ACTIVE = 16, 3
ABLE = ", ".join(TRANSCODED)


def pairs(n: int = 1500, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``x = z A``, ``y = z B`` of the same sparse ``z`` (3 of 16, 1 to 3), each with an offset and noise; and ``B``."""
    rng = np.random.default_rng(seed)
    atoms, written = (rng.normal(size=(ATOMS, width)) for width in (20, 12))
    atoms, written = (a / np.linalg.norm(a, axis=1, keepdims=True) for a in (atoms, written))
    z = np.zeros((n, ATOMS))
    for mine in z:
        mine[rng.choice(ATOMS, ACTIVE, replace=False)] = rng.uniform(1, 3, ACTIVE)
    x, y = (z @ a + at + 0.02 * rng.normal(size=(n, a.shape[1])) for a, at in ((atoms, 4), (written, -7)))
    return x.astype(np.float32), y.astype(np.float32), written


def preset(variant: str, width: int, rows: int, epochs: int = 30, **changes: object) -> sae.SAEPreset:
    start = sae.modern(variant, width, rows, latents=24, epochs=epochs, batch_size=50)
    return dataclasses.replace(start, learning_rate=1e-2, sae=dataclasses.replace(start.sae, k=ACTIVE, **changes))


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(1, 2, size=shape).astype(np.float32)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_step_of_an_autoencoder_is_what_it_was_before_there_were_targets(variant: str) -> None:
    one = made_sae(variant)
    recipe = Recipe(dataclasses.replace(one.config, aux_k=2, dead_after=6), sae.FitConfig(batch_size=4), 10)
    member = init_member(
        jnp.int32(3),
        jnp.int32(0),
        Hyper(jnp.float32(1e-2), jnp.float32(1e-3)),
        one.standardiser,
        recipe,
        jnp.asarray(one.state.points) if one.config.row.archetypal else None,
    )
    x = jnp.asarray(normal(4, D))

    def loss_of(params: sae.SAEParams, member: Member, x: jax.Array) -> tuple[jax.Array, sae.Reconstruction]:
        whole = recipe.sae.row.constraint.derive(params, member.state)
        out = reconstruct(whole, x, member.state, recipe.sae, True)
        return recipe.sae.row.loss(whole, x, out, member.state, recipe.sae, member.hyper.sparsity), out

    @jax.jit
    def plain(member: Member, x: jax.Array) -> tuple:
        with products_at("highest"):
            (loss, out), grads = jax.value_and_grad(loss_of, has_aux=True)(member.params, member, x)
            grads = tangent(grads, member.params) if recipe.sae.unit_norm else grads
            params, moments = update(
                recipe.optimiser(member.hyper.learning_rate), grads, member.opt_state, member.params
            )
            constraint = recipe.sae.row.constraint
            params = constraint.derive(constraint.project(params, recipe.sae), member.state)
        state = observe(member.state, out, recipe.sae)
        return member.replace(params=params, opt_state=moments, state=state, step=member.step + 1), loss

    found = jax.jit(train_step, static_argnums=2)(member, x, recipe)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(plain(member, x)), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("variant", TRANSCODED)
def test_with_the_input_as_target_the_objective_is_the_autoencoders(variant: str) -> None:
    config = dataclasses.replace(made_config(variant), pre_bias=False, aux_k=2, dead_after=6)
    other = dataclasses.replace(config, target_width=D)
    params = jax.tree.map(lambda a: a + 0.1, init_params(jax.random.key(0), config))
    state = init_state(config).replace(idle=jnp.arange(F, dtype=jnp.int32))
    x = jnp.asarray(normal(9, D))
    value = jax.jit(jax.value_and_grad(objective, has_aux=True), static_argnums=3)
    wanted = value(params, x, state, config, jnp.float32(1e-2))
    found = value(params, jnp.concatenate([x, x], axis=1), state, other, jnp.float32(1e-2))
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)
    scores = sae.score_images(params, state, jnp.concatenate([x, x], axis=1), other)
    for a, b in zip(jax.tree.leaves(scores), jax.tree.leaves(sae.score_images(params, state, x, config)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


@pytest.mark.parametrize("variant", TRANSCODED)
def test_it_starts_untied_and_its_loss_is_of_the_target(variant: str) -> None:
    config = dataclasses.replace(made_config(variant), target_width=D, pre_bias=False)
    params = init_params(jax.random.key(0), config)
    assert not np.allclose(params.w_enc, params.w_dec.T, atol=0.1)
    x, y = jnp.asarray(normal(9, D)), jnp.asarray(normal(9, D, seed=1))
    loss = lambda target: objective(  # noqa: E731
        params, jnp.concatenate([x, target], axis=1), init_state(config), config, jnp.float32(0)
    )
    value, out = loss(y)
    aim = loss(out.recons)[0]
    wanted = np.mean(np.asarray(out.recons - y) ** 2) * (D if variant == "paper" else 1)
    assert aim < value
    if variant not in ("gated", "matryoshka"):  # they have further errors
        np.testing.assert_allclose(value, wanted, rtol=1e-5)
        np.testing.assert_allclose(aim, 0, atol=1e-6)


@pytest.mark.parametrize("variant", TRANSCODED)
def test_training_finds_what_makes_the_targets(variant: str) -> None:
    x, y, written = pairs()
    chosen = preset("relu" if variant == "paper" else variant, x.shape[1], len(x), epochs=60)
    if variant == "paper":
        chosen = dataclasses.replace(
            sae.paper(x.shape[1]),
            fit=dataclasses.replace(chosen.fit, resample_epochs=()),
            learning_rate=1e-2,
        )
    fitted = sae.fit(x, chosen, folds=2, target=y, progress=False)
    assert fitted.explained_variance.min() > 0.8, fitted.explained_variance
    for one in fitted.saes:
        seen, left = fitted.fold != one.fold, fitted.fold == one.fold
        mean = ((y[left] - y[seen].mean(0)) ** 2).sum(1).mean()
        missed = ((np.asarray(one.reconstruct(x[left])) - y[left]) ** 2).sum(1).mean()
        assert missed < 0.2 * mean, "of rows that it did not see"
    if variant in ("topk", "batchtopk"):
        rows = np.asarray(fitted.saes[0].params.w_dec) * fitted.saes[0].target_standardiser.std
        cosines = written @ (rows / np.linalg.norm(rows, axis=1, keepdims=True)).T
        matched = cosines[linear_sum_assignment(-cosines)]
        assert np.median(matched) > 0.95, matched


def test_a_linear_map_is_learnt_where_every_latent_may_fire() -> None:
    x = normal(600, 6)
    y = x @ normal(6, 3, seed=2)
    start = preset("topk", 6, 600, epochs=80, unit_norm=False)
    start = dataclasses.replace(start, sae=dataclasses.replace(start.sae, k=24))
    fitted = sae.fit(x, start, target=y, progress=False)
    assert fitted.explained_variance.item() > 0.98


def test_errors_and_scales_are_the_targets() -> None:
    x, y, _ = pairs(120)
    fitted = sae.fit(x, preset("topk", x.shape[1], 120, 3), seeds=(0, 5), folds=3, target=y, progress=False)
    assert fitted.errors.shape == (2, 120)
    assert (fitted.preset.sae.target_width, fitted.preset.sae.pre_bias) == (12, False)
    for one in fitted.saes:
        seen = fitted.fold != one.fold
        for found, wanted in ((one.standardiser, x), (one.target_standardiser, y)):
            leaves = zip(jax.tree.leaves(found), jax.tree.leaves(fit_standardiser(wanted[seen])), strict=True)
            for a, b in leaves:
                np.testing.assert_allclose(a, b, rtol=1e-5)
        mine = np.flatnonzero(fitted.fold == one.fold)
        z = (y - one.target_standardiser.mean) / one.target_standardiser.std
        recons = (np.asarray(one.reconstruct(x)) - one.target_standardiser.mean) / one.target_standardiser.std
        error = ((recons - z) ** 2).sum(1)
        e = (0, 5).index(one.seed)
        np.testing.assert_allclose(fitted.errors[e, mine], error[mine], rtol=1e-4)
        np.testing.assert_allclose(one.score(x, y).error, error, rtol=1e-4)
        np.testing.assert_allclose(one.score(x, y).error_mean, error / 12, rtol=1e-4)
        np.testing.assert_allclose(one.score(x, y).squared_length, (z**2).sum(1), rtol=1e-4)
        explained = 1 - error.sum() / ((z - z.mean(0)) ** 2).sum()
        np.testing.assert_allclose(fitted.explained_variance[e, one.fold], explained, rtol=1e-4)
    rows = jnp.asarray(np.concatenate([(a - a.mean(0)) / a.std(0) for a in (x, y)], axis=1))
    whole = sae.score_sae(one.params, one.state, rows, one.config)
    error = sae.score_images(one.params, one.state, rows, one.config).error.sum()
    np.testing.assert_allclose(whole.explained_variance, 1 - error / (120 * 12), rtol=1e-4)


def test_a_target_changes_nothing_about_what_leaves_its_row_out() -> None:
    x, y, _ = pairs(120)
    first = sae.fit(x, preset("jumprelu", x.shape[1], 120, 4), folds=2, target=y, progress=False)
    changed = y.copy()
    changed[first.fold == 1] += 100
    second = sae.fit(x, preset("jumprelu", x.shape[1], 120, 4), folds=2, target=changed, progress=False)
    for a, b in zip(*(jax.tree.leaves(found.saes[1]) for found in (first, second)), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first.saes[0].params.w_dec, second.saes[0].params.w_dec)


def test_a_name_of_a_preset_will_do() -> None:
    x, y = normal(60, 4), normal(60, 9, seed=1)
    for name in ("paper", "batchtopk"):
        one = sae.fit(x, name, target=jnp.asarray(y), progress=False).saes[0]
        assert one.reconstruct(x).shape == (60, 9)
        assert repr(one).endswith(f"{name}, 4 to {one.config.latents} latents to 9>")


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"preset": "archetypal"}, f"SAE variant of a transcoder: expected one of {ABLE}, got 'archetypal'"),
        ({"preset": "matching_pursuit"}, f"expected one of {ABLE}, got 'matching_pursuit'"),
        ({"target": np.zeros((40, 0), np.float32)}, r"target: expected a target for each"),
        ({"target": np.zeros((40, 3))}, r"target: expected float32 .* write target.astype\(np.float32\)"),
        ({"target": np.full((40, 3), np.inf, np.float32)}, "40 rows with NaN or infinity"),
        ({"preset": preset("topk", 4, 40, target_width=5, pre_bias=False)}, "width of the targets: expected 5, got 3"),
        (
            {"preset": preset("topk", 4, 40, target_width=5, pre_bias=False), "target": None},
            "expected 5, got no targets",
        ),
    ],
)
def test_what_no_transcoder_can_be_made_of_is_refused(given: dict, match: str) -> None:
    arguments = {"target": normal(40, 3), "preset": "topk", **given}
    with pytest.raises(InputError, match=match) as caught:
        sae.fit(normal(40, 4), progress=False, **arguments)
    assert "\n" not in str(caught.value)


def test_a_config_is_checked() -> None:
    with pytest.raises(InputError, match="pre_bias of a transcoder: expected false"):
        sae.SAEConfig(4, 6, k=2, target_width=3)
    with pytest.raises(InputError, match="target_width: expected a number from 0"):
        sae.SAEConfig(4, 6, k=2, target_width=-1)
    assert "target_width" not in sae.SAEConfig(4, 6, k=2).to_json(), "checkpoints of autoencoders are gone on with"
    assert sae.SAEConfig(4, 6, k=2, target_width=3, pre_bias=False).to_json()["target_width"] == 3


def test_dead_latents_read_the_input_and_write_what_was_missed() -> None:
    x, y = jnp.asarray(normal(1, 6)), jnp.asarray(normal(1, 4, seed=1))
    config = sae.SAEConfig(6, 9, variant="relu", k=1, dead_after=5, target_width=4, pre_bias=False)
    recipe = Recipe(config, sae.FitConfig(batch_size=4), 10)
    raw = raw_standardiser(10)
    member = init_member(jnp.int32(1), jnp.int32(0), Hyper(jnp.float32(1e-3), jnp.float32(1e-3)), raw, recipe)
    dead = jnp.arange(9) >= 6
    member = member.replace(state=member.state.replace(idle=jnp.where(dead, 5, 0)))
    found = resample(jax.random.key(0), member, jnp.concatenate([x, y], axis=1), recipe).params
    missed = y - reconstruct(member.params, x, member.state, config).recons
    for latent in range(6, 9):
        np.testing.assert_allclose(found.w_dec[latent], missed[0] / jnp.linalg.norm(missed), rtol=1e-5)
        np.testing.assert_allclose(found.w_enc[:, latent], 0.2 * x[0] / jnp.linalg.norm(x), rtol=1e-5)
    np.testing.assert_array_equal(found.w_enc[:, :6], member.params.w_enc[:, :6])
    np.testing.assert_array_equal(found.w_dec[:6], member.params.w_dec[:6])
