"""Olshausen-Field sparse coding, the CNN baseline's reconstruction error (Lin et al. 2024, Nature Human Behaviour).

A dictionary ``[f, d]`` of unit rows; the codes of an input minimise ``|x - codes @ dictionary|^2`` + an L1 penalty by iterative
shrinkage from zero: ``codes <- shrink(codes - rate * gradient, sparsity)``. As in the authors' protocol the shrinkage is by
``sparsity`` itself, not by ``rate * sparsity``, and the squared error is summed, so its gradient carries the factor 2. The
iteration stops when the codes of the batch as a whole change by less than ``tolerance``, relative to their norm. Usable on any
encoder's features; units are those of the input after `sample_units`. Products are of full float32 on every device.
"""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float, Int

from memjax.checks import expected
from memjax.precision import full_precision


@dataclass(frozen=True)
class SparseCodingConfig:
    """Defaults are those of Lin et al. 2024.

    Attributes:
        units: units of a layer that are used; a random sample where it has more.
        codewords: size of the dictionary, ``f``.
        rate: step of the iterative shrinkage.
        sparsity: how far each step shrinks the codes.
        dictionary_rate: step of the dictionary.
        batches, batch_size: that the dictionary is learnt on.
        tolerance: relative change of a batch's codes below which they have settled.
        quantile: of the units' absolute values, which becomes 1.
        max_iterations: bounds a run that would not settle.
    """

    units: int = 1000
    codewords: int = 500
    rate: float = 1e-2
    sparsity: float = 1e-3
    dictionary_rate: float = 1e-2
    batches: int = 1000
    batch_size: int = 250
    tolerance: float = 1e-2
    quantile: float = 0.95
    max_iterations: int = 10_000


@struct.dataclass
class Codes:
    """Codes ``[b, f]``, the iterations they took, and whether the convergence test was met before ``max_iterations``."""

    codes: Float[Array, "b f"]
    iterations: Int[Array, ""]
    converged: Bool[Array, ""]


def choose_units(key: Array, features: Float[Array, "n d"], config: SparseCodingConfig) -> Float[Array, "n u"]:
    """A sample of the units; all, where there are no more than asked for."""
    d = features.shape[1]
    if d <= config.units:
        return features
    return features[:, jnp.sort(jax.random.choice(key, d, (config.units,), replace=False))]


def activation_scale(features: Float[Array, "n u"], config: SparseCodingConfig) -> Float[Array, ""]:
    """The 0.95 quantile of |activation|.

    Raises:
        InputError: where that is 0 (nearly all activations are).
    """
    scale = jnp.quantile(jnp.abs(features), config.quantile)
    if not scale > 0:
        raise expected(
            "sparse coding, features", f"a positive {config.quantile} quantile of |activation|", float(scale)
        )
    return scale


def sample_units(key: Array, features: Float[Array, "n d"], config: SparseCodingConfig) -> Float[Array, "n u"]:
    """A sample of the units (all, where there are no more than asked for), divided by the 0.95 quantile of |activation|.

    Raises:
        InputError: where that quantile is 0 (nearly all sampled activations are).
    """
    chosen = choose_units(key, features, config)
    return chosen / activation_scale(chosen, config)


def init_dictionary(key: Array, width: int, config: SparseCodingConfig) -> Float[Array, "f d"]:
    """Gaussian codewords at length 1."""
    return unit(jax.random.normal(key, (config.codewords, width), jnp.float32))


def unit(dictionary: Float[Array, "f d"]) -> Float[Array, "f d"]:
    """Codewords at length 1."""
    return dictionary / jnp.maximum(jnp.linalg.norm(dictionary, axis=1, keepdims=True), 1e-12)


def shrink(values: Array, by: float) -> Array:
    """Soft threshold: towards 0 by ``by``, not past it."""
    return jnp.sign(values) * jnp.maximum(jnp.abs(values) - by, 0.0)


