"""The paper's tables and figures, ours beside theirs, from the authors' per-image files or from your own features.

Takmaz, Gatt & Dotlačil 2025, "Traces of Image Memorability in Vision Encoders" (arXiv 2509.01453).

  python experiments/reproduce_paper.py
      the reference data in $MEMJAX_REFERENCE_DATA, else ../shared/data
  python experiments/reproduce_paper.py --memvis DIR --memcat memcat_image_data.csv [--isola DIR]
      DIR: a clone of github.com/ecekt/image_memorability_memvis, whichever encoders' files it holds (clip_*, dinov2_*,
      siglip2_*); the table comes with MemCat; --isola: a clone of github.com/Chibee/SPC_public
  python experiments/reproduce_paper.py --features runs/memcat [--memcat memcat_image_data.csv]
      the same from features that experiments/sweep_layers.py extracted; with --memcat, by category and with the ceiling

What comes out: each measure's correlation by layer with 95 % intervals and q; the same within categories; SAE by epoch;
MAE baseline; latent magnitude; the GLM; a cross-validated readout of all measures, beside the best single measure
and the human ceiling; and where text, scripts and files disagree. Exit codes: 0 done; 2 wrong input, with one line.
"""

import dataclasses
import hashlib
import json
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiments.cli import read_arguments
from experiments.outputs import write_table
from memjax.checks import expected, run_main
from memjax.paper import tables
from memjax.paper.disagreements import disagreements
from memjax.paper.released import Released, read_isola, read_memcat, read_released
from memjax.report import epochs, figures
from memjax.stats.readout import Readout, readout
from memjax.stats.regression import Glm
from memjax.stats.reliability import Reliability, halves_from_counts, split_half
from memjax.stats.table import columns_of, correlation_table

CONSOLE = Console(highlight=False)
ROOT = Path(__file__).resolve().parents[1]
PUBLISHED_NAMES = {
    "openai/clip-vit-base-patch32": "CLIP",
    "facebook/dinov2-base": "DINOv2",
    "google/siglip2-base-patch16-224": "SigLIP2",
}


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
    out: Path = Path("runs/paper")
    """Folder for tables (CSV and parquet), figures (PNG and PDF) and run.json."""
    bootstraps: int = 2000
    """Bootstrap resamples behind each 95 % interval; 0: no intervals."""
    folds: int = 5
    """Folds of the cross-validated readout, outer and inner; 0: no readout."""
    seed: int = 0
    """Of resamples, folds and simulated observers."""


@dataclasses.dataclass(frozen=True)
class Inputs:
    """Per-image measures and scores, in one order of images."""

    measures: dict[str, dict[str, np.ndarray]]
    scores: pd.DataFrame
    released: Released | None
    isola: pd.DataFrame | None
    files: tuple[Path, ...]


@dataclasses.dataclass(frozen=True)
class Results:
    """Every table by the name of its file, and what the terminal says besides."""

    tables: dict[str, pd.DataFrame]
    ceiling: Reliability | None
    readouts: dict[str, Readout]
    disagreements: list[str]


def main() -> int:
    args = with_defaults(read_arguments(Arguments, __doc__ or ""))
    check_numbers(args)
    inputs = read_inputs(args)
    results = compute(inputs, args)
    write(results, inputs, args)
    show(results, args.out)
    return 0


def with_defaults(args: Arguments) -> Arguments:
    """Without arguments: the reference data. Raises `InputError` if they are not there or the arguments do not fit."""
    if args.features is not None:
        if args.memvis is not None:
            raise expected("--features and --memvis", "one of them", "both")
        return args
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


def read_inputs(args: Arguments) -> Inputs:
    isola = read_isola(args.isola) if args.isola else None
    memcat = read_memcat(args.memcat) if args.memcat else None
    if args.features is not None:
        return read_features(args.features, memcat, isola)
    assert memcat is not None
    released = read_released(args.memvis, memcat.index)
    return Inputs(released.measures, memcat, released, isola, (args.memcat, *released.files))


