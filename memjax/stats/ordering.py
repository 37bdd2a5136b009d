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
    if not single(x):
        return np.argsort(x, kind="stable")
    return processor_order(x) if jax.default_backend() == "cpu" else device_order(x)


def single(x: Float[np.ndarray, " n"]) -> bool:
    """Whether every value is one of float32, as a store's are."""
    with np.errstate(over="ignore"):
        return bool((x.astype(np.float32) == x).all())


def whole_keys(x: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """int32 numbers in the order of values of float32: no device's rounding of very small values to 0 can change it.

    Example:
        >>> np.argsort(whole_keys(np.array([0.5, -1e-45, -2.0]))).tolist()
        [2, 1, 0]
    """
    bits = (x.astype(np.float32) + np.float32(0)).view(np.int32)  # adding 0 makes -0 equal to 0
    return np.where(bits < 0, bits ^ 0x7FFFFFFF, bits)


def processor_order(x: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """`order_of` values of float32: key and position in one number, so that a plain sort, several times faster, is stable."""
    packed = whole_keys(x).astype(np.int64) << 32 | np.arange(len(x))
    packed.sort()
    return packed & 0xFFFFFFFF


def device_order(x: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """`order_of` values of float32, on the default device."""
    return np.asarray(_argsort(jnp.asarray(whole_keys(x)))).astype(np.int64)


@jax.jit
def _argsort(keys: Int[jax.Array, " n"]) -> Int[jax.Array, " n"]:
    return jnp.argsort(keys, stable=True)
