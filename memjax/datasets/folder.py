"""One's own images: a folder, and a table ``image,memorability[,category]``; read in place, never copied."""

import dataclasses
from pathlib import Path

from memjax.checks import check_folder
from memjax.datasets.base import Dataset, Failure, Record, fingerprint, make_table, take
from memjax.datasets.join import join
from memjax.datasets.paths import image_names, inside, printable
from memjax.datasets.scores import check_unique, numbers, read_csv, unusable
from memjax.images import read_bytes


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


def open_folder(images_dir: str | Path, scores_csv: str | Path, limit: int | None = None) -> Dataset:
    """Open a folder of images with a CSV file of scores.

    Args:
        images_dir: the folder; ids in the file are paths relative to it.
        scores_csv: columns ``image``, ``memorability`` and, if wanted, ``category``; UTF-8, one row an image.
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
    folder = check_folder(images_dir, "image folder")
    path = Path(scores_csv).expanduser()
    rows = read_csv(path, ["image", "memorability"])
    ids = rows["image"].str.strip()
    check_unique(ids, f"score file {path}, column image")
    table = make_table(ids.tolist(), numbers(rows["memorability"]), category=rows.get("category"))
    source = join(table, folder, ids.tolist(), unusable(ids, rows["memorability"], path.name))
    known = {Path(name).as_posix() for name in ids if name}
    unreadable: list[Failure] = []
    strays = [
        Failure(printable(name), "scores", f"the image has no row in {path.name}")
        for name in image_names(folder, unreadable)
        if name not in known
    ]
    names = tuple(source.table.index)
    sizes = [_size(folder / name) for name in names]
    info = {
        "citation": "",
        "licence": "the user's own images",
        "source": f"{folder}, {path}",
        "synthetic": False,
        "fingerprint": fingerprint("folder", *zip(names, source.table["memorability"].tolist(), sizes)),
    }
    rejected = source.rejected + strays + unreadable
    return take(Dataset("folder", source.table, FolderRecords(folder, names), info, None, rejected), limit)


def _size(path: Path) -> int:
    """Bytes of a file; -1 if it has gone by now, which reading it will tell."""
    try:
        return path.stat().st_size
    except OSError:
        return -1
