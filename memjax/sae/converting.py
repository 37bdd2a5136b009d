"""Published autoencoders that are kept in torch's files, made into folders of safetensors: Prisma's, saev's, the authors'."""

import json
from collections.abc import Mapping
from pathlib import Path

from memjax.checks import InputError, check_file, expected
from memjax.models.hub import MOST_HEADER, MOST_JSON
from memjax.sae.folding import raw_standardiser
from memjax.sae.init import init_state
from memjax.sae.layouts import assembled_sae
from memjax.sae.origin import SAEOrigin
from memjax.sae.prisma import CONFIG, is_prisma, plan_of_prisma
from memjax.sae.released import load_released
from memjax.sae.saev import plan_of_saev
from memjax.sae.torch_files import read_torch
from memjax.sae.trained import TrainedSAE
from memjax.sae.writing import save
from memjax.storage import read_json

WHAT = "autoencoder"


def convert_torch(file: str | Path, folder: str | Path, pre_bias: bool | None = None) -> Path:
    """Write a folder for `memjax.sae.load`, and for SAELens, from a torch file; needs torch, which runs nothing of it.

    Args:
        file: saev's ``sae.pt``; weights of Prisma with their config.json beside them; or a ``SPARSE_autoencoder_model_*.pt`` of
            Takmaz, Gatt & Dotlačil.
        folder: where it goes, as in `memjax.sae.save`.
        pre_bias: whether the decoder's bias is subtracted first, where a file of saev does not say (schema 1).

    Returns:
        The folder.

    Raises:
        InputError: torch is not installed, or the file is none of these; in one line.
    """
    return save(_read(check_file(file, WHAT, argument="file"), pre_bias), folder)


def _read(file: Path, pre_bias: bool | None) -> TrainedSAE:
    with file.open("rb") as source:
        line = source.readline(MOST_HEADER) if source.peek(1)[:1] == b"{" else b""
    if line:
        tensors = read_torch(file, WHAT, skip=len(line))
        return assembled_sae(plan_of_saev(_header(line, file), frozenset(tensors.shapes), str(file), pre_bias), tensors)
    if pre_bias is not None:
        raise expected("pre_bias", "none but for files of saev", pre_bias, argument="pre_bias")
    beside = file.with_name(CONFIG)
    if beside.is_file() and is_prisma(config := read_json(beside, MOST_JSON)):
        return assembled_sae(plan_of_prisma(config, str(beside)), read_torch(file, WHAT))
    params, config = load_released(file)
    origin = SAEOrigin(format="Takmaz, Gatt & Dotlačil 2025", trained_as="paper", protocol="paper")
    return TrainedSAE(params, init_state(config), raw_standardiser(config.width), config, origin=origin)


def _header(line: bytes, file: Path) -> Mapping[str, object]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{WHAT} {file}: its first line is not readable as JSON", "file") from error
    if not isinstance(found, Mapping):
        raise expected(f"{WHAT} {file}, first line", "a JSON object", type(found).__name__, argument="file")
    return found
