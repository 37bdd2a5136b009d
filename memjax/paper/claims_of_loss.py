"""The abstract's claims about the sparse autoencoder: its loss correlates with memorability, better than measures of CNNs did."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from memjax.measures import TOKENS, token_of
from memjax.paper.claims import (
    GROUPINGS,
    Weighed,
    claims_table,
    correlation_row,
    feature_claims,
    held_row,
    partial_row,
    verdict_of,
)
from memjax.paper.inputs import Inputs
from memjax.paper.released import ENCODERS, Released
from memjax.paper.settings import PaperSettings
from memjax.stats.correlation import correlate
from memjax.stats.intervals import fisher_z
from memjax.stats.partial import partial_correlation
from memjax.stats.rivals import compare_rivals

CLAIMS = "claims"
"""Name of the table."""

LOSS = "The loss of a sparse autoencoder correlates with memorability"
BETTER = "The loss of a sparse autoencoder outperforms earlier measures of convolutional networks"
MAGNITUDE = "The size of a sparse autoencoder's latents correlates with memorability"

_LOSSES = re.compile(r"sae(_(?P<kind>[a-z]+))?(_(cls|mean|patches|pooled))?_error")
_RIVALS = ("nn_distance", "sparse_coding", "pca_residual", "mahalanobis", "knn_distance")
"""Beginnings of the names of simpler measures that a store may hold of an encoder's own vectors."""


@dataclass(frozen=True)
class Claims:
    """Each claim put to the test.

    Attributes:
        table: ``claim, model, test, estimate, ci_low, ci_high, p, n, verdict, note``.
    """

    table: pd.DataFrame

    def sentences(self) -> list[str]:
        """One line a row: claim, encoder, test, verdict, figures."""
        return [_sentence(row) for row in self.table.to_dict("records")]


def _sentence(row: Mapping[str, object]) -> str:
    estimate, low, high = (float(str(row[name])) for name in ("estimate", "ci_low", "ci_high"))
    figures = f" ({estimate:+.3f}" if np.isfinite(estimate) else ""
    figures += f" [{low:+.3f}, {high:+.3f}]" if figures and np.isfinite(low) else ""
    figures += f", n = {row['n']})" if figures else ""
    return f"{row['claim']}; {row['model']}; {row['test']}: {row['verdict']}{figures}. {row['note']}"


def weigh_claims(inputs: Inputs, settings: PaperSettings, cnn: Mapping[str, pd.Series] | None = None) -> Claims:
    """Put each claim of the paper's abstract to the test.

    Args:
        inputs: the authors' files, or one's own features with the autoencoders' losses among the measures.
        settings: resamples, folds, seed.
        cnn: measures of a convolutional network on the same images, by image, larger where more memorable images are expected.

    Example:
        >>> from memjax.paper.inputs import Inputs
        >>> rng = np.random.default_rng(0)
        >>> y = rng.normal(size=100)
        >>> measures = {"cls_mean": y[:, None] + rng.normal(size=(100, 2))}
        >>> inputs = Inputs("mine", {"enc": measures}, pd.DataFrame({"memorability": y}))
        >>> weigh_claims(inputs, PaperSettings(bootstraps=50)).table["verdict"].tolist()[:2]
        ['yes', 'yes']
    """
    rows = [*feature_claims(inputs, settings)]
    if inputs.released is not None:
        rows += released_loss(inputs, inputs.released, settings)
    else:
        rows += own_loss(inputs, settings, cnn or {})
    return Claims(claims_table(rows))


