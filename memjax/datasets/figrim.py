"""FIGRIM: 9,428 photographs of 21 scene categories from SUN, 1,754 targets and 7,674 fillers (Bylinskii et al. 2015).

Two data sets: ``figrim``, the targets, and ``figrim_fillers``. The layout was read off the authors' published programs
(github.com/cvzoya/figrim, github.com/cvzoya/memorability-distinctiveness) and others that read the files; the files
themselves were not seen:

- ``image_data_targets.mat``, ``image_data_fillers.mat``: structs ``filename``, ``category``, and the counts ``hits,
  misses, false_alarms, correct_rejections`` in ``amt1`` (game within the category) and ``amt2`` (across all);
- images ``SCENES_700x700/<category>/<filename>``; where that folder is absent, ``Targets/...`` or ``Fillers/...``, the
  form of the part that was shown with an eye tracker. Images that are not there are set aside.

The id is ``<category>/<filename>``. ``memorability`` is the hit rate of ``amt2``, whose context is the whole data set,
as here; ``memorability_within`` is that of ``amt1``; both uncorrected, as the authors' programs have them. The counts
are those of ``amt2``. Fillers were shown again only shortly after, to see whether players paid attention: their hit rate
is no memorability in the sense of the targets', and those never shown again are set aside. Half-splits are not published.
"""

import functools
from pathlib import Path

import numpy as np
import pandas as pd

from memjax.checks import check_folder
from memjax.datasets.base import Source, Spec, make_table
from memjax.datasets.join import join
from memjax.datasets.matlab import read_structs
from memjax.datasets.paths import ImageFolder, first_there, matching
from memjax.datasets.scores import check_unique

SCENES = "SCENES_700x700"
COUNTS = ("hits", "misses", "false_alarms", "correct_rejections")
WITHIN, ACROSS = "amt1", "amt2"
INSTRUCTIONS = (
    "from http://figrim.mit.edu, put image_data_targets.mat and image_data_fillers.mat beside the unpacked "
    f"{SCENES}/<category>/<filename>"
)


def read_source(folder: Path | None, role: str = "targets", follow_links: bool = False) -> Source:
    """Read the published layout (module docstring).

    Args:
        role: ``"targets"`` or ``"fillers"``.

    Raises:
        InputError: a file or folder missing, no array of structs with these fields, an image twice.
    """
    assert folder is not None
    path = folder / f"image_data_{role}.mat"
    fields = [f"{game}.{count}" for game in (WITHIN, ACROSS) for count in COUNTS]
    rows = read_structs(path, path.stem, ("filename", "category"), fields, "figrim: scores")
    images = check_folder(
        first_there(folder, (SCENES, role.capitalize())),
        "figrim: the scores are there, the images are not:",
        INSTRUCTIONS,
    )
    ids = rows["category"] + "/" + rows["filename"]
    check_unique(ids, f"figrim: {path}")
    hits, misses, alarms, correct = (rows[f"{ACROSS}.{count}"].to_numpy() for count in COUNTS)
    table = make_table(
        ids.tolist(),
        hit_rate(rows, ACROSS),
        category=rows["category"],
        hits=hits,
        false_alarms=alarms,
        responses=hits + misses,
        first_showings=alarms + correct,
        memorability_within=hit_rate(rows, WITHIN),
    )
    return join(table, ImageFolder(images, follow_links), ids.tolist())


def hit_rate(rows: pd.DataFrame, game: str) -> np.ndarray:
    """Hits over repeats shown, float64 ``[n]``; NaN where nothing was repeated."""
    hits, misses = rows[f"{game}.hits"].to_numpy(), rows[f"{game}.misses"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        return hits / (hits + misses)


def _spec(name: str, role: str, n_images: int, description: str) -> Spec:
    return Spec(
        name=name,
        description=description,
        citation="Bylinskii, Isola, Bainbridge, Torralba & Oliva 2015. Intrinsic and extrinsic effects on image "
        "memorability. Vision Research 116, 165-178.",
        licence="no licence is stated that we know of; the images are from SUN; for research",
        source="http://figrim.mit.edu",
        instructions=INSTRUCTIONS,
        read_source=functools.partial(read_source, role=role),
        inputs=lambda folder: matching(folder, f"image_data_{role}.mat", f"{SCENES}/*/*", f"{role.capitalize()}/*/*"),
        n_images=n_images,
    )


SPEC = _spec(
    "figrim", "targets", 1754, "1,754 target scenes of 21 categories; hit rate among scenes of all categories."
)
FILLERS = _spec("figrim_fillers", "fillers", 7674, "7,674 filler scenes of FIGRIM; hit rate of the attention checks.")
