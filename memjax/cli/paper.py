"""The paper's tables and figures, ours beside theirs, from the authors' per-image files or from your own features.

Takmaz, Gatt & Dotlačil 2025, "Traces of Image Memorability in Vision Encoders" (arXiv 2509.01453).

  memjax paper
      the reference data in $MEMJAX_REFERENCE_DATA, else ../shared/data
  memjax paper --memvis DIR --memcat memcat_image_data.csv [--isola DIR]
      DIR: a clone of github.com/ecekt/image_memorability_memvis, whichever encoders' files it holds (clip_*, dinov2_*,
      siglip2_*); the table comes with MemCat; --isola: a clone of github.com/Chibee/SPC_public
  memjax paper --features runs/memcat [--memcat memcat_image_data.csv]
      the same from features that `memjax sweep` extracted; with --memcat, by category and with the ceiling

--claims puts each claim of the abstract to the test, on the authors' files as far as they go, or with --features on your own
run, with the losses of `memjax saes` and the measures of `memjax baselines` that its store has: yes, no, not settled, or what
is missing (claims.csv).

--dataset NAME --data-dir DIR, or --images DIR with the images, adds controls for contrast, colourfulness and edge
density, and the data set's half-splits as the ceiling. --groups category keeps categories together in the readout's folds.
--saes RUN [RUN ...] sets runs of `memjax saes --protocol paper` or paper-split on MemCat beside the authors' by epoch.

What comes out: each measure's correlation by layer with 95 % intervals and q; the same within categories, and with
category and low-level statistics held constant; SAE by epoch and regime; MAE baseline, by source of the image too; latent
magnitude; the GLM, with category intercepts too; a cross-validated readout of all measures, beside the best single measure
and the human ceiling; and where text, scripts and files disagree. All of it is in report.html too. Where a ceiling is known,
tables have a column rho_over_ceiling (which ceiling: see memjax/stats/reliability.py). Exit codes: 0 done; 2 wrong input,
with one line.
"""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from tyro.conf import OmitArgPrefixes

from memjax.checks import expected
from memjax.cli.arguments import read_arguments
from memjax.cli.console import CONSOLE, say, show_table
from memjax.paper.settings import PaperSettings, PaperSources

if TYPE_CHECKING:
    import pandas as pd

    from memjax.pipelines.paper import PaperResult


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Where the per-image values are, and where the results go."""

    sources: OmitArgPrefixes[PaperSources]
    settings: OmitArgPrefixes[PaperSettings]
    claims: bool = False
    """Put each claim of the abstract to the test too: yes, no, not settled, or cannot be tested with these files."""
    cnn: Path | None = None
    """For the claims, with --features: the folder of `memjax baselines --vgg` on the same images."""
    out: Path = Path("runs/paper")
    """Folder for report.html, tables (CSV and Parquet), figures (PNG and PDF) and run.json."""


def main(words: Sequence[str] | None = None, program: str | None = None) -> int:
    """Reproduce and show; the exit code."""
    args = read_arguments(Arguments, __doc__ or "", words, program)
    from memjax.pipelines.paper import reproduce_paper

    sources = with_reference_data(args.sources)
    with CONSOLE.status("reading, correlations, their intervals, and the readout"):
        result = reproduce_paper(sources, args.out, args.settings, args.claims, args.cnn)
    show(result)
    return 0


def with_reference_data(sources: PaperSources) -> PaperSources:
    """Without any source: the reference data. Raises `InputError` if they are not there."""
    if sources.features is not None or sources.memvis is not None or sources.memcat is not None or sources.dataset:
        return sources
    folder = Path(os.environ.get("MEMJAX_REFERENCE_DATA", "../shared/data"))
    if not folder.is_dir():
        fix = "pass --memvis DIR --memcat CSV, or --features RUN, or set MEMJAX_REFERENCE_DATA; see --help"
        raise expected(f"reference data {folder}", "a folder", "nothing there", fix)
    isola = folder / "isola2011"
    found = sources.isola or (isola if isola.is_dir() else None)
    memcat = folder / "memcat" / "memcat_image_data.csv"
    return dataclasses.replace(sources, memvis=folder / "memvis", memcat=memcat, isola=found)


def show(result: "PaperResult") -> None:
    """Ours beside the published, ceiling, controls, readouts, and what to know."""
    from memjax.paper.claims_of_loss import CLAIMS, Claims
    from memjax.paper.page import found_words, shown_table, strongest
    from memjax.report.labels import ceiling_words

    compared = result.tables["comparison"]
    for part, rows in compared.groupby("part", sort=False):
        shown = with_layer_words(shown_table(rows, 6)).drop(columns="part").dropna(axis="columns", how="all")
        print_table(f"{part}: ours and published", shown)
    if len(compared):
        worst = compared.loc[compared["difference"].abs().groupby(compared["part"]).idxmax()]
        print_table("Largest difference in each part", worst[["part", "quantity", "ours", "theirs", "difference"]])
    if result.ceiling:
        say(f"Ceiling: {ceiling_words(result.ceiling)}")
    if "controls" in result.tables:
        shown = with_layer_words(strongest(result.tables["controls"], intervals=False))
        print_table("Strongest measures, with controls held constant", shown)
    for sentence in found_words(result.tables, result.ceiling):
        say(sentence)
    if CLAIMS in result.tables:
        say("The abstract's claims put to the test:")
        for sentence in Claims(result.tables[CLAIMS]).sentences():
            say(f"- {sentence}")
    if result.disagreements:
        say("Where text, scripts and files disagree, and what to know of the models:")
    for sentence in result.disagreements:
        say(f"- {sentence}")
    if len(result.failures):
        from memjax.outputs import FAILURES

        say(f"Images that could not be used for the controls: {len(result.failures)}; {result.out / FAILURES} says why")
    say(f"Report, tables, figures and run.json: {result.out}")


def with_layer_words(rows: "pd.DataFrame") -> "pd.DataFrame":
    """Layers as whole numbers, empty where there is none."""
    return rows.assign(layer=["" if layer != layer else f"{layer:.0f}" for layer in rows["layer"]])


def print_table(title: str, rows: "pd.DataFrame") -> None:
    """A table in the terminal."""
    import pandas as pd

    shown = Table(title=title, title_justify="left")
    for column in rows.columns:
        shown.add_column(column, justify="right" if pd.api.types.is_numeric_dtype(rows[column]) else "left")
    for row in rows.itertuples(index=False):
        shown.add_row(*(_cell(value) for value in row))
    show_table(shown)


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return "" if value != value else f"{value:+.4f}"
