"""Attention of one block: its output, and its probabilities for whoever reads them.

A CPU forms all probabilities of a block, and takes from them both the output and what a tap reads: that is fastest there. A TPU
makes the output head by head and holds no more than one head's, and an NVIDIA GPU in half precision none
(`memjax.models.fused_attention`), unless a tap reads `BlockTrace.attention`; the rows of the read-out token are made by
themselves (benchmarks/README.md has what the compilers estimate and what an H100 took).
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from memjax.axes import Array, Attention, Float, Hidden, Leaf, Tokens
from memjax.models.edits import Change
from memjax.models.fused_attention import can_be_fused, fused
from memjax.models.layers import Heads, Rotation, SelfAttention, Sources, out_of_heads, project
from memjax.traces import BlockTrace, Layout, Row, Rows, readout_row, readout_rows


def attention_weights(query: Float[Array, "h t k"], key: Sources) -> Attention:
    """Scaled dot-product attention's probabilities (Vaswani et al. 2017, eq. 1), softmax in float32."""
    scaled = query * jnp.asarray(query.shape[-1] ** -0.5, query.dtype)
    logits = jnp.einsum("htk,hsk->hts", scaled, key, preferred_element_type=jnp.float32)
    return jax.nn.softmax(logits, axis=-1)


def weigh(weights: Attention, value: Sources) -> Heads:
    """Sum of the values, weighted by attention."""
    return jnp.einsum("hts,hsk->htk", weights.astype(value.dtype), value)


def attend(
    params: SelfAttention,
    x: Float[Array, "s d"],
    rotation: Rotation = None,
    queries: Tokens | None = None,
) -> tuple[Tokens, Attention]:
    """Multi-head attention over the tokens ``x``.

    Args:
        params: the four projections.
        x: tokens, ``[s, d]``.
        rotation: cos and sin of rotary positions for the last tokens, ``[p, k]`` each (see `memjax.models.layers.rotary`).
        queries: other tokens that ask, ``[t, d]``; ``x`` itself if None.

    Returns:
        The output ``[t, d]`` and the probabilities ``[h, t, s]`` (float32).
    """
    query, key, value = project(params, x, rotation, queries)
    weights = attention_weights(query, key)
    return out_of_heads(params.out, weigh(weights, value)), weights


def mix(query: Heads, key: Sources, value: Sources) -> tuple[Heads, Rows]:
    """Attention's output before its projection, and each head's probabilities averaged over queries."""
    weights = attention_weights(query, key)
    return weigh(weights, value), weights.mean(axis=1)


def mix_by_head(query: Heads, key: Sources, value: Sources) -> tuple[Heads, Rows]:
    """`mix`, one head after another: the probabilities of one are held at a time."""

    def one(head: tuple[Tokens, Tokens, Tokens]) -> tuple[Tokens, Row]:
        mixed, row = mix(*(x[None] for x in head))
        return mixed[0], row[0]

    return jax.lax.map(one, (query, key, value))


def mix_fused(query: Heads, key: Sources, value: Sources) -> tuple[Heads, Rows]:
    """`mix` whose output needs no probabilities; the rows form them, and are left out of a program that reads none."""
    return fused(query, key, value), attention_weights(query, key).mean(axis=1)


def mix_for_device(query: Heads, key: Sources, value: Sources) -> tuple[Heads, Rows]:
    """`mix` as it is best for the device it is compiled for: a TPU takes one head after another, a GPU may fuse them."""
    cuda = mix_fused if can_be_fused(query) else mix
    return jax.lax.platform_dependent(query, key, value, tpu=mix_by_head, cuda=cuda, default=mix)


