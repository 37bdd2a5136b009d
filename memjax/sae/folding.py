"""The standardiser made part of the weights, for formats that have no place for it: the same latents from raw vectors.

With ``z = (x - mean) / std``: ``w_enc / std`` reads raw vectors, ``w_dec * std`` writes them, ``b_dec * std + mean`` is the
decoder's bias, which is also subtracted first: so large means cancel before the product, not after it. Computed in float64.

What a transcoder writes are targets, by whose mean and std ``w_dec`` and ``b_dec`` are changed; its decoder's bias can't be
subtracted from the input, so ``b_enc`` takes up ``-(mean / std) @ w_enc``.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from memjax.axes import Leaf
from memjax.checks import expected
from memjax.sae.config import SAEConfig
from memjax.sae.model import SAEParams
from memjax.sae.standardiser import Standardiser


def raw_standardiser(width: int) -> Standardiser:
    """The standardiser that changes nothing."""
    return Standardiser(mean=np.zeros(width, np.float32), std=np.ones(width, np.float32))


def is_identity(standardiser: Standardiser | None) -> bool:
    """Whether it changes nothing; None does not."""
    if standardiser is None:
        return True
    return not np.any(standardiser.mean) and bool(np.all(np.asarray(standardiser.std) == 1))


def _wide(array: Leaf) -> np.ndarray:
    return np.asarray(array, np.float64)


def fold(
    params: SAEParams, standardiser: Standardiser, config: SAEConfig, target: Standardiser | None = None
) -> tuple[SAEParams, SAEConfig]:
    """Parameters of raw vectors, and their config.

    Args:
        params: of standardised vectors.
        standardiser: of the inputs.
        config: the architecture.
        target: a transcoder's standardiser of the targets.

    Returns:
        float32 arrays, and a config with ``pre_bias`` (of an autoencoder); both as they were where nothing is standardised.

    Raises:
        InputError: the encoder is the decoder's transpose, and would not be it any more.

    Example:
        >>> ones = np.ones(2, np.float32)
        >>> params = SAEParams(w_enc=np.eye(2, dtype=np.float32), b_enc=ones, w_dec=np.eye(2, dtype=np.float32), b_dec=ones)
        >>> found, config = fold(params, Standardiser(mean=3 * ones, std=2 * ones), SAEConfig(2, 2, k=1, pre_bias=False))
        >>> found.b_dec.tolist(), found.b_enc.tolist(), config.pre_bias
        ([5.0, 5.0], [2.0, 2.0], True)
    """
    if is_identity(standardiser) and is_identity(target):
        return params, config
    mean, std = _wide(standardiser.mean), _wide(standardiser.std)
    decoded = target or standardiser
    if config.row.tied and np.any(std != 1):
        fix = "its encoder is its decoder's transpose: centre its inputs, do not scale them"
        raise expected(f"standardiser of a {config.variant} autoencoder", "standard deviations of 1", "others", fix)
    w_enc, b_dec = _wide(params.w_enc), _wide(params.b_dec)
    shift = np.zeros(config.latents) if config.pre_bias else (-mean / std if config.transcodes else b_dec) @ w_enc
    raw = {
        "w_enc": w_enc / std[:, None],
        "b_enc": _wide(params.b_enc) + shift,
        "w_dec": _wide(params.w_dec) * _wide(decoded.std)[None],
        "b_dec": b_dec * _wide(decoded.std) + _wide(decoded.mean),
    }
    if params.b_mag is not None:
        raw["b_mag"] = _wide(params.b_mag) + shift * np.exp(_wide(params.r_mag))
    changed = {name: array.astype(np.float32) for name, array in raw.items()}
    return params.replace(**changed), dataclasses.replace(config, pre_bias=not config.transcodes)


def unfold(
    folded: SAEParams,
    kept: Mapping[str, np.ndarray],
    standardiser: Standardiser,
    target: Standardiser | None = None,
) -> SAEParams:
    """`fold` undone.

    Args:
        folded: what it gave.
        kept: what it does not give back, as it was, by field: biases that sums swallowed, what a decoder was made of.
        standardiser, target: what was folded.
    """
    std, decoded = _wide(standardiser.std), _wide((target or standardiser).std)
    w_enc, w_dec = _wide(folded.w_enc) * std[:, None], _wide(folded.w_dec) / decoded[None]
    return folded.replace(w_enc=w_enc.astype(np.float32), w_dec=w_dec.astype(np.float32), **kept)
