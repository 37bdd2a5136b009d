"""Isola 2011: 2,222 photographs of scenes and objects from SUN, 256 x 256 (Isola et al. 2011).

Two layouts are read. Both were read off the authors' readme files and published scripts; the reference table below was
seen, the ``.mat`` files were not.

- Original, ``cvpr_memorability_data.zip``: ``Data/Image data/target_images.mat`` (variable ``img``, uint8
  ``[256, 256, 3, n]``; the first 2,222 are the targets, the rest are textures), ``Data/Experiment data/
  sorted_target_data.mat`` (structs with ``hits, misses, false_alarms, correct_rejections``, in the same order) and, if
  there, ``Data/Random splits/subject_hrs{1,2}.mat``: 25 half-splits of the observers. Images become PNG, unchanged.
- As Lin et al. 2024 keep it (github.com/Chibee/SPC_public): ``Image_info/target_info_IsolaEtAl.csv`` (columns ``im_ind,
  hit, fa, corrected_hit``) and ``Images/Targets/<im_ind>.jpg``, which their script makes from the original. The table
  may also lie at the top. Nothing else identifies an image. These are JPEG: pixels differ a little from the original.

The id of an image is its number, ``1`` to ``2222``, in both. ``memorability`` is the hit rate less the false alarm rate
(``corrected_hit``); the hit rate, which the first paper calls memorability, is column ``hit_rate``. The half-splits are
of hit rates: they speak of ``hit_rate`` and only roughly of ``memorability``.
"""

import io
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image as PILImage

from memjax.checks import InputError, check_folder, expected
from memjax.datasets.base import Source, Spec, make_table
from memjax.datasets.join import join
from memjax.datasets.matlab import read_halves, read_structs, read_variable
from memjax.datasets.paths import ImageFolder, first_there, matching
from memjax.datasets.scores import ScoreFile, check_unique, contradictions, numbers, read_score_file, unusable

N_IMAGES, N_SPLITS = 2222, 25
ORIGINAL = ("Data/Image data/target_images.mat", "Image data/target_images.mat")
TABLE = "target_info_IsolaEtAl.csv"
TABLES = (TABLE, f"Image_info/{TABLE}")
IMAGES = ("Images/Targets", "Targets")
HALVES = ("subject_hrs1", "subject_hrs2")
COUNTS = ("hits", "misses", "false_alarms", "correct_rejections")
RATES = ("hit", "fa", "corrected_hit")
TOLERANCE = 1e-6


def read_source(folder: Path | None, n_images: int = N_IMAGES, follow_links: bool = False) -> Source:
    """Read either layout (module docstring); the original where both are there.

    Raises:
        InputError: neither layout; a file missing, damaged, of another shape, or contradicting itself.
    """
    assert folder is not None
    images = first_there(folder, ORIGINAL)
    return _read_original(images, n_images, follow_links) if images.exists() else _read_table(folder, follow_links)


def _read_original(path: Path, n_images: int, follow_links: bool) -> Source:
    data = path.parents[1]
    pixels = read_variable(path, "img", "isola2011: images")
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[2] != 3 or pixels.shape[3] < n_images:
        wanted = f"uint8 [y, x, 3, {n_images} or more]"
        raise expected(f"isola2011: {path}, variable img", wanted, f"{pixels.dtype} {pixels.shape}")
    file = data / "Experiment data" / "sorted_target_data.mat"
    counts = read_structs(file, "sorted_target_data", (), COUNTS, "isola2011: scores")
    if len(counts) < n_images:
        raise expected(f"isola2011: {file}", f"{n_images} targets or more", len(counts))
    hits, misses, alarms, correct = (counts[name].to_numpy()[:n_images] for name in COUNTS)
    with np.errstate(divide="ignore", invalid="ignore"):
        hit_rate, alarm_rate = hits / (hits + misses), alarms / (alarms + correct)
    columns = {"hits": hits, "false_alarms": alarms, "responses": hits + misses, "first_showings": alarms + correct}
    rates = {"hit_rate": hit_rate, "false_alarm_rate": alarm_rate}
    ids = [str(number) for number in range(1, n_images + 1)]
    table = make_table(ids, hit_rate - alarm_rate, **columns, **rates)
    halves = None
    files = [data / "Random splits" / f"{name}.mat" for name in HALVES]
    if any(half.exists() for half in files):
        halves = read_halves(files, HALVES, (N_SPLITS, n_images), "isola2011: half-splits")
    source = join(table, ImageFolder(path.parent, follow_links), [path.name] * n_images, halves=halves)
    return _from_pixels(source, pixels)


