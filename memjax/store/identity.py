"""Whether a store's group was made by the same run: the same encoder, pixels, protocol and data set, or what differs."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from memjax.checks import InputError
from memjax.storage import Place
from memjax.store.layout import OWN, STORE

SHOWN = 3
"""Ids that a message names."""
OTHER = "choose another folder"

BEFORE = {"precision": "highest"}
"""Keys that identities of earlier versions do not have, and what they were then."""

BEFORE_OF_PIXELS = {"orientation": "stored", "decoder": "exact"}
"""The same of an identity's preprocessing: version 0.1 left every image as it is stored; until 0.2 there was one decoder."""


def check_identity(
    root: Place, group: str, stored: Mapping[str, Any], now: Mapping[str, Any], but: Sequence[str] = ()
) -> None:
    """Refuse a group of another identity.

    Args:
        stored, now: the identities, JSON types.
        but: keys that may differ.

    Raises:
        InputError: naming what differs.
    """
    stored = _completed(stored, now, BEFORE)
    if "preprocessing" in stored and "preprocessing" in now:
        stored["preprocessing"] = _completed(stored["preprocessing"], now["preprocessing"], BEFORE_OF_PIXELS)
    left = {key: value for key, value in stored.items() if key not in but}
    differ = list(_differences(left, {key: v for key, v in json.loads(json.dumps(now)).items() if key not in but}))
    if differ:
        raise another_run(root, group, "; ".join(differ))


def another_run(root: Place, group: str, what: str) -> InputError:
    """The error of a group that another run made. Raise what it returns."""
    return InputError(f"{root / STORE}/{group}: made by another run ({what}); {OTHER}", "out")


def _completed(stored: Mapping[str, Any], now: Mapping[str, Any], before: Mapping[str, str]) -> dict[str, Any]:
    """What is stored, with what an earlier version left out as it was then, where this one has it."""
    return {key: value for key, value in before.items() if key in now} | dict(stored)


def _differences(stored: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """What differs between two identities, in words."""
    for key in sorted(stored.keys() | now.keys()):
        old, new = stored.get(key), now.get(key)
        if key == OWN:
            both = sorted((old or {}).keys() & (new or {}).keys())
            yield from (f"the metric {name} is another function now" for name in both if old[name] != new[name])
        elif key == "variables" and old != new:
            lists = (("without", set(new) - set(old or ())), ("with", set(old or ()) - set(new)))
            yield " and ".join(f"{word} {', '.join(sorted(names))}" for word, names in lists if names)
        elif old != new:
            yield f"{key} was {old!r}, now {new!r}"


def table_differences(ids: Sequence[str], scores: np.ndarray, table: pd.DataFrame) -> list[str]:
    """How a data set's table differs from the one that was measured: ids that came, went or moved, and other scores.

    Example:
        >>> table = pd.DataFrame({"memorability": [0.5, 0.7]}, index=["a", "c"])
        >>> table_differences(["a", "b"], np.array([0.5, 0.6]), table)
        ['1 image is new (c)', '1 image has gone (b)']
    """
    now = [str(image) for image in table.index]
    there, before = set(now), set(ids)
    found = [
        _some([image for image in now if image not in before], "is new", "are new"),
        _some([image for image in ids if image not in there], "has gone", "have gone"),
    ]
    if not any(found) and list(ids) != now:
        return ["the same images stand in another order"]
    old = pd.Series(np.asarray(scores, np.float64), index=list(ids))
    new = pd.Series(table["memorability"].to_numpy(np.float64), index=now)
    both = [image for image in now if image in before]
    same = np.equal(old[both].to_numpy(), new[both].to_numpy()) | (old[both].isna() & new[both].isna()).to_numpy()
    found.append(
        _some([image for image, equal in zip(both, same) if not equal], "has another score", "have other scores")
    )
    return [text for text in found if text]


def _some(images: Sequence[str], one: str, several: str) -> str:
    if not images:
        return ""
    shown = ", ".join(images[:SHOWN]) + (", .." if len(images) > SHOWN else "")
    return f"1 image {one} ({shown})" if len(images) == 1 else f"{len(images)} images {several} ({shown})"
