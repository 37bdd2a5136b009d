"""Pixels that a user hands to an encoder: refused with the remedy where they cannot be what it takes, before any work.

Shapes and types are looked at wherever they come from, which costs nothing; values only where they lie in the host's memory
(NumPy), so that nothing is fetched from a device. Pixels on a device are taken as they are.
"""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from memjax.checks import InputError, expected, is_torch, what_is
from memjax.preprocessing import Preprocessing, normalise_table

MAKE = "memjax.read_images(images, encoder.preprocessing) makes them of files, PIL images and uint8 arrays"
"""The remedy for what is no pixels yet."""

FAR = 10
"""So many times the largest pixel that an encoder's preprocessing gives: those are grey levels."""


def checked_pixels(pixels: object, pre: Preprocessing) -> Any:
    """A batch of pixels as it was given; arrays in a list as one array.

    Args:
        pixels: what should be floats ``[b, y, x, 3]``.
        pre: how the encoder's pixels are made.

    Raises:
        InputError: something else, no image, integers, another shape or order of axes; in the host's memory also values that are
            no finite numbers, grey levels, or 0 to 1 where the encoder's pixels are normalised.

    Example:
        >>> try:
        ...     checked_pixels(np.zeros((2, 3, 8, 8), np.float32), Preprocessing())
        ... except InputError as error:
        ...     print(str(error).partition("; ")[2])
        channels come last: write np.moveaxis(pixels, 1, -1)
    """
    batch = _as_array(pixels)
    _check_type(batch, "pixels", "[b, y, x, 3]")
    if fix := _remedy_of_batch(batch.shape):
        raise expected("pixels", "floats [b, y, x, 3]", _told(batch), fix, "pixels")
    if isinstance(batch, np.ndarray):
        _check_values(batch, normalise_table(pre))
    return batch


def check_image(image: object) -> None:
    """Refuse what is not one image as an encoder takes it; looks at shape and type alone, so that it can be jitted.

    Args:
        image: what should be floats ``[y, x, 3]``.

    Raises:
        InputError: something else, integers, another shape or order of axes.

    Example:
        >>> try:
        ...     check_image(np.zeros((1, 8, 8, 3), np.float32))
        ... except InputError as error:
        ...     print(str(error).partition("; ")[2])
        that is a batch: take one, image[0], or jax.vmap outside
    """
    if not _is_array(image):
        raise expected("image", "floats [y, x, 3]", what_is(image), MAKE, "image")
    _check_type(image, "image", "[y, x, 3]")
    shape = image.shape  # type: ignore[attr-defined]
    if len(shape) == 3 and shape[2] == 3:
        return
    fix = MAKE
    if len(shape) == 4:
        fix = "that is a batch: take one, image[0], or jax.vmap outside"
    elif len(shape) == 3 and shape[0] == 3:
        fix = "channels come last: write np.moveaxis(image, 0, -1)"
    raise expected("image", "floats [y, x, 3]", _told(image), fix, "image")


def _is_array(value: object) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype") and not is_torch(value)


def _told(array: Any) -> str:
    return f"{array.dtype} {list(array.shape)}"


def _as_array(pixels: Any) -> Any:
    """An array, or a list of arrays of one shape as one.

    Raises:
        InputError: it is neither.
    """
    several = isinstance(pixels, (list, tuple))
    if several and pixels and all(_is_array(one) for one in pixels):
        if len({one.shape for one in pixels}) == 1:
            return np.stack([np.asarray(one) for one in pixels])
        shapes = ", ".join(str(list(one.shape)) for one in pixels[:3])
        raise expected("pixels", "images of one size", f"shapes {shapes}", MAKE, "pixels")
    if _is_array(pixels):
        return pixels
    if is_torch(pixels) and hasattr(pixels, "shape"):
        first = len(pixels.shape) == 4 and pixels.shape[1] == 3
        fix = f"write {'pixels.permute(0, 2, 3, 1).numpy()' if first else 'pixels.numpy()'}"
        raise expected(
            "pixels", "a NumPy or JAX array [b, y, x, 3]", f"a torch tensor {list(pixels.shape)}", fix, "pixels"
        )
    raise expected("pixels", "floats [b, y, x, 3]", _came(pixels), MAKE, "pixels")


def _came(pixels: Any) -> str:
    if isinstance(pixels, (list, tuple)):
        return f"a list, its first {what_is(pixels[0])}" if pixels else "an empty list"
    if isinstance(pixels, Mapping):
        return f"{what_is(pixels)} of {', '.join(map(str, list(pixels)[:5]))}"
    return what_is(os.fspath(pixels) if isinstance(pixels, os.PathLike) else pixels)


def _check_type(array: Any, name: str, axes: str) -> None:
    kind = getattr(array.dtype, "kind", "")
    if kind in "uib":
        raise expected(name, f"floats {axes}, normalised", _told(array), MAKE, name)
    if kind in "USOcMm" and kind:
        raise expected(name, f"floats {axes}", _told(array), MAKE, name)


def _remedy_of_batch(shape: tuple[int, ...]) -> str:
    """What to do about a shape; empty where it is a batch of images."""
    if len(shape) == 4:
        if shape[3] == 3:
            return "" if shape[0] else "that is no image: check the list that they were read from"
        if shape[1] == 3:
            return "channels come last: write np.moveaxis(pixels, 1, -1)"
        grey, alpha = (
            "grey images take three channels: write np.repeat(pixels, 3, axis=-1)",
            "leave alpha out: pixels[..., :3]",
        )
        return {1: grey, 4: alpha}.get(shape[3], MAKE)
    if len(shape) == 3 and shape[2] == 3:
        return "one image is a batch of one: write pixels[None]"
    if len(shape) == 3 and shape[0] == 3:
        return "one image is a batch of one, and channels come last: write np.moveaxis(pixels, 0, -1)[None]"
    if len(shape) == 3:
        return "grey images take three channels: write np.repeat(pixels[..., None], 3, axis=-1)"
    if len(shape) == 2:
        return "one grey image takes three channels: write np.repeat(pixels[None, :, :, None], 3, axis=-1)"
    return MAKE


def _check_values(pixels: np.ndarray, table: np.ndarray) -> None:
    """Refuse values that preprocessing cannot have given.

    Args:
        pixels: ``[b, y, x, c]``.
        table: grey level and channel -> pixel.
    """
    least, most = float(pixels.min(initial=np.inf)), float(pixels.max(initial=-np.inf))
    if not (np.isfinite(least) and np.isfinite(most)) and pixels.size:
        wrong = np.flatnonzero(~np.isfinite(pixels).all(axis=(1, 2, 3)))
        which = ", ".join(map(str, wrong[:5])) + (", .." if len(wrong) > 5 else "")
        raise InputError(f"pixels: image {which} has NaN or infinite values; leave it out, or read it again", "pixels")
    if max(abs(least), abs(most)) > FAR * float(np.abs(table).max()):
        raise expected("pixels", "normalised values", f"{least:g} to {most:g}, as grey levels are", MAKE, "pixels")
    if least >= 0 and most <= 1 and least < most and table.min() < 0 and not _in_table(pixels, table):
        fix = "subtract encoder.preprocessing.mean and divide by its std; or memjax.read_images makes them of uint8 arrays"
        raise expected("pixels", "normalised values", f"{least:g} to {most:g}, not normalised", fix, "pixels")


def _in_table(pixels: np.ndarray, table: np.ndarray) -> bool:
    """Whether every pixel is one that preprocessing gives: a bright image of little contrast lies between 0 and 1 as well."""
    return all(np.isin(pixels[..., c], table[:, c]).all() for c in range(3))
