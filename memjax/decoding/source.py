"""The forms that an image comes in, and what is wrong with one."""

import os
import stat
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image as PILImage

from memjax.checks import InputError

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
    came = type(source).__name__
    if isinstance(source, np.ndarray):
        came = f"{source.dtype} [{', '.join(map(str, source.shape))}]"
        grey, channels = source.ndim == 2, source.shape[-1] if source.ndim == 3 else 0
        if source.dtype == np.uint8 and source.size and (grey or channels in (1, 3, 4)):
            return
    wanted = "a path, a file's bytes, a PIL image, or a uint8 array [y, x], [y, x, 1], [y, x, 3] or [y, x, 4]"
    raise ImageError(f"expected an image ({wanted}), got {came}", "decode")


def name_of(source: ImageSource) -> str:
    """How messages begin that speak of an image: its path and a colon, or nothing where it has no path."""
    return f"{os.fspath(source)}: " if isinstance(source, (str, os.PathLike)) else ""
