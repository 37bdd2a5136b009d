"""What a readout of unseen images must not leave unsaid: measures from autoencoders that were trained on those very images."""

import json
from collections.abc import Mapping

import xarray as xr

from memjax.store import MADE_BY, metric_variables


def trained_on_them(features: Mapping[str, xr.Dataset]) -> list[str]:
    """Metrics of a store whose autoencoders scored images that they were trained on, in the order of the store.

    Args:
        features: groups of the feature store; a metric that a later run joined says of itself what made it.
    """
    found = {name for group in features.values() for name in metric_variables(group) if _saw_all(group[name])}
    return sorted(found)


def seen_words(features: Mapping[str, xr.Dataset]) -> list[str]:
    """The sentence about `trained_on_them`; none where every image was left out of what measures it."""
    names = trained_on_them(features)
    if not names:
        return []
    return [
        f"Of these measures, {', '.join(names)} come from autoencoders that were trained, without the scores, on the images that "
        "they measure: in a readout's test folds, only the score is unseen. Autoencoders trained with folds leave each image out."
    ]


def _saw_all(variable: xr.DataArray) -> bool:
    """Whether an autoencoder of one fold made it, which leaves no image out of what it scores."""
    said = str(variable.attrs.get(MADE_BY, ""))
    about = json.loads(said) if said.startswith("{") else {}  # a store made by hand may say anything
    return "sae" in about and about.get("folds", 1) == 1
