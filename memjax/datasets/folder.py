"""One's own images: a folder, and a table ``image,memorability[,category]``; read in place, never copied."""

import dataclasses
from pathlib import Path

import numpy as np

from memjax.checks import check_folder
from memjax.datasets.base import Dataset, Failure, Record, Source, fingerprint, make_table, take
from memjax.datasets.join import join
from memjax.datasets.paths import comparable, image_names, inside, printable
from memjax.datasets.scores import check_unique, numbers, read_csv, unusable
from memjax.decoding import read_bytes


@dataclasses.dataclass(frozen=True)
class FolderRecords:
    """Images read from a folder when asked for."""

    folder: Path
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Record:
        name = self.names[index]
        return Record(name, read_bytes(inside(self.folder, name)))


def open_folder(images_dir: str | Path, scores_csv: str | Path | None = None, limit: int | None = None) -> Dataset:
    """Open a folder of images, with a CSV file of scores or without scores.

    Args:
        images_dir: the folder; ids are paths relative to it.
        scores_csv: columns ``image``, ``memorability`` and, if wanted, ``category``; UTF-8, one row per image. None: every
            image in the folder and below, sorted by name within each folder, without a score.
        limit: use the first so many usable rows only.

    Returns:
        The data set, in the order of the file. In its ``rejected``: rows without a finite score, rows whose image is
        missing, no regular file or outside of the folder, images in the folder that have no row, and folders in it
        that cannot be listed.

    Raises:
        InputError: folder or file missing, a column missing, ids twice, no usable row.

    Example:
        >>> open_folder("images", "scores.csv")  # doctest: +SKIP
    """
    folder = check_folder(images_dir, "image folder", argument="images")
    unreadable: list[Failure] = []
    found = list(image_names(folder, unreadable))
    if scores_csv is None:
        table = make_table(found, np.full(len(found), np.nan))
        return _open(folder, str(folder), join(table, folder, found, scored=False), unreadable, limit)
    path = Path(scores_csv).expanduser()
    rows = read_csv(path, ["image", "memorability"], argument="scores")
    ids = rows["image"].str.strip()
    check_unique(ids, f"score file {path}, column image")
    table = make_table(ids.tolist(), numbers(rows["memorability"]), category=rows.get("category"))
    source = join(table, folder, ids.tolist(), unusable(ids, rows["memorability"], path.name))
    known = {comparable(Path(name).as_posix()) for name in ids if name}
    strays = [
        Failure(printable(name), "scores", f"the image has no row in {path.name}")
        for name in found
        if comparable(name) not in known
    ]
    return _open(folder, f"{folder}, {path}", source, strays + unreadable, limit)


def _open(folder: Path, where: str, source: Source, rejected: list[Failure], limit: int | None) -> Dataset:
    names = tuple(source.table.index)
    sizes = [size_of(folder / name) for name in names]
    info = own_info(where, fingerprint("folder", *zip(names, source.table["memorability"].tolist(), sizes)))
    records = FolderRecords(folder, names)
    return take(Dataset("folder", source.table, records, info, None, source.rejected + rejected), limit)


def own_info(where: str, fingerprint: str) -> dict[str, str | bool | int]:
    """`Dataset.info` of one's own images."""
    return {
        "citation": "",
        "licence": "the user's own images",
        "source": where,
        "synthetic": False,
        "fingerprint": fingerprint,
    }


def size_of(path: Path) -> int:
    """Bytes of a file; -1 if it has gone by now, which reading it will tell."""
    try:
        return path.stat().st_size
    except OSError:
        return -1
