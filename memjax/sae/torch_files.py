"""Torch's files, read with its ``weights_only`` reader, which makes tensors and plain containers and runs nothing.

Needs torch (the extra ``torch``). Sizes are those of the file: a file that would unpack to more than it holds is refused.
"""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from memjax.checks import InputError, check_file, expected
from memjax.sae.layouts import Tensors
from memjax.schema import shown_name


def read_torch(path: str | Path, what: str, skip: int = 0) -> Tensors:
    """A torch state dict as tensors to be read one by one.

    Args:
        path: the file.
        what: it is, for messages.
        skip: bytes at its beginning that are not torch's.

    Raises:
        InputError: torch is not installed, or the file is not there or no plain state dict.
    """
    file = check_file(path, what)
    try:
        import torch  # pyrefly: ignore[missing-import] (an optional extra)
    except ImportError as error:
        raise InputError(f"{what} {file}: reading a .pt file needs torch; pip install torch") from error
    try:
        content = io.BytesIO(file.read_bytes()[skip:])
        _check_stored(content)
        state = torch.load(content, map_location="cpu", weights_only=True)
    except Exception as error:  # what torch raises for a foreign file is of every type
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{what} {file}: expected a torch state dict, could not read it: {reason}") from error
    state = state["state_dict"] if isinstance(state, Mapping) and "state_dict" in state else state
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise expected(f"{what} {file}", "a torch state dict", type(state).__name__)
    for name, value in state.items():
        if value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise expected(f"{what} {file}, tensor {shown_name(str(name))}", "as many values as the file holds", "more")

    def read(name: str) -> np.ndarray:
        tensor = state[name].detach()
        return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()

    return Tensors(f"{what} {file}", {str(name): tuple(value.shape) for name, value in state.items()}, read)


def _check_stored(content: io.BytesIO) -> None:
    """Raises `ValueError` for an archive that holds more than its size."""
    if zipfile.is_zipfile(content):
        with zipfile.ZipFile(content) as archive:
            if any(one.file_size > one.compress_size for one in archive.infolist()):
                raise ValueError("its parts are compressed, which torch's are not")
    content.seek(0)
