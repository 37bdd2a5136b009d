"""Paths named by a data set's own files: they stay inside its folder, whatever the table says."""

import dataclasses
import os
import stat
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from memjax.decoding import ImageError


class NoSuchImageError(ImageError):
    """There is no file of that name: neither a broken one nor a link to nowhere."""


@dataclasses.dataclass(frozen=True)
class ImageFolder:
    """A folder of images.

    Attributes:
        path: where it is.
        follow_links: whether symbolic links in it may lead out of it, as git-annex, DVC and download caches make them.
    """

    path: Path
    follow_links: bool = False

    def file(self, name: str) -> Path:
        """The file ``name`` below the folder.

        Raises:
            NoSuchImageError: no such file.
            ImageError: stage "read": no regular file, or outside of the folder (absolute, ``..``, a link out of it).
        """
        if (
            not name or "\0" in name or Path(name).anchor or ".." in Path(name).parts
        ):  # on Windows, C:x has an anchor too
            raise ImageError(f"{name!r}: not a path inside {self.path}; absolute paths and '..' are refused", "read")
        path = self.path / name
        try:
            real = os.path.realpath(path, strict=True)
            mode = os.stat(real).st_mode
        except (OSError, ValueError) as error:
            raise self._unreachable(name, error) from None
        if not self.follow_links and not Path(real).is_relative_to(os.path.realpath(self.path)):
            fix = "copy the file into it, or allow links (follow_links)"
            raise ImageError(f"{name}: a symbolic link that leads out of {self.path}; {fix}", "read")
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "neither a file nor a folder"
            raise ImageError(f"{name}: expected an image file, got {kind}", "read")
        return path

    def _unreachable(self, name: str, error: OSError | ValueError) -> ImageError:
        if not isinstance(error, FileNotFoundError):
            reason = getattr(error, "strerror", None) or str(error)
            return ImageError(f"{name}: {reason} in {self.path}", "read")
        if os.path.lexists(self.path / name):
            fix = "fetch the file that it stands for (git-annex, DVC), or copy it"
            return ImageError(f"{name}: a symbolic link to a file that is not there, in {self.path}; {fix}", "read")
        return NoSuchImageError(f"{name}: no such image in {self.path}", "read")


def comparable(name: str) -> str:
    """A path as the system's file systems compare it: outside of Linux, case and the form of accents do not count."""
    return name if sys.platform == "linux" else unicodedata.normalize("NFC", name).casefold()


def first_there(folder: Path, names: Sequence[str]) -> Path:
    """The first of ``names`` below ``folder`` that exists; the first of all where none does."""
    paths = [folder / name for name in names]
    return next((path for path in paths if path.exists()), paths[0])


def matching(folder: Path, *patterns: str) -> list[Path]:
    """What matches any of the glob patterns, sorted; `Spec.inputs` of most data sets."""
    return sorted({path for pattern in patterns for path in folder.glob(pattern)})
