"""Published data sets in small: a few generated images and made-up scores, in the layout that each is distributed in."""

import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from PIL import Image

from memjax.datasets import Dataset, isola2011, lamem
from memjax.datasets import figrim as figrim_layout


def told(dataset: Dataset) -> dict[str, str]:
    """What was set aside and why, each once."""
    assert len({f.image for f in dataset.rejected}) == len(dataset.rejected)
    return {f.image: f.error for f in dataset.rejected}


def pixels(seed: int = 0, height: int = 20, width: int = 24) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def write_image(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels(seed)).save(path)


def link(path: Path, target: Path | str) -> None:
    """A symbolic link; skips the test where Windows allows none to this user."""
    try:
        path.symlink_to(target)
    except OSError as error:
        if sys.platform != "win32":
            raise
        pytest.skip(f"symbolic links need a privilege on Windows: {error}")


def write_table(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_NONNUMERIC).writerows([header, *rows])


MEMCAT = ("", "image_file", "category", "subcategory", "source", "H", "FA", "n_resp")
MEMCAT_SCORES = ("memorability_wo_fa_correction", "memorability_w_fa_correction")


def memcat(folder: Path, names: Sequence[str] = ("1.jpg", "2.jpg", "3.jpg", "4.jpg")) -> list[float]:
    """MemCat's table and images; the scores."""
    rows, scores = [], []
    for i, name in enumerate(names):
        hits, alarms, shown = 50 + 3 * i, 4 + i, 90 + i
        scores.append((hits - alarms) / shown)
        group = ("animal", "bear") if i % 2 else ("food", "soup")
        rows.append([str(i + 1), name, *group, "coco", hits, alarms, shown, hits / shown, scores[-1]])
        if "/" not in name:
            write_image(folder / "MemCat" / "/".join(group) / name, i)
    write_table(folder / "memcat_image_data.csv", MEMCAT + MEMCAT_SCORES, rows)
    return scores


def lamem_splits(n: int = 7) -> tuple[list[str], np.ndarray, list[list[str]]]:
    """Names, scores ``[5, n]`` that differ between splits, and the part of each image in each split."""
    names = [f"{3 * i + 1:08d}.jpg" for i in range(n)]
    scores = np.round(np.random.default_rng(7).uniform(0.4, 1.0, (5, n)), 6)
    parts = [[lamem.PARTS[(i + k) % 3] for i in range(n)] for k in range(5)]
    return names, scores, parts


def lamem_files(folder: Path) -> tuple[list[str], np.ndarray, list[list[str]]]:
    """LaMem's images and split files, whose rows are in no order."""
    names, scores, parts = lamem_splits()
    (folder / "splits").mkdir(parents=True, exist_ok=True)
    for k in range(5):
        for part in lamem.PARTS:
            rows = [f"{n} {s:.6f}\n" for n, s, p in zip(names, scores[k], parts[k]) if p == part]
            (folder / "splits" / f"{part}_{k + 1}.txt").write_text("".join(reversed(rows)))
    for i, name in enumerate(names):
        write_image(folder / "images" / name, i)
    return names, scores, parts


def structs(rows: Sequence[dict[str, Any]]) -> np.ndarray:
    """What MATLAB calls a 1 x n struct array."""
    array = np.empty((1, len(rows)), [(name, object) for name in rows[0]])
    for i, row in enumerate(rows):
        array[0, i] = tuple(row.values())
    return array


def counts(hits: int, misses: int, alarms: int, correct: int) -> dict[str, float]:
    values = zip(isola2011.COUNTS, (hits, misses, alarms, correct))
    return {name: float(value) for name, value in values}


