"""Parameters and forward pass of every sparse autoencoder: pure functions of ``(params, x, state, config)``.

Arrays have a leading batch axis ``b``, because two variants share their budget over a batch; an ensemble is a `jax.vmap`
or `jax.lax.map` outside. Weights multiply from the right: ``x [b, d] @ w_enc [d, f]``. Units are those of the input. Shapes of
fields stand beside them and are not checked: a pytree also has to hold specs, and a leading member axis.
"""

from typing import Any

from flax import struct
from jaxtyping import Array, Float

from memjax.sae.config import SAEConfig


@struct.dataclass
class SAEParams:
    """Learnt arrays. ``log_threshold`` is of ``jumprelu`` alone, ``r_mag`` and ``b_mag`` are of ``gated`` alone."""

    w_enc: Any  # [d, f]
    b_enc: Any  # [f]
    w_dec: Any  # [f, d]
    b_dec: Any  # [d]
    log_threshold: Any = None  # [f]
    r_mag: Any = None  # [f]
    b_mag: Any = None  # [f]


@struct.dataclass
class SAEState:
    """What training observes, not learns: the inference threshold of BatchTopK, and how long each latent was silent."""

    threshold: Any  # one number
    idle: Any  # [f]


@struct.dataclass
class Output:
    """One forward pass: pre-activations and latents ``[b, f]``, reconstructions ``[b, d]``."""

    pre: Any  # [b, f]
    latents: Any  # [b, f]
    recons: Any  # [b, d]


def pre_activations(params: SAEParams, x: Float[Array, "b d"], config: SAEConfig) -> Float[Array, "b f"]:
    """``(x - pre_bias) @ w_enc + b_enc``; the pre-bias is the decoder's bias where the config asks for it."""
    centred = x - params.b_dec[None] if config.pre_bias else x
    return centred @ params.w_enc + params.b_enc[None]


def decode(params: SAEParams, latents: Float[Array, "b f"]) -> Float[Array, "b d"]:
    """``latents @ w_dec + b_dec``."""
    return latents @ params.w_dec + params.b_dec[None]
