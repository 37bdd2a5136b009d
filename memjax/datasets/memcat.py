"""MemCat: 10,000 photographs in five categories (Goetschalckx & Wagemans 2019); scores corrected for false alarms.

The table ``memcat_image_data.csv`` is public (its columns were read off the published file); the images have to be
asked for from the authors. They lie as ``MemCat/<category>/<subcategory>/<image_file>``. Both may also lie as their two
archives unpack: ``MemCat_data/memcat_image_data.csv`` and ``MemCat_images/MemCat/...``. The id of an image is its
``image_file``.

Half-splits are not published; the counts are, and `memjax.stats.reliability.halves_from_counts` deals them to two
halves. The publication gives 0.78 as the observers' split-half consistency: that of hits alone, dealt in this way, is 0.777,
that of the score, which is corrected for false alarms, 0.745.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from memjax.checks import InputError, check_folder
from memjax.datasets.base import Source, Spec, make_table
from memjax.datasets.join import join
from memjax.datasets.paths import ImageFolder, first_there, matching
from memjax.datasets.scores import ScoreFile, check_unique, contradictions, numbers, read_score_file, unusable

TABLE = "memcat_image_data.csv"
TABLES = (TABLE, f"MemCat_data/{TABLE}")
IMAGES = ("MemCat", "MemCat_images/MemCat")
SCORE = "memorability_w_fa_correction"
COUNTS = ("H", "FA", "n_resp")
TOLERANCE = 1e-6
ASK = (
    "ask the authors of Goetschalckx & Wagemans 2019 (doi 10.7717/peerj.8169) for the images and put them beside the "
    "table as MemCat/<category>/<subcategory>/<image_file>"
)


def read_source(folder: Path | None, follow_links: bool = False) -> Source:
    """Read the published layout (module docstring).

    Raises:
        InputError: no table, no folder of images; the table lacks a column, has an id twice or contradicts itself.
    """
    assert folder is not None
    path = first_there(folder, TABLES)
    rows, form = _read_file(path)
    images = check_folder(first_there(folder, IMAGES), "memcat: the table is there, the images are not:", ASK)
    names = ["/".join(parts) for parts in zip(rows["category"], rows["subcategory"], rows["image_file"])]
    rejected = unusable(rows["image_file"], rows[SCORE], path.name)
    return join(to_table(rows), ImageFolder(images, follow_links), names, rejected, form=form)


def read_rows(path: Path) -> pd.DataFrame:
    """The published table as text, checked.

    Raises:
        InputError: a column missing, an id twice, a score that its own counts contradict.
    """
    return _read_file(path).rows


def _read_file(path: Path) -> ScoreFile:
    numeric = (*COUNTS, SCORE)
    rows, form = read_score_file(path, ["image_file", "category", "subcategory", *numeric], numeric, "memcat: table")
    rows = rows.map(str.strip)
    check_unique(rows["image_file"], f"memcat: {path}, column image_file")
    hits, false_alarms, responses = (numbers(rows[name]) for name in COUNTS)
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = (hits - false_alarms) / responses - numbers(rows[SCORE])
    wrong, rounding = contradictions(difference, [rows[SCORE]], TOLERANCE)
    if wrong.any():
        image = rows["image_file"].iloc[np.flatnonzero(wrong)[0]]
        raise InputError(
            f"memcat: {path}: {wrong.sum()} rows, first {image}, where {SCORE} is not (H - FA) / n_resp; columns do not "
            "belong together, take the published file"
        )
    return ScoreFile(rows, ", ".join(filter(None, (form, rounding))))


def to_table(rows: pd.DataFrame) -> pd.DataFrame:
    """`read_rows` with numbers as numbers, in the form of `Dataset.table`."""
    hits, false_alarms, responses = (numbers(rows[name]) for name in COUNTS)
    return make_table(
        rows["image_file"].tolist(),
        numbers(rows[SCORE]),
        category=rows["category"],
        subcategory=rows["subcategory"],
        source=rows.get("source"),
        hits=hits,
        false_alarms=false_alarms,
        responses=responses,
    )


SPEC = Spec(
    name="memcat",
    description="10,000 photographs, 2,000 each of animals, food, landscapes, sports, vehicles; hit rate corrected for "
    "false alarms.",
    citation="Goetschalckx & Wagemans 2019. MemCat: a new category-based image set quantified on memorability. "
    "PeerJ 7, e8169.",
    licence="the images come from ImageNet, COCO, Open Images and SUN, under the terms of each; for research",
    source="https://doi.org/10.7717/peerj.8169",
    instructions=f"the folder has to hold {TABLE}; {ASK}",
    read_source=read_source,
    inputs=lambda folder: matching(folder, *TABLES, *(f"{top}/*/*/*" for top in IMAGES)),
    n_images=10_000,
    version="1.1.0",
)
