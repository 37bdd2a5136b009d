"""Vision transformers as pure functions: load a checkpoint's architecture and parameters."""

from typing import NamedTuple

from memjax.checks import expected
from memjax.models import families, foreign, hub, port
from memjax.models.config import ViTConfig
from memjax.models.processor_files import read_processor
from memjax.models.untrained import UNTRAINED, architecture_of, check_drawable, fresh_params, parse_untrained
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
        name: see `memjax.models.hub.locate`; or of an encoder without training, `memjax.models.untrained`.

    Raises:
        InputError: if it is not there, not safe, of an unknown architecture, or does not fit its own config.json.
    """
    if (drawn := parse_untrained(name)) is not None:
        return draw_untrained(name, *drawn)
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
    config = port.without_missing(config, port.canonical(header, keys, str(location.folder)))
    used = port.check_fit(config, header, keys, str(location.folder))
    params = port.fill(config, hub.read_state(files, used), keys, str(location.folder))
    processor, file = read_processor(location.folder)
    return Loaded(config, params, processor, location, hub.checksum(files), file)


def draw_untrained(name: str, of: str, seed: int) -> Loaded:
    """An encoder with the architecture and pixels of another one, and weights that are drawn.

    Args:
        name: as it was asked for.
        of: whose architecture.
        seed: of the weights.
    """
    plan, folder = architecture_of(of)
    check_drawable(plan.config, name)
    params, checksum = fresh_params(plan.config, seed, plan.layer_scale)
    location = hub.Location(folder, name, UNTRAINED)
    return Loaded(plan.config, params, plan.processor, location, checksum, plan.processor_file)
