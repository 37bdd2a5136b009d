"""Every autoencoder of one layer over the images, in one reading: its firings are spooled, then scored latent by latent."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from memjax.image_table import read_images_table
from memjax.latents.encoding import pooled_latents, rows_at_once
from memjax.latents.firings import Firings
from memjax.latents.scoring import LatentStudy, score_latents
from memjax.latents.seen import SeenImages, scored_images
from memjax.latents.settings import AtlasSettings
from memjax.latents.table import MeasuredSAE
from memjax.pipelines.atlas_sources import TokenVectors
from memjax.progress import ProgressCallback, progress_of
from memjax.sae.trained import TrainedSAE

VECTOR_BYTES = 16
"""Of one number of a token vector while it is read, chosen from and copied."""


@dataclass(frozen=True, eq=False)
class Mapped:
    """An autoencoder's latents, scored.

    Attributes:
        measured: what is known of each latent; images are counted as in ``images``.
        images: positions, among the images of the vectors, of those that it was scored on.
        largest, largest_values: of each of these the latents with the largest values, falling; -1 and 0 where no more fire.
    """

    measured: MeasuredSAE
    images: Int[np.ndarray, " n"]
    largest: Int[np.ndarray, "n k"]
    largest_values: Float[np.ndarray, "n k"]


def map_latents(
    vectors: TokenVectors,
    saes: Sequence[TrainedSAE],
    settings: AtlasSettings,
    scratch: Path,
    progress: bool | ProgressCallback,
) -> list[Mapped]:
    """Score the latents of autoencoders of one token and layer.

    Args:
        vectors: of the token.
        saes: of one layer.
        settings: what is measured, in how much memory.
        scratch: a folder; the firings lie in it meanwhile.
        progress: of the images.
    """
    dataset, ids = vectors.group.dataset.name, vectors.ids
    chosen = [scored_images(sae, dataset, ids, vectors.token) for sae in saes]
    categories = _categories(vectors)
    with TemporaryDirectory(dir=scratch, prefix=".firings-") as home:
        firings = [Firings(Path(home) / str(place), sae.config.latents) for place, sae in enumerate(saes)]
        largest = _spool(vectors, list(zip(saes, chosen, firings, strict=True)), settings, progress)
        found = []
        for sae, scored, spool, (latents, values) in zip(saes, chosen, firings, largest, strict=True):
            code = categories.codes[scored.images].astype(np.int64)
            study = LatentStudy(vectors.y[scored.images], code, settings.least_firings, settings.top)
            scores = score_latents(spool.parts(settings.bytes), sae.config.latents, study)
            sizes = np.bincount(code, minlength=len(categories.categories))
            names = pd.Series(sizes, index=categories.categories)
            measured = MeasuredSAE(sae, vectors.token, scored.how, int(scored.images.sum()), scores, names)
            found.append(Mapped(measured, np.flatnonzero(scored.images), latents, values))
    return found


def _categories(vectors: TokenVectors) -> pd.Categorical:
    """The images' categories; one and the same for all where there are none, and of its own for those without."""
    table = read_images_table(vectors.group.store.parent, pd.Index(vectors.ids.astype(object)))
    if "category" not in table or table["category"].isna().all():
        return pd.Categorical([""] * len(vectors.rows))
    return pd.Categorical(table["category"].astype(object).where(table["category"].notna(), "none given").astype(str))


def _spool(
    vectors: TokenVectors,
    work: list[tuple[TrainedSAE, SeenImages, Firings]],
    settings: AtlasSettings,
    progress: bool | ProgressCallback,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Encode every image by the autoencoders that are scored on it; the largest latents of each."""
    n, layer = len(vectors.rows), work[0][0].layer
    rows = min(rows_at_once(sae, settings.bytes) for sae, *_ in work)
    block = max(1, min(rows, settings.bytes // (VECTOR_BYTES * vectors.tokens * vectors.width)))
    done, kept = [0] * len(work), [[] for _ in work]
    label = f"{vectors.group.model}, {vectors.token}, layer {layer}"
    with progress_of(label, n, progress) as advance:
        for start in range(0, n, block):
            x = vectors.read(layer, start, min(start + block, n))
            for place, (sae, scored, firings) in enumerate(work):
                mine = x[scored.images[start : start + block]]
                if len(mine):
                    latents = pooled_latents(sae, mine, settings.pool, rows)
                    firings.add(done[place], latents)
                    kept[place].append(largest_of(latents, settings.largest))
                    done[place] += len(mine)
            advance(len(x))
    return [(np.concatenate([a for a, _ in found]), np.concatenate([b for _, b in found])) for found in kept]


def largest_of(latents: Float[np.ndarray, "b f"], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each image the latents with the largest values, int32 and float32 ``[b, count]``; -1 and 0 where no more fire.

    Example:
        >>> [found.tolist() for found in largest_of(np.array([[0.0, 2.0, 3.0, 0.0]], np.float32), 3)]
        [[[2, 1, -1]], [[3.0, 2.0, 0.0]]]
    """
    count = min(count, latents.shape[1])
    some = np.sort(np.argpartition(-latents, count - 1, axis=1)[:, :count], axis=1)
    order = np.argsort(-np.take_along_axis(latents, some, axis=1), axis=1, kind="stable")
    where = np.take_along_axis(some, order, axis=1)
    values = np.take_along_axis(latents, where, axis=1)
    return np.where(values > 0, where, -1).astype(np.int32), values.astype(np.float32)
