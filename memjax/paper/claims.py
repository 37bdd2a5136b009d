"""The claims of the paper's abstract put to the test: one row a claim, encoder and test.

Activations, attention distributions and the uniformity of patches correlate with memorability to some extent; the loss of a
sparse autoencoder does so better than earlier measures of convolutional networks (`memjax.paper.claims_of_loss`). On the
authors' files as far as they go, or on one's own run; where something is missing, the row says what.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import rankdata

from memjax.paper.inputs import Inputs
from memjax.paper.released import ENCODERS
from memjax.paper.settings import PaperSettings
from memjax.stats.correlation import Correlations, correlate
from memjax.stats.over_layers import nested_choice
from memjax.stats.partial import one_hot, partial_correlation
from memjax.stats.permutation import permutation_test
from memjax.stats.rivals import NEGLIGIBLE, NO, OPEN, UNTESTED, YES

FEATURES: Mapping[str, Sequence[str]] = {
    "Activations correlate with memorability": ("cls_mean", "cls_sum", "cls_max", "cls_max_abs", "layer_delta"),
    "Attention distributions correlate with memorability": ("attention_entropy",),
    "The uniformity of patches correlates with memorability": ("patch_uniformity",),
}
"""Claim -> the paper's measures that it is about."""

PERMUTATIONS = 2000
"""Of the scores, behind a p value over all layers."""

FEWEST = 20
"""Images, at least, of which a layer is chosen in some and tested in others."""

GROUPINGS = ("category", "subcategory")
"""Columns of the scores that are held constant where they are there."""


@dataclass(frozen=True)
class Weighed:
    """One test of one claim.

    Attributes:
        claim: what is claimed.
        model: the encoder.
        test: how it is tested.
        estimate, ci_low, ci_high, p, n: the figures, NaN and 0 where there are none; p of a correlation that is 0.
        verdict: yes, no, not settled, or cannot be tested.
        note: what the figures are of, or what is missing.
    """

    claim: str
    model: str
    test: str
    estimate: float = np.nan
    ci_low: float = np.nan
    ci_high: float = np.nan
    p: float = np.nan
    n: int = 0
    verdict: str = UNTESTED
    note: str = ""


def claims_table(rows: Sequence[Weighed]) -> pd.DataFrame:
    """The rows as a table.

    Example:
        >>> claims_table([Weighed("c", "m", "t")])["verdict"].tolist()
        ['cannot be tested']
    """
    return pd.DataFrame([asdict(row) for row in rows])


def verdict_of(low: float, high: float) -> str:
    """Does a correlation exist? Yes where its interval lies above 0, no where all of it is below what counts (0.05).

    Example:
        >>> verdict_of(0.01, 0.2), verdict_of(-0.03, 0.04), verdict_of(-0.1, 0.1)
        ('yes', 'no', 'not settled')
    """
    return YES if low > 0 else NO if high < NEGLIGIBLE else OPEN


def feature_claims(inputs: Inputs, settings: PaperSettings) -> Iterator[Weighed]:
    """Each claim about measures, for each encoder: is there a correlation at all, how large, and what of it within groups."""
    for claim, metrics in FEATURES.items():
        for model, measures in inputs.measures.items():
            columns = columns_of(measures, [name for name in metrics if name in measures])
            if columns:
                yield from feature_rows(claim, model, columns, (inputs, settings))
            else:
                yield Weighed(claim, model, "any", note=f"no {' or '.join(metrics)} of this encoder that varies")
        yield from absent_encoders(claim, inputs)


def absent_encoders(claim: str, inputs: Inputs) -> Iterator[Weighed]:
    """A row for each encoder of the paper whose files are not in the authors' folder."""
    for prefix, model in ENCODERS.items():
        if inputs.released is not None and model not in inputs.measures:
            yield Weighed(claim, model, "any", note=f"no file {prefix}_*.json in the folder of the authors' files")


def columns_of(measures: Mapping[str, Float[np.ndarray, "n l"]], names: Sequence[str]) -> dict[str, np.ndarray]:
    """Every metric at every layer at which it varies, by ``metric, layer``."""
    found = {}
    for name in names:
        for layer, values in enumerate(measures[name].T):
            known = values[np.isfinite(values)]
            if len(known) and np.ptp(known) > 0:
                found[f"{name}, layer {layer}"] = values
    return found


