"""Attention of a block: made at once or head by head, and read as a whole or by the rows of the read-out token."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memjax.models import attention, fused_attention
from memjax.models.vit import forward
from memjax.traces import BlockTrace, Layout, readout_row, readout_rows
from tests import tiny_model
from tests.test_vit import BASE, architecture


def test_attention_head_by_head_is_all_at_once():
    query, key, value = jax.random.normal(jax.random.key(0), (3, 4, 9, 8))
    for by_head, at_once in zip(
        attention.mix_by_head(query, key, value), attention.mix(query, key, value), strict=True
    ):
        np.testing.assert_allclose(by_head, at_once, rtol=1e-5, atol=1e-6)
    first = jax.tree.map(lambda x: x[0], tiny_model.params(BASE).blocks.attention)
    elsewhere = jax.export.export(jax.jit(lambda p, x: attention.attend_open(p, x)[0]), platforms=["cuda", "tpu"])
    assert elsewhere(first, jnp.ones((5, BASE.width))).platforms == ("cuda", "tpu")


@pytest.mark.parametrize("layout", [Layout(cls=True, extra=2, registers=2), Layout(cls=False)])
def test_rows_of_the_readout_token_are_those_of_all_attention(layout):
    query, key, value = jax.random.normal(jax.random.key(1), (3, 4, 9, 8))
    asked = attention.Asked(query, key, attention.mix_by_head(query, key, value)[1])
    everything = attention.attention_weights(query, key)
    np.testing.assert_array_equal(asked.rows(layout), readout_rows(everything, layout), "a CPU reads them from all")
    np.testing.assert_array_equal(asked.row(layout), readout_row(everything, layout))
    alone = asked._alone(layout)
    np.testing.assert_allclose(alone, readout_rows(everything, layout), rtol=1e-6)
    before, after = jax.random.normal(jax.random.key(2), (2, 9, 32))
    attended = attention.Attended(before, query, key, asked)
    block = attention.OpenBlock(before, after, attended, after, before)
    np.testing.assert_array_equal(block.attention, everything)
    out = jax.jit(lambda: block)()
    assert type(out) is BlockTrace
    assert out.heads is None, "a trace that is returned as a whole has the streams and the probabilities"
    np.testing.assert_allclose(out.readout_rows(layout), asked.rows(layout), rtol=1e-6)
    assert type(block.replace(before=after)) is BlockTrace


@pytest.mark.parametrize(
    ("dtype", "width", "gpu", "can"),
    [
        (jnp.bfloat16, 64, True, True),
        (jnp.bfloat16, 72, True, True),
        (jnp.float16, 128, True, True),
        (jnp.bfloat16, 64, False, False),
        (jnp.float32, 64, True, False),
        (jnp.bfloat16, 60, True, False),
        (jnp.bfloat16, 256, True, False),
    ],
)
def test_half_precision_is_fused_where_a_gpu_can(dtype, width, gpu, can, monkeypatch):
    monkeypatch.setattr(fused_attention, "has_fused_attention", lambda: gpu)
    assert fused_attention.can_be_fused(jnp.zeros((2, 5, width), dtype)) is can


@pytest.mark.skipif(jax.default_backend() == "gpu", reason="what a machine without a GPU does")
def test_without_a_gpu_nothing_is_fused():
    assert not fused_attention.has_fused_attention()


def test_fused_attention_is_attention_without_its_probabilities(monkeypatch):
    """Tokens and heads lie as cuDNN wants them; XLA's plain way stands in for cuDNN where there is no GPU."""
    if jax.default_backend() != "gpu":
        plain = jax.numpy_dtype_promotion("standard")(
            functools.partial(jax.nn.dot_product_attention, implementation="xla")
        )
        monkeypatch.setattr(jax.nn, "dot_product_attention", lambda q, k, v, implementation: plain(q, k, v))
    query, key, value = jax.random.normal(jax.random.key(4), (3, 4, 9, 8)).astype(jnp.bfloat16)
    wide = (x.astype(jnp.float32) for x in (query, key, value))
    for got, wanted in zip(attention.mix_fused(query, key, value), attention.mix(*wide), strict=True):
        np.testing.assert_allclose(got.astype(jnp.float32), wanted, rtol=2e-2, atol=2e-2)


def test_no_probabilities_are_formed_where_they_are_fused(monkeypatch):
    config = architecture("plain")
    params = jax.tree.map(lambda x: x.astype(jnp.bfloat16), tiny_model.params(config))
    image = tiny_model.images(1, config)[0].astype(jnp.bfloat16)
    monkeypatch.setattr(attention, "can_be_fused", lambda query: True)  # the tiny heads are too narrow for cuDNN
    monkeypatch.setattr(
        attention, "fused", lambda query, key, value: value
    )  # what stands in for cuDNN's kernel forms none
    layout = config.layout

    def formed(tap):
        run = jax.jit(lambda params, image: forward(params, image, config, tap).tapped)
        text = run.trace(params, image).lower(lowering_platforms=("cuda",)).as_text()
        tokens = config.grid[0] * config.grid[1] + layout.prefix
        return f"tensor<{config.heads}x{tokens}x{tokens}xf32>" in text

    assert not formed(lambda block: block.readout_row(layout))
    assert formed(lambda block: block.attention[:, 0])


def attention_values(platform, tap):
    """Floating-point values of [h, t, s] that the program of a whole image makes for a platform, by its StableHLO."""
    config = architecture("plain")
    params, image = tiny_model.params(config), tiny_model.images(1, config)[0]
    run = jax.jit(lambda params, image: forward(params, image, config, tap).tapped)
    text = run.trace(params, image).lower(lowering_platforms=(platform,)).as_text()
    heads, tokens = config.heads, config.grid[0] * config.grid[1] + config.layout.prefix
    return f"tensor<{heads}x{tokens}x{tokens}xf32>" in text


def test_a_tpu_forms_all_attention_only_for_a_tap_that_reads_it():
    layout = architecture("plain").layout
    assert not attention_values("tpu", lambda block: block.readout_row(layout))
    assert not attention_values("tpu", lambda block: block.after[0])
    assert attention_values("tpu", lambda block: block.attention[:, 0])
    assert attention_values("cpu", lambda block: block.readout_row(layout))
