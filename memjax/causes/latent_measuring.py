"""The images of a data set through an encoder whose stream lacks a latent of a sparse autoencoder."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from memjax import devices
from memjax.causes.effects import EFFECTS, SCORE
from memjax.causes.latent_effects import SIZES, compiled_latent_effects, compiled_sizes
from memjax.causes.passes import Measuring, Passes, drawn_rows
from memjax.causes.settings import CausesSettings
from memjax.checks import expected
from memjax.datasets import Dataset
from memjax.predictor.predicting import Scored
from memjax.predictor.scoring import scorer_of
from memjax.progress import ProgressCallback
from memjax.sae.origin import SAEOrigin
from memjax.sae.trained import TrainedSAE

TOKENS = ("cls", "patches")
"""Whose autoencoders can be edited: those of vectors that stand in the stream."""


@dataclass(frozen=True, eq=False)
class LatentEffects:
    """Of one autoencoder, over images; NaN for an image that failed.

    Attributes:
        model: the encoder.
        sae: the autoencoder.
        latents: which were taken out, by size.
        positions: of the images, rows of the data set's table.
        score: what the encoder adds to each image's score.
        effects: what that gains when a latent is taken out.
        fires: whether it fires for an image, at a token that is read.
        sizes: mean over images of its largest value, as a length in the stream.
    """

    model: str
    sae: TrainedSAE
    latents: Int[np.ndarray, " k"]
    positions: Int[np.ndarray, " n"]
    score: Float[np.ndarray, " n"]
    effects: Float[np.ndarray, "n k"]
    fires: Bool[np.ndarray, "n k"]
    sizes: Float[np.ndarray, " k"]


def editable(saes: Sequence[TrainedSAE], scored: Sequence[Scored]) -> list[tuple[Scored, TrainedSAE]]:
    """Each autoencoder with the encoder that its vectors are of.

    Raises:
        InputError: one is of another encoder, layer or width, or of vectors that do not stand in the stream.
    """
    found = []
    for sae in saes:
        what = f"autoencoder of layer {sae.layer}, seed {sae.seed}"
        if sae.config.transcodes:
            raise expected(what, "one that decodes into the vectors that it reads", "a transcoder", argument="saes")
        if sae.origin.token not in TOKENS:
            raise expected(
                f"{what}, its vectors", " or ".join(TOKENS), sae.origin.token or "not known", argument="saes"
            )
        of = [one for one in scored if sae.encoder in ("", one.encoder.label)]
        if len(of) != 1:
            names = ", ".join(one.encoder.label for one in scored)
            raise expected(f"{what}, its encoder", f"one of {names}", sae.encoder or "not known", argument="saes")
        encoder = of[0].encoder
        if sae.origin.encoder_sha256 not in ("", encoder.checksum):
            ours, theirs = encoder.checksum[:12], sae.origin.encoder_sha256[:12]
            raise expected(f"{what}, weights of its encoder", ours, theirs, argument="saes")
        if not (0 <= sae.layer <= encoder.config.depth and sae.config.width == encoder.config.width):
            wanted = f"a layer up to {encoder.config.depth} and the width {encoder.config.width}"
            raise expected(what, wanted, f"width {sae.config.width}", argument="saes")
        found.append((of[0], sae))
    return found


def measure_latents(
    scored: Scored,
    sae: TrainedSAE,
    dataset: Dataset,
    settings: CausesSettings,
    size: int | None = None,
    progress: bool | ProgressCallback = False,
) -> LatentEffects:
    """Take out each of the largest latents, for every image.

    Args:
        scored: the encoder, how it is read, and the weights of what is read.
        sae: of a layer of it, see `editable`.
        dataset: the images.
        settings: how many latents, and over which images.
        size: images at once over all devices.
        progress: True for bars, False for none, or a function that is called ``(what, done, total)``.

    Raises:
        InputError: no image can be used.
    """
    encoder, mesh, token = scored.encoder, devices.data_mesh(), sae.origin.token
    rows = drawn_rows(len(dataset), settings)[1]
    images = Passes(scored, dataset, rows, size, progress)
    plain = sae.replace(
        seed=0, fold=None, encoder="", origin=SAEOrigin()
    )  # seeds and folds share the compiled programs
    scorer = scorer_of(encoder, scored.weights)
    name = f"layer {sae.layer} {token} seed {sae.seed}" + ("" if sae.fold is None else f" fold {sae.fold}")

    run = compiled_sizes(scored.reading, mesh, encoder.preprocessing, token)
    sizes = _sizes(rows, images.through(run, (scorer, plain), f"latents of {name}"))
    mean = np.nanmean(sizes, axis=0)
    latents = np.argsort(-mean, kind="stable")[: settings.latents]

    run = compiled_latent_effects(scored.reading, mesh, encoder.preprocessing, token)
    score, effects = np.full(len(rows), np.nan), np.full((len(rows), len(latents)), np.nan)
    for batch, values in images.through(run, (scorer, plain, jnp.asarray(latents)), f"without latents of {name}"):
        at = np.searchsorted(rows, batch.positions[batch.valid])
        score[at], effects[at] = values[SCORE][batch.valid], values[EFFECTS][batch.valid]
    fires = np.nan_to_num(sizes[:, latents]) > 0
    return LatentEffects(encoder.label, sae, latents, rows, score, effects, fires, mean[latents])


def _sizes(rows: Int[np.ndarray, " n"], measuring: Measuring) -> Float[np.ndarray, "n f"]:
    """`memjax.causes.latent_effects.latent_sizes` of every image; NaN for one that failed."""
    found: Float[np.ndarray, "n f"] | None = None
    for batch, values in measuring:
        if found is None:
            found = np.full((len(rows), values[SIZES].shape[1]), np.nan, np.float32)
        found[np.searchsorted(rows, batch.positions[batch.valid])] = values[SIZES][batch.valid]
    if found is None or not np.isfinite(found).any():
        raise expected("images", "one or more that can be used", "none", argument="images")
    return found
