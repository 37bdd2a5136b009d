"""The forms that an image comes in, and what is wrong with one."""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image as PILImage

from memjax.checks import InputError, expected, is_torch, what_is

MAX_BYTES = 256 * 2**20
"""Largest file read, in bytes."""

ImageSource: TypeAlias = str | os.PathLike[str] | bytes | PILImage.Image | np.ndarray
"""One image: a path, a file's bytes, a PIL image, or an array, uint8 ``[y, x]``, ``[y, x, 1]``, ``[y, x, 3]`` (RGB) or
``[y, x, 4]`` (RGBA). An array's values and a PIL image's are taken as they are."""


class ImageError(InputError):
    """An image cannot be used; ``stage`` says where it failed: ``"read"``, ``"decode"`` or ``"resize"``."""

    def __init__(self, message: str, stage: str):
        super().__init__(" ".join(message.split()))
        self.stage = stage

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (str(self), self.stage)


def read_bytes(path: str | os.PathLike[str], max_bytes: int = MAX_BYTES) -> bytes:
    """An image file's bytes.

    Raises:
        ImageError: stage "read": missing, no regular file, unreadable, or larger than ``max_bytes``.
    """
    try:
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "neither a file nor a folder"
            raise ImageError(f"{path}: expected an image file, got {kind}", "read")
        if status.st_size > max_bytes:
            raise ImageError(f"{path}: {status.st_size} bytes, more than the limit of {max_bytes}", "read")
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, ImageError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{path}: cannot be read: {reason}", "read") from None


def check_form(source: object) -> None:
    """Refuse what is no `ImageSource`, before anything is read.

    Raises:
        ImageError: stage "decode"; says what was expected.
    """
    if isinstance(source, (str, os.PathLike, bytes, PILImage.Image)):
        return
    came, fix = what_is(source), ""
    if isinstance(source, np.ndarray):
        came = f"{source.dtype} [{', '.join(map(str, source.shape))}]"
        grey, channels = source.ndim == 2, source.shape[-1] if source.ndim == 3 else 0
        if source.dtype == np.uint8 and source.size and (grey or channels in (1, 3, 4)):
            return
    fix = _remedy(source)
    wanted = "a path, a file's bytes, a PIL image, or a uint8 array [y, x], [y, x, 1], [y, x, 3] or [y, x, 4]"
    raise ImageError(f"expected an image ({wanted}), got {came}{f'; {fix}' if fix else ''}", "decode")


def _remedy(source: object) -> str:
    """What to do about something that is no image; empty where there is nothing to say."""
    if is_torch(source):
        return "write image.permute(1, 2, 0).numpy() for uint8 [y, x, 3]"
    if isinstance(source, list):
        return "write np.array(image, np.uint8)"
    if not isinstance(source, np.ndarray) or not source.size:
        return ""
    if source.ndim == 3 and source.shape[-1] not in (1, 3, 4) and source.shape[0] in (1, 3, 4):
        return "channels come last: write np.moveaxis(image, 0, -1)"
    if source.dtype.kind == "f" and source.min() < 0:
        return "pixels that are normalised go to memjax.features or memjax.trace as they are"
    if source.dtype.kind == "f":
        return f"write {'(255 * image)' if source.max() <= 1 else 'image'}.round().astype(np.uint8)"
    deep = source.dtype.kind in "ui" and source.dtype != np.uint8
    return "write image.astype(np.uint8) if its values are 0 to 255" if deep else ""


def check_list(images: object, wanted: str) -> None:
    """Refuse what is no list of images, or an empty one.

    Args:
        images: what should be a list of images, or uint8 ``[b, y, x, c]``.
        wanted: what is expected, for the error.

    Raises:
        InputError: one image, something that is read once (a generator), no sequence, or nothing.

    Example:
        >>> check_list("a.jpg", "a list of images")
        Traceback (most recent call last):
        memjax.checks.InputError: images: expected a list of images, got the text 'a.jpg'; write ['a.jpg']
    """
    fix = ""
    if isinstance(images, (str, os.PathLike)):
        name = os.fspath(images)
        fix = f"write sorted(Path({name!r}).iterdir())" if Path(name).is_dir() else f"write [{name!r}]"
    elif isinstance(images, (bytes, PILImage.Image)) or (isinstance(images, np.ndarray) and images.ndim != 4):
        fix = "write [image]"
    elif is_torch(images):
        fix = "write images.permute(0, 2, 3, 1).numpy() for uint8 [b, y, x, 3]"
    elif hasattr(images, "columns"):
        fix = "write list(frame['image']), its column of paths"
    elif isinstance(images, Mapping):
        fix = "write list(images.values())"
    elif hasattr(images, "records"):
        fix = "write [dataset.records[i].data for i in range(len(dataset))]"
    elif isinstance(images, Iterator):
        fix = "write list(images)"
    elif hasattr(images, "__len__") and hasattr(images, "__getitem__"):
        if len(images):
            return
        raise expected(
            "images", "one or more", "none", "check the folder, or the pattern that they were listed by", "images"
        )
    came = "one array" if isinstance(images, np.ndarray) else what_is(images)
    raise expected("images", wanted, came, fix, "images")


def name_of(source: ImageSource) -> str:
    """How messages begin that speak of an image: its path and a colon, or nothing where it has no path."""
    return f"{os.fspath(source)}: " if isinstance(source, (str, os.PathLike)) else ""