def label_prediction(
    labels: np.ndarray, y: Float[np.ndarray, " n"], settings: PaperSettings
) -> Float[np.ndarray, " n"]:
    """Each image's score as its label's mean in the other folds tells it, less the mean of those folds.

    Example:
        >>> labels, y = np.repeat(["a", "b"], 20), np.repeat([0.2, 0.8], 20)
        >>> bool(np.ptp(label_prediction(labels, y, PaperSettings())[:20]) < 0.2)
        True
    """
    folds = settings.folds or 5
    fold = np.random.default_rng(settings.seed).permutation(np.arange(len(y)) % folds)
    predicted = np.zeros(len(y))
    for held in range(folds):
        rest = fold != held
        means = pd.Series(y[rest]).groupby(labels[rest]).mean() - y[rest].mean()
        predicted[~rest] = means.reindex(labels[~rest]).fillna(0.0).to_numpy()
    return predicted


def released_loss(inputs: Inputs, released: Released, settings: PaperSettings) -> Iterator[Weighed]:
    """What the authors' files say of the loss: correlations by epoch and seed, and the latents' sizes by image."""
    n = len(inputs.y)
    for prefix, model in ENCODERS.items():
        if model not in released.sae_rho:
            if prefix != "dinov2":  # of which the paper trains none
                yield Weighed(
                    LOSS, model, "last epoch, mean over seeds", note="no correlations of its loss in the files"
                )
            continue
        seeds = released.sae_rho[model][-1]
        low, high = (float(end[0]) for end in fisher_z(np.array([seeds.mean()]), n, "spearman"))
        note = f"{len(seeds)} seeds, {seeds.min():.3f} to {seeds.max():.3f}; scored on the images it was trained on"
        verdict = verdict_of(low, high)
        yield Weighed(
            LOSS, model, "last epoch, mean over seeds", float(seeds.mean()), low, high, np.nan, n, verdict, note
        )
        missing = "the files have correlations of the loss, not its values by image"
        for test in ("category held constant", "more than the category's label tells"):
            yield Weighed(LOSS, model, test, note=missing)
    for model, values in released.latent_magnitude.items():
        yield from loss_tests(MAGNITUDE, model, values, (inputs, settings), "of the run whose latents were released")
    yield Weighed(BETTER, "all", "same images", note=_NO_CNN)
    yield from earlier_measures(inputs, settings)


_NO_CNN = (
    "no measure of a convolutional network on these images: Lin et al.'s values are of 2,222 other images (Isola et al. 2011); "
    "Bagheri & Mohsenzadeh 2024 measured MemCat, but their values by image are not in the files"
)


def earlier_measures(inputs: Inputs, settings: PaperSettings) -> Iterator[Weighed]:
    """For orientation: Lin et al.'s measures on their own images."""
    if inputs.isola is None:
        return
    y = inputs.isola["corrected_hit"].to_numpy(np.float64)
    for name in ("sparse_coding_error", "nearest_neighbour"):
        values = inputs.isola[name].to_numpy(np.float64)
        found = correlate(values[:, None], y, n_boot=max(settings.bootstraps, 200), seed=settings.seed)
        figures = (float(found.rho[0]), float(found.ci_low[0]), float(found.ci_high[0]), float(found.p[0]))
        note = "for orientation: other images and other scores, so no comparison"
        yield Weighed(
            BETTER, f"VGG-16, {name}", "on Isola et al.'s images", *figures, int(found.n_images[0]), note=note
        )


def loss_tests(
    claim: str, model: str, values: Float[np.ndarray, " n"], given: tuple[Inputs, PaperSettings], note: str
) -> Iterator[Weighed]:
    """One column of an autoencoder: alone, within groups, and beside the labels."""
    inputs, settings = given
    y = inputs.y
    kept = np.isfinite(values) & np.isfinite(y)
    yield correlation_row(claim, model, "alone", (values[kept], y[kept], settings), note)
    for name in (name for name in GROUPINGS if name in inputs.scores):
        groups = inputs.scores[name].to_numpy(str)[kept]
        yield held_row(claim, model, (name, groups), (values[kept], y[kept]))
        rival = (f"the label of the {name} tells", label_prediction(groups, y[kept], settings))
        yield pair_row_of(claim, model, values[kept], rival, (y[kept], settings))


