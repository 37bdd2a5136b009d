"""Vision transformers as pure functions: load a checkpoint's architecture and parameters."""

from typing import NamedTuple

from memjax.models import families, hub, port
from memjax.models.config import ViTConfig
from memjax.models.folders import describe
from memjax.models.untrained import UNTRAINED, architecture_of, check_drawable, fresh_params, parse_untrained
from memjax.models.vit import ViTParams

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
    folder = location.folder
    found = describe(folder)
    files = hub.weight_files(folder, found.stem)
    header = hub.read_header(files)
    config = found.fitted(header, str(folder))
    used = port.check_fit(config, header, found.keys, str(folder))
    params = port.fill(config, hub.read_state(files, used), found.keys, str(folder))
    return Loaded(config, params, found.processor, location, hub.checksum(files), found.processor_file)


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
