"""Which latent of one autoencoder is which of another: pairs of decoder directions, by their cosine."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment

from memjax.sae.trained import TrainedSAE

MOST_ASSIGNED = 8192
"""Latents up to which pairs are assigned one to one; beyond, each latent takes its nearest, since the assignment takes the third
power of them in time and the second in memory."""

TILE = 2048
"""Latents whose cosines with all others are held at once, beyond `MOST_ASSIGNED`."""


class Matched(NamedTuple):
    """For each latent its partner in the other autoencoder, -1 where it has none, and their cosine, NaN there."""

    partner: Int[np.ndarray, " f"]
    cosine: Float[np.ndarray, " f"]


def directions_of(sae: TrainedSAE) -> Float[np.ndarray, "f d"]:
    """Decoder directions of length 1, in the space that the autoencoder was trained in; 0 where one has no length."""
    rows = np.asarray(sae.params.w_dec, np.float32)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 0, length, 1)


def match_latents(
    a: Float[np.ndarray, "f d"],
    b: Float[np.ndarray, "g d"],
    fires: tuple[Bool[np.ndarray, " f"], Bool[np.ndarray, " g"]],
) -> Matched:
    """Pairs of latents with the largest sum of cosines (the Hungarian method), each in one pair at most.

    Args:
        a, b: directions of length 1.
        fires: which latents of each take part.

    Example:
        >>> a = np.eye(3, dtype=np.float32)
        >>> match_latents(a, a[[2, 0, 1]], (np.ones(3, bool), np.array([True, True, False]))).partner.tolist()
        [1, -1, 0]
    """
    rows, columns = map(np.flatnonzero, fires)
    partner, cosine = np.full(len(a), -1), np.full(len(a), np.nan)
    if not len(rows) or not len(columns):
        return Matched(partner, cosine)
    if max(len(rows), len(columns)) <= MOST_ASSIGNED:
        like = a[rows] @ b[columns].T
        i, j = linear_sum_assignment(like, maximize=True)
        partner[rows[i]], cosine[rows[i]] = columns[j], like[i, j]
        return Matched(partner, cosine)
    for start in range(0, len(rows), TILE):
        part = rows[start : start + TILE]
        like = a[part] @ b[columns].T
        best = like.argmax(axis=1)
        partner[part], cosine[part] = columns[best], like[np.arange(len(part)), best]
    return Matched(partner, cosine)


def plane_of(directions: list[Float[np.ndarray, "_ d"]]) -> list[Float[np.ndarray, "_ 2"]]:
    """Directions of several autoencoders on the plane of their two main components; directions of length 0 lie at 0.

    Example:
        >>> [points.shape for points in plane_of([np.eye(3, dtype=np.float32), np.ones((1, 3), np.float32)])]
        [(3, 2), (1, 2)]
    """
    used = [rows[np.any(rows, axis=1)] for rows in directions]
    n = sum(map(len, used))
    if not n:
        return [np.zeros((len(rows), 2)) for rows in directions]
    mean = np.sum([rows.sum(axis=0, dtype=np.float64) for rows in used], axis=0) / n
    second = np.sum([rows.T.astype(np.float64) @ rows for rows in used], axis=0) / n
    axes = np.linalg.eigh(second - np.outer(mean, mean))[1][:, ::-1][:, :2]
    axes = axes * np.where(
        axes[np.abs(axes).argmax(axis=0), range(axes.shape[1])] < 0, -1, 1
    )  # one sign on each machine
    axes = np.pad(axes, ((0, 0), (0, 2 - axes.shape[1])))
    return [(rows - mean) @ axes * np.any(rows, axis=1, keepdims=True) for rows in directions]
