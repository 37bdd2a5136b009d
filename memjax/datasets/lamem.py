"""LaMem: 58,741 images of many kinds with five official splits (Khosla et al. 2015).

Layout of ``lamem.tar.gz``: ``images/<file>.jpg`` and ``splits/{train,val,test}_{1..5}.txt``, rows ``file score``, no
header. It was read off the published split files: each of the five splits lists every image once (45,000 train, 3,741
val, 10,000 test). The licence text of the archive could not be seen.

The score of an image is NOT the same in every split: in the published files it differs by some hundredths between
splits, as hit rates of different halves of the observers do (e.g. 34/40 and 37/44): each split's are of a half drawn anew.
So nothing is refused for that.
``memorability`` is the mean over the five splits; columns ``split_k`` (train, val, test) and ``score_k`` keep what each
official split says, for results that have to be comparable with publications. What is refused: an image twice in one
split, or in some splits and not in others.

No counts and no half-splits are published. How far people agree follows from the five scores of an image: two random halves
that share half of their observers correlate at (1 + r) / 2 where disjoint ones would at r. In the published files that is
0.835 (mean of ten pairs, Spearman), so r = 0.67; the paper gives 0.68. See `memjax.stats.reliability.overlapping_halves`.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from memjax.checks import InputError
from memjax.datasets.base import N_OFFICIAL, PARTS, Failure, Source, Spec, make_table
from memjax.datasets.join import join
from memjax.datasets.paths import ImageFolder, matching
from memjax.datasets.scores import check_unique, numbers, read_score_file, unusable


def read_source(folder: Path | None, follow_links: bool = False) -> Source:
    """Read the published layout (module docstring); images in the order of their names.

    Raises:
        InputError: a split file missing or not two columns; an image twice in a split, or not in every split.
    """
    assert folder is not None
    rejected: dict[str, Failure] = {}
    forms: dict[str, None] = {}
    splits = [_read_split(folder / "splits", number, rejected, forms) for number in range(1, N_OFFICIAL + 1)]
    ids = splits[0].index.sort_values()
    for number, split in enumerate(splits[1:], start=2):
        odd = ids.symmetric_difference(split.index)
        if len(odd):
            raise InputError(
                f"lamem: {folder / 'splits'}: {len(odd)} images, first {odd[0]}, are in only one of split 1 and split "
                f"{number}; every split has to list the same images"
            )
    splits = [split.loc[ids] for split in splits]
    scores = {f"score_{k}": split["score"] for k, split in enumerate(splits, start=1)}
    parts = {f"split_{k}": split["part"] for k, split in enumerate(splits, start=1)}
    mean = np.mean([column.to_numpy() for column in scores.values()], axis=0)
    table, images = make_table(ids.tolist(), mean, **scores, **parts), ImageFolder(folder / "images", follow_links)
    return join(table, images, list(ids), list(rejected.values()), form="; ".join(filter(None, forms)))


def _read_split(folder: Path, number: int, rejected: dict[str, Failure], forms: dict[str, None]) -> pd.DataFrame:
    """One official split: index image, columns ``score``, ``part``; adds unusable rows and the files' forms."""
    tables = []
    for part in PARTS:
        path = folder / f"{part}_{number}.txt"
        rows, form = read_score_file(path, ["image", "score"], ["score"], "lamem: split file", headed=False)
        forms[form] = None
        for failure in unusable(rows["image"], rows["score"], path.name):
            rejected.setdefault(failure.image, failure)
        tables.append(pd.DataFrame({"image": rows["image"], "score": numbers(rows["score"]), "part": part}))
    split = pd.concat(tables, ignore_index=True)
    check_unique(split["image"], f"lamem: {folder}, train, val and test of split {number}")
    return split.set_index("image")


SPEC = Spec(
    name="lamem",
    description="58,741 images from many sources; hit rate, mean over the five official splits, which are kept.",
    citation="Khosla, Raju, Torralba & Oliva 2015. Understanding and Predicting Image Memorability at a Large Scale. "
    "ICCV 2015, doi 10.1109/ICCV.2015.275.",
    licence="the images come from several collections, under the terms of each; for academic research, see the site",
    source="http://memorability.csail.mit.edu/download.html",
    instructions="unpack lamem.tar.gz from http://memorability.csail.mit.edu/download.html and give the folder that "
    "holds images and splits",
    read_source=read_source,
    inputs=lambda folder: matching(folder, "splits/*.txt", "images/*"),
    n_images=58_741,
)
