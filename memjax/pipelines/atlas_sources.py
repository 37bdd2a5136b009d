"""What an atlas is made of: the autoencoders that are given, and the token vectors and scores that they are held against."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import xarray as xr
from jaxtyping import Float, Int

from memjax.checks import InputError, check_folder, check_kind, expected
from memjax.latents.settings import AtlasSettings
from memjax.pipelines.saes import SAES, SAEResult
from memjax.pipelines.tokens import Group, open_group, token_vectors, usable_images
from memjax.sae.reading import load_all
from memjax.sae.trained import TrainedSAE
from memjax.storage import Place
from memjax.store import verify_group

SAESource: TypeAlias = SAEResult | TrainedSAE | str | Path
"""Autoencoders: what `memjax.train_saes` gave, its folder, a folder of their folders, or one."""


def autoencoders_of(saes: SAESource | Sequence[SAESource]) -> tuple[TrainedSAE, ...]:
    """All autoencoders that are named.

    Raises:
        InputError: there are none, or one cannot be read.
    """
    if isinstance(saes, SAEResult):
        return saes.saes
    if isinstance(saes, TrainedSAE):
        return (saes,)
    if isinstance(saes, str | Path):
        folder = check_folder(saes, "autoencoders", argument="saes")
        return load_all(folder / SAES if (folder / SAES).is_dir() else folder)
    fix = "memjax.train_saes gives them"
    check_kind(saes, Iterable, "saes", "autoencoders, or their folder", fix)
    found = tuple(sae for source in saes for sae in autoencoders_of(source))
    if not found:
        raise expected("saes", "one autoencoder or more", "none", argument="saes")
    return found


@dataclass(frozen=True, eq=False)
class TokenVectors:
    """One token's vectors of the images that can be used, read from the store when asked for.

    Attributes:
        group: the encoder's group.
        token: ``cls``, ``mean``, ``pooled`` or ``patches``.
        values: dims ``image, layer, width``, or ``image, patch_layer, patch, width``.
        rows: of the store, of the images with vectors and a score.
        y: their scores.
    """

    group: Group
    token: str
    values: xr.DataArray
    rows: Int[np.ndarray, " n"]
    y: Float[np.ndarray, " n"]

    @property
    def ids(self) -> np.ndarray:
        """The images' ids."""
        return self.group.values["image"].values[self.rows]

    @property
    def tokens(self) -> int:
        """Vectors of an image at a layer."""
        return self.values.sizes.get("patch", 1)

    @property
    def width(self) -> int:
        """Of a vector."""
        return self.values.sizes["width"]

    def read(self, layer: int, start: int, stop: int) -> Float[np.ndarray, "b p d"]:
        """Images ``start`` to ``stop`` at a layer."""
        place = int(np.flatnonzero(self.values[self.values.dims[1]].values == layer)[0])
        found = self.values[self.rows[start:stop], place].values.astype(np.float32)
        return np.ascontiguousarray(found.reshape(len(found), self.tokens, self.width))


def group_of(saes: Sequence[TrainedSAE], features: Place, settings: AtlasSettings) -> Group:
    """The encoder's group that autoencoders are held against: the one asked for, or their own.

    Raises:
        InputError: there is none, or the autoencoders are of other weights.
    """
    names = {sae.encoder for sae in saes} - {""}
    group = open_group(features, settings.model or (names.pop() if len(names) == 1 else None))
    for sae in saes:
        theirs, ours = sae.origin.encoder_sha256, group.encoder.sha256
        if theirs and ours and theirs != ours:
            what = f"autoencoder of layer {sae.layer}, seed {sae.seed}"
            wanted = f"one of {group.model} (weights {ours[:12]})"
            raise expected(what, wanted, f"one of {sae.encoder} (weights {theirs[:12]})", argument="saes")
    return group


def by_token(saes: Sequence[TrainedSAE], settings: AtlasSettings) -> dict[str, list[TrainedSAE]]:
    """Autoencoders by the token that their vectors are of.

    Raises:
        InputError: nothing says which.
    """
    found: dict[str, list[TrainedSAE]] = {}
    for sae in saes:
        token = sae.origin.token or settings.token
        if not token:
            fix = "say which vectors it takes"
            raise expected(f"token of the autoencoder of layer {sae.layer}", "a token", "none", fix, "token")
        found.setdefault(token, []).append(sae)
    return found


def open_vectors(group: Group, token: str, saes: Sequence[TrainedSAE], memory: int) -> TokenVectors:
    """The vectors that some autoencoders take.

    Raises:
        InputError: the run did not keep them or their layers, they have another width, or they are damaged; the decoders are of
            different targets, so that they cannot be matched between seeds.
    """
    if len({sae.config.target_width for sae in saes}) > 1:
        fix = "make an atlas of each"
        raise expected("saes", "autoencoders, or transcoders into one width", "both, or several", fix, "saes")
    values = token_vectors(group, token)
    verify_group(group.store.parent, group.name, [token], forget=True)
    layers = values[values.dims[1]].values.tolist()
    for sae in saes:
        what = f"autoencoder of layer {sae.layer}, seed {sae.seed}"
        if sae.layer not in layers:
            kept = ", ".join(map(str, layers))
            raise InputError(f"{what}: the run kept {token} of layers {kept}; keep that layer in the sweep", "saes")
        if sae.config.width != values.sizes["width"]:
            raise expected(f"{what}, width", values.sizes["width"], sae.config.width, argument="saes")
    block = max(1, memory // (8 * int(np.prod(values.shape[1:]))))
    used = usable_images(group, values, block)
    y = group.values["memorability"].values.astype(np.float64)[used]
    return TokenVectors(group, token, values, np.flatnonzero(used), y)
