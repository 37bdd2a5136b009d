"""What the older data sets publish in MATLAB files: arrays of numbers, and arrays of structs read as tables.

Files of version 5 to 7 only; one saved with ``-v7.3`` is HDF5, which scipy does not read.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from memjax.checks import InputError, check_file, expected


def read_variable(path: Path, name: str, what: str, **options: bool) -> np.ndarray:
    """The variable ``name`` of a MATLAB file, as `scipy.io.loadmat` gives it.

    Raises:
        InputError: no such file, not a MATLAB file, no such variable.
    """
    from scipy.io import loadmat, whosmat

    file = check_file(path, what)
    try:
        there = [variable for variable, _, _ in whosmat(file)]
        values = loadmat(file, variable_names=[name], **options).get(name)
    except Exception as error:  # scipy raises many types on a damaged file
        reason = str(error) or type(error).__name__
        raise InputError(f"{what} {file}: cannot be read as a MATLAB file: {' '.join(reason.split())}") from None
    if values is None:
        raise expected(f"{what} {file}", f"a variable {name}", ", ".join(there) or "none")
    return values


def read_array(path: Path, name: str, shape: tuple[int, ...], what: str) -> np.ndarray:
    """A variable of numbers: float64 of ``shape``.

    Raises:
        InputError: as `read_variable`, or another shape, or no numbers.
    """
    values = read_variable(path, name, what)
    if values.shape != shape or values.dtype.kind not in "biuf":
        raise expected(f"{what} {path}, variable {name}", f"numbers of shape {shape}", f"{values.dtype} {values.shape}")
    return values.astype(np.float64)


def read_halves(paths: Sequence[Path], names: Sequence[str], shape: tuple[int, int], what: str) -> np.ndarray:
    """Scores by two halves of the observers, a file each: float64 ``[2, splits, n]``."""
    return np.stack([read_array(path, name, shape, what) for path, name in zip(paths, names, strict=True)])


def read_structs(path: Path, name: str, texts: Sequence[str], numbers: Sequence[str], what: str) -> pd.DataFrame:
    """An array of structs, or a cell array of them, as a table with one row per struct.

    Args:
        texts, numbers: fields to read; ``a.b`` is field ``b`` of the struct in field ``a``.

    Returns:
        A column for each field: text, or float64 with NaN where the field holds no single number.

    Raises:
        InputError: as `read_variable`; no structs; a field missing, naming those wanted and those there.
    """
    values = read_variable(path, name, what, squeeze_me=True, struct_as_record=False)
    structs = np.atleast_1d(np.asarray(values, object)).ravel()
    wanted = [*texts, *numbers]
    if not len(structs) or not all(hasattr(struct, "_fieldnames") for struct in structs):
        raise expected(f"{what} {path}, variable {name}", f"an array of structs with {', '.join(wanted)}", "none")
    columns: dict[str, list[str] | list[float]] = {}
    for field in wanted:
        found = [_field(struct, field) for struct in structs]
        if any(value is None for value in found):
            there = ", ".join(structs[0]._fieldnames)
            raise expected(f"{what} {path}, variable {name}", f"structs with {', '.join(wanted)}", f"{there}")
        columns[field] = [str(v).strip() for v in found] if field in texts else [_number(v) for v in found]
    return pd.DataFrame(columns)


def _field(struct: object, name: str) -> object:
    """A field, or None where it is absent; an empty field is an empty array."""
    for part in name.split("."):
        if part not in getattr(struct, "_fieldnames", ()):
            return None
        struct = getattr(struct, part)
    return struct


def _number(value: object) -> float:
    array = np.asarray(value)
    return float(array.reshape(-1)[0]) if array.size == 1 and array.dtype.kind in "biuf" else float("nan")
