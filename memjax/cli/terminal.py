"""What a sweep shows in the terminal: the strongest correlation of each metric, ceiling and readout, where the files are."""

from collections.abc import Sequence

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table

from memjax.cli.console import say, show_table, table_width, tell_in_lines, unmarked
from memjax.outputs import FAILURES, DatasetRecord, Run
from memjax.pipelines.sweep_result import CORRELATIONS, Sweep
from memjax.report.labels import MARK, is_number, is_per_image
from memjax.report.strongest import FEW_INTERVALS, corrected, rivals_sentence, too_few
from memjax.stats.strongest import ALPHA, FEWEST
from memjax.store import STORE


def show_sweep(result: Sweep) -> None:
    """The summary of a sweep that has just ended, or the word that it was finished before."""
    if result.recognised:
        say("This run is finished.")
    elif result.table is not None:
        tell_in_lines(title_of(result.table, result.run))
        show_table(strongest_of_each(result.table, result.run))
        if (constant := result.table[result.table["rho"].isna()]).size:
            tell_in_lines(without_correlation(constant))
        tell_in_lines(survivors(result.table))
    if result.table is not None:
        show_strongest(result.table, result.run)
    show_ceiling_and_readout(result.run)
    show_controls(result)
    show_files(result)


def show_strongest(table: pd.DataFrame, run: Run) -> None:
    """The strongest correlation against chance and against the others; or that there are too few images to speak of it."""
    if (most := int(table["n"].max())) < FEWEST:
        tell_in_lines(too_few(most))
        if table["ci_low"].notna().any():
            tell_in_lines(FEW_INTERVALS)
    if found := run.strongest:
        p = f", {corrected(found)}" if found.p_family is not None else ""
        place = "" if is_per_image(found.metric) else f"layer {found.layer}, "
        tell_in_lines(f"largest of {found.correlations}: {found.metric}, {place}{found.model}: {found.rho:+.3f}{p}")
        tell_in_lines(rivals_sentence(found))


def title_of(table: pd.DataFrame, run: Run) -> str:
    """What stands above the table of `strongest_of_each`."""
    models = list(table["model"].unique())
    of = f"{models[0]}, " if len(models) == 1 else ""
    synthetic = " (synthetic data)" if run.dataset.synthetic else ""
    return f"Strongest layer of each metric, {of}n = {int(table['n'].max())}{synthetic}"


def survivors(table: pd.DataFrame) -> str:
    """How many correlations were tested, how many survive, and what q is.

    Example:
        >>> survivors(pd.DataFrame({"rho": [0.4, 0.1, float("nan")], "q": [0.01, 0.3, float("nan")]})).partition(" (")[0]
        '2 correlations tested, 1 has q < 0.05'
    """
    tested = table.dropna(subset="rho")
    count, found = len(tested), int((tested["q"] < ALPHA).sum())
    chance = f"of those with q < {ALPHA}, {100 * ALPHA:g} % at most are expected to be chance"
    what = f"q is p corrected for the whole table, Benjamini-Hochberg, a measure and its multiples one test: {chance}"
    return f"{count} correlation{'s' * (count != 1)} tested, {found} {'has' if found == 1 else 'have'} q < {ALPHA} ({what})"


def without_correlation(rows: pd.DataFrame) -> str:
    """Which columns of values are the same for all images, by encoder and metric.

    Args:
        rows: those of the correlation table that have no rho.

    Example:
        >>> rows = pd.DataFrame({"model": "m", "metric": ["cls_mean", "cls_mean", "mae_loss"], "layer": [0, 1, 5]})
        >>> without_correlation(rows)
        'no correlation, since constant or undefined: cls_mean (layer 0, 1), mae_loss'
    """
    several = rows["model"].nunique() > 1
    parts = []
    for (model, metric), own in rows.groupby(["model", "metric"], sort=False):
        layers = "" if is_per_image(str(metric)) else f" (layer {', '.join(map(str, own['layer']))})"
        parts.append(f"{metric}{layers}{f' of {model}' if several else ''}")
    return f"no correlation, since constant or undefined: {', '.join(parts)}"


def without_owner(models: Sequence[str]) -> dict[str, str]:
    """Encoder -> its name without the hub's owner, or as it is where two would then be alike.

    Example:
        >>> without_owner(["facebook/dinov2-small", "memjax/tiny"])
        {'facebook/dinov2-small': 'dinov2-small', 'memjax/tiny': 'tiny'}
    """
    short = {model: model.rpartition("/")[2] for model in models}
    return short if len(set(short.values())) == len(models) else {model: model for model in models}


