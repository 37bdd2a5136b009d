"""The authors' released autoencoders: a torch state dict, read without unpickling objects, into our parameters."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np

from memjax.checks import InputError, check_file, expected
from memjax.sae.config import SAEConfig
from memjax.sae.model import SAEParams

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
    file = check_file(path, "released autoencoder")
    try:
        import torch  # pyrefly: ignore[missing-import] (an optional extra)
    except ImportError as error:
        raise InputError(f"released autoencoder {file}: reading a .pt file needs torch; pip install torch") from error
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"released autoencoder {file}: expected a torch state dict, could not read it: {reason}"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise expected(f"released autoencoder {file}", "a torch state dict", type(state).__name__)
    return from_arrays({name: value.detach().numpy() for name, value in state.items()})
