"""Sizes of an architecture: a side or two as a pair, and what single bounds of a file do not say."""

from collections.abc import Sequence

from memjax.models.config import ViTConfig

MOST_PATCHES = 2**16
"""Of an image; their attention alone would take 17 GB a head."""


def pair(size: int | Sequence[int]) -> tuple[int, int]:
    """A side, or ``[y, x]``, as ``(y, x)``.

    Example:
        >>> pair(224), pair([32, 48])
        ((224, 224), (32, 48))
    """
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def check_sizes(config: ViTConfig) -> None:
    """Refuse sizes that contradict each other, or together are too large.

    Raises:
        ValueError: naming them in the words of config.json.
    """
    if config.grid[0] * config.grid[1] > MOST_PATCHES:
        raise ValueError(f"image_size {config.image} and patch_size {config.patch}: more than {MOST_PATCHES} patches")
    if config.mlp_width < 1:
        raise ValueError("mlp_ratio: leaves the MLP no width")
