"""The metrics, as one visible dict: each is a pure function of one block of one image; `vmap` and `scan` lie outside.

``at`` says where a metric has values: ``"hidden"`` at layers 0..l, ``"block"`` at 1..l, ``"image"`` once, at layer l.
Elsewhere it is NaN. ``mae_loss`` is there only for encoders with a decoder, and comes from `memjax.models.mae`. To add
one: write its function, add its row, and name it in `measure_hidden` or `measure_block`.
"""

from typing import NamedTuple

import jax.numpy as jnp

from memjax.axes import Array, Float, Hidden, Scalar
from memjax.metrics import activation, attention, change, patches
from memjax.traces import BlockTrace, Layout


class Metric(NamedTuple):
    """One row: unit, and where it has values. Titles for figures and pages: `memjax.report.labels`."""

    unit: str
    at: str


METRICS: dict[str, Metric] = {
    "cls_mean": Metric("activation", "hidden"),
    "cls_sum": Metric("activation", "hidden"),
    "cls_max": Metric("activation", "hidden"),
    "cls_max_abs": Metric("activation", "hidden"),
    "cls_norm": Metric("activation", "hidden"),
    "attention_entropy": Metric("bits", "block"),
    "patch_uniformity": Metric("cosine", "hidden"),
    "layer_delta": Metric("1 - cosine", "block"),
    "delta_total": Metric("1 - cosine", "image"),
    "delta_first_last": Metric("1 - cosine", "image"),
    "mae_loss": Metric("squared pixel error", "image"),
}


def measure_hidden(hidden: Hidden, layout: Layout) -> dict[str, Scalar]:
    """Every metric of one layer's tokens."""
    token = activation.readout(hidden, layout)
    return {
        "cls_mean": activation.cls_mean(token),
        "cls_sum": activation.cls_sum(token),
        "cls_max": activation.cls_max(token),
        "cls_max_abs": activation.cls_max_abs(token),
        "cls_norm": activation.cls_norm(token),
        "patch_uniformity": patches.patch_uniformity(hidden, layout),
    }


def measure_block(block: BlockTrace, layout: Layout) -> dict[str, Scalar]:
    """Every metric of one block: of what leaves it, of its attention, and of the change it makes. This is the tap."""
    before, after = activation.readout(block.before, layout), activation.readout(block.after, layout)
    return {
        **measure_hidden(block.after, layout),
        "attention_entropy": attention.attention_entropy(block.attention, layout),
        "layer_delta": change.layer_delta(before, after),
    }


def assemble(
    embedded: Hidden, last: Hidden, blocks: dict[str, Float[Array, "l"]], layout: Layout
) -> dict[str, Float[Array, "l1"]]:
    """One image's table: layer 0 put before the blocks' values, and the metrics of the whole image at the last layer.

    Args:
        embedded: tokens that enter block 1, ``[t, d]``.
        last: tokens that leave the last block, ``[t, d]``.
        blocks: what `measure_block` gave, stacked over blocks.
        layout: which tokens are what.

    Returns:
        metric -> ``[l+1]`` float32, NaN where it has no value, in the order of `METRICS` (all but ``mae_loss``).
    """
    first = measure_hidden(embedded, layout)
    none = jnp.full((1,), jnp.nan, jnp.float32)
    table = {name: jnp.concatenate([first[name][None] if name in first else none, x]) for name, x in blocks.items()}
    ends = (activation.readout(embedded, layout), activation.readout(last, layout))
    per_image = {"delta_total": blocks["layer_delta"].sum(), "delta_first_last": change.layer_delta(*ends)}
    depth = blocks["layer_delta"].shape[0]
    for name, value in per_image.items():
        table[name] = at_last_layer(value, depth)
    return {name: table[name] for name in METRICS if name in table}


def at_last_layer(value: Scalar, depth: int) -> Float[Array, "l1"]:
    """A value of the whole image as a row of the table: NaN everywhere but at the last layer."""
    return jnp.full((depth + 1,), jnp.nan, jnp.float32).at[depth].set(value)


__all__ = ["METRICS", "Metric", "assemble", "at_last_layer", "measure_block", "measure_hidden"]
