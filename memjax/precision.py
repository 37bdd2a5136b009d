"""How exact matrix products of float32 are: without a word on it, float32 means 8 significant bits on a TPU, 11 on NVIDIA.

What each `Precision` is, for products of float32:

==========  =============================  ================  =========
precision   TPU                            NVIDIA            CPU
==========  =============================  ================  =========
highest     six bfloat16 passes: float32   float32           float32
high        three bfloat16 passes          TF32              float32
default     one bfloat16 pass              TF32              float32
==========  =============================  ================  =========

Products of bfloat16 take one pass whatever is asked for, and are summed in float32.
"""

import functools
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Literal, ParamSpec, TypeVar, get_args

from memjax.checks import expected

Precision = Literal["highest", "high", "default"]
PRECISIONS: tuple[str, ...] = get_args(Precision)

P = ParamSpec("P")
R = TypeVar("R")


def check_precision(precision: str) -> None:
    """Raises `InputError` for a word that names none."""
    if precision not in PRECISIONS:
        raise expected("precision", f"one of {', '.join(PRECISIONS)}", precision, argument="precision")


def products_at(precision: str) -> AbstractContextManager[None]:
    """A block in which every matrix product is traced at a precision, but for those that state their own.

    Raises:
        InputError: no such precision.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> with products_at("high"):
        ...     lowered = jax.jit(lambda x: x @ x).lower(jnp.ones((2, 2), jnp.float32))
        >>> "[HIGH, HIGH]" in lowered.as_text()
        True
    """
    import jax  # only here: a command line names a precision without it

    check_precision(precision)
    return jax.default_matmul_precision(precision)


def at_its_precision(function: Callable[P, R]) -> Callable[P, R]:
    """``function``, which has an argument ``precision``, with every matrix product traced inside it at that one.

    It holds whatever the caller's own default is, and for the gradient too. A jit outside has to keep ``precision`` static.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> square = at_its_precision(lambda x, precision="highest": x @ x)
        >>> "[HIGHEST, HIGHEST]" in jax.jit(square).lower(jnp.ones((2, 2), jnp.float32)).as_text()
        True
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def computed(*args: P.args, **kwargs: P.kwargs) -> R:
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        with products_at(given.arguments["precision"]):
            return function(*args, **kwargs)

    return computed


def full_precision(function: Callable[P, R]) -> Callable[P, R]:
    """``function`` with every matrix product traced inside it at ``highest``: where a precision is no choice, as in statistics.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> product = full_precision(lambda x: x @ x)
        >>> "HIGHEST" in jax.jit(product).lower(jnp.ones((2, 2), jnp.float32)).as_text()
        True
    """

    @functools.wraps(function)
    def computed(*args: P.args, **kwargs: P.kwargs) -> R:
        with products_at("highest"):
            return function(*args, **kwargs)

    return computed
