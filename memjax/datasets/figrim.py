"""FIGRIM: 9,428 photographs of 21 scene categories from SUN, 1,754 targets and 7,674 fillers (Bylinskii et al. 2015).

Two data sets: ``figrim``, the targets, and ``figrim_fillers``. Two forms of the targets are read, whichever is there:

- ``allImages_release.mat``, the one that is public (github.com/cvzoya/figrim): 630 targets, variable ``allImages``, structs
  ``filename``, ``category`` and in ``AMT_comb`` the counts ``hits, misses, false_alarms, correct_rejections`` of both games
  together; images ``Targets/<category>/<filename>`` (Targets.zip);
- ``image_data_targets.mat`` and ``image_data_fillers.mat``, with the counts in ``amt1`` (game within the category) and
  ``amt2`` (across all); images ``SCENES_700x700/<category>/<filename>``. This layout was read off the authors' published
  programs (github.com/cvzoya/memorability-distinctiveness) and others that read the files; the files themselves were not seen.

Images that are not there are set aside. The id is ``<category>/<filename>``. ``memorability`` is the hit rate, uncorrected, as
the authors' programs have it: of ``AMT_comb``, or of ``amt2``, whose context is the whole data set, as here; then
``memorability_within`` is that of ``amt1``. The counts are those of ``memorability``. The authors name six pairs of copies among
the files of the targets (`COPIES`). The release's table has the first of each pair alone; where a table has both, both stay,
and share a label in the column ``duplicates``.
Fillers were shown again only shortly after, to see whether players paid attention: their hit rate is no memorability in the
sense of the targets', and those never shown again are set aside. Half-splits are not published.
"""

import functools
from collections.abc import Sequence
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
WITHIN, ACROSS, TOGETHER = "amt1", "amt2", "AMT_comb"
RELEASE, RELEASED = "allImages_release.mat", "allImages"
"""The public file, and its variable."""

INSTRUCTIONS = (
    f"put {RELEASE} (github.com/cvzoya/figrim) beside Targets/<category>/<filename> (unpacked Targets.zip); or, from "
    f"http://figrim.mit.edu, image_data_targets.mat and image_data_fillers.mat beside {SCENES}/<category>/<filename>"
)

COPIES = (
    ("highway/sun_bnjxztsvnercygxn.jpg", "highway/sun_bdwttbytrbnqyqsk.jpg"),
    ("conference_room/sun_awjucfvtjllxrtkv.jpg", "conference_room/sun_abpqxslcljhrwmck.jpg"),
    ("highway/sun_byoonkqxghujgvkh.jpg", "highway/sun_bjitfqyiepkgfkks.jpg"),
    ("highway/sun_bwrlzawyknljbhcb.jpg", "highway/sun_auwrraazjwdcjcjg.jpg"),
    ("mountain/sun_boskvwzgsvsyuhll.jpg", "mountain/sun_bgdykfpjgudqpzlu.jpg"),
    ("conference_room/sun_bzagimnxconenicn.jpg", "conference_room/sun_bsccnfecifucnavf.jpg"),
)
"""Pairs of ids that the authors' notes name as copies of one image."""


def read_source(folder: Path | None, role: str = "targets", follow_links: bool = False) -> Source:
    """Read either published form (module docstring).

    Args:
        role: ``"targets"`` or ``"fillers"``.

    Raises:
        InputError: a file or folder missing, no array of structs with these fields, an image twice.
    """
    assert folder is not None
    path = folder / f"image_data_{role}.mat"
    is_release = role == "targets" and not path.exists()
    if is_release:
        path = folder / RELEASE
    score, games = (TOGETHER, (TOGETHER,)) if is_release else (ACROSS, (WITHIN, ACROSS))
    fields = [f"{game}.{count}" for game in games for count in COUNTS]
    rows = read_structs(path, RELEASED if is_release else path.stem, ("filename", "category"), fields, "figrim: scores")
    images = check_folder(
        first_there(folder, (SCENES, role.capitalize())),
        "figrim: the scores are there, the images are not:",
        INSTRUCTIONS,
    )
    ids = rows["category"] + "/" + rows["filename"]
    check_unique(ids, f"figrim: {path}")
    table = to_table(rows, ids.tolist(), score)
    form = "counts of both games together" if is_release else ""
    return join(table, ImageFolder(images, follow_links), ids.tolist(), form=form)


def to_table(rows: pd.DataFrame, ids: Sequence[str], game: str) -> pd.DataFrame:
    """Scores and counts of one game, in the form of `memjax.datasets.Dataset.table`."""
    hits, misses, alarms, correct = (rows[f"{game}.{count}"].to_numpy() for count in COUNTS)
    return make_table(
        ids,
        hit_rate(rows, game),
        category=rows["category"],
        hits=hits,
        false_alarms=alarms,
        responses=hits + misses,
        first_showings=alarms + correct,
        duplicates=copies_among(ids),
        memorability_within=hit_rate(rows, WITHIN) if f"{WITHIN}.hits" in rows else None,
    )


def copies_among(ids: Sequence[str]) -> list[str] | None:
    """For each image the label of its pair of `COPIES`, the id of the first of the two; None where no pair is whole.

    Example:
        >>> copies_among([COPIES[0][1], "kitchen/sun_a.jpg", COPIES[0][0]])
        ['highway/sun_bnjxztsvnercygxn.jpg', '', 'highway/sun_bnjxztsvnercygxn.jpg']
    """
    there = set(ids)
    labels = {image: pair[0] for pair in COPIES if there.issuperset(pair) for image in pair}
    return [labels.get(image, "") for image in ids] if labels else None


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
        inputs=lambda folder: matching(
            folder, RELEASE, f"image_data_{role}.mat", f"{SCENES}/*/*", f"{role.capitalize()}/*/*"
        ),
        n_images=n_images,
        version="1.1.0",
    )


SPEC = _spec(
    "figrim", "targets", 1754, "1,754 target scenes of 21 categories; hit rate among scenes of all categories."
)
FILLERS = _spec("figrim_fillers", "fillers", 7674, "7,674 filler scenes of FIGRIM; hit rate of the attention checks.")