def figrim(folder: Path, role: str = "targets", scenes: str = "SCENES_700x700") -> None:
    """Four scenes; image i was recognised in ``6 + i`` of 20 repeats across categories, ``3 + i`` of 10 within."""
    rows = []
    for i in range(4):
        category, name = ("badlands", "kitchen")[i % 2], f"sun_{'abcd'[i]}.jpg"
        within = counts(3 + i, 7 - i, 1, 9)
        across = counts(6 + i, 14 - i, 2, 38) if role == "targets" or i else counts(0, 0, 1, 30)
        rows.append({"filename": name, "isdemo": 0.0, "category": category, "amt1": within, "amt2": across})
        write_image(folder / scenes / category / name, i)
    scipy.io.savemat(folder / f"image_data_{role}.mat", {f"image_data_{role}": structs(rows)})


FIGRIM_RELEASE = (figrim_layout.COPIES[3][1], "airport/sun_e.jpg", figrim_layout.COPIES[3][0], "mountain/sun_f.jpg")
"""Four targets of the public release, two of them copies of one image."""


def figrim_release(folder: Path) -> None:
    """The public release; image i was recognised in ``30 + 5 i`` of 90 repeats, with the eye movements beside its counts."""
    rows = []
    for i, image in enumerate(FIGRIM_RELEASE):
        category, name = image.split("/")
        looked = structs([{"trial": 3.0, "SDT": np.array([4, 1, 1])}] * 2)
        both = counts(30 + 5 * i, 60 - 5 * i, 6, 94)
        rows.append(
            {"filename": name, "category": category, "impath": f"Targets/{image}", "userdata": looked, "AMT_comb": both}
        )
        write_image(folder / "Targets" / image, i)
    scipy.io.savemat(folder / figrim_layout.RELEASE, {figrim_layout.RELEASED: structs(rows)})


ISOLA = [(17, 3, 2, 18), (10, 10, 1, 19), (12, 8, 4, 16), (5, 15, 0, 20)]
"""Hits, misses, false alarms, correct rejections of four targets."""


def isola_original(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The original release with five images, of which four count; pixels ``[y, x, 3, 5]``, halves ``[2, 25, 4]``."""
    images = np.stack([pixels(i, 16, 16) for i in range(5)], axis=-1)
    data = folder / "Data"
    for name in ("Image data", "Experiment data", "Random splits"):
        (data / name).mkdir(parents=True)
    scipy.io.savemat(data / "Image data" / "target_images.mat", {"img": images})
    cells = np.empty((5, 1), object)
    for i in range(5):
        cells[i, 0] = {"filename": f"sun_{i}.jpg", **counts(*[*ISOLA, (1, 1, 1, 1)][i])}
    scipy.io.savemat(data / "Experiment data" / "sorted_target_data.mat", {"sorted_target_data": cells})
    halves = np.random.default_rng(5).random((2, isola2011.N_SPLITS, 4))
    for half, name in zip(halves, isola2011.HALVES):
        scipy.io.savemat(data / "Random splits" / f"{name}.mat", {name: half})
    return images, halves


def isola_table(folder: Path) -> None:
    """The same four targets as Lin et al. 2024 keep them."""
    rows = [[i + 1, h / (h + m), f / (f + c), h / (h + m) - f / (f + c)] for i, (h, m, f, c) in enumerate(ISOLA)]
    write_table(folder / "Image_info" / isola2011.TABLE, ("im_ind", "hit", "fa", "corrected_hit"), rows)
    for i in range(4):
        write_image(folder / "Images" / "Targets" / f"{i + 1}.jpg", i)


THINGS = {
    "images/aardvark/aardvark_01b.jpg": 0.8,
    "images/aardvark/aardvark_02s.jpg": 0.6,
    "images/abacus/abacus_01b.jpg": 0.9,
    "images/abacus/abacus_02s.jpg": "",
}


def things(folder: Path, scores: dict[str, object] | None = None) -> None:
    scores = THINGS if scores is None else scores
    rows = [[i, Path(path).name, path, score] for i, (path, score) in enumerate(scores.items(), start=1)]
    write_table(folder / "THINGS_Memorability_Scores.csv", ("image_nr", "image_name", "file_path", "cr"), rows)
    for i, path in enumerate(scores):
        if ".." not in path:
            write_image(folder / path, i)
