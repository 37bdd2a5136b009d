"""Stretched and fixed positions against their formulas."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memjax.models.positions import antialiased_matrix, bicubic_matrix, sincos_table, stretch

SIZES = st.integers(3, 20)
MATRICES = {"plain": bicubic_matrix, "antialiased": antialiased_matrix}


@pytest.mark.parametrize("matrix", MATRICES)
@given(SIZES, SIZES)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_weights_sum_to_one_and_are_symmetric(matrix, source, target):
    weights = MATRICES[matrix](source, target)
    assert weights.shape == (target, source)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-9)
    np.testing.assert_allclose(weights, weights[::-1, ::-1], atol=1e-9)


@pytest.mark.parametrize("matrix", MATRICES)
def test_the_same_size_is_the_identity(matrix):
    np.testing.assert_allclose(MATRICES[matrix](7, 7), np.eye(7), atol=1e-12)


def test_bicubic_weights_halfway():
    """Keys' kernel with a = -0.75 at distances 0.5 and 1.5: 0.59375 and -0.09375; with a = -0.5: 0.5625, -0.0625."""
    np.testing.assert_allclose(bicubic_matrix(8, 4)[1, 1:5], [-0.09375, 0.59375, 0.59375, -0.09375], atol=1e-12)
    halfway = antialiased_matrix(4, 5)[2]  # place 1.5
    np.testing.assert_allclose(halfway, [-0.0625, 0.5625, 0.5625, -0.0625], atol=1e-12)


def test_stretch_of_a_plane_is_a_plane_inside():
    """With a = -0.5 a linear ramp is kept away from the edges; rows and columns are not swapped."""
    y, x = np.meshgrid(np.arange(8.0), np.arange(6.0), indexing="ij")
    table = jnp.asarray(np.stack([y, x, y + x], axis=-1).reshape(48, 3), jnp.float32)
    out = np.asarray(stretch(table, (8, 6), (16, 12), antialias=True)).reshape(16, 12, 3)
    wanted_y, wanted_x = (np.arange(16) + 0.5) / 2 - 0.5, (np.arange(12) + 0.5) / 2 - 0.5
    np.testing.assert_allclose(out[4:12, 4:8, 0], np.broadcast_to(wanted_y[4:12, None], (8, 4)), atol=1e-5)
    np.testing.assert_allclose(out[4:12, 4:8, 1], np.broadcast_to(wanted_x[None, 4:8], (8, 4)), atol=1e-5)


def test_the_native_grid_is_returned_untouched():
    table = jnp.asarray(np.random.default_rng(0).normal(size=(12, 5)), jnp.float32)
    assert stretch(table, (4, 3), (4, 3)) is table
    assert stretch(table.astype(jnp.bfloat16), (4, 3), (5, 7)).dtype == jnp.bfloat16


def test_sincos_by_its_formula():
    table = sincos_table(3, 5, 8, extra=1)
    assert table.shape == (16, 8)
    assert not table[0].any()
    y, x = 2, 3
    wanted = [np.sin(x), np.sin(x / 100), np.cos(x), np.cos(x / 100)]
    wanted += [np.sin(y), np.sin(y / 100), np.cos(y), np.cos(y / 100)]
    np.testing.assert_allclose(table[1 + y * 5 + x], wanted, atol=1e-6)
    with pytest.raises(ValueError, match="divisible by 4"):
        sincos_table(3, 3, 10, extra=0)
