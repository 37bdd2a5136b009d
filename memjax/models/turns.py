"""Our parameters as a table: the key of each in one alphabet for all families, and how a published array is turned into it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from einops import rearrange


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
