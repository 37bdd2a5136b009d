"""Data parallel over devices: the same numbers as on one, whatever the batch's length."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memjax import devices


def double(params, batch):
    return {"sum": (batch * params).sum(axis=-1)}


def test_two_devices_give_what_one_gives(rng):
    assert jax.local_device_count() == 2, "conftest asks for two CPU devices"
    batch = rng.normal(size=(6, 3)).astype(np.float32)
    results = []
    for count in (1, 2):
        mesh = devices.data_mesh(jax.local_devices()[:count])
        run = devices.data_parallel(double, mesh)
        results.append(run(devices.replicate(jnp.float32(2.0), mesh), devices.split(batch, mesh))["sum"])
    np.testing.assert_array_equal(*map(np.asarray, results))
    np.testing.assert_allclose(results[0], 2 * batch.sum(axis=-1), rtol=1e-6)


@pytest.mark.parametrize(("length", "padded"), [(4, 4), (5, 6), (1, 2)])
def test_padding_reaches_a_multiple_with_zeros(length, padded):
    out = devices.pad_to(jnp.ones((length, 3)), 2)
    assert out.shape == (padded, 3)
    assert float(out.sum()) == 3 * length


def test_one_trace_for_equal_shapes():
    traces = []

    def counting(params, batch):
        traces.append(1)
        return batch * params

    mesh = devices.data_mesh()
    run = devices.data_parallel(counting, mesh)
    for _ in range(3):
        run(jnp.float32(1.0), devices.split(np.ones((4, 2), np.float32), mesh))
    assert len(traces) == 1
