"""memjax's programs through the compilers for a TPU and for a GPU: no error, no gather, memory, precision, what metrics cost.

Cycles are the TPU compiler's estimates. README.md of `benchmarks` has the table. Without the compilers (the dependency group
``compilers``) every test is skipped.
"""

import pytest

pytest.importorskip("libtpu")
pytest.importorskip("jax_cuda12_plugin")

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import SingleDeviceSharding

from benchmarks import programs, targets
from memjax.levels import look_up_levels
from memjax.selection import Selection, variables, working_bytes
from tests.accelerators.compiling import (
    build,
    causes_program,
    device_of,
    encoder_program,
    ensemble_step,
    latents_program,
)

TARGETS = ("v5e", "h100")
ENCODERS = ("dinov2-s14", "clip-b16", "siglip2-so400m-384")
METRICS_COST = 1.15
"""Most that CLIP B/16 in bfloat16 may cost with the metrics, of the forward pass alone, by the estimate for a v5e."""


def placed(target: str, shape: tuple[int, ...], dtype: type) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype, sharding=SingleDeviceSharding(device_of(target)))


@pytest.mark.parametrize("target", TARGETS)
class TestChecksCanFail:
    """What the tests below look for is seen where it is known to be."""

    def test_gather(self, target):
        pre = programs.encoder_of("tiny").preprocessing
        levels = placed(target, (8, 224, 224, 3), np.uint8)
        assert build(jax.jit(lambda x: look_up_levels(x, pre)).lower(levels), target).program.of("gather")

    @pytest.mark.parametrize("asked", ["default", "high", "highest"])
    def test_precision_of_a_product(self, target, asked):
        matrix = placed(target, (512, 512), np.float32)
        lowered = jax.jit(lambda x, y: jnp.matmul(x, y, precision=asked)).lower(matrix, matrix)
        assert build(lowered, target).precisions == {f"f32:{asked}": 1}


@pytest.fixture
def kept_programs(tmp_path):
    """A folder where JAX would keep every compiled program."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = [getattr(jax.config, name) for name in names]
    for name, value in zip(names, (str(tmp_path / "programs"), 0.0), strict=True):
        jax.config.update(name, value)
    yield tmp_path / "programs"
    for name, value in zip(names, before, strict=True):
        jax.config.update(name, value)


@pytest.mark.parametrize("target", TARGETS)
def test_its_programs_are_not_kept(target, kept_programs):
    """JAX's cache would give a description's program back with an error: here nothing is written to it."""
    for _ in range(2):
        jax.clear_caches()
        build(jax.jit(lambda x: x @ x).lower(placed(target, (64, 64), np.float32)), target)
    assert not kept_programs.exists()


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", ENCODERS)
class TestSweep:
    """All metrics of all layers, in bfloat16, at the batch that a sweep takes."""

    def test_gathers_nothing(self, target, name):
        assert [x.text for x in encoder_program(target, name, "sweep", "bfloat16").program.of("gather")] == []

    def test_memory_is_within_the_plan(self, target, name):
        encoder = programs.encoder_of(name)
        each = working_bytes(encoder.config, encoder.config.image, variables(encoder.config, Selection()))
        built = encoder_program(target, name, "sweep", "bfloat16")
        assert built.temp <= each * programs.default_batch(encoder, target)

    def test_fits_the_chip(self, target, name):
        assert encoder_program(target, name, "sweep", "bfloat16").needed < 0.9 * targets.CHIPS[target].memory


@pytest.mark.parametrize("target", TARGETS)
class TestFloat32:
    def test_every_product_of_a_sweep_is_exact(self, target):
        """Of one image, since a TPU's compiler takes minutes over more (six passes a product)."""
        (precision,) = encoder_program(target, "dinov2-s14", "sweep", "float32", batch=1).precisions
        assert precision == "f32:highest"

    @pytest.mark.parametrize("batch", [4096])
    def test_every_product_of_an_ensembles_step_is_exact(self, target, batch):
        (precision,) = ensemble_step(target, batch).precisions
        assert precision == "f32:highest"


@pytest.mark.parametrize("target", TARGETS)
class TestCauses:
    """Parts of an encoder taken out: passes that begin at a block that is traced."""

    def test_every_product_is_exact(self, target):
        (precision,) = causes_program(target, "tiny", "float32", 2).precisions
        assert precision == "f32:highest"

    def test_gathers_nothing_and_fits_the_chip(self, target):
        built = causes_program(target, "dinov2-s14", "bfloat16", 2)
        assert [x.text for x in built.program.of("gather")] == []
        assert built.needed < 0.9 * targets.CHIPS[target].memory

    def test_every_product_without_latents_is_exact(self, target):
        (precision,) = latents_program(target, "tiny", "float32", 2).precisions
        assert precision == "f32:highest"

    def test_without_latents_it_fits_the_chip(self, target):
        assert latents_program(target, "dinov2-s14", "bfloat16", 2).needed < 0.9 * targets.CHIPS[target].memory


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("batch", [1, 4096])
def test_an_ensembles_step_fits_the_chip(target, batch):
    assert ensemble_step(target, batch).needed < 0.9 * targets.CHIPS[target].memory


def test_metrics_cost_little_on_a_tpu():
    """By the compiler's estimate, which every kernel must have."""
    sweep, alone = (encoder_program("v5e", "clip-b16", kind, "bfloat16").program for kind in ("sweep", "forward"))
    assert not sweep.unpriced()
    assert not alone.unpriced()
    assert 0.95 < sweep.total(sweep.entry) / alone.total(alone.entry) <= METRICS_COST
