"""Vision transformers as pure functions: load a checkpoint's architecture and parameters."""

import dataclasses
from collections.abc import Collection
from typing import NamedTuple

from memjax.checks import expected
from memjax.models import families, foreign, hub, port
from memjax.models.config import ViTConfig
from memjax.models.processor_files import read_processor
from memjax.models.vit import ViTParams
from memjax.storage import read_json

__all__ = ["Loaded", "families", "hub", "port", "read_checkpoint"]


class Loaded(NamedTuple):
    """A checkpoint, read: architecture, parameters (float32, numpy), its processor file, and what identifies it."""

    config: ViTConfig
    params: ViTParams
    processor: dict | None
    location: hub.Location
    checksum: str
    processor_file: str = ""


def read_checkpoint(name: str) -> Loaded:
    """Read a checkpoint from a folder or the hub.

    The config is compared with the list of tensors in the weights before anything is allocated. A family's head or decoder
    that the checkpoint does not hold is left out: ``pooled`` is then the normed cls token.

    Args:
        name: see `memjax.models.hub.locate`.

    Raises:
        InputError: if it is not there, not safe, of an unknown architecture, or does not fit its own config.json.
    """
    location = hub.locate(name)
    where = location.folder / "config.json"
    if not where.is_file():
        whose = foreign.of_folder(location.folder)
        came = f"none: it is {whose}" if whose else "none"
        raise expected(f"model folder {location.folder}", "config.json", came, "give a Hugging Face model folder")
    raw = read_json(where, hub.MOST_JSON)
    config, keys = families.read_config(raw, str(where))
    families.check_towers(raw, str(where))
    files = hub.weight_files(location.folder)
    header = hub.read_header(files)
    config = without_missing(config, port.canonical(header, keys, str(location.folder)))
    used = port.check_fit(config, header, keys, str(location.folder))
    params = port.fill(config, hub.read_state(files, used), keys, str(location.folder))
    processor, file = read_processor(location.folder)
    return Loaded(config, params, processor, location, hub.checksum(files), file)


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
