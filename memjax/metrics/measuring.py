"""Rows of metrics applied to one image: to one layer, to one block, and put together as a table."""

from collections.abc import Mapping

import jax.numpy as jnp

from memjax.axes import Array, Float, Hidden
from memjax.metrics.metric import Metric
from memjax.metrics.table import DEFAULT_METRICS, METRICS
from memjax.traces import BlockTrace, ImageTrace, Layout

Rows = Mapping[str, Metric]
Value = Float[Array, "*h"]
"""A metric's value: a number, or one for each head."""

DEFAULT: Rows = {name: METRICS[name] for name in DEFAULT_METRICS}


def _apply(
    rows: Rows, places: tuple[str, ...], view: Hidden | BlockTrace | ImageTrace, layout: Layout
) -> dict[str, Value]:
    return {
        name: jnp.asarray(row.function(view, layout)).astype(jnp.float32)
        for name, row in rows.items()
        if row.at in places
    }


def measure_hidden(hidden: Hidden, layout: Layout, rows: Rows = DEFAULT) -> dict[str, Value]:
    """Every metric of one layer's tokens."""
    return _apply(rows, ("hidden",), hidden, layout)


def measure_block(block: BlockTrace, layout: Layout, rows: Rows = DEFAULT) -> dict[str, Value]:
    """Every metric of one block and of what leaves it. This is the tap of a sweep."""
    return measure_hidden(block.after, layout, rows) | _apply(rows, ("block", "sum"), block, layout)


def assemble(
    image: ImageTrace, blocks: dict[str, Float[Array, "l *h"]], depth: int, layout: Layout, rows: Rows = DEFAULT
) -> dict[str, Float[Array, "l1 *h"]]:
    """One image's table: layer 0 put before the blocks' values, and the metrics of the whole image at the last layer.

    Args:
        image: what entered and left the encoder.
        blocks: what `measure_block` gave, stacked over blocks.
        depth: l, the number of blocks.
        layout: which tokens are what.
        rows: the metrics; those of ``blocks``.

    Returns:
        metric -> float32 ``[l+1]``, or ``[l+1, h]`` where it is per head; NaN where it has no value; in the order of ``rows``.
    """
    first, whole = measure_hidden(image.embedded, layout, rows), _apply(rows, ("image",), image, layout)
    table = {}
    for name, row in rows.items():
        if row.per_image:
            table[name] = at_last_layer(whole[name] if row.at == "image" else blocks[name].sum(axis=0), depth)
        else:
            before = first.get(name, jnp.full(blocks[name].shape[1:], jnp.nan, jnp.float32))
            table[name] = jnp.concatenate([before[None], blocks[name]])
    return table


def at_last_layer(value: Value, depth: int) -> Float[Array, "l1 *h"]:
    """A value of the whole image as a row of the table: NaN everywhere but at the last layer."""
    return jnp.full((depth + 1, *value.shape), jnp.nan, jnp.float32).at[depth].set(value)
