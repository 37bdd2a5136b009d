"""Encoders without training: the architecture of a published or local one, its weights drawn anew, as a control.

``memjax/random:<id>`` is of seed 0, ``memjax/random:<id>#3`` of seed 3. Of a published encoder that memjax knows by name the
architecture stands here, so that nothing is fetched; of any other it is read from its config.json.

Weights are drawn as in transformers' ViT, DeiT, DINOv2 and MAE: kernels, tokens and positions normal with standard deviation
0.02 (cut off at 2, which none reaches), biases 0, scales of norms 1, layer scale as the config says (1), MAE's fixed sin-cos
positions as they are. CLIP and SigLIP, whose own initialisers have other spreads, are drawn in the same way.
"""

import hashlib
import re
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from memjax.checks import InputError, expected
from memjax.model_names import UNTRAINED_PREFIX
from memjax.models import families, hub, port, presets
from memjax.models.config import ViTConfig
from memjax.models.folders import describe
from memjax.models.positions import sincos_table
from memjax.models.vit import ViTParams

PREFIX, UNTRAINED = UNTRAINED_PREFIX, "untrained"
"""What the name of an encoder without training begins with, and its revision."""

STD = 0.02
MOST_SEED = 2**32 - 1
_NAME = re.compile(re.escape(PREFIX) + r"(?P<of>.+?)(?:#(?P<seed>[^#/]*))?")


class Untrained(NamedTuple):
    """Whose architecture, and the seed of its weights."""

    of: str
    seed: int


def parse_untrained(name: str) -> Untrained | None:
    """What a name asks for; None where it is no name of an encoder without training.

    Raises:
        InputError: nothing after the prefix, or a seed that is no whole number.

    Example:
        >>> parse_untrained("memjax/random:facebook/dinov2-small#3"), parse_untrained("facebook/dinov2-small")
        (Untrained(of='facebook/dinov2-small', seed=3), None)
    """
    if not name.startswith(PREFIX):
        return None
    found = _NAME.fullmatch(name)
    if found is None or found["of"].startswith(PREFIX):
        raise expected(
            f"model {name!r}", "an encoder after the colon", "none", f"such as {PREFIX}facebook/dinov2-small"
        )
    seed = found["seed"] or "0"
    if not (seed.isascii() and seed.isdigit() and len(seed) < 11 and int(seed) <= MOST_SEED) or found["seed"] == "":
        raise expected(f"model {name!r}", f"a whole number up to {MOST_SEED} after #", repr(found["seed"]))
    return Untrained(found["of"], int(seed))


def untrained_label(name: str) -> str:
    """The name in tables: of a local folder the last part, and no seed 0.

    Example:
        >>> untrained_label("memjax/random:../models/deit-tiny#0"), untrained_label("memjax/random:memjax/tiny#2")
        ('memjax/random:deit-tiny', 'memjax/random:memjax/tiny#2')
    """
    found = parse_untrained(name)
    assert found is not None, name
    local = found.of not in _known() and (Path(found.of).expanduser().is_dir() or found.of.startswith((".", "/", "~")))
    of = Path(found.of).expanduser().resolve().name if local else found.of
    return f"{PREFIX}{of}{f'#{found.seed}' if found.seed else ''}"


def _known() -> dict[str, presets.Preset]:
    return {row.id: row for row in presets.PRESETS}


class Blueprint(NamedTuple):
    """An architecture, its processor with the file that it is from, and the value that layer scales begin with."""

    config: ViTConfig
    processor: dict | None
    processor_file: str
    layer_scale: float


def architecture_of(of: str) -> tuple[Blueprint, Path]:
    """The architecture of an encoder, without its weights; and the folder that it was read from.

    Raises:
        InputError: no such encoder, no config.json, or one of an unknown architecture.
    """
    row = _known().get(of)
    if row is not None and not Path(of).is_dir():
        config, _ = families.read_config(published_config(row), of)
        way = presets.processor(row.family, row.image)
        return Blueprint(config, way, f"the published preprocessing of {of}", 1.0), Path(of)
    folder = hub.locate(of).folder
    found = describe(folder)
    config = found.config
    if any(folder.glob(f"{found.stem}*.safetensors")):
        config = found.fitted(hub.read_header(hub.weight_files(folder, found.stem)))
    scale = found.layer_scale
    if isinstance(scale, bool) or not isinstance(scale, (int, float)):
        raise expected(f"{folder / 'config.json'}, layerscale_value", "a number", repr(scale))
    return Blueprint(config, found.processor, found.processor_file, float(scale)), folder


def published_config(row: presets.Preset) -> dict[str, Any]:
    """What the config.json of a published encoder says of its architecture, as far as it is not transformers' default."""
    sizes = {
        "model_type": f"{row.family}_vision_model" if row.family in families.TWO_TOWERS else row.family,
        "hidden_size": row.width,
        "num_hidden_layers": row.depth,
        "num_attention_heads": row.heads,
        "patch_size": row.patch,
        "image_size": row.image,
    }
    if row.family.startswith("dinov2"):
        sizes |= {"image_size": 518, "use_swiglu_ffn": row.id.endswith("giant")}
    else:
        sizes |= {"intermediate_size": 4304 if row.width == 1152 else 4 * row.width}
    if row.family == "clip":
        sizes |= {"projection_dim": 768 if row.width == 1024 else 512}
    if row.family in ("dinov2_with_registers", "dinov3_vit"):
        sizes |= {"num_register_tokens": 4}
    return sizes


def fresh_params(config: ViTConfig, seed: int, layer_scale: float) -> tuple[ViTParams, str]:
    """Weights (float32, numpy) of an architecture, the same on every machine, and the SHA-256 of their values and names."""
    digest = hashlib.sha256()
    shapes, tree = jax.tree_util.tree_flatten_with_path(port.shapes_of(config))
    leaves = []
    for place, (path, spec) in enumerate(shapes):
        name = ".".join(part.name for part in path)
        values = _leaf(name, spec.shape, config, (np.random.default_rng([seed, place]), layer_scale))
        digest.update(name.encode() + values.tobytes())
        leaves.append(values)
    return jax.tree.unflatten(tree, leaves), digest.hexdigest()


def _leaf(name: str, shape: tuple[int, ...], config: ViTConfig, how: tuple[np.random.Generator, float]) -> np.ndarray:
    """One array of weights, by its name."""
    rng, layer_scale = how
    end = name.rpartition(".")[2]
    if end == "position" and config.family == "vit_mae":
        return np.asarray(sincos_table(*config.grid, shape[-1], extra=1), np.float32)
    fixed = {"bias": 0.0, "scale": 1.0, "scale1": layer_scale, "scale2": layer_scale}
    if end in fixed:
        return np.full(shape, fixed[end], np.float32)
    return np.clip(np.float32(STD) * rng.standard_normal(shape, np.float32), -2, 2)


def check_drawable(config: ViTConfig, name: str) -> None:
    """Refuse an architecture whose weights would not fit in memory: they are made, not read.

    Raises:
        InputError: over `MOST_WEIGHTS` weights.
    """
    count = sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(port.shapes_of(config)))
    if count > MOST_WEIGHTS:
        raise InputError(f"model {name!r}: {count:,} weights; at most {MOST_WEIGHTS:,} are drawn")


MOST_WEIGHTS = 2**32
"""Weights of an encoder that is drawn, at most: three times those of the largest that is known by name."""
