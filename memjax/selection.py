"""What is kept of an image: which metrics, token vectors and patches; and what that means for one encoder."""

import dataclasses

import jax
import jax.numpy as jnp

from memjax import metrics
from memjax.axes import Sizes
from memjax.checks import InputError, expected
from memjax.metrics import Metric
from memjax.models.config import ViTConfig
from memjax.traces import BlockTrace, ImageTrace, Layout

MAE_SEEDS = 4
"""Masks over which ``mae_loss`` is averaged, the same for every image."""


@dataclasses.dataclass(frozen=True)
class Selection:
    """What is kept of every image; hashable, static under jit.

    Attributes:
        metrics: ``(name, row)`` pairs, see `memjax.metrics.choose`.
        tokens: token vectors kept at every layer: ``"cls"`` (the read-out token: the mean of all tokens where the encoder
            has no cls), ``"mean"`` (of the patches); and ``"pooled"``, which is of the last layer alone: what the family's
            head makes of it (CLIP's projection, SigLIP's attention pooling). An encoder without a head has none.
        patch_layers: layers at which every patch's vector is kept.
        mae_seeds: masks over which the loss of an encoder with a decoder is averaged; 0 leaves out what needs it.
    """

    metrics: tuple[tuple[str, Metric], ...] = tuple(metrics.choose().items())
    tokens: tuple[str, ...] = ()
    patch_layers: tuple[int, ...] = ()
    mae_seeds: int = MAE_SEEDS

    def available(self, config: ViTConfig) -> dict[str, Metric]:
        """The metrics that an architecture can have, by name."""
        has = {
            "": True,
            "decoder": config.decoder is not None and self.mae_seeds > 0,
            "registers": config.registers > 0,
        }
        return {name: row for name, row in self.metrics if has[row.needs]}

    def own(self) -> dict[str, Metric]:
        """The metrics that are not built in."""
        return {name: row for name, row in self.metrics if metrics.METRICS.get(name) != row}

    def vectors(self) -> tuple[str, ...]:
        """Names of the vectors that are kept of layers, beside the metrics."""
        of_layers = tuple(token for token in self.tokens if token != "pooled")
        return (*of_layers, "patches") if self.patch_layers else of_layers

    def keeps_pooled(self, config: ViTConfig) -> bool:
        """Whether what the head makes of the last layer is kept."""
        return "pooled" in self.tokens and config.has_output


def variables(
    config: ViTConfig, selection: Selection | None = None, image: tuple[int, int] | None = None
) -> dict[str, Sizes]:
    """What `memjax.measure.image_features` gives for an architecture: name -> the axes of one image's values.

    Args:
        config: the architecture.
        selection: what is kept; by default the default metrics alone.
        image: size of the images where it is not the configuration's (interpolated positions).

    Raises:
        InputError: a patch layer that the architecture does not have.

    Example:
        >>> import memjax
        >>> config = memjax.load("memjax/tiny").config
        >>> variables(config)["cls_mean"] == {"layer": config.depth + 1}
        True
    """
    chosen = selection or Selection()
    if wrong := [layer for layer in chosen.patch_layers if not 0 <= layer <= config.depth]:
        raise expected("patch layers", f"among 0 to {config.depth}", wrong, argument="patch_layers")
    layers, width, head = {"layer": config.depth + 1}, {"width": config.width}, {"head": config.heads}
    found = {name: layers | (head if row.per_head else {}) for name, row in chosen.available(config).items()}
    found |= dict.fromkeys(chosen.vectors(), layers | width)
    if chosen.patch_layers:
        rows, columns = config.grid_of(image or config.image)
        found["patches"] = {"patch_layer": len(chosen.patch_layers), "patch": rows * columns} | width
    return found | ({"pooled": {"pooled_width": config.pool_width}} if chosen.keeps_pooled(config) else {})


def working_bytes(config: ViTConfig, image: tuple[int, int], kept: dict[str, Sizes]) -> int:
    """Memory that one image of a batch needs on its device, in bytes; a bound from above, checked against XLA's own count.

    Of one block at a time: the residual stream, its normed copy, queries, keys, values and their sum; the MLP twice; attention
    logits and probabilities. Besides, the pixels twice and whatever is kept of every layer.

    Args:
        config: the architecture.
        image: the image's size ``(y, x)``.
        kept: what is kept (`variables`).
    """
    rows, columns = config.grid_of(image)
    tokens = rows * columns + config.layout.prefix
    block = tokens * (6 * config.width + 2 * config.mlp_width) + 2 * config.heads * tokens**2
    each = [tokens if "patch" in sizes else 1 for sizes in kept.values() if "width" in sizes]
    return 4 * (block + 2 * 3 * image[0] * image[1] + sum(each) * (config.depth + 1) * config.width)


def check_metrics(config: ViTConfig, layout: Layout, selection: Selection, image: tuple[int, int]) -> None:
    """Ask every metric that is not built in for the type of its value, before anything is computed.

    Args:
        config: the architecture.
        layout: see `memjax.measure.image_features`.
        selection: its metrics.
        image: size of the images, ``(y, x)``.

    Raises:
        InputError: one line that names every metric that raises, has another shape than its row says, or is no float.
    """
    views, layout = _views(config, image), layout.on(config.grid_of(image))
    available = selection.available(config)
    problems = []
    for name, row in selection.own().items():
        if name in available and (problem := _problem(row, views[row.at], layout, config.heads)):
            problems.append(f"{name} {problem}")
    if problems:
        raise InputError(f"metrics: {'; '.join(problems)}", "metrics")


View = jax.ShapeDtypeStruct | BlockTrace | ImageTrace


def _views(config: ViTConfig, image: tuple[int, int]) -> dict[str, View]:
    """What a metric sees, by its ``at``, as shapes."""

    def of(*shape: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape, jnp.float32)

    rows, columns = config.grid_of(image)
    count = rows * columns + config.layout.prefix
    tokens = of(count, config.width)
    of_head = of(config.heads, count, config.head_width)
    block = BlockTrace(
        tokens, tokens, of(config.heads, count, count), query=of_head, key=of_head, value=of_head, heads=of_head,
        mlp_hidden=of(count, config.mlp_width), mlp=tokens,
    )  # fmt: skip
    whole = ImageTrace(of(*image, 3), tokens, tokens, None if config.decoder is None else of())
    return {"hidden": tokens, "block": block, "sum": block, "image": whole}


def _problem(row: Metric, view: View, layout: Layout, heads: int) -> str:
    """What is wrong with a metric, in a few words; empty where nothing is."""
    try:
        value = jax.eval_shape(lambda view: jnp.asarray(row.function(view, layout)), view)
    except Exception as error:  # a user's function may raise anything; it is told, not lost
        reason = next(iter(str(error).strip().splitlines()), "")
        return f"raises {type(error).__name__}: {reason}".rstrip(": ")
    wanted = (heads,) if row.per_head else ()
    if value.shape != wanted:
        what = "one number a head" if row.per_head else "one number"
        return f"gives the shape {value.shape}, expected {wanted} ({what})"
    return "" if jnp.issubdtype(value.dtype, jnp.floating) else f"gives {value.dtype}, expected a float"
