"""Grey levels on the device: the processors' own numbers, by lookup on a CPU and by arithmetic elsewhere."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memjax.levels import HIGH_BITS, compute_levels, normalise_levels, split_factor
from memjax.models import families, presets
from memjax.preprocessing import PROCESSORS, Preprocessing, normalise_table, preprocessing_from_config

CLASSES = {stem: {"image_processor_type": f"{stem}ImageProcessor"} for stem in PROCESSORS}
FAMILIES = {name: presets.processor(name, 224) for name in families.FAMILIES if not name.endswith("_vision_model")}
PROCESSES = {name: preprocessing_from_config(config) for name, config in (CLASSES | FAMILIES).items()}
PROCESSES |= {
    "no rescale": Preprocessing(rescale=None),
    "no mean": Preprocessing(mean=None, std=None),
    "half open": Preprocessing(rescale=1 / 127.5, mean=(1.0, 1.0, 1.0), std=(1.0, 1.0, 1.0)),
    "one in 256": Preprocessing(rescale=1 / 256),
}
LEVELS = np.broadcast_to(np.arange(256, dtype=np.uint8).reshape(1, 256, 1), (2, 256, 3))


@pytest.mark.parametrize("name", PROCESSES)
def test_arithmetic_is_the_processors_to_the_last_place(name):
    pre = PROCESSES[name]
    wanted = normalise_table(pre)
    found = np.asarray(jax.jit(compute_levels, static_argnums=1)(LEVELS, pre))[0]
    np.testing.assert_array_max_ulp(found, wanted, maxulp=1)
    rescaled = dataclasses.replace(pre, mean=None, std=None)
    exact = np.asarray(jax.jit(compute_levels, static_argnums=1)(LEVELS, rescaled))[0]
    np.testing.assert_array_equal(exact, normalise_table(rescaled), "a level that is off by one place would not cancel")


@pytest.mark.parametrize("name", PROCESSES)
def test_a_cpu_gives_the_processors_bits(name):
    found = jax.jit(normalise_levels, static_argnums=1)(LEVELS, PROCESSES[name])
    np.testing.assert_array_equal(found[0], normalise_table(PROCESSES[name]))


@pytest.mark.parametrize(("platform", "gathers"), [("cpu", True), ("tpu", False), ("cuda", False)])
def test_only_a_cpu_looks_levels_up(platform, gathers):
    run = jax.jit(jax.vmap(lambda x: normalise_levels(x, Preprocessing())))
    lowered = run.trace(jnp.asarray(LEVELS)[None]).lower(lowering_platforms=(platform,)).as_text()
    assert ("gather" in lowered) == gathers


def test_the_high_part_has_few_bits():
    for factor in (1 / 255, 1 / 127.5, 0.1, 3.0):
        high, low = split_factor(factor)
        assert all(float(high) * level == float(np.float32(high) * np.float32(level)) for level in range(256))
        assert abs(float(high) + float(low) - factor) < factor * 2.0 ** -(HIGH_BITS + 22)
