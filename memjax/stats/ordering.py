"""The order of a column's values: on an accelerator where there is one, in integers, so that it is the same everywhere."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int


def order_of(x: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Positions of a column's finite values in ascending order, those of equal values as they stand.

    Example:
        >>> order_of(np.array([0.5, -1.0, 0.5])).tolist()
        [1, 0, 2]
    """
    if jax.default_backend() == "cpu" or not single(x):
        return np.argsort(x, kind="stable")
    return device_order(x)


def single(x: Float[np.ndarray, " n"]) -> bool:
    """Whether every value is one of float32, as a store's are."""
    with np.errstate(over="ignore"):
        return bool((x.astype(np.float32) == x).all())


def device_order(x: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """`order_of` values of float32, on the default device.

    Integers are sorted that are in the order of the values: no device's rounding of very small numbers to 0 can change it.
    """
    bits = (x.astype(np.float32) + np.float32(0)).view(np.int32)  # adding 0 makes -0 equal to 0
    return np.asarray(_argsort(jnp.asarray(np.where(bits < 0, bits ^ 0x7FFFFFFF, bits)))).astype(np.int64)


@jax.jit
def _argsort(keys: Int[jax.Array, " n"]) -> Int[jax.Array, " n"]:
    return jnp.argsort(keys, stable=True)
