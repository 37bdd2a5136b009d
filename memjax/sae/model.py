"""Parameters of every sparse autoencoder and transcoder, and the two linear maps: pure functions of ``(params, x)``.

Arrays have a leading batch axis ``b``, because two variants share their budget over a batch; an ensemble is a `jax.vmap`
or `jax.lax.map` outside. Weights multiply from the right: ``x [b, d] @ w_enc [d, f]``. Units are those of the input.
What is decoded has the width ``o``: that of the input, ``d``, or of a transcoder's target, in whose units it then is.
"""

from flax import struct
from jaxtyping import Array, Float

from memjax.axes import Leaf
from memjax.sae.architecture import Architecture
from memjax.showing import short_repr


@struct.dataclass
class SAEParams:
    """Learnt arrays. ``log_threshold`` is of ``jumprelu`` alone, ``r_mag`` and ``b_mag`` are of ``gated`` alone.

    The ``w_enc`` of ``matching_pursuit`` follows from its ``w_dec`` (`memjax.sae.constraints`).
    """

    w_enc: Leaf  # [d, f]
    b_enc: Leaf  # [f]
    w_dec: Leaf  # [f, o]
    b_dec: Leaf  # [o]
    log_threshold: Leaf = None  # [f]
    r_mag: Leaf = None  # [f]
    b_mag: Leaf = None  # [f]

    __repr__ = short_repr


@struct.dataclass
class ArchetypalParams(SAEParams):
    """Learnt arrays of ``archetypal``: its ``w_dec`` follows from these and the candidates (`memjax.sae.constraints`)."""

    mixture: Leaf = None  # [f, c]
    relaxation: Leaf = None  # [f, d]


@struct.dataclass
class SAEState:
    """What training observes, not learns: the inference threshold of BatchTopK, and how long each latent was silent."""

    threshold: Leaf  # one number
    idle: Leaf  # [f]

    __repr__ = short_repr


@struct.dataclass
class ArchetypalState(SAEState):
    """And the candidate points of ``archetypal``, in the standardised space."""

    points: Leaf  # [c, d]


@struct.dataclass
class Reconstruction:
    """One pass: pre-activations and latents ``[b, f]``, reconstructions (of the input, or of the target) ``[b, o]``."""

    pre: Leaf  # [b, f]
    latents: Leaf  # [b, f]
    recons: Leaf  # [b, o]

    __repr__ = short_repr


def pair_of(rows: Float[Array, "b w"], config: Architecture) -> tuple[Float[Array, "b d"], Float[Array, "b o"]]:
    """Inputs, and what is to be decoded from them: the inputs themselves, or targets that stand beside them.

    Args:
        rows: inputs; of a transcoder, each with its target behind it.
        config: says which.
    """
    return (rows[:, : config.width], rows[:, config.width :]) if config.transcodes else (rows, rows)


def centred_inputs(params: SAEParams, x: Float[Array, "b d"], config: Architecture) -> Float[Array, "b d"]:
    """``x - pre_bias``; the pre-bias is the decoder's bias where the config asks for it."""
    return x - params.b_dec[None] if config.pre_bias else x


def pre_activations(params: SAEParams, centred: Float[Array, "b d"]) -> Float[Array, "b f"]:
    """``centred @ w_enc + b_enc``."""
    return centred @ params.w_enc + params.b_enc[None]


def decode_latents(params: SAEParams, latents: Float[Array, "b f"]) -> Float[Array, "b o"]:
    """``latents @ w_dec + b_dec``."""
    return latents @ params.w_dec + params.b_dec[None]
