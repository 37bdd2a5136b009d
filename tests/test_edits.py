"""Edits: what is inside an encoder changed while it runs, and nothing else."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import memjax
from memjax.attribution.heads import open_gates, with_gates
from memjax.checks import InputError
from memjax.edits import (
    PLACES,
    EditLatent,
    ProjectOut,
    Replace,
    Several,
    Steer,
    ablate_head,
    ablate_heads,
    ablate_mlp,
    ablate_tokens,
    patch,
)
from memjax.models.vit import forward
from tests import tiny_model
from tests.test_vit import SWITCHES, architecture


@functools.partial(jax.jit, static_argnums=0)
def streams(config, params, image, edit=None):
    return memjax.encode(params, image, config, lambda block: block.after, edit=edit)


def setting(name="plain"):
    config = architecture(name)
    return config, tiny_model.params(config), tiny_model.images(2, config)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", SWITCHES)
def test_an_edit_that_changes_nothing_leaves_every_bit(name, dtype):
    config, params, images = setting(name)
    params = jax.tree.map(lambda x: x.astype(dtype), params)
    seen = []

    def identity(block, place, values):
        seen.append((place, values.shape))
        return values

    def run(edit):
        return jax.jit(jax.vmap(lambda image: forward(params, image.astype(dtype), config, edit=edit)))(images)

    for plain, edited in zip(jax.tree.leaves(run(None)), jax.tree.leaves(run(identity)), strict=True):
        np.testing.assert_array_equal(plain, edited)
    tokens, heads = config.layout.prefix + 12, config.heads
    stream, of_heads = (tokens, config.width), (heads, tokens, config.width // heads)
    assert dict(seen) == dict(zip(PLACES, (stream, (heads, tokens, tokens), of_heads, stream, stream), strict=True))


@pytest.mark.parametrize("name", ["plain", "rotary-gated", "scaled"])
def test_ablation_is_a_gate_that_is_shut(name):
    config, params, images = setting(name)
    gates = open_gates(params)
    for edit, shut in (
        (ablate_head(2, 1, config.heads), gates.replace(heads=gates.heads.at[1, 1].set(0.0))),
        (ablate_heads(3), gates.replace(heads=gates.heads.at[2].set(0.0))),
        (ablate_mlp(1), gates.replace(mlps=gates.mlps.at[0].set(0.0))),
    ):
        wanted = streams(config, with_gates(params, shut), images[0])
        np.testing.assert_allclose(streams(config, params, images[0], edit), wanted, rtol=1e-5, atol=1e-6)
        assert not np.allclose(wanted, streams(config, params, images[0]), atol=1e-3)


def test_blocks_before_the_edit_are_untouched_and_the_trace_shows_what_was_made():
    config, params, images = setting()

    def tap(block):
        return {
            "before": block.before,
            "attention": block.attention,
            "heads": block.heads,
            "mlp": block.mlp,
            "after": block.after,
        }

    plain = memjax.encode(params, images[0], config, tap)
    for place in PLACES:
        edited = memjax.encode(params, images[0], config, tap, edit=patch(place, 2, 0.25))
        np.testing.assert_array_equal(edited["after"][0], plain["after"][0])
        assert not np.array_equal(edited["after"][1], plain["after"][1])
        np.testing.assert_array_equal(edited[place][1], jnp.full_like(plain[place][1], 0.25))


def test_rows_of_the_readout_token_are_those_of_the_edited_attention():
    for name in ("plain", "no-prefix"):
        config, params, images = setting(name) if name in SWITCHES else setting("plain")
        layout, uniform = config.layout, 1 / (config.layout.prefix + 12)
        rows = memjax.encode(
            params,
            images[0],
            config,
            lambda block, at=layout: block.readout_rows(at),
            edit=patch("attention", 1, uniform),
        )
        np.testing.assert_allclose(rows[0], uniform, rtol=1e-6)
        assert np.ptp(rows[1]) > 1e-4


@pytest.mark.parametrize("place", PLACES)
def test_patching_everything_from_another_image_gives_that_image(place):
    """At ``heads`` and ``mlp`` the residual stream of the first image passes by."""
    config, params, images = setting()
    tap = {"before": lambda b: b.before, "after": lambda b: b.after, "attention": lambda b: b.attention,
           "heads": lambda b: b.heads, "mlp": lambda b: b.mlp}[place]  # fmt: skip
    other = memjax.encode(params, images[1], config, tap)
    found = streams(config, params, images[0], patch(place, 2, other[1]))
    wanted = streams(config, params, images[1])
    if place in ("before", "after"):
        np.testing.assert_allclose(found[1:], wanted[1:], rtol=1e-5, atol=1e-6)
    else:
        assert not np.allclose(found[1], wanted[1], atol=1e-3)
    own = memjax.encode(params, images[0], config, tap)
    np.testing.assert_array_equal(
        streams(config, params, images[0], patch(place, 2, own[1])), streams(config, params, images[0])
    )


def test_a_direction_is_taken_out_and_added_at_some_tokens():
    config, params, images = setting()
    direction = jnp.asarray(np.random.default_rng(0).normal(size=config.width), jnp.float32)
    out = streams(config, params, images[0], ProjectOut(direction, block=None))
    np.testing.assert_allclose(out @ direction, 0.0, atol=1e-4)
    tokens = jnp.arange(config.layout.prefix + 12) == 3
    added = streams(config, params, images[0], Steer(direction, block=3, tokens=tokens)) - streams(
        config, params, images[0]
    )
    np.testing.assert_allclose(added[2, 3], direction, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(jnp.delete(added[2], 3, axis=0), 0.0)
    np.testing.assert_array_equal(added[:2], 0.0)


def test_tokens_that_are_ablated_are_no_longer_read():
    config, params, images = setting()
    masked = jnp.arange(config.layout.prefix + 12) >= config.layout.prefix
    edit = ablate_tokens(1, masked)
    one, other = (streams(config, params, image, edit)[:, 0] for image in images)
    np.testing.assert_array_equal(one, other, "cls without patches is the same for every image")


@pytest.mark.parametrize("variant", ["paper", "topk", "jumprelu", "matching_pursuit"])
@pytest.mark.parametrize("layer", [0, 2])
def test_a_latent_is_held_and_the_error_kept(variant, layer):
    vectors = np.random.default_rng(0).normal(2.0, 3.0, size=(60, 12)).astype(np.float32)
    config = memjax.sae.SAEConfig(width=12, latents=16, variant=variant, k=4)
    params, state = memjax.sae.init_params(jax.random.key(0), config), memjax.sae.init_state(config)
    sae = memjax.sae.TrainedSAE(params, state, memjax.sae.fit_standardiser(vectors), config, layer=layer)
    place, block = ("before", 1) if layer == 0 else ("after", layer)
    stream = jnp.asarray(vectors[:17])

    def latents(x):
        inputs = memjax.sae.standardise(sae.standardiser, x)
        return memjax.sae.reconstruct(sae.params, inputs, sae.state, sae.config).latents

    fires = int(np.abs(latents(stream)).sum(axis=0).argmax())
    np.testing.assert_array_equal(EditLatent(sae, fires)(jnp.int32(block), place, stream), stream)
    held = EditLatent(sae, fires, times=0.0, plus=1.5)(jnp.int32(block), place, stream)
    row = sae.params.w_dec[fires] * sae.standardiser.std
    np.testing.assert_allclose(held, stream + np.outer(1.5 - latents(stream)[:, fires], row), rtol=1e-4, atol=1e-4)
    for other in ((jnp.int32(3), place), (jnp.int32(block), "mlp")):
        np.testing.assert_array_equal(EditLatent(sae, fires, plus=9.0)(*other, stream), stream)
    mask = np.arange(17) == 4
    some = EditLatent(sae, fires, plus=1.0, tokens=mask)(jnp.int32(block), place, stream)
    np.testing.assert_array_equal(some[~mask], stream[~mask])
    assert not np.allclose(some[4], stream[4])


def test_edits_of_one_kind_run_in_one_program():
    config, params, images = setting()
    traced = []

    def run(edit, image):
        traced.append(1)
        return streams(config, params, image, edit)

    def head_of(block, head):
        return ablate_head(block, head, config.heads)

    grid = jnp.stack(jnp.meshgrid(jnp.arange(1, 4), jnp.arange(config.heads), indexing="ij"), -1).reshape(-1, 2)
    edits = jax.vmap(head_of)(grid[:, 0], grid[:, 1])
    found = jax.jit(jax.vmap(jax.vmap(run, (None, 0)), (0, None)))(edits, images)
    assert found.shape[:2] == (len(grid), 2)
    assert len(traced) == 1
    for (block, head), each in zip(grid.tolist(), found, strict=True):
        np.testing.assert_allclose(
            each[1], streams(config, params, images[1], head_of(block, head)), rtol=1e-4, atol=1e-5
        )


def test_edits_follow_one_another():
    config, params, images = setting()
    both = streams(config, params, images[0], Several((ablate_mlp(1), Steer(jnp.ones(config.width), block=2))))
    alone = streams(config, params, images[0], ablate_mlp(1))
    np.testing.assert_allclose(both[1] - alone[1], 1.0, rtol=1e-4)
    np.testing.assert_array_equal(both[0], alone[0])


@pytest.mark.parametrize(
    ("edit", "line"),
    [
        (lambda block, place, values: values[:1], "edit: expected an array of the shape that was given at 'before'"),
        (lambda block, place, values: None, "edit: expected an array of the shape"),
        (lambda block, place, values: values.mean(), "edit: expected an array of the shape"),
        (patch("mlp", 1, jnp.zeros((2, 3, 4))), "edit: expected at most the axes of the values"),
    ],
)
def test_what_is_no_edit_is_one_line(edit, line):
    config, params, images = setting()
    with pytest.raises(InputError) as error:
        memjax.encode(params, images[0], config, edit=edit)
    assert line in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "make",
    [lambda: patch("residual", 1, 0.0), lambda: ablate_head(1, 3, 3), lambda: ablate_head(1, -1, 3)],
)
def test_what_is_not_there_is_named(make):
    with pytest.raises(InputError):
        make()


@pytest.mark.parametrize("field", ["query", "key", "value", "heads", "mlp_hidden", "mlp"])
def test_the_inside_of_a_block_is_formed_only_where_it_is_read(field):
    """Stacked over blocks it would be an output, or a temporary, of the compiled program."""
    config, params, images = setting()

    def memory(tap):
        found = jax.jit(lambda image: memjax.encode(params, image, config, tap)).lower(images[0]).compile()
        return found.memory_analysis().temp_size_in_bytes + found.memory_analysis().output_size_in_bytes

    small, read = memory(lambda block: block.after[0]), memory(lambda block: (block.after[0], getattr(block, field)))
    shape = jax.eval_shape(
        lambda image: memjax.encode(params, image, config, lambda b: getattr(b, field)), images[0]
    ).shape
    assert read - small > 0.8 * 4 * np.prod(shape), "what is read is held for every block"


def test_heads_and_mlp_of_the_trace_sum_to_the_block():
    config, params, images = setting()
    seen = memjax.encode(params, images[0], config, lambda b: (b.before, b.heads, b.mlp, b.after))
    before, heads, mlp, after = seen
    out = params.blocks.attention.out
    attended = jnp.einsum("lhtk,lhkd->ltd", heads, out.kernel) + out.bias[:, None]
    np.testing.assert_allclose(before + attended + mlp, after, rtol=1e-4, atol=1e-4)


def test_replace_is_a_pytree():
    edit = ablate_head(2, 0, 3)
    leaves, tree = jax.tree.flatten(edit)
    assert isinstance(jax.tree.unflatten(tree, leaves), Replace)
