"""Each metric against its slow definition, an invariance, degenerate inputs, with and without jit, traced once."""

import functools

import hypothesis.extra.numpy as hnp
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import memjax
from memjax import measure, metrics
from memjax.metrics import activation, attention, change, patches
from memjax.traces import BlockTrace, ImageTrace, Layout
from tests import oracles

LAYOUTS = {
    "cls": Layout(cls=True, grid=(3, 4), patch=5),
    "cls-registers": Layout(cls=True, extra=4, registers=3, grid=(2, 4), patch=5),
    "none": Layout(cls=False, grid=(1, 13), patch=5),
    "none-as-the-paper": Layout(cls=False, grid=(1, 13), patch=5).under("paper"),
}
TOKENS, WIDTH, HEADS, DEPTH = 13, 7, 3, 4


def inside(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A made-up image: hidden ``[l+1, t, d]`` and attention ``[l, h, t, s]``."""
    hidden = rng.normal(0.3, 2.0, (DEPTH + 1, TOKENS, WIDTH)).astype(np.float32)
    weights = rng.gamma(0.3, size=(DEPTH, HEADS, TOKENS, TOKENS)) + 1e-6
    return hidden, (weights / weights.sum(axis=-1, keepdims=True)).astype(np.float32)


def branches(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """What the heads and the MLPs of a made-up image make: fields of a trace, ``[l, ...]``."""
    sizes = {"heads": (HEADS, TOKENS, 4), "mlp_hidden": (TOKENS, 11), "mlp": (TOKENS, WIDTH)}
    return {name: rng.normal(0.1, 1.0, (DEPTH, *size)).astype(np.float32) for name, size in sizes.items()}


def rows_of(layout: Layout) -> dict[str, metrics.Metric]:
    """Every metric that can be taken of made-up tokens with this layout."""
    has = {"": True, "decoder": False, "registers": layout.registers > 0}
    return {name: row for name, row in metrics.METRICS.items() if has[row.needs]}


def table(
    hidden: np.ndarray, weights: np.ndarray, layout: Layout, made: dict[str, np.ndarray] | None = None
) -> dict[str, jax.Array]:
    rows = rows_of(layout)
    fields = {name: jnp.asarray(x) for name, x in (made or branches(np.random.default_rng(1))).items()}
    blocks = BlockTrace(jnp.asarray(hidden[:-1]), jnp.asarray(hidden[1:]), jnp.asarray(weights), **fields)
    measured = jax.vmap(lambda block: metrics.measure_block(block, layout, rows))(blocks)
    image = ImageTrace(pixels=None, embedded=jnp.asarray(hidden[0]), last=jnp.asarray(hidden[-1]))
    return metrics.assemble(image, measured, DEPTH, layout, rows)


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_metric_is_its_definition(layout, jit, rng):
    hidden, weights = inside(rng)
    made, run = branches(rng), jax.jit(table, static_argnums=2) if jit else table
    ours = run(hidden, weights, LAYOUTS[layout], made)
    layout = LAYOUTS[layout]
    theirs = oracles.features(hidden, weights, layout.cls, layout.prefix)
    assert set(theirs) == set(metrics.DEFAULT_METRICS) - {"mae_loss"}
    theirs |= oracles.further(hidden, weights, layout.cls, layout.prefix, layout.registers, layout.grid, layout.patch)
    theirs |= oracles.branches(made, layout.cls)
    assert set(ours) == set(theirs) == set(rows_of(layout))
    for name, value in theirs.items():
        np.testing.assert_allclose(ours[name], value, rtol=2e-5, atol=2e-6, err_msg=name)


def test_where_a_metric_has_values(rng):
    ours = table(*inside(rng), LAYOUTS["cls-registers"])
    first = {"hidden": 0, "block": 1, "image": DEPTH, "sum": DEPTH}
    for name, value in ours.items():
        there = np.arange(DEPTH + 1) >= first[metrics.METRICS[name].at]
        per_head = metrics.METRICS[name].per_head
        assert value.shape == ((DEPTH + 1, HEADS) if per_head else (DEPTH + 1,))
        for column in value.T if per_head else [value]:
            np.testing.assert_array_equal(np.isfinite(column), there, err_msg=name)


TOKEN = hnp.arrays(np.float32, WIDTH, elements=st.floats(-100, 100, width=32)).filter(lambda x: np.abs(x).max() > 0.1)


@given(TOKEN, TOKEN, st.floats(0.125, 8, width=32), st.permutations(range(WIDTH)))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_change_does_not_see_lengths_or_the_order_of_channels(u, v, scale, order):
    order = np.asarray(order)
    delta = float(change.layer_delta(jnp.asarray(u), jnp.asarray(v)))
    turned = float(change.layer_delta(jnp.asarray(u[order] * np.float32(scale)), jnp.asarray(v[order])))
    assert delta == pytest.approx(1 - oracles.cosine(u.astype(float), v.astype(float)), abs=2e-6)
    assert turned == pytest.approx(delta, abs=2e-6)
    assert -1e-6 <= delta <= 2 + 1e-6


@given(TOKEN, st.permutations(range(WIDTH)))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_activations_do_not_see_the_order_of_channels(u, order):
    for name in ("cls_mean", "cls_sum", "cls_max", "cls_max_abs", "cls_norm"):
        metric = getattr(activation, name)
        turned = metric(jnp.asarray(u[np.asarray(order)]))
        np.testing.assert_allclose(turned, metric(jnp.asarray(u)), rtol=1e-5, atol=1e-4, err_msg=name)


def test_uniformity_does_not_see_lengths_order_or_prefix(rng):
    hidden = inside(rng)[0][0]
    layout = Layout(cls=True, extra=2)
    moved = np.concatenate([5 + hidden[:3], rng.permutation(hidden[3:]) * rng.uniform(0.1, 9, (10, 1))])
    before = patches.patch_uniformity(jnp.asarray(hidden), layout)
    np.testing.assert_allclose(
        patches.patch_uniformity(jnp.asarray(moved.astype(np.float32)), layout), before, rtol=1e-4
    )


def test_uniformity_of_degenerate_patches():
    alike = jnp.full((9, WIDTH), 3.0, jnp.float32)
    assert float(patches.patch_uniformity(alike, Layout(cls=True))) == pytest.approx(1, abs=1e-6)
    assert float(patches.patch_uniformity(jnp.zeros((9, WIDTH), jnp.float32), Layout(cls=True))) == 0
    assert np.isnan(patches.patch_uniformity(alike[:2], Layout(cls=True)))
    orthogonal = jnp.eye(WIDTH, dtype=jnp.float32)
    assert float(patches.patch_uniformity(orthogonal, Layout(cls=False))) == pytest.approx(0, abs=1e-7)
    opposed = jnp.concatenate([alike[:1], -alike[:1]])
    assert float(patches.patch_uniformity(opposed, Layout(cls=False))) == pytest.approx(-1, abs=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_entropy_of_uniform_and_one_hot_attention(layout):
    layout = LAYOUTS[layout]
    count = TOKENS - layout.prefix
    uniform = jnp.full((HEADS, TOKENS, TOKENS), 1 / TOKENS, jnp.float32)
    assert float(attention.attention_entropy(uniform, layout)) == pytest.approx(np.log2(count), abs=1e-5)
    one_hot = jnp.zeros((HEADS, TOKENS, TOKENS), jnp.float32).at[:, :, -1].set(1)
    assert float(attention.attention_entropy(one_hot, layout)) == 0


def test_entropy_without_attention_to_patches_is_nan():
    nothing = jnp.zeros((HEADS, TOKENS, TOKENS), jnp.float32).at[:, :, 0].set(1)
    assert np.isnan(attention.attention_entropy(nothing, Layout(cls=True)))
    assert float(attention.attention_entropy(nothing[:, :2, :2].at[:, :, 1].set(0.5), Layout(cls=True))) == 0


def test_entropy_does_not_see_the_order_of_patches_or_attention_to_the_prefix(rng):
    weights, layout = inside(rng)[1][0], Layout(cls=True, extra=2)
    before = attention.attention_entropy(jnp.asarray(weights), layout)
    moved = weights[:, :, np.concatenate([[0, 1, 2], rng.permutation(np.arange(3, TOKENS))])]
    moved[:, :, :3] *= 0.1
    np.testing.assert_allclose(attention.attention_entropy(jnp.asarray(moved), layout), before, rtol=1e-5)


def test_each_heads_entropy_is_that_of_the_head_alone(rng):
    weights, layout = jnp.asarray(inside(rng)[1][0]), Layout(cls=True, extra=2)
    alone = [float(attention.attention_entropy(weights[i : i + 1], layout)) for i in range(HEADS)]
    np.testing.assert_allclose(attention.head_entropies(weights, layout), alone, rtol=1e-6)
    uniform = jnp.full((HEADS, TOKENS, TOKENS), 1 / TOKENS, jnp.float32)
    np.testing.assert_allclose(attention.head_entropies(uniform, layout), np.log2(TOKENS - 3), atol=1e-5)
    nothing = jnp.zeros((2, TOKENS, TOKENS), jnp.float32).at[0, :, 0].set(1).at[1, :, 5].set(1)
    np.testing.assert_array_equal(attention.head_entropies(nothing, layout), [np.nan, 0])


def test_distance_of_patches_that_see_themselves_or_one_corner():
    layout = LAYOUTS["cls"]
    itself = jnp.broadcast_to(jnp.eye(TOKENS, dtype=jnp.float32), (HEADS, TOKENS, TOKENS))
    assert float(attention.attention_distance(itself, layout)) == 0
    corner = jnp.zeros((HEADS, TOKENS, TOKENS), jnp.float32).at[:, :, -1].set(0.3).at[:, :, 0].set(0.7)
    wanted = np.mean([5 * np.hypot(2 - y, 3 - x) for y in range(3) for x in range(4)])
    assert float(attention.attention_distance(corner, layout)) == pytest.approx(wanted, rel=1e-6)
    nothing = jnp.zeros((HEADS, TOKENS, TOKENS), jnp.float32).at[:, :, 0].set(1)
    assert np.isnan(attention.attention_distance(nothing, layout))
    with pytest.raises(ValueError, match="a grid"):
        attention.attention_distance(corner, Layout(cls=True))


def test_distance_does_not_see_the_prefix_or_a_turned_image(rng):
    weights, layout = inside(rng)[1][0], LAYOUTS["cls"]
    before = attention.attention_distance(jnp.asarray(weights), layout)
    turned = np.concatenate([[0], 1 + np.arange(12)[::-1]])
    moved = weights[:, turned][:, :, turned]
    moved[:, 0] = 1 / TOKENS
    moved[:, :, 0] *= 0.1
    np.testing.assert_allclose(attention.attention_distance(jnp.asarray(moved), layout), before, rtol=1e-5)


def test_attention_to_registers_is_a_share(rng):
    layout, weights = LAYOUTS["cls-registers"], inside(rng)[1][0]
    uniform = jnp.full((HEADS, TOKENS, TOKENS), 1 / TOKENS, jnp.float32)
    assert float(attention.register_attention(uniform, layout)) == pytest.approx(3 / TOKENS, rel=1e-6)
    elsewhere = jnp.zeros((HEADS, TOKENS, TOKENS), jnp.float32).at[:, :, 1].set(1)
    assert float(attention.register_attention(elsewhere, layout)) == 0, "token 1 is the distillation token"
    before = attention.register_attention(jnp.asarray(weights), layout)
    moved = weights[:, :, np.concatenate([np.arange(2), [4, 2, 3], rng.permutation(np.arange(5, TOKENS))])]
    np.testing.assert_allclose(attention.register_attention(jnp.asarray(moved), layout), before, rtol=1e-6)


def test_outliers_do_not_see_scale_order_or_prefix(rng):
    hidden, layout = inside(rng)[0][0], Layout(cls=True, extra=1)
    hidden[[4, 9]] *= 40
    assert float(patches.patch_norm_outliers(jnp.asarray(hidden), layout)) == pytest.approx(2 / 11)
    moved = np.concatenate([1000 + hidden[:2], 8 * rng.permutation(hidden[2:])])
    assert float(patches.patch_norm_outliers(jnp.asarray(moved), layout)) == pytest.approx(2 / 11)
    assert float(patches.patch_norm_outliers(jnp.full((9, WIDTH), 3.0, jnp.float32), layout)) == 0
    assert float(patches.patch_norm_outliers(jnp.zeros((9, WIDTH), jnp.float32), layout)) == 0


def test_change_of_zero_and_equal_tokens():
    token, zero = jnp.arange(WIDTH, dtype=jnp.float32), jnp.zeros(WIDTH, jnp.float32)
    assert float(change.layer_delta(token, token)) == 0
    assert float(change.layer_delta(token, -token)) == pytest.approx(2, abs=1e-6)
    assert float(change.layer_delta(token, zero)) == pytest.approx(0.5, abs=1e-6)
    assert float(change.layer_delta(zero, zero)) == 0


def test_small_changes_keep_their_digits():
    """1 - cosine in float32 would be lost in rounding; the half squared distance is not."""
    u = np.linspace(1, 2, 64)
    v = u + 1e-4 * np.cos(np.arange(64))
    delta = float(change.layer_delta(jnp.asarray(u, jnp.float32), jnp.asarray(v, jnp.float32)))
    assert delta == pytest.approx(1 - oracles.cosine(u, v), rel=2e-2)
    assert 0 < delta < 1e-8


@functools.lru_cache(maxsize=1)
def tiny() -> memjax.Encoder:
    return memjax.load("memjax/tiny")


def test_features_are_the_definitions_over_the_trace(rng):
    encoder = tiny()
    pixels = rng.normal(size=(3, *encoder.config.image, 3)).astype(np.float32)
    trace, ours = memjax.trace(encoder, pixels), memjax.features(encoder, pixels)
    for i in range(3):
        layout = encoder.config.layout
        theirs = oracles.features(
            np.asarray(trace.hidden[i]), np.asarray(trace.attention[i]), layout.cls, layout.prefix
        )
        for name, value in theirs.items():
            np.testing.assert_allclose(ours[name][i], value, rtol=1e-4, atol=1e-5, err_msg=name)


def test_one_trace_for_all_batches_of_a_size(rng, monkeypatch):
    encoder, traced = tiny(), []
    original = measure.image_features

    def counted(*arguments):
        traced.append(1)
        return original(*arguments)

    measure.compiled.cache_clear()
    monkeypatch.setattr(measure, "image_features", counted)
    for _ in range(3):
        memjax.features(encoder, rng.normal(size=(4, *encoder.config.image, 3)).astype(np.float32))
    assert len(traced) == 1
    measure.compiled.cache_clear()


def test_paper_protocol_reads_token_0_where_there_is_no_cls():
    assert Layout(cls=False).under("paper") == Layout(cls=True)
    assert Layout(cls=False).under("native") == Layout(cls=False)
    assert Layout(cls=True, extra=4).under("paper") == Layout(cls=True, extra=4)
    with pytest.raises(ValueError, match="protocol"):
        Layout(cls=True).under("authors")


def test_metrics_differentiate(rng):
    hidden, weights = inside(rng)
    made = {name: jnp.asarray(x[0]) for name, x in branches(rng).items()}
    for name, layout in LAYOUTS.items():

        def total(x, made, layout=layout):
            block = BlockTrace(before=x[0], after=x[1], attention=jnp.asarray(weights[0]), **made)
            return sum(value.sum() for value in metrics.measure_block(block, layout, rows_of(layout)).values())

        for slope in jax.tree.leaves(jax.grad(total, argnums=(0, 1))(jnp.asarray(hidden[:2]), made)):
            assert np.isfinite(slope).all(), name


def test_metrics_of_heads_and_mlp_are_those_of_a_traces_fields(rng):
    """In a sweep's program, where a block's trace is open, against the fields that a tap returns."""
    names = ("head_norm", "mlp_norm", "mlp_active")
    encoder = tiny()
    pixels = rng.normal(size=(2, *encoder.config.image, 3)).astype(np.float32)
    ours = memjax.features(encoder, pixels, metrics=names)
    fields = ("heads", "mlp_hidden", "mlp")
    seen = jax.vmap(
        lambda image: memjax.encode(
            encoder.params, image, encoder.config, tap=lambda block: {name: getattr(block, name) for name in fields}
        )
    )(jnp.asarray(pixels))
    for i in range(2):
        made = {name: np.asarray(value[i]) for name, value in seen.items()}
        for name, value in oracles.branches(made, encoder.config.layout.cls).items():
            np.testing.assert_allclose(ours[name][i], value, rtol=2e-5, atol=2e-6, err_msg=name)
