"""The page and the figures of trained autoencoders, and the lines that tell how the training goes."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pandas as pd

from memjax.outputs import FAILURES, REPORT, failed_images, failure_table, read_failures
from memjax.pipelines.sae_settings import SAESettings
from memjax.pipelines.sae_tables import seeds_by_epoch
from memjax.report.labels import Context, count
from memjax.sae.variants import VARIANTS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from memjax.pipelines.saes import SAEResult


def told_by_epoch(before: int) -> Callable[[int, int, float], None]:
    """A function that prints a line an epoch, with the seconds of that epoch alone; of the first, with its compilation.

    Args:
        before: epochs that an earlier call trained.
    """
    begun = time.perf_counter()
    first = before + 1

    def told(epoch: int, epochs: int, loss: float) -> None:
        nonlocal begun
        now = time.perf_counter()
        compiled = ", preparing and compiling included" if epoch == first else ""
        print(f"epoch {epoch} of {epochs}: loss {loss:.4g}, {now - begun:.1f} s{compiled}", flush=True)
        begun = now

    if before:
        print(f"{before} {'epoch was' if before == 1 else 'epochs were'} trained before", flush=True)
    return told


def write_sae_page(found: "SAEResult", settings: SAESettings) -> None:
    """report.html, and the figures as files of their own: rho by epoch of the last layer, and by layer where there are several.

    Args:
        found: the result, whose folder they go to.
        settings: say how images were scored.
    """
    from memjax.report import saes as part  # loads matplotlib; not before the training
    from memjax.report.page import Page, write_report

    run = found.run
    context = Context(level=run.level, synthetic=run.dataset.synthetic, ceiling=run.ceiling)
    page = Page(
        run=run,
        table=None,
        context=context,
        failures=_failures(found),
        figures=_figures(found, context),
        sections=[
            part.layers_section(found.by_layer, found.by_epoch, trained_in_words(found, settings)),
            part.epochs_section(found.by_epoch),
            part.scores_section(found.by_layer, context),
        ],
        findings=part.sae_sentences(found.by_layer, found.by_epoch),
        headline=part.sae_headline(found.by_layer, context),
        notes=part.sae_notes(found.by_layer, settings.scored, run.dataset.synthetic),
        title=part.SAES_TITLE,
    )
    write_report(found.out / REPORT, page)


def _figures(found: "SAEResult", context: Context) -> "dict[str, Figure]":
    """Drawn and saved."""
    from memjax.report.epochs import rho_by_epoch
    from memjax.report.figures import rho_by_layer, save_figure
    from memjax.report.saes import error_rows

    layers, drawn = sorted(found.by_epoch["layer"].unique().tolist()), {}
    if len(layers) > 1:
        (metric,) = error_rows(found.by_layer)["metric"].unique()
        drawn["sae_rho_by_layer"] = rho_by_layer(found.by_layer, metric, context)
    epochs = seeds_by_epoch(found.by_epoch, layers[-1])
    drawn["sae_rho_by_epoch"] = rho_by_epoch(epochs, context.ceiling, context.synthetic)
    for name, figure in drawn.items():
        save_figure(figure, found.out / "figures", name)
    return drawn


def _failures(found: "SAEResult") -> pd.DataFrame:
    """Of the sweep whose vectors these are: images that it could not use."""
    there = (found.store.parent / FAILURES).is_file()
    return failed_images(read_failures(found.store.parent)) if there else failure_table(())


def trained_in_words(found: "SAEResult", settings: SAESettings) -> str:
    """What was trained, on what, and where that kind was published."""
    first, origin = found.saes[0], found.saes[0].origin
    row, number = VARIANTS[first.config.variant], len(found.saes)
    kind = "the paper's kind" if first.config.variant == "paper" else row.title
    what = f"{count(number)} autoencoder{'s' if number > 1 else ''} of {kind} ({row.reference})"
    size = f"{first.config.width} to {first.config.latents} latents"
    how = f"{count(origin.epochs)} epochs in batches of {count(origin.batch_size)} at a learning rate of {origin.learning_rate:g}"
    return (
        f"{what}, {size}, of the {settings.token} vectors of {count(origin.images)} images: {how}; {settings.scored}."
    )