def _from_pixels(source: Source, pixels: np.ndarray) -> Source:
    """``source`` with the images taken out of one array, as PNG."""

    def read(row: int) -> bytes:
        file = io.BytesIO()
        PILImage.fromarray(np.ascontiguousarray(pixels[..., int(source.table.index[row]) - 1])).save(file, "png")
        return file.getvalue()

    return Source(source.table, read, source.rejected, source.halves)


def read_rows(path: Path) -> pd.DataFrame:
    """Lin et al.'s table as text, checked.

    Raises:
        InputError: a column missing, an id twice, a score that is not the difference of its rates.
    """
    return _read_file(path).rows


def _read_file(path: Path) -> ScoreFile:
    rows, form = read_score_file(path, ["im_ind", *RATES], RATES, "isola2011: table")
    rows = rows.map(str.strip)
    check_unique(rows["im_ind"], f"isola2011: {path}, column im_ind")
    hit_rate, alarm_rate, score = (numbers(rows[name]) for name in RATES)
    wrong, rounding = contradictions(hit_rate - alarm_rate - score, [rows[name] for name in RATES], TOLERANCE)
    if wrong.any():
        image = rows["im_ind"].iloc[np.flatnonzero(wrong)[0]]
        raise InputError(
            f"isola2011: {path}: {wrong.sum()} rows, first {image}, where corrected_hit is not hit - fa; take the "
            "published file"
        )
    return ScoreFile(rows, ", ".join(filter(None, (form, rounding))))


def to_table(rows: pd.DataFrame) -> pd.DataFrame:
    """`read_rows` with numbers as numbers, in the form of `Dataset.table`."""
    score, hit_rate, false_alarm_rate = (numbers(rows[name]) for name in ("corrected_hit", "hit", "fa"))
    return make_table(rows["im_ind"].tolist(), score, hit_rate=hit_rate, false_alarm_rate=false_alarm_rate)


def _read_table(folder: Path, follow_links: bool) -> Source:
    path = first_there(folder, TABLES)
    rows, form = _read_file(path)
    images = check_folder(
        first_there(folder, IMAGES), "isola2011: the table is there, the images are not:", SPEC.instructions
    )
    names = [f"{image}.jpg" for image in rows["im_ind"]]
    rejected = unusable(rows["im_ind"], rows["corrected_hit"], path.name)
    return join(to_table(rows), ImageFolder(images, follow_links), names, rejected, form=form)


SPEC = Spec(
    name="isola2011",
    description="2,222 photographs of scenes from SUN; hit rate less false alarm rate.",
    citation="Isola, Xiao, Torralba & Oliva 2011. What makes an image memorable? CVPR 2011, 145-152. "
    "Isola, Xiao, Parikh, Torralba & Oliva 2014. What makes a photograph memorable? IEEE TPAMI 36.",
    licence="no licence is stated that we know of; the images are from SUN; for research",
    source="http://web.mit.edu/phillipi/Public/WhatMakesAnImageMemorable/",
    instructions="unpack cvpr_memorability_data.zip from http://web.mit.edu/phillipi/Public/WhatMakesAnImageMemorable/ "
    f"and give the folder that holds Data; or a folder with {TABLE} and Images/Targets/<im_ind>.jpg",
    read_source=read_source,
    inputs=lambda folder: matching(
        folder,
        *TABLES,
        *(f"{top}/*" for top in IMAGES),
        *("Data/*/*.mat", "Image data/*", "Experiment data/*"),
        "Random splits/subject_hrs*",
    ),
    n_images=N_IMAGES,
)
