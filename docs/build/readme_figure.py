"""README's figure, from the folder that `memjax paper --memvis DIR --memcat CSV` has written: FOLDER FILE.png."""

import json
import sys
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from memjax.metrics import METRICS
from memjax.report.style import COLOURS, INK, MARKERS, MUTED, style

DRAWN = ("cls_mean", "cls_max", "attention_entropy", "patch_uniformity", "layer_delta")


def main(folder: Path, target: Path) -> None:
    """Draw correlations by layer, the readout of all measures, labels alone and the ceiling, and save it."""
    table = pd.read_csv(folder / "correlations.csv").query("model == 'CLIP'")
    readout = pd.read_csv(folder / "readout.csv").iloc[0]
    labels = pd.read_csv(folder / "label_baselines.csv").query("labels == 'category'").iloc[0]
    ceiling = json.loads((folder / "run.json").read_text())["ceiling"]["ceiling"]
    with style():
        figure = Figure(figsize=(7.2, 4.2), layout="constrained", dpi=110)
        ax = figure.subplots()
        for metric, colour, marker in zip(DRAWN, COLOURS, MARKERS):
            rows = table.query("metric == @metric").sort_values("layer")
            ax.fill_between(rows["layer"], rows["ci_low"], rows["ci_high"], color=colour, alpha=0.18, linewidth=0)
            ax.plot(rows["layer"], rows["rho"], color=colour, marker=marker, markersize=4, label=METRICS[metric].title)
        ax.axhspan(readout["ci_low"], readout["ci_high"], color=INK, alpha=0.18, linewidth=0)
        ax.axhline(readout["rho"], color=INK)
        said = f"all {readout['columns']} measures together, on images not fitted: {readout['rho']:+.2f}"
        ax.annotate(said, (0, readout["rho"]), (0, 5), textcoords="offset points", color=INK)
        ax.axhline(labels["labels_rho"], color=MUTED, linestyle=":")
        said = f"the labels of {labels['kinds']} categories alone: {labels['labels_rho']:+.2f}"
        ax.annotate(said, (0, labels["labels_rho"]), (0, -13), textcoords="offset points", color=MUTED)
        ax.axhline(ceiling, color=MUTED, linestyle="--")
        ax.annotate(f"human ceiling: {ceiling:.2f}", (0, ceiling), (0, 5), textcoords="offset points", color=MUTED)
        ax.axhline(0, color=MUTED, linewidth=0.8)
        ax.set(ylim=(-0.45, 1.05), xlim=(-0.2, 12.2), xticks=range(13))
        ax.set_xlabel("layer of CLIP ViT-B/32 (0: embeddings; i: after block i)")
        ax.set_ylabel("Spearman's ρ with memorability")
        figure.legend(loc="outside lower center", ncols=2)
        figure.savefig(target, metadata={"Software": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
