"""What scores must be before anything is correlated with them."""

import numpy as np
from jaxtyping import Float

from memjax.checks import InputError


def check_scores_vary(scores: Float[np.ndarray, " n"], where: str = "scores") -> None:
    """Refuse scores that are all the same: no measure correlates with them, whatever it is.

    Args:
        scores: human scores, NaN where an image has none; a single score is let pass.
        where: what they are of, for the message.

    Raises:
        InputError: two or more, all of one value.

    Example:
        >>> check_scores_vary(np.array([0.5, np.nan, 0.5]))
        Traceback (most recent call last):
        memjax.checks.InputError: scores: all 2 are 0.5, and what does not vary correlates with nothing; give scores that differ
    """
    known = np.asarray(scores, np.float64)
    known = known[np.isfinite(known)]
    if len(known) > 1 and (known == known[0]).all():
        raise InputError(
            f"{where}: all {len(known):,} are {known[0]:g}, and what does not vary correlates with nothing; give scores that "
            "differ"
        )
