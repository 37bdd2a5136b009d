"""The figure of a transfer between data sets: what each predictor is worth on each."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from memjax.report.style import STYLE


def transfer_figure(table: pd.DataFrame) -> Figure:
    """A grid, trained on x tested on, with rho, its interval and how many images were tested.

    Args:
        table: of `memjax.pipelines.transfer.transfer`.
    """
    names = list(dict.fromkeys(table["train"]))
    rho = table.pivot(index="train", columns="test", values="rho").loc[names, names].to_numpy(float)
    with plt.rc_context(STYLE):
        side = 1.9 * len(names)
        figure, axes = plt.subplots(figsize=(side + 2.6, side + 1.2), layout="constrained")
        most = max(0.2, float(np.nanmax(np.abs(rho))))
        shown = axes.imshow(rho, cmap="RdBu_r", vmin=-most, vmax=most)
        for row in table.to_dict("records"):
            at = names.index(row["test"]), names.index(row["train"])
            dark = abs(row["rho"]) > 0.65 * most
            kind = "out of fold" if row["within"] else "transfer"
            text = f"{row['rho']:+.3f}\n[{row['ci_low']:+.2f}, {row['ci_high']:+.2f}]\nn = {row['n']:,}\n{kind}"
            axes.text(*at, text, ha="center", va="center", color="white" if dark else "black", fontsize=8)
        axes.set_xticks(range(len(names)), names)
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel="tested on", ylabel="fitted on")
        axes.grid(visible=False)
        figure.colorbar(shown, ax=axes, shrink=0.8, label="Spearman's rho with people's scores")
    return figure


def write_transfer_figure(figure: Figure, stem: Path) -> None:
    """As PNG and PDF."""
    for kind in ("png", "pdf"):
        figure.savefig(stem.with_suffix(f".{kind}"))
    plt.close(figure)
