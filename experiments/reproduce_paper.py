"""The paper's tables and figures, ours beside theirs, from the authors' per-image files or from your own features.

Takmaz, Gatt & Dotlačil 2025, "Traces of Image Memorability in Vision Encoders" (arXiv 2509.01453).

  python experiments/reproduce_paper.py
      the reference data in $MEMJAX_REFERENCE_DATA, else ../shared/data
  python experiments/reproduce_paper.py --memvis DIR --memcat memcat_image_data.csv [--isola DIR]
      DIR: a clone of github.com/ecekt/image_memorability_memvis, whichever encoders' files it holds (clip_*, dinov2_*,
      siglip2_*); the table comes with MemCat; --isola: a clone of github.com/Chibee/SPC_public
  python experiments/reproduce_paper.py --features runs/memcat [--memcat memcat_image_data.csv]
      the same from features that experiments/sweep_layers.py extracted; with --memcat, by category and with the ceiling

--dataset NAME --data-dir DIR, or --images DIR with the pictures, adds controls for contrast, colourfulness and edge
density, and the data set's half-splits as the ceiling. --groups category keeps categories together in the readout's folds.

What comes out: each measure's correlation by layer with 95 % intervals and q; the same within categories, and with
category and low-level statistics held constant; SAE by epoch; MAE baseline; latent magnitude; the GLM; a
cross-validated readout of all measures, beside the best single measure and the human ceiling; and where text, scripts
and files disagree. All of it is in report.html too. Where a ceiling is known, tables have a column rho_over_ceiling
(which ceiling: see memjax/stats/reliability.py). Exit codes: 0 done; 2 wrong input, with one line.
"""

import dataclasses
import hashlib
import json
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiments.outputs import write_table
from experiments.paper_inputs import Inputs, read_inputs
from experiments.paper_page import figures_of, strongest, write_page
from experiments.paper_results import Results, compute
from memjax.checks import expected, make_folder
from memjax.cli.arguments import read_arguments, run_main
from memjax.report import figures
from memjax.report.labels import ceiling_words
from memjax.report.readout import sentences

CONSOLE = Console(highlight=False)
ROOT = Path(__file__).resolve().parents[1]


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Where the per-image values are, and where the results go."""

    memvis: Path | None = None
    """Folder of the authors' released files."""
    memcat: Path | None = None
    """MemCat's published table of scores, memcat_image_data.csv."""
    isola: Path | None = None
    """Folder of Lin et al.'s released files: their three numbers too."""
    features: Path | None = None
    """Instead of --memvis: a run of sweep_layers.py, or its features.zarr."""
    dataset: str | None = None
    """The data set that the features are of (lnsim, ...), for its half-splits and its pictures' low-level statistics."""
    data_dir: Path | None = None
    """With --dataset: the folder with its published files."""
    images: Path | None = None
    """Instead of --dataset: a folder of pictures, below which each is found by its image id or file name."""
    groups: Literal["category", "subcategory"] | None = None
    """Images of one group stay in one fold of the readout, so that it is tested on groups it never saw."""
    out: Path = Path("runs/paper")
    """Folder for report.html, tables (CSV and parquet), figures (PNG and PDF) and run.json."""
    bootstraps: int = 2000
    """Bootstrap resamples behind each 95 % interval; 0: no intervals."""
    folds: int = 5
    """Folds of the cross-validated readout, outer and inner; 0: no readout."""
    seed: int = 0
    """Of resamples, folds and simulated observers."""


def main() -> int:
    args = with_defaults(read_arguments(Arguments, __doc__ or ""))
    check_numbers(args)
    with CONSOLE.status("reading"):
        inputs = read_inputs(args)
    make_folder(args.out, "--out")
    with CONSOLE.status("correlations, their intervals, and the readout"):
        results = compute(inputs, args)
    write(results, inputs, args)
    show(results, inputs, args.out)
    return 0


def with_defaults(args: Arguments) -> Arguments:
    """Without arguments: the reference data. Raises `InputError` if they are not there or the arguments do not fit."""
    if args.features is not None:
        if args.memvis is not None:
            raise expected("--features and --memvis", "one of them", "both")
        return args
    if args.dataset is not None:
        raise expected("--dataset", "--features of the same data set beside it", "none")
    if args.memvis is None and args.memcat is None:
        folder = Path(os.environ.get("MEMJAX_REFERENCE_DATA", ROOT.parent / "shared" / "data"))
        if not folder.is_dir():
            fix = "pass --memvis DIR --memcat CSV, or --features RUN, or set MEMJAX_REFERENCE_DATA; see --help"
            raise expected(f"reference data {folder}", "a folder", "nothing there", fix)
        isola = folder / "isola2011"
        found = args.isola or (isola if isola.is_dir() else None)
        memcat = folder / "memcat" / "memcat_image_data.csv"
        return dataclasses.replace(args, memvis=folder / "memvis", memcat=memcat, isola=found)
    if args.memvis is None or args.memcat is None:
        raise expected("--memvis and --memcat", "both", "one of them", "the files have no scores of their own")
    return args


