"""Checkpoints of an ensemble in training, by orbax: written in the background, kept by policy, whole or not at all.

A checkpoint holds the members (parameters, optimiser state, standardisers, steps) and, as JSON beside them, what made them
(config, fit, digest of the data, versions) and a digest of every array. `restore_checkpoint` refuses what does not fit, or is
damaged.
"""

import hashlib
import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp

from memjax.checks import InputError, make_folder
from memjax.sae.member import Member

FORMAT = 1
ADVICE = "choose another folder, or delete that one to start afresh"

Json = Mapping[str, object]
"""Names and JSON-able values."""


@dataclass(frozen=True)
class Checkpoints:
    """Where an ensemble's checkpoints go.

    Attributes:
        manager: from `open_manager`.
        about: what the run is; compared with what a checkpoint says before it is used.
    """

    manager: ocp.CheckpointManager
    about: Json = field(default_factory=dict)


def digest(*arrays: np.ndarray) -> str:
    """sha256 (hex) of arrays: dtype, shape and bytes of each.

    Example:
        >>> digest(np.zeros(2)) == digest(np.zeros(2)), digest(np.zeros(2)) == digest(np.zeros((2, 1)))
        (True, False)
    """
    found = hashlib.sha256()
    for array in arrays:
        contiguous = np.ascontiguousarray(array)
        found.update(f"{array.dtype.str}{array.shape}".encode())
        found.update(contiguous.data.cast("B") if contiguous.size else b"")
    return found.hexdigest()


def _digest_of(members: Member) -> str:
    return digest(*(np.asarray(leaf) for leaf in jax.tree.leaves(members)))


def open_manager(folder: str | Path, keep: int = 2) -> ocp.CheckpointManager:
    """The checkpoints of a folder, made where absent; the last ``keep`` stay. Remains of a killed writer are cleared away.

    Raises:
        InputError: it can't be written, or is a file.
    """
    options = ocp.CheckpointManagerOptions(
        max_to_keep=keep, create=True, enable_async_checkpointing=True, cleanup_tmp_directories=True
    )
    make_folder(Path(folder), "checkpoints", "out")
    return ocp.CheckpointManager(Path(folder).resolve(), options=options, item_names=("members", "about"))


def save_checkpoint(checkpoints: Checkpoints, position: int, members: Member) -> None:
    """Start writing a checkpoint; ``manager.wait_until_finished()`` or `close` makes sure that it is there.

    Args:
        checkpoints: where.
        position: how far the run is (segments done); names the checkpoint.
        members: copied to host memory before this returns, so they may be donated at once.
    """
    held = jax.tree.map(np.asarray, jax.device_get(members))
    record = {"format": FORMAT, "about": dict(checkpoints.about), "digest": _digest_of(held)}
    checkpoints.manager.save(
        position, args=ocp.args.Composite(members=ocp.args.StandardSave(held), about=ocp.args.JsonSave(record))
    )


def differences(wanted: Json, found: Json, prefix: str = "") -> list[str]:
    """Every place where two nested dicts differ, as ``key: found (this run: wanted)``.

    Example:
        >>> differences({"sae": {"k": 4}}, {"sae": {"k": 8}})
        ['sae.k: 8 (this run: 4)']
    """
    lines = []
    for key in sorted(set(wanted) | set(found)):
        a, b = wanted.get(key, "nothing"), found.get(key, "nothing")
        if isinstance(a, dict) and isinstance(b, dict):
            lines += differences(a, b, f"{prefix}{key}.")
        elif a != b:
            lines.append(f"{prefix}{key}: {b} (this run: {a})")
    return lines


def saved_position(checkpoints: Checkpoints) -> int | None:
    """The position of the newest checkpoint, None where there is none; its arrays are not read.

    Raises:
        InputError: if it is of another configuration (each difference named), or what it says of itself is damaged.
    """
    position = checkpoints.manager.latest_step()
    if position is not None:
        _record(checkpoints, position)
    return position


def _record(checkpoints: Checkpoints, position: int) -> Json:
    """What a checkpoint says of itself, if it is of this run."""
    where = _where(checkpoints, position)
    record = _read(checkpoints.manager, position, where, about=ocp.args.JsonRestore())["about"]
    if not isinstance(record, dict) or not isinstance(record.get("digest"), str):
        raise InputError(f"{where} is damaged: it does not say what it is of; {ADVICE}", "out")
    wanted = {"format": FORMAT, "about": dict(checkpoints.about)}
    if differ := differences(wanted, {key: record.get(key) for key in wanted}):
        raise InputError(f"{where} is of another run: {'; '.join(differ)}; {ADVICE}", "out")
    return record


def _where(checkpoints: Checkpoints, position: int) -> str:
    return f"checkpoint {checkpoints.manager.directory / str(position)}"


def restore_checkpoint(checkpoints: Checkpoints, like: Member) -> tuple[int, Member] | None:
    """The newest checkpoint, or None where there is none.

    Args:
        checkpoints: where; what they are about must equal what was saved.
        like: members of the structure and shapes expected (freshly initialised ones).

    Returns:
        The position and the members.

    Raises:
        InputError: if the checkpoint is of another configuration (each difference named), or its files are damaged.
    """
    manager = checkpoints.manager
    position = manager.latest_step()
    if position is None:
        return None
    where, record = _where(checkpoints, position), _record(checkpoints, position)
    held = jax.tree.map(lambda a: np.empty(a.shape, a.dtype), like)
    members = _read(manager, position, where, members=ocp.args.StandardRestore(held))["members"]
    if _digest_of(members) != record["digest"]:
        raise InputError(f"{where} is damaged: its arrays do not match their digest; {ADVICE}", "out")
    return position, jax.tree.map(jax.numpy.asarray, members)


def _read(
    manager: ocp.CheckpointManager, position: int, where: str, **items: ocp.args.CheckpointArgs
) -> ocp.args.Composite:
    """Restore one item; whatever a damaged file makes the reader raise becomes one line."""
    with without_messages_of_failures():
        try:
            return manager.restore(position, args=ocp.args.Composite(**items))
        except Exception as error:
            reason = " ".join(str(error).split())[:160] or type(error).__name__
            raise InputError(
                f"{where} is damaged or not complete ({type(error).__name__}: {reason}); {ADVICE}", "out"
            ) from error


@contextmanager
def without_messages_of_failures() -> Iterator[None]:
    """Keep orbax's log of what is raised anyway, and "Event loop is closed", off the terminal, and those alone.

    When one array can't be read or written, orbax closes its event loop while tensorstore's threads still work on the others;
    each of those then prints that message.
    """
    hook = sys.unraisablehook

    def pass_on(unraisable: "sys.UnraisableHookArgs") -> None:
        if "Event loop is closed" not in str(unraisable.exc_value):
            hook(unraisable)

    logger = logging.getLogger("absl")
    level = logger.level
    sys.unraisablehook = pass_on
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    except Exception:
        time.sleep(0.2)  # until the operations that were under way have come to their end
        raise
    finally:
        logger.setLevel(level)
        sys.unraisablehook = hook