def pair_row_of(
    claim: str,
    model: str,
    values: Float[np.ndarray, " n"],
    rival: tuple[str, Float[np.ndarray, " n"]],
    given: tuple[Float[np.ndarray, " n"], PaperSettings],
) -> Weighed:
    """Does a column tell more than a rival: the difference of their rho, with its paired interval."""
    y, settings = given
    x = np.stack([values, rival[1]], axis=1)
    kept = np.isfinite(x).all(axis=1) & np.isfinite(y)
    found = compare_rivals(["own", "rival"], x, y, {}, max(settings.bootstraps, 200), settings.seed).pairs.iloc[0]
    note = (
        f"difference of the rho, {found['rho_first']:+.3f} and {found['rho_second']:+.3f}; the latter held constant "
        f"{found['first_given_second']:+.3f} [{found['first_given_second_low']:+.3f}, {found['first_given_second_high']:+.3f}]"
    )
    figures = [float(found[name]) for name in ("difference", "difference_low", "difference_high", "p")]
    return Weighed(
        claim, model, f"more than {rival[0]}", *figures, int(kept.sum()), str(found["first_tells_more"]), note
    )


def own_loss(inputs: Inputs, settings: PaperSettings, cnn: Mapping[str, pd.Series]) -> Iterator[Weighed]:
    """What one's own run says of the loss, at the last layer that it has."""
    some = False
    for model, measures in inputs.measures.items():
        for name in (name for name in measures if _LOSSES.fullmatch(name)):
            some, values = True, last_layer(measures[name])
            own = (inputs, settings)
            yield from loss_tests(LOSS, model, values, own, f"{name}, {sample_of(name)}, last layer")
            yield from given_length(model, values, measures, inputs)
            for rival in (
                one
                for one in measures
                if one.startswith(_RIVALS) and (token_of(one) or "cls") == (token_of(name) or "cls")
            ):
                row = (f"{rival} of the same vectors", last_layer(measures[rival]))
                yield pair_row_of(LOSS, f"{model}, {name}", values, row, (inputs.y, settings))
            for rival, series in cnn.items():
                row = (rival, series.reindex(inputs.scores.index).to_numpy(np.float64))
                yield pair_row_of(BETTER, f"{model}, {name}", values, row, (inputs.y, settings))
    if not some:
        yield Weighed(
            LOSS, "all", "alone", note="the store has no loss of an autoencoder; train some on the sweep's tokens"
        )
    if not some or not cnn:
        missing = "no measures of a convolutional network on the same images" if some else "no loss of an autoencoder"
        yield Weighed(BETTER, "all", "same images", note=missing)


def given_length(
    model: str, values: Float[np.ndarray, " n"], measures: Mapping[str, np.ndarray], inputs: Inputs
) -> Iterator[Weighed]:
    """What remains of the loss with the length of the cls token held constant."""
    if "cls_norm" in measures:
        found = partial_correlation(values[:, None], inputs.y, last_layer(measures["cls_norm"])[:, None])
        yield partial_row(LOSS, model, "length of the token", found, "cls_norm, last layer")


def last_layer(values: Float[np.ndarray, "n l"]) -> Float[np.ndarray, " n"]:
    """The last layer that has values."""
    known = np.flatnonzero(np.isfinite(values).any(axis=0))
    return values[:, known[-1]] if len(known) else values[:, -1]


def sample_of(name: str) -> str:
    """Whether the images of a loss were those of the training, by what the name says of the protocol.

    Example:
        >>> sample_of("sae_mean_error"), sample_of("sae_topk_error")
        ('scored on the images it was trained on', 'out of sample')
    """
    found = _LOSSES.fullmatch(name)
    kind = found["kind"] if found else None
    if kind == "split":
        return "trained on four fifths of the images it scores"
    return "scored on the images it was trained on" if kind is None or kind in TOKENS else "out of sample"
