"""Published weights into our parameters, as data: rename a family's keys to one alphabet, then one table for all.

Completeness is checked both ways: every parameter must be found with its shape, and every tensor in the file must be
used or stand on the explicit ignore list (empty tensors carry nothing and are passed over). One error names all
differences.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import numpy as np
from einops import EinopsError, rearrange

from memjax.checks import InputError
from memjax.models import mae
from memjax.models.config import ViTConfig
from memjax.models.vit import ViTParams, init_vit

State = Mapping[str, np.ndarray]


class Keys(NamedTuple):
    """How a family names its tensors.

    Attributes:
        prefixes: taken off the front of a key, the first that fits.
        renames: (theirs, ours), applied in order; current and legacy names of transformers alike.
        ignored: beginnings of keys (after the prefix) that we leave out on purpose.
    """

    prefixes: tuple[str, ...]
    renames: tuple[tuple[str, str], ...]
    ignored: tuple[str, ...]


class Row(NamedTuple):
    """One parameter: our path, its key in our alphabet, and how the array is turned."""

    key: str
    turn: Callable[[np.ndarray, int], np.ndarray]


def same(x: np.ndarray, heads: int) -> np.ndarray:
    return x


def transpose(x: np.ndarray, heads: int) -> np.ndarray:
    return x.T


def rows(x: np.ndarray, heads: int) -> np.ndarray:
    return x.reshape(-1, x.shape[-1])


def flat(x: np.ndarray, heads: int) -> np.ndarray:
    return x.reshape(-1)


def patch_kernel(x: np.ndarray, heads: int) -> np.ndarray:
    """A convolution's kernel in the order of `patchify`."""
    return rearrange(x, "d c y x -> (y x c) d")


def heads_kernel(x: np.ndarray, heads: int) -> np.ndarray:
    return rearrange(x, "(h k) d -> d h k", h=heads)


def heads_bias(x: np.ndarray, heads: int) -> np.ndarray:
    return rearrange(x, "(h k) -> h k", h=heads)


def out_kernel(x: np.ndarray, heads: int) -> np.ndarray:
    return rearrange(x, "d (h k) -> h k d", h=heads)


def _linear(path: str, key: str) -> dict[str, Row]:
    return {f"{path}.kernel": Row(f"{key}.weight", transpose), f"{path}.bias": Row(f"{key}.bias", same)}


def _norm(path: str, key: str) -> dict[str, Row]:
    return {f"{path}.scale": Row(f"{key}.weight", same), f"{path}.bias": Row(f"{key}.bias", same)}


def _attention(path: str, key: str) -> dict[str, Row]:
    rows = {}
    for ours, theirs in (("query", "q"), ("key", "k"), ("value", "v")):
        rows[f"{path}.{ours}.kernel"] = Row(f"{key}.{theirs}.weight", heads_kernel)
        rows[f"{path}.{ours}.bias"] = Row(f"{key}.{theirs}.bias", heads_bias)
    rows[f"{path}.out.kernel"] = Row(f"{key}.o.weight", out_kernel)
    return rows | {f"{path}.out.bias": Row(f"{key}.o.bias", same)}


def _block(path: str, key: str) -> dict[str, Row]:
    return {
        **_norm(f"{path}.norm1", f"{key}.norm1"),
        **_attention(f"{path}.attention", f"{key}.attn"),
        f"{path}.scale1": Row(f"{key}.scale1", same),
        **_norm(f"{path}.norm2", f"{key}.norm2"),
        **_linear(f"{path}.mlp.up", f"{key}.up"),
        **_linear(f"{path}.mlp.gate", f"{key}.gate"),
        **_linear(f"{path}.mlp.down", f"{key}.down"),
        f"{path}.scale2": Row(f"{key}.scale2", same),
    }


TABLE: dict[str, Row] = {
    "patch.kernel": Row("patch.weight", patch_kernel),
    "patch.bias": Row("patch.bias", same),
    "cls": Row("cls", rows),
    "distillation": Row("distillation", rows),
    "registers": Row("registers", rows),
    "position": Row("position", rows),
    **_norm("pre_norm", "pre_norm"),
    **_block("blocks", "blocks.{i}"),
    **_norm("final_norm", "final_norm"),
    **_linear("head", "head"),
    "head.probe": Row("head.probe", rows),
    **_attention("head.attention", "head.attn"),
    **_norm("head.norm", "head.norm"),
    **_linear("head.mlp.up", "head.up"),
    **_linear("head.mlp.down", "head.down"),
    **_linear("decoder.embed", "decoder.embed"),
    "decoder.mask_token": Row("decoder.mask_token", flat),
    "decoder.position": Row("decoder.position", rows),
    **_block("decoder.blocks", "decoder.blocks.{i}"),
    **_norm("decoder.norm", "decoder.norm"),
    **_linear("decoder.predict", "decoder.predict"),
}


