"""The authors' released autoencoders: a torch state dict, read without unpickling objects, into our parameters."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np

from memjax.checks import InputError, expected
from memjax.sae.config import SAEConfig
from memjax.sae.model import SAEParams
from memjax.sae.torch_files import read_torch

ROWS = (
    ("fc1.weight", "w_enc", True),
    ("fc1.bias", "b_enc", False),
    ("fc2.weight", "w_dec", True),
    ("fc2.bias", "b_dec", False),
)
"""Source key, our field, whether to transpose: torch keeps ``[out, in]``."""


def from_arrays(arrays: dict[str, np.ndarray]) -> tuple[SAEParams, SAEConfig]:
    """Port a state dict given as arrays.

    Args:
        arrays: ``fc1.weight [f, d]``, ``fc1.bias [f]``, ``fc2.weight [d, f]``, ``fc2.bias [d]``; nothing more, nothing less.

    Returns:
        Parameters, and the config of the paper's architecture at these sizes.

    Raises:
        InputError: one line with every key that is missing or left over, or with the shapes that do not fit.
    """
    wanted = {source for source, _, _ in ROWS}
    missing, surplus = sorted(wanted - set(arrays)), sorted(set(arrays) - wanted)
    if missing or surplus:
        raise InputError(
            f"released autoencoder: missing {missing}, not known {surplus}; expected exactly {sorted(wanted)}"
        )
    values = {target: arrays[source].T if swap else arrays[source] for source, target, swap in ROWS}
    d, f = values["w_enc"].shape if values["w_enc"].ndim == 2 else (0, 0)
    shapes = {name: value.shape for name, value in values.items()}
    if shapes != {"w_enc": (d, f), "b_enc": (f,), "w_dec": (f, d), "b_dec": (d,)}:
        raise expected("released autoencoder", "shapes [d f], [f], [f d], [d]", list(shapes.values()))
    params = SAEParams(**{name: jnp.asarray(value, jnp.float32) for name, value in values.items()})
    return params, SAEConfig(width=d, latents=f, variant="paper", k=1, pre_bias=False, unit_norm=False)


def load_released(path: str | Path) -> tuple[SAEParams, SAEConfig]:
    """Read a ``.pt`` file of the authors with torch's ``weights_only`` reader.

    Args:
        path: the file.

    Returns:
        As `from_arrays`.

    Raises:
        InputError: if torch is not installed, the file is not there or not a plain state dict, or its keys do not fit.
    """
    tensors = read_torch(path, "released autoencoder")
    return from_arrays({name: tensors.read(name) for name in tensors.shapes})
