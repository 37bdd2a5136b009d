"""An autoencoder from a folder: memjax's own, SAELens', or Prisma's. Nothing in it is ever executed."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from memjax.checks import InputError, check_file, check_folder, expected
from memjax.models.hub import MOST_JSON
from memjax.records import fields_of, object_of
from memjax.sae.config import SAEConfig
from memjax.sae.folding import unfold
from memjax.sae.layouts import TensorRow, Tensors, arrays_in, assembled_sae, config_in, safetensors_of
from memjax.sae.model import ArchetypalParams, ArchetypalState, SAEState
from memjax.sae.normalisation import NORMALISATIONS
from memjax.sae.origin import SAEOrigin
from memjax.sae.prisma import CONFIG, is_prisma, plan_of_prisma
from memjax.sae.saelens import CFG, WEIGHTS, as_computed, plan_of
from memjax.sae.standardiser import Standardiser
from memjax.sae.trained import TrainedSAE
from memjax.sae.writing import BIASES, KEPT, MIXED, VERSION
from memjax.seals import file_sum, seal_holds
from memjax.storage import read_json

PLACED = ("layer", "seed", "fold", "encoder", "normalisation")
"""Fields of `TrainedSAE` that a cfg.json keeps as they are."""


def load(folder: str | Path) -> TrainedSAE:
    """Read one autoencoder from its folder.

    Args:
        folder: one that `memjax.sae.save` wrote, SAELens wrote (``cfg.json``, ``sae_weights.safetensors``), or one of Prisma's
            (``config.json`` and a safetensors file). Torch's files go through `memjax.sae.convert_torch` first.

    Returns:
        The autoencoder. One of memjax's own is the one that was saved; another takes raw vectors, and has no standardiser.

    Raises:
        InputError: there is none, it is not as it was written, or it has fields or tensors that are not known; in one line.

    Example:
        >>> import numpy as np
        >>> from memjax import sae
        >>> x = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
        >>> folder = sae.save(sae.fit(x, "paper", progress=False).saes[0], "saes/mine")
        >>> sae.load(folder).config.variant
        'paper'
    """
    home = check_folder(folder, "autoencoder", argument="folder")
    if (home / CFG).is_file():
        return _saelens(home)
    if (home / CONFIG).is_file() and is_prisma(config := read_json(home / CONFIG, MOST_JSON)):
        plan = plan_of_prisma(config, str(home / CONFIG))
        return assembled_sae(plan, safetensors_of(_weights(home)))
    raise _no_autoencoder(home)


def load_all(folder: str | Path) -> tuple[TrainedSAE, ...]:
    """Read every autoencoder of a folder of folders, as ``saes.save(folder)`` wrote it: by layer, seed and fold.

    Raises:
        InputError: there is none, or one cannot be read.
    """
    home = check_folder(folder, "autoencoders", argument="folder")
    found = [load(one) for one in _inside(home)]
    if not found:
        raise _no_autoencoder(home)
    return tuple(sorted(found, key=lambda one: (one.layer, one.seed, -1 if one.fold is None else one.fold)))


def _inside(home: Path) -> list[Path]:
    return sorted(path.parent for path in home.glob(f"*/{CFG}"))


def _no_autoencoder(home: Path) -> InputError:
    inside, torch_files = [path.name for path in _inside(home)], sorted(path.name for path in home.glob("*.pt"))
    wanted = f"{CFG} and {WEIGHTS}, or Prisma's {CONFIG}"
    if inside:
        fix = f"name one ({home / inside[0]}), or take load_all"
        return expected(f"autoencoder {home}", "one", f"{len(inside)} of them", fix, "folder")
    if torch_files:
        fix = f"convert it: memjax.sae.convert_torch({str(home / torch_files[0])!r}, NEW_FOLDER)"
        return expected(f"autoencoder {home}", wanted, torch_files[0], fix, "folder")
    return expected(f"autoencoder {home}", wanted, "neither", argument="folder")


def _weights(home: Path) -> Path:
    """The one safetensors file of a folder of Prisma's."""
    files = sorted(home.glob("*.safetensors"))
    if len(files) == 1:
        return files[0]
    torch_files = sorted(path.name for path in home.glob("*.pt"))
    if torch_files and not files:
        raise _no_autoencoder(home)
    raise expected(f"autoencoder {home}", "one safetensors file", f"{len(files)} of them", argument="folder")