def read_features(path: Path, memcat: pd.DataFrame | None, isola: pd.DataFrame | None) -> Inputs:
    """A feature store as inputs; images are joined by id, over encoders and with MemCat's table."""
    from memjax.correlations import measures_of
    from memjax.store import open_features

    found, memorability = measures_of(open_features(path))
    scores, images = memorability.to_frame(), memorability.index
    if memcat is not None:
        if not images.isin(memcat.index).all():
            missing = images[~images.isin(memcat.index)][0]
            raise expected(f"--memcat with --features {path}", "every image in MemCat's table", f"{missing} is not")
        scores = memcat.loc[images]
    measures = {PUBLISHED_NAMES.get(model, model): metrics for model, metrics in found.items()}
    return Inputs(measures, scores, None, isola, ())


def compute(inputs: Inputs, args: Arguments) -> Results:
    y = inputs.scores["memorability"].to_numpy(np.float64)
    extra = tables.per_image_measures(inputs.released) if inputs.released else {}
    found: dict[str, pd.DataFrame] = {}
    with CONSOLE.status("correlations and their intervals"):
        found["correlations"] = correlation_table(
            {**inputs.measures, **extra}, y, "spearman", args.bootstraps, args.seed
        )
    if "category" in inputs.scores and inputs.measures:
        layers = found["correlations"][found["correlations"]["model"].isin(list(inputs.measures))]
        found["categories"] = tables.category_table(inputs.measures, layers, inputs.scores, args.bootstraps)
    sae = tables.sae_table(inputs.released.sae_rho) if inputs.released and inputs.released.sae_rho else None
    isola = tables.isola_table(inputs.isola, args.bootstraps, args.seed) if inputs.isola is not None else None
    models = {model: tables.paper_glm(metrics, y) for model, metrics in inputs.measures.items()}
    fits: dict[str, Glm] = {model: fit for model, (fit, _) in models.items() if fit is not None}
    optional = {"sae_epochs": sae, "isola": isola, "glm": tables.glm_table(fits) if fits else None}
    found |= {name: table for name, table in optional.items() if table is not None}
    found["comparison"] = tables.compare(found["correlations"], sae, fits, isola)
    ceiling = human_ceiling(inputs.scores, args.seed)
    if ceiling:
        for name, column in (("correlations", "rho"), ("categories", "rho"), ("sae_epochs", "mean")):
            if name in found:
                found[name] = found[name].assign(share=found[name][column] / ceiling.half)
    readouts = compute_readouts(inputs, args) if args.folds and inputs.measures else {}
    if readouts:
        found["readout"] = readout_table(readouts, found["correlations"], ceiling)
        names = columns_of(inputs.measures)[1]
        whole = list(readouts.values())[-1]
        found["readout_weights"] = tables.weight_table(whole, names)
    notes = {model: note for model, (_, note) in models.items()}
    half = ceiling.half if ceiling else None
    said = disagreements(found["correlations"], notes, half, released=inputs.released is not None)
    return Results(found, ceiling, readouts, said)


def human_ceiling(scores: pd.DataFrame, seed: int) -> Reliability | None:
    """Split-half consistency, where hits and responses are published."""
    if not {"hits", "responses", "false_alarms"} <= set(scores):
        return None
    counts = (scores[name].to_numpy() for name in ("hits", "responses", "false_alarms"))
    return split_half(halves_from_counts(*counts, seed=seed))


def compute_readouts(inputs: Inputs, args: Arguments) -> dict[str, Readout]:
    """One readout for each encoder, and one of all together (the last) if there are several."""
    y = inputs.scores["memorability"].to_numpy(np.float64)
    chosen = {model: {model: metrics} for model, metrics in inputs.measures.items()}
    if len(chosen) > 1:
        chosen["all encoders"] = inputs.measures
    out = {}
    for name, measures in chosen.items():
        with CONSOLE.status(f"cross-validated readout, {name}"):
            x, _ = columns_of(measures)
            out[name] = readout(x, y, n_folds=args.folds, n_boot=args.bootstraps, seed=args.seed)
    return out


