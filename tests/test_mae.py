"""Masked autoencoding without torch: the mask, the loss by its formula, seeds, gradients, and the feature of a sweep."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import memjax
from memjax import selection
from memjax.models import mae
from memjax.models.vit import patchify
from tests import tiny_model

CONFIG, PATCHES = tiny_model.CONFIG, 16


def noises(count: int, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).random((count, PATCHES)), jnp.float32)


def with_decoder(**changes):
    return dataclasses.replace(CONFIG, decoder=dataclasses.replace(CONFIG.decoder, **changes))


def test_visible_patches_round_down_as_the_reference_does():
    assert mae.kept_patches(CONFIG) == 4
    assert mae.kept_patches(with_decoder(mask_ratio=0.6)) == 6
    assert mae.kept_patches(with_decoder(mask_ratio=0.0)) == 16


@pytest.mark.parametrize("norm_pix_loss", [False, True])
def test_loss_by_its_formula(norm_pix_loss):
    """From the predictions, over the masked patches one by one."""
    config, params = with_decoder(norm_pix_loss=norm_pix_loss), tiny_model.params()
    image, noise = tiny_model.images(1)[0], noises(1)[0]
    order = np.argsort(np.asarray(noise))
    visible = mae.encode_visible(params, image, jnp.asarray(order[:4]), config)
    assert visible.shape == (5, 12)
    predicted = np.asarray(
        mae.decode_patches(params.decoder, visible, jnp.asarray(np.argsort(order)), config), np.float64
    )
    assert predicted.shape == (PATCHES, 75)
    errors = []
    for patch in order[4:]:
        target = np.asarray(patchify(image, 5)[patch], np.float64)
        if norm_pix_loss:
            target = (target - target.mean()) / np.sqrt(target.var(ddof=1) + 1e-6)
        errors.append(np.mean((predicted[patch] - target) ** 2))
    assert float(mae.mae_loss(params, image, noise, config)) == pytest.approx(np.mean(errors), rel=1e-5)


def test_only_the_order_of_the_noise_counts():
    params, image, noise = tiny_model.params(), tiny_model.images(1)[0], noises(1)[0]
    loss = jax.jit(mae.mae_loss, static_argnums=3)
    assert float(loss(params, image, noise, CONFIG)) == float(loss(params, image, noise**3 - 2.0, CONFIG))
    assert float(loss(params, image, noise, CONFIG)) != float(loss(params, image, 1.0 - noise, CONFIG))


def test_masked_pixels_do_not_reach_the_prediction():
    params, image, noise = tiny_model.params(), tiny_model.images(1)[0], noises(1)[0]
    order = jnp.argsort(noise)
    last = int(order[-1])
    y, x = 5 * (last // 4), 5 * (last % 4)
    changed = image.at[y : y + 5, x : x + 5].set(9.0)
    seen = [mae.encode_visible(params, i, order[:4], CONFIG) for i in (image, changed)]
    np.testing.assert_array_equal(*seen)


def test_mean_over_masks_and_constant_images():
    params, image, several = tiny_model.params(), tiny_model.images(1)[0], noises(5)
    loss, mean = (jax.jit(f, static_argnums=3) for f in (mae.mae_loss, mae.mean_mae_loss))
    each = [float(loss(params, image, noise, CONFIG)) for noise in several]
    assert float(mean(params, image, several, CONFIG)) == pytest.approx(np.mean(each), rel=1e-5)
    flat = jnp.full_like(image, 0.7)
    assert np.isfinite(float(mean(params, flat, several, CONFIG)))


def test_loss_has_a_finite_gradient_everywhere():
    params, image, noise = tiny_model.params(), tiny_model.images(1)[0], noises(1)[0]
    gradient = jax.jit(jax.grad(mae.mae_loss), static_argnums=3)(params, image, noise, CONFIG)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(gradient))
    assert np.abs(gradient.patch.kernel).max() > 0
    assert np.abs(gradient.decoder.mask_token).max() > 0


def test_without_a_decoder():
    config = dataclasses.replace(CONFIG, decoder=None)
    params = tiny_model.params(config)
    with pytest.raises(ValueError, match="no decoder"):
        mae.mae_loss(params, tiny_model.images(1)[0], noises(1)[0], config)
    with pytest.raises(ValueError, match="expected an encoder with a decoder"):
        mae.decoder_config(config)
    assert "mae_loss" not in selection.variables(config)


def test_mae_loss_is_a_feature_where_there_is_a_decoder(tmp_path):
    encoder = memjax.load(str(tiny_model.write(tmp_path)))
    pixels = tiny_model.images(3)
    table = memjax.features(encoder, pixels)
    assert set(table) == set(selection.variables(encoder.config)) == set(memjax.metrics.DEFAULT_METRICS)
    several = jnp.asarray(mae.seeded_noise(PATCHES, selection.MAE_SEEDS))
    mean = jax.jit(mae.mean_mae_loss, static_argnums=3)
    wanted = [float(mean(encoder.params, x, several, encoder.config)) for x in pixels]
    np.testing.assert_allclose(table["mae_loss"][:, -1], wanted, rtol=1e-5)
    assert np.isnan(table["mae_loss"][:, :-1]).all()


def test_masks_are_shared_by_all_images_and_begin_alike(tmp_path):
    """The same image twice has the same loss, in any batch; more seeds add masks to those before."""
    encoder = memjax.load(str(tiny_model.write(tmp_path)))
    pixels = tiny_model.images(1)
    one = memjax.features(encoder, pixels, mae_seeds=2)["mae_loss"][0, -1]
    both = memjax.features(encoder, jnp.concatenate([pixels + 1.0, pixels]), mae_seeds=2)["mae_loss"][:, -1]
    np.testing.assert_allclose(both[1], one, rtol=1e-6)
    assert not np.isclose(both[0], one)
    np.testing.assert_array_equal(mae.seeded_noise(PATCHES, 3)[:2], mae.seeded_noise(PATCHES, 2))
    assert "mae_loss" not in memjax.features(encoder, pixels, mae_seeds=0)
    with pytest.raises(ValueError, match="mae_seeds"):
        memjax.features(encoder, pixels, mae_seeds=-1)