def _split_fused(state: dict[str, tuple[str, np.ndarray]]) -> dict[str, tuple[str, np.ndarray]]:
    """Fused tensors (legacy SwiGLU ``gate_up``, torch's ``qkv``) into their parts, along the output axis."""
    out = {}
    for key, (source, array) in state.items():
        for fused, parts in (("gate_up", ("gate", "up")), ("attn.qkv", ("attn.q", "attn.k", "attn.v"))):
            if fused in key and len(array) % len(parts) == 0:
                for part, piece in zip(parts, np.split(array, len(parts))):
                    out[key.replace(fused, part)] = (source, piece)
                break
        else:
            out[key] = (source, array)
    return out


def canonical(state: State, keys: Keys) -> dict[str, tuple[str, np.ndarray]]:
    """A checkpoint in our alphabet: our key -> (its own key, array); ignored tensors are left out.

    Raises:
        InputError: if two tensors come to the same key.
    """
    out: dict[str, tuple[str, np.ndarray]] = {}
    for source, array in state.items():
        key = source
        for prefix in keys.prefixes:
            if key.startswith(prefix):
                key = key.removeprefix(prefix)
                break
        if array.size == 0 or key.startswith(keys.ignored):
            continue
        for theirs, ours in keys.renames:
            key = key.replace(theirs, ours)
        if key in out:
            raise InputError(f"checkpoint: {out[key][0]} and {source} are the same parameter; keep one of them")
        out[key] = (source, array)
    return _split_fused(out)


def shapes_of(config: ViTConfig) -> ViTParams:
    """The parameters' shapes and types, as `jax.ShapeDtypeStruct` leaves, without making them."""

    def build() -> ViTParams:
        params = init_vit(jax.random.key(0), config)
        decoder = mae.init_decoder(jax.random.key(0), config) if config.decoder else None
        return params.replace(decoder=decoder)

    return jax.eval_shape(build)


def fill(config: ViTConfig, state: State, keys: Keys, where: str) -> ViTParams:
    """Parameters (float32 numpy arrays) from a checkpoint.

    Args:
        config: the architecture that the checkpoint's own config.json states.
        state: tensor name -> array.
        keys: how this family names its tensors.
        where: the file or folder, for the error.

    Raises:
        InputError: naming every missing, left-over, wrongly shaped or non-float tensor at once.
    """
    found = canonical(state, keys)
    used: set[str] = set()
    problems: list[str] = []

    def take(key: str, row: Row, shape: tuple[int, ...], heads: int) -> np.ndarray:
        used.add(key)
        if key not in found:
            problems.append(f"missing {key}")
            return np.zeros(shape, np.float32)
        source, array = found[key]
        if array.dtype.kind != "f" and array.dtype.name != "bfloat16":
            problems.append(f"{source} has dtype {array.dtype}, not a float")
            return np.zeros(shape, np.float32)
        try:
            turned = row.turn(array.astype(np.float32), heads)
        except (EinopsError, ValueError):
            turned = array
        if turned.shape != shape:
            problems.append(f"{source} has shape {array.shape}, which does not give {shape}")
            return np.zeros(shape, np.float32)
        return turned

    def leaf(path: tuple[jax.tree_util.GetAttrKey, ...], spec: jax.ShapeDtypeStruct) -> np.ndarray:
        name = ".".join(p.name for p in path)
        row = TABLE[name]
        in_decoder = name.startswith("decoder.")
        heads = config.decoder.heads if in_decoder and config.decoder else config.heads
        if "{i}" not in row.key:
            return take(row.key, row, spec.shape, heads)
        return np.stack([take(row.key.format(i=i), row, spec.shape[1:], heads) for i in range(spec.shape[0])])

    params = jax.tree_util.tree_map_with_path(leaf, shapes_of(config))
    problems += [f"unexpected {source}" for key, (source, _) in found.items() if key not in used]
    if problems:
        shown = "; ".join(problems[:12]) + (f"; and {len(problems) - 12} more" if len(problems) > 12 else "")
        raise InputError(f"{where}: {len(problems)} tensors do not fit a {config.family} of this config.json: {shown}")
    return params
