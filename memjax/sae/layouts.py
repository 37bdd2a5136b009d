"""What every layout of autoencoders' files has in common: tensors with names and shapes, read once both are known to fit.

A layout says what it expects (`SAEPlan`); `assembled_sae` holds a file to it, in both directions, before it reads a value.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from memjax.checks import InputError, expected
from memjax.models.hub import all_finite, read_header, read_state
from memjax.sae.config import SAEConfig
from memjax.sae.folding import raw_standardiser
from memjax.sae.model import SAEParams, SAEState
from memjax.sae.origin import SAEOrigin
from memjax.sae.trained import TrainedSAE
from memjax.schema import shown_name

WIDEST, MOST_LATENTS = 2**17, 2**21
"""Beyond any published autoencoder: width of its inputs, latents."""


@dataclass(frozen=True)
class Tensors:
    """Tensors of a file that are read one by one.

    Attributes:
        where: the file, for messages.
        shapes: name -> shape.
        read: the values of one, by name.
    """

    where: str
    shapes: Mapping[str, tuple[int, ...]]
    read: Callable[[str], np.ndarray]


class TensorRow(NamedTuple):
    """A tensor that a layout has: its name there, our field, and its axes: ``d`` width, ``f`` latents, ``o`` width of what is
    decoded, ``c`` candidates; none: one number."""

    name: str
    field: str
    axes: str


STANDARD = (
    TensorRow("W_enc", "w_enc", "df"),
    TensorRow("b_enc", "b_enc", "f"),
    TensorRow("W_dec", "w_dec", "fo"),
    TensorRow("b_dec", "b_dec", "o"),
)
"""Names that SAELens, Prisma and saev share."""
GATED = (
    TensorRow("W_enc", "w_enc", "df"), TensorRow("b_gate", "b_enc", "f"), TensorRow("r_mag", "r_mag", "f"),
    TensorRow("b_mag", "b_mag", "f"), TensorRow("W_dec", "w_dec", "fo"), TensorRow("b_dec", "b_dec", "o"),
)  # fmt: skip
"""Names of a gated autoencoder, in SAELens and Prisma."""


@dataclass(frozen=True)
class SAEPlan:
    """What a folder says of its autoencoder.

    Attributes:
        config: the architecture.
        rows: its tensors.
        unused: tensors that may be there and change nothing.
        normalisation, layer, encoder, origin: see `memjax.sae.trained.TrainedSAE`.
    """

    config: SAEConfig
    rows: tuple[TensorRow, ...]
    unused: tuple[str, ...] = ()
    normalisation: str = "none"
    layer: int = 0
    encoder: str = ""
    origin: SAEOrigin = field(default_factory=SAEOrigin)


def safetensors_of(file: Path) -> Tensors:
    """The tensors of a safetensors file.

    Raises:
        InputError: it is damaged.
    """
    shapes = {name: array.shape for name, array in read_header([file]).items()}
    return Tensors(str(file), shapes, lambda name: read_state([file], {name})[name])


def arrays_in(
    tensors: Tensors, rows: tuple[TensorRow, ...], config: SAEConfig, unused: tuple[str, ...] = ()
) -> dict[str, np.ndarray]:
    """The tensors of some rows by our fields, float32.

    Raises:
        InputError: one line with every tensor that is missing, not known or of another shape; values that are not finite.
    """
    sizes = {"d": config.width, "f": config.latents, "o": config.decoded_width, "c": config.candidates}
    wanted = {row.name: tuple(sizes[axis] for axis in row.axes) for row in rows}
    missing, surplus = sorted(wanted.keys() - tensors.shapes), sorted(tensors.shapes.keys() - wanted - set(unused))
    if missing or surplus:
        names = ", ".join(map(shown_name, surplus[:12]))
        faults = [f"no {', '.join(missing)}" if missing else "", f"not known: {names}" if surplus else ""]
        raise InputError(f"{tensors.where}: {'; '.join(filter(None, faults))}; expected {', '.join(wanted)}", "folder")
    for name, shape in wanted.items():
        if tensors.shapes[name] != shape:
            raise expected(f"{tensors.where}, tensor {name}", f"the shape {list(shape)}", list(tensors.shapes[name]))
    found = {}
    for row in rows:
        values = np.asarray(tensors.read(row.name))
        found[row.field] = values.astype(np.float32)
        if values.dtype.kind in "iub" or not all_finite(found[row.field]):
            raise expected(f"{tensors.where}, tensor {row.name}", "finite numbers", f"others ({values.dtype})")
    return found


def assembled_sae(plan: SAEPlan, tensors: Tensors) -> TrainedSAE:
    """An autoencoder of raw vectors from a file that holds what a plan says.

    Raises:
        InputError: as `arrays_in`.
    """
    arrays = arrays_in(tensors, plan.rows, plan.config, plan.unused)
    params, state = parts_of(arrays, plan.config)
    return TrainedSAE(
        params,
        state,
        raw_standardiser(plan.config.width),
        plan.config,
        layer=plan.layer,
        encoder=plan.encoder,
        normalisation=plan.normalisation,
        origin=plan.origin,
        target_standardiser=raw_standardiser(plan.config.target_width) if plan.config.transcodes else None,
    )


def parts_of(arrays: Mapping[str, np.ndarray], config: SAEConfig) -> tuple[SAEParams, SAEState]:
    """Parameters and state from arrays by field, of which ``threshold`` goes where the variant has it.

    A threshold below 0 lets through what one of 0 does: latents are not below 0. A tied encoder is had from the decoder.
    """
    rest = dict(arrays)
    threshold = np.maximum(rest.pop("threshold", np.zeros((), np.float32)), 0)
    if config.variant == "jumprelu":
        with np.errstate(divide="ignore"):  # a threshold of 0 is exp(-inf)
            rest["log_threshold"] = np.log(np.broadcast_to(threshold, config.latents))
    if config.row.tied:
        rest |= {"w_enc": np.ascontiguousarray(rest["w_dec"].T), "b_enc": np.zeros(config.latents, np.float32)}
    kept = np.float32(0) if config.variant == "jumprelu" else np.float32(threshold.reshape(()))
    return SAEParams(**rest), SAEState(threshold=np.asarray(kept), idle=np.zeros(config.latents, np.int32))


def config_in(where: str, fields: Mapping[str, object]) -> SAEConfig:
    """An architecture from fields of a file.

    Raises:
        InputError: sizes that make no sense, with the file.
    """
    try:
        return SAEConfig(**fields)  # type: ignore[arg-type]
    except InputError as error:
        raise InputError(f"{where}, {error}", "folder") from error


def whole_number(value: object) -> int:
    """A field that its row has found to be a whole number."""
    assert isinstance(value, int)
    return value


def layer_of(place: str, block: int) -> int:
    """The layer coordinate of a place in TransformerLens' words: what enters a block or leaves it, else its block's.

    Example:
        >>> layer_of("blocks.10.hook_resid_post", 10), layer_of("blocks.10.hook_resid_pre", 10)
        (11, 10)
    """
    return block if place.endswith("hook_resid_pre") else block + 1
