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


def maker_of(variable: xr.DataArray) -> dict | None:
    """What the run that joined a metric to a store said of itself; None where it says nothing that can be read."""
    try:
        made = json.loads(str(variable.attrs.get(MADE_BY, "{}")))
    except (ValueError, RecursionError):  # a store made by hand may say anything
        return None
    return made if isinstance(made, dict) else None


def saw_its_images(made: dict) -> bool:
    """Whether the autoencoders of a run scored images that they were trained on; so too where it does not say.

    Example:
        >>> saw_its_images({"folds": 5}), saw_its_images({"folds": 5, "protocol": "paper-split"}), saw_its_images({})
        (False, True, True)
    """
    try:
        return int(made.get("folds", 1)) < 2 or made.get("protocol") == "paper-split"
    except (ValueError, TypeError):
        return True


def _saw_all(variable: xr.DataArray) -> bool:
    made = maker_of(variable)
    return made is not None and "sae" in made and saw_its_images(made)
