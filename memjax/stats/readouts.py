"""Readouts of whole encoders as tables: what all measures together predict, beside the best single measure and mere labels.

The readout is out of fold; the best single measure is picked from the same images it is correlated on, so it is flattered
and the comparison is a cautious one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from memjax.stats.partial import one_hot
from memjax.stats.readout import Readout, readout
from memjax.stats.reliability import Reliability
from memjax.stats.repeats import ReadoutSettings
from memjax.stats.strata import group_interval, less, rho_difference
from memjax.stats.table import Columns

ALL = "all encoders"
"""The readout that has the columns of every encoder."""

IMAGES_A_LABEL = 5
"""Images, on average, that a label needs: a column with fewer names images rather than kinds of them."""


@dataclass(frozen=True)
class Together:
    """Which images belong together, see `memjax.stats.readout.readout`.

    Attributes:
        groups: one label an image: whole groups are held out.
        clusters: one label an image: images that are nearly the same.
    """

    groups: Sequence[object] | np.ndarray | None = None
    clusters: Sequence[object] | np.ndarray | None = None

    def of(self, rows: np.ndarray) -> "Together":
        """The same for some of the images."""
        return Together(
            *(None if labels is None else np.asarray(labels)[rows] for labels in (self.groups, self.clusters))
        )


def readouts(
    columns: Columns, scores: np.ndarray, together: Together | None = None, settings: ReadoutSettings | None = None
) -> dict[str, Readout]:
    """One readout for each encoder, and with several encoders a last one of all together (`ALL`).

    Args:
        columns: from `memjax.stats.table.stack`; rows in the order of ``scores``.
        scores: human scores ``[n]``.
        together: images that stay together.
        settings: see `memjax.stats.readout.readout`.

    Raises:
        InputError: as `memjax.stats.readout.readout`.
    """
    together = together or Together()
    chosen = {model: columns.of([model]) for model in columns.models}
    if len(chosen) > 1:
        chosen[ALL] = columns
    return {
        name: readout(own.values, scores, together.groups, together.clusters, settings) for name, own in chosen.items()
    }


def readout_table(
    found: Mapping[str, Readout], table: pd.DataFrame, ceiling: Reliability | None = None
) -> pd.DataFrame:
    """Out-of-fold rho of each readout beside the best single measure of the same encoders.

    Args:
        found: from `readouts`.
        table: a correlation table of the same measures (`memjax.stats.table.correlation_table`).
        ceiling: of Spearman's rho; None where it is not known.

    Returns:
        Columns ``model, rho, ci_low, ci_high, p, n, columns, within, pooled_rho, repeats, at_ends, fits, best_single,
        best_single_rho``: ``at_ends`` of ``fits`` models have the smallest or largest penalty; with a ceiling also ``ceiling,
        rho_over_ceiling, best_single_over_ceiling``. A readout that is not above chance has no share of a ceiling.
    """
    models = [name for name in found if name != ALL]
    rows = []
    for name, one in found.items():
        own = table[table["model"].isin(models if name == ALL else [name])]
        best = own.loc[own["rho"].abs().idxmax()]
        single = f"{best['metric']}, layer {best['layer']}" + (f", {best['model']}" if name == ALL else "")
        used = len(one.weights) - len(one.left_out)
        repeats, fits = len(one.parts.by_repeat), len(one.penalties)
        ends = (one.rho, one.ci_low, one.ci_high, one.p, one.n_images, used, one.within, one.pooled)
        rows.append((name, *ends, repeats, one.at_ends, fits, single, best["rho"]))
    names = "model rho ci_low ci_high p n columns within pooled_rho repeats at_ends fits best_single best_single_rho"
    out = pd.DataFrame(rows, columns=names.split())
    if ceiling is None:
        return out
    top = ceiling.ceiling
    share, best_share = (out["rho"] / top).where(out["ci_low"] > 0), out["best_single_rho"] / top
    return out.assign(ceiling=top, rho_over_ceiling=share, best_single_over_ceiling=best_share)


def weight_table(found: Mapping[str, Readout], columns: Columns) -> pd.DataFrame:
    """The layer x metric map of the widest readout: columns ``model, metric, layer, weight, importance``."""
    one = list(found.values())[-1]
    return columns.keys.assign(weight=one.weights, importance=one.importance)


def usable_labels(
    labels: Mapping[str, Sequence[object] | np.ndarray], groups: Sequence[object] | np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Those with two kinds or more that say more than which image it is, and that images outside a held-out group have too.

    Example:
        >>> list(usable_labels({"kind": ["a", "b"] * 10, "name": list("abcdefghijklmnopqrst"), "same": ["a"] * 20}))
        ['kind']
    """
    found = {name: np.asarray(values, str) for name, values in labels.items()}
    kept = {name: x for name, x in found.items() if 2 <= len(np.unique(x)) <= len(x) / IMAGES_A_LABEL}
    if groups is None:
        return kept
    held = np.asarray(groups, str)
    return {name: x for name, x in kept.items() if len(np.unique([x, held], axis=1).T) > len(np.unique(x))}


def label_table(
    found: Mapping[str, Readout],
    columns: Columns,
    scores: np.ndarray,
    labels: Mapping[str, np.ndarray],
    how: tuple[Together, ReadoutSettings],
) -> pd.DataFrame:
    """What labels of the images predict by themselves, and what each readout adds to them; same images, same folds.

    Args:
        found: from `readouts`.
        columns, scores: of the same images.
        labels: name of a column -> a label an image (`usable_labels`).
        how: as the readouts were made.

    Returns:
        A row a label and readout: ``labels, kinds, model, labels_rho, labels_low, labels_high, both_rho, increment,
        increment_low, increment_high, increment_p, n``: rho of the labels, of labels and measures together, and by how much the
        second is larger.
    """
    together, settings = how[0], replace(how[1], permutations=0, shuffles=0)
    rows = []
    for name, values in labels.items():
        kinds = one_hot(values)
        of_labels: dict[bytes, Readout] = {}  # encoders mostly have the same images
        for model, one in found.items():
            own = columns if model == ALL else columns.of([model])
            used = np.full(len(scores), np.nan)
            used[one.rows] = scores[one.rows]
            how_read = (used, together.groups, together.clusters, settings)
            if (images := one.rows.tobytes()) not in of_labels:
                of_labels[images] = readout(kinds, *how_read)
            alone, both = of_labels[images], readout(np.column_stack([kinds, own.values]), *how_read)
            if one.within == "group":
                more = group_interval(less(both.parts, alone.parts))
            else:
                more = rho_difference(both.parts, alone.parts, one.clusters)
            ends = (alone.rho, alone.ci_low, alone.ci_high, both.rho, more.value, more.low, more.high, more.p)
            rows.append((name, len(np.unique(values)), model, *ends, one.n_images))
    names = "labels kinds model labels_rho labels_low labels_high both_rho increment increment_low increment_high increment_p n"
    return pd.DataFrame(rows, columns=names.split())
