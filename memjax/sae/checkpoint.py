"""Checkpoints of an ensemble in training, by orbax: written in the background, kept by policy, whole or not at all.

A checkpoint holds the members (parameters, optimiser state, standardisers, steps) and, as JSON beside them, what made them
(config, fit, data fingerprint, versions) and a digest of every array. `restore` refuses what does not fit, or is damaged.
"""

import hashlib
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from memjax.checks import InputError
from memjax.sae.train import Member

FORMAT = 1


def fingerprint(*arrays: np.ndarray) -> str:
    """sha256 (hex) of arrays: dtype, shape and bytes of each.

    Example:
        >>> fingerprint(np.zeros(2)) == fingerprint(np.zeros(2)), fingerprint(np.zeros(2)) == fingerprint(np.zeros((2, 1)))
        (True, False)
    """
    digest = hashlib.sha256()
    for array in arrays:
        contiguous = np.ascontiguousarray(array)
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(contiguous.data.cast("B") if contiguous.size else b"")
    return digest.hexdigest()


def _digest(members: Member) -> str:
    return fingerprint(*(np.asarray(leaf) for leaf in jax.tree.leaves(members)))


def open_manager(folder: str | Path, keep: int = 2) -> ocp.CheckpointManager:
    """The checkpoints of a folder, made where absent; the last ``keep`` stay. Remains of a killed writer are cleared away."""
    options = ocp.CheckpointManagerOptions(
        max_to_keep=keep, create=True, enable_async_checkpointing=True, cleanup_tmp_directories=True
    )
    return ocp.CheckpointManager(Path(folder).resolve(), options=options, item_names=("members", "about"))


def save(manager: ocp.CheckpointManager, position: int, members: Member, about: dict[str, Any]) -> None:
    """Start writing a checkpoint; ``manager.wait_until_finished()`` or `close` makes sure that it is there.

    Args:
        manager: from `open_manager`.
        position: how far the run is (segments done); names the checkpoint.
        members: copied to host memory before this returns, so they may be donated at once.
        about: what the run is, JSON-able; `restore` compares it.
    """
    held = jax.tree.map(np.asarray, jax.device_get(members))
    record = {"format": FORMAT, "about": about, "digest": _digest(held)}
    manager.save(
        position, args=ocp.args.Composite(members=ocp.args.StandardSave(held), about=ocp.args.JsonSave(record))
    )


def differences(wanted: dict[str, Any], found: dict[str, Any], prefix: str = "") -> list[str]:
    """Every place where two nested dicts differ, as ``key: found (wanted ...)``."""
    lines = []
    for key in sorted(set(wanted) | set(found)):
        a, b = wanted.get(key, "nothing"), found.get(key, "nothing")
        if isinstance(a, dict) and isinstance(b, dict):
            lines += differences(a, b, f"{prefix}{key}.")
        elif a != b:
            lines.append(f"{prefix}{key}: {b} (this run: {a})")
    return lines


def restore(manager: ocp.CheckpointManager, like: Member, about: dict[str, Any]) -> tuple[int, Member] | None:
    """The newest checkpoint, or None where there is none.

    Args:
        manager: from `open_manager`.
        like: members of the structure and shapes expected (freshly initialised ones).
        about: what this run is; must equal what was saved.

    Returns:
        The position and the members.

    Raises:
        InputError: if the checkpoint is of another configuration (each difference named), or its files are damaged.
    """
    position = manager.latest_step()
    if position is None:
        return None
    where = f"checkpoint {manager.directory / str(position)}"
    advice = "name another --out, or delete that folder to start afresh"
    abstract = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=None), like)
    record = _read(manager, position, where, advice, about=ocp.args.JsonRestore())["about"]
    differ = differences({"format": FORMAT, "about": about}, {k: record.get(k) for k in ("format", "about")})
    if differ:
        raise InputError(f"{where} is of another run: {'; '.join(differ)}; {advice}")
    held = jax.tree.map(lambda a: np.empty(a.shape, a.dtype), abstract)
    members = _read(manager, position, where, advice, members=ocp.args.StandardRestore(held))["members"]
    if _digest(members) != record["digest"]:
        raise InputError(f"{where} is damaged: its arrays do not match their digest; {advice}")
    return position, jax.tree.map(jax.numpy.asarray, members)


def _read(manager: ocp.CheckpointManager, position: int, where: str, advice: str, **items: Any) -> Any:
    """Restore one item; whatever a damaged file makes the reader raise becomes one line."""
    with _late_reads_unheard():
        try:
            return manager.restore(position, args=ocp.args.Composite(**items))
        except Exception as error:
            time.sleep(0.2)  # until the reads that were under way have come to their end
            reason = " ".join(str(error).split())[:160] or type(error).__name__
            raise InputError(
                f"{where} is damaged or not complete ({type(error).__name__}: {reason}); {advice}"
            ) from error


@contextmanager
def _late_reads_unheard() -> Iterator[None]:
    """When one array can't be read, orbax closes its event loop on the reads of the others (tensorstore's threads), which
    then print "Event loop is closed" to the terminal, one each. That complaint alone is kept back; any other is passed on.
    """
    hook = sys.unraisablehook

    def pass_on(unraisable: Any) -> None:
        if "Event loop is closed" not in str(unraisable.exc_value):
            hook(unraisable)

    sys.unraisablehook = pass_on
    try:
        yield
    finally:
        sys.unraisablehook = hook
