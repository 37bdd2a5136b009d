"""Published weights into our parameters, as data: rename a family's keys to one alphabet, then one table for all.

Completeness is checked both ways: every parameter must be found with its shape, and every tensor in the file must be
used or stand on the explicit ignore list (empty tensors carry nothing and are passed over). One error names all
differences.
"""

import dataclasses
import functools
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from einops import EinopsError

from memjax.checks import InputError
from memjax.models import foreign, mae
from memjax.models.config import ViTConfig
from memjax.models.hub import all_finite
from memjax.models.turns import TABLE, Row
from memjax.models.vit import ViTParams, init_vit
from memjax.schema import shown_name

State = Mapping[str, np.ndarray]


class Keys(NamedTuple):
    """How a family names its tensors.

    Attributes:
        prefixes: taken off the front of a key, the first that fits.
        renames: (theirs, ours), applied in order; current and legacy names of transformers alike. What begins with ``^``
            is replaced at the front of a key alone.
        ignored: beginnings of keys (after the prefix) that we leave out on purpose.
        input_first: our keys of kernels that are stored input first, other than torch's linear layers.
    """

    prefixes: tuple[str, ...]
    renames: tuple[tuple[str, str], ...]
    ignored: tuple[str, ...]
    input_first: tuple[str, ...] = ()


_FUSED = {"gate_up": ("gate", "up"), "attn.qkv": ("attn.q", "attn.k", "attn.v"), "attn.kv": ("attn.k", "attn.v")}


def _split_fused(state: dict[str, tuple[str, np.ndarray]]) -> dict[str, tuple[str, np.ndarray]]:
    """Fused tensors (SwiGLU's ``gate_up``, torch's ``qkv``, timm's ``kv``) into their parts, along the output axis."""
    out = {}
    for key, (source, array) in state.items():
        for fused, parts in _FUSED.items():
            if fused in key and len(array) % len(parts) == 0:
                for part, piece in zip(parts, np.split(array, len(parts))):
                    out[key.replace(fused, part)] = (source, piece)
                break
        else:
            out[key] = (source, array)
    return out


def _renamed(key: str, theirs: str, ours: str) -> str:
    if theirs.startswith("^"):
        return ours + key.removeprefix(theirs[1:]) if key.startswith(theirs[1:]) else key
    return key.replace(theirs, ours)


_WRAPPERS = re.compile(r"(?:(?<=\.)|^)(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")


def without_wrappers(names: Iterable[str]) -> dict[str, str]:
    """Tensor name -> the same without what torch's wrappers put before it: compile, DataParallel, FSDP, checkpointing.

    Example:
        >>> without_wrappers(["module._orig_mod.cls", "module.vit._orig_mod.patch"])
        {'module._orig_mod.cls': 'cls', 'module.vit._orig_mod.patch': 'vit.patch'}
    """
    keys = {name: _WRAPPERS.sub("", name) for name in names}
    while keys and all(key.startswith("module.") for key in keys.values()):
        keys = {name: key.removeprefix("module.") for name, key in keys.items()}
    return keys


def canonical(state: State, keys: Keys, where: str = "checkpoint") -> dict[str, tuple[str, np.ndarray]]:
    """A checkpoint in our alphabet: our key -> (its own key, array); ignored tensors are left out.

    Raises:
        InputError: if two tensors come to the same key.
    """
    out: dict[str, tuple[str, np.ndarray]] = {}
    for source, key in without_wrappers(state).items():
        array = state[source]
        for prefix in keys.prefixes:
            if key.startswith(prefix):
                key = key.removeprefix(prefix)
                break
        if array.size == 0 or key.startswith(keys.ignored):
            continue
        for theirs, ours in keys.renames:
            key = _renamed(key, theirs, ours)
        array = array.T if key in keys.input_first else array
        if key in out:
            raise InputError(
                f"{where}: {shown_name(out[key][0])} and {shown_name(source)} are the same parameter; keep one of them"
            )
        out[key] = (source, array)
    return _split_fused(out)


@functools.lru_cache(maxsize=8)
def shapes_of(config: ViTConfig) -> ViTParams:
    """The parameters' shapes and types, as `jax.ShapeDtypeStruct` leaves, without making them."""

    def build() -> ViTParams:
        params = init_vit(jax.random.key(0), config)
        if config.decoder is None:
            return params
        position = jnp.zeros((config.positions, config.decoder.width), jnp.float32)
        return params.replace(decoder=mae.init_decoder(jax.random.key(0), config, position))

    return jax.eval_shape(build)


class Slot(NamedTuple):
    """One leaf of the parameters: its path, its row of `TABLE`, the shape of the whole, and heads of its attention."""

    path: str
    row: Row
    shape: tuple[int, ...]
    heads: int

    def keys(self) -> Iterator[str]:
        """The keys that it is made of: one, or one a block."""
        stacked = "{i}" in self.row.key
        return (self.row.key.format(i=i) for i in range(self.shape[0] if stacked else 1))

    @property
    def each(self) -> tuple[int, ...]:
        """The shape that each of them gives."""
        return self.shape[1:] if "{i}" in self.row.key else self.shape


def _slot(path: tuple[jax.tree_util.GetAttrKey, ...], spec: jax.ShapeDtypeStruct, config: ViTConfig) -> Slot:
    name = ".".join(p.name for p in path)
    heads = config.decoder.heads if name.startswith("decoder.") and config.decoder else config.heads
    return Slot(name, TABLE[name], spec.shape, heads)