@partial(jax.jit, static_argnames="config")
@full_precision
def ista(x: Float[Array, "b d"], dictionary: Float[Array, "f d"], config: SparseCodingConfig) -> Codes:
    """Codes of a batch by iterative shrinkage, until they settle.

    Example:
        >>> config = SparseCodingConfig(codewords=3, rate=0.1)
        >>> found = ista(jnp.eye(3), jnp.eye(3), config)
        >>> bool(found.converged), bool(jnp.abs(found.codes - jnp.eye(3)).max() < 0.1)
        (True, True)
    """
    gram, target = dictionary @ dictionary.T, x @ dictionary.T

    def body(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        codes, _, count = carry
        moved = shrink(codes - config.rate * 2 * (codes @ gram - target), config.sparsity)
        before = jnp.linalg.norm(codes)
        change = jnp.linalg.norm(moved - codes) / jnp.where(before > 0, before, 1.0)
        # From all zeros the ratio is not defined: go on, unless nothing moved at all.
        done = jnp.where(before > 0, change < config.tolerance, change == 0) | ~jnp.isfinite(change)
        return moved, done, count + 1

    def going(carry: tuple[Array, Array, Array]) -> Array:
        return ~carry[1] & (carry[2] < config.max_iterations)

    start = (jnp.zeros((x.shape[0], dictionary.shape[0]), x.dtype), jnp.array(False), jnp.zeros((), jnp.int32))
    codes, done, count = jax.lax.while_loop(going, body, start)
    return Codes(codes=codes, iterations=count, converged=done & jnp.all(jnp.isfinite(codes)))


@partial(jax.jit, static_argnames="config")
@full_precision
def dictionary_step(
    dictionary: Float[Array, "f d"], x: Float[Array, "b d"], config: SparseCodingConfig
) -> tuple[Float[Array, "f d"], Float[Array, ""]]:
    """One gradient step on the batch's mean squared error with the codes held, then unit rows; also that mean.

    The mean, not the sum: with the sum and this rate codewords fall together and the shrinkage no longer converges.
    """
    codes = ista(x, dictionary, config).codes
    residual = codes @ dictionary - x
    moved = unit(dictionary - config.dictionary_rate / x.shape[0] * 2 * codes.T @ residual)
    return moved, jnp.sum(residual**2) / x.shape[0]


@partial(jax.jit, static_argnames="config")
def learn_dictionary(
    key: Array, x: Float[Array, "n d"], config: SparseCodingConfig
) -> tuple[Float[Array, "f d"], Float[Array, " s"]]:
    """Learn a dictionary on random batches, in one scan.

    Args:
        key: a JAX key.
        x: inputs from `sample_units`.
        config: batches and their size (drawn without replacement inside a batch; all rows if there are fewer).

    Returns:
        The dictionary ``[f, d]`` and each batch's mean error before its step.
    """
    first, rest = jax.random.split(key)
    size = min(config.batch_size, x.shape[0])

    def body(dictionary: Array, batch_key: Array) -> tuple[Array, Array]:
        rows = jax.random.choice(batch_key, x.shape[0], (size,), replace=False)
        return dictionary_step(dictionary, x[rows], config)

    start = init_dictionary(first, x.shape[1], config)
    return jax.lax.scan(body, start, jax.random.split(rest, config.batches))


@full_precision
def reconstruction_error(
    x: Float[Array, "n d"], dictionary: Float[Array, "f d"], config: SparseCodingConfig
) -> Float[Array, " n"]:
    """Sum of squared errors per input, in batches of ``batch_size`` (the convergence test is the batch's)."""
    size = config.batch_size
    parts = []
    for start in range(0, x.shape[0], size):
        rows = x[start : start + size]
        parts.append(jnp.sum((ista(rows, dictionary, config).codes @ dictionary - rows) ** 2, axis=1))
    return jnp.concatenate(parts)
