"""Slow NumPy definitions, in float64 and in the order of the sentences that define them. Tests compare with these."""

import numpy as np


def readout(hidden: np.ndarray, cls: bool) -> np.ndarray:
    """The cls token, or the mean of all tokens."""
    hidden = np.asarray(hidden, np.float64)
    return hidden[0] if cls else hidden.mean(axis=0)


def cosine(u: np.ndarray, v: np.ndarray) -> float:
    return float(np.dot(u, v) / (np.linalg.norm(u) * np.linalg.norm(v)))


def patch_uniformity(hidden: np.ndarray, prefix: int) -> float:
    """Every patch against every other one, the mean of their cosines."""
    patches = np.asarray(hidden, np.float64)[prefix:]
    unit = [x / np.linalg.norm(x) for x in patches]
    cosines = np.stack(unit) @ np.stack(unit).T
    return float(cosines[~np.eye(len(unit), dtype=bool)].mean())


def attention_entropy(attention: np.ndarray, cls: bool, prefix: int) -> float:
    """Average the heads, take the cls row (or the average of all rows), drop the prefix, renormalise, entropy in bits."""
    mean = np.asarray(attention, np.float64).mean(axis=0)
    row = mean[0] if cls else mean.mean(axis=0)
    p = row[prefix:] / row[prefix:].sum()
    return float(-sum(x * np.log2(x) for x in p if x > 0))


def features(hidden: np.ndarray, attention: np.ndarray, cls: bool, prefix: int) -> dict[str, np.ndarray]:
    """All metrics of one image from its ``hidden [l+1, t, d]`` and ``attention [l, h, t, s]``: name -> ``[l+1]``."""
    layers = len(hidden)
    tokens = [readout(h, cls) for h in hidden]
    names = ("attention_entropy", "layer_delta", "delta_total", "delta_first_last")
    out = {name: np.full(layers, np.nan) for name in names}
    out["cls_mean"] = np.array([t.mean() for t in tokens])
    out["cls_sum"] = np.array([t.sum() for t in tokens])
    out["cls_max"] = np.array([t.max() for t in tokens])
    out["cls_max_abs"] = np.array([np.abs(t).max() for t in tokens])
    out["cls_norm"] = np.array([np.linalg.norm(t) for t in tokens])
    out["patch_uniformity"] = np.array([patch_uniformity(h, prefix) for h in hidden])
    for i in range(1, layers):
        out["attention_entropy"][i] = attention_entropy(attention[i - 1], cls, prefix)
        out["layer_delta"][i] = 1 - cosine(tokens[i - 1], tokens[i])
    out["delta_total"][-1] = np.nansum(out["layer_delta"])
    out["delta_first_last"][-1] = 1 - cosine(tokens[0], tokens[-1])
    return out


def attention_distance(attention: np.ndarray, prefix: int, grid: tuple[int, int], patch: int) -> float:
    """Head by head and patch by patch: the other patches' distances, weighted by the attention they get; then the mean."""
    centres = [(patch * (y + 0.5), patch * (x + 0.5)) for y in range(grid[0]) for x in range(grid[1])]
    centres = [None] * (attention.shape[-1] - len(centres)) + centres
    means = []
    for head in np.asarray(attention, np.float64):
        for query in range(prefix, len(centres)):
            keys = range(prefix, len(centres))
            far = [np.linalg.norm(np.subtract(centres[query], centres[key])) for key in keys]
            means.append(np.dot(head[query, prefix:], far) / head[query, prefix:].sum())
    return float(np.mean(means))


def register_attention(attention: np.ndarray, cls: bool, prefix: int, registers: int) -> float:
    """Average the heads, take the cls row (or the average of all rows), sum what the registers get."""
    mean = np.asarray(attention, np.float64).mean(axis=0)
    row = mean[0] if cls else mean.mean(axis=0)
    return float(sum(row[prefix - 1 - i] for i in range(registers)))


def patch_norm_outliers(hidden: np.ndarray, prefix: int) -> float:
    """How many patches are longer than the median by more than 3 scaled median deviations, of all patches."""
    norms = [np.linalg.norm(x) for x in np.asarray(hidden, np.float64)[prefix:]]
    middle = sorted(norms)
    median = (middle[(len(norms) - 1) // 2] + middle[len(norms) // 2]) / 2
    spread = np.median([abs(x - median) for x in norms])
    return sum(x - median > 3 * 1.4826 * spread for x in norms) / len(norms)


def branches(made: dict[str, np.ndarray], cls: bool) -> dict[str, np.ndarray]:
    """Metrics of the fields ``heads``, ``mlp_hidden`` and ``mlp`` of a trace's blocks; per head ``[l+1, h]``."""
    layers, heads = len(made["mlp"]) + 1, made["heads"].shape[1]
    out = {name: np.full(layers, np.nan) for name in ("mlp_norm", "mlp_active")}
    out["head_norm"] = np.full((layers, heads), np.nan)
    for i in range(1, layers):
        of_heads, hidden, mlp = (np.asarray(made[name][i - 1], np.float64) for name in ("heads", "mlp_hidden", "mlp"))
        read = mlp[0] if cls else sum(mlp) / len(mlp)
        out["mlp_norm"][i] = np.sqrt(sum(x * x for x in read))
        seen = hidden[:1] if cls else hidden
        out["mlp_active"][i] = sum(x > 0 for row in seen for x in row) / seen.size
        out["head_norm"][i] = [np.linalg.norm(z[0] if cls else sum(z) / len(z)) for z in of_heads]
    return out


def further(
    hidden: np.ndarray, attention: np.ndarray, cls: bool, prefix: int, registers: int, grid: tuple[int, int], patch: int
) -> dict[str, np.ndarray]:
    """The metrics that are not measured by default, as `features` gives the others; per head ``[l+1, h]``."""
    layers, heads = len(hidden), attention.shape[1]
    out = {name: np.full(layers, np.nan) for name in ("attention_distance", "register_attention")}
    out["attention_entropy_head"] = np.full((layers, heads), np.nan)
    out["patch_norm_outliers"] = np.array([patch_norm_outliers(h, prefix) for h in hidden])
    for i, block in enumerate(attention, start=1):
        out["attention_distance"][i] = attention_distance(block, prefix, grid, patch)
        out["register_attention"][i] = register_attention(block, cls, prefix, registers)
        out["attention_entropy_head"][i] = [attention_entropy(head[None], cls, prefix) for head in block]
    return out if registers else {name: value for name, value in out.items() if name != "register_attention"}
