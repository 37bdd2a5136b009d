"""Arrays as a safetensors file: written whole or not at all, with a checksum to hold it to."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from memjax.checks import expected
from memjax.seals import file_sum


def check_replaceable(folder: Path, files: Sequence[str], what: str) -> None:
    """Refuse to write into somebody else's folder.

    Args:
        folder: may be missing, empty, hold what is to be replaced, or what a write that was interrupted left of it.
        files: that are written there; the last marks a whole folder.
        what: that is written, with its article.

    Raises:
        InputError: it holds something else.
    """
    ours = {*files, *(f"{name}.part" for name in files)}
    if not folder.exists() or (
        folder.is_dir() and ((folder / files[-1]).is_file() or ours >= {path.name for path in folder.iterdir()})
    ):
        return
    raise expected(f"folder {folder}", f"an empty one, or one with {what}", "something else", argument="folder")


def write_tensors(file: Path, arrays: Mapping[str, np.ndarray]) -> str:
    """Write arrays, beside first and then in the place of what was there.

    Returns:
        SHA-256 of the file, in hex.
    """
    from safetensors.numpy import save_file

    beside = file.with_name(f"{file.name}.part")
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, beside)
    beside.chmod(0o644)  # safetensors leaves it to the owner alone
    digest = file_sum(beside)
    os.replace(beside, file)
    return digest
