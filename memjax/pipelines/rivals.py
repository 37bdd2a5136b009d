"""Baselines and autoencoders side by side on the same images: each alone, each pair, and the two questions that they answer.

A measure has a value at several layers. No comparison may pick a layer by its own result, so there are three, each a family of
its own: the last layer; all layers, their ranks summed, where nothing is chosen; the layer that correlates most strongly in the
other folds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float

from memjax.pipelines.rival_entries import Kind, Rival
from memjax.stats.over_layers import nested_choice, sum_of_ranks
from memjax.stats.partial import one_hot
from memjax.stats.rivals import NO, OPEN, UNTESTED, YES, compare_rivals

LAST, ALL_LAYERS, NESTED = "last layer", "all layers, ranks summed", "layer chosen in the other folds"
"""How a measure's layer is found."""

QUESTIONS: Mapping[str, Kind] = {
    "Does the autoencoder's error tell more than a linear residual?": "linear",
    "Does the autoencoder's error tell more than a measure of a CNN?": "CNN",
}
"""Question -> the kind of its rivals."""

KINDS: Mapping[Kind, str] = {"autoencoder": "a sparse autoencoder", "linear": "a linear model", "CNN": "a CNN"}
"""What a sentence calls the measures that the questions are about."""

ANSWERS = ["question", "layers", "measure", "answer", "sentence"]


@dataclass(frozen=True, eq=False)
class Comparison:
    """What the comparison gives.

    Attributes:
        alone: a row a measure and way of finding its layer: ``layers, measure, kind, in_sample``, and the columns of
            `memjax.stats.rivals.Rivals.alone`.
        pairs: a row a pair: ``layers``, and the columns of `memjax.stats.rivals.Rivals.pairs`; Holm's correction is over the
            pairs with the same ``layers``.
        answers: ``question, layers, measure, answer, sentence``: yes, no, not settled, or cannot be tested.
    """

    alone: pd.DataFrame
    pairs: pd.DataFrame
    answers: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Held:
    """What is held constant.

    Attributes:
        lengths: of the token vectors, dims ``image, layer``; None where they are not known.
        categories: by image; None where there are none.
    """

    lengths: xr.DataArray | None = None
    categories: pd.Series | None = None

    def controls(self, images: np.ndarray, last: bool) -> dict[str, Float[np.ndarray, "n _"]]:
        """Name -> columns; the lengths of the last layer, or of all."""
        found = {}
        if self.lengths is not None:
            values = self.lengths.dropna("layer", how="all").reindex(image=images).values.astype(np.float64)
            found["length"] = values[:, -1:] if last else values
        if self.categories is not None:
            found["category"] = one_hot(self.categories.reindex(images).to_numpy(str))
        return found


