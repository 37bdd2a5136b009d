"""Measures of many models and layers side by side, and the table of their correlations with the scores."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd
from jaxtyping import Float

from memjax.checks import expected
from memjax.stats.exact import reported
from memjax.stats.multiples import family_q

if TYPE_CHECKING:
    from dask.array import Array as DaskArray

Values: TypeAlias = "np.ndarray | DaskArray"
"""``[n, layers]``: in memory, or read when used."""

Measures: TypeAlias = Mapping[str, Mapping[str, Values]]
"""model -> metric -> ``[n, layers]``; column ``i`` is layer ``i``."""

KEYS = ["model", "metric", "layer"]
CORRELATION_COLUMNS = [*KEYS, "rho", "ci_low", "ci_high", "p", "q", "n"]


@dataclass(frozen=True)
class Columns:
    """Measures side by side: stacked once, then correlated, predicted from and held constant.

    Attributes:
        values: float64 ``[n, k]``, NaN where an image has no value.
        keys: k rows of ``model, metric, layer``: what each column is.
    """

    values: Float[np.ndarray, "n k"]
    keys: pd.DataFrame

    @property
    def models(self) -> list[str]:
        """In the order of their first column."""
        return [str(model) for model in pd.unique(self.keys["model"])]

    def of(self, models: Sequence[str]) -> "Columns":
        """The columns of some models."""
        chosen = self.keys["model"].isin(list(models)).to_numpy()
        return Columns(self.values[:, chosen], self.keys[chosen].reset_index(drop=True))

    def beside(self, *others: "Columns") -> "Columns":
        """These columns and, after them, those of ``others``; the same images in the same order."""
        if not others:
            return self
        every = [self, *others]
        keys = pd.concat([one.keys for one in every], ignore_index=True)
        return Columns(np.concatenate([one.values for one in every], axis=1), keys)


def stack(measures: Mapping[str, Mapping[str, np.ndarray]]) -> Columns:
    """All measures side by side. A metric without any value at a layer has no column there.

    Raises:
        InputError: no measure has a value.

    Example:
        >>> stack({"m": {"a": np.array([[np.nan, 1.0], [np.nan, 2.0]])}}).keys.values.tolist()
        [['m', 'a', 1]]
    """
    found = side_by_side(
        (model, metric, 0, values) for model, metrics in measures.items() for metric, values in metrics.items()
    )
    if found is None:
        raise expected("measures", "at least one with a value", "none")
    return found


def side_by_side(parts: Iterable[tuple[str, str, int, np.ndarray]]) -> Columns | None:
    """Layers of metrics side by side, each part: model, metric, its first layer, ``[n, layers]``; None where none has a value."""
    names, columns = [], []
    for model, metric, first, values in parts:
        for layer in np.flatnonzero(np.isfinite(values).any(axis=0)):
            names.append((model, metric, first + int(layer)))
            columns.append(values[:, layer])
    if not columns:
        return None
    return Columns(np.column_stack(columns).astype(np.float64, copy=False), pd.DataFrame(names, columns=KEYS))


def correlation_table(
    columns: Columns, scores: np.ndarray, method: str = "spearman", n_boot: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """Correlate every column with the scores.

    Args:
        columns: from `stack`; rows in the order of ``scores``.
        scores: human scores ``[n]``.
        method: ``"spearman"``, ``"pearson"`` or ``"kendall"``.
        n_boot: bootstrap resamples for the 95 % intervals.
        seed: of the resamples.

    Returns:
        Columns ``model, metric, layer, rho, ci_low, ci_high, p, q, n``; a constant column has NaN for ``rho``; ``q`` is
        Benjamini-Hochberg over the whole table, in which a fixed multiple of another measure is no test of its own
        (`memjax.stats.multiples.family_q`). Policy for NaN and ties: `memjax.stats.correlation`; p and intervals of
        fewer than 30 images: `memjax.stats.exact`.

    Example:
        >>> columns = stack({"m": {"a": np.array([[1.0], [2.0], [3.0], [4.0]])}})
        >>> correlation_table(columns, np.array([0.1, 0.2, 0.4, 0.3]), n_boot=0)["rho"].round(2).tolist()
        [0.8]
    """
    found = reported(columns.values, scores, method, n_boot, seed)
    values = {"rho": found.rho, "ci_low": found.ci_low, "ci_high": found.ci_high, "p": found.p}
    return columns.keys.assign(**values, q=family_q(found.p, columns.values, columns.keys), n=found.n_images)
