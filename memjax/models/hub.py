"""Where weights come from: a local Hugging Face folder, or the hub at a pinned revision, from the cache when offline.

Only ``model.safetensors`` (OpenCLIP's ``open_clip_model.safetensors``) is read, whole or sharded; a pickled checkpoint can run
code and is refused.
"""

import contextlib
import dataclasses
import hashlib
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from memjax.checks import InputError, check_file, expected
from memjax.model_names import TINY, check_model_name
from memjax.models import foreign
from memjax.models.presets import REVISIONS
from memjax.schema import shown_name
from memjax.storage import read_json

STEM, OPEN_CLIP_STEM = "model", "open_clip_model"
"""Names of weights' files, without ``.safetensors``."""
_PATTERNS = [
    "config.json",
    "open_clip_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "model*.safetensors",
    "model.safetensors.index.json",
]
MOST_JSON = 2**23
"""Bytes of a config.json, a processor's file or an index of shards; a config with 20,000 labels has 2 MB."""
MOST_HEADER, MOST_AXES = 2**22, 8
"""Bytes of a safetensors file's list of tensors, and axes of a tensor; beyond any vision transformer's."""

CODES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32",
    "I16": "int16", "I8": "int8", "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool",
    "C64": "complex64", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu",
}  # fmt: skip
"""Types of tensors in safetensors files -> their names in NumPy and ml_dtypes."""


@dataclasses.dataclass(frozen=True)
class Location:
    """Where a checkpoint lies on this machine, and what identifies it.

    Attributes:
        folder: with config.json and weights.
        name: as the user gave it, without ``@revision``.
        revision: the hub's commit, or ``"local"``.
    """

    folder: Path
    name: str
    revision: str


def locate(name: str) -> Location:
    """Find a checkpoint: the embedded encoder, a local folder, or a hub id with an optional ``@revision``.

    Args:
        name: ``memjax/tiny``, a path, ``facebook/dinov2-small`` (at the revision that `presets.REVISIONS` pins, or the
            newest), or ``facebook/dinov2-small@<commit, tag or branch>``.

    Raises:
        InputError: if it is neither, with what was tried.
    """
    if name == TINY:
        return Location(Path(__file__).parent / "tiny", name, "packaged")
    folder = Path(name).expanduser()
    if folder.is_dir():
        return Location(folder.resolve(), name, "local")
    check_model_name(name)
    hub_id, _, revision = name.partition("@")
    return _download(hub_id, revision or REVISIONS.get(hub_id))