def check_numbers(args: Arguments) -> None:
    if args.bootstraps < 0:
        raise expected("--bootstraps", "0 or more", args.bootstraps)
    if args.folds < 0 or args.folds == 1:
        raise expected("--folds", "0 (no readout), or 2 or more", args.folds)


def write(results: Results, inputs: Inputs, args: Arguments) -> None:
    for name, table in results.tables.items():
        write_table(table, args.out, name)
    failed = pd.DataFrame(inputs.failures, columns=["image", "stage", "error"])
    failed.to_csv(args.out / "failures.csv", index=False)
    drawn = figures_of(results, inputs)
    for name, figure in drawn.items():
        figures.save(figure, args.out / "figures", name.replace("/", "--"))
    (args.out / "disagreements.txt").write_text("\n".join(results.disagreements) + "\n", encoding="utf-8")
    run = provenance(results, inputs, args)
    write_page(args.out / "report.html", run, results, inputs, drawn, failed)
    (args.out / "run.json").write_text(json.dumps(run, indent=2), encoding="utf-8")


def provenance(results: Results, inputs: Inputs, args: Arguments) -> dict[str, Any]:
    """The content of run.json."""
    packages = ("memjax", "jax", "numpy", "scipy", "statsmodels", "scikit-learn", "pandas")
    run = {
        "command": " ".join(["python", *sys.argv]),
        "arguments": {k: str(v) if isinstance(v, Path) else v for k, v in dataclasses.asdict(args).items()},
        "dataset": {"name": inputs.name},
        "method": "spearman",
        "level": 0.95,
        "protocol": "the authors' per-image files" if inputs.released else "one's own features",
        "files": {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in inputs.files},
        "versions": {"python": platform.python_version()} | {name: version(name) for name in packages},
    }
    if inputs.ceiling and results.ceiling:
        run["ceiling"] = results.ceiling.to_json(inputs.ceiling.source)
    return run


def show(results: Results, inputs: Inputs, out: Path) -> None:
    compared = results.tables["comparison"]
    for part, rows in compared.groupby("part", sort=False):
        shown = rows.drop(columns="part").assign(layer=rows["layer"].replace(-1, "")).dropna(axis="columns", how="all")
        print_table(f"{part}: ours and published", shown)
    if len(compared):
        worst = compared.loc[compared["difference"].abs().groupby(compared["part"]).idxmax()]
        print_table("Largest difference in each part", worst[["part", "quantity", "ours", "theirs", "difference"]])
    if inputs.ceiling and results.ceiling:
        CONSOLE.print(f"Ceiling: {ceiling_words(results.ceiling, inputs.ceiling.source)}")
    if "controls" in results.tables:
        shown = strongest(results.tables["controls"], intervals=False)
        layers = ["" if layer != layer else f"{layer:.0f}" for layer in shown["layer"]]
        print_table("Strongest measures, with controls held constant", shown.assign(layer=layers))
    for sentence in sentences(results.tables["readout"], results.ceiling) if results.readouts else []:
        CONSOLE.print(sentence)
    if results.disagreements:
        CONSOLE.print("Where text, scripts and files disagree, and what to know of the models:")
    for sentence in results.disagreements:
        CONSOLE.print(f"- {sentence}")
    if inputs.failures:
        where = out / "failures.csv"
        CONSOLE.print(f"Pictures that could not be used for the controls: {len(inputs.failures)}; {where} says why")
    CONSOLE.print(f"Report, tables, figures and run.json: {out}")


def print_table(title: str, rows: pd.DataFrame) -> None:
    shown = Table(title=title, title_justify="left")
    for column in rows.columns:
        shown.add_column(column, justify="right" if pd.api.types.is_numeric_dtype(rows[column]) else "left")
    for row in rows.itertuples(index=False):
        shown.add_row(*(_cell(value) for value in row))
    CONSOLE.print(shown)


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return "" if value != value else f"{value:+.4f}"


if __name__ == "__main__":
    run_main(main)
