"""Autoencoders of one array of vectors, or transcoders of two, in one call: trained, and every row scored."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from memjax import devices
from memjax.checks import check_kind, expected
from memjax.progress import ProgressCallback, progress_of
from memjax.sae.divergence import check_finite
from memjax.sae.evaluation import evaluate
from memjax.sae.grid import grid_of
from memjax.sae.presets import SAEPreset, modern, paper
from memjax.sae.score import ImageScores
from memjax.sae.stream import Stream, in_memory
from memjax.sae.trained import TrainedSAE, trained_saes
from memjax.sae.training import fit_members, recipe_for
from memjax.showing import short_repr


@dataclass(frozen=True, eq=False)
class Fitted:
    """What `fit` returns.

    Attributes:
        saes: the autoencoders, or transcoders: seed by seed, in each fold by fold.
        scores: of every row, ``[e, n]`` each (``e`` seeds): by the autoencoder that did not see it where there are folds, else by
            one that did; in the standardised space. Of a transcoder, errors and lengths are those of the row's target.
        explained_variance: share of the variance of all rows (of all targets) that each autoencoder explains, ``[e, folds]``, at
            most 1.
        dead_fraction: share of latents that no row makes fire, ``[e, folds]``.
        fold: of each row; zeros without folds.
        preset: what was trained.
    """

    saes: tuple[TrainedSAE, ...]
    scores: ImageScores
    explained_variance: Float[np.ndarray, "e k"]
    dead_fraction: Float[np.ndarray, "e k"]
    fold: Int[np.ndarray, " n"]
    preset: SAEPreset

    __repr__ = short_repr

    @property
    def errors(self) -> Float[np.ndarray, "e n"]:
        """Sum of squared errors over the width, of every row (of a transcoder: of its target) under every seed."""
        return self.scores.error


def fit(
    x: Float[np.ndarray | Array, "n d"],
    preset: str | SAEPreset = "paper",
    seeds: Sequence[int] = (0,),
    folds: int = 0,
    progress: bool | ProgressCallback = True,
    target: Float[np.ndarray | Array, "n o"] | None = None,
) -> Fitted:
    """Train autoencoders on the rows of one array, and score every row; nothing is written. With targets: transcoders.

    A transcoder encodes a row of ``x`` and decodes the latents into that row's target: what a block makes of a token, say
    (``x = hidden[:, i - 1, 0]``, ``target = hidden[:, i, 0] - x``). Targets have means and deviations of their own. The encoder
    subtracts no decoder's bias (`memjax.sae.architecture.Architecture.pre_bias` is turned off), and does not start as the
    decoder's transpose.

    Args:
        x: one vector a row, float32; each autoencoder standardises them by its training rows.
        preset: ``"paper"`` (the authors' autoencoder), another name of `memjax.sae.variants.VARIANTS` (its start of
            `memjax.sae.presets.modern`), or a preset of your own.
        seeds: one autoencoder, or one for each fold, for each.
        folds: 2 or more: each row is scored by an autoencoder that was trained on the other folds. Below 2 every row is trained
            on and scored by the same autoencoder, as the paper has it.
        progress: True for a bar over the epochs, False for none, or a function that is called ``(what, done, total)``.
        target: one target a row, float32, of any width; None: the rows themselves.

    Returns:
        The trained autoencoders and the scores.

    Raises:
        InputError: an array of another kind, with numbers that are not finite, or with fewer rows than folds; no such preset;
            targets that are not as many as rows, or a variant that has no transcoder.
        memjax.sae.divergence.DivergedError: a loss is no finite number.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
        >>> preset = modern("topk", width=6, rows=20, latents=8, epochs=2, batch_size=10)
        >>> fitted = fit(x, preset, seeds=(0, 1), folds=2, progress=False)
        >>> fitted.errors.shape, fitted.explained_variance.shape, [(sae.seed, sae.fold) for sae in fitted.saes]
        ((2, 40), (2, 2), [(0, 0), (0, 1), (1, 0), (1, 1)])
        >>> fit(x, preset, target=x[:, :3] ** 2, progress=False).saes[0].reconstruct(x).shape
        (40, 3)
    """
    _check_vectors(x, "x")
    check_kind(seeds, Sequence, "seeds", "several", f"write ({seeds!r},)")
    images = in_memory(_rows(x, target)[None])
    grid = grid_of(images, 1, seeds, folds)
    stream = grid.stream(images)
    chosen = named_preset(preset, x.shape[1], stream) if isinstance(preset, str) else preset
    chosen = _with_target(chosen, 0 if target is None else target.shape[1])
    recipe, mesh = recipe_for(stream, chosen.sae, chosen.fit), devices.data_mesh()
    with progress_of("autoencoders", chosen.fit.epochs, progress, first="compiling", unit="epochs") as advance:
        start = grid.start(stream, chosen, recipe)
        members = fit_members(start, stream, recipe, mesh, on_epoch=lambda epoch, members, losses: advance(1))
    found = evaluate(members, images, chosen.sae, mesh, chosen.fit.precision)
    check_finite(found.images["standardised"].error, members, chosen.fit.epochs)
    shape = grid.shape[1:]
    return Fitted(
        saes=trained_saes(members, grid, chosen.sae, np.zeros(1, np.int64)),
        scores=jax.tree.map(lambda values: grid.by_image(values)[0], found.images["standardised"]),
        explained_variance=np.asarray(found.members.explained_variance).reshape(shape),
        dead_fraction=np.asarray(found.members.dead_fraction).reshape(shape),
        fold=grid.fold,
        preset=chosen,
    )


def _check_vectors(x: object, name: str) -> None:
    """Raises `InputError` for what is no array of float32 vectors."""
    check_kind(x, (np.ndarray, jax.Array), name, "an array [n, d]", f"write np.asarray({name}, np.float32)")
    assert isinstance(x, (np.ndarray, jax.Array))
    if x.ndim != 2 or x.dtype != np.float32 or len(x) < 2:
        fix = f"write {name}.astype(np.float32)" if x.ndim == 2 and x.dtype != np.float32 else ""
        raise expected(name, "float32 of shape [n, d], at least two rows", f"{x.dtype} {list(x.shape)}", fix, name)


def _rows(x: np.ndarray | Array, target: np.ndarray | Array | None) -> Float[np.ndarray, "n w"]:
    """The rows of training: vectors, each with its target behind it where there are targets."""
    if target is None:
        return np.asarray(x)
    _check_vectors(target, "target")
    if len(target) != len(x) or not target.shape[1]:
        wanted = f"a target for each of the {len(x)} rows of x, of the shape [{len(x)}, o]"
        raise expected("target", wanted, list(target.shape), argument="target")
    return np.concatenate([np.asarray(x), np.asarray(target)], axis=1)


def _with_target(preset: SAEPreset, width: int) -> SAEPreset:
    """The preset, of transcoders into this width; 0: of autoencoders, as it is.

    Raises:
        InputError: the preset is of another width, or its variant has no transcoder.
    """
    if preset.sae.target_width not in (0, width):
        raise expected("width of the targets", preset.sae.target_width, width or "no targets", argument="target")
    return replace(preset, sae=replace(preset.sae, target_width=width, pre_bias=False)) if width else preset


def named_preset(name: str, width: int, stream: Stream) -> SAEPreset:
    """The preset of a variant, for vectors of this width and the rows that a member of the stream is trained on."""
    if name == "paper":
        return paper(width)
    rows = sum(stream.rows(block).shape[1] for block in range(stream.images.blocks))
    return modern(name, width, rows)
