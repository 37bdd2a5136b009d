"""Vision transformers as pure functions: load a checkpoint's architecture and parameters."""

import dataclasses
from typing import NamedTuple

from memjax.checks import expected
from memjax.models import families, hub, port
from memjax.models.config import ViTConfig
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


def read_checkpoint(name: str) -> Loaded:
    """Read a checkpoint from a folder or the hub.

    A family's head or decoder that the checkpoint does not hold is left out: ``pooled`` is then the normed cls token.

    Args:
        name: see `memjax.models.hub.locate`.

    Raises:
        InputError: if it is not there, not safe, of an unknown architecture, or does not fit its own config.json.
    """
    location = hub.locate(name)
    where = location.folder / "config.json"
    if not where.is_file():
        raise expected(f"model folder {location.folder}", "config.json", "none", "give a Hugging Face model folder")
    config, keys = families.read_config(read_json(where), str(where))
    files = hub.weight_files(location.folder)
    state = hub.read_state(files)
    found = port.canonical(state, keys)
    if config.pool in ("pooler", "projection") and not any(k.startswith("head.") for k in found):
        config = dataclasses.replace(config, pool="cls", pool_width=config.width)
    if config.decoder and not any(k.startswith("decoder.") for k in found):
        config = dataclasses.replace(config, decoder=None)
    params = port.fill(config, state, keys, str(location.folder))
    processor = location.folder / "preprocessor_config.json"
    return Loaded(config, params, read_json(processor) if processor.is_file() else None, location, hub.checksum(files))
