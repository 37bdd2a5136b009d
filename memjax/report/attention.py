"""Where encoders look in an image: attention to its patches, laid over it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure

from memjax.checks import expected
from memjax.report.chart import Chart
from memjax.report.figures import SYNTHETIC_IMAGE
from memjax.report.labels import shorten
from memjax.report.style import MUTED, WARNING, style

DEPTHS = 5
"""Layers of each encoder where several stand beside each other."""


class Looked(NamedTuple):
    """One encoder's attention in one image.

    Attributes:
        encoder: its name.
        image: uint8 or float in [0, 1], [y, x, c]: the pixels that it saw, before normalisation.
        maps: attention to each patch in its place, layers 1..l.
    """

    encoder: str
    image: np.ndarray
    maps: Float[np.ndarray, "l gy gx"]


def attention_over_image(
    image: np.ndarray,
    attention_by_layer: Float[np.ndarray, "l gy gx"],
    name: str = "",
    model: str = "",
    columns: int = 4,
    synthetic: bool = False,
) -> Figure:
    """The image, then its attention map at each layer laid over it in grey.

    Args:
        image: uint8 or float in [0, 1], [y, x, c]: the pixels that the encoder saw, before normalisation.
        attention_by_layer: attention to each patch in its place, layers 1..l; each map is divided by its own maximum,
            which is written above it as a share of the map's sum.
        name, model: for the title.
        columns: panels in a row.
        synthetic: say in the figure that the image is generated.

    Raises:
        InputError: the image is not [y, x, 3].
    """
    seen = Looked(model, image, attention_by_layer)
    lines = -(-(len(attention_by_layer) + 1) // columns)
    with style():
        figure = Chart(figsize=(1.75 * columns + 0.8, 2.0 * lines + 0.7), layout="constrained")
        grid = list(figure.subplots(lines, columns, squeeze=False).ravel())
        _draw_maps(grid, seen, range(1, len(attention_by_layer) + 1))
        _draw_scale(figure, grid)
        named = [shorten(part) for part in (name, model) if part]
        figure.heading(" · ".join(["Attention to the patches, by layer", *named]))
        _caption(figure, f"Attention to each patch, by layer, over the image {name}".rstrip(), synthetic)
    return figure


def attention_by_encoder(seen: Sequence[Looked], name: str = "", synthetic: bool = False) -> Figure:
    """What each encoder saw of an image and its attention there, a line for an encoder: `DEPTHS` layers, evenly over its depth.

    Args:
        seen: of the same image, each as its encoder saw it.
        name: of the image, for the title.
        synthetic: say in the figure that the image is generated.

    Raises:
        InputError: an image is not [y, x, 3].

    Example:
        >>> maps, image = np.ones((12, 4, 4)), np.zeros((8, 8, 3))
        >>> figure = attention_by_encoder([Looked("a", image, maps), Looked("b", image, maps[:3])])
        >>> [axes.get_title().split(" ·")[0] for axes in figure.axes[:6]]
        ['image', 'layer 1', 'layer 4', 'layer 6', 'layer 9', 'layer 12']
    """
    with style():
        figure = Chart(figsize=(10.0, 1.95 * len(seen) + 0.7), layout="constrained")
        for part, one in zip(np.ravel(figure.subfigures(len(seen), 1, squeeze=False)), seen, strict=True):
            assert isinstance(part, SubFigure)
            grid = list(part.subplots(1, DEPTHS + 1))
            _draw_maps(grid, one, np.unique(np.linspace(1, len(one.maps), DEPTHS).round().astype(int)))
            _draw_scale(part, grid)
            part.suptitle(shorten(one.encoder), x=0.01, ha="left", fontsize=9, color=MUTED)
        figure.heading(" · ".join(["Attention to the patches, by encoder", *([shorten(name)] if name else [])]))
        _caption(figure, f"Attention to each patch, by encoder and layer, over the image {name}".rstrip(), synthetic)
    return figure


def _draw_maps(grid: Sequence[Axes], seen: Looked, layers: Sequence[int] | np.ndarray | range) -> None:
    """The image, and maps of some layers over it; places that are left stay empty."""
    image = seen.image
    if image.ndim != 3 or image.shape[-1] != 3:
        raise expected("attention_over_image, image", "shape [y, x, 3]", tuple(image.shape))
    colours = image / 255.0 if np.issubdtype(image.dtype, np.integer) else np.clip(image, 0.0, 1.0)
    grey = colours @ np.array([0.299, 0.587, 0.114], dtype=colours.dtype)
    extent = (0, image.shape[1], image.shape[0], 0)
    for axes in grid:
        axes.axis("off")
    grid[0].imshow(colours, extent=extent)
    grid[0].set_title("image", fontsize=8.5)
    for axes, layer in zip(grid[1:], layers, strict=False):
        weights = seen.maps[layer - 1]
        peak = float(np.nanmax(weights)) or 1.0
        axes.imshow(grey, cmap="gray", vmin=0, vmax=1, extent=extent)
        axes.imshow(weights / peak, cmap="inferno", vmin=0, vmax=1, alpha=0.6, extent=extent)
        axes.set_title(f"layer {layer} · max {100 * peak / float(np.nansum(weights)):.1f} %", fontsize=8.5)


def _draw_scale(figure: Figure | SubFigure, grid: Sequence[Axes]) -> None:
    scale = ScalarMappable(Normalize(0, 1), "inferno")
    bar = figure.colorbar(scale, ax=grid, fraction=0.03, alpha=0.8)
    bar.set_label("share of the map's largest", fontsize=8)
    bar.ax.tick_params(labelsize=8)


def _caption(figure: Figure, start: str, synthetic: bool) -> None:
    caption = f"{start} in grey: black none, yellow the map's largest share."
    if synthetic:
        figure.supxlabel(SYNTHETIC_IMAGE, fontsize=8.5, color=WARNING, x=0.02, ha="left")
        caption += f" {SYNTHETIC_IMAGE}"
    figure.set_label(caption)
