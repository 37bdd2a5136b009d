"""The members of an ensemble: layers x seeds x folds, layer-major, then seed, then fold."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, Shaped

from memjax.sae.folds import held_out, k_folds_in_blocks
from memjax.sae.member import Hyper, Member, Recipe
from memjax.sae.presets import SAEPreset
from memjax.sae.stream import ImageTokens, Stream, leaving_out
from memjax.sae.training import start_members


@dataclass(frozen=True, eq=False)
class Grid:
    """An ensemble's members, and the images that each leaves out.

    Attributes:
        layers: how many layers the data has.
        seeds: of each layer's members.
        folds: members of a layer and seed; member ``j`` leaves part ``j`` of the images out of its training.
        fold: the part of each image.
        parts: that there are. As many as folds: an image is scored by the member that left it out; with 1 nothing is left out.
            More than folds: one member leaves its part out and scores every image.
    """

    layers: int
    seeds: tuple[int, ...]
    folds: int
    fold: Int[np.ndarray, " n"]
    parts: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Layers, seeds, folds."""
        return self.layers, len(self.seeds), self.folds

    def _place(self, axis: int) -> Int[np.ndarray, " m"]:
        return np.indices(self.shape)[axis].ravel()

    @property
    def layer(self) -> Int[np.ndarray, " m"]:
        """Which layer of the data each member reads."""
        return self._place(0)

    @property
    def seed(self) -> Int[np.ndarray, " m"]:
        """The seed of each member."""
        return np.array(self.seeds)[self._place(1)]

    @property
    def held(self) -> Int[np.ndarray, " m"]:
        """The fold that each member leaves out."""
        return self._place(2)

    def stream(self, images: ImageTokens) -> Stream:
        """The rows that each member is trained on."""
        return leaving_out(images, self.fold, self.parts, self.held)

    def start(self, stream: Stream, preset: SAEPreset, recipe: Recipe) -> Member:
        """The members before their first step."""
        count = len(self.layer)
        hyper = Hyper(jnp.full(count, preset.learning_rate), jnp.full(count, preset.sparsity))
        return start_members(stream, self.layer, self.seed, hyper, recipe)

    def by_image(self, values: Shaped[np.ndarray, "m n"]) -> Shaped[np.ndarray, "l e n"]:
        """Members' scores by layer, seed and image: each image's by the member that left it out, or the only one."""
        by_fold = np.asarray(values).reshape(*self.shape, -1)
        return by_fold[..., 0, :] if self.folds == 1 else held_out(by_fold, self.fold)

    def by_seed(self, values: Float[np.ndarray, " m"]) -> Float[np.ndarray, "l e"]:
        """Members' values by layer and seed, means over folds."""
        return np.asarray(values).reshape(self.shape).mean(axis=2)


def grid_of(images: ImageTokens, layers: int, seeds: Sequence[int], folds: int, parts: int | None = None) -> Grid:
    """A grid over images.

    Args:
        images: to be dealt into parts.
        layers: how many the data has.
        seeds: of each layer's members.
        folds: below 2: one member of each layer and seed scores every image.
        parts: that images are dealt into; by default as many as folds. With one fold, each member leaves out the first.

    Raises:
        InputError: more parts than images of a block.

    Example:
        >>> from memjax.sae.stream import in_memory
        >>> images = in_memory(np.zeros((2, 6, 3), np.float32))
        >>> grid = grid_of(images, 2, (0, 7), 3)
        >>> grid.shape, grid.layer.tolist()[-4:], grid.held.tolist()[:4]
        ((2, 2, 3), [1, 1, 1, 1], [0, 1, 2, 0])
        >>> split = grid_of(images, 2, (0,), 1, parts=3)
        >>> split.shape, split.stream(images).rows(0).shape
        ((2, 1, 1), (2, 4))
    """
    folds = max(1, folds)
    dealt = max(folds, parts or 1)
    fold = k_folds_in_blocks(images.n, dealt, images.size) if dealt > 1 else np.zeros(images.n, np.int32)
    return Grid(layers, tuple(seeds), folds, fold, dealt)
