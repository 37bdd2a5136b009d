"""THINGS memorability: 26,107 images of 1,854 object concepts (Kramer et al. 2023).

``THINGS_Memorability_Scores.csv`` (osf.io/5a7z6) has the columns ``image_nr, image_name, file_path, cr`` and one row an image.
Read are ``file_path`` (``images/<concept>/<file>.jpg``) and ``cr`` (corrected recognition: hit rate less false alarm rate);
counts are not published. One image, goalpost/goalpost_08s.jpg, has no score. The images are those of THINGS
(osf.io/jum2f), below ``images`` or ``object_images``.

The id of an image is ``<concept>/<file>.jpg``; the category is the concept. ``concept_memorability`` is the mean of the
scores of all rows of that concept, images or not. Half-splits are not published in the table.
"""

from pathlib import Path

import pandas as pd

from memjax.checks import check_folder
from memjax.datasets.base import Source, Spec, make_table
from memjax.datasets.join import join
from memjax.datasets.paths import ImageFolder, first_there, matching
from memjax.datasets.scores import check_unique, numbers, read_score_file, unusable

TABLE = "THINGS_Memorability_Scores.csv"
PREFIX = "images/"
IMAGES = ("images", "object_images")


def read_source(folder: Path | None, follow_links: bool = False) -> Source:
    """Read the published layout (module docstring).

    Raises:
        InputError: no table, no images, a column missing, a path twice.
    """
    assert folder is not None
    path = folder / TABLE
    rows, form = read_score_file(path, ["file_path", "cr"], ["cr"], "things: table")
    paths, backslashes = _with_slashes(rows["file_path"].str.strip())
    ids = paths.str.removeprefix(PREFIX)
    check_unique(ids, f"things: {path}, column file_path")
    images = check_folder(
        first_there(folder, IMAGES), "things: the table is there, the images are not:", SPEC.instructions
    )
    scores = numbers(rows["cr"])
    concepts = [Path(name).parent.as_posix() for name in ids]
    means = pd.Series(scores).groupby(concepts).transform("mean")
    table = make_table(ids.tolist(), scores, category=concepts, concept_memorability=means)
    form = ", ".join(filter(None, (form, backslashes)))
    rejected = unusable(ids, rows["cr"], path.name)
    return join(table, ImageFolder(images, follow_links), ids.tolist(), rejected, form=form)


def _with_slashes(paths: pd.Series) -> tuple[pd.Series, str]:
    """Paths as published, where Windows wrote them all with backslashes; and the word for it."""
    if paths.str.contains("/", regex=False).any() or not paths.str.contains("\\", regex=False).any():
        return paths, ""
    return paths.str.replace("\\", "/", regex=False), "paths with backslashes"


SPEC = Spec(
    name="things",
    description="26,107 images of 1,854 object concepts; corrected recognition, with the mean of each concept.",
    citation="Kramer, Hebart, Baker & Bainbridge 2023. The features underlying the memorability of objects. "
    "Science Advances 9(17), eadd2981. Images: Hebart et al. 2019, PLoS ONE 14(10), e0223792.",
    licence="the images were collected from the web and are under their owners' terms; for research, see osf.io/jum2f",
    source="https://osf.io/5a7z6",
    instructions=f"put {TABLE} (https://osf.io/5a7z6) beside the images of THINGS (https://osf.io/jum2f), unpacked as "
    "images/<concept>/<file>.jpg",
    read_source=read_source,
    inputs=lambda folder: matching(folder, TABLE, *(f"{top}/*/*" for top in IMAGES)),
    n_images=26_107,
)
