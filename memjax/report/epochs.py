"""Figures of the paper's other parts: a sparse autoencoder's rho by epoch, a readout's layer x metric weight map."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from memjax.checks import expected
from memjax.report.labels import metric_label
from memjax.report.style import INK, MUTED, encoder_styles, style


def rho_by_epoch(table: pd.DataFrame, ceiling: float | None = None) -> Figure:
    """Correlation of a sparse autoencoder's loss with memorability after each epoch: mean over seeds, band of one std.

    Args:
        table: columns ``model, epoch, mean, std, best, seeds``.
        ceiling: split-half consistency, drawn as a dashed line.

    Raises:
        InputError: the table is empty.
    """
    if not len(table):
        raise expected("rho_by_epoch", "a table with at least one epoch", "an empty one")
    with style():
        figure = Figure(figsize=(6.0, 4.5), layout="constrained")
        axes = figure.add_subplot()
        for model, look in encoder_styles(table).items():
            rows = table[table["model"] == model]
            axes.fill_between(
                rows["epoch"],
                rows["mean"] - rows["std"],
                rows["mean"] + rows["std"],
                color=look.colour,
                alpha=0.2,
                lw=0,
            )
            line = {"color": look.colour, "marker": look.marker, "linestyle": look.line}
            axes.plot(rows["epoch"], rows["mean"], label=f"{model} (mean of {rows['seeds'].iloc[0]} seeds)", **line)
        if ceiling is not None:
            axes.axhline(ceiling, color=INK, linestyle="--", linewidth=1, label=f"split-half consistency {ceiling:.2f}")
        axes.set_xticks(sorted(set(table["epoch"])))
        axes.set_ylim(bottom=min(0.0, float((table["mean"] - table["std"]).min())))
        axes.set_xlabel("epochs of training")
        axes.set_ylabel("Spearman's ρ with memorability")
        axes.set_title("Reconstruction loss of the sparse autoencoder", loc="left", color=INK)
        axes.legend(loc="lower right")
    last = table.sort_values("epoch").groupby("model", sort=False).last()
    values = "; ".join(f"{model} {row['mean']:+.3f} (std {row['std']:.3f})" for model, row in last.iterrows())
    figure.set_label(
        f"Correlation of the sparse autoencoder's loss with memorability by epoch. After the last: {values}."
    )
    return figure


def weight_map(table: pd.DataFrame, model: str) -> Figure:
    """Weights of a cross-validated readout, layers across, metrics down; the sign is that of the relation with memory.

    Args:
        table: columns ``model, metric, layer, weight, importance``.
        model: which encoder of the table.

    Raises:
        InputError: no row of this encoder.
    """
    rows = table[table["model"] == model]
    if not len(rows):
        raise expected("weight_map", f"rows of {model}", "none")
    grid = rows.pivot(index="metric", columns="layer", values="weight")
    limit = float(np.nanmax(np.abs(grid.to_numpy()), initial=1e-12))
    with style():
        figure = Figure(figsize=(7.0, 0.45 * len(grid) + 1.6), layout="constrained")
        axes = figure.add_subplot()
        axes.grid(False)
        image = axes.imshow(grid, cmap="PuOr", vmin=-limit, vmax=limit, aspect="auto")
        axes.set_xticks(range(grid.shape[1]), [str(layer) for layer in grid.columns])
        axes.set_yticks(range(len(grid)), [metric_label(metric).title for metric in grid.index])
        axes.tick_params(labelsize=8, colors=MUTED)
        axes.set_xlabel("layer (0: embeddings; i: after block i)")
        axes.set_title(f"Readout weights, {model}", loc="left", color=INK)
        figure.colorbar(image, ax=axes, label="score per standard deviation")
    figure.set_label(
        f"Weights of the ridge readout on {model}: change of the predicted score per standard deviation of each "
        "measure, mean over folds. Measures that go together share their weight: a small one is not an unimportant one."
    )
    return figure
