"""The ends of an interval of a correlation, whoever made it."""

import numpy as np
from jaxtyping import Float


def held(
    rho: Float[np.ndarray, " k"], low: Float[np.ndarray, " k"], high: Float[np.ndarray, " k"]
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """Ends that lie within [-1, 1] and do not exclude their estimate; those that do both are left as they are.

    Quantiles of resamples are of float32, so that an end may miss its estimate, or 1, by the last digit; and the quantiles of a
    skewed coefficient may lie on one side of it.

    Args:
        rho: the estimates, within [-1, 1]; NaN where there is none.
        low, high: the ends, NaN where there is none.

    Example:
        >>> low, high = held(np.array([1.0, 0.5]), np.array([0.9, 0.50001]), np.array([1.0000001, np.nan]))
        >>> low.tolist(), high.tolist()
        ([0.9, 0.5], [1.0, nan])
    """
    return np.maximum(np.minimum(low, rho), -1.0), np.minimum(np.maximum(high, rho), 1.0)