@dataclasses.dataclass(frozen=True)
class Asked:
    """What a block's probabilities are made of, and as many of them as are asked for.

    Attributes:
        query: ``[h, t, k]``, with positions.
        key: ``[h, s, k]``, with positions.
        mean_rows: the probabilities of each head averaged over queries, ``[h, s]``, from `mix_for_device`.
        edited: the probabilities themselves, where an edit may have changed them; else None.
    """

    query: Heads
    key: Sources
    mean_rows: Rows
    edited: Attention | None = None

    def all(self) -> Attention:
        return attention_weights(self.query, self.key) if self.edited is None else self.edited

    def rows(self, layout: Layout) -> Rows:
        """`memjax.traces.readout_rows` of all."""
        if self.edited is not None:
            return readout_rows(self.edited, layout)
        return self._either(lambda weights: readout_rows(weights, layout), self._alone(layout))

    def row(self, layout: Layout) -> Row:
        """`memjax.traces.readout_row` of all."""
        if self.edited is not None:
            return readout_row(self.edited, layout)
        return self._either(lambda weights: readout_row(weights, layout), self._alone(layout).mean(axis=0))

    def _alone(self, layout: Layout) -> Rows:
        """`rows` without the rest."""
        return attention_weights(self.query[:, :1], self.key)[:, 0] if layout.cls else self.mean_rows

    def _either(self, read: Callable[[Attention], Array], alone: Array) -> Array:
        """What is read from all on a CPU, which has formed them for the output anyway; elsewhere what is made alone."""
        return jax.lax.platform_dependent(
            self.query, self.key, alone, cpu=lambda q, k, _: read(attention_weights(q, k)), default=lambda q, k, x: x
        )


class Attended(NamedTuple):
    """What a block's attention makes.

    Attributes:
        out: what it adds to the residual stream, ``[t, d]``.
        heads: of each head before the output projection, ``[h, t, k]``.
        value: ``[h, s, k]``.
        asked: its probabilities, for whoever asks.
    """

    out: Tokens
    heads: Heads
    value: Sources
    asked: Asked


def attend_open(params: SelfAttention, x: Tokens, rotation: Rotation = None, change: Change | None = None) -> Attended:
    """`attend` over ``x``, ``[t, d]``, open to whoever asks; ``change`` is applied to the probabilities and to the heads."""
    query, key, value = project(params, x, rotation)
    if change is None:
        heads, mean_rows = mix_for_device(query, key, value)
        asked = Asked(query, key, mean_rows)
    else:
        weights = change("attention", attention_weights(query, key))
        heads = change("heads", weigh(weights, value))
        asked = Asked(query, key, weights.mean(axis=1), weights)
    return Attended(out_of_heads(params.out, heads), heads, value, asked)


@jax.tree_util.register_pytree_node_class
class OpenBlock(BlockTrace):
    """The trace of a block while its encoder runs: what a tap reads of it is formed, what it does not read is not.

    Where a tap returns it, a plain `BlockTrace` comes out: the streams and the probabilities.
    """

    def __init__(self, before: Hidden, after: Hidden, attended: Attended, mlp_hidden: Array, mlp: Hidden) -> None:
        asked = attended.asked
        inside = {
            "before": before, "after": after, "asked": asked, "query": asked.query, "key": asked.key, "value": attended.value,
            "heads": attended.heads, "mlp_hidden": mlp_hidden, "mlp": mlp,
        }  # fmt: skip
        for name, value in inside.items():
            object.__setattr__(self, name, value)  # the class above is frozen

    @functools.cached_property
    def attention(self) -> Attention:
        return self.asked.all()

    def readout_row(self, layout: Layout) -> Row:
        return self.asked.row(layout)

    def readout_rows(self, layout: Layout) -> Rows:
        return self.asked.rows(layout)

    def replace(self, **updates: Array) -> BlockTrace:
        return BlockTrace(self.before, self.after, self.attention).replace(**updates)

    def tree_flatten(self) -> tuple[tuple[Leaf, Leaf, Leaf], None]:
        return (self.before, self.after, self.attention), None

    @classmethod
    def tree_unflatten(cls, aux: None, children: tuple[Leaf, Leaf, Leaf]) -> BlockTrace:
        return BlockTrace(*children)
