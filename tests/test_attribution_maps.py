"""Attribution is checked against what it must equal: sums, finite differences, scores computed by hand."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import memjax
from memjax.attribution.contrast import by_patch, contrast_of
from memjax.attribution.direct import layer_contributions, patch_contributions
from memjax.attribution.flow import attention_rollout, rollout
from memjax.attribution.gradients import gradient_times_input, integrated_gradients
from memjax.attribution.heads import gate_derivatives, open_gates, with_gates
from memjax.attribution.occlusion import occlude, square_windows
from memjax.checks import InputError
from tests.explained import INTERCEPT, KINDS, encoder, image, target


def contrast(kind, baseline="mean", seed=0):
    return contrast_of(image(kind, seed), encoder(kind).config.patch, baseline)


def jitted(function, *static):
    return jax.jit(function, static_argnames=static)


@pytest.mark.parametrize("kind", KINDS)
def test_contributions_of_layers_sum_to_the_score_less_its_intercept(kind):
    of = target(kind)
    found = layer_contributions(of.values(of.encoder.params, image(kind)), of.weights, of.encoder.config.depth)
    assert set(found) >= {"cls", "mean", "layer_delta"}
    assert ("pooled" in found) == of.encoder.config.has_output
    score = float(of.score(of.encoder.params, image(kind)))
    assert abs(sum(float(x.sum()) for x in found.values()) - (score - INTERCEPT)) < 1e-4
    assert abs(score - INTERCEPT) > 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_contributions_of_patches_sum_to_those_of_the_mean_token(kind):
    of = target(kind)
    config, layout = of.encoder.config, of.encoder.config.layout.under(of.protocol)
    patches = patch_contributions(of.encoder.params, image(kind), config, layout, of.weights["mean"])
    layers = layer_contributions(of.values(of.encoder.params, image(kind)), of.weights, config.depth)["mean"]
    assert patches.shape == (config.depth + 1, *config.grid)
    np.testing.assert_allclose(patches.sum(axis=(1, 2)), layers, atol=1e-5)
    assert float(jnp.abs(patches).max()) > 1e-3


def test_one_patch_contributes_its_own_hidden_state():
    of = target("dinov2_with_registers")
    config = of.encoder.config
    patches = patch_contributions(
        of.encoder.params, image("dinov2_with_registers"), config, config.layout, of.weights["mean"]
    )
    hidden = memjax.trace(of.encoder, image("dinov2_with_registers")[None]).hidden[0]
    row, column = 1, 2
    token = hidden[:, config.layout.prefix + row * config.grid[1] + column]
    count = config.grid[0] * config.grid[1]
    np.testing.assert_allclose(patches[:, row, column], (token * of.weights["mean"]).sum(axis=1) / count, atol=1e-5)


@pytest.mark.parametrize(("kind", "baseline"), [("dinov2_with_registers", "mean"), ("siglip_vision_model", "blur")])
def test_integrated_gradients_explain_the_whole_difference(kind, baseline):
    of, against = target(kind), contrast(kind, baseline)
    found = jitted(integrated_gradients, "score", "steps")(of.score, of.encoder.params, against, 64)
    change = float(of.score(of.encoder.params, against.image) - of.score(of.encoder.params, against.baseline))
    assert abs(float(found.attribution.sum()) - change) < 0.02 * max(1, abs(change))
    assert float(found.gap) == pytest.approx(float(found.attribution.sum()) - change, abs=1e-4)
    assert abs(change) > 0.05


def test_the_gap_shrinks_with_more_steps():
    of, against = target("dinov2_with_registers"), contrast("dinov2_with_registers")
    run = jitted(integrated_gradients, "score", "steps")
    gaps = [abs(float(run(of.score, of.encoder.params, against, steps).gap)) for steps in (1, 4, 64)]
    assert gaps[2] < 0.1 * gaps[0]
    assert gaps[2] < gaps[1]


def test_gradient_times_input_is_a_derivative_along_the_image():
    of, against = target("clip"), contrast("clip")
    found = gradient_times_input(of.score, of.encoder.params, against)
    step = 1e-2
    more, less = (of.score(of.encoder.params, against.image * factor) for factor in (1 + step, 1 - step))
    assert float(found.sum()) == pytest.approx(float(more - less) / (2 * step), rel=0.02, abs=2e-3)


def test_of_a_linear_score_all_maps_are_the_same():
    weights = jnp.asarray(np.random.default_rng(1).normal(size=(8, 12, 3)), jnp.float32)
    against = contrast_of(jnp.asarray(np.random.default_rng(2).normal(size=(8, 12, 3)), jnp.float32), 4, "blur")

    def score(_, image):
        return (weights * image).sum() + 3.0

    wanted = by_patch(weights * (against.image - against.baseline), 4)
    np.testing.assert_allclose(by_patch(integrated_gradients(score, (), against, 3).attribution, 4), wanted, atol=1e-4)
    np.testing.assert_allclose(by_patch(gradient_times_input(score, (), against), 4), wanted, atol=1e-4)
    np.testing.assert_allclose(occlude(score, (), against, square_windows((2, 3), 1), 2), wanted, atol=1e-4)


def test_occlusion_is_the_score_with_the_baseline_pasted_in():
    of, against = target("clip"), contrast("clip", "blur")
    patch = against.patch
    windows = square_windows(against.grid, 2)
    found = jitted(occlude, "score", "batch")(of.score, of.encoder.params, against, windows, 4)
    whole, falls = float(of.score(of.encoder.params, against.image)), []
    for y, x in ((0, 0), (0, 1), (1, 0), (1, 1)):  # the windows over patch (1, 1)
        here = np.s_[y * patch : (y + 2) * patch, x * patch : (x + 2) * patch]
        covered = against.image.at[here].set(against.baseline[here])
        falls.append(whole - float(of.score(of.encoder.params, covered)))
    assert float(found[1, 1]) == pytest.approx(np.mean(falls), abs=1e-5)


@pytest.mark.parametrize(("grid", "side", "stride"), [((4, 4), 1, 1), ((5, 7), 3, 2), ((3, 5), 3, 3), ((6, 4), 4, 4)])
def test_windows_cover_every_patch(grid, side, stride):
    windows = square_windows(grid, side, stride)
    assert windows.any(axis=0).all()
    assert (windows.sum(axis=(1, 2)) == side**2).all()
    assert len(np.unique(windows.reshape(len(windows), -1), axis=0)) == len(windows)


@pytest.mark.parametrize(("side", "stride"), [(2, 3), (2, 0), (0, 0)])
def test_windows_that_leave_patches_out_are_refused(side, stride):
    with pytest.raises(InputError, match="stride"):
        square_windows((4, 4), side, stride)


@pytest.mark.parametrize("kind", ["dinov2_with_registers", "siglip_vision_model"])
def test_derivatives_of_gates_are_finite_differences_of_scaled_weights(kind):
    of = target(kind)
    found = jitted(gate_derivatives, "score")(of.score, of.encoder.params, image(kind))
    score, gates, step = of.score, open_gates(of.encoder.params), 0.02
    assert found.heads.shape == (of.encoder.config.depth, of.encoder.config.heads)

    def difference(change):
        more, less = (float(score(with_gates(of.encoder.params, change(sign * step)), image(kind))) for sign in (1, -1))
        return (more - less) / (2 * step)

    for layer, head in ((0, 0), (1, 1)):
        one = jnp.zeros_like(gates.heads).at[layer, head].set(1.0)
        by_hand = difference(lambda e, one=one: gates.replace(heads=gates.heads + e * one))
        assert float(found.heads[layer, head]) == pytest.approx(by_hand, rel=0.02, abs=1e-3)
    by_hand = difference(lambda e: gates.replace(mlps=gates.mlps.at[1].add(e)))
    assert float(found.mlps[1]) == pytest.approx(by_hand, rel=0.02, abs=1e-3)
    assert float(jnp.abs(found.heads).max()) > 1e-3


def test_a_closed_gate_takes_a_head_out():
    of = target("clip")
    gates = open_gates(of.encoder.params)
    closed = with_gates(of.encoder.params, gates.replace(heads=gates.heads.at[1, 0].set(0.0)))
    kernel = of.encoder.params.blocks.attention.out.kernel.at[1, 0].set(0.0)
    np.testing.assert_array_equal(closed.blocks.attention.out.kernel, kernel)
    same = with_gates(of.encoder.params, gates)
    jax.tree.map(np.testing.assert_array_equal, same, of.encoder.params)


@pytest.mark.parametrize("kind", KINDS)
def test_rollout_is_the_product_of_attention_matrices(kind):
    model = encoder(kind)
    layout = model.config.layout.under(KINDS[kind])
    attention = np.asarray(memjax.trace(model, image(kind)[None]).attention[0], float)
    whole = np.eye(attention.shape[-1])
    for block in attention.mean(axis=1):
        whole = (0.5 * block + 0.5 * np.eye(len(block))) @ whole
    row = whole[0] if layout.cls else whole.mean(axis=0)
    found = attention_rollout(model.params, image(kind), model.config, layout)
    assert found.shape == model.config.grid
    patches = found.ravel()[found.size - (len(row) - layout.prefix) :]
    np.testing.assert_allclose(patches, row[layout.prefix :], atol=1e-6)
    assert float(found.sum()) + row[: layout.prefix].sum() == pytest.approx(1, abs=1e-5)


def test_rollout_of_attention_to_one_patch_stays_on_it():
    layout = dataclasses.replace(encoder("clip").config.layout, grid=(2, 2))
    attention = jnp.zeros((6, 1, layout.prefix + 4, layout.prefix + 4)).at[:, :, :, layout.prefix + 2].set(1.0)
    found = rollout(attention, layout)
    assert found[1, 0] == pytest.approx(1 - 0.5**6)
    assert float(found.sum()) == pytest.approx(float(found[1, 0]))


@pytest.mark.parametrize("side", [(32, 32), (35, 41)])
def test_covered_patches_hold_the_baseline_and_nothing_else_does(side):
    against = contrast_of(jnp.ones((*side, 3)), 8)
    mask = np.zeros(against.grid, bool)
    mask[1, 3] = True
    found = np.asarray(against.without(jnp.asarray(mask)))
    assert (found[8:16, 24:32] == 0).all()
    assert found.sum() == 3 * (side[0] * side[1] - 64)
    assert (np.asarray(against.without(jnp.ones(against.grid, bool)))[:32, :32] == 0).all()
