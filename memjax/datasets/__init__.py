"""Data sets of images with human memorability scores, by name (`open_dataset`) or from one's own folder or table."""

from pathlib import Path

from memjax.cache import cache_dir
from memjax.checks import InputError, path_of
from memjax.datasets import demo, figrim, isola2011, lamem, lnsim, memcat, things
from memjax.datasets.base import Dataset, Failure, Record, Records, Spec, check_limit, take
from memjax.datasets.builder import open_built
from memjax.datasets.folder import open_folder
from memjax.datasets.shards import open_shards
from memjax.datasets.table import open_table

__all__ = [
    "Dataset",
    "Failure",
    "Record",
    "Records",
    "names",
    "open_dataset",
    "open_folder",
    "open_shards",
    "open_table",
    "spec",
]

SPECS: dict[str, Spec] = {
    spec.name: spec
    for spec in (
        demo.SPEC,
        lnsim.SPEC,
        memcat.SPEC,
        lamem.SPEC,
        figrim.SPEC,
        figrim.FILLERS,
        isola2011.SPEC,
        things.SPEC,
    )
}


def names() -> list[str]:
    """The names that `open_dataset` knows.

    Example:
        >>> names()
        ['demo', 'lnsim', 'memcat', 'lamem', 'figrim', 'figrim_fillers', 'isola2011', 'things']
    """
    return list(SPECS)


def spec(name: str) -> Spec:
    """What is known of a data set without opening it: citation, licence, how to get it.

    Raises:
        InputError: no such data set.
    """
    if not isinstance(name, str) or name not in SPECS:
        known = ", ".join(SPECS)
        own = "or use a folder of your own images (memjax.open_folder)"
        raise InputError(f"data set {name!r}: unknown; known are {known}, {own}", argument="dataset")
    return SPECS[name]


def open_dataset(
    name: str,
    data_dir: str | Path | None = None,
    limit: int | None = None,
    download: bool = False,
    follow_links: bool = False,
) -> Dataset:
    """Open a published data set, or the synthetic ``demo``.

    The first time, its files are copied into a tfds builder in the cache (``MEMJAX_CACHE``, ``~/.cache/memjax``); without
    the package array_record (Windows) they are read through once, and then in place.

    Args:
        name: one of `names`.
        data_dir: the folder with the published files; may be read-only. The demo needs none.
        limit: only the first so many images, in the data set's order.
        download: fetch the files first where that is possible (lnsim), into ``data_dir`` or the cache.
        follow_links: images may be symbolic links that lead out of ``data_dir`` (git-annex, DVC); else those are refused.

    A part of a data set is one too: images that are not there are listed in ``rejected`` with stage ``absent``, and counted
    in ``info["images_absent"]``.

    Raises:
        InputError: unknown name, files missing or not in the published layout.

    Example:
        >>> dataset = open_dataset("demo", limit=3)
        >>> len(dataset), dataset.info["synthetic"]
        (3, True)
    """
    known = spec(name)
    check_limit(limit)
    if download:
        if name != "lnsim":
            fix = known.instructions or "it needs no files"
            raise InputError(f"{name}: cannot be downloaded; {fix}", argument="download")
        data_dir = lnsim.download(path_of(data_dir, "data_dir") if data_dir else cache_dir() / "downloads" / "lnsim")
    return take(open_built(known, data_dir, follow_links), limit)
