"""What a folder with a checkpoint says of it, whichever library wrote it: transformers, timm or OpenCLIP.

config.json goes first; open_clip_config.json is read where there is no config.json, or no weights that belong to it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from memjax.checks import expected
from memjax.models import families, foreign, hub, port
from memjax.models.config import ViTConfig
from memjax.models.open_clip_models import read_open_clip, vision_cfg
from memjax.models.port import Keys
from memjax.models.processor_files import read_processor
from memjax.models.timm_models import model_args, pretrained_cfg, read_timm
from memjax.models.timm_table import EVA, VIT
from memjax.models.torchvision_pixels import open_clip_pixels, timm_pixels
from memjax.storage import read_json

CONFIG, OPEN_CLIP = "config.json", "open_clip_config.json"


class Folder(NamedTuple):
    """A checkpoint without its weights.

    Attributes:
        config: its architecture.
        keys: how its tensors are named.
        processor, processor_file: how its pixels are made, and the file that says so; None and empty where nothing does.
        stem: of its weights' files.
        stretches: whether its library stretches positions of another grid when it loads them.
        layer_scale: the value that layer scales began with, as far as it is stated.
    """

    config: ViTConfig
    keys: Keys
    processor: dict[str, Any] | None
    processor_file: str
    stem: str = hub.STEM
    stretches: bool = False
    layer_scale: object = 1.0

    def fitted(self, header: Mapping[str, np.ndarray], where: str = "checkpoint") -> ViTConfig:
        """The architecture without a head or decoder that a checkpoint does not hold, and with its grid of positions.

        Raises:
            InputError: if two tensors come to the same key.
        """
        found = port.canonical(header, self.keys, where)
        config = port.with_grid(self.config, found) if self.stretches else self.config
        return port.without_missing(config, found)


def describe(folder: Path) -> Folder:
    """What a folder says of its checkpoint.

    Raises:
        InputError: no file that says it, or one that cannot be read as such.
    """
    if not (folder / CONFIG).is_file() or not hub.has_weights(folder):
        if (folder / OPEN_CLIP).is_file():
            return _of_open_clip(folder / OPEN_CLIP)
        if not (folder / CONFIG).is_file():
            whose = foreign.of_folder(folder)
            came = f"none: it is {whose}" if whose else "none"
            raise expected(f"model folder {folder}", CONFIG, came, "give a Hugging Face model folder")
    file = folder / CONFIG
    raw = read_json(file, hub.MOST_JSON)
    if "model_type" not in raw and "architecture" in raw:
        return _of_timm(raw, str(file))
    config, keys = families.read_config(raw, str(file))
    families.check_towers(raw, str(file))
    return Folder(config, keys, *read_processor(folder), layer_scale=raw.get("layerscale_value", 1.0))


def _of_timm(raw: dict[str, Any], where: str) -> Folder:
    config, keys = read_timm(raw, where)
    args: dict[str, object] = {**(VIT | EVA)[raw["architecture"]], **model_args(raw, where)}
    processor = timm_pixels(pretrained_cfg(raw, where), where)
    return Folder(config, keys, processor, where, stretches=True, layer_scale=args.get("init_values") or 1.0)


def _of_open_clip(file: Path) -> Folder:
    raw, where = read_json(file, hub.MOST_JSON), str(file)
    config, keys = read_open_clip(raw, where)
    _, vision = vision_cfg(raw, where)
    processor = open_clip_pixels(raw, vision, where)
    scale = vision.get("ls_init_value") or 1.0
    return Folder(config, keys, processor, where, hub.OPEN_CLIP_STEM, stretches=True, layer_scale=scale)