def strongest_of_each(table: pd.DataFrame, run: Run) -> Table:
    """A table for the terminal: one row a metric and encoder, at its strongest layer."""
    models = without_owner([str(model) for model in table["model"].unique()])
    shown = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, collapse_padding=True)
    if len(models) > 1:
        shown.add_column("model", overflow="fold", min_width=8)
    longest = int(table["metric"].str.len().max()) if table_width() >= 80 else 8
    ceiling = run.ceiling.ceiling if run.ceiling else None
    for column in ("metric", "layer", "rho", "95 % interval", "q", *(["rho /\nceiling"] if ceiling else [])):
        if column == "metric":
            shown.add_column(column, overflow="fold", min_width=longest)
        else:
            shown.add_column(column, justify="right", no_wrap=True)
    known = table.dropna(subset=["rho"])
    best = known.loc[known.groupby(["model", "metric"])["rho"].apply(lambda r: r.abs().idxmax())]
    for row in best.sort_values("rho", key=lambda r: -r.abs()).to_dict("records"):
        bounded = is_number(row["ci_low"]) and is_number(row["ci_high"])
        interval = f"{row['ci_low']:+.2f} to {row['ci_high']:+.2f}" if bounded else "–"
        interval += f" {MARK}" if bounded and row["n"] < FEWEST else ""
        q = "< 0.001" if row["q"] < 0.001 else f"{row['q']:.3f}"
        layer = "–" if is_per_image(row["metric"]) else str(row["layer"])
        of_ceiling = [f"{row['rho'] / ceiling:+.3f}"] if ceiling else []
        name = [unmarked(models[row["model"]])] if len(models) > 1 else []
        shown.add_row(*name, str(row["metric"]), layer, f"{row['rho']:+.3f}", interval, q, *of_ceiling)
    return shown


def show_ceiling_and_readout(run: Run) -> None:
    """The human ceiling, and what all measures together predict."""
    if found := run.ceiling:
        whose = "all observers'" if found.factor == 2 else "these"
        tell_in_lines(
            f"human ceiling {found.ceiling:.3f}: square root of the reliability {found.reliability:.3f} of {whose} "
            f"scores, from split-half {found.consistency:.3f} ({found.n_splits} splits)"
        )
    for row in run.readout.rows if run.readout else ():
        start = f"readout of {row['model']}, cross-validated, {row['columns']} columns: rho {row['rho']:+.3f} "
        start += f"[{row['ci_low']:+.3f}, {row['ci_high']:+.3f}]"
        if row.get("within") == "group":
            start += f" within groups ({row['pooled_rho']:+.3f} over all)"
        if not row["ci_low"] > 0:
            tell_in_lines(f"{start}: not better than chance")
            continue
        share = f", rho / ceiling {row['rho_over_ceiling']:.3f}" if "ceiling" in row else ""
        tell_in_lines(f"{start}{share}; best single measure {row['best_single_rho']:+.3f}")
    for row in run.readout.representations if run.readout else ():
        start = f"readout of representations, {row['model']}, {row['token']}, {row['columns']} columns: rho {row['rho']:+.3f} "
        tell_in_lines(f"{start}[{row['ci_low']:+.3f}, {row['ci_high']:+.3f}], p {row['p']:.3f}")
    if run.readout and run.readout.vectors:
        tell_in_lines(f"readout of representations: {run.readout.vectors}")
    for row in run.readout.labels if run.readout else ():
        more = f"{row['increment']:+.3f} [{row['increment_low']:+.3f}, {row['increment_high']:+.3f}]"
        tell_in_lines(f"labels of {row['labels']} alone: rho {row['labels_rho']:+.3f}; {row['model']} adds {more}")


def show_controls(result: Sweep) -> None:
    """What groups, low-level statistics and predictions from elsewhere leave of the findings."""
    from memjax.pipelines.sweep_report import control_sentences  # loads matplotlib; not before the last image

    for line in control_sentences(result):
        tell_in_lines(line)


def show_files(result: Sweep) -> None:
    """Where the results are, and how many images failed."""
    files = [("features", STORE)]
    if result.table is not None:
        files = [("report", str(result.report).rpartition("/")[2]), ("table", f"{CORRELATIONS}.csv"), *files]
    else:
        say("features only: the data set has no scores")
    for what, name in files:
        say(f"{what:>9}: {result.out / name}")
    if result.run.turned:
        say(f"{result.run.turned} images were turned upright by their EXIF orientation")
    if others := result.run.measured_by_others:
        tell_in_lines(f"measured with {others}")
    show_data(result.run.dataset)
    for model in result.run.models:
        if model.note:
            tell_in_lines(f"{model.model}: {model.note}")
    for note in result.run.notes:
        tell_in_lines(note)
    if result.run.failures:
        say(f"{result.run.failures} images could not be used: {result.out / FAILURES} says why")


def show_data(dataset: DatasetRecord) -> None:
    """What was recognised in the data set's files, and which part of it is there."""
    if dataset.table_form:
        say(f"scores read as: {dataset.table_form}")
    if dataset.ids_matched:
        say(dataset.ids_matched)
    if dataset.images_absent:
        listed = f" of {dataset.images_listed}" if dataset.images_listed else ""
        say(
            f"{dataset.images_absent}{listed} images that the data set lists are not in the folder; {FAILURES} lists them"
        )