def compare_measures(
    rivals: Sequence[Rival], images: np.ndarray, y: Float[np.ndarray, " n"], held: Held, n_boot: int, seed: int
) -> Comparison:
    """Compare measures of the same images.

    Args:
        rivals: the measures.
        images: ids; those that lack a measure are left out of the comparison.
        y: their scores.
        held: what is held constant.
        n_boot: resamples behind each interval.
        seed: of resamples and folds.
    """
    ways: dict[str, Callable[[Float[np.ndarray, "n l"], Float[np.ndarray, " n"]], Float[np.ndarray, " n"]]] = {
        LAST: lambda x, y: x[:, -1],
        ALL_LAYERS: lambda x, y: sum_of_ranks(x),
        NESTED: lambda x, y: nested_choice(x, y, min(5, len(y) // 10), seed),
    }
    alone, pairs = [], []
    for name, way in ways.items():
        chosen = [one for one in rivals if (one.has_last if name == LAST else one.values.sizes["layer"] > 1)]
        if len(chosen) < 2 or (name == NESTED and len(y) < 20):
            continue
        values = [one.at(images) for one in chosen]
        used = np.isfinite(np.column_stack([*values, y])).all(axis=1)
        x = np.stack([way(one[used], y[used]) for one in values], axis=1)
        names = [one.name for one in chosen]
        found = compare_rivals(names, x, y[used], held.controls(images[used], name == LAST), n_boot, seed)
        about = {"kind": [one.kind for one in chosen], "in_sample": [one.in_sample for one in chosen]}
        alone.append(found.alone.assign(layers=name, **about))
        pairs.append(found.pairs.assign(layers=name))
    if not alone:
        return Comparison(pd.DataFrame(), pd.DataFrame(), pd.DataFrame(columns=ANSWERS))
    both = [in_front(pd.concat(parts, ignore_index=True)) for parts in (alone, pairs)]
    return Comparison(both[0], both[1], answer_questions(both[0], both[1], {one.name: one for one in rivals}))


def in_front(table: pd.DataFrame) -> pd.DataFrame:
    """The table with what names a row before its numbers."""
    keys = [name for name in ("layers", "measure", "kind", "in_sample", "first", "second") if name in table]
    return table[keys + [name for name in table if name not in keys]]


def answer_questions(alone: pd.DataFrame, pairs: pd.DataFrame, rivals: Mapping[str, Rival]) -> pd.DataFrame:
    """Each question, for each autoencoder and way of finding the layer; one row, where there is nothing to compare."""
    rows = []
    for question, kind in QUESTIONS.items():
        if missing := [KINDS[one] for one in ("autoencoder", kind) if one not in set(alone["kind"])]:
            lacking = f"There is no measure of the same images by {' or '.join(missing)}"
            rows.append((question, "", "", UNTESTED, lacking))
            continue
        for layers, family in alone.groupby("layers", sort=False):
            for name in family.loc[family["kind"] == "autoencoder", "measure"]:
                against = facing(pairs[pairs["layers"] == layers], rivals[str(name)], kind, rivals)
                rows.append((question, layers, name, *answer(rivals[str(name)], against, rivals)))
    return pd.DataFrame(rows, columns=ANSWERS)


def facing(pairs: pd.DataFrame, own: Rival, kind: Kind, rivals: Mapping[str, Rival]) -> pd.DataFrame:
    """The pairs of an autoencoder with rivals of a kind, turned so that it is the first.

    Of the encoder's own measures only those of the same token vectors: an autoencoder of patches is not better than a linear
    residual because it reads other vectors.
    """
    turned = pd.concat([pairs[pairs["first"] == own.name], swapped(pairs[pairs["second"] == own.name])])
    turned = turned[[rivals[str(name)].kind == kind for name in turned["second"]]]
    same = np.array([rivals[str(name)].token == own.token for name in turned["second"]], bool)
    return turned if kind == "CNN" else turned[same]


def swapped(pairs: pd.DataFrame) -> pd.DataFrame:
    """The pairs seen from the second measure."""
    names = {}
    for name in pairs.columns:
        other = name.replace("first", "*").replace("second", "first").replace("*", "second")
        names[name] = other
    turned = pairs.rename(columns=names)
    low, high = -pairs["difference_high"], -pairs["difference_low"]
    return turned.assign(difference=-pairs["difference"], difference_low=low, difference_high=high, t=-pairs["t"])


def answer(own: Rival, against: pd.DataFrame, rivals: Mapping[str, Rival]) -> tuple[str, str]:
    """The answer over all rivals, and a sentence with the numbers of the strongest.

    Yes where it tells more than every one of them; no where it does not tell more than one of them.
    """
    if not len(against):
        return UNTESTED, f"{own.name}: no such measure of the same token vectors is there"
    said = set(against["first_tells_more"])
    found = YES if said == {YES} else NO if NO in said else OPEN
    decisive = against if found != NO else against[against["first_tells_more"] == NO]
    row = decisive.loc[decisive["difference"].idxmin()] if decisive["difference"].notna().any() else decisive.iloc[0]
    second = f"{row['second']}{scored_on(rivals[str(row['second'])])}"
    sentence = (
        f"{own.name}{scored_on(own)}: rho {row['rho_first']:+.3f}; {second} {row['rho_second']:+.3f}; difference "
        f"{row['difference']:+.3f} [{row['difference_low']:+.3f}, {row['difference_high']:+.3f}]; with {row['second']} held "
        f"constant {row['first_given_second']:+.3f} [{row['first_given_second_low']:+.3f}, "
        f"{row['first_given_second_high']:+.3f}]"
    )
    return found, sentence


def scored_on(rival: Rival) -> str:
    """What a sentence adds to the name of a measure that is in sample."""
    return ", scored on the images that it was trained on" if rival.in_sample else ""
