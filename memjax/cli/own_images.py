"""One's own images, as commands name them: a folder, or shards."""

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from memjax.checks import check_folder, expected

if TYPE_CHECKING:
    from memjax.datasets import Dataset


@runtime_checkable
class NamedImages(Protocol):
    """What the arguments of a command say of the images."""

    @property
    def images(self) -> str | None: ...
    @property
    def scores(self) -> Path | None: ...
    @property
    def score_column(self) -> str | None: ...
    @property
    def limit(self) -> int | None: ...
    @property
    def follow_links(self) -> bool: ...


def open_named_images(args: NamedImages) -> "Dataset":
    """The images that ``args.images`` names, with their scores if there are some: `open_own_images`."""
    return open_own_images(args.images or "", args.scores, args.score_column, args.limit, args.follow_links)


def open_own_images(
    images: str,
    scores: Path | None = None,
    score_column: str | None = None,
    limit: int | None = None,
    follow_links: bool = False,
) -> "Dataset":
    """A folder of images, or shards.

    Raises:
        InputError: they cannot be opened, or what is said of them fits only a folder, or only shards.
    """
    from memjax.datasets import open_folder, open_shards
    from memjax.datasets.shard_files import is_shards

    if is_shards(images):
        return open_shards(images, scores, score_column=score_column, limit=limit)
    if score_column is not None:
        wanted, fix = "shards (*.tar, *.parquet)", "give the scores of a folder as a file"
        raise expected("score_column", wanted, f"images {images}", fix, argument="score_column")
    return open_folder(check_folder(images, "images", argument="images"), scores, limit, follow_links)