FLOATS = ("float16", "bfloat16", "float32", "float64")


def _problem(slot: Slot, key: str, found: Mapping[str, tuple[str, np.ndarray]]) -> str:
    """What is wrong with the tensor of one key; empty where it fits. Its values are not looked at."""
    if key not in found:
        return f"missing {key}"
    source, array = found[key]
    if array.dtype.name not in FLOATS:
        return f"{shown_name(source)} has dtype {array.dtype}, not a float of 16 bits or more"
    try:
        shape = slot.row.turn(np.broadcast_to(np.zeros((), np.float32), array.shape), slot.heads).shape
    except (EinopsError, ValueError):
        shape = None
    return (
        "" if shape == slot.each else f"{shown_name(source)} has shape {array.shape}, which does not give {slot.each}"
    )


def check_fit(config: ViTConfig, state: State, keys: Keys, where: str) -> set[str]:
    """Whether types and shapes of a checkpoint's tensors are those of the architecture; only they are looked at.

    Args:
        config, state, keys, where: see `fill`; of `memjax.models.hub.read_header` the state takes no memory.

    Returns:
        The names of the tensors that are used.

    Raises:
        InputError: naming every missing, left-over, wrongly shaped or non-float tensor at once.
    """
    found = canonical(state, keys, where)
    slots = jax.tree.leaves(
        jax.tree_util.tree_map_with_path(lambda path, spec: _slot(path, spec, config), shapes_of(config)),
        is_leaf=lambda x: isinstance(x, Slot),
    )
    wanted = {key: slot for slot in slots for key in slot.keys()}  # noqa: SIM118 (not a dict)
    wrong = [problem for key, slot in wanted.items() if (problem := _problem(slot, key, found))]
    left = [source for key, (source, _) in found.items() if key not in wanted]
    if wrong or left:
        raise InputError(f"{where}: {_differences(config, wrong, left)}")
    return {source for source, _ in found.values()}


def _differences(config: ViTConfig, wrong: list[str], left: list[str], most: int = 12) -> str:
    """All differences in one line, or some of either kind where they are many."""
    unexpected = [f"unexpected {shown_name(name)}" for name in left]
    total = len(wrong) + len(unexpected)
    half = max(most // 2, most - len(unexpected))
    some = wrong[:half]
    some += unexpected[: most - len(some)]
    more = f"; and {total - len(some)} more" if total > len(some) else ""
    whose = foreign.of_tensors(left)
    line = f"{total} tensors do not fit a {config.family} of this config.json: {'; '.join(some)}{more}"
    return f"{line}; {whose}" if whose else line


def fill(config: ViTConfig, state: State, keys: Keys, where: str) -> ViTParams:
    """Parameters (float32 numpy arrays) from a checkpoint.

    Args:
        config: the architecture that the checkpoint's own config.json states.
        state: tensor name -> array.
        keys: how this family names its tensors.
        where: the file or folder, for the error.

    Raises:
        InputError: tensors that do not fit, all named at once (`check_fit`), or one with a value that is not finite.
    """
    check_fit(config, state, keys, where)
    found = canonical(state, keys, where)

    def take(slot: Slot, key: str) -> np.ndarray:
        source, array = found[key]
        turned = slot.row.turn(array.astype(np.float32), slot.heads)
        if not all_finite(turned):
            raise InputError(
                f"{where}: {shown_name(source)} holds NaN or infinity; download or convert the checkpoint again"
            )
        return turned

    def leaf(path: tuple[jax.tree_util.GetAttrKey, ...], spec: jax.ShapeDtypeStruct) -> np.ndarray:
        slot = _slot(path, spec, config)
        parts = [take(slot, key) for key in slot.keys()]  # noqa: SIM118 (not a dict)
        return np.stack(parts) if "{i}" in slot.row.key else parts[0]

    return jax.tree_util.tree_map_with_path(leaf, shapes_of(config))


def with_grid(config: ViTConfig, found: Mapping[str, tuple[str, np.ndarray]]) -> ViTConfig:
    """An architecture whose positions are those that a checkpoint holds, where they are of another, square grid.

    timm and OpenCLIP stretch such a table when they load it; here it is stretched when it is used, with the same numbers.

    Args:
        config: what the folder states.
        found: the checkpoint's tensors by our keys.
    """
    if "position" not in found or config.position != "learned" or not config.interpolate:
        return config
    patches = config.grid[0] * config.grid[1]
    held = int(np.prod(found["position"][1].shape[:-1])) - (config.positions - patches)
    side = math.isqrt(max(held, 0))
    if held == patches or side < 1 or side * side != held:
        return config
    return dataclasses.replace(config, image=(side * config.patch, side * config.patch))


def without_missing(config: ViTConfig, found: Collection[str]) -> ViTConfig:
    """An architecture without the head or decoder of which a checkpoint holds no tensor.

    Args:
        config: what config.json states.
        found: the checkpoint's tensors by our keys.
    """
    if config.pool in ("pooler", "projection") and not any(k.startswith("head.") for k in found):
        config = dataclasses.replace(config, pool="cls", pool_width=config.width)
    if config.decoder and not any(k.startswith("decoder.") for k in found):
        config = dataclasses.replace(config, decoder=None)
    return config
