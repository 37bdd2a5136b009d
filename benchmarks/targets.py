"""The chips that programs are compiled for, without one at hand: `chips` with their peaks, and how a compiler is given one.

The compilers are packages: libtpu (``jax[tpu]``) and the CUDA plugin with NVIDIA's assembler. Nothing here starts a device.
"""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jax

ENVIRONMENT = {
    "JAX_PLATFORMS": "cpu",
    "TPU_SKIP_MDS_QUERY": "1",  # libtpu would ask the cloud what machine this is
    "TPU_WORKER_HOSTNAMES": "localhost",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",  # no chip to be shared: several processes may compile
    "TF_CPP_MIN_LOG_LEVEL": "2",
}
"""What the compilers read when they are loaded, before the first ``import jax``."""


@dataclasses.dataclass(frozen=True)
class Chip:
    """One accelerator.

    Attributes:
        topology: how its compiler names the smallest group of them.
        peak: FLOP/s of bfloat16 products, dense.
        memory: bytes.
        products: floating-point operations of its matrix units in one cycle, so that ``peak / products`` is its clock;
            0 where its compiler gives no cycles.
        options: for its compiler.
    """

    topology: str
    peak: float
    memory: int
    products: int = 0
    options: tuple[tuple[str, bool], ...] = ()

    @property
    def clock(self) -> float:
        """Cycles a second."""
        return self.peak / self.products


CHIPS: Mapping[str, Chip] = MappingProxyType(
    {
        "v5e": Chip("v5e:2x2", 1.97e14, 16 * 2**30, 2 * 4 * 128**2),
        "v6e": Chip("v6e:2x2", 9.2e14, 32 * 2**30, 2 * 4 * 256**2),
        "v5p": Chip("v5p:2x2x1", 4.59e14, 95 * 2**30, 2 * 8 * 128**2),
        # Its compiler prices a product as one of the chip's two cores would do it, so half the peak is the most that it gives.
        "v4": Chip("v4:2x2x1", 2.75e14, 32 * 2**30, 2 * 8 * 128**2),
        # Triton's tiles are chosen by trying them on a GPU; without one, products are left to cuBLAS.
        "h100": Chip("h100_sxm.txtpb", 9.89e14, 80 * 10**9, options=(("xla_gpu_enable_triton_gemm", False),)),
    }
)
"""Peaks of TPUs: `jax.experimental.pallas.tpu.get_tpu_info` of jax 0.10.2, in agreement with
https://cloud.google.com/tpu/docs/system-architecture-tpu-vm. The cycle's operations are those that a product of 4096 x 4096
matrices comes up to in the compiler's own estimate (87 to 97 %). H100 SXM: NVIDIA's data sheet, without sparsity."""


def prepare() -> None:
    """Set what the compilers read; call it before the first ``import jax``."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def device(target: str) -> "jax.Device":
    """A description of one chip, which programs are compiled for and which can't run anything.

    From here on this process keeps no compiled program on disk: what is compiled for a description can be written there,
    and not read back.

    Raises:
        InputError: its compiler is not installed.
    """
    import jax
    from jax.experimental import topologies
    from jax.experimental.compilation_cache import compilation_cache

    from memjax.checks import InputError

    name = CHIPS[target].topology
    try:
        if name.endswith(".txtpb"):
            specification = (Path(__file__).parent / name).read_text(encoding="utf-8")
            found = topologies.get_topology_desc(
                platform="cuda", topology_name="", topology="1x1x1", target_config=specification
            )
        else:
            found = topologies.get_topology_desc(name, "tpu")
    except (RuntimeError, ImportError, ValueError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise InputError(
            f"no compiler for {target} ({reason}): install the dependency group compilers", "targets"
        ) from error
    jax.config.update("jax_enable_compilation_cache", False)
    compilation_cache.reset_cache()  # whether there is one is decided once a process
    return found.devices[0]
