"""Autoencoders after training, each by itself and on the host: from token vectors to latents and back."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int

from memjax.checks import check_kind, expected
from memjax.precision import full_precision
from memjax.sae.config import SAEConfig
from memjax.sae.grid import Grid
from memjax.sae.member import Member
from memjax.sae.model import SAEParams, SAEState, decode_latents
from memjax.sae.normalisation import NORMALISATIONS, Normalised
from memjax.sae.origin import SAEOrigin
from memjax.sae.reconstruction import reconstruct
from memjax.sae.score import ImageScores, score_images
from memjax.sae.standardiser import Standardiser, parted, standardise


@struct.dataclass
class TrainedSAE:
    """One trained autoencoder, or transcoder; its leaves are NumPy arrays.

    Its methods take raw token vectors, as an encoder gives them: normalised and standardised inside. What a transcoder decodes
    are targets, in their own units.

    Attributes:
        params, state: of `memjax.sae.reconstruction.reconstruct`.
        standardiser: what its inputs go through first (`memjax.sae.standardiser.standardise`).
        config: its architecture.
        layer: coordinate of the layer whose token vectors it was trained on; 0 where there was one array.
        seed: of its first weights and the order of its inputs.
        fold: the fold of the images that it did not see; None where it saw all.
        encoder: name of the encoder that the vectors are of; may be empty.
        normalisation: what is done to each vector before it is standardised (`memjax.sae.normalisation.NORMALISATIONS`).
        origin: what is known of its training.
        target_standardiser: of a transcoder, what its targets went through; None: an autoencoder.

    Example:
        >>> from memjax import sae
        >>> x = np.random.default_rng(0).normal(5, 2, size=(40, 6)).astype(np.float32)
        >>> one = sae.fit(x, sae.modern("topk", width=6, rows=40, latents=8, epochs=2, batch_size=10), progress=False).saes[0]
        >>> one.encode(x).shape, one.reconstruct(x).shape, one.score(x).error.shape
        ((40, 8), (40, 6), (40,))
    """

    params: SAEParams
    state: SAEState
    standardiser: Standardiser
    config: SAEConfig = struct.field(pytree_node=False)
    layer: int = struct.field(pytree_node=False, default=0)
    seed: int = struct.field(pytree_node=False, default=0)
    fold: int | None = struct.field(pytree_node=False, default=None)
    encoder: str = struct.field(pytree_node=False, default="")
    normalisation: str = struct.field(pytree_node=False, default="none")
    origin: SAEOrigin = struct.field(pytree_node=False, default=SAEOrigin())
    target_standardiser: Standardiser | None = None

    def __repr__(self) -> str:
        fold = "" if self.fold is None else f", fold {self.fold}"
        of = f" of {self.encoder}" if self.encoder else ""
        size = f"{self.config.width} to {self.config.latents} latents"
        size += f" to {self.config.target_width}" if self.config.transcodes else ""
        return f"<TrainedSAE{of}, layer {self.layer}, seed {self.seed}{fold}: {self.config.variant}, {size}>"

    def encode(self, x: Float[np.ndarray | Array, "b d"]) -> Float[Array, "b f"]:
        """Latents of raw vectors: 0 where one does not fire.

        Raises:
            InputError: vectors of another width.
        """
        return _latents(self.params, self.state, self._inputs(x).x, self.config)

    def decode(
        self, latents: Float[np.ndarray | Array, "b f"], x: Float[np.ndarray | Array, "b d"] | None = None
    ) -> Float[Array, "b o"]:
        """Raw vectors from latents; of a transcoder, its prediction of the targets.

        Args:
            latents: of `encode`, or changed since.
            x: the vectors that they are of, where a `normalisation` took each vector's own scale off; a transcoder's targets
                have none taken off.

        Raises:
            InputError: latents of another width; no ``x`` where it is needed.
        """
        given = jnp.asarray(latents, jnp.float32)
        self._check_width("latents", given, self.config.latents)
        recons = _decoded(self.params, self.target_standardiser or self.standardiser, given)
        if self.normalisation == "none" or self.config.transcodes:
            return recons
        if x is None:
            fix = "give the vectors that the latents are of: decode(latents, x)"
            raise expected("x", f"vectors, whose scale {self.normalisation} took off", "none", fix, "x")
        scale = NORMALISATIONS[self.normalisation](self._vectors(x))
        return recons * scale.factor + scale.shift

    def reconstruct(self, x: Float[np.ndarray | Array, "b d"]) -> Float[Array, "b o"]:
        """Raw vectors, encoded and decoded: ``decode(encode(x), x)``; of a transcoder, its prediction of their targets."""
        return self.decode(self.encode(x), x)

    def score(
        self, x: Float[np.ndarray | Array, "b d"], target: Float[np.ndarray | Array, "b o"] | None = None
    ) -> ImageScores:
        """How well each raw vector is reconstructed, as `memjax.train_saes` scores images.

        Args:
            x: raw vectors.
            target: of a transcoder, the raw target of each.

        Returns:
            Its ``error`` is the reconstruction loss: squared errors, summed over the width, of standardised vectors (of a
            transcoder: targets).

        Raises:
            InputError: vectors or targets of another width or number; a transcoder's targets are missing, or an autoencoder was
                given some.
        """
        inputs = self._inputs(x).x
        if (target is not None) != self.config.transcodes:
            wanted, got = ("its targets", "none") if self.config.transcodes else ("none", "targets")
            raise expected(f"target of {self!r}", wanted, got, argument="target")
        rows = inputs if target is None else jnp.concatenate([inputs, self._targets(target, len(inputs))], axis=1)
        return _scores(self.params, self.state, rows, self.config)

    def _targets(self, target: Float[np.ndarray | Array, "b o"], count: int) -> Float[Array, "b o"]:
        """Standardised targets of so many inputs."""
        check_kind(target, (np.ndarray, jax.Array), "target", "an array of vectors", "write np.asarray(y, np.float32)")
        given = jnp.asarray(target, jnp.float32)
        self._check_width("target", given, self.config.target_width)
        if len(given) != count:
            raise expected("target", f"one for each of the {count} vectors", len(given), argument="target")
        assert self.target_standardiser is not None, "a transcoder has one"
        return standardise(self.target_standardiser, given)

    def _vectors(self, x: Float[np.ndarray | Array, "b d"]) -> Float[Array, "b d"]:
        check_kind(x, (np.ndarray, jax.Array), "x", "an array of vectors", "write np.asarray(x, np.float32)")
        given = jnp.asarray(x, jnp.float32)
        self._check_width("x", given, self.config.width)
        return given

    def _inputs(self, x: Float[np.ndarray | Array, "b d"]) -> Normalised:
        """What the first product sees."""
        found = NORMALISATIONS[self.normalisation](self._vectors(x))
        return found.replace(x=standardise(self.standardiser, found.x))

    def _check_width(self, name: str, given: Array, width: int) -> None:
        if given.ndim != 2 or given.shape[1] != width:
            raise expected(name, f"the shape [b, {width}]", list(given.shape), argument=name)


@partial(jax.jit, static_argnames="config")
def _latents(params: SAEParams, state: SAEState, x: Float[Array, "b d"], config: SAEConfig) -> Float[Array, "b f"]:
    return reconstruct(params, x, state, config).latents


@jax.jit
@full_precision
def _decoded(params: SAEParams, standardiser: Standardiser, latents: Float[Array, "b f"]) -> Float[Array, "b o"]:
    return decode_latents(params, latents) * standardiser.std[None] + standardiser.mean[None]


@partial(jax.jit, static_argnames="config")
def _scores(params: SAEParams, state: SAEState, x: Float[Array, "b w"], config: SAEConfig) -> ImageScores:
    return score_images(params, state, x, config)


def trained_saes(
    members: Member, grid: Grid, config: SAEConfig, layers: Int[np.ndarray, " l"], encoder: str = ""
) -> tuple[TrainedSAE, ...]:
    """The members of an ensemble one by one, in the grid's order.

    Args:
        members: from `memjax.sae.training.fit_members`.
        grid: says which member is of which layer, seed and fold.
        config: their architecture.
        layers: coordinate of each layer of the data.
        encoder: see `TrainedSAE`.
    """
    held = jax.tree.map(np.asarray, jax.device_get((members.params, members.state, members.standardiser)))
    places = zip(layers[grid.layer].tolist(), grid.seed.tolist(), grid.held.tolist(), strict=True)
    found = []
    for place, (layer, seed, fold) in enumerate(places):
        params, state, both = jax.tree.map(lambda a, place=place: a[place], held)
        standardiser, targets = parted(both, config.width)
        left_out = fold if grid.folds > 1 else None
        one = TrainedSAE(
            params, state, standardiser, config, layer, seed, left_out, encoder, target_standardiser=targets
        )
        found.append(one)
    return tuple(found)
