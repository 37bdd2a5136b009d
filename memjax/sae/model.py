"""Parameters and forward pass of every sparse autoencoder: pure functions of ``(params, x, state, config)``.

Arrays have a leading batch axis ``b``, because two variants share their budget over a batch; an ensemble is a `jax.vmap`
or `jax.lax.map` outside. Weights multiply from the right: ``x [b, d] @ w_enc [d, f]``. Units are those of the input.
"""

from flax import struct
from jaxtyping import Array, Float, Int

from memjax.sae.config import SAEConfig


@struct.dataclass
class SAEParams:
    """Learnt arrays. ``log_threshold`` is of ``jumprelu`` alone, ``r_mag`` and ``b_mag`` are of ``gated`` alone."""

    w_enc: Float[Array, "*m d f"]
    b_enc: Float[Array, "*m f"]
    w_dec: Float[Array, "*m f d"]
    b_dec: Float[Array, "*m d"]
    log_threshold: Float[Array, "*m f"] | None = None
    r_mag: Float[Array, "*m f"] | None = None
    b_mag: Float[Array, "*m f"] | None = None


@struct.dataclass
class SAEState:
    """What training observes, not learns: the inference threshold of BatchTopK, and how long each latent was silent."""

    threshold: Float[Array, "*m"]
    idle: Int[Array, "*m f"]


@struct.dataclass
class Output:
    """One forward pass: pre-activations and latents ``[b, f]``, reconstructions ``[b, d]``."""

    pre: Float[Array, "*b f"]
    latents: Float[Array, "*b f"]
    recons: Float[Array, "*b d"]


def pre_activations(params: SAEParams, x: Float[Array, "b d"], config: SAEConfig) -> Float[Array, "b f"]:
    """``(x - pre_bias) @ w_enc + b_enc``; the pre-bias is the decoder's bias where the config asks for it."""
    centred = x - params.b_dec[None] if config.pre_bias else x
    return centred @ params.w_enc + params.b_enc[None]


def decode(params: SAEParams, latents: Float[Array, "b f"]) -> Float[Array, "b d"]:
    """``latents @ w_dec + b_dec``."""
    return latents @ params.w_dec + params.b_dec[None]