def _saelens(home: Path) -> TrainedSAE:
    file = home / CFG
    cfg = read_json(file, MOST_JSON)
    plan = plan_of(cfg, str(file))
    weights = safetensors_of(check_file(home / WEIGHTS, "autoencoder", "the folder is not whole", "folder"))
    read = assembled_sae(plan, weights)
    read = read.replace(params=as_computed(read.params, cfg))
    whole = seal_holds(cfg)
    if whole is None:  # SAELens wrote it
        return read
    try:
        return _own(home, read, object_of(object_of(cfg["metadata"])["memjax"]), whole)
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise expected(
            f"{file}, metadata", "what memjax wrote", f"something else ({error})", argument="folder"
        ) from error


def _own(home: Path, read: TrainedSAE, record: Mapping[str, object], whole: bool) -> TrainedSAE:
    """An autoencoder that memjax wrote, from the folded one. Raises also `LookupError`, `TypeError`, `ValueError`."""
    if record.get("version") != VERSION:
        fix = "read it with the version of memjax that wrote it"
        raise expected(f"{home / CFG}, metadata, version", VERSION, repr(record.get("version")), fix, "folder")
    kept = check_file(home / KEPT, "autoencoder", "the folder is not whole", "folder")
    sums = object_of(record["files"])
    if not whole or any(sums[name] != file_sum(home / name) for name in (WEIGHTS, KEPT)):
        raise InputError(f"autoencoder {home}: not as it was written; save it again", "folder")
    config = config_in(str(home / CFG), fields_of(SAEConfig, record["config"]))
    found, said = read.config, (config.width, config.latents, config.target_width, config.saelens)
    if said != (found.width, found.latents, found.target_width, found.saelens):
        raise ValueError(f"a {config.variant} of another size or kind than its tensors")
    placed = fields_of(TrainedSAE, {name: record[name] for name in PLACED})
    if placed["normalisation"] not in NORMALISATIONS:
        raise ValueError("a normalisation that is not known")
    arrays, state, standardiser, targets = _kept(safetensors_of(kept), config)
    params = ArchetypalParams(**vars(read.params)) if config.row.archetypal else read.params
    params = unfold(params, arrays, standardiser, targets)
    params = params if config.variant == "jumprelu" else params.replace(log_threshold=None)
    origin = SAEOrigin.from_json(object_of(record["origin"]))
    return TrainedSAE(params, state, standardiser, config, origin=origin, target_standardiser=targets, **placed)


def _kept(
    tensors: Tensors, config: SAEConfig
) -> tuple[dict[str, np.ndarray], SAEState, Standardiser, Standardiser | None]:
    """What `memjax.sae.writing.kept_of` gave: parameters that the folded weights do not give back, state, standardisers."""
    biases = [name for name in BIASES if name != "b_mag" or config.variant == "gated"]
    mixed = MIXED if config.row.archetypal else ()
    scales = ("mean", "std", *(("target_mean", "target_std") if config.transcodes else ()))
    axes = {"b_dec": "o", "mixture": "fc", "relaxation": "fd", "points": "cd"}
    axes |= {"mean": "d", "std": "d", "target_mean": "o", "target_std": "o"}
    rows = tuple(TensorRow(name, name, axes.get(name, "f")) for name in (*biases, *mixed, *scales))
    arrays = arrays_in(tensors, rows, config, unused=("running_threshold", "idle"))
    sizes = {"running_threshold": (1,), "idle": (config.latents,)}
    positive = all((arrays[name] > 0).all() for name in scales if name.endswith("std"))
    if any(tensors.shapes.get(name) != shape for name, shape in sizes.items()) or not positive:
        raise ValueError("shapes or standard deviations that are not possible")
    standardiser, targets = Standardiser(mean=arrays.pop("mean"), std=arrays.pop("std")), None
    if config.transcodes:
        targets = Standardiser(mean=arrays.pop("target_mean"), std=arrays.pop("target_std"))
    threshold, idle = tensors.read("running_threshold"), tensors.read("idle")
    state = SAEState(np.asarray(threshold[0], np.float32), idle.astype(np.int32))
    if config.row.archetypal:
        state = ArchetypalState(**vars(state), points=arrays.pop("points"))
    return arrays, state, standardiser, targets
