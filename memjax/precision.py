"""Matrix products in full float32: without this, float32 means about 8 significant bits on a TPU and 11 on a recent GPU."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import jax

P = ParamSpec("P")
R = TypeVar("R")


def full_precision(function: Callable[P, R]) -> Callable[P, R]:
    """``function`` with every matrix product traced inside it at the precision ``highest``, whatever the device.

    On a CPU nothing changes; products of bfloat16 stay bfloat16 everywhere.

    Example:
        >>> import jax.numpy as jnp
        >>> product = full_precision(lambda x: x @ x)
        >>> "HIGHEST" in jax.jit(product).lower(jnp.ones((2, 2), jnp.float32)).as_text()
        True
    """

    @functools.wraps(function)
    def computed(*args: P.args, **kwargs: P.kwargs) -> R:
        with jax.default_matmul_precision("highest"):
            return function(*args, **kwargs)

    return computed
