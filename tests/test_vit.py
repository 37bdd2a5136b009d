"""The vision transformer by itself: shapes, layouts, taps, one trace; the numbers are compared in tests/parity."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import memjax
from memjax.models import layers
from memjax.models.config import ViTConfig
from memjax.models.vit import embed, encode, forward, init_vit, patchify, pool
from tests import tiny_model

BASE = ViTConfig(family="test", width=12, depth=3, heads=3, mlp_width=20, patch=5, image=(20, 15), interpolate=True)
SWITCHES = {
    "plain": {},
    "no-cls": {"cls": False},
    "distillation": {"distillation": True},
    "registers": {"registers": 4},
    "rotary-gated": {"position": "rotary", "gated": True, "activation": "silu", "registers": 2},
    "scaled": {"layer_scale": True, "key_bias": False},
    "pre-norm": {"pre_norm": True, "patch_bias": False, "pool": "projection", "pool_width": 7},
    "attention-pool": {"cls": False, "pool": "attention", "pool_width": 12},
    "pooler": {"pool": "pooler", "pool_width": 12},
}


def architecture(name: str) -> ViTConfig:
    return dataclasses.replace(BASE, **SWITCHES[name])


@pytest.mark.parametrize("name", SWITCHES)
def test_shapes_and_attention(name):
    config = architecture(name)
    params, image = tiny_model.params(config), tiny_model.images(1, config)[0]
    out = jax.jit(forward, static_argnums=2)(params, image, config)
    tokens = config.layout.prefix + 12
    assert out.embedded.shape == out.last.shape == (tokens, 12)
    assert out.tapped.after.shape == (3, tokens, 12)
    assert out.tapped.attention.shape == (3, 3, tokens, tokens)
    np.testing.assert_allclose(out.tapped.attention.sum(axis=-1), 1, atol=1e-6)
    assert (out.tapped.attention > 0).all()
    np.testing.assert_array_equal(out.tapped.before[1:], out.tapped.after[:-1])
    np.testing.assert_array_equal(out.tapped.before[0], out.embedded)
    np.testing.assert_array_equal(out.tapped.after[-1], out.last)
    pooled, attention = pool(params, out.last, config)
    assert (None if pooled is None else pooled.shape) == ((config.pool_width,) if config.pool_width else None)
    if attention is not None:
        np.testing.assert_allclose(attention.sum(axis=-1), 1, atol=1e-6)


def test_own_tap_under_vmap_and_jit_traced_once():
    params, config = tiny_model.params(), tiny_model.CONFIG
    traced = []

    def tap(block):
        traced.append(1)
        return {"peak": block.attention.max(), "moved": jnp.abs(block.after - block.before).mean(axis=-1)}

    run = jax.jit(jax.vmap(functools.partial(encode, params, config=config, tap=tap)))
    for seed in range(3):
        pixels = tiny_model.images(4, seed=seed)
        tapped = run(pixels)
    once = len(traced)
    run(pixels + 1.0)
    assert len(traced) == once == 1
    assert tapped["peak"].shape == (4, 3)
    assert tapped["moved"].shape == (4, 3, 17)
    one = encode(params, pixels[2], config)
    np.testing.assert_allclose(tapped["peak"][2], one.attention.max(axis=(1, 2, 3)), rtol=1e-5)


@pytest.mark.parametrize("name", ["plain", "rotary-gated", "scaled"])
def test_untapped_the_same_comes_out(name):
    config = architecture(name)
    params, image = tiny_model.params(config), tiny_model.images(1, config)[0]
    tapped, untapped = forward(params, image, config), forward(params, image, config, tap=None)
    assert untapped.tapped is None
    np.testing.assert_allclose(untapped.last, tapped.last, rtol=1e-6, atol=1e-6)


def test_trace_of_a_batch_is_the_images_one_by_one(tmp_path):
    encoder = memjax.load(str(tiny_model.write(tmp_path)))
    pixels = tiny_model.images(3)
    trace = memjax.trace(encoder, pixels)
    assert trace.hidden.shape == (3, 4, 17, 12)
    assert trace.attention.shape == (3, 3, 3, 17, 17)
    alone = memjax.trace(encoder, pixels[1:2])
    np.testing.assert_allclose(trace.hidden[1], alone.hidden[0], rtol=1e-5, atol=1e-6)


def test_token_order_is_cls_registers_patches():
    config = architecture("registers")
    params, image = tiny_model.params(config), tiny_model.images(1, config)[0]
    tokens = embed(params, image, config)
    np.testing.assert_allclose(tokens[0], params.cls[0] + params.position[0], rtol=1e-6)
    np.testing.assert_allclose(tokens[1:5], params.registers, rtol=1e-6)
    moved = embed(params, image.at[5:10, 10:15].add(1.0), config)  # second row, third column of 4 x 3 patches
    changed = np.flatnonzero(np.abs(np.asarray(moved - tokens)).max(axis=-1))
    np.testing.assert_array_equal(changed, [5 + 3 + 2])


def test_patchify_is_row_major_and_channels_last():
    image = jnp.arange(6 * 9 * 3, dtype=jnp.float32).reshape(6, 9, 3)
    cut = patchify(image, 3)
    assert cut.shape == (6, 27)
    np.testing.assert_array_equal(cut[4].reshape(3, 3, 3), image[3:6, 3:6])
    np.testing.assert_array_equal(patchify(image[:, :8], 3), patchify(image[:, :6], 3))


def test_images_of_another_size():
    fixed = dataclasses.replace(BASE, interpolate=False)
    image = jnp.zeros((25, 20, 3), jnp.float32)
    with pytest.raises(ValueError, match=r"expected \(20, 15\) pixels"):
        forward(tiny_model.params(fixed), image, fixed)
    assert forward(tiny_model.params(BASE), image, BASE).last.shape == (21, 12)


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"heads": 5}, "multiple of heads"), ({"activation": "relu"}, "activation"), ({"pool": "max"}, "pool"),
     ({"patch": 16}, "smaller than a patch"), ({"position": "rotary", "heads": 2}, "divisible by 4")],
)  # fmt: skip
def test_architectures_that_cannot_be(changes, words):
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(BASE, **changes)


def test_activations_by_their_formulas():
    from scipy.special import erf

    x = np.linspace(-4, 4, 31)
    formulas = {
        "gelu": 0.5 * x * (1 + erf(x / np.sqrt(2))),
        "gelu_tanh": 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
        "quick_gelu": x / (1 + np.exp(-1.702 * x)),
        "silu": x / (1 + np.exp(-x)),
    }
    for name, wanted in formulas.items():
        np.testing.assert_allclose(layers.activate(name, jnp.asarray(x, jnp.float32)), wanted, atol=1e-6, err_msg=name)
    with pytest.raises(ValueError, match="quick_gelu"):
        layers.activate("relu", jnp.ones(2, jnp.float32))


def test_rotary_attention_sees_differences_of_places_only():
    """Two patches with the same content, moved together by a column, have the same logit (columns of a wide grid)."""
    cos, sin = layers.rotary(1, 8, 8, 100.0)
    token = jnp.asarray(np.random.default_rng(0).normal(size=8), jnp.float32)
    turned = layers.rotate(jnp.broadcast_to(token, (1, 8, 8)), (cos, sin))[0]
    logits = np.asarray(turned @ turned.T)
    np.testing.assert_allclose(np.diag(logits, 1), logits[0, 1], rtol=1e-5)
    assert not np.allclose(logits[0, 1], logits[0, 2])


def test_bfloat16_computes_in_bfloat16_with_float32_softmax_and_metrics(tmp_path):
    folder = str(tiny_model.write(tmp_path))
    encoder, exact = memjax.load(folder, dtype="bfloat16"), memjax.load(folder)
    trace = memjax.trace(encoder, tiny_model.images(2))
    assert trace.hidden.dtype == jnp.float32, "the residual stream stays float32"
    assert encoder.dtype == "bfloat16"
    assert trace.attention.dtype == jnp.float32
    np.testing.assert_allclose(trace.attention.sum(axis=-1), 1, atol=1e-5)
    wide = memjax.trace(exact, tiny_model.images(2)).hidden
    assert 1e-5 < float(jnp.abs(trace.hidden.astype(jnp.float32) - wide).max()) < 0.1
    assert {x.dtype for x in memjax.features(encoder, tiny_model.images(2)).values()} == {jnp.dtype("float32")}


def test_init_is_reproducible_and_without_a_decoder():
    first, again = (init_vit(jax.random.key(3), tiny_model.CONFIG) for _ in range(2))
    jax.tree.map(np.testing.assert_array_equal, first, again)
    assert first.decoder is None
