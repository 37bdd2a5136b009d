"""Where weights come from: a local Hugging Face folder, or the hub at a pinned revision, from the cache when offline.

Only ``model.safetensors`` is read, whole or sharded; a pickled checkpoint can run code and is refused.
"""

import dataclasses
import hashlib
from pathlib import Path

import numpy as np

from memjax.checks import InputError, check_file, expected
from memjax.models.presets import REVISIONS
from memjax.storage import read_json

TINY = "memjax/tiny"
_PATTERNS = ["config.json", "preprocessor_config.json", "model*.safetensors", "model.safetensors.index.json"]


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
    hub_id, _, revision = name.partition("@")
    if folder.is_absolute() or name.startswith(".") or hub_id.count("/") != 1 or folder.exists():
        raise expected(f"model {name!r}", "a hub id (owner/name) or a folder with config.json", "no such folder")
    return _download(hub_id, revision or REVISIONS.get(hub_id))


def _download(hub_id: str, revision: str | None) -> Location:
    """From the hub, or from its cache when the hub can't be reached; the commit is what the cache records."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(hub_id, revision=revision, allow_patterns=_PATTERNS))
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


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a checkpoint, whole or by its index.

    Raises:
        InputError: if there are none, or only a pickled one, or the index names a file outside the folder.
    """
    whole = folder / "model.safetensors"
    if whole.is_file():
        return [whole]
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        listed = read_json(index).get("weight_map")
        if not isinstance(listed, dict) or not listed or not all(isinstance(n, str) for n in listed.values()):
            raise expected(f"{index}, weight_map", "tensor names and their files", "something else")
        names = sorted(set(listed.values()))
        if bad := [n for n in names if Path(n).name != n]:
            raise InputError(f"{index}: shard {bad[0]!r} points out of its folder; refused")
        return [check_file(folder / n, "shard", "download the checkpoint again") for n in names]
    pickled = sorted(p.name for p in folder.glob("*.bin"))
    came = f"only {pickled[0]} (pickled, which can run code)" if pickled else "no weights"
    raise expected(
        f"model folder {folder}",
        "model.safetensors",
        came,
        "download or convert that file; a hub id may name a revision that has it, owner/name@refs/pr/N",
    )


def read_state(files: list[Path]) -> dict[str, np.ndarray]:
    """All tensors of some safetensors files, by name.

    Raises:
        InputError: if a file is damaged.
    """
    from safetensors import SafetensorError, safe_open

    state: dict[str, np.ndarray] = {}
    for file in files:
        try:
            with safe_open(file, framework="numpy") as handle:
                state |= {key: handle.get_tensor(key) for key in handle.keys()}  # noqa: SIM118 (not a dict)
        except (SafetensorError, TypeError, OSError) as error:
            raise InputError(f"{file}: not a whole safetensors file ({error}); download it again") from error
    return state


def checksum(files: list[Path]) -> str:
    """SHA-256 over the files' bytes, in order, as hexadecimal."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as handle:
            while piece := handle.read(1 << 22):
                digest.update(piece)
    return digest.hexdigest()