def _download(hub_id: str, revision: str | None) -> Location:
    """From the hub, or from its cache when the hub can't be reached; the commit is what the cache records."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(hub_id, revision=revision, allow_patterns=_PATTERNS))
        if not has_weights(folder) and (folder / "open_clip_config.json").is_file():
            snapshot_download(hub_id, revision=folder.name, allow_patterns=[f"{OPEN_CLIP_STEM}*.safetensors*"])
    except LocalEntryNotFoundError as error:
        raise InputError(
            f"model {hub_id!r}: not in the local cache and the hub can't be reached; "
            "check the name and the network, or give a folder with config.json and model.safetensors"
        ) from error
    except HFValidationError as error:
        raise InputError(f"model {hub_id!r}: not a hub id; {error}") from error
    except (HfHubHTTPError, OSError) as error:
        first = str(error).strip().splitlines()[0]
        raise InputError(f"model {hub_id!r}: the hub does not give it; {first}") from error
    return Location(folder, hub_id, folder.name)


def has_weights(folder: Path, stem: str = STEM) -> bool:
    """Whether there are weights under that name, whole or as shards with their index."""
    return any((folder / f"{stem}.safetensors{end}").is_file() for end in ("", ".index.json"))


def weight_files(folder: Path, stem: str = STEM) -> list[Path]:
    """The safetensors files of a checkpoint, whole or by its index.

    Args:
        folder: of the checkpoint.
        stem: of the files' names.

    Raises:
        InputError: if there are none, or only a pickled one, or the index names a file outside the folder.
    """
    whole = folder / f"{stem}.safetensors"
    if whole.is_file():
        return [whole]
    index = folder / f"{stem}.safetensors.index.json"
    if index.is_file():
        listed = read_json(index, MOST_JSON).get("weight_map")
        if not isinstance(listed, dict) or not listed or not all(isinstance(n, str) for n in listed.values()):
            raise expected(f"{index}, weight_map", "tensor names and their files", "something else")
        names = sorted(set(listed.values()))
        if bad := [n for n in names if Path(n).name != n]:
            raise InputError(f"{index}: shard {bad[0]!r} points out of its folder; refused")
        return [check_file(folder / n, "shard", "download the checkpoint again") for n in names]
    raise expected(f"model folder {folder}", f"{stem}.safetensors", *_other_weights(folder, stem))


def _other_weights(folder: Path, stem: str) -> tuple[str, str]:
    """What a folder without weights under that name holds instead, and what to do."""
    if whose := foreign.of_folder(folder):
        return f"no weights under that name: it is {whose}", ""
    if named := sorted(p.name for p in folder.glob("*.safetensors")):
        return named[0], f"rename {named[0]} to {stem}.safetensors if it is the whole model"
    pickled = sorted(p.name for p in folder.iterdir() if p.suffix in (".bin", ".pt", ".pth"))
    came = f"only {pickled[0]} (pickled, which can run code)" if pickled else "no weights"
    return came, "download or convert that file; a hub id may name a revision that has it, owner/name@refs/pr/N"


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[Any]:
    """A safetensors file, whose faults are told in one line."""
    from safetensors import SafetensorError, safe_open

    with file.open("rb") as raw:
        if int.from_bytes(raw.read(8), "little") > MOST_HEADER < file.stat().st_size:
            raise InputError(f"{file}: its list of tensors is longer than {MOST_HEADER} bytes; refused")
    try:
        with safe_open(file, framework="numpy") as handle:
            yield handle
    except (SafetensorError, TypeError, ValueError, OSError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file}: not a whole safetensors file ({error}); download it again") from error


def read_header(files: list[Path]) -> dict[str, np.ndarray]:
    """Type and shape of every tensor of some safetensors files, by name, as arrays that take no memory (all zeros).

    Raises:
        InputError: if a file is damaged, or holds a tensor of a type or shape that nothing here can hold.
    """
    header: dict[str, np.ndarray] = {}
    for file in files:
        with _opened(file) as handle:
            for name in handle.keys():  # noqa: SIM118 (not a dict)
                piece = handle.get_slice(name)
                code, shape = piece.get_dtype(), piece.get_shape()
                if code not in CODES or len(shape) > MOST_AXES:
                    raise InputError(
                        f"{file}: tensor {shown_name(name)} is {code} with {len(shape)} axes, which can't be read"
                    )
                header[name] = np.broadcast_to(np.zeros((), jnp.dtype(CODES[code])), shape)
    return header


def read_state(files: list[Path], names: Container[str] | None = None) -> dict[str, np.ndarray]:
    """Tensors of some safetensors files, by name: all, or those of ``names``.

    Raises:
        InputError: if a file is damaged, or a tensor is of a type that NumPy does not have.
    """
    state: dict[str, np.ndarray] = {}
    for file in files:
        with _opened(file) as handle:
            wanted = [name for name in handle.keys() if names is None or name in names]  # noqa: SIM118 (not a dict)
            for name in wanted:
                code = handle.get_slice(name).get_dtype()
                if code not in CODES or code.startswith("F8"):
                    raise InputError(
                        f"{file}: tensor {shown_name(name)} is {code}, which can't be read; convert it to F32"
                    )
                state[name] = handle.get_tensor(name)
    return state


def all_finite(array: np.ndarray) -> bool:
    """Whether no value is NaN or infinite; in one pass, without a copy.

    Example:
        >>> all_finite(np.array([1.0, np.inf, -np.inf]))
        False
    """
    with np.errstate(invalid="ignore"):
        return bool(np.isfinite(array.sum(dtype=np.float64)))


def checksum(files: list[Path]) -> str:
    """SHA-256 over the files' bytes, in order, as hexadecimal."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as handle:
            while piece := handle.read(1 << 22):
                digest.update(piece)
    return digest.hexdigest()
