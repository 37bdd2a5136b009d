"""An atlas of latents: every latent of trained autoencoders held against people's scores, with the images that it fires for."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import xarray as xr

from memjax import devices
from memjax.checks import settings_of
from memjax.datasets import Dataset
from memjax.datasets.base import check_dataset
from memjax.latents.settings import AtlasSettings
from memjax.latents.summary import summary_table
from memjax.latents.table import atlas_table
from memjax.outputs import Run, now, plain_json, started, versions, write_table
from memjax.pipelines.atlas_cards import cards_of
from memjax.pipelines.atlas_scoring import Mapped, map_latents
from memjax.pipelines.atlas_sources import SAESource, TokenVectors, autoencoders_of, by_token, group_of, open_vectors
from memjax.pipelines.atlas_store import ATLAS, group_named, read_atlas, write_atlas
from memjax.pipelines.sweep_result import Sweep, place_of
from memjax.pipelines.tokens import Group
from memjax.progress import ProgressCallback
from memjax.promises import start_writing
from memjax.report.atlas import IMAGES, AtlasPage, atlas_maps, write_atlas_page
from memjax.report.figures import save_figure
from memjax.sae.trained import TrainedSAE
from memjax.showing import short_repr
from memjax.storage import Place, TemporaryFolder, local_folder, locked

LATENTS, SUMMARY, PAGE = "latents", "summary", "atlas.html"
"""Names of the tables and of the page."""


@dataclass(frozen=True, eq=False)
class AtlasResult:
    """What `atlas` gives.

    Attributes:
        table: a row a latent, see `memjax.latents.table.atlas_table`.
        summary: a row a token and layer, see `memjax.latents.summary.summary_table`.
        run: the record, as in run.json.
        out: folder of tables, figures, page and atlas.zarr.
        page: the page.
        kept: the temporary folder of a run without ``out``, which lives as long as the result.
    """

    table: pd.DataFrame
    summary: pd.DataFrame
    run: Run = field(repr=False)
    out: Path
    page: Path
    kept: TemporaryFolder | None = field(default=None, repr=False)

    __repr__ = short_repr

    @property
    def stored(self) -> dict[str, xr.Dataset]:
        """Autoencoder (``cls_layer_11_seed_0_fold_1``) -> what atlas.zarr has of it, `memjax.pipelines.atlas_store`."""
        return read_atlas(self.out)


def atlas(
    saes: SAESource | Sequence[SAESource],
    run: Sweep | str | Place,
    settings: AtlasSettings | None = None,
    out: str | Path | None = None,
    dataset: Dataset | None = None,
    progress: bool | ProgressCallback = True,
) -> AtlasResult:
    """Hold every latent of trained autoencoders against the human scores, on images that the autoencoder has not seen.

    An autoencoder that left images out of its training (folds, or paper-split) is scored on those. One that saw all is scored
    on all, and the table and the page say "in sample".

    Args:
        saes: from `memjax.train_saes`, its folder, a folder of autoencoders, one autoencoder, or several of these.
        run: a sweep that kept the token vectors that they take, its folder, or its features.zarr.
        settings: what is measured and shown.
        out: the results' folder; None for a temporary one, which lives as long as the result.
        dataset: the run's images, for the page; without it the page has their ids.
        progress: True for bars, False for none, or a function that is called ``(what, done, total)``.

    Raises:
        InputError: an autoencoder that does not fit the run, nothing that says which vectors it takes, another run in ``out``.

    Example:
        >>> import memjax
        >>> kept = memjax.SweepSettings(tokens=("cls",), bootstraps=20)
        >>> run = memjax.sweep(memjax.open_dataset("demo", limit=80), "memjax/tiny", settings=kept, progress=False)
        >>> small = memjax.SAESettings(protocol="modern", layers=(4,), folds=2, latents=16, epochs=2, bootstraps=20)
        >>> found = memjax.atlas(memjax.train_saes(run, small, progress=False), run, progress=False)
        >>> len(found.table), found.table["scored"].unique().tolist(), found.table["n"].unique().tolist()
        (32, ['out of sample'], [40])
    """
    devices.use_cores()
    chosen, given = settings_of(settings, AtlasSettings), autoencoders_of(saes)
    if dataset is not None:
        check_dataset(dataset)
    group = group_of(given, place_of(run), chosen)
    folder, kept = local_folder(out)
    with locked(folder):
        found = _mapped(given, group, chosen, folder, progress)
        table = atlas_table([one.measured for one, _ in found], group.model, chosen.same_cosine, group.ceiling)
        summary = summary_table(table)
        writing = start_writing(folder, folder, kept=(ATLAS, IMAGES))
        write_table(table, folder, LATENTS)
        write_table(summary, folder, SUMMARY)
        write_atlas([(one, vectors.ids) for one, vectors in found], folder)
        for name, figure in atlas_maps(table, group.dataset.synthetic).items():
            save_figure(figure, folder / "figures", name)
        record = _record(group, chosen, [group_named(one) for one, _ in found])
        cards = cards_of(table, found, dataset, chosen.cards)
        page = AtlasPage(table, summary, cards, record, chosen.least_firings, chosen.same_cosine)
        write_atlas_page(folder / PAGE, page, chosen.page_mb)
        record = writing.finish(record)
    return AtlasResult(table, summary, record, folder, folder / PAGE, kept)


def _mapped(
    saes: Sequence[TrainedSAE], group: Group, settings: AtlasSettings, folder: Path, progress: bool | ProgressCallback
) -> list[tuple[Mapped, TokenVectors]]:
    """Every autoencoder's latents, scored, by token and layer; each with the vectors that it was scored on."""
    found = []
    for token, mine in by_token(saes, settings).items():
        vectors = open_vectors(group, token, mine, settings.bytes)
        for layer in sorted({sae.layer for sae in mine}):
            own = [sae for sae in mine if sae.layer == layer]
            found += [(one, vectors) for one in map_latents(vectors, own, settings, folder, progress)]
    return found


def _record(group: Group, settings: AtlasSettings, saes: list[str]) -> Run:
    """What made this atlas."""
    return Run(
        dataset=group.dataset,
        command=started(),
        finished=now(),
        models=(group.encoder,),
        dtype="float32",
        precision="highest",
        settings=plain_json({**dataclasses.asdict(settings), "saes": saes}),
        versions=versions(),
        ceiling=group.ceiling,
    )
