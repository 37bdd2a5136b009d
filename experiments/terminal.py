"""What a sweep shows in the terminal: a progress bar, a table of the strongest correlations, where the files are."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

CONSOLE = Console(stderr=False, highlight=False)


class _Rate(ProgressColumn):
    """Images a second, of this run alone."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f} images/s" if task.speed else "")


@contextmanager
def extraction_bar(name: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar over images; yields the function that advances it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=CONSOLE) as bar:
        task = bar.add_task(name, total=total)
        yield lambda added: bar.advance(task, added)


def show_summary(out: Path, table: pd.DataFrame, run: dict[str, Any]) -> None:
    """The strongest correlation of each metric and encoder."""
    models = list(table["model"].unique())
    title = f"Strongest layer of each metric, {f'{models[0]}, ' if len(models) == 1 else ''}n = {int(table['n'].max())}"
    title += " (synthetic data)" if run["dataset"]["synthetic"] else ""
    shown = Table(title=title)
    if len(models) > 1:
        shown.add_column("model", overflow="ellipsis", min_width=8)
    ceiling = run["ceiling"]["ceiling"] if "ceiling" in run else None
    for column in ("metric", "layer", "rho", "95 % interval", "q", *(["rho /\nceiling"] if ceiling else [])):
        shown.add_column(column, justify="left" if column == "metric" else "right", no_wrap=True)
    known = table.dropna(subset=["rho"])
    best = known.loc[known.groupby(["model", "metric"])["rho"].apply(lambda r: r.abs().idxmax())]
    for row in best.sort_values("rho", key=lambda r: -r.abs()).itertuples():
        interval = f"{row.ci_low:+.2f} to {row.ci_high:+.2f}"
        q = "< 0.001" if row.q < 0.001 else f"{row.q:.3f}"
        of_ceiling = [f"{row.rho / ceiling:+.3f}"] if ceiling else []
        name = [str(row.model)] if len(models) > 1 else []
        shown.add_row(*name, str(row.metric), str(row.layer), f"{row.rho:+.3f}", interval, q, *of_ceiling)
    CONSOLE.print(shown)
    if (constant := int(table["rho"].isna().sum())) > 0:
        CONSOLE.print(f"{constant} columns are constant and have no correlation")
    _show_ceiling_and_readout(run)
    _show_files(out, run["failures"])


def _show_ceiling_and_readout(run: dict[str, Any]) -> None:
    """The human ceiling, and what all measures together predict."""
    if found := run.get("ceiling"):
        CONSOLE.print(
            f"human ceiling {found['ceiling']:.3f}: square root of the reliability {found['full']:.3f} of all observers' "
            f"scores, from split-half {found['rho']:.3f} ({found['splits']} splits)",
            soft_wrap=True,
        )
    for row in run.get("readout", {}).get("rows", []):
        share = f", rho / ceiling {row['rho_over_ceiling']:.3f}" if "ceiling" in row else ""
        CONSOLE.print(
            f"readout of {row['model']}, cross-validated, {row['columns']} columns: rho {row['rho']:+.3f} "
            f"[{row['ci_low']:+.3f}, {row['ci_high']:+.3f}]{share}; best single measure {row['best_single_rho']:+.3f}",
            soft_wrap=True,
        )


def show_finished(out: Path, run: dict[str, Any]) -> int:
    """Say that nothing was left to do; the exit code of the finished run."""
    CONSOLE.print("This run is finished.")
    _show_ceiling_and_readout(run)
    _show_files(out, run["failures"])
    return 1 if run["failures"] else 0


def _show_files(out: Path, failures: int) -> None:
    for what, name in (("report", "report.html"), ("table", "correlations.csv"), ("features", "features.zarr")):
        CONSOLE.print(f"{what:>9}: {out / name}", soft_wrap=True)
    if failures:
        CONSOLE.print(f"{failures} images could not be used: {out / 'failures.csv'} says why", soft_wrap=True)
