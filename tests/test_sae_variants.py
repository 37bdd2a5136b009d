"""Each variant against slow definitions in NumPy, its budget, its gradients; scores, standardiser, folds, dead latents."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memjax.checks import InputError
from memjax.sae.config import FitConfig, SAEConfig
from memjax.sae.constraints import unit_rows
from memjax.sae.folds import held_out, k_folds, training_rows
from memjax.sae.init import init_params, init_state
from memjax.sae.member import Hyper, Recipe, init_member
from memjax.sae.optimise import relative_rate
from memjax.sae.presets import MODERN, modern
from memjax.sae.reconstruction import objective, reconstruct
from memjax.sae.resampling import resample
from memjax.sae.score import score_images, score_sae
from memjax.sae.standardiser import fit_standardiser, standardise
from memjax.sae.variants import VARIANTS

D, F = 7, 11


def config(variant: str, **changes) -> SAEConfig:
    prefixes = (3, 6, F) if variant == "matryoshka" else ()
    candidates = 9 if variant == "archetypal" else 0
    return SAEConfig(width=D, latents=F, variant=variant, k=3, prefixes=prefixes, candidates=candidates, **changes)


def first_state(cfg: SAEConfig):
    """With candidates, where the variant has some."""
    state = init_state(cfg)
    points = jax.random.normal(jax.random.key(9), (cfg.candidates, D))
    return state.replace(points=points) if cfg.row.archetypal else state


@pytest.fixture
def x(rng):
    return jnp.asarray(rng.normal(size=(5, D)), jnp.float32)


def pursued(x: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
    """Matching pursuit, one input and step at a time."""
    z = np.zeros((len(x), len(rows)))
    for i, residual in enumerate(x):
        for _ in range(k):
            best = max(range(len(rows)), key=lambda j, left=residual: left @ rows[j])
            value = max(residual @ rows[best], 0.0)
            z[i, best] += value
            residual = residual - value * rows[best]
    return z


def oracle(params, x, threshold, variant, training) -> tuple[np.ndarray, np.ndarray]:
    """Latents and reconstructions, one input and latent at a time, in float64."""
    p = jax.tree.map(lambda a: np.asarray(a, np.float64), params)
    pre = (np.asarray(x, np.float64) - p.b_dec) @ p.w_enc + p.b_enc
    z = np.maximum(pre, 0)
    if variant in ("topk", "archetypal"):
        for row in z:
            row[np.argsort(-row, kind="stable")[3:]] = 0
    elif variant in ("batchtopk", "matryoshka"):
        z = np.where(z >= np.sort(z.ravel())[-3 * len(z)], z, 0) if training else np.where(z > threshold, z, 0)
    elif variant == "jumprelu":
        z = np.where(z > np.exp(p.log_threshold), z, 0)
    elif variant == "gated":
        magnitude = np.maximum((pre - p.b_enc) * np.exp(p.r_mag) + p.b_mag, 0)
        z = np.where(pre > 0, magnitude, 0)
    elif variant == "matching_pursuit":
        z = pursued(np.asarray(x, np.float64) - p.b_dec, p.w_dec, 3)
    return z, z @ p.w_dec + p.b_dec


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_pass_is_its_definition(variant, training, x, rng):
    cfg = config(variant)
    params = jax.tree.map(
        lambda a: a + jnp.asarray(0.1 * rng.normal(size=a.shape), a.dtype), init_params(jax.random.key(1), cfg)
    )
    state = first_state(cfg).replace(threshold=jnp.float32(0.4))
    params = cfg.row.constraint.derive(params, state)
    out = jax.jit(reconstruct, static_argnums=(3, 4))(params, x, state, cfg, training)
    latents, recons = oracle(params, x, 0.4, variant, training)
    np.testing.assert_allclose(out.latents, latents, atol=1e-5)
    np.testing.assert_allclose(out.recons, recons, atol=1e-5)
    assert (latents > 0).any()


@pytest.mark.parametrize("variant", VARIANTS)
def test_loss_falls_under_its_own_gradient(variant, x):
    cfg = config(variant, aux_k=2)
    params, state = init_params(jax.random.key(2), cfg), first_state(cfg)
    loss = lambda p: objective(p, x, state, cfg, jnp.float32(1e-3))[0]  # noqa: E731
    before, grads = jax.value_and_grad(loss)(params)
    after = loss(jax.tree.map(lambda p, g: p - 1e-3 * g, params, grads))
    assert after < before
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(grads))


def test_paper_loss_penalises_before_the_relu(x):
    cfg = config("paper", pre_bias=False, unit_norm=False)
    params, state = init_params(jax.random.key(3), cfg), init_state(cfg)
    value, out = objective(params, x[:1], state, cfg, jnp.float32(0.5))
    pre = np.asarray(x[:1] @ params.w_enc + params.b_enc[None])
    assert (pre < 0).any()
    np.testing.assert_allclose(value, np.sum((out.recons - x[:1]) ** 2) + 0.5 * np.abs(pre).sum(), rtol=1e-5)


def test_jumprelu_threshold_gradient_is_the_kernel_estimate():
    from memjax.sae.activations import jump, step

    pre, theta, width = jnp.array([0.49, 0.52, 0.7]), jnp.full(3, 0.5), 0.1
    grad = jax.grad(lambda t: jnp.sum(jump(pre, t, width)))(theta)
    np.testing.assert_allclose(grad, [-5.0, -5.0, 0.0], rtol=1e-5)
    np.testing.assert_allclose(jax.grad(lambda t: jnp.sum(step(pre, t, width)))(theta), [-10.0, -10.0, 0.0], rtol=1e-5)
    np.testing.assert_allclose(jax.grad(lambda p: jnp.sum(jump(p, theta, width)))(pre), [0.0, 1.0, 1.0])


def test_auxiliary_loss_reaches_dead_latents_only(x):
    cfg = config("topk", aux_k=4, dead_after=10)
    params, dead = init_params(jax.random.key(4), cfg), jnp.arange(F) >= 8
    state = init_state(cfg).replace(idle=jnp.where(dead, 20, 0).astype(jnp.int32))
    value = lambda p, s: objective(p, x, s, cfg, jnp.float32(0))[0]  # noqa: E731
    difference = jax.tree.map(
        lambda a, b: a - b, jax.grad(value)(params, state), jax.grad(value)(params, init_state(cfg))
    )
    assert np.abs(difference.w_dec[8:]).max() > 0
    np.testing.assert_allclose(difference.w_dec[:8], 0.0, atol=1e-7)


def test_scores_are_their_definitions(x):
    cfg = config("relu")
    params, state = init_params(jax.random.key(5), cfg), init_state(cfg)
    found, whole = score_images(params, state, x, cfg), score_sae(params, state, x, cfg)
    z, recons = oracle(params, x, 0.0, "relu", False)
    for i, row in enumerate(np.asarray(x, np.float64)):
        error = sum((recons[i, j] - row[j]) ** 2 for j in range(D))
        np.testing.assert_allclose(found.error[i], error, rtol=1e-4)
        np.testing.assert_allclose(found.error_mean[i], error / D, rtol=1e-4)
        np.testing.assert_allclose(found.error_normalised[i], error / sum(row**2), rtol=1e-4)
        assert int(found.l0[i]) == (z[i] > 0).sum()
        np.testing.assert_allclose(found.l1[i], z[i].sum(), rtol=1e-4)
    spread = np.sum((x - x.mean(0)[None]) ** 2)
    np.testing.assert_allclose(whole.explained_variance, 1 - ((recons - x) ** 2).sum() / spread, rtol=1e-4)
    np.testing.assert_allclose(whole.firing_frequency, (z > 0).mean(0), atol=1e-6)
    assert whole.dead_fraction == pytest.approx(((z > 0).sum(0) == 0).mean())


def test_explained_variance_of_constant_rows_is_undefined():
    cfg = config("relu")
    assert np.isnan(
        score_sae(init_params(jax.random.key(0), cfg), init_state(cfg), jnp.ones((4, D)), cfg).explained_variance
    )


def test_standardiser_is_ddof_1_and_flattens_constants(rng):
    x = rng.normal(3, 5, size=(9, 3)).astype(np.float32)
    x[:, 1] = 0.1
    found = fit_standardiser(x)
    np.testing.assert_allclose(found.std[0], x[:, 0].std(ddof=1), rtol=1e-6)
    np.testing.assert_allclose(standardise(found, jnp.asarray(x))[:, 1], 0.0, atol=1e-6)
    with pytest.raises(InputError, match="1 rows with NaN"):
        fit_standardiser(np.where(np.arange(9)[:, None] == 4, np.nan, x))
    with pytest.raises(InputError, match="two rows"):
        fit_standardiser(x[:1])


def test_folds_hold_out_each_row_once():
    fold = k_folds(23, 4, seed=1)
    rows = training_rows(fold, 4)
    assert rows.shape == (4, 17)
    assert all(not set(np.flatnonzero(fold == j)) & set(rows[j]) for j in range(4))
    scores = np.arange(4.0)[:, None] * np.ones(23)
    np.testing.assert_array_equal(held_out(scores, fold), fold)
    with pytest.raises(InputError, match="folds"):
        k_folds(3, 4)


def test_resampling_renews_the_dead_and_leaves_the_rest(x):
    cfg = config("relu", dead_after=10)
    recipe, hyper = Recipe(cfg, FitConfig(), 1), Hyper(jnp.float32(1e-3), jnp.float32(1e-3))
    member = init_member(jnp.int32(6), jnp.int32(0), hyper, fit_standardiser(x), recipe)
    params = member.params
    moments = jax.tree.map(lambda a: a + jnp.ones_like(a), member.opt_state)
    dead = jnp.arange(F) == 4
    state = init_state(cfg).replace(idle=jnp.where(dead, 10, 3).astype(jnp.int32))
    found = resample(jax.random.key(7), member.replace(opt_state=moments, state=state), x, recipe)
    new, after, left = found.params, found.opt_state, found.state
    np.testing.assert_array_equal(np.delete(new.w_dec, 4, 0), np.delete(params.w_dec, 4, 0))
    assert not np.allclose(new.w_dec[4], params.w_dec[4])
    np.testing.assert_allclose(np.linalg.norm(new.w_dec[4]), 1.0, rtol=1e-5)
    living = np.linalg.norm(np.delete(params.w_enc, 4, 1), axis=0).mean()
    np.testing.assert_allclose(np.linalg.norm(new.w_enc[:, 4]), 0.2 * living, rtol=1e-5)
    assert (after[0].mu.w_enc[:, 4] == 0).all()
    assert (after[0].mu.w_enc[:, 3] == 1).all()
    assert left.idle.tolist() == [3] * 4 + [0] + [3] * 6


def test_schedule_warms_up_and_ends_at_zero():
    rate = relative_rate(FitConfig(warmup_steps=4, decay="cosine"), 20)
    values = [float(rate(i)) for i in range(21)]
    assert values[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert values[20] == pytest.approx(0, abs=1e-6)
    assert relative_rate(FitConfig(), 20) is None


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"variant": "vae"}, "vae"),
        ({"k": 12}, "k"),
        ({"aux_k": 12}, "aux_k"),
        ({"variant": "matryoshka"}, "prefixes"),
        ({"latents": 0}, "latents"),
        ({"variant": "archetypal"}, "candidates"),
        ({"variant": "archetypal", "candidates": 5, "delta": float("nan")}, "delta"),
        ({"variant": "matching_pursuit", "pre_bias": False}, "pre_bias"),
        ({"variant": "matching_pursuit", "k": 0}, "k"),
        ({"variant": "matching_pursuit", "tolerance": -1.0}, "tolerance"),
    ],
)
def test_configs_that_make_no_sense_are_refused(changes, named):
    with pytest.raises(InputError, match=named):
        SAEConfig(**{"width": D, "latents": F, "k": 3, **changes})
    with pytest.raises(InputError, match="batch size"):
        FitConfig(batch_size=0)


def test_unit_rows_and_presets():
    params = init_params(jax.random.key(0), config("relu"))
    grown = unit_rows(params.replace(w_dec=3 * params.w_dec))
    np.testing.assert_allclose(np.linalg.norm(grown.w_dec, axis=1), 1.0, rtol=1e-5)
    for variant in MODERN:
        assert modern(variant, 5, 100, latents=8).sae.variant == variant
    with pytest.raises(InputError, match="paper"):
        modern("paper", 5, 100)