def feature_rows(
    claim: str, model: str, columns: Mapping[str, np.ndarray], given: tuple[Inputs, PaperSettings]
) -> Iterator[Weighed]:
    """The tests of one claim about one encoder."""
    inputs, settings = given
    x, y = np.column_stack(list(columns.values())), inputs.y
    kept = np.isfinite(x).all(axis=1) & np.isfinite(y)
    x, y = x[kept], y[kept]
    if len(y) < FEWEST or np.ptp(y) == 0:
        yield Weighed(
            claim, model, "any", n=len(y), note=f"fewer than {FEWEST} images with a score and every value that differ"
        )
        return
    found = permutation_test(x, y, n_perm=PERMUTATIONS, seed=settings.seed)
    best = int(np.nanargmax(np.abs(found.rho)))
    p = float(found.p_family[best])
    note = f"strongest of {x.shape[1]}: {list(columns)[best]}; p of the largest |rho| over all of them, scores permuted"
    test = "any layer, maximum statistic"
    verdict = YES if p < 0.05 else OPEN
    yield Weighed(claim, model, test, float(found.rho[best]), p=p, n=len(y), verdict=verdict, note=note)
    chosen = fair_choice(x, y, settings)
    yield correlation_row(claim, model, "size, nothing picked by its own result", (chosen, y, settings), FAIR)
    for name in (name for name in GROUPINGS if name in inputs.scores):
        groups = inputs.scores[name].to_numpy(str)[kept]
        inside = fair_choice(within(rankdata(x, axis=0), groups), within(rankdata(y), groups), settings)
        yield held_row(claim, model, (name, groups), (inside, y), f"{FAIR}, within the groups; ")


FAIR = "measure, layer and sign chosen in the other folds"


def fair_choice(
    x: Float[np.ndarray, "n k"], y: Float[np.ndarray, " n"], settings: PaperSettings
) -> Float[np.ndarray, " n"]:
    """The column and its sign are chosen in the other folds; larger or smaller values, whichever go with the scores there."""
    return nested_choice(np.hstack([x, -x]), y, min(settings.folds or 5, len(y) // 10), settings.seed)


def within(values: Float[np.ndarray, "n *k"], groups: np.ndarray) -> Float[np.ndarray, "n *k"]:
    """Values less their group's mean.

    Example:
        >>> within(np.array([1.0, 3.0, 10.0]), np.array(["a", "a", "b"])).tolist()
        [-1.0, 1.0, 0.0]
    """
    _, codes = np.unique(groups, return_inverse=True)
    sums = np.zeros((codes.max() + 1, *values.shape[1:]))
    np.add.at(sums, codes, values)
    counts = np.bincount(codes).reshape(-1, *(1 for _ in values.shape[1:]))
    return values - (sums / counts)[codes]


def correlation_row(
    claim: str, model: str, test: str, given: tuple[np.ndarray, np.ndarray, PaperSettings], note: str
) -> Weighed:
    """The plain correlation of one column with the scores."""
    values, y, settings = given
    found = correlate(values[:, None], y, n_boot=max(settings.bootstraps, 200), seed=settings.seed)
    low, high = float(found.ci_low[0]), float(found.ci_high[0])
    figures = (float(found.rho[0]), low, high, float(found.p[0]), int(found.n_images[0]))
    return Weighed(claim, model, test, *figures, verdict_of(low, high), note)


def held_row(
    claim: str, model: str, held: tuple[str, np.ndarray], given: tuple[np.ndarray, np.ndarray], note: str = ""
) -> Weighed:
    """What remains of a column's correlation with groups held constant.

    Args:
        claim, model: of the row.
        held: name of the groups, and the group of each image.
        given: the column and the scores.
        note: what the column is.
    """
    found = partial_correlation(given[0][:, None], given[1], one_hot(held[1]))
    return partial_row(
        claim, model, held[0], found, f"{note}partial rank correlation, {len(np.unique(held[1]))} groups"
    )


def partial_row(claim: str, model: str, held: str, found: Correlations, note: str) -> Weighed:
    """A partial correlation of one column as a row."""
    low, high = float(found.ci_low[0]), float(found.ci_high[0])
    figures = (float(found.rho[0]), low, high, float(found.p[0]), int(found.n_images[0]))
    turned = "; its sign is the opposite one" if high < 0 else ""
    return Weighed(claim, model, f"{held} held constant", *figures, verdict_of(low, high), f"{note}{turned}")