def readout_table(readouts: dict[str, Readout], table: pd.DataFrame, ceiling: Reliability | None) -> pd.DataFrame:
    """Out-of-fold rho beside the best single measure and the ceiling."""
    rows = []
    for name, found in readouts.items():
        own = table[table["model"] == name] if (table["model"] == name).any() else table
        best = own.loc[own["rho"].abs().idxmax()]
        single = f"{best['metric']}, layer {best['layer']}"
        rows.append((name, found.rho, found.ci_low, found.ci_high, found.n_images, single, best["rho"]))
    out = pd.DataFrame(rows, columns=["model", "rho", "ci_low", "ci_high", "n", "best_single", "best_single_rho"])
    return out.assign(ceiling=ceiling.half, share=out["rho"] / ceiling.half) if ceiling else out


def write(results: Results, inputs: Inputs, args: Arguments) -> None:
    args.out.mkdir(parents=True, exist_ok=True)
    for name, table in results.tables.items():
        write_table(table, args.out, name)
    folder, correlations = args.out / "figures", results.tables["correlations"]
    by_layer = correlations[correlations["model"].isin(list(inputs.measures))]
    for metric in by_layer.dropna(subset="rho")["metric"].unique():
        figures.save(figures.rho_by_layer(by_layer, metric, results.ceiling), folder, metric)
    if "sae_epochs" in results.tables:
        half = results.ceiling.half if results.ceiling else None
        figures.save(epochs.rho_by_epoch(results.tables["sae_epochs"], half), folder, "sae_epochs")
    weights = results.tables.get("readout_weights")
    for model in [] if weights is None else weights["model"].unique():
        figures.save(epochs.weight_map(weights, model), folder, f"readout_weights_{model}".replace("/", "--"))
    (args.out / "disagreements.txt").write_text("\n".join(results.disagreements) + "\n", encoding="utf-8")
    packages = ("memjax", "jax", "numpy", "scipy", "statsmodels", "scikit-learn", "pandas")
    run = {
        "command": {k: str(v) if isinstance(v, Path) else v for k, v in dataclasses.asdict(args).items()},
        "files": {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in inputs.files},
        "versions": {"python": platform.python_version()} | {name: version(name) for name in packages},
        "ceiling": dataclasses.asdict(results.ceiling) if results.ceiling else None,
    }
    (args.out / "run.json").write_text(json.dumps(run, indent=2), encoding="utf-8")


def show(results: Results, out: Path) -> None:
    compared = results.tables["comparison"]
    for part, rows in compared.groupby("part", sort=False):
        print_table(
            f"{part}: ours and published", rows.drop(columns="part").assign(layer=rows["layer"].replace(-1, ""))
        )
    if len(compared):
        worst = compared.loc[compared["difference"].abs().groupby(compared["part"]).idxmax()]
        print_table("Largest difference in each part", worst[["part", "quantity", "ours", "theirs", "difference"]])
    for row in results.tables.get("readout", pd.DataFrame()).itertuples():
        ceiling = f"; split-half consistency {row.ceiling:.3f}" if results.ceiling else ""
        CONSOLE.print(
            f"Readout, {row.model}: all measures together predict unseen images with rho {row.rho:+.3f} "
            f"[{row.ci_low:+.3f}, {row.ci_high:+.3f}], n {row.n}; best single measure {row.best_single} "
            f"{row.best_single_rho:+.3f}{ceiling}"
        )
    if results.disagreements:
        CONSOLE.print("Where text, scripts and files disagree, and what to know of the models:")
    for sentence in results.disagreements:
        CONSOLE.print(f"- {sentence}")
    CONSOLE.print(f"Tables, figures and run.json: {out}")


def print_table(title: str, rows: pd.DataFrame) -> None:
    shown = Table(title=title, title_justify="left")
    for column in rows.columns:
        shown.add_column(column, justify="right" if pd.api.types.is_numeric_dtype(rows[column]) else "left")
    for row in rows.itertuples(index=False):
        shown.add_row(*(f"{value:+.4f}" if isinstance(value, float) else str(value) for value in row))
    CONSOLE.print(shown)


if __name__ == "__main__":
    run_main(main)
